"""The decoding study against SQL over the raw tables, for made-up runs and the embedded model."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from scipy.stats import binomtest

from engine.browse import list_ids
from engine.client import WorkerClient
from engine.demo import EMBEDDED_MODEL, QUESTIONS
from engine.errors import LogitscopeError
from engine.records import ProbeSettings, SamplerSettings
from engine.runs import execute, plan_run
from engine.store import Store, open_store
from engine.studies import Report, Scope
from engine.studies.decoding import decoding_report
from engine.studies.report import Row
from tests.sample_store import add_sample_run, make_sample_store

RESAMPLES = 200
CLOSE = 1e-12

RIGHT = """
SELECT p.run_id, p.format, p.probe_id, p.question_index, r.name, r.sample,
       r.label IS NOT NULL AND r.label = p.gold AS correct,
       r.status || '/' || coalesce(r.label, '') AS said, p.gold
FROM probes p JOIN readings r USING (probe_id)
WHERE p.perturbation IS NULL AND r.name IN ('greedy_text', 'sample_text')
"""
"""Every reading of a greedy text and of a sample, from the raw tables."""

Key = tuple[int, str]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with make_sample_store(tmp_path / "runs.duckdb", questions=30) as store:
        yield store


def report(store: Store, **scope: Any) -> Report:
    return decoding_report(store.reader(), Scope(resamples=RESAMPLES, **scope))


def refill(store: Store) -> None:
    """Make outcomes again after the tables were changed by hand."""
    cursor = store.reader()
    cursor.execute("DELETE FROM outcomes")
    cursor.execute("INSERT INTO outcomes SELECT * FROM outcome_rows")


def rows(found: Report, name: str) -> list[Row]:
    return [row for table in found.tables if table.name == name for row in table.rows]


def key_of(row: Row) -> Key:
    return row.cells["run_id"], row.cells["format"]


def query(store: Store, sql: str) -> dict[Key, Any]:
    """By run and format, the rest of each row."""
    found = store.reader().execute(f"WITH r AS ({RIGHT}) {sql}").fetchall()
    return {(run_id, fmt): rest for run_id, fmt, *rest in found}


def gathered(store: Store, sql: str) -> dict[Key, list[Any]]:
    """By run and format, all rows."""
    groups: dict[Key, list[Any]] = defaultdict(list)
    for run_id, fmt, *rest in store.reader().execute(f"WITH r AS ({RIGHT}) {sql}").fetchall():
        groups[run_id, fmt].append(rest)
    return groups


def resampled(pairs: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """The percentile bootstrap of a mean of (question, value), question by question."""
    by_question: dict[int, list[float]] = defaultdict(list)
    for question, value in pairs:
        by_question[question].append(value)
    every = [by_question[question] for question in sorted(by_question)]
    drawing = np.random.default_rng(0)
    means = []
    for _ in range(RESAMPLES):
        values = [v for i in drawing.integers(len(every), size=len(every)) for v in every[i]]
        means.append(math.fsum(values) / len(values))
    low, high = np.percentile(means, [2.5, 97.5])
    return low, high


def assert_rate(cells: dict[str, Any], key: str, interval: str, hits: int, n: int) -> None:
    assert cells[key] == pytest.approx(hits / n, abs=CLOSE), key
    wilson = binomtest(hits, n).proportion_ci(method="wilson")
    assert cells[interval] == pytest.approx((wilson.low, wilson.high), abs=1e-9), key


def assert_accuracy(store: Store, found: list[Row]) -> None:
    greedy = query(
        store,
        "SELECT run_id, format, count(*), count(gold), count(*) FILTER (correct) FROM r "
        "WHERE name = 'greedy_text' GROUP BY ALL",
    )
    runs = query(
        store,
        "SELECT run_id, format, count(*), avg(accuracy), stddev_pop(accuracy), max(accuracy), "
        "min(accuracy), max(accuracy) - min(accuracy) FROM (SELECT run_id, format, sample, "
        "avg(correct::INTEGER) AS accuracy FROM r WHERE name = 'sample_text' AND gold IS NOT NULL "
        "GROUP BY ALL) GROUP BY ALL",
    )
    oracle = query(
        store,
        "SELECT run_id, format, count(*), count(*) FILTER (reached) FROM (SELECT run_id, format, "
        "probe_id, bool_or(correct) AS reached FROM r WHERE name = 'sample_text' "
        "AND gold IS NOT NULL GROUP BY ALL) GROUP BY ALL",
    )
    # The commonest pair of status and label, of equals the one with the earliest sample.
    majority = query(
        store,
        "SELECT run_id, format, count(*), count(*) FILTER (correct) FROM (SELECT * FROM (SELECT "
        "run_id, format, probe_id, said, any_value(correct) AS correct, count(*) AS votes, "
        "min(sample) AS earliest FROM r WHERE name = 'sample_text' AND gold IS NOT NULL "
        "GROUP BY ALL) QUALIFY row_number() OVER (PARTITION BY probe_id "
        "ORDER BY votes DESC, earliest) = 1) GROUP BY ALL",
    )
    means = gathered(
        store,
        "SELECT run_id, format, question_index, "
        "avg(correct::INTEGER) FILTER (name = 'sample_text'), "
        "max(correct::INTEGER) FILTER (name = 'greedy_text') FROM r WHERE gold IS NOT NULL "
        "GROUP BY run_id, format, probe_id, question_index ORDER BY probe_id",
    )
    assert set(map(key_of, found)) == set(greedy)
    for row in found:
        cells, key = row.cells, key_of(row)
        n, graded, right = greedy[key]
        assert (cells["n"], cells["graded"], cells["greedy_n"]) == (n, graded, graded)
        assert_rate(cells, "greedy", "greedy_interval", right, graded)
        count, *spread = runs[key]
        assert cells["runs"] == count
        shown = [cells[name] for name in ("mean", "std", "best", "worst", "delta")]
        assert shown == pytest.approx(spread, abs=CLOSE)
        assert cells["gap"] == pytest.approx(right / graded - spread[0], abs=CLOSE)
        for name, (of, hits) in (("oracle", oracle[key]), ("majority", majority[key])):
            assert of == cells["sampled_n"]
            assert_rate(cells, name, f"{name}_interval", hits, of)
        sampled = resampled([(question, mean) for question, mean, _ in means[key]])
        assert cells["mean_interval"] == pytest.approx(sampled, abs=CLOSE)
        gaps = resampled([(question, first - mean) for question, mean, first in means[key]])
        assert cells["gap_interval"] == pytest.approx(gaps, abs=CLOSE)


def assert_samples(store: Store, found: list[Row]) -> None:
    expected = gathered(
        store,
        "SELECT run_id, format, n, count(DISTINCT probe_id), "
        "count(*) FILTER (sample = n AND correct), "
        "count(DISTINCT probe_id) FILTER (sample <= n AND correct) "
        "FROM r JOIN (SELECT DISTINCT run_id, format, sample AS n FROM r WHERE sample IS NOT NULL) "
        "USING (run_id, format) "
        "WHERE name = 'sample_text' AND gold IS NOT NULL GROUP BY ALL ORDER BY n",
    )
    shown = defaultdict(list)
    for row in found:
        cells = row.cells
        shown[key_of(row)].append(
            [cells[key] for key in ("sample", "graded", "right", "oracle_right")]
        )
        assert_rate(cells, "accuracy", "accuracy_interval", cells["right"], cells["graded"])
        assert_rate(cells, "oracle", "oracle_interval", cells["oracle_right"], cells["graded"])
    assert shown == expected


def assert_stability(store: Store, found: list[Row]) -> None:
    # DuckDB's entropy is in bits.
    expected = gathered(
        store,
        "SELECT run_id, format, question_index, entropy(said) AS bits, "
        "(SELECT max(votes) / sum(votes) FROM (SELECT count(*) AS votes FROM r s "
        "WHERE s.probe_id = r.probe_id AND s.name = 'sample_text' GROUP BY s.said)) AS share "
        "FROM r WHERE name = 'sample_text' GROUP BY run_id, format, probe_id, question_index "
        "ORDER BY probe_id",
    )
    differs = query(
        store,
        "SELECT run_id, format, count(*), count(*) FILTER (g.said <> m.said) FROM "
        "(FROM r WHERE name = 'greedy_text') g JOIN (SELECT probe_id, said FROM "
        "(SELECT probe_id, said, count(*) AS votes, min(sample) AS earliest FROM r "
        "WHERE name = 'sample_text' GROUP BY ALL) QUALIFY row_number() OVER "
        "(PARTITION BY probe_id ORDER BY votes DESC, earliest) = 1) m USING (probe_id) "
        "GROUP BY ALL",
    )
    assert set(map(key_of, found)) == set(expected)
    for row in found:
        cells, prompts = row.cells, expected[key_of(row)]
        bits, shares = ([prompt[at] for prompt in prompts] for at in (1, 2))
        questions = [question for question, *_ in prompts]
        assert cells["sampled"] == len(prompts)
        assert cells["entropy_bits"] == pytest.approx(np.mean(bits), abs=CLOSE)
        assert cells["entropy"] == pytest.approx(np.mean(bits) * np.log(2), abs=CLOSE)
        assert cells["agreement"] == pytest.approx(np.mean(shares), abs=CLOSE)
        nats = resampled([(q, b * math.log(2)) for q, b in zip(questions, bits, strict=True)])
        assert cells["entropy_interval"] == pytest.approx(nats, abs=CLOSE)
        interval = resampled(list(zip(questions, shares, strict=True)))
        assert cells["agreement_interval"] == pytest.approx(interval, abs=CLOSE)
        same = sum(share == 1 for share in shares)
        assert cells["unanimous"] == same
        assert_rate(cells, "unanimous_rate", "unanimous_interval", same, len(prompts))
        compared, others = differs[key_of(row)]
        assert cells["differs"] == others
        assert_rate(cells, "differs_rate", "differs_interval", others, compared)


def assert_lengths(store: Store, found: list[Row]) -> None:
    texts: dict[tuple[int, str, str], list[tuple[Any, ...]]] = defaultdict(list)
    stored = store.reader().execute(
        "SELECT run_id, format, kind, tokens, text, finish_reason FROM generations "
        "JOIN probes USING (probe_id) WHERE perturbation IS NULL AND kind IN ('greedy', 'sample')"
    )
    for run_id, fmt, kind, *text in stored.fetchall():
        texts[run_id, fmt, kind].append(tuple(text))
    for row in found:
        for kind in ("greedy", "sample"):
            written = texts[(*key_of(row), kind)]
            means = {
                "tokens": np.mean([tokens for tokens, _, _ in written]),
                "characters": np.mean([len(text) for _, text, _ in written]),
                "words": np.mean([len(re.findall(r"\S+", text, re.A)) for _, text, _ in written]),
            }
            for name, mean in means.items():
                assert row.cells[f"{kind}_{name}"] == pytest.approx(mean, abs=1e-9)
            cut = sum(reason == "length" for *_, reason in written)
            assert_rate(row.cells, f"{kind}_cut_rate", f"{kind}_cut_interval", cut, len(written))
            if kind == "greedy":
                assert row.cells["greedy_cut"] == cut


def assert_every_figure(store: Store, found: Report) -> None:
    assert_accuracy(store, rows(found, "accuracy"))
    assert_samples(store, rows(found, "samples"))
    assert_stability(store, rows(found, "stability"))
    assert_lengths(store, rows(found, "lengths"))


def assert_cells_lead_to_their_questions(store: Store, found: Report) -> None:
    counted = {
        "accuracy": ("n", "graded"),
        "samples": ("graded", "right", "oracle_right"),
        "stability": ("sampled", "unanimous", "differs"),
        "lengths": ("greedy_cut",),
    }
    rates = {"greedy": "graded", "majority": "graded", "oracle": "graded"}
    for name, keys in counted.items():
        for row in rows(found, name):
            for key in keys:
                behind = list_ids(store, row.run_id, condition=row.behind(key))
                assert len(behind) == row.cells[key], (name, key)
    for row in rows(found, "accuracy"):
        for key, of in rates.items():
            behind = list_ids(store, row.run_id, condition=row.behind(key))
            assert len(behind) == round(row.cells[key] * row.cells[of])
    for row in rows(found, "stability"):
        split = [
            list_ids(store, row.run_id, condition=row.behind(key))
            for key in ("unanimous", "agreement", "sampled")
        ]
        assert sorted([*split[0], *split[1]]) == sorted(split[2])


def test_every_figure_of_made_up_runs_equals_sql(store: Store) -> None:
    add_sample_run(store, questions=12, formats=("middle",), orders=3, samples=7)
    found = report(store)
    assert_every_figure(store, found)
    assert_cells_lead_to_their_questions(store, found)
    assert all(0 < row.cells["std"] < row.cells["delta"] for row in rows(found, "accuracy"))
    assert any(row.cells["greedy_cut"] for row in rows(found, "lengths"))


def test_perturbed_questions_are_left_out(store: Store) -> None:
    store.reader().execute("UPDATE probes SET perturbation = 'letter_typo' WHERE order_index = 1")
    refill(store)
    found = report(store)
    assert {row.cells["n"] for row in rows(found, "accuracy")} == {30}
    assert_every_figure(store, found)
    assert_cells_lead_to_their_questions(store, found)


def test_plots_draw_the_tables(store: Store) -> None:
    found = report(store)
    oracles, points = found.plots
    for series, row in zip(oracles.series, rows(found, "accuracy"), strict=True):
        assert series.x == (1, 2, 3, 4)
        assert list(series.y) == sorted(series.y)
        assert series.y[-1] == row.cells["oracle"]
    by_name = {series.name: series for series in points.series}
    accuracy = rows(found, "accuracy")
    assert by_name["mean of runs"].y == tuple(row.cells["mean"] for row in accuracy)
    assert by_name["mean of runs"].high == tuple(row.cells["best"] for row in accuracy)
    assert by_name["greedy"].x == ("1:low", "1:high")


def test_surveys_have_no_accuracy_but_agreement(store: Store) -> None:
    store.reader().execute("UPDATE probes SET gold = NULL")
    refill(store)
    found = report(store)
    unknown = ("greedy", "mean", "std", "best", "delta", "gap", "majority", "oracle")
    for row in rows(found, "accuracy"):
        assert row.cells["graded"] == 0
        for key in (*unknown, "mean_interval", "greedy_interval", "oracle_interval"):
            assert row.cells[key] is None, key
    assert not rows(found, "samples")
    assert_stability(store, rows(found, "stability"))
    assert not found.plots


def test_what_was_not_recorded_is_none_and_not_zero(tmp_path: Path) -> None:
    with make_sample_store(tmp_path / "greedy.duckdb", questions=10, samples=0) as store:
        found = report(store)
        for row in rows(found, "accuracy"):
            assert row.cells["greedy"] is not None
            assert {row.cells[key] for key in ("runs", "mean", "gap", "majority", "oracle")} == {
                None
            }
        assert not rows(found, "stability")
        for row in rows(found, "lengths"):
            assert row.cells["greedy_tokens"] is not None
            assert {row.cells[key] for key in ("sample_tokens", "sample_cut_rate")} == {None}
        assert "No samples" in found.notes[0]
        store.reader().execute("UPDATE generations SET tokens = NULL, finish_reason = NULL")
        for row in rows(report(store), "lengths"):
            for key in ("greedy_tokens", "greedy_cut", "greedy_cut_rate", "greedy_cut_interval"):
                assert row.cells[key] is None
            assert row.cells["greedy_characters"] > 0


def test_greedy_texts_that_were_not_recorded_count_nowhere(store: Store) -> None:
    cursor = store.reader()
    cursor.execute(
        "DELETE FROM readings WHERE name = 'greedy_text' "
        "AND probe_id IN (SELECT probe_id FROM probes WHERE format = 'low' OR order_index = 1)"
    )
    refill(store)
    low, high = rows(report(store), "accuracy")
    assert [low.cells[key] for key in ("n", "greedy_n", "greedy", "gap", "gap_interval")] == [
        *(60, 0, None, None, None)
    ]
    assert low.cells["mean"] is not None
    ((right, sampled),) = cursor.execute(
        f"WITH r AS ({RIGHT}) SELECT avg(correct::INTEGER) FILTER (name = 'greedy_text'), "
        "avg(correct::INTEGER) FILTER (name = 'sample_text') FROM r WHERE format = 'high' "
        "AND gold IS NOT NULL AND probe_id IN (SELECT probe_id FROM r WHERE name = 'greedy_text')"
    ).fetchall()
    assert (high.cells["graded"], high.cells["greedy_n"], high.cells["sampled_n"]) == (48, 24, 48)
    assert high.cells["greedy"] == pytest.approx(right)
    assert high.cells["gap"] == pytest.approx(right - sampled)
    assert rows(report(store), "stability")[0].cells["differs"] is None


def test_prompts_with_more_samples_than_others(store: Store) -> None:
    before = rows(report(store), "accuracy")
    store.reader().execute(
        "DELETE FROM readings WHERE name = 'sample_text' AND sample > 2 "
        "AND probe_id IN (SELECT probe_id FROM probes WHERE format = 'low' AND question_index = 4)"
    )
    found = report(store)
    low, high = rows(found, "accuracy")
    assert (low.cells["runs"], high.cells["runs"]) == (2, 4)
    assert high.cells == before[1].cells
    assert "Run 1, low: some prompts have more than 2 samples" in found.notes[0]
    store.reader().execute("DELETE FROM readings WHERE name = 'sample_text' AND sample > 2")
    even = rows(report(store), "accuracy")[0]
    ignoring = {"majority", "majority_interval"}
    assert {key: value for key, value in low.cells.items() if key not in ignoring} == {
        key: value for key, value in even.cells.items() if key not in ignoring
    }


def test_people_win_over_the_ladder_unless_it_alone_is_asked(store: Store) -> None:
    (before, _) = rows(report(store), "accuracy")
    wrong, gold = (
        store.reader()
        .execute("SELECT probe_id, gold FROM outcomes WHERE wrong AND format = 'low' LIMIT 1")
        .fetchall()[0]
    )
    store.set_override(wrong, "option", gold)
    decided, read = (report(store, text=text) for text in ("decided", "reading"))
    right = round(before.cells["greedy"] * before.cells["graded"])
    (row, _) = rows(decided, "accuracy")
    assert round(row.cells["greedy"] * row.cells["graded"]) == right + 1
    assert len(list_ids(store, 1, condition=row.behind("greedy"))) == right + 1
    assert rows(read, "accuracy")[0].cells == before.cells
    assert_cells_lead_to_their_questions(store, decided)
    assert_cells_lead_to_their_questions(store, read)


def swept_run(store: Store, **sampler: float) -> int:
    """One more made-up run whose settings name another sampler."""
    run_id = add_sample_run(store, questions=5, orders=1, name=f"with {sampler}")
    ((stored,),) = (
        store.reader().execute("SELECT settings FROM runs WHERE run_id = ?", [run_id]).fetchall()
    )
    plan = json.loads(stored)
    plan["settings"]["sampler"] |= sampler
    store.reader().execute(
        "UPDATE runs SET settings = ? WHERE run_id = ?", [json.dumps(plan), run_id]
    )
    return run_id


def test_runs_that_differ_in_the_sampler_alone_are_a_sweep(store: Store) -> None:
    assert not rows(report(store), "sweeps")
    hot = swept_run(store, temperature=1.5)
    cold = swept_run(store, temperature=0.0)
    penalised = swept_run(store, temperature=0.0, repetition_penalty=1.2)
    swept_run(store, temperature=0.5, top_p=0.5)
    found = report(store)
    swept = rows(found, "sweeps")
    assert [(row.cells["format"], row.run_id) for row in swept] == [
        *(("low", run_id) for run_id in (cold, penalised, hot)),
        *(("high", run_id) for run_id in (cold, penalised, hot)),
    ]
    assert [(row.cells["temperature"], row.cells["repetition_penalty"]) for row in swept[:3]] == [
        (0.0, 1.0),
        (0.0, 1.2),
        (1.5, 1.0),
    ]
    for row in swept:
        for name in ("accuracy", "stability", "lengths"):
            (same,) = (one for one in rows(found, name) if key_of(one) == key_of(row))
            assert same.cells.items() <= row.cells.items()
        assert (
            len(list_ids(store, row.run_id, condition=row.behind("differs")))
            == (row.cells["differs"])
        )
    titles = [plot.title for plot in found.plots]
    assert "Samples over temperature (low, repetition penalty 1)" in titles
    assert "Samples over repetition penalty (low, temperature 0)" in titles
    plot = found.plots[titles.index("Samples over temperature (low, repetition penalty 1)")]
    assert {series.name for series in plot.series} == {
        "mean of runs",
        "majority",
        "oracle",
        "agreement",
    }
    assert plot.series[0].x == (0.0, 1.5)
    assert plot.series[0].y == tuple(
        row.cells["mean"] for row in swept[:3] if row.cells["repetition_penalty"] == 1
    )


def test_runs_over_other_questions_are_no_sweep(store: Store) -> None:
    swept_run(store, temperature=1.5)
    run_id = swept_run(store, temperature=0.5)
    store.reader().execute("DELETE FROM probes WHERE run_id = ? AND question_index = 0", [run_id])
    assert not rows(report(store), "sweeps")


def test_an_imported_log_without_settings_is_no_sweep(store: Store) -> None:
    store.reader().execute("UPDATE runs SET settings = '{}'")
    found = report(store)
    assert not rows(found, "sweeps")
    assert rows(found, "accuracy")


def test_a_run_that_is_not_there(store: Store) -> None:
    with pytest.raises(LogitscopeError, match="There is no run 7"):
        report(store, runs=(7,))


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The embedded model's answers to 12 knowledge questions, 5 samples each, two temperatures."""
    folder = tmp_path_factory.mktemp("decoding")
    source = dict(QUESTIONS)["Knowledge questions"]
    plan = plan_run(
        str(EMBEDDED_MODEL), str(source), ("low", "middle"), device="cpu", orders=2, limit=12
    )
    with (
        WorkerClient(log_path=folder / "worker.log", niceness=0) as client,
        open_store(folder / "runs.duckdb") as store,
    ):
        for temperature in (1.5, 0.7):
            sampler = SamplerSettings(temperature=temperature)
            settings = ProbeSettings(samples=5, max_new_tokens=24, kept=5, sampler=sampler)
            summary = execute(store, msgspec.structs.replace(plan, settings=settings), client)
            assert summary.status == "finished", summary.message
        yield store


@pytest.mark.slow
def test_every_figure_of_the_embedded_model_equals_sql(embedded: Store) -> None:
    found = report(embedded)
    assert_every_figure(embedded, found)
    assert_cells_lead_to_their_questions(embedded, found)
    swept = rows(found, "sweeps")
    assert [(row.cells["format"], row.cells["temperature"]) for row in swept] == [
        *(("low", temperature) for temperature in (0.7, 1.5)),
        *(("middle", temperature) for temperature in (0.7, 1.5)),
    ]
    for row in swept:
        (same,) = (one for one in rows(found, "accuracy") if key_of(one) == key_of(row))
        assert same.cells.items() <= row.cells.items()
    for cold, hot in (swept[:2], swept[2:]):
        assert cold.cells["greedy"] == hot.cells["greedy"]
        assert cold.cells["entropy"] < hot.cells["entropy"]
