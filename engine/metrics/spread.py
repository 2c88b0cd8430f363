"""How sampled runs spread, and what choosing among samples could reach (arXiv:2407.10457)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Spread(msgspec.Struct, frozen=True):
    """Accuracies of sampled runs; run s is the s-th sample of every question.

    Attributes:
        runs: Their number, N.
        mean: Mean accuracy over the runs.
        std: Population standard deviation over the runs (ddof 0).
        best: Of the best run.
        worst: Of the worst run.
        delta: ``best`` minus ``worst``.
    """

    runs: int
    mean: float
    std: float
    best: float
    worst: float
    delta: float


def spread(correct: NDArray[Any]) -> Spread:
    """The spread of the runs.

    Args:
        correct: Questions by samples, at least one of each; True where the sample is right.
    """
    accuracies = correct.mean(axis=0)
    best, worst = float(accuracies.max()), float(accuracies.min())
    return Spread(
        correct.shape[1],
        float(accuracies.mean()),
        float(accuracies.std()),
        best,
        worst,
        best - worst,
    )


def oracle(correct: NDArray[Any]) -> list[float]:
    """Share of the questions with a right answer among the first n samples, for n = 1 to N.

    Args:
        correct: Questions by samples, at least one question.
    """
    import numpy as np

    found: list[float] = np.logical_or.accumulate(correct, axis=1).mean(axis=0).tolist()
    return found
