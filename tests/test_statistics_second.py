"""The statistics against second implementations: scipy's, plain loops, or textbook formulas."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, chi2, mannwhitneyu, norm

from engine.metrics.distributions import ordinal_wasserstein, total_variation
from engine.metrics.intervals import bootstrap_interval, wilson_interval
from engine.metrics.paired import FEW, cohen_kappa, mcnemar
from engine.metrics.ranking import auroc_of_drawn, ranking
from engine.metrics.reliability import BINS, DEFINITIONS, Definition, reliability
from engine.metrics.selective import FINE, GRID, abstention, selective_accuracy

few_levels = st.integers(0, 10).map(lambda step: step / 10)
graded = st.lists(st.tuples(few_levels, st.booleans()), min_size=1, max_size=40)
scaled = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20)


def arrays(items: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([value for value, _ in items]), np.array([right for _, right in items])


# --- ranking ---


@settings(deadline=None)
@given(graded, st.data())
def test_auroc_of_drawn_answers_agrees_with_scipy(
    items: list[tuple[float, bool]], data: st.DataObject
) -> None:
    values, right = arrays(items)
    drawn = np.array(data.draw(st.lists(st.integers(0, len(items) - 1), min_size=1)))
    found = auroc_of_drawn(values, right)(drawn)
    chosen, is_right = values[drawn], right[drawn]
    if is_right.all() or not is_right.any():
        assert math.isnan(found)
        return
    u = mannwhitneyu(chosen[is_right], chosen[~is_right]).statistic
    assert found == pytest.approx(u / (is_right.sum() * (~is_right).sum()))


@settings(deadline=None)
@given(graded)
def test_auroc_of_turned_confidences_is_the_rest_to_one(items: list[tuple[float, bool]]) -> None:
    values, right = arrays(items)
    found, turned = ranking(values, right), ranking(-values, right)
    if found is None or turned is None:
        assert found is turned is None
        return
    assert found.auroc + turned.auroc == pytest.approx(1)
    assert found.p_value == pytest.approx(turned.p_value)


@settings(deadline=None)
@given(graded)
def test_p_value_by_the_textbook(items: list[tuple[float, bool]]) -> None:
    """Normal approximation of U with the variance corrected for ties, and continuity."""
    values, right = arrays(items)
    found = ranking(values, right)
    assume(found is not None and len(set(values)) > 1)
    assert found is not None
    n, pairs = len(items), found.right * found.wrong
    ties = sum(count**3 - count for count in np.unique(values, return_counts=True)[1])
    variance = pairs / 12 * (n + 1 - ties / (n * (n - 1)))
    z = (abs(found.u - pairs / 2) - 0.5) / math.sqrt(variance)
    assert found.p_value == pytest.approx(min(1.0, 2 * norm.sf(z)))


# --- reliability ---


@given(st.integers(1, 40), st.integers(0, 40))
def test_shares_of_samples_fall_in_the_bin_of_their_tenth(samples: int, agreeing: int) -> None:
    """3 of 10 lies on an edge, and belongs to the bin that starts there."""
    assume(agreeing <= samples)
    (found,) = reliability([agreeing / samples], [True], "equal_width").bins
    tenth = min(BINS * agreeing // samples, BINS - 1)
    assert (found.low, found.high) == (tenth / BINS, (tenth + 1) / BINS)


@given(graded, st.sampled_from(sorted(DEFINITIONS)), st.randoms(use_true_random=False))
def test_the_order_of_answers_does_not_matter(
    items: list[tuple[float, bool]], definition: Definition, random
) -> None:
    shuffled = random.sample(items, len(items))
    found = reliability(*arrays(items), definition)
    again = reliability(*arrays(shuffled), definition)
    assert (found.lost, found.empty) == (again.lost, again.empty)
    assert [each.n for each in found.bins] == [each.n for each in again.bins]
    assert found.ece == (None if again.ece is None else pytest.approx(again.ece))
    coverages = [0.1, 0.5, 1.0]
    for one, other in zip(
        selective_accuracy(*arrays(items), coverages),
        selective_accuracy(*arrays(shuffled), coverages),
        strict=True,
    ):
        assert (one.n, one.accuracy) == (other.n, pytest.approx(other.accuracy))


def test_nothing_to_calibrate_is_none_not_nan() -> None:
    for definition in DEFINITIONS:
        found = reliability([], [], definition)
        assert (found.ece, found.bins, found.empty, found.lost) == (None, (), BINS, 0)
    assert selective_accuracy(np.array([]), np.array([], dtype=bool), [0.5]) == []
    assert abstention(np.array([]), np.array([], dtype=bool), [], cost=-1.0) is None


# --- selective ---


@given(graded, st.sampled_from([0.1, 0.25, 0.5, 0.9, 1.0]))
def test_equals_compete_fairly_for_the_last_places(
    items: list[tuple[float, bool]], coverage: float
) -> None:
    (found,) = selective_accuracy(*arrays(items), [coverage])
    ranked = sorted(items, key=lambda item: -item[0])
    last = ranked[found.n - 1][0]
    sure = [right for value, right in items if value > last]
    equal = [right for value, right in items if value == last]
    expected = sum(sure) + (found.n - len(sure)) * sum(equal) / len(equal)
    assert found.accuracy == pytest.approx(expected / found.n)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(-8, 8), st.booleans()), min_size=2, max_size=12),
    st.sampled_from([-1.0, -2.0]),
    st.sampled_from([0.125, 1.0, 4.0]),
)
def test_the_threshold_is_the_smallest_best_one(
    items: list[tuple[int, bool]], cost: float, scale: float
) -> None:
    """Against a loop over the grid, where all questions but one are labelled: some one of them."""
    values, right = arrays([(step * scale, is_right) for step, is_right in items])
    labelled = len(items) - 1
    found = abstention(values, right, ["all"] * len(items), cost=cost, labelled=labelled)
    assert found is not None
    assert (found.labelled, found.tested) == (labelled, 1)
    grid, gains = thresholds(values), np.where(right, 1.0, cost)
    possible = []
    for out in range(len(items)):
        others = np.arange(len(items)) != out
        earned = [gains[others & (values >= threshold)].sum() for threshold in grid]
        best = grid[earned.index(max(earned))]
        score = 100 * gains[out] * (values[out] >= best)
        possible.append(pytest.approx((best, 100 * gains[out], score)))
    assert (found.threshold, found.base, found.score) in possible
    assert found.abstained == (found.score == 0)


def thresholds(values: np.ndarray) -> list[float]:
    """The grid from its definition; logits may all lie below 0."""
    low, high = min(0.0, values.min()), values.max()
    grid = [low - 1e-4, *(low + (high - low) * step / (GRID - 1) for step in range(GRID))]
    if high <= 1:
        grid += [0.99 + 0.01 * step / (FINE - 1) for step in range(FINE)]
    return sorted(grid)


# --- distributions ---


@given(scaled, scaled)
def test_wasserstein_is_the_area_between_the_cumulative_shares(
    first: list[float], second: list[float]
) -> None:
    places = sorted({*first, *second})
    area = sum(
        (after - at)
        * abs(
            sum(value <= at for value in first) / len(first)
            - sum(value <= at for value in second) / len(second)
        )
        for at, after in pairwise(places)
    )
    counts = Counter(first), Counter(second)
    found = ordinal_wasserstein(*counts)
    assert found == pytest.approx(area, abs=1e-9)
    assert ordinal_wasserstein(*reversed(counts)) == pytest.approx(found, abs=1e-9)
    assert found is not None
    assert 0 <= found <= 1


@given(
    st.lists(st.integers(0, 20), min_size=4, max_size=4),
    st.lists(st.integers(0, 20), min_size=4, max_size=4),
)
def test_total_variation_is_the_most_that_any_event_differs(
    first: list[int], second: list[int]
) -> None:
    assume(sum(first) and sum(second))
    most = max(
        abs(
            sum(n for n, inside in zip(first, event, strict=True) if inside) / sum(first)
            - sum(n for n, inside in zip(second, event, strict=True) if inside) / sum(second)
        )
        for event in product([False, True], repeat=4)
    )
    found = total_variation(dict(enumerate(first)), dict(enumerate(second)))
    assert found == pytest.approx(most)


# --- paired ---


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_by_the_textbook(only_first: int, only_second: int) -> None:
    found = mcnemar(only_first, only_second)
    discordant = only_first + only_second
    if discordant < FEW:
        fewer = min(only_first, only_second)
        tail = sum(math.comb(discordant, k) for k in range(fewer + 1)) / 2**discordant
        assert found.p_value == pytest.approx(min(1.0, 2 * tail))
    else:
        distance = max(0, abs(only_first - only_second) - 1)
        assert found.p_value == pytest.approx(chi2.sf(distance**2 / discordant, 1))


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from("ABC")), min_size=1))
def test_kappa_agrees_with_matrix_algebra(pairs: list[tuple[str, str]]) -> None:
    table = np.zeros((3, 3))
    for one, other in pairs:
        table["ABC".index(one), "ABC".index(other)] += 1
    counts = {
        (one, other): int(table["ABC".index(one), "ABC".index(other)])
        for one, other in product("ABC", repeat=2)
    }
    table /= table.sum()
    chance = float(table.sum(axis=1) @ table.sum(axis=0))
    found = cohen_kappa(counts)
    if found is None:
        assert chance == pytest.approx(1)
        return
    assert found == pytest.approx((np.trace(table) - chance) / (1 - chance))
    assert -1 - 1e-12 <= found <= 1 + 1e-12


# --- intervals ---


@given(st.integers(0, 400), st.integers(1, 400))
def test_wilson_agrees_with_scipy(successes: int, total: int) -> None:
    assume(successes <= total)
    expected = binomtest(successes, total).proportion_ci(method="wilson")
    assert wilson_interval(successes, total) == pytest.approx(tuple(expected), abs=1e-12)


def test_bootstrap_takes_percentiles_of_the_resampled_statistic() -> None:
    """Against a loop that draws the same item numbers."""
    values = np.random.default_rng(5).random(30)
    generator = np.random.default_rng(11)
    medians = sorted(float(np.median(values[generator.integers(30, size=30)])) for _ in range(200))
    found = bootstrap_interval(
        lambda drawn: float(np.median(values[drawn])), 30, resamples=200, seed=11
    )
    assert found is not None
    for bound, share in zip(found, (0.025, 0.975), strict=True):
        place = share * 199
        below, above = medians[math.floor(place)], medians[math.ceil(place)]
        assert bound == pytest.approx(below + (place % 1) * (above - below))


def test_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    """Right answers are N(1, 1), wrong ones N(0, 1): their AUROC is Phi(1 / sqrt 2)."""
    truth, generator = float(norm.cdf(1 / math.sqrt(2))), np.random.default_rng(2)
    trials, covered = 200, 0
    for trial in range(trials):
        right = generator.random(80) < 0.5
        values = generator.normal(right, 1.0)
        found = bootstrap_interval(auroc_of_drawn(values, right), 80, resamples=200, seed=trial)
        assert found is not None
        covered += found[0] <= truth <= found[1]
    low, high = binom.interval(0.999, trials, 0.95)
    assert low <= covered <= high
