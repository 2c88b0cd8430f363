"""What a question can be perturbed by, and how that is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import msgspec

from engine.errors import LogitscopeError
from engine.perturb.words import WordKind

Kind = WordKind | Literal["extra_options"]
KINDS: tuple[Kind, ...] = (*get_args(WordKind), "extra_options")

RATE = 0.1
"""Share of the places of a text that are changed unless something else is asked for.

The rates of arXiv:2404.08382 are not published; this is one word in ten.
"""

MOST_COPIES = 1000

_HINT = "Write KIND, KIND:COPIES or KIND:COPIES:RATE, for example letter_typo:2:0.1."


class Perturbation(msgspec.Struct, frozen=True):
    """A way to change every question of a run.

    Attributes:
        kind: One of :data:`KINDS`; :func:`engine.perturb.words.change_words` and
            :data:`engine.perturb.variants.EXTRA_OPTIONS` define them.
        copies: How many times each question is changed, each time by draws of its own; where a
            question has few places, copies can come out the same.
        rate: Share of the places in a text that are changed; means nothing to ``extra_options``.
    """

    kind: Kind
    copies: int = 1
    rate: float = RATE


def parse_perturbation(text: str) -> Perturbation:
    """Read ``KIND``, ``KIND:COPIES`` or ``KIND:COPIES:RATE``.

    Raises:
        LogitscopeError: It is none of these.
    """
    name, *numbers = text.strip().split(":")
    kind = next((kind for kind in KINDS if kind == name), None)
    if kind is None:
        raise LogitscopeError(f"There is no perturbation {name!r}.", f"Choose {', '.join(KINDS)}.")
    if len(numbers) > 2:
        raise LogitscopeError(f"The perturbation {text} has too many parts.", _HINT)
    if len(numbers) == 2 and kind == "extra_options":
        raise LogitscopeError(
            f"The perturbation {text} has a rate, which means nothing to extra_options.",
            "Leave it out: all three options are always added.",
        )
    try:
        copies = int(numbers[0]) if numbers else 1
        rate = float(numbers[1]) if len(numbers) > 1 else RATE
    except ValueError as error:
        raise LogitscopeError(f"The perturbation {text} can't be read.", _HINT) from error
    return Perturbation(kind, copies, rate)


def check_perturbations(perturbations: Sequence[Perturbation]) -> None:
    """Refuse what can't be carried out.

    Raises:
        LogitscopeError: A number is out of range, or a kind is there twice.
    """
    kinds = [perturbation.kind for perturbation in perturbations]
    for perturbation in perturbations:
        kind, copies, rate = perturbation.kind, perturbation.copies, perturbation.rate
        if kinds.count(kind) > 1:
            raise LogitscopeError(
                f"The perturbation {kind} is named twice.",
                f"Ask for copies of one: {kind}:{kinds.count(kind)}.",
            )
        if not 1 <= copies <= MOST_COPIES:
            raise LogitscopeError(
                f"The perturbation {kind} has {copies} copies; 1 to {MOST_COPIES} can be asked for."
            )
        if not 0 <= rate <= 1:
            raise LogitscopeError(
                f"The perturbation {kind} has the rate {rate:g}; it must be 0 to 1.",
                "The rate is the share of words or pairs of words that are changed.",
            )
