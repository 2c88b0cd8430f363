"""Runs: what is stored, and that nothing is lost or doubled when something goes wrong."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.client import WorkerClient
from engine.errors import FormatError, LogitscopeError, ModelError, QuestionError, StoreError
from engine.execution import RATE_WINDOW, RunProgress, _Rate
from engine.flags import FLAGS
from engine.formats import PromptFormat, load_format
from engine.perturb import Perturbation, reorder
from engine.planning import CHUNK, RunPlan, check_weights
from engine.questions import Question
from engine.readings import Reading, read_probe
from engine.records import ProbeSettings, SamplerSettings
from engine.rows import StoredProbe
from engine.runs import execute, plan_run, probe_one, render_one
from engine.store import Store, open_store
from tests.fake_worker import fake_command

FORMATS = ("low", "high")
SETTINGS = ProbeSettings(samples=2)
COUNT = 6

Start = Callable[..., WorkerClient]


def write_questions(folder: Path, count: int, name: str = "quiz") -> Path:
    path = folder / f"{name}.jsonl"
    lines = (
        {"question": f"What is {i}?", "choices": [f"{i}", f"{i + 1}", "None"], "answer": i % 3}
        for i in range(count)
    )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write_questions(tmp_path, COUNT)


@pytest.fixture
def plan(questions: Path) -> RunPlan:
    return plan_run("fake", str(questions), FORMATS, SETTINGS, orders=2)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "runs.duckdb") as opened:
        yield opened


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Make clients of fake workers; every one is closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(*arguments: str) -> WorkerClient:
            command = fake_command(*arguments)
            client = WorkerClient(log_path=tmp_path / "worker.log", command=command, niceness=0)
            return stack.enter_context(client)

        yield make


def fetch(store: Store, query: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = store.reader().execute(query).fetchall()
    return rows


def probe_keys(store: Store, run_id: int) -> list[tuple[Any, ...]]:
    query = f"SELECT question_index, format, order_index FROM probes WHERE run_id = {run_id}"
    return fetch(store, query)


def every_key(plan: RunPlan) -> set[tuple[int, str, int]]:
    return {(p.question_index, p.item.format, p.item.order) for p in plan.probes()}


def assert_whole(store: Store, plan: RunPlan, run_id: int) -> None:
    """Every probe of the plan is there exactly once, with all that belongs to it."""
    keys = probe_keys(store, run_id)
    assert len(keys) == plan.planned
    assert set(keys) == every_key(plan)
    generations = plan.planned * (1 + plan.settings.samples)
    for table, rows in (("outcomes", plan.planned), ("generations", generations)):
        counted = fetch(
            store,
            f"SELECT count(*) FROM {table} SEMI JOIN "
            f"(FROM probes WHERE run_id = {run_id}) USING (probe_id)",
        )
        assert counted == [(rows,)]
    assert fetch(store, f"SELECT status FROM runs WHERE run_id = {run_id}") == [("finished",)]


def answers(store: Store, run_id: int) -> list[tuple[Any, ...]]:
    """All that was read, in an order that does not depend on when it was stored."""
    return fetch(
        store,
        "SELECT question_index, format, order_index, name, sample, status, label, rule "
        f"FROM readings JOIN probes USING (probe_id) WHERE run_id = {run_id} ORDER BY ALL",
    )


def stop_when(
    stop: threading.Event, condition: Callable[[RunProgress], bool]
) -> Callable[[RunProgress], None]:
    def watch(progress: RunProgress) -> None:
        if condition(progress):
            stop.set()

    return watch


# A run that goes well


def test_a_run_stores_every_probe_once(store: Store, plan: RunPlan, start: Start) -> None:
    told: list[RunProgress] = []
    summary = execute(store, plan, start(), on_progress=told.append)
    assert (summary.status, summary.stored, summary.failed) == ("finished", plan.planned, 0)
    assert summary.message is None
    assert plan.planned == COUNT * len(FORMATS) * 2
    assert_whole(store, plan, summary.run_id)
    assert told[0].run_id is None
    assert told[0].stage == "loading the fake"
    assert "This model is a fake." in [progress.note for progress in told]


def test_options_are_stored_as_shown(store: Store, plan: RunPlan, start: Start) -> None:
    execute(store, plan, start())
    shown = {(p.question_index, p.item.order): p for p in plan.probes()}
    rows = fetch(store, "SELECT question_index, order_index, permutation, labels, gold FROM probes")
    moved = 0
    for index, order, permutation, labels, gold in rows:
        planned = shown[index, order]
        assert tuple(permutation) == planned.permutation
        assert tuple(labels) == planned.item.question.labels
        assert gold == planned.item.question.gold
        moved += list(permutation) != sorted(permutation)
        assert order == 1 or list(permutation) == sorted(permutation)
    assert moved


def test_two_runs_of_a_plan_read_the_same(store: Store, plan: RunPlan, start: Start) -> None:
    client = start()
    first, second = execute(store, plan, client), execute(store, plan, client)
    assert first.run_id != second.run_id
    assert answers(store, first.run_id) == answers(store, second.run_id)
    assert len(answers(store, first.run_id)) > plan.planned


def test_the_plan_is_stored_whole(store: Store, plan: RunPlan, start: Start) -> None:
    run_id = execute(store, plan, start()).run_id
    ((settings, fingerprint, planned),) = fetch(
        store, f"SELECT settings, fingerprint, planned FROM runs WHERE run_id = {run_id}"
    )
    stored = msgspec.json.decode(settings, type=RunPlan)
    assert msgspec.structs.replace(stored, questions=plan.questions) == plan
    assert (fingerprint, planned) == (plan.fingerprint, plan.planned)


def test_results_are_stored_while_the_run_goes(
    store: Store, questions: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_run("fake", str(questions), ["low"], SETTINGS, limit=6)
    sizes: list[int] = []
    write = Store.write

    def counting(self: Store, run_id: int, probes: Sequence[StoredProbe]) -> list[int]:
        sizes.append(len(probes))
        return write(self, run_id, probes)

    monkeypatch.setattr(Store, "write", counting)
    # Answers come twice as slowly as what is done is written, so no two share a batch; on a
    # machine that stalls, some may.
    execute(store, plan, start("--delay", "0.5"))
    assert sum(sizes) == 6
    assert len(sizes) >= 3


def test_progress_counts_up_and_says_how_long(store: Store, plan: RunPlan, start: Start) -> None:
    told: list[RunProgress] = []
    execute(store, plan, start("--delay", "0.02"), on_progress=told.append)
    assert told[-1].done == plan.planned
    done = [progress.done for progress in told]
    assert done == sorted(done)
    going = [progress for progress in told if 0 < progress.done < plan.planned]
    assert going
    for progress in going:
        assert progress.rate > 0
        assert progress.eta_s == pytest.approx((plan.planned - progress.done) / progress.rate)


@pytest.mark.parametrize(("enough", "told_of"), [(1, FORMATS), (2, ())])
def test_one_answer_to_every_question_is_worth_a_word(
    store: Store, questions: Path, start: Start, monkeypatch, enough: int, told_of: tuple[str, ...]
) -> None:
    monkeypatch.setattr("engine.execution.SUSPICIOUS", enough)
    told: list[str] = []
    plan = plan_run("fake", str(questions), FORMATS, SETTINGS, limit=1)
    execute(store, plan, start(), on_progress=lambda progress: told.append(progress.note))
    about = [note for note in told if "to every question" in note]
    assert sorted(note.split()[2] for note in about) == sorted(told_of)


def test_different_answers_are_no_surprise(store: Store, plan: RunPlan, start: Start, monkeypatch):
    monkeypatch.setattr("engine.execution.SUSPICIOUS", 2)
    told: list[str] = []
    execute(store, plan, start(), on_progress=lambda progress: told.append(progress.note))
    assert not [note for note in told if "to every question" in note]


def test_a_repetition_penalty_comes_with_a_warning(
    store: Store, questions: Path, start: Start
) -> None:
    settings = msgspec.structs.replace(SETTINGS, sampler=SamplerSettings(repetition_penalty=1.2))
    told: list[str] = []
    plan = plan_run("fake", str(questions), FORMATS, settings, limit=1)
    execute(store, plan, start(), on_progress=lambda progress: told.append(progress.note))
    assert [note for note in told if "repetition penalty" in note]


@pytest.mark.parametrize(("samples", "told"), [(1, 0), (2, 1)])
def test_samples_that_must_be_alike_come_with_a_word(
    questions: Path, samples: int, told: int
) -> None:
    settings = ProbeSettings(samples=samples, sampler=SamplerSettings(temperature=0))
    plan = plan_run("fake", str(questions), FORMATS, settings)
    assert (
        len([note for note in plan.notes if "all samples of a prompt are the same" in note]) == told
    )


def test_the_rate_speaks_of_the_recent_past() -> None:
    rate = _Rate(100.0, 50)
    assert rate.value(101.0) == 0
    rate.add(102.0, 54)
    assert rate.value(102.0) == pytest.approx(2.0)
    assert rate.value(104.0) == pytest.approx(1.0)
    for second in range(1, 100):
        rate.add(102.0 + second, 54 + 10 * second)
    assert rate.value(201.0) == pytest.approx(10.0, rel=0.05)
    assert RATE_WINDOW < 99


def test_a_slow_model_has_a_rate_too() -> None:
    rate = _Rate(0.0, 0)
    rate.add(200.0, 1)
    rate.add(400.0, 2)
    assert rate.value(400.0) == pytest.approx(1 / 200)


# Stopping and going on


def test_a_cancelled_run_can_be_resumed(store: Store, plan: RunPlan, start: Start) -> None:
    stop = threading.Event()
    client = start("--delay", "0.2")
    watch = stop_when(stop, lambda progress: progress.done >= 2)
    cancelled = execute(store, plan, client, on_progress=watch, stop=stop)
    assert cancelled.status == "cancelled"
    assert 2 <= cancelled.stored < plan.planned
    assert len(probe_keys(store, cancelled.run_id)) == cancelled.stored
    assert client.alive

    told: list[RunProgress] = []
    resumed = execute(store, plan, start(), resume=True, on_progress=told.append)
    assert resumed.run_id == cancelled.run_id
    assert (resumed.status, resumed.stored) == ("finished", plan.planned)
    assert told[0].done == cancelled.stored
    assert_whole(store, plan, resumed.run_id)


def test_a_resumed_run_reads_like_an_undisturbed_one(
    store: Store, plan: RunPlan, start: Start
) -> None:
    stop = threading.Event()
    watch = stop_when(stop, lambda progress: progress.done >= 2)
    execute(store, plan, start("--delay", "0.2"), on_progress=watch, stop=stop)
    client = start()
    resumed = execute(store, plan, client, resume=True)
    undisturbed = execute(store, plan, client)
    assert answers(store, resumed.run_id) == answers(store, undisturbed.run_id)


def test_cancelling_while_loading_stores_nothing(store: Store, plan: RunPlan, start: Start) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(LogitscopeError, match="cancelled before"):
        execute(store, plan, start(), stop=stop)
    assert fetch(store, "SELECT count(*) FROM runs") == [(0,)]


def test_nothing_to_resume_is_said(store: Store, plan: RunPlan, start: Start) -> None:
    client = start()
    with pytest.raises(LogitscopeError, match="nothing to resume"):
        execute(store, plan, client, resume=True)
    execute(store, plan, client)
    with pytest.raises(LogitscopeError, match="nothing to resume"):
        execute(store, plan, client, resume=True)


def test_another_plan_is_not_resumed(
    store: Store, plan: RunPlan, questions: Path, start: Start
) -> None:
    stop = threading.Event()
    stop_at_two = stop_when(stop, lambda progress: progress.done >= 2)
    execute(store, plan, start("--delay", "0.2"), on_progress=stop_at_two, stop=stop)
    hotter = ProbeSettings(samples=2, sampler=SamplerSettings(temperature=2.0))
    other = plan_run("fake", str(questions), FORMATS, hotter, orders=2)
    with pytest.raises(LogitscopeError, match="nothing to resume"):
        execute(store, other, start(), resume=True)


def test_another_model_does_not_go_on(store: Store, plan: RunPlan, start: Start) -> None:
    stop = threading.Event()
    watch = stop_when(stop, lambda progress: progress.done >= 2)
    execute(store, plan, start("--delay", "0.2"), on_progress=watch, stop=stop)
    with pytest.raises(LogitscopeError, match=r"number of parameters 0, now it is 7"):
        execute(store, plan, start("--parameters", "7"), resume=True)
    ((status,),) = fetch(store, "SELECT status FROM runs")
    assert status == "cancelled"


def test_questions_that_stand_twice_in_the_file_are_asked_twice(
    store: Store, tmp_path: Path, start: Start
) -> None:
    path = write_questions(tmp_path, 2)
    path.write_text(path.read_text() * 2)
    plan = plan_run("fake", str(path), ["low"], SETTINGS)
    stop = threading.Event()
    watch = stop_when(stop, lambda progress: progress.done >= 1)
    execute(store, plan, start("--delay", "0.5"), on_progress=watch, stop=stop)
    summary = execute(store, plan, start(), resume=True)
    assert summary.stored == plan.planned == 4
    assert_whole(store, plan, summary.run_id)


FRONT = """
import sys
from pathlib import Path
from engine.client import WorkerClient
from engine.runs import execute, plan_run
from engine.store import open_store
from tests.fake_worker import fake_command
from tests.test_runs import FORMATS, SETTINGS
folder = Path(sys.argv[1])
plan = plan_run("fake", str(folder / "quiz.jsonl"), FORMATS, SETTINGS, orders=2)
command = fake_command("--delay", "0.2")
client = WorkerClient(log_path=folder / "worker.log", command=command, niceness=0)
with open_store(folder / "runs.duckdb") as store:
    execute(store, plan, client, on_progress=lambda p: print(p.done, client.pid, flush=True))
"""


@pytest.mark.parametrize("victim", ["front", "worker"])
def test_a_killed_process_loses_and_doubles_nothing(
    victim: str, tmp_path: Path, plan: RunPlan, start: Start
) -> None:
    """A front killed in the middle leaves a run to resume; a killed worker is replaced."""
    script = [sys.executable, "-c", FRONT, str(tmp_path)]
    root = Path(__file__).parents[1]
    seen = 0
    with subprocess.Popen(script, stdout=subprocess.PIPE, cwd=root, text=True) as front:
        assert front.stdout is not None
        for line in front.stdout:
            done, pid = map(int, line.replace("None", "0").split())
            if seen < 3 <= done:
                os.kill(front.pid if victim == "front" else pid, signal.SIGKILL)
            seen = done
    assert front.returncode == (-signal.SIGKILL if victim == "front" else 0)
    with open_store(tmp_path / "runs.duckdb") as store:
        if victim == "front":
            ((run_id, status),) = fetch(store, "SELECT run_id, status FROM runs")
            assert status == "interrupted"
            stored = len(probe_keys(store, run_id))
            assert seen <= stored < plan.planned
            summary = execute(store, plan, start(), resume=True)
            assert (summary.run_id, summary.stored) == (run_id, plan.planned)
        assert_whole(store, plan, 1)


# A worker that fails


def test_a_worker_that_dies_is_replaced(
    store: Store, plan: RunPlan, start: Start, tmp_path: Path
) -> None:
    victim = plan.questions[5].id
    told: list[RunProgress] = []
    client = start("--kill-once", victim, str(tmp_path / "witness"))
    summary = execute(store, plan, client, on_progress=told.append)
    assert (summary.status, summary.failed) == ("finished", 0)
    assert_whole(store, plan, summary.run_id)
    assert any("signal 9" in progress.note for progress in told)


def test_a_question_that_kills_the_worker_is_left_out(
    store: Store, plan: RunPlan, start: Start
) -> None:
    victim = plan.questions[5].id
    summary = execute(store, plan, start("--kill", victim))
    lost = len(FORMATS) * plan.orders
    assert (summary.status, summary.failed) == ("finished", lost)
    assert summary.stored == plan.planned - lost
    assert {index for index, _, _ in every_key(plan) - set(probe_keys(store, summary.run_id))} == {
        5
    }
    assert "question 5" in (summary.message or "")
    assert "signal 9" in (summary.message or "")


def test_a_worker_that_dies_at_everything_ends_the_run(
    store: Store, plan: RunPlan, start: Start
) -> None:
    kills = [part for question in plan.questions for part in ("--kill", question.id)]
    summary = execute(store, plan, start(*kills))
    assert (summary.status, summary.stored) == ("failed", 0)
    assert "signal 9" in (summary.message or "")
    assert "smaller batch size" in (summary.message or "")
    assert fetch(store, "SELECT status, message FROM runs") == [("failed", summary.message)]
    resumed = execute(store, plan, start(), resume=True)
    assert_whole(store, plan, resumed.run_id)


def test_a_worker_that_is_given_too_much_gets_less(
    store: Store, plan: RunPlan, start: Start
) -> None:
    told: list[RunProgress] = []
    client = start("--kill-above", "5")
    summary = execute(store, plan, client, on_progress=told.append)
    assert summary.failed == 0
    assert_whole(store, plan, summary.run_id)
    # 12 probes are too many, then 6; with 3 at a time it goes on.
    assert len([progress for progress in told if "signal 9" in progress.note]) == 2


def test_a_worker_that_dies_between_runs_is_replaced(
    store: Store, plan: RunPlan, start: Start
) -> None:
    client = start()
    execute(store, plan, client)
    assert client.pid is not None
    os.kill(client.pid, signal.SIGKILL)
    summary = execute(store, plan, client)
    assert_whole(store, plan, summary.run_id)


def test_a_closed_client_ends_the_run(store: Store, plan: RunPlan, start: Start) -> None:
    client = start("--delay", "0.1")

    def close_early(progress: RunProgress) -> None:
        if progress.done:
            client.close()

    summary = execute(store, plan, client, on_progress=close_early)
    assert summary.status == "failed"
    assert "closed" in (summary.message or "")
    assert len(probe_keys(store, summary.run_id)) == summary.stored >= 1


def test_questions_that_cannot_be_rendered_are_named(
    store: Store, plan: RunPlan, start: Start
) -> None:
    bad = plan.questions[3].id
    summary = execute(store, plan, start("--fail", bad))
    lost = len(FORMATS) * plan.orders
    assert (summary.status, summary.failed) == ("finished", lost)
    assert summary.stored == plan.planned - lost
    assert summary.message == (
        f"{lost} probes could not be made; the first: question 3, format low, order 0: "
        f"The format low can't show {bad}."
    )


def test_a_probe_that_breaks_does_not_take_its_job_along(
    store: Store, plan: RunPlan, start: Start
) -> None:
    summary = execute(store, plan, start("--break", plan.questions[0].id))
    lost = len(FORMATS) * plan.orders
    assert (summary.status, summary.failed) == ("finished", lost)
    assert summary.stored == plan.planned - lost
    assert "This question breaks the probe." in (summary.message or "")


def test_answers_that_trip_the_rules_cost_one_probe(
    store: Store, plan: RunPlan, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(question: Question, *rest: Any, **options: Any) -> list[Reading]:
        if question.text == "What is 4?":
            raise ZeroDivisionError("a bug")
        return read_probe(question, *rest, **options)

    monkeypatch.setattr("engine.single.read_probe", read)
    summary = execute(store, plan, start())
    lost = len(FORMATS) * plan.orders
    assert (summary.status, summary.failed) == ("finished", lost)
    assert summary.stored == plan.planned - lost
    assert "could not be read: ZeroDivisionError" in (summary.message or "")


def test_a_run_in_which_nothing_works_has_failed(store: Store, plan: RunPlan, start: Start) -> None:
    fails = [part for question in plan.questions for part in ("--fail", question.id)]
    summary = execute(store, plan, start(*fails))
    assert (summary.status, summary.stored, summary.failed) == ("failed", 0, plan.planned)


def test_a_model_that_cannot_be_loaded_leaves_no_run(
    store: Store, plan: RunPlan, start: Start
) -> None:
    with pytest.raises(LogitscopeError, match="no model in fake"):
        execute(store, plan, start("--load-error"))
    assert fetch(store, "SELECT count(*) FROM runs") == [(0,)]


def test_a_full_disk_stops_the_run_and_keeps_what_is_stored(
    store: Store, plan: RunPlan, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = start("--delay", "0.2")
    write, written = Store.write, [0]

    def write_once(self: Store, run_id: int, probes: Sequence[StoredProbe]) -> list[int]:
        if written[0]:
            raise StoreError("The disk is full.")
        written[0] = len(probes)
        return write(self, run_id, probes)

    monkeypatch.setattr(Store, "write", write_once)
    with pytest.raises(StoreError, match="disk is full"):
        execute(store, plan, client)
    monkeypatch.undo()
    assert fetch(store, "SELECT run_id, status, message FROM runs") == [
        (1, "failed", "The disk is full.")
    ]
    assert len(probe_keys(store, 1)) == written[0]
    assert client.alive
    execute(store, plan, client, resume=True)
    assert_whole(store, plan, 1)


# Asking one question


def test_one_probe_has_the_flags_that_a_run_stores(
    store: Store, plan: RunPlan, start: Start
) -> None:
    client = start()
    execute(store, plan, client)
    names = ", ".join(flag.name for flag in FLAGS)
    for index in range(COUNT):
        single = probe_one(plan, index=index, order=1, client=client)
        (stored,) = fetch(
            store,
            f"SELECT {names} FROM outcomes WHERE question_index = {index} "
            "AND format = 'low' AND order_index = 1",
        )
        assert tuple(single.flags.values()) == stored
        ((readings,),) = fetch(
            store,
            "SELECT count(*) FROM readings JOIN probes USING (probe_id) "
            f"WHERE question_index = {index} AND format = 'low' AND order_index = 1",
        )
        assert len(single.readings) == readings
        assert single.perturbation is None
    assert json.loads(msgspec.json.encode(single))["question"]["text"] == f"What is {index}?"


def test_one_probe_needs_a_question_that_is_there(plan: RunPlan, start: Start) -> None:
    with pytest.raises(QuestionError, match="6 questions; there is no index 6"):
        probe_one(plan, index=COUNT, client=start())


def test_one_probe_needs_an_order_that_is_there(plan: RunPlan, start: Start) -> None:
    with pytest.raises(QuestionError, match="no option order 2") as caught:
        probe_one(plan, order=2, client=start())
    assert "0 to 1" in caught.value.hint


def test_one_probe_that_fails_is_one_sentence(plan: RunPlan, start: Start) -> None:
    with pytest.raises(LogitscopeError, match="can't show"):
        probe_one(plan, client=start("--fail", plan.questions[0].id))


def test_one_prompt_is_rendered(questions: Path, start: Start) -> None:
    prompt = render_one("fake", str(questions), 2, "low", order=1, seed=3, client=start())
    assert prompt.text.startswith("What is 2?")
    assert (prompt.format, prompt.order) == ("low", 1)


# Plans


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"orders": 0}, "number of orders is 0"),
        ({"limit": 0}, "limit is 0"),
        ({"batch_size": -1}, "batch size is -1"),
        ({"dtype": "float8"}, "no dtype 'float8'"),
        ({"quantization": "2bit"}, "no quantization '2bit'"),
        ({"model": ""}, "No model is named"),
        ({"formats": []}, "No prompt format is named"),
        ({"formats": ["low", "low"]}, "low is named twice"),
        ({"formats": ["lowest"]}, "lowest"),
        ({"source": "nowhere.jsonl"}, "nowhere.jsonl"),
        ({"perturbations": [Perturbation("word_swap", copies=0)]}, "word_swap has 0 copies"),
        ({"perturbations": [Perturbation("word_swap", rate=1.5)]}, "the rate 1.5"),
        ({"perturbations": [Perturbation("word_swap", rate=float("nan"))]}, "the rate nan"),
        ({"perturbations": [Perturbation("word_swap")] * 2}, "word_swap is named twice"),
        ({"settings": ProbeSettings(samples=-1)}, "number of samples is -1"),
        ({"settings": ProbeSettings(max_new_tokens=0)}, "longest generation is 0"),
        ({"settings": ProbeSettings(kept=0)}, "0 tokens a position"),
        ({"settings": ProbeSettings(seed=2**63)}, "64 bits"),
        *(
            ({"settings": ProbeSettings(sampler=sampler)}, sentence)
            for sampler, sentence in (
                (SamplerSettings(temperature=-0.5), "temperature is -0.5"),
                (SamplerSettings(temperature=float("nan")), "temperature is nan"),
                (SamplerSettings(temperature=float("inf")), "temperature is inf"),
                (SamplerSettings(top_p=0), "top-p is 0"),
                (SamplerSettings(top_p=1.5), "top-p is 1.5"),
                (SamplerSettings(top_k=-1), "top-k is -1"),
                (SamplerSettings(repetition_penalty=0), "repetition penalty is 0"),
            )
        ),
    ],
)
def test_a_plan_that_cannot_work_is_refused(
    questions: Path, changes: dict[str, Any], sentence: str
) -> None:
    arguments = {"model": "fake", "source": str(questions), "formats": ["low"]} | changes
    with pytest.raises(LogitscopeError) as caught:
        plan_run(**arguments)
    assert sentence in caught.value.sentence


def test_a_format_needs_labels_for_every_option(questions: Path) -> None:
    fmt = PromptFormat("two", "{{ question }}", labels="AB")
    with pytest.raises(FormatError, match="2 labels, but question 0 has 3 options"):
        plan_run("fake", str(questions), [fmt])


def test_the_fingerprint_is_about_what_is_stored(questions: Path, tmp_path: Path) -> None:
    def plan(**changes: Any) -> RunPlan:
        arguments: dict[str, Any] = {"model": "fake", "source": str(questions), "formats": FORMATS}
        return plan_run(**(arguments | changes))

    moved = tmp_path / "elsewhere.jsonl"
    moved.write_bytes(questions.read_bytes())
    same = [
        plan(name="x"),
        plan(batch_size=3),
        plan(device="cpu"),
        plan(source=str(moved)),
        plan(limit=COUNT),
    ]
    other = [
        plan(model="other"),
        plan(revision="main"),
        plan(dtype="float16"),
        plan(quantization="8bit"),
        plan(orders=2),
        plan(perturbations=[Perturbation("letter_typo")]),
        plan(perturbations=[Perturbation("letter_typo", copies=2)]),
        plan(perturbations=[Perturbation("letter_typo", rate=0.5)]),
        plan(perturbations=[Perturbation("letter_swap")]),
        plan(limit=COUNT - 1),
        plan(formats=["low"]),
        plan(settings=ProbeSettings(seed=1)),
        plan(settings=ProbeSettings(sampler=SamplerSettings(top_k=5))),
    ]
    assert {candidate.fingerprint for candidate in same} == {plan().fingerprint}
    assert len({candidate.fingerprint for candidate in [plan(), *other]}) == len(other) + 1


def test_a_model_folder_is_known_by_its_weights(
    questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(model: str) -> RunPlan:
        return plan_run(model, str(questions), FORMATS)

    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(bytes(300_000))
    monkeypatch.chdir(tmp_path)
    before = plan("model")
    assert before.model == str(folder)
    folder.rename(tmp_path / "moved")
    moved = plan("./moved/")
    assert moved.fingerprint == before.fingerprint
    with (tmp_path / "moved" / "model.safetensors").open("r+b") as file:
        file.seek(200_000)
        file.write(b"trained" * 1000)
    assert plan("moved").fingerprint != before.fingerprint
    with pytest.raises(ModelError, match="has changed"):
        check_weights(moved)


def test_folders_without_weights_are_known_by_their_place(questions: Path, tmp_path: Path) -> None:
    plans = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        plans.append(plan_run(str(tmp_path / name), str(questions), FORMATS))
    assert plans[0].fingerprint != plans[1].fingerprint


def test_a_model_that_changes_while_its_worker_is_replaced_ends_the_run(
    store: Store, questions: Path, tmp_path: Path, start: Start
) -> None:
    weights = tmp_path / "model" / "model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"one")
    plan = plan_run(str(weights.parent), str(questions), FORMATS, SETTINGS)
    client = start("--delay", "0.2")

    def retrain_and_kill(progress: RunProgress) -> None:
        if progress.done == 0 and client.pid is not None and progress.stage == "probing":
            weights.write_bytes(b"two")
            os.kill(client.pid, signal.SIGKILL)

    with pytest.raises(ModelError, match="has changed"):
        execute(store, plan, client, on_progress=retrain_and_kill)
    assert fetch(store, "SELECT status FROM runs") == [("failed",)]


def test_questions_come_in_chunks_and_formats_in_blocks(tmp_path: Path) -> None:
    path = write_questions(tmp_path, CHUNK + 6, "long")
    plan = plan_run("fake", str(path), FORMATS, orders=2)
    probes = list(plan.probes())
    assert [probe.item.key for probe in probes] == list(range(plan.planned))
    first = probes[: CHUNK * 4]
    assert {probe.question_index for probe in first} == set(range(CHUNK))
    assert [probe.item.format for probe in first] == ["low"] * CHUNK * 2 + ["high"] * CHUNK * 2
    for probe in probes:
        question = plan.questions[probe.question_index]
        assert probe.item.question_id == question.id
        labels = load_format(probe.item.format).labels
        assert probe.item.question == reorder(question, probe.permutation, labels=labels)


def test_worked_examples_come_from_beside_the_questions(tmp_path: Path) -> None:
    write_questions(tmp_path, 9, "quiz_dev")
    path = write_questions(tmp_path, 3, "quiz")
    plan = plan_run("fake", str(path), ["mmlu-original", "low"])
    wanted = load_format("mmlu-original").shots
    assert wanted
    for probe in plan.probes():
        shots = probe.item.shots
        assert len(shots) == (wanted if probe.item.format == "mmlu-original" else 0)
        assert probe.item.question_id not in [shot.id for shot in shots]
    assert plan_run("fake", str(path), ["low"]).dev == ()
