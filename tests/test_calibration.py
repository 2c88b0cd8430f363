"""The calibration study: published figures from released data, and counts without SQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.browse import list_ids
from engine.importers import import_logs
from engine.metrics.reliability import DEFINITIONS, reliability
from engine.store import Store, open_store
from engine.studies import Scope
from engine.studies.calibration import calibration_report
from engine.studies.report import Report, Row
from tests.sample_store import make_sample_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with make_sample_store(tmp_path / "runs.duckdb", questions=40) as store:
        yield store


def report(store: Store, **scope: object) -> Report:
    return calibration_report(store.reader(), Scope(**{"resamples": 50, **scope}))


def rows(found: Report, name: str) -> tuple[Row, ...]:
    return next(table for table in found.tables if table.name == name).rows


def graded(store: Store, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Confidence and correctness from the raw rows."""
    found = (
        store.reader()
        .execute(
            "SELECT r.confidence, r.label = p.gold, p.gold FROM readings r "
            "JOIN probes p USING (probe_id) WHERE r.name = ? AND r.sample IS NULL "
            "AND p.gold IS NOT NULL ORDER BY p.probe_id",
            [name],
        )
        .fetchall()
    )
    return (
        np.array([confidence or 0.0 for confidence, *_ in found]),
        np.array([bool(right) for _, right, _ in found]),
    )


def test_figures_agree_with_a_computation_from_raw_rows(store: Store) -> None:
    found = report(store)
    names = [row.cells["reading"] for row in rows(found, "summary")]
    assert {"first_token", "answer_position", "continuation", "majority"} <= set(names)
    for row in rows(found, "summary"):
        confidence, right = graded(store, row.cells["reading"])
        assert row.cells["n"] == len(right)
        assert row.cells["accuracy"] == pytest.approx(right.mean())
        for definition in DEFINITIONS:
            table = reliability(confidence, right, definition)
            assert row.cells[f"ece_{definition}"] == pytest.approx(table.ece)
        low, high = row.cells["ece_corrected_interval"]
        assert low <= high
        assert row.cells["unlocated"] == (confidence == 0).sum()
        behind = list_ids(store, 1, condition=row.behind("accuracy"))
        assert len(behind) == right.sum()
        assert len(list_ids(store, 1, condition=row.behind("n"))) == len(right)


def test_groups_and_bins_hold_every_answer_once(store: Store) -> None:
    found = report(store)
    for whole in rows(found, "summary"):
        name = whole.cells["reading"]
        groups = [row for row in rows(found, "groups") if row.cells["reading"] == name]
        assert sum(row.cells["n"] for row in groups) == whole.cells["n"]
        assert {row.cells["format"] for row in groups} == {"low", "high"}
        for row in groups:
            assert len(list_ids(store, 1, condition=row.behind("n"))) == row.cells["n"]
        for definition in DEFINITIONS:
            bins = [
                row
                for row in rows(found, "reliability")
                if (row.cells["reading"], row.cells["definition"]) == (name, definition)
            ]
            lost = whole.cells["lost"] if definition == "published" else 0
            assert sum(row.cells["n"] for row in bins) + lost == whole.cells["n"]
            for row in bins:
                assert len(list_ids(store, 1, condition=row.behind("n"))) == row.cells["n"]


def test_abstaining_leads_to_the_questions_left_out(store: Store) -> None:
    found = [row for row in rows(report(store, labelled=5), "abstention") if row.run_id is not None]
    assert {row.cells["payoff"] for row in found} == {"balanced", "conservative"}
    for row in found:
        asked = list_ids(store, 1, condition=row.condition)
        assert row.cells["labelled"] + row.cells["tested"] == len(asked)
        if row.cells["confidence"] == "confidence":
            behind = list_ids(store, 1, condition=row.behind("abstained"))
            below = row.cells["threshold"]
            query = (
                "SELECT count(*) FROM answers WHERE reading = ? AND sample IS NULL "
                "AND format = ? AND gold IS NOT NULL AND coalesce(confidence, 0) < ?"
            )
            counted = store.reader().execute(
                query, [row.cells["reading"], row.cells["format"], below]
            )
            assert counted.fetchall() == [(len(behind),)]


def test_always_answering_scores_what_accuracy_says(store: Store) -> None:
    for row in rows(report(store, labelled=0), "abstention"):
        if row.run_id is None:
            continue
        fmt, name = row.cells["format"], row.cells["reading"]
        datasets = store.reader().execute(
            "SELECT avg(correct::INT) FROM answers JOIN questions USING (question_id) "
            "WHERE reading = ? AND format = ? AND correct IS NOT NULL AND sample IS NULL "
            "GROUP BY dataset",
            [name, fmt],
        )
        means = [mean for (mean,) in datasets.fetchall()]
        cost = {"balanced": -1, "conservative": -2}[row.cells["payoff"]]
        expected = 100 * np.mean([mean + cost * (1 - mean) for mean in means])
        assert row.cells["base"] == pytest.approx(expected)


def test_without_gold_there_is_nothing_to_calibrate(store: Store) -> None:
    store.reader().execute("UPDATE probes SET gold = NULL")
    found = report(store)
    assert not any(table.rows for table in found.tables)
    assert found.notes == ("No graded answer has a confidence, so there is nothing to calibrate.",)


@pytest.fixture(scope="module")
def released(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(tmp_path_factory.mktemp("msp") / "msp.duckdb") as store:
        import_logs(store, "msp", [str(shared_data / "data" / "msp")])
        yield store


PUBLISHED = {
    # accuracy %, AUROC % of MSP and of the highest logit, ECE, significant groups of both, score of
    # always answering: balanced, conservative
    "Llama3-8b": (58.6, 71.2, 68.9, 0.19, 10, 10, 17.1, -24.3),
    "Mistral": (56.9, 63.5, 62.7, 0.40, 10, 10, 13.7, -29.4),
}


def test_released_grades_give_the_published_figures(released: Store) -> None:
    found = report(released, resamples=2)
    models = dict(released.reader().execute("SELECT run_id, model FROM runs").fetchall())
    for row in rows(found, "summary"):
        accuracy, msp, logit, ece, tests, logit_tests, *bases = PUBLISHED[models[row.run_id]]
        assert round(100 * row.cells["macro_accuracy"], 1) == accuracy
        assert round(100 * row.cells["auroc"], 1) == msp
        assert round(100 * row.cells["logit_auroc"], 1) == logit
        assert round(row.cells["ece_published"], 2) == ece
        assert round(row.cells["ece_corrected"], 2) == ece
        assert (row.cells["significant"], row.cells["logit_significant"]) == (tests, logit_tests)
        means = {
            each.cells["payoff"]: each.cells["base"]
            for each in rows(found, "abstention")
            if (each.cells["run_id"], each.cells["format"]) == (row.run_id, "mean")
        }
        # The labelled questions are not among the tested ones, and another draw than the paper's.
        assert means["balanced"] == pytest.approx(bases[0], abs=0.2)
        assert means["conservative"] == pytest.approx(bases[1], abs=0.3)


def test_one_released_cell_to_the_digit(released: Store) -> None:
    found = report(released, resamples=2)
    models = dict(released.reader().execute("SELECT run_id, model FROM runs").fetchall())
    (row,) = (
        row
        for row in rows(found, "groups")
        if (models[row.run_id], row.cells["dataset"], row.cells["format"])
        == ("Llama3-8b", "mmlu", "first prompt")
    )
    assert (row.cells["n"], row.cells["u"]) == (6000, 6_730_686.5)
    assert f"{row.cells['p_value']:.2e}" == "4.30e-265"
    assert round(row.cells["auroc"], 5) == 0.76167
