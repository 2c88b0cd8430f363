"""A question with its options in another order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice

from engine.errors import QuestionError
from engine.perturb.draws import shuffled
from engine.questions import LABELS, Option, Question


def order_permutation(question: Question, index: int, seed: int) -> tuple[int, ...]:
    """The permutation of one option order: ``permutation[i]`` is the source index of option i.

    Order 0 is the source's. The others are drawn uniformly by hashes of (seed, question id,
    number of the draw), so an order depends neither on the version of Python nor on how many
    orders are asked for. A draw that repeats an earlier one is drawn again: the orders of one
    question all differ, until all n! are used up and the sequence starts again from order 0.

    Args:
        question: The question in source order.
        index: Number of the order, from 0.
        seed: Seed of the run.
    """
    distinct = index % math.factorial(len(question.options))
    return next(islice(_distinct_permutations(question, seed), distinct, None))


def reorder(
    question: Question, permutation: Sequence[int], labels: Sequence[str] = LABELS
) -> Question:
    """The question with its options in another order and labels given out by position.

    Args:
        question: The question in source order.
        permutation: Source index of each option to show.
        labels: Labels by position; the gold label follows its option.

    Raises:
        QuestionError: There are fewer labels than options.
    """
    if len(labels) < len(permutation):
        raise QuestionError(
            f"{len(permutation)} options need as many labels, but there are {len(labels)}.",
            "Give the format more labels.",
        )
    source = [question.options[i] for i in permutation]
    options = tuple(
        Option(label, option.text, option.ordinal)
        for label, option in zip(labels, source, strict=False)
    )
    gold = question.gold
    if gold is not None:
        gold = options[list(permutation).index(question.labels.index(gold))].label
    return Question(question.text, options, gold, question.subject, question.dataset)


def _distinct_permutations(question: Question, seed: int) -> Iterator[tuple[int, ...]]:
    identity = tuple(range(len(question.options)))
    seen = {identity}
    yield identity
    draw = 0
    while True:
        draw += 1
        permutation = shuffled(len(identity), f"{seed}/{question.id}/{draw}")
        if permutation not in seen:
            seen.add(permutation)
            yield permutation
