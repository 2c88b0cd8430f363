"""How well a confidence ranks right answers above wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

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


def auroc(values: NDArray, correct: NDArray) -> float:  # type: ignore[type-arg]
    """The area under the ROC curve, ties half; NaN where one class is empty.

    Args:
        values: Confidences, one an answer.
        correct: Booleans, one an answer.
    """
    from scipy.stats import rankdata

    n_right = int(correct.sum())
    n_wrong = len(correct) - n_right
    if not n_right or not n_wrong:
        return float("nan")
    ranks = rankdata(values)
    return float((ranks[correct].sum() - n_right * (n_right + 1) / 2) / (n_right * n_wrong))
