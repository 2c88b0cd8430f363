"""Whether a confidence is a probability of being right: reliability tables and ECE, by name."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from engine.metrics.intervals import wilson_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

Definition = Literal["published", "corrected", "equal_width"]
DEFINITIONS: dict[Definition, str] = {
    "published": "10 quantile bins, each without its upper edge; unweighted mean over the bins "
    "(arXiv:2402.13213; confidences of exactly 1 fall in no bin)",
    "corrected": "10 quantile bins, the last with its upper edge; weighted by the answers in a bin",
    "equal_width": "10 bins of equal width, the last with its upper edge; unweighted",
}
BINS = 10


class Bin(msgspec.Struct, frozen=True):
    """One bin of a reliability table.

    Attributes:
        low: Its lower edge, inside.
        high: Its upper edge, outside but for a closed last bin.
        n: Answers in it.
        confidence: Their mean confidence.
        accuracy: Share of them that are right.
        interval: 95 % Wilson interval of that share.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float
    interval: tuple[float, float]


class Reliability(msgspec.Struct, frozen=True):
    """A reliability table and the error that sums it up.

    Attributes:
        definition: Which of :data:`DEFINITIONS`.
        ece: Expected calibration error: mean over the bins of the distance between accuracy and
            mean confidence; None where no bin has an answer.
        bins: Those that are not empty, in order.
        empty: Number of empty bins.
        lost: Answers that fall in no bin.
    """

    definition: Definition
    ece: float | None
    bins: tuple[Bin, ...]
    empty: int
    lost: int


def reliability(
    confidences: Sequence[float] | NDArray[Any],
    correct: Sequence[bool] | NDArray[Any],
    definition: Definition,
) -> Reliability:
    """Sort answers into bins by confidence.

    Args:
        confidences: In 0..1, one an answer.
        correct: Whether it is right.
        definition: Which bins, and how they are averaged.
    """
    import numpy as np

    values, right = np.asarray(confidences, dtype=np.float64), np.asarray(correct, dtype=bool)
    edges = _edges(values, definition)
    # The number of the bin; BINS for what lies at or beyond the last edge.
    place = np.searchsorted(edges, values, side="right") - 1
    if definition != "published":
        place[values == edges[-1]] = BINS - 1
    held = (place >= 0) & (place < BINS)
    place, values, right = place[held], values[held], right[held]
    answers = np.bincount(place, minlength=BINS).tolist()
    sums = np.bincount(place, values, minlength=BINS).tolist()
    hits = np.bincount(place[right], minlength=BINS).tolist()
    sides = pairwise(edges.tolist())
    bins = [
        _bin(low, high, n, total, hit)
        for (low, high), n, total, hit in zip(sides, answers, sums, hits, strict=True)
        if n
    ]
    return Reliability(
        definition,
        _error(bins, weighted=definition == "corrected"),
        tuple(bins),
        BINS - len(bins),
        int((~held).sum()),
    )


def _bin(low: float, high: float, n: int, total: float, hits: int) -> Bin:
    interval = wilson_interval(hits, n)
    assert interval is not None
    return Bin(low, high, n, total / n, hits / n, interval)


def _edges(values: NDArray[Any], definition: Definition) -> NDArray[Any]:
    """The edges of the bins, from 0 to 1."""
    import numpy as np

    # Not np.linspace, whose 0.3 lies above 3/10: the share of 3 samples of 10 is on an edge.
    tenths = np.arange(BINS + 1) / BINS
    if definition == "equal_width" or not len(values):
        return tenths
    edges: NDArray[Any] = np.quantile(values, tenths)
    edges[0], edges[-1] = 0.0, 1.0
    return edges


def _error(bins: Sequence[Bin], *, weighted: bool) -> float | None:
    if not bins:
        return None
    weights = [each.n if weighted else 1 for each in bins]
    distances = [abs(each.accuracy - each.confidence) for each in bins]
    return sum(w * d for w, d in zip(weights, distances, strict=True)) / sum(weights)
