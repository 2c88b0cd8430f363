"""The sweep study against plain Python over the raw tables, and on the embedded model."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from engine.browse import list_ids
from engine.client import WorkerClient
from engine.demo import EMBEDDED_MODEL, QUESTIONS
from engine.errors import LogitscopeError
from engine.followups import rerun
from engine.metrics.intervals import wilson_interval
from engine.records import ProbeSettings
from engine.runs import execute, plan_run
from engine.store import Store, open_store
from engine.studies import Report, Scope, study
from engine.studies.report import Row
from engine.sweeps import parse_sweep, sweep_plans
from tests.fake_worker import fake_command
from tui.reports import shown

COUNT = 14
CLOSE = 1e-9
RESAMPLES = 100
SETTINGS = ProbeSettings(samples=3, max_new_tokens=12)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerClient]:
    log = tmp_path_factory.mktemp("sweeps") / "worker.log"
    with WorkerClient(log_path=log, command=fake_command(), niceness=0) as client:
        yield client


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """Questions with two to five options; every fifth has no right one."""
    path = tmp_path / "quiz.jsonl"
    lines = [
        {
            "question": f"What is {i}?",
            "choices": [f"{i + k}" for k in range(4 if i % 3 else 2 + i % 4)],
            "answer": i % 2 if i % 5 else None,
        }
        for i in range(COUNT)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "sweeps.duckdb") as opened:
        yield opened


def sweep(
    store: Store,
    client: WorkerClient,
    questions: Path,
    text: str,
    fmt: str = "example",
    **how: Any,
) -> list[int]:
    """Ask a sweep; the ids of its runs."""
    plan = plan_run("fake", str(questions), [fmt], SETTINGS, **how)
    return [execute(store, each, client).run_id for each in sweep_plans(plan, *parse_sweep(text))]


def report(store: Store, *runs: int, **scope: Any) -> Report:
    asked = Scope(runs=runs, resamples=RESAMPLES, **scope)
    return study("sweep").report(store.reader(), asked)


def rows(found: Report, name: str) -> list[Row]:
    return [row for table in found.tables if table.name == name for row in table.rows]


def raw(store: Store, run_id: int, condition: str = "true") -> list[dict[str, Any]]:
    """The probes of a point with their readings, as plain values."""
    cursor = store.reader()
    cursor.execute(
        f"SELECT * FROM probes WHERE run_id = {run_id} AND {condition} ORDER BY probe_id"
    )
    names = [column[0] for column in cursor.description or ()]
    probes = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
    for probe in probes:
        found = cursor.execute(
            "SELECT name, sample, status, label FROM readings WHERE probe_id = ?",
            [probe["probe_id"]],
        ).fetchall()
        by_name = {name: (status, label) for name, sample, status, label in found if sample is None}
        probe["first"] = by_name["first_token"][1]
        probe["text"] = by_name["greedy_text"]
        probe["argmax"] = by_name["vocab_argmax"]
        probe["samples"] = [label for name, _, _, label in found if name == "sample_text"]
        probe["masses"] = [math.exp(logprob) for logprob in probe["label_logprobs"]]
        probe["option"] = probe["permutation"][probe["labels"].index(probe["first"])]
        status, label = probe["text"]
        probe["said"] = probe["permutation"][probe["labels"].index(label)] if label else status
    return probes


def mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def close(one: Any, other: float | None) -> bool:
    return one == other or (
        one is not None and other is not None and math.isclose(one, other, abs_tol=1e-6)
    )


POINTS = {
    "example-letter=C,A,B,A/B/C": [
        ("C", "format = 'example'"),
        ("A", "format = 'example:example_letter=A'"),
        ("B", "format = 'example:example_letter=B'"),
        ("A/B/C", "format = 'example:example_letter=A/B/C'"),
    ],
    "orders=3": [
        ("as written", "order_index = 0"),
        ("order 1", "order_index = 1"),
        ("order 2", "order_index = 2"),
    ],
    "label-style=A.,1.": [
        ("A.", "format = 'example'"),
        ("1.", "format = 'example:label_style=1.'"),
    ],
}


@pytest.mark.parametrize("text", POINTS)
def test_points_against_the_raw_tables(
    store: Store, client: WorkerClient, questions: Path, text: str
) -> None:
    orders = 1 if text.startswith("orders") else 2
    (run_id,) = sweep(store, client, questions, text, orders=orders)
    found = report(store)
    points = rows(found, "points")
    assert [row.cells["point"] for row in points] == [label for label, _ in POINTS[text]]
    everything = [raw(store, run_id, condition) for _, condition in POINTS[text]]

    def key(probe: dict[str, Any]) -> tuple[int, int]:
        return probe["question_index"], 0 if text.startswith("orders") else probe["order_index"]

    first = {key(probe): probe for probe in everything[0]}
    for row, probes in zip(points, everything, strict=True):
        cells = row.cells
        assert cells["n"] == len(probes) == COUNT * orders
        graded = [probe for probe in probes if probe["gold"]]
        assert 0 < len(graded) < len(probes)
        counted = {
            "accuracy_first_token": [probe["first"] == probe["gold"] for probe in graded],
            "accuracy_text": [probe["text"][1] == probe["gold"] for probe in graded],
            "mismatch_rate": [probe["text"][1] != probe["first"] for probe in probes],
            "refusal_rate": [probe["text"][0] == "refusal" for probe in probes],
            "off_option_rate": [probe["argmax"][1] is None for probe in probes],
        }
        if row is not points[0]:
            pairs = [(probe, first[key(probe)]) for probe in probes]
            counted["flips_first_token_rate"] = [a["option"] != b["option"] for a, b in pairs]
            counted["flips_text_rate"] = [a["said"] != b["said"] for a, b in pairs]
        else:
            assert cells.get("flips_first_token_rate") is cells.get("flips_text_rate") is None
        for name, hits in counted.items():
            assert cells[name] == sum(hits) / len(hits), name
            interval = cells[f"{name.removesuffix('_rate')}_interval"]
            assert interval == wilson_interval(sum(hits), len(hits)), name
            assert len(list_ids(store, run_id, condition=row.behind(name))) == sum(hits), name
        assert len(list_ids(store, run_id, condition=row.behind("n"))) == len(probes)
        assert close(cells["option_mass"], mean([sum(probe["masses"]) for probe in probes]))
        assert close(cells["entropy"], mean([probe["entropy"] for probe in probes]))
        right = [np.mean([s == p["gold"] for s in p["samples"]]) for p in graded]
        assert close(cells["sample_right"], mean([float(share) for share in right]))
        low, high = cells["option_mass_interval"]  # type: ignore[misc]
        assert low <= cells["option_mass"] <= high


@pytest.mark.parametrize("text", POINTS)
def test_letters_against_the_raw_tables(
    store: Store, client: WorkerClient, questions: Path, text: str
) -> None:
    (run_id,) = sweep(store, client, questions, text)
    found = report(store)
    everything = [raw(store, run_id, condition) for _, condition in POINTS[text]]
    first = {probe["question_index"]: probe["masses"] for probe in everything[0]}
    letters, shifts = rows(found, "letters"), rows(found, "shifts")
    assert [row.cells["point"] for row in shifts] == [row.cells["point"] for row in letters[1:]]
    for number, probes in enumerate(everything):
        for place, label in enumerate("ABCDE"):
            there = [probe for probe in probes if place < len(probe["masses"])]
            assert there
            here = mean([probe["masses"][place] for probe in there])
            assert close(letters[number].cells[label], here)
            if number:
                moved = [
                    probe["masses"][place] - first[probe["question_index"]][place]
                    for probe in there
                ]
                cells = shifts[number - 1].cells
                assert close(cells[label], mean(moved))
                if len(there) > 1:
                    low, high = cells[f"{label}_interval"]  # type: ignore[misc]
                    assert low - CLOSE <= cells[label] <= high + CLOSE
    drawing = [plot.title for plot in found.plots][:-2]
    assert bool(drawing) == text.startswith("example-letter")
    masses, right = found.plots[-2:]
    assert masses.title.startswith("Probability of each label over ")
    assert right.title.startswith("Right answers over ")
    assert [series.name for series in masses.series] == list("ABCDE")
    assert masses.series[1].y == tuple(row.cells["B"] for row in letters)


# The example's letter


def test_what_a_letter_draws(store: Store, client: WorkerClient, questions: Path) -> None:
    """Masses made up so that a letter shown alone draws 0.1, and one of three 0.05."""
    text = "example-letter=C,A,D,A/B/C"
    (run_id,) = sweep(store, client, questions, text)
    base = [0.1, 0.12, 0.14, 0.16, 0.18]
    shown = {
        "example": "C",
        "example:example_letter=A": "A",
        "example:example_letter=D": "D",
        "example:example_letter=A/B/C": "ABC",
    }
    cursor = store.reader()
    for probe in raw(store, run_id):
        letters = shown[probe["format"]]
        each = 0.1 if len(letters) == 1 else 0.05
        masses = [
            mass + each * (label in letters)
            for mass, label in zip(base, probe["labels"], strict=False)
        ]
        logprobs = [math.log(mass) for mass in masses]
        cursor.execute(
            "UPDATE probes SET label_logprobs = ?::FLOAT[] WHERE probe_id = ?",
            [logprobs, probe["probe_id"]],
        )
    found = rows(report(store), "drawn")
    labels = [probe["labels"] for probe in raw(store, run_id, "format = 'example'")]
    has = {letter: sum(letter in each for each in labels) for letter in "ABCDE"}
    expected = {
        # Mass of the letters shown, and where others are shown: only such points count.
        "C": (has["C"], 0.14 + 0.1, 0.14),
        "A": (has["A"], 0.1 + 0.1, 0.1),
        "D": (has["D"], 0.16 + 0.1, 0.16),
        "A/B/C": (has["C"], 0.1 + 0.12 + 0.14 + 3 * 0.05, 0.1 + 0.12 + 0.14),
    }
    # C is shown by C and A/B/C; else are A and D. A/B/C has none but D.
    assert [row.cells["point"] for row in found] == list(expected)
    for row, (n, here, elsewhere) in zip(found, expected.values(), strict=True):
        assert row.cells["n"] == n
        assert close(row.cells["shown"], here)
        assert close(row.cells["elsewhere"], elsewhere)
        assert close(row.cells["drawn"], here - elsewhere)
        low, high = row.cells["drawn_interval"]  # type: ignore[misc]
        assert low == pytest.approx(here - elsewhere, abs=1e-6)
        assert high == pytest.approx(here - elsewhere, abs=1e-6)
    shown_bars, other_bars = report(store).plots[0].series
    assert shown_bars.y == tuple(row.cells["shown"] for row in found)
    assert other_bars.y == tuple(row.cells["elsewhere"] for row in found)
    shifts = rows(report(store), "shifts")
    assert close(shifts[0].cells["A"], 0.1)
    assert close(shifts[0].cells["C"], -0.1)
    assert close(shifts[0].cells["B"], 0.0)


def test_only_letters_draw(store: Store, client: WorkerClient, questions: Path) -> None:
    sweep(store, client, questions, "label-style=A.,(A)")
    assert not rows(report(store), "drawn")
    sweep(store, client, questions, "example-letter=Z,A")
    (only,) = {row.cells["point"] for row in rows(report(store), "points")} & {"Z"}
    assert only == "Z"
    assert not rows(report(store), "drawn")


# Runs


def test_the_sampler_moves_samples_only(
    store: Store, client: WorkerClient, questions: Path
) -> None:
    runs = sweep(store, client, questions, "temperature=0,1,2", "low")
    assert len(runs) == 3
    found = report(store)
    points = rows(found, "points")
    assert [(row.run_id, row.cells["point"]) for row in points] == list(
        zip(runs, ("0", "1", "2"), strict=True)
    )
    assert not rows(found, "letters")
    assert not rows(found, "shifts")
    assert all(row.cells.get("flips_text_rate") is None for row in points)
    for row in points:
        assert row.run_id is not None
        said: dict[int, list[str]] = defaultdict(list)
        shares = []
        for probe in raw(store, row.run_id):
            said[probe["probe_id"]] = probe["samples"]
            if probe["gold"]:
                shares.append(float(np.mean([s == probe["gold"] for s in probe["samples"]])))
        assert close(row.cells["sample_right"], mean(shares))
        ((agreement,),) = (
            store.reader()
            .execute(
                "SELECT avg(confidence::DOUBLE) FROM readings JOIN probes USING (probe_id) "
                f"WHERE name = 'majority' AND run_id = {row.run_id}"
            )
            .fetchall()
        )
        assert close(row.cells["agreement"], agreement)
    (plot,) = found.plots
    assert [series.name for series in plot.series] == ["first token", "text", "samples"]


def test_sweeps_are_told_apart(store: Store, client: WorkerClient, questions: Path) -> None:
    """Again, with another model setting, or with two formats: sweeps of their own."""
    once = sweep(store, client, questions, "temperature=0,1", "low")
    again = sweep(store, client, questions, "temperature=0,1", "low")
    limited = sweep(store, client, questions, "temperature=0,1", "low", limit=5)
    plan = plan_run("fake", str(questions), ["low", "high"], SETTINGS)
    both = [
        execute(store, each, client).run_id
        for each in sweep_plans(plan, *parse_sweep("temperature=0,1"))
    ]
    execute(store, plan, client)
    letters = sweep(store, client, questions, "example-letter=A,C")
    points = [(row.run_id, row.cells["format"]) for row in rows(report(store), "points")]
    assert points == [
        *((run, "low") for run in (*once, *again, *limited)),
        *((run, "low") for run in both),
        *((run, "high") for run in both),
        (letters[0], "example:example_letter=A"),
        (letters[0], "example"),
    ]
    assert [row.run_id for row in rows(report(store, *again), "points")] == again


def test_what_is_no_sweep(store: Store, client: WorkerClient, questions: Path) -> None:
    plan = plan_run("fake", str(questions), ["low"], SETTINGS, limit=2)
    execute(store, plan, client)
    with pytest.raises(LogitscopeError, match="None of these runs is a sweep"):
        report(store)
    (run_id,) = sweep(store, client, questions, "example-letter=A,C", limit=2)
    ((probe_id,),) = (
        store.reader()
        .execute(f"SELECT min(probe_id) FROM probes WHERE run_id = {run_id}")
        .fetchall()
    )
    rerun(store, probe_id, client)
    assert {row.run_id for row in rows(report(store), "points")} == {run_id}


def test_an_unfinished_sweep_shows_what_is_there(
    store: Store, client: WorkerClient, questions: Path
) -> None:
    (run_id,) = sweep(store, client, questions, "example-letter=C,A,B")
    for table in ("outcomes", "probes"):
        store.reader().execute(
            f"DELETE FROM {table} WHERE run_id = {run_id} AND format LIKE '%=B' "
            f"OR format LIKE '%=A' AND question_index > 4"
        )
    points = rows(report(store), "points")
    assert [(row.cells["point"], row.cells["n"]) for row in points] == [("C", COUNT), ("A", 5)]
    assert 0 <= points[1].cells["flips_text_rate"] <= 1  # type: ignore[operator]


def test_people_have_the_last_word(store: Store, client: WorkerClient, questions: Path) -> None:
    (run_id,) = sweep(store, client, questions, "example-letter=C,A")
    wrong = next(
        probe
        for probe in raw(store, run_id, "format = 'example'")
        if probe["gold"] and probe["text"][1] != probe["gold"]
    )
    before = rows(report(store), "points")[0].cells["accuracy_text"]
    store.set_override(wrong["probe_id"], "option", wrong["gold"])
    after = rows(report(store), "points")[0]
    graded = len([probe for probe in raw(store, run_id, "format = 'example'") if probe["gold"]])
    assert close(after.cells["accuracy_text"], before + 1 / graded)  # type: ignore[operator]
    assert rows(report(store, text="reading"), "points")[0].cells["accuracy_text"] == before
    ids = list_ids(store, run_id, condition=after.behind("accuracy_text"))
    assert wrong["probe_id"] in ids


def test_warnings_that_set_points_apart(
    store: Store, client: WorkerClient, questions: Path
) -> None:
    """What every prompt carries is no difference; what some carry is told."""
    (run_id,) = sweep(store, client, questions, "example-letter=C,A")
    assert report(store).notes == ()
    store.reader().execute(
        "UPDATE probes SET warnings = list_append(warnings, "
        "{'code': 'truncated', 'message': '7 tokens were cut.'}) "
        f"WHERE run_id = {run_id} AND format LIKE '%=A' AND question_index < 3"
    )
    assert report(store).notes == (
        f"Run {run_id}, example letter A: 3 of {COUNT} prompts carry the warning truncated: "
        "7 tokens were cut.",
    )


def test_differences_are_read_in_points() -> None:
    assert [shown(value, "points") for value in (0.0341, -0.0341, 0.0, -0.0004, None)] == [
        *("+3.4", "-3.4", "0.0", "0.0", "–"),
    ]
    assert shown((-0.0123, 0.25), "points_interval") == "-1.2 to +25.0"


# With the embedded model


@pytest.mark.slow
def test_figure_3_on_the_embedded_model(store: Store, tmp_path: Path) -> None:
    """The letters that the example shows, with their probability from the stored logprobs."""
    settings = ProbeSettings(samples=0, max_new_tokens=4)
    source = str(dict(QUESTIONS)["Knowledge questions"])
    base = plan_run(str(EMBEDDED_MODEL), source, ["example"], settings, limit=24, device="cpu")
    (plan,) = sweep_plans(base, *parse_sweep("example-letter"))
    with WorkerClient(log_path=tmp_path / "real.log", niceness=0) as worker:
        summary = execute(store, plan, worker)
    assert (summary.status, summary.failed) == ("finished", 0), summary.message
    found = report(store)
    points = [row.cells["point"] for row in rows(found, "points")]
    assert points == ["C", "A", "B", "D", "A/B/C"]
    prompts = store.reader().execute("SELECT format, prompt FROM probes").fetchall()
    for name, prompt in prompts:
        assert f"\nAnswer: {name.partition('example_letter=')[2] or 'C'} \n" in prompt
    by_point: dict[Any, dict[int, list[float]]] = defaultdict(dict)
    labels = {fmt.name: label for label, fmt in zip(points, plan.formats, strict=True)}
    for probe in raw(store, summary.run_id):
        by_point[labels[probe["format"]]][probe["question_index"]] = probe["masses"]
    for row in rows(found, "drawn"):
        assert row.cells["drawn_interval"][0] > 0, "the letter draws mass to itself"
        letters = {"ABCD".index(letter) for letter in str(row.cells["point"]).split("/")}
        others = [
            label
            for label in points
            if not letters & {"ABCD".index(letter) for letter in label.split("/")}
        ]
        differences = [
            sum(masses[place] for place in letters)
            - float(np.mean([sum(by_point[o][at][place] for place in letters) for o in others]))
            for at, masses in by_point[row.cells["point"]].items()
            if max(letters) < len(masses)
        ]
        assert close(row.cells["drawn"], mean(differences))
    assert (
        msgspec.json.decode(store.reader().execute("SELECT settings FROM runs").fetchall()[0][0])[
            "sweep"
        ]["axis"]
        == "example-letter"
    )
