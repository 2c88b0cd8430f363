"""The mismatch study against counts made without SQL."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.browse import list_ids
from engine.errors import LogitscopeError
from engine.metrics.intervals import wilson_interval
from engine.store import Store
from engine.studies import Scope
from engine.studies.mismatch import mismatch_report
from engine.studies.report import Row
from tests.sample_store import add_sample_run, make_sample_store

COUNTED = (
    *("mismatch", "vocab_mismatch", "same_but_not_first", "refused_text", "refused_first_token"),
    *("several", "unparsed", "truncated", "no_option"),
)


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


def counts(store: Store, **scope: object) -> list[Row]:
    """The rows of the study's first table."""
    table = mismatch_report(store.reader(), Scope(**scope)).tables[0]
    assert table.name == "counts"
    return list(table.rows)


def test_report_agrees_with_a_count_without_sql(store: Store) -> None:
    rows = counts(store)
    expected = recount(store)
    keys = {(row.run_id, row.cells["format"], row.cells["order_index"]) for row in rows}
    assert keys == set(expected)
    for row in rows:
        cells = row.cells
        count = expected[cells["run_id"], cells["format"], cells["order_index"]]
        for name in (*COUNTED, "n"):
            assert cells[name] == count[name], name
        assert cells["mismatch_rate"] == pytest.approx(count["mismatch"] / count["n"])
        assert cells["mismatch_interval"] == wilson_interval(count["mismatch"], count["n"])
        assert cells["accuracy_first_token"] == pytest.approx(
            count["first_right"] / count["graded"]
        )
        assert cells["accuracy_text"] == pytest.approx(count["text_right"] / count["graded"])
        assert cells["accuracy_text_interval"] == wilson_interval(
            count["text_right"], count["graded"]
        )
    assert any(row.cells["mismatch"] for row in rows)
    assert any(row.cells["refused_text"] for row in rows)


@pytest.mark.parametrize("by", ["order", "format", "subject", "model"])
def test_the_questions_behind_a_cell_are_those_it_counts(store: Store, by: str) -> None:
    for row in counts(store, by=by):
        assert len(list_ids(store, row.run_id, condition=row.condition)) == row.cells["n"]
        for name in COUNTED:
            behind = list_ids(store, row.run_id, condition=row.behind(name))
            assert len(behind) == (row.cells[name] or 0), name


def test_coarser_groups_hold_the_sums_of_finer_ones(store: Store) -> None:
    fine = counts(store)
    for by in ("format", "subject", "model"):
        coarse = counts(store, by=by)
        assert len(coarse) < len(fine) or by == "subject"
        for name in COUNTED:
            totals = [sum(row.cells[name] or 0 for row in rows) for rows in (fine, coarse)]
            assert totals[0] == totals[1], name


def test_the_confusion_matrices_hold_every_probe_once(store: Store) -> None:
    _, _, *matrices = mismatch_report(store.reader(), Scope()).tables
    assert [table.name for table in matrices] == ["confusion_1_low", "confusion_1_high"]
    agreeing = total = 0
    for confusion in matrices:
        said = [column.key for column in confusion.columns[1:]]
        for row in confusion.rows:
            total += sum(row.cells[word] for word in said)
            agreeing += row.cells.get(row.cells["first_token"], 0)
            for word in said:
                behind = list_ids(store, row.run_id, condition=row.behind(word))
                assert len(behind) == row.cells[word]
    assert total == 120
    assert agreeing == 120 - sum(row.cells["mismatch"] for row in counts(store))


def test_the_choices_of_both_readings_are_counted_and_their_distance(store: Store) -> None:
    choices = mismatch_report(store.reader(), Scope()).tables[1]
    assert choices.name == "choices"
    labels = [column.key for column in choices.columns if len(column.key) == 1]
    for first, text in zip(choices.rows[::2], choices.rows[1::2], strict=True):
        shares = []
        for row in (first, text):
            for label in (*labels, "no_option"):
                behind = list_ids(store, row.run_id, condition=row.behind(label))
                assert len(behind) == row.cells[label], label
            assert sum(row.cells[label] for label in (*labels, "no_option")) == 60
            total = sum(row.cells[label] for label in labels)
            shares.append([row.cells[label] / total for label in labels])
        p, q = shares
        assert text.cells["total_variation"] == pytest.approx(
            sum(abs(a - b) for a, b in zip(p, q, strict=True)) / 2
        )
        mixed = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
        divergence = sum(
            share * math.log(share / middle) / 2
            for side in shares
            for share, middle in zip(side, mixed, strict=True)
            if share
        )
        assert text.cells["jensen_shannon"] == pytest.approx(divergence)


def test_one_run_only(store: Store) -> None:
    second = add_sample_run(store, questions=5, formats=("middle",), orders=1)
    assert {row.run_id for row in counts(store)} == {1, second}
    assert counts(store, runs=(second, 1))[0].run_id == second
    (row,) = counts(store, runs=(second,))
    assert (row.run_id, row.cells["format"], row.cells["n"]) == (second, "middle", 5)


def test_a_run_that_is_not_there(store: Store) -> None:
    with pytest.raises(LogitscopeError, match="There is no run 7"):
        counts(store, runs=(7,))


def test_formats_come_in_the_order_they_were_stored(store: Store) -> None:
    keys = [(row.cells["format"], row.cells["order_index"]) for row in counts(store)]
    assert keys == [("low", 0), ("low", 1), ("high", 0), ("high", 1)]


def test_what_was_not_recorded_is_none_and_not_zero(store: Store) -> None:
    cursor = store.reader()
    cursor.execute("DELETE FROM readings WHERE name IN ('greedy_text', 'vocab_argmax')")
    cursor.execute("DELETE FROM outcomes")
    cursor.execute("INSERT INTO outcomes SELECT * FROM outcome_rows")
    cells = counts(store)[0].cells
    assert cells["n"] == 30
    unrecorded = (
        *("mismatch", "mismatch_rate", "mismatch_interval", "vocab_mismatch", "refused_text"),
        *("truncated", "accuracy_text", "accuracy_text_interval"),
    )
    assert {cells[name] for name in unrecorded} == {None}
    assert cells["accuracy_first_token"] is not None


def test_an_override_counts_unless_the_ladder_alone_is_asked(store: Store) -> None:
    before = counts(store, runs=(1,))[0].cells["mismatch"]
    (probe_id, first) = (
        store.reader()
        .execute(
            "SELECT probe_id, first_token FROM outcomes "
            "WHERE mismatch AND format = 'low' AND order_index = 0 LIMIT 1"
        )
        .fetchone()
    )
    store.set_override(probe_id, "option", first)
    assert counts(store)[0].cells["mismatch"] == before - 1
    read = counts(store, text="reading")[0]
    assert read.cells["mismatch"] == before
    assert len(list_ids(store, 1, condition=read.behind("mismatch"))) == before
    (note,) = mismatch_report(store.reader(), Scope()).notes
    assert "1 an override by hand; of these the ladder reads 1 otherwise" in note


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
