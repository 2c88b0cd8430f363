"""Every way in which a run shows one question: its option orders, then its perturbed copies."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.errors import QuestionError
from engine.perturb.draws import shuffled
from engine.perturb.kinds import Kind, Perturbation
from engine.perturb.orders import order_permutation, reorder
from engine.perturb.words import change_words, places
from engine.questions import LABELS, Option, Question

EXTRA_OPTIONS = ("No correct answer is given", "I do not know", "Refused")
"""What ``extra_options`` adds; all options are then shuffled (arXiv:2404.08382)."""


class Variant(msgspec.Struct, frozen=True):
    """One way to show a question.

    Attributes:
        question: As it is shown, labels given out by position.
        permutation: ``permutation[i]`` is the source index of shown option i; an option that was
            added has an index behind those of the source.
        number: Which variant of the question it is, from 0; the ``order_index`` of its probes.
        perturbation: How the question was changed; None: its option order at most.
    """

    question: Question
    permutation: tuple[int, ...]
    number: int
    perturbation: Kind | None = None


def variants(orders: int, perturbations: Sequence[Perturbation]) -> int:
    """How many variants of each question there are."""
    return orders + sum(perturbation.copies for perturbation in perturbations)


def variant(
    question: Question,
    number: int,
    seed: int,
    orders: int = 1,
    perturbations: Sequence[Perturbation] = (),
    labels: Sequence[str] = LABELS,
) -> Variant:
    """One variant of a question: the orders come first, then the copies of each perturbation.

    A copy depends on seed, question, kind and its own number among the copies alone. Where words
    are changed, the options stay in the order of the source; their texts are never changed.

    Args:
        question: The question in source order.
        number: Which variant, from 0.
        seed: Seed of the run.
        orders: How many option orders there are.
        perturbations: What comes after them.
        labels: Labels by position.

    Raises:
        QuestionError: There is no such variant, or there are fewer labels than options.
    """
    if number < orders:
        permutation = order_permutation(question, number, seed)
        return Variant(reorder(question, permutation, labels), permutation, number)
    copy = number - orders
    for perturbation in perturbations:
        if copy < perturbation.copies:
            key = f"{seed}/{question.id}/{perturbation.kind}/{copy}"
            changed, permutation = _perturbed(question, perturbation, key)
            shown = reorder(changed, permutation, labels)
            return Variant(shown, permutation, number, perturbation.kind)
        copy -= perturbation.copies
    last = variants(orders, perturbations) - 1
    raise QuestionError(
        f"There is no option order {number} of a question.", f"Its variants are 0 to {last}."
    )


def most_options(question: Question, perturbations: Sequence[Perturbation]) -> int:
    """How many options the variant of a question with the most of them has."""
    extra = any(perturbation.kind == "extra_options" for perturbation in perturbations)
    return len(question.options) + (len(_extra_options(question)) if extra else 0)


def can_change(question: Question, kind: Kind) -> bool:
    """Whether a question has anything that a kind of perturbation changes."""
    if kind == "extra_options":
        return bool(_extra_options(question))
    return bool(places(kind, question.text))


def _perturbed(
    question: Question, perturbation: Perturbation, key: str
) -> tuple[Question, tuple[int, ...]]:
    """The changed question in source order, added options last, and the order to show it in."""
    if perturbation.kind == "extra_options":
        options = (*question.options, *_extra_options(question))
        changed = msgspec.structs.replace(question, options=options)
        return changed, shuffled(len(options), key)
    text = change_words(perturbation.kind, question.text, perturbation.rate, key)
    return msgspec.structs.replace(question, text=text), tuple(range(len(question.options)))


def _extra_options(question: Question) -> tuple[Option, ...]:
    """The extra options that a question does not have already, without labels."""
    known = {option.text.strip().casefold() for option in question.options}
    return tuple(Option("", text) for text in EXTRA_OPTIONS if text.casefold() not in known)
