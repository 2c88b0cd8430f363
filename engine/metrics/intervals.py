"""Confidence intervals of rates."""

from __future__ import annotations

import math

_NORMAL_QUANTILE_975 = 1.959963984540054


def wilson_interval(successes: int, total: int) -> tuple[float, float] | None:
    """The 95 % score interval of a rate (Wilson 1927, without continuity correction).

    Args:
        successes: Number of successes.
        total: Number of trials.

    Returns:
        Lower and upper bound in 0..1; None without a trial.
    """
    if total == 0:
        return None
    z2 = _NORMAL_QUANTILE_975**2
    rate = successes / total
    centre = rate + z2 / (2 * total)
    spread = _NORMAL_QUANTILE_975 * math.sqrt(rate * (1 - rate) / total + z2 / (4 * total**2))
    scale = 1 + z2 / total
    low, high = (centre - spread) / scale, (centre + spread) / scale
    return (0.0 if successes == 0 else low, 1.0 if successes == total else high)
