"""Perturbations of a question: seeded, the same on every machine.

``orders`` shuffles options, ``words`` makes typos and swaps in the text, ``variants`` numbers all
that a run asks of one question; ``kinds`` is how perturbations are asked for.
"""

from __future__ import annotations

from engine.perturb.kinds import (
    KINDS,
    RATE,
    Kind,
    Perturbation,
    check_perturbations,
    parse_perturbation,
)
from engine.perturb.orders import order_permutation, reorder
from engine.perturb.variants import (
    EXTRA_OPTIONS,
    Variant,
    can_change,
    most_options,
    variant,
    variants,
)

__all__ = [
    "EXTRA_OPTIONS",
    "KINDS",
    "RATE",
    "Kind",
    "Perturbation",
    "Variant",
    "can_change",
    "check_perturbations",
    "most_options",
    "order_permutation",
    "parse_perturbation",
    "reorder",
    "variant",
    "variants",
]
