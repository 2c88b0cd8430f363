"""Confidence intervals of rates, and of anything that can be computed from resampled items."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


def bootstrap_interval(
    statistic: Callable[[NDArray[Any]], float],
    items: int,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """The 95 % percentile interval of a statistic over resampled items (Efron 1979).

    Items are drawn with replacement, as many as there are; the bounds are the 2.5th and the 97.5th
    percentile, as in arXiv:2402.13213. Resamples in which the statistic is not defined (NaN) are
    left out.

    Args:
        statistic: Called with an array of item numbers.
        items: How many items there are.
        resamples: How often they are drawn.
        seed: Of the drawing.

    Returns:
        Lower and upper bound; None with fewer than two items or where nothing is defined.
    """
    import numpy as np

    if items < 2:
        return None
    generator = np.random.default_rng(seed)
    values = np.array([statistic(generator.integers(items, size=items)) for _ in range(resamples)])
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def bootstrap_mean_interval(
    values: NDArray[Any], *, resamples: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """As :func:`bootstrap_interval` for the mean of values, one an item."""
    return bootstrap_interval(
        lambda drawn: float(values[drawn].mean()), len(values), resamples=resamples, seed=seed
    )
