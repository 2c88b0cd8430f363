"""Two ways of answering the same questions: agreement, and whether a difference is chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Literal, TypeVar

import msgspec

Said = TypeVar("Said", bound=Hashable)

FEW = 25
"""Discordant pairs below which McNemar's test is exact."""


class McNemar(msgspec.Struct, frozen=True):
    """McNemar's test of two paired rates.

    Attributes:
        p_value: Two-sided.
        method: ``exact`` (binomial), or ``chi-square`` with continuity correction.
    """

    p_value: float
    method: Literal["exact", "chi-square"]


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """Whether two sides that are right on the same questions equally often by chance alone.

    Under the null each question that only one side has right is equally likely to be either's
    (McNemar 1947): exact binomial below :data:`FEW` such questions, otherwise chi-square with
    Edwards' continuity correction.

    Args:
        only_first: Questions that only the first side has right.
        only_second: Questions that only the second side has right.
    """
    from scipy.stats import binomtest, chi2

    discordant = only_first + only_second
    if discordant < FEW:
        p_value = binomtest(only_first, discordant).pvalue if discordant else 1.0
        return McNemar(float(p_value), "exact")
    statistic = max(0, abs(only_first - only_second) - 1) ** 2 / discordant
    return McNemar(float(chi2.sf(statistic, 1)), "chi-square")


def cohen_kappa(counts: Mapping[tuple[Said, Said], int]) -> float | None:
    """Agreement beyond what the sides' own habits would give (Cohen 1960).

    Args:
        counts: How often the first said one thing and the second another.

    Returns:
        1 for full agreement, 0 for that of chance; None without answers, or where both always say
        the same one thing.
    """
    total = sum(counts.values())
    if total == 0:
        return None
    first: Counter[Said] = Counter()
    second: Counter[Said] = Counter()
    for (one, other), count in counts.items():
        first[one] += count
        second[other] += count
    agreed = sum(count for (one, other), count in counts.items() if one == other) / total
    chance = sum(first[said] * second[said] for said in first) / total**2
    return None if chance == 1 else (agreed - chance) / (1 - chance)
