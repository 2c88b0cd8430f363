"""The consistency study against a recount in plain Python from the raw tables."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.stats import entropy as scipy_entropy

from engine.browse import list_ids
from engine.errors import LogitscopeError
from engine.metrics.intervals import wilson_interval
from engine.store import Store
from engine.studies import Report, Scope
from engine.studies.consistency import MOST_CHANGING, READINGS, STATUSES, consistency_report
from engine.studies.report import Row, Table
from tests.sample_store import add_sample_run, make_sample_store

ORDERS = 4
RESAMPLES = 200
FULL = 1e-12


class Said(NamedTuple):
    """One answer as the raw tables hold it."""

    probe_id: int
    question: int
    source: bool
    content: str
    letter: str
    label: str | None
    status: str
    gold: str | None
    labels: list[str]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with make_sample_store(tmp_path / "runs.duckdb", questions=30, orders=ORDERS) as store:
        yield store


def refill(store: Store) -> None:
    """Make outcomes again after the tables were changed by hand."""
    cursor = store.reader()
    cursor.execute("DELETE FROM outcomes")
    cursor.execute("INSERT INTO outcomes SELECT * FROM outcome_rows")


def report(store: Store, **scope: Any) -> Report:
    return consistency_report(store.reader(), Scope(resamples=RESAMPLES, **scope))


def table(found: Report, name: str) -> Table:
    return next(table for table in found.tables if table.name == name)


def answers(store: Store) -> dict[tuple[int, str, str, str], dict[int, list[Said]]]:
    """By run, format, variants and reading: the answers of every question, from the raw tables."""
    cursor = store.reader()
    options = "SELECT question_id, list_transform(options, lambda o: o.label) FROM questions"
    source = dict(cursor.execute(options).fetchall())
    found: dict[tuple[int, str, str, str], dict[int, list[Said]]] = defaultdict(
        lambda: defaultdict(list)
    )
    kinds = defaultdict(set)
    rows = cursor.execute(
        "SELECT p.probe_id, run_id, format, perturbation, question_index, question_id, "
        "order_index, permutation, p.labels, gold, refusal_label, name, status, label "
        "FROM probes p JOIN readings r USING (probe_id) "
        f"WHERE name IN {(*READINGS, 'majority')} ORDER BY p.probe_id"
    ).fetchall()
    for _, run_id, fmt, kind, *_ in rows:
        kinds[run_id, fmt].add(kind)
    for probe_id, run_id, fmt, kind, index, question_id, order, *shown in rows:
        permutation, labels, gold, refusal, name, status, label = shown
        content = status
        if label is not None:
            content = source[question_id][permutation[labels.index(label)]]
        if status == "refusal" or (label is not None and label == refusal):
            content = "refusal"
        original = kind is None and order == 0
        said = Said(
            probe_id,
            index,
            original,
            content,
            label or status,
            label,
            status,
            gold,
            labels,
        )
        wanted = ["order"] if kind is None else [kind]
        if original:
            wanted += [other for other in kinds[run_id, fmt] if other is not None]
        for each in wanted:
            found[run_id, fmt, each, name][index].append(said)
    for questions in found.values():
        for index in [index for index, said in questions.items() if len(said) < 2]:
            del questions[index]
    return {key: questions for key, questions in found.items() if questions}


def key_of(row: Row) -> tuple[Any, ...]:
    return tuple(row.cells[key] for key in ("run_id", "format", "variants", "reading"))


def resampled_mean(values: list[float]) -> tuple[float, float]:
    drawing = np.random.default_rng(0)
    n = len(values)
    means = [
        math.fsum(values[i] for i in drawing.integers(n, size=n)) / n for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(means, [2.5, 97.5])
    return low, high


def recall_std(said: list[Said]) -> float:
    recalls = []
    for label in sorted({each.gold for each in said if each.gold}):
        hits = [each.label == label for each in said if each.gold == label]
        recalls.append(sum(hits) / len(hits))
    return float(np.std(recalls))


def assert_consistency(row: Row, questions: dict[int, list[Said]]) -> None:
    cells = row.cells
    every = [questions[index] for index in sorted(questions)]
    assert cells["questions"] == len(every)
    assert cells["answers"] == sum(map(len, every))
    for name, of in (("content", "content"), ("letters", "letter")):
        entropies = [
            float(scipy_entropy(list(Counter(getattr(one, of) for one in said).values())))
            for said in every
        ]
        key = f"entropy_{name}"
        assert cells[key] == pytest.approx(np.mean(entropies), abs=FULL)
        assert cells[f"{key}_bits"] == pytest.approx(np.mean(entropies) / np.log(2), abs=FULL)
        assert cells[f"{key}_interval"] == pytest.approx(resampled_mean(entropies), abs=FULL)
    shares = [max(Counter(one.content for one in said).values()) / len(said) for said in every]
    assert cells["agreement"] == pytest.approx(np.mean(shares), abs=FULL)
    assert cells["agreement_interval"] == pytest.approx(resampled_mean(shares), abs=FULL)
    stable = sum(len({one.content for one in said}) == 1 for said in every)
    assert (cells["stable"], cells["stable_rate"]) == (stable, stable / len(every))
    assert cells["stable_interval"] == wilson_interval(stable, len(every))
    graded = [said for said in every if all(one.gold for one in said)]
    assert 0 < len(graded) < len(every)
    assert cells["r_std"] == pytest.approx(recall_std(list(chain(*graded))), abs=FULL)
    drawing = np.random.default_rng(0)
    n = len(graded)
    resampled = [
        recall_std([one for i in drawing.integers(n, size=n) for one in graded[i]])
        for _ in range(RESAMPLES)
    ]
    assert cells["r_std_interval"] == pytest.approx(
        tuple(np.percentile(resampled, [2.5, 97.5])), abs=FULL
    )


def assert_changes(row: Row, questions: dict[int, list[Said]]) -> None:
    compared = changed = 0
    for said in questions.values():
        originals = [one.content for one in said if one.source]
        for one in said:
            if originals and not one.source:
                compared += 1
                changed += one.content != originals[0]
    cells = row.cells
    assert (cells["compared"], cells["changed"]) == (compared, changed)
    assert cells["changed_rate"] == changed / compared
    assert cells["changed_interval"] == wilson_interval(changed, compared)
    every = [one for said in questions.values() for one in said]
    nameless = Counter(one.status for one in every if one.label is None)
    assert cells["no_option"] == nameless.total()
    assert cells["no_option_rate"] == nameless.total() / len(every)
    assert cells["no_option_interval"] == wilson_interval(nameless.total(), len(every))
    assert {status: cells[status] for status in STATUSES} == {s: nameless[s] for s in STATUSES}
    assert set(nameless) <= set(STATUSES)


def perturb(store: Store) -> None:
    """Declare the last order of every third question a typo."""
    store.reader().execute(
        "UPDATE probes SET perturbation = 'letter_typo' "
        f"WHERE order_index = {ORDERS - 1} AND question_index % 3 = 0"
    )
    refill(store)


@pytest.mark.parametrize("perturbed", [False, True], ids=["orders", "with typos"])
def test_every_figure_equals_a_recount(store: Store, perturbed: bool) -> None:
    if perturbed:
        perturb(store)
    add_sample_run(store, questions=10, formats=("middle",), orders=2)
    found = report(store, readings=(*READINGS, "majority"))
    expected = answers(store)
    assert {kind for _, _, kind, _ in expected} == (
        {"order", "letter_typo"} if perturbed else {"order"}
    )
    for name, check in (("consistency", assert_consistency), ("changes", assert_changes)):
        rows = table(found, name).rows
        assert {key_of(row) for row in rows} == set(expected)
        for row in rows:
            check(row, expected[key_of(row)])
    assert any(row.cells["stable"] for row in table(found, "consistency").rows)


def test_the_questions_behind_a_cell_are_those_it_counts(store: Store) -> None:
    perturb(store)
    found = report(store)
    indexes = dict(store.reader().execute("SELECT probe_id, question_index FROM probes").fetchall())
    for row in table(found, "consistency").rows:
        ids = list_ids(store, row.run_id, condition=row.behind("answers"))
        assert len(ids) == row.cells["answers"]
        assert len({indexes[one] for one in ids.tolist()}) == row.cells["questions"]
        stable = list_ids(store, row.run_id, condition=row.behind("stable"))
        assert len({indexes[one] for one in stable.tolist()}) == row.cells["stable"]
        varied = list_ids(store, row.run_id, condition=row.behind("entropy_content"))
        assert sorted([*stable, *varied]) == sorted(ids)
    for row in table(found, "changes").rows:
        for key in ("compared", "changed", "no_option", *STATUSES):
            behind = list_ids(store, row.run_id, condition=row.behind(key))
            assert len(behind) == row.cells[key], key
    for row in table(found, "positions").rows:
        for key in ("named", "chosen", "gold"):
            behind = list_ids(store, row.run_id, condition=row.behind(key))
            assert len(behind) == row.cells[key], key
    for row in table(found, "questions").rows:
        behind = list_ids(store, row.run_id, condition=row.condition).tolist()
        assert {indexes[one] for one in behind} == {row.cells["question_index"]}
        assert len(behind) == row.cells["answers"]


def test_label_preferences_equal_a_recount(store: Store) -> None:
    perturb(store)
    rows: dict[tuple[Any, ...], dict[str, Row]] = defaultdict(dict)
    for row in table(report(store), "positions").rows:
        rows[row.cells["format"], row.cells["reading"]][row.cells["label"]] = row
    assert len(rows) == 4
    every = answers(store)
    for (fmt, reading), by_label in rows.items():
        said = list(chain(*every[1, fmt, "order", reading].values()))
        named = [one for one in said if one.label]
        graded = [one for one in named if one.gold]
        assert list(by_label) == list("ABCDEFGHIJ")
        for label, row in by_label.items():
            cells = row.cells
            chosen = sum(one.label == label for one in named)
            uniform = math.fsum(1 / len(one.labels) for one in named if label in one.labels)
            gold = sum(one.gold == label for one in graded)
            chosen_graded = sum(one.label == label for one in graded)
            where_gold = [one.label == label for one in said if one.gold == label]
            assert (cells["named"], cells["chosen"], cells["gold"]) == (len(named), chosen, gold)
            assert cells["chosen_share"] == chosen / len(named)
            assert cells["chosen_interval"] == wilson_interval(chosen, len(named))
            assert cells["uniform_share"] == pytest.approx(uniform / len(named), abs=FULL)
            assert cells["difference"] == pytest.approx((chosen - uniform) / len(named), abs=FULL)
            assert cells["gold_share"] == gold / len(graded)
            assert cells["gold_difference"] == (chosen_graded - gold) / len(graded)
            assert cells["recall"] == sum(where_gold) / len(where_gold)
            recall = wilson_interval(sum(where_gold), len(where_gold))
            assert cells["recall_interval"] == recall
        for key in ("difference", "gold_difference"):
            assert sum(row.cells[key] for row in by_label.values()) == pytest.approx(0, abs=FULL)
        assert sum(row.cells["chosen"] for row in by_label.values()) == len(named)


def test_the_questions_that_change_most_come_first(store: Store) -> None:
    rows = table(report(store), "questions").rows
    by_key = {k: q for k, q in answers(store).items() if k[3] in READINGS}
    expected = sorted(
        (
            float(scipy_entropy(list(Counter(one.content for one in said).values())))
            for questions in by_key.values()
            for said in questions.values()
        ),
        reverse=True,
    )
    shown = [row.cells["entropy_content"] for row in rows]
    assert shown == pytest.approx(expected[:MOST_CHANGING], abs=FULL)
    for row in rows:
        said = by_key[key_of(row)][row.cells["question_index"]]
        counts = Counter(one.content for one in said)
        assert row.cells["answers"] == len(said)
        assert row.cells["agreement"] == counts.most_common()[0][1] / len(said)
        assert row.cells["choices"] == ", ".join(f"{c} ×{n}" for c, n in counts.most_common())


def test_plots_draw_the_tables(store: Store) -> None:
    found = report(store)
    letters, entropies = found.plots
    positions = table(found, "positions").rows
    for series in letters.series:
        rows = [
            row
            for row in positions
            if series.name == f"{row.cells['run_id']}:{row.cells['format']}:{row.cells['reading']}"
        ]
        assert series.x == tuple(row.cells["label"] for row in rows)
        assert series.y == tuple(row.cells["chosen_share"] for row in rows)
        assert series.low == tuple(row.cells["chosen_interval"][0] for row in rows)
    for series, row in zip(entropies.series, table(found, "consistency").rows, strict=True):
        assert series.y[-1] == pytest.approx(1)
        assert list(series.y) == sorted(series.y)
        steps = np.diff([0, *series.y])
        assert np.dot(series.x, steps) == pytest.approx(row.cells["entropy_content"], abs=FULL)


def test_an_answer_that_stays_has_no_entropy_whatever_its_letter(store: Store) -> None:
    cursor = store.reader()
    # The first token names the option that the source lists first, wherever it is shown.
    cursor.execute(
        "UPDATE readings SET label = p.labels[list_position(p.permutation, 0)] FROM probes p "
        "WHERE p.probe_id = readings.probe_id AND name = 'first_token'"
    )
    refill(store)
    rows = table(report(store, readings=("first_token",)), "consistency").rows
    for row in rows:
        assert row.cells["entropy_content"] == 0
        assert row.cells["entropy_content_interval"] == (0, 0)
        assert row.cells["stable_rate"] == row.cells["agreement"] == 1
        assert row.cells["entropy_letters"] > 0.5
    # Now it names the label A, whatever stands behind it.
    cursor.execute("UPDATE readings SET label = 'A' WHERE name = 'first_token'")
    refill(store)
    found = report(store, readings=("first_token",))
    for row in table(found, "consistency").rows:
        assert row.cells["entropy_letters"] == 0
        assert row.cells["entropy_content"] > 0.5
        golds = len({one.gold for one in chain(*answers(store)[key_of(row)].values())} - {None})
        # One recall is 1, all others are 0.
        assert row.cells["r_std"] == pytest.approx(math.sqrt(golds - 1) / golds)
    assert table(found, "positions").rows[0].cells["chosen_share"] == 1


def test_refusing_is_the_same_choice_as_the_option_that_refuses(store: Store) -> None:
    cursor = store.reader()
    cursor.execute(
        "UPDATE readings SET status = if(p.order_index = 0, 'option', 'refusal'), "
        "label = CASE WHEN p.order_index < 2 THEN p.refusal_label END FROM probes p "
        "WHERE p.probe_id = readings.probe_id AND name = 'greedy_text' "
        "AND p.refusal_label IS NOT NULL"
    )
    refill(store)
    surveys = [
        index
        for (index,) in cursor.execute(
            "SELECT DISTINCT question_index FROM probes WHERE refusal_label IS NOT NULL"
        ).fetchall()
    ]
    (row, *_) = table(report(store, readings=("greedy_text",)), "consistency").rows
    stable = list_ids(store, 1, condition=f"({row.behind('stable')}) AND refusal_label IS NOT NULL")
    assert len(stable) == ORDERS * len(surveys)


def test_what_was_not_recorded_is_none_and_not_zero(store: Store) -> None:
    store.reader().execute("UPDATE probes SET gold = NULL")
    refill(store)
    found = report(store)
    for row in table(found, "consistency").rows:
        assert row.cells["r_std"] is None
        assert row.cells["r_std_interval"] is None
        assert row.cells["entropy_content"] is not None
    for row in table(found, "positions").rows:
        unknown = ("gold", "gold_share", "gold_difference", "recall", "recall_interval")
        assert {row.cells[key] for key in unknown} == {None}
    store.reader().execute("DELETE FROM probes WHERE order_index = 0")
    refill(store)
    for row in table(report(store), "changes").rows:
        assert row.cells["compared"] == 0
        assert {row.cells[key] for key in ("changed", "changed_rate", "changed_interval")} == {None}


def test_one_order_is_no_consistency_but_has_positions(tmp_path: Path) -> None:
    with make_sample_store(tmp_path / "one.duckdb", questions=5, orders=1) as store:
        found = report(store)
    assert not table(found, "consistency").rows
    assert table(found, "positions").rows
    assert "two variants" in found.notes[0]
    assert [plot.title for plot in found.plots] == ["Labels that are chosen"]


def test_people_win_over_the_ladder_unless_it_alone_is_asked(store: Store) -> None:
    before = table(report(store, readings=("greedy_text",)), "consistency").rows[0]
    changing = list_ids(store, 1, condition=before.behind("entropy_content"))
    question = store.reader().execute(
        "SELECT question_index FROM probes WHERE probe_id = ?", [int(changing[0])]
    )
    (index,) = question.fetchall()[0]
    for (probe_id,) in (
        store.reader()
        .execute("SELECT probe_id FROM probes WHERE format = 'low' AND question_index = ?", [index])
        .fetchall()
    ):
        store.set_override(probe_id, "dont_know", None)
    decided, read = (
        table(report(store, readings=("greedy_text",), text=text), "consistency").rows[0]
        for text in ("decided", "reading")
    )
    assert decided.cells["stable"] == before.cells["stable"] + 1
    assert read.cells == before.cells
    ids = list_ids(store, 1, condition=f"({decided.behind('stable')}) AND question_index = {index}")
    assert len(ids) == ORDERS
    ids = list_ids(store, 1, condition=f"({read.behind('stable')}) AND question_index = {index}")
    assert len(ids) == 0


def test_a_run_that_is_not_there(store: Store) -> None:
    with pytest.raises(LogitscopeError, match="There is no run 7"):
        report(store, runs=(7,))
