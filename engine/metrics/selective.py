"""Answering only when confident: selective accuracy, and thresholds chosen on a few labels."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from numpy.typing import NDArray

PAYOFFS = {"balanced": -1.0, "conservative": -2.0}
"""What a wrong answer costs; a right one earns 1, abstaining nothing (arXiv:2402.13213)."""

GRID = 200
"""Thresholds tried between 0 and the highest confidence."""

FINE = 100
"""Further ones between 0.99 and 1, where probabilities pile up."""


class Selected(msgspec.Struct, frozen=True):
    """Accuracy of the most confident answers.

    Attributes:
        coverage: Share of the answers that are given.
        n: Their number.
        accuracy: Share of them that are right; the expected one where equals compete for the last
            places.
    """

    coverage: float
    n: int
    accuracy: float


def selective_accuracy(
    confidences: NDArray[Any], correct: NDArray[Any], coverages: Sequence[float]
) -> list[Selected]:
    """Accuracy of the most confident answers at each coverage (Geifman and El-Yaniv 2017).

    Where answers of equal confidence compete for the last places, each has the same chance, so
    that the order of the answers does not matter. HELM's ``selective_acc@10`` is nearly that at a
    coverage of 0.1: it has one answer more, and takes equals in any order.

    Args:
        confidences: One an answer.
        correct: Whether it is right.
        coverages: Shares in 0..1; at least one answer is always given.

    Returns:
        One a coverage; none without answers.
    """
    import numpy as np

    _, level, sizes = np.unique(-confidences, return_inverse=True, return_counts=True)
    shares = np.bincount(level, correct, minlength=len(sizes)) / sizes
    hits = np.cumsum(np.repeat(shares, sizes))
    found = []
    for coverage in coverages:
        n = max(1, round(coverage * len(hits))) if len(hits) else 0
        if n:
            found.append(Selected(coverage, n, float(hits[n - 1] / n)))
    return found


class Abstention(msgspec.Struct, frozen=True):
    """A threshold chosen on labelled questions, and what it earns on the others.

    Attributes:
        threshold: Abstain where the confidence is below it.
        labelled: Questions it was chosen on.
        tested: Questions it was tried on.
        base: Score of always answering these, per 100 questions, mean over the groups.
        score: Score with the threshold, per 100 questions, mean over the groups.
        abstained: Share of these that are not answered.
    """

    threshold: float
    labelled: int
    tested: int
    base: float
    score: float
    abstained: float


def abstention(
    confidences: NDArray[Any],
    correct: NDArray[Any],
    groups: Sequence[Hashable],
    *,
    cost: float,
    labelled: int = 20,
    seed: int = 0,
) -> Abstention | None:
    """Choose a threshold on a few labelled questions of each group and try it on the rest.

    The threshold is the smallest that maximises the mean over the groups of the score on the
    labelled questions, among one below 0, :data:`GRID` points from 0 to the highest confidence and,
    where none exceeds 1, :data:`FINE` points from 0.99 to 1 (arXiv:2402.13213). Where confidences
    are negative, as logits can be, the lowest takes the place of 0. A right answer scores 1, a
    wrong one ``cost``, abstaining 0.

    Args:
        confidences: One an answer; below the threshold the question is not answered.
        correct: Whether the answer is right.
        groups: The data set of each question.
        cost: What a wrong answer scores, such as one of :data:`PAYOFFS`.
        labelled: Questions of each group that are drawn to choose on.
        seed: Of the drawing.

    Returns:
        None where no question is left to try the threshold on.
    """
    import numpy as np

    gains = np.where(correct, 1.0, cost)
    generator = np.random.default_rng(seed)
    chosen = np.zeros(len(gains), dtype=bool)
    members = [
        np.flatnonzero([group == known for group in groups]) for known in dict.fromkeys(groups)
    ]
    for places in members:
        chosen[generator.permutation(places)[:labelled]] = True
    if chosen.all():
        return None
    grid = _grid(float(confidences.min()), float(confidences.max()))
    scores = np.zeros(len(grid))
    for places in members:
        train = places[chosen[places]]
        if not len(train):
            continue
        answered = confidences[train][None, :] >= grid[:, None]
        scores += (answered * gains[train]).sum(1) / len(train) / len(members)
    threshold = float(grid[int(np.argmax(scores))])
    tested = ~chosen
    given = confidences >= threshold
    rest = [places[tested[places]] for places in members]
    rest = [places for places in rest if len(places)]
    return Abstention(
        threshold,
        int(chosen.sum()),
        int(tested.sum()),
        100 * float(np.mean([gains[places].mean() for places in rest])),
        100 * float(np.mean([(gains * given)[places].mean() for places in rest])),
        float(1 - given[tested].mean()),
    )


def _grid(lowest: float, highest: float) -> NDArray[Any]:
    """The thresholds to try, in order."""
    import numpy as np

    lowest = min(0.0, lowest)
    grid = np.concatenate([[lowest - 1e-4], np.linspace(lowest, highest, GRID)])
    if highest <= 1:
        grid = np.concatenate([grid, np.linspace(0.99, 1, FINE)])
    return np.sort(grid)
