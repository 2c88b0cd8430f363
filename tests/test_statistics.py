"""The statistics behind the studies: invariants, and second implementations."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import binomtest, mannwhitneyu
from scipy.stats import entropy as scipy_entropy

from engine.metrics.choices import agreement, choice_entropy, label_recalls, r_std
from engine.metrics.distributions import (
    entropy,
    jensen_shannon,
    ordinal_wasserstein,
    total_variation,
)
from engine.metrics.intervals import (
    bootstrap_interval,
    bootstrap_mean_interval,
    wilson_interval,
)
from engine.metrics.paired import FEW, cohen_kappa, mcnemar
from engine.metrics.ranking import auroc_of_drawn, ranking
from engine.metrics.reliability import BINS, DEFINITIONS, reliability
from engine.metrics.selective import abstention, selective_accuracy
from engine.metrics.spread import oracle, spread

confidences = st.floats(0, 1, width=32)
graded = st.lists(st.tuples(confidences, st.booleans()), min_size=1, max_size=60)
counts = st.dictionaries(st.sampled_from("ABCDEF"), st.integers(0, 50), min_size=1)


def columns(items: list[tuple[float, bool]]) -> tuple[list[float], list[bool]]:
    return [value for value, _ in items], [right for _, right in items]


# --- ranking ---


@given(graded)
def test_auroc_is_the_share_of_pairs_in_order(items: list[tuple[float, bool]]) -> None:
    values, right = columns(items)
    pairs = [
        1.0 if high > low else 0.5 if high == low else 0.0
        for high, is_right in items
        if is_right
        for low, is_other in items
        if not is_other
    ]
    found = ranking(values, right)
    area = auroc_of_drawn(np.array(values), np.array(right))(np.arange(len(values)))
    if not pairs:
        assert found is None
        assert math.isnan(area)
        return
    assert found is not None
    assert found.auroc == pytest.approx(sum(pairs) / len(pairs))
    assert found.u == pytest.approx(sum(pairs))
    assert area == pytest.approx(found.auroc)


@given(graded)
def test_auroc_agrees_with_scipy_and_knows_only_ranks(items: list[tuple[float, bool]]) -> None:
    values, right = columns(items)
    found = ranking(values, right)
    assume(found is not None)
    assert found is not None
    high = [value for value, is_right in items if is_right]
    low = [value for value, is_right in items if not is_right]
    test = mannwhitneyu(high, low, alternative="two-sided", method="asymptotic")
    assert found.u == test.statistic
    assert found.p_value == pytest.approx(test.pvalue, nan_ok=True)
    stretched = ranking([math.atan(3 * value) for value in np.array(values, np.float64)], right)
    assert stretched is not None
    if len({math.atan(3 * value) for value in values}) == len(set(values)):
        assert stretched.auroc == pytest.approx(found.auroc)


# --- reliability ---


def plain_ece(items: list[tuple[float, bool]], definition: str) -> tuple[float | None, int]:
    """A second implementation, bin by bin: the error, and how many answers no bin has."""
    values = [float(value) for value, _ in items]
    if definition == "equal_width":
        edges = [number / BINS for number in range(BINS + 1)]
    else:
        edges = [float(np.quantile(values, number / BINS)) for number in range(BINS + 1)]
        edges[0], edges[-1] = 0.0, 1.0
    terms = []
    held = 0
    for number in range(BINS):
        low, high = edges[number], edges[number + 1]
        last = number == BINS - 1 and definition != "published"
        inside = [
            (value, right)
            for value, (_, right) in zip(values, items, strict=True)
            if (low <= value < high) or (last and value == high)
        ]
        if inside:
            held += len(inside)
            confidence = sum(value for value, _ in inside) / len(inside)
            accuracy = sum(right for _, right in inside) / len(inside)
            terms.append((len(inside), abs(accuracy - confidence)))
    if not terms:
        return None, len(items)
    if definition == "corrected":
        return sum(n * term for n, term in terms) / held, len(items) - held
    return sum(term for _, term in terms) / len(terms), len(items) - held


@settings(deadline=None)
@given(graded, st.sampled_from(sorted(DEFINITIONS)))
@example([(0.0, False)] * 5 + [(0.0, True), (0.5, False)] + [(1.0, False)] * 4, "corrected")
def test_ece_agrees_with_a_second_implementation(
    items: list[tuple[float, bool]], definition: str
) -> None:
    values, right = columns(items)
    found = reliability(values, right, definition)
    error, lost = plain_ece(items, definition)
    assert found.lost == lost
    assert found.ece == (None if error is None else pytest.approx(error))
    assert sum(each.n for each in found.bins) + lost == len(items)
    assert len(found.bins) + found.empty == BINS
    assert found.ece is None or 0 <= found.ece <= 1
    if definition != "published":
        assert lost == 0
    for each in found.bins:
        assert each.low - 1e-12 <= each.confidence <= each.high + 1e-12
        assert each.interval[0] <= each.accuracy <= each.interval[1]


def test_certainty_is_lost_as_published_and_counted_as_corrected() -> None:
    """Pitfall 33: 1.0 lies in no half-open bin, and empty bins are skipped, never NaN."""
    values, right = [0.2, 0.7, 1.0, 1.0], [False, True, True, False]
    published = reliability(values, right, "published")
    corrected = reliability(values, right, "corrected")
    assert published.lost == 2
    assert corrected.lost == 0
    assert corrected.bins[-1].n == 2
    assert corrected.bins[-1].accuracy == 0.5
    assert published.empty > 0
    everything_certain = reliability([1.0, 1.0], [True, True], "published")
    assert (everything_certain.ece, everything_certain.lost) == (None, 2)
    assert reliability([1.0, 1.0], [True, True], "corrected").ece == 0


# --- distributions ---


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8))
def test_entropy_agrees_with_scipy(numbers: list[int]) -> None:
    assume(sum(numbers))
    found = entropy(numbers)
    assert found == pytest.approx(scipy_entropy(numbers), abs=1e-12)
    assert 0 <= found <= math.log(len(numbers)) + 1e-12


@given(counts, counts)
def test_distances_are_symmetric_and_bounded(first: dict, second: dict) -> None:
    for distance, most in ((total_variation, 1.0), (jensen_shannon, math.log(2))):
        found = distance(first, second)
        if not sum(first.values()) or not sum(second.values()):
            assert found is None
            continue
        assert found == pytest.approx(distance(second, first))
        assert 0 <= found <= most + 1e-12
        assert distance(first, first) == pytest.approx(0, abs=1e-12)


@given(counts, counts)
def test_divergence_is_the_square_of_scipy_s_distance(first: dict, second: dict) -> None:
    assume(sum(first.values()) and sum(second.values()))
    keys = sorted({*first, *second})
    p, q = ([side.get(key, 0) for key in keys] for side in (first, second))
    assert jensen_shannon(first, second) == pytest.approx(jensenshannon(p, q) ** 2, abs=1e-9)


def test_wasserstein_knows_how_far_apart_places_are() -> None:
    assert ordinal_wasserstein({0.0: 2}, {1.0: 2}) == 1.0
    assert ordinal_wasserstein({0.0: 1, 1.0: 1}, {0.5: 2}) == pytest.approx(0.5)
    assert ordinal_wasserstein({0.25: 1}, {0.25: 3}) == 0.0
    assert ordinal_wasserstein({}, {0.25: 1}) is None


# --- choices ---


@given(st.lists(st.sampled_from("ABCD"), min_size=1, max_size=20))
def test_consistency_is_zero_entropy_and_full_agreement(choices: list[str]) -> None:
    assert (choice_entropy(choices) == 0) == (len(set(choices)) == 1)
    assert agreement(choices) == Counter(choices).most_common(1)[0][1] / len(choices)
    assert 1 / len(choices) <= agreement(choices) <= 1


@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from(["A", "B", "C", None])), min_size=1)
)
def test_recalls_agree_with_numpy(pairs: list[tuple[str, str | None]]) -> None:
    golds, choices = [gold for gold, _ in pairs], [choice for _, choice in pairs]
    recalls = label_recalls(golds, choices)
    assert sum(each.gold for each in recalls) == len(pairs)
    assert sum(each.chosen for each in recalls) == sum(choice is not None for choice in choices)
    known = [
        np.mean([choice == gold for gold, choice in pairs if gold == label])
        for label in sorted(set(golds))
    ]
    assert [each.recall for each in recalls if each.recall is not None] == pytest.approx(known)
    expected = float(np.std(known)) if len(known) > 1 else None
    assert r_std(recalls) == (None if expected is None else pytest.approx(expected))


# --- paired ---


@given(st.integers(0, 200), st.integers(0, 200))
def test_mcnemar(only_first: int, only_second: int) -> None:
    found = mcnemar(only_first, only_second)
    assert found.p_value == pytest.approx(mcnemar(only_second, only_first).p_value)
    assert 0 <= found.p_value <= 1
    discordant = only_first + only_second
    assert found.method == ("exact" if discordant < FEW else "chi-square")
    if discordant:
        exact = binomtest(only_first, discordant).pvalue
        assert found.p_value == pytest.approx(exact, abs=0.02)


def test_kappa_of_a_textbook_table() -> None:
    """Cohen 1960 style: 20 and 15 agreements of 50, expected by chance one half."""
    table = {("y", "y"): 20, ("y", "n"): 5, ("n", "y"): 10, ("n", "n"): 15}
    assert cohen_kappa(table) == pytest.approx(0.4)
    assert cohen_kappa({("y", "y"): 7}) is None
    assert cohen_kappa({}) is None
    assert cohen_kappa({("y", "n"): 5, ("n", "y"): 5}) == pytest.approx(-1.0)


# --- spread ---


@settings(deadline=None)
@given(st.integers(1, 8), st.integers(1, 12), st.randoms(use_true_random=False))
def test_spread_and_oracle(samples: int, questions: int, draw) -> None:
    correct = np.array([[draw.random() < 0.5 for _ in range(samples)] for _ in range(questions)])
    found = spread(correct)
    runs = [sum(row[s] for row in correct) / questions for s in range(samples)]
    assert found.mean == pytest.approx(sum(runs) / samples)
    assert (found.best, found.worst) == (pytest.approx(max(runs)), pytest.approx(min(runs)))
    assert found.delta == pytest.approx(max(runs) - min(runs))
    variance = sum((run - found.mean) ** 2 for run in runs) / samples
    assert found.std == pytest.approx(math.sqrt(variance), abs=1e-12)
    curve = oracle(correct)
    assert curve == pytest.approx(
        [sum(any(row[:n]) for row in correct) / questions for n in range(1, samples + 1)]
    )
    assert curve == sorted(curve)
    assert curve[0] == pytest.approx(runs[0])


# --- selective ---


@given(graded)
def test_full_coverage_is_accuracy(items: list[tuple[float, bool]]) -> None:
    values, right = (np.array(column) for column in columns(items))
    (everything,) = selective_accuracy(values, right, [1.0])
    assert (everything.n, everything.accuracy) == (len(items), pytest.approx(right.mean()))
    (one,) = selective_accuracy(values, right, [0.0])
    assert one.n == 1
    assert one.accuracy == pytest.approx(right[values == values.max()].mean())


@settings(deadline=None)
@given(graded, st.sampled_from([-1.0, -2.0]), st.integers(1, 5))
def test_a_threshold_never_earns_less_on_what_it_was_chosen_on(
    items: list[tuple[float, bool]], cost: float, labelled: int
) -> None:
    values, right = (np.array(column) for column in columns(items))
    groups = ["one" if number % 2 else "two" for number in range(len(items))]
    found = abstention(values, right, groups, cost=cost, labelled=labelled)
    if found is None:
        assert len(items) <= 2 * labelled
        return
    assert found.labelled + found.tested == len(items)
    assert 0 <= found.abstained <= 1
    assert cost * 100 <= found.base <= 100
    assert cost * 100 <= found.score <= 100
    if found.abstained == 0:
        assert found.score == pytest.approx(found.base)
    if found.abstained == 1:
        assert found.score == 0


def test_a_threshold_tells_right_from_wrong_where_confidence_does() -> None:
    values = np.array([0.9, 0.8, 0.7, 0.3, 0.2, 0.1] * 20)
    right = np.array([True, True, True, False, False, False] * 20)
    found = abstention(values, right, ["all"] * 120, cost=-2.0, labelled=40)
    assert found is not None
    assert 0.3 < found.threshold <= 0.7
    assert found.score == pytest.approx(50, abs=8)
    assert found.base == pytest.approx(-50, abs=16)


# --- intervals ---


@given(st.integers(0, 300), st.integers(1, 300))
def test_wilson_holds_the_rate_and_narrows(successes: int, total: int) -> None:
    assume(successes <= total)
    found = wilson_interval(successes, total)
    assert found is not None
    low, high = found
    assert 0 <= low <= successes / total <= high <= 1
    wider = wilson_interval(successes * 4, total * 4)
    assert wider is not None
    assert wider[1] - wider[0] < high - low


def test_bootstrap_is_repeatable_and_about_the_normal_interval() -> None:
    values = np.random.default_rng(7).normal(10, 2, 400)
    found = bootstrap_mean_interval(values, seed=3)
    assert found == bootstrap_mean_interval(values, seed=3)
    assert found != bootstrap_mean_interval(values, seed=4)
    spread_of_mean = 1.96 * values.std() / math.sqrt(len(values))
    assert found is not None
    assert found[0] == pytest.approx(values.mean() - spread_of_mean, abs=0.05)
    assert found[1] == pytest.approx(values.mean() + spread_of_mean, abs=0.05)
    assert bootstrap_mean_interval(values[:1]) is None
    assert bootstrap_interval(lambda drawn: float("nan"), 10, resamples=5) is None
