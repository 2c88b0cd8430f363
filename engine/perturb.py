"""Perturbations of a question: its options in another order, the same on every machine."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from itertools import islice

from engine.errors import QuestionError
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
    shown = {old.label: new.label for old, new in zip(source, options, strict=True)}
    gold = None if question.gold is None else shown[question.gold]
    return Question(question.text, options, gold, question.subject, question.dataset)


def _distinct_permutations(question: Question, seed: int) -> Iterator[tuple[int, ...]]:
    identity = tuple(range(len(question.options)))
    seen = {identity}
    yield identity
    draw = 0
    while True:
        draw += 1
        permutation = _shuffled(len(identity), f"{seed}/{question.id}/{draw}")
        if permutation not in seen:
            seen.add(permutation)
            yield permutation


def _shuffled(count: int, key: str) -> tuple[int, ...]:
    """Fisher-Yates with one 64-bit hash a step; the modulo's bias is below 1e-17."""
    items = list(range(count))
    for last in range(count - 1, 0, -1):
        digest = hashlib.blake2b(f"{key}/{last}".encode(), digest_size=8).digest()
        chosen = int.from_bytes(digest, "big") % (last + 1)
        items[last], items[chosen] = items[chosen], items[last]
    return tuple(items)
