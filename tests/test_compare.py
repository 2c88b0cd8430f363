"""The compare study against counts made without SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.browse import list_ids
from engine.errors import LogitscopeError
from engine.metrics.paired import cohen_kappa, mcnemar
from engine.store import Store
from engine.studies import Scope
from engine.studies.compare import compare_report
from engine.studies.report import Report, Table
from tests.sample_store import add_sample_run, make_sample_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Run 1 in two formats, run 2 in one of them with fewer questions."""
    with make_sample_store(tmp_path / "runs.duckdb", questions=24) as store:
        second = add_sample_run(store, questions=18, formats=("high",), orders=1)
        reader = store.reader()
        # The made-up model answers alike in every run; here the second one is of another mind.
        reader.execute(
            "UPDATE readings SET label = 'A', status = 'option' WHERE name = 'greedy_text' "
            "AND probe_id IN (SELECT probe_id FROM probes WHERE run_id = ? AND probe_id % 3 = 0)",
            [second],
        )
        reader.execute("DELETE FROM outcomes")
        reader.execute("INSERT INTO outcomes FROM outcome_rows")
        yield store


def report(store: Store, *runs: int, **scope: object) -> Report:
    return compare_report(store.reader(), Scope(runs=runs, **scope))


def table(found: Report, name: str) -> Table:
    return next(table for table in found.tables if table.name.startswith(name))


def answers(store: Store, run_id: int, fmt: str, name: str):
    rows = store.reader().execute(
        "SELECT p.question_id, p.order_index, r.status, r.label, p.labels, p.permutation, p.gold, "
        "q.options, q.subject FROM readings r JOIN probes p USING (probe_id) "
        "JOIN questions q USING (question_id) WHERE p.run_id = ? AND p.format = ? AND r.name = ?",
        [run_id, fmt, name],
    )
    return {
        (question, order): (
            options[places[labels.index(label)]]["label"] if label is not None else status,
            None if gold is None else label == gold,
            subject,
        )
        for question, order, status, label, labels, places, gold, options, subject in (
            rows.fetchall()
        )
    }


def test_agreement_and_flips_agree_with_a_count_without_sql(store: Store) -> None:
    found = report(store, 1, 2, readings=("greedy_text",))
    (row,) = table(found, "summary").rows
    one, two = answers(store, 1, "high", "greedy_text"), answers(store, 2, "high", "greedy_text")
    pairs = [(one[key], two[key]) for key in one.keys() & two.keys()]
    assert row.cells["n"] == len(pairs) == 18
    agreed = sum(a[0] == b[0] for a, b in pairs)
    assert row.cells["differ"] == len(pairs) - agreed > 0
    assert row.cells["agreement"] == pytest.approx(agreed / len(pairs))
    said = Counter((a[0], b[0]) for a, b in pairs)
    assert row.cells["kappa"] == pytest.approx(cohen_kappa(said))
    graded = [(a[1], b[1]) for a, b in pairs if a[1] is not None]
    flips = (graded.count((True, False)), graded.count((False, True)))
    assert (row.cells["only_first"], row.cells["only_second"]) == flips
    assert row.cells["accuracy_first"] == pytest.approx(sum(a for a, _ in graded) / len(graded))
    assert row.cells["accuracy_second"] == pytest.approx(sum(b for _, b in graded) / len(graded))
    assert row.cells["p_value"] == pytest.approx(mcnemar(*flips).p_value)
    matrix = table(found, "matrix")
    cells = {
        (line.cells["said"], column.key): line.cells[column.key]
        for line in matrix.rows
        for column in matrix.columns[1:]
    }
    assert {pair: count for pair, count in cells.items() if count} == dict(said)
    for line in matrix.rows:
        for column in matrix.columns[1:]:
            behind = list_ids(store, 1, condition=line.behind(column.key))
            assert len(behind) == line.cells[column.key]


def test_subjects_add_up(store: Store) -> None:
    found = report(store, 1, 2, readings=("greedy_text", "first_token"))
    for row in table(found, "summary").rows:
        of_subjects = [
            each
            for each in table(found, "subjects").rows
            if (each.cells["first"], each.cells["second"])
            == (row.cells["first"], row.cells["second"])
        ]
        for key in ("n", "differ", "both", "only_first", "only_second", "neither"):
            assert sum(each.cells[key] or 0 for each in of_subjects) == row.cells[key]
        for each in of_subjects:
            behind = list_ids(store, 1, condition=each.behind("differ"))
            assert len(behind) == each.cells["differ"]


def test_a_run_agrees_with_itself(store: Store) -> None:
    again = add_sample_run(store, questions=24)
    for row in table(report(store, 1, again), "summary").rows:
        assert (row.cells["differ"], row.cells["agreement"], row.cells["p_value"]) == (0, 1.0, 1.0)


def test_one_format_on_each_side_is_compared_whatever_it_is_called(store: Store) -> None:
    third = add_sample_run(store, questions=10, formats=("middle",), orders=1)
    (row,) = table(report(store, 2, third, readings=("first_token",)), "summary").rows
    assert row.cells["second"] == f"{third}:middle:first_token"
    assert row.cells["n"] == 10


def test_what_can_t_be_compared_is_one_sentence(store: Store, tmp_path: Path) -> None:
    with pytest.raises(LogitscopeError, match="Two runs are needed"):
        report(store, 1)
    other = add_sample_run(store, questions=24, formats=("middle", "low"), orders=1)
    store.reader().execute("UPDATE probes SET question_id = 'x' WHERE run_id = ?", [other])
    with pytest.raises(LogitscopeError, match="no question in common"):
        report(store, 2, other)
