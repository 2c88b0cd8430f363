"""Entropies of choices, and distances between two distributions over the same options."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

Option = TypeVar("Option", bound=Hashable)


def entropy(counts: Sequence[int]) -> float:
    """Entropy of a distribution given by counts, in nats; over log 2 it is in bits.

    Args:
        counts: How often each thing was chosen; zeros are allowed, not all may be zero.
    """
    total = sum(counts)
    # Written so that one choice gives 0, not -0.
    return math.fsum(count / total * math.log(total / count) for count in counts if count)


def total_variation(first: Mapping[Option, int], second: Mapping[Option, int]) -> float | None:
    """Half the summed distance of two distributions given by counts: 0 for equal, 1 for disjoint.

    Returns:
        None where one of them is empty.
    """
    shares = _shares(first, second)
    return None if shares is None else sum(abs(p - q) for p, q in shares) / 2


def jensen_shannon(first: Mapping[Option, int], second: Mapping[Option, int]) -> float | None:
    """Jensen-Shannon divergence (Lin 1991) of two distributions given by counts, in nats.

    The divergence, not its square root: 0 for equal, log 2 for disjoint.

    Returns:
        None where one of them is empty.
    """
    shares = _shares(first, second)
    if shares is None:
        return None
    divergence = math.fsum(
        share * math.log(2 * share / (p + q)) / 2 for p, q in shares for share in (p, q) if share
    )
    return max(0.0, divergence)


def ordinal_wasserstein(first: Mapping[float, int], second: Mapping[float, int]) -> float | None:
    """1-Wasserstein distance of two distributions over places on a scale, given by counts.

    Args:
        first: How often each place was chosen. A place is an ordinal less the lowest of its own
            question, over the length of the question's scale, so that it lies in 0..1. What has no
            place on the scale (a refusal) must be left out.
        second: The same of the other side.

    Returns:
        0 for equal distributions, 1 for opposite ends; None where one of them is empty.
    """
    from scipy.stats import wasserstein_distance

    if not any(first.values()) or not any(second.values()):
        return None
    return float(
        wasserstein_distance(list(first), list(second), list(first.values()), list(second.values()))
    )


def _shares(
    first: Mapping[Option, int], second: Mapping[Option, int]
) -> list[tuple[float, float]] | None:
    """Pairs of shares over everything that either side has."""
    totals = sum(first.values()), sum(second.values())
    if not all(totals):
        return None
    return [
        (first.get(each, 0) / totals[0], second.get(each, 0) / totals[1])
        for each in {**first, **second}
    ]
