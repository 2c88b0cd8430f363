"""The mismatch study against counts made without SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.metrics.intervals import wilson_interval
from engine.metrics.mismatch import MismatchRow, mismatch_report
from engine.store import Store
from tests.sample_store import add_sample_run, make_sample_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with make_sample_store(tmp_path / "runs.duckdb", questions=30) as store:
        yield store


def recount(store: Store) -> dict[tuple[int, str, int], dict[str, int]]:
    """The counters of the report, from the stored readings, one probe at a time."""
    cursor = store.reader()
    read: dict[int, dict[str, tuple[str, str | None]]] = defaultdict(dict)
    for probe_id, name, status, label in cursor.execute(
        "SELECT probe_id, name, status, label FROM readings WHERE name <> 'sample_text'"
    ).fetchall():
        read[probe_id][name] = (status, label)
    counts: dict[tuple[int, str, int], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for probe_id, run_id, fmt, order, gold, refusal_label in cursor.execute(
        "SELECT probe_id, run_id, format, order_index, gold, refusal_label FROM probes"
    ).fetchall():
        count = counts[run_id, fmt, order]
        first = read[probe_id]["first_token"][1]
        top = read[probe_id]["vocab_argmax"][1]
        status, said = read[probe_id]["greedy_text"]
        count["n"] += 1
        count["mismatch"] += first != said
        count["vocab_mismatch"] += top is None or top != said
        count["same_but_not_first"] += (top is None or top != said) and first == said
        count["refused_text"] += status == "refusal" or (said is not None and said == refusal_label)
        count["refused_first_token"] += refusal_label is not None and first == refusal_label
        count["several"] += status == "several"
        count["unparsed"] += status == "unparsed"
        count["truncated"] += status == "truncated"
        count["no_option"] += status in ("none_of_these", "dont_know")
        if gold is not None:
            count["graded"] += 1
            count["first_right"] += first == gold
            count["text_right"] += said == gold
    return counts


def test_report_agrees_with_a_count_without_sql(store: Store) -> None:
    rows = mismatch_report(store.reader())
    expected = recount(store)
    assert {(row.run_id, row.format, row.order_index) for row in rows} == set(expected)
    for row in rows:
        count = expected[row.run_id, row.format, row.order_index]
        for name, value in count.items():
            if name not in ("graded", "first_right", "text_right"):
                assert getattr(row, name) == value, name
        assert row.mismatch_rate == pytest.approx(count["mismatch"] / count["n"])
        assert row.accuracy_first_token == pytest.approx(count["first_right"] / count["graded"])
        assert row.accuracy_text == pytest.approx(count["text_right"] / count["graded"])
        assert row.accuracy_text_interval == wilson_interval(count["text_right"], count["graded"])
    assert any(row.mismatch for row in rows)
    assert any(row.refused_text for row in rows)


def test_one_run_only(store: Store) -> None:
    second = add_sample_run(store, questions=5, formats=("middle",), orders=1)
    assert {row.run_id for row in mismatch_report(store.reader())} == {1, second}
    (row,) = mismatch_report(store.reader(), second)
    assert (row.run_id, row.format, row.order_index, row.n) == (second, "middle", 0, 5)


def test_formats_come_in_the_order_they_were_stored(store: Store) -> None:
    keys = [(row.format, row.order_index) for row in mismatch_report(store.reader())]
    assert keys == [("low", 0), ("low", 1), ("high", 0), ("high", 1)]


def test_what_was_not_recorded_is_none_and_not_zero(store: Store) -> None:
    cursor = store.reader()
    cursor.execute("DELETE FROM readings WHERE name IN ('greedy_text', 'vocab_argmax')")
    cursor.execute("DELETE FROM outcomes")
    cursor.execute("INSERT INTO outcomes SELECT * FROM outcome_rows")
    row = mismatch_report(store.reader())[0]
    assert row.n == 30
    unrecorded = (
        row.mismatch,
        row.mismatch_rate,
        row.mismatch_interval,
        row.vocab_mismatch,
        row.refused_text,
        row.truncated,
        row.accuracy_text,
        row.accuracy_text_interval,
    )
    assert set(unrecorded) == {None}
    assert row.accuracy_first_token is not None


def test_an_override_counts_as_what_the_text_says(store: Store) -> None:
    before = mismatch_report(store.reader(), 1)[0]
    (probe_id, first) = (
        store.reader()
        .execute(
            "SELECT probe_id, first_token FROM outcomes "
            "WHERE mismatch AND format = 'low' AND order_index = 0 LIMIT 1"
        )
        .fetchone()
    )
    store.set_override(probe_id, "option", first)
    after = mismatch_report(store.reader(), 1)[0]
    assert before.mismatch is not None
    assert after.mismatch == before.mismatch - 1
    assert isinstance(after, MismatchRow)


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_wilson_interval(successes: int, total: int, low: float, high: float) -> None:
    assert wilson_interval(successes, total) == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval_of_nothing_is_none() -> None:
    assert wilson_interval(0, 0) is None
