"""The protocols study against counts made without SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from scipy.stats import binomtest

from engine.browse import list_ids
from engine.formats import load_format
from engine.metrics.intervals import wilson_interval
from engine.store import Store
from engine.studies import Scope
from engine.studies.pairs import CONDITIONS
from engine.studies.protocols import READINGS, protocols_report
from engine.studies.report import Report, Row
from tests.sample_store import add_sample_run, make_sample_store

Key = tuple[int, str, str]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with make_sample_store(tmp_path / "runs.duckdb", questions=30) as store:
        yield store


def report(store: Store, **scope: object) -> Report:
    return protocols_report(store.reader(), Scope(**scope))


def answers(store: Store) -> dict[Key, dict[tuple[str, int], tuple[object, bool | None, str]]]:
    """By run, format and reading, and by question and order: content, correctness and subject."""
    found: dict[Key, dict[tuple[str, int], tuple[object, bool | None, str]]] = defaultdict(dict)
    rows = store.reader().execute(
        "SELECT p.run_id, p.format, r.name, p.question_id, p.order_index, r.status, r.label, "
        "p.labels, p.permutation, p.gold, q.subject FROM readings r JOIN probes p USING (probe_id) "
        "JOIN questions q USING (question_id) WHERE r.sample IS NULL"
    )
    for (
        run,
        fmt,
        name,
        question,
        order,
        status,
        label,
        labels,
        places,
        gold,
        subject,
    ) in rows.fetchall():
        content = places[labels.index(label)] if label is not None else status
        right = None if gold is None else label == gold
        found[run, fmt, name][question, order] = (content, right, subject)
    return found


def test_accuracy_agrees_with_a_count_without_sql(store: Store) -> None:
    accuracy = report(store).tables[0]
    said = answers(store)
    keys = [(row.run_id, row.cells["format"], row.cells["reading"]) for row in accuracy.rows]
    assert keys == [(1, fmt, name) for fmt in ("low", "high") for name in READINGS
                    if (1, fmt, name) in said]  # fmt: skip
    for row, key in zip(accuracy.rows, keys, strict=True):
        graded = [(right, subject) for _, right, subject in said[key].values() if right is not None]
        subjects = defaultdict(list)
        for right, subject in graded:
            subjects[subject].append(right)
        hits = sum(right for right, _ in graded)
        assert (row.cells["n"], row.cells["correct"]) == (len(graded), hits)
        assert row.cells["micro"] == pytest.approx(hits / len(graded))
        assert row.cells["micro_interval"] == wilson_interval(hits, len(graded))
        means = [sum(each) / len(each) for each in subjects.values()]
        assert row.cells["macro"] == pytest.approx(sum(means) / len(means))
        assert row.cells["subjects"] == len(subjects)


def assert_leads_to_what_it_counts(store: Store, row: Row, keys: tuple[str, ...]) -> None:
    for key in keys:
        behind = list_ids(store, row.run_id, condition=row.behind(key))
        assert len(behind) == (row.cells[key] or 0), key


def test_cells_lead_to_the_questions_they_count(store: Store) -> None:
    accuracy, pairs = report(store).tables
    assert len(pairs.rows) == 1
    for row in accuracy.rows:
        assert_leads_to_what_it_counts(store, row, ("n", "correct", "answered"))
        wrong = list_ids(store, row.run_id, condition=row.behind("micro"))
        assert len(wrong) == row.cells["n"] - row.cells["correct"]
    for row in pairs.rows:
        assert_leads_to_what_it_counts(store, row, tuple(CONDITIONS))


def test_pairs_agree_with_a_count_without_sql(store: Store) -> None:
    second = add_sample_run(store, questions=20, formats=("middle",), orders=1)
    names = ("first_token", "greedy_text")
    pairs = report(store, readings=names).tables[1]
    said = answers(store)
    sides = [(1, "low"), (1, "high"), (second, "middle")]
    assert len(pairs.rows) == 15
    for row in pairs.rows:
        first, other = (
            tuple(cast(part) for cast, part in zip((int, str, str), title.split(":"), strict=True))
            for title in (row.cells["first"], row.cells["second"])
        )
        assert first[:2] in sides
        common = said[first].keys() & said[other].keys()
        assert row.cells["n"] == len(common)
        both = [(said[first][key], said[other][key]) for key in common]
        assert row.cells["differ"] == sum(one[0] != two[0] for one, two in both)
        graded = [(one[1], two[1]) for one, two in both if one[1] is not None]
        for key, pair in (("both", (True, True)), ("only_first", (True, False)),
                          ("only_second", (False, True)), ("neither", (False, False))):  # fmt: skip
            assert row.cells[key] == graded.count(pair)
        discordant = graded.count((True, False)) + graded.count((False, True))
        if 0 < discordant < 25:
            exact = binomtest(graded.count((True, False)), discordant).pvalue
            assert row.cells["p_value"] == pytest.approx(exact)


def test_an_override_changes_the_text_s_accuracy_alone(store: Store) -> None:
    before = {row.cells["reading"]: row.cells for row in report(store).tables[0].rows[::-1]}
    query = "SELECT probe_id, gold FROM outcomes WHERE NOT text_right AND format = 'low' LIMIT 1"
    ((probe_id, gold),) = store.reader().execute(query).fetchall()
    store.set_override(probe_id, "option", gold)
    after = {row.cells["reading"]: row.cells for row in report(store).tables[0].rows[::-1]}
    read = {
        row.cells["reading"]: row.cells
        for row in report(store, text="reading").tables[0].rows[::-1]
    }
    assert after["greedy_text"]["correct"] == before["greedy_text"]["correct"] + 1
    assert after["first_token"] == before["first_token"]
    assert read == before


def test_a_format_says_by_which_reading_it_is_scored(store: Store) -> None:
    original = msgspec.structs.replace(load_format("mmlu-original"), scored_by="continuation")
    store.reader().execute(
        "UPDATE runs SET settings = json_object('formats', json_array(?::JSON, ?::JSON))",
        [
            msgspec.json.encode(msgspec.structs.replace(original, name="low")).decode(),
            msgspec.json.encode(msgspec.structs.replace(load_format("high"))).decode(),
        ],
    )
    accuracy, pairs = report(store).tables
    own = {(row.cells["format"], row.cells["reading"]) for row in accuracy.rows if row.cells["own"]}
    assert own == {("low", "continuation"), ("high", "first_token")}
    (row,) = pairs.rows
    assert (row.cells["first"], row.cells["second"]) == ("1:low:continuation", "1:high:first_token")


def test_opinions_have_no_accuracy_but_disagreements(tmp_path: Path) -> None:
    with make_sample_store(tmp_path / "s.duckdb", questions=3, formats=("low",)) as store:
        store.reader().execute("UPDATE probes SET gold = NULL")
        store.reader().execute("DELETE FROM outcomes")
        store.reader().execute("INSERT INTO outcomes FROM outcome_rows")
        found = report(store)
        assert found.tables[0].rows == ()
        pairs = found.tables[1].rows
        assert {row.cells["n"] for row in pairs} == {6}
        assert any(row.cells["differ"] for row in pairs)
        assert {row.cells["both"] for row in pairs} == {None}
        assert found.notes == ("No question has a gold option, so nothing can be scored.",)
