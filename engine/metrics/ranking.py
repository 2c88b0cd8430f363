"""How well a confidence ranks right answers above wrong ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Ranking(msgspec.Struct, frozen=True):
    """A two-sided Mann-Whitney U test of the confidences of right against wrong answers.

    Attributes:
        right: Number of right answers.
        wrong: Number of wrong answers.
        u: U of the right answers: pairs in which the right one is higher, ties half.
        auroc: ``u`` over all pairs: the chance that a right answer has the higher confidence.
        p_value: Two-sided, by the normal approximation with ties and continuity corrected.
    """

    right: int
    wrong: int
    u: float
    auroc: float
    p_value: float


def ranking(confidences: Sequence[float], correct: Sequence[bool]) -> Ranking | None:
    """AUROC and significance, as in arXiv:2402.13213 (scipy's ``mannwhitneyu``).

    Args:
        confidences: One an answer.
        correct: Whether it is right.

    Returns:
        None where all answers are right, or all wrong.
    """
    import numpy as np
    from scipy.stats import mannwhitneyu

    values, right = np.asarray(confidences, dtype=np.float64), np.asarray(correct, dtype=bool)
    n_right, n_wrong = int(right.sum()), int((~right).sum())
    if not n_right or not n_wrong:
        return None
    test = mannwhitneyu(values[right], values[~right], method="asymptotic")
    u = float(test.statistic)
    return Ranking(n_right, n_wrong, u, u / (n_right * n_wrong), float(test.pvalue))


def auroc_of_drawn(values: NDArray[Any], correct: NDArray[Any]) -> Callable[[NDArray[Any]], float]:
    """The area under the ROC curve, ties half, of any choice of these answers: for bootstraps.

    The values are sorted once and only counted after that, which is ten times faster than to sort
    every resample.

    Args:
        values: Confidences, one an answer.
        correct: Booleans, one an answer.

    Returns:
        A function from an array of answer numbers, repeated as often as drawn, to their AUROC; NaN
        where all of them are right, or all wrong.
    """
    import numpy as np
    from scipy.stats import rankdata

    levels = rankdata(values, method="dense").astype(np.intp) - 1
    codes = 2 * levels + correct
    size = 2 * (int(levels.max(initial=0)) + 1)

    def area(drawn: NDArray[Any]) -> float:
        wrong, right = np.bincount(codes[drawn], minlength=size).reshape(-1, 2).T
        pairs = int(wrong.sum()) * int(right.sum())
        if not pairs:
            return float("nan")
        # Wrong answers below each value, and half of those that equal it.
        below = np.cumsum(wrong) - wrong / 2
        return float(right @ below) / pairs

    return area
