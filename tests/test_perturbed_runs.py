"""Runs over perturbed questions and over values of the sampler: stored, resumed, asked again."""

from __future__ import annotations

import json
import math
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.browse import shown_question
from engine.client import WorkerClient
from engine.errors import FormatError, LogitscopeError
from engine.flags import FLAGS
from engine.followups import ask_edited, branch, keep, more_samples, rerun
from engine.formats import PromptFormat
from engine.perturb import EXTRA_OPTIONS, Perturbation
from engine.planning import RunPlan
from engine.records import ProbeSettings, SamplerSettings
from engine.reread import reread
from engine.runs import execute, left_of, plan_run, plan_to_resume, probe_one
from engine.store import Store, open_store
from engine.stored import records
from engine.sweeps import parse_sweep, sweep_plans
from tests.fake_worker import IDS, fake_command
from tests.test_runs import (
    FORMATS,
    SETTINGS,
    answers,
    assert_whole,
    fetch,
    probe_keys,
    stop_when,
    write_questions,
)
from tui import cli

PERTURBATIONS = (
    Perturbation("letter_typo", copies=2),
    Perturbation("extra_options"),
    Perturbation("word_swap"),
)
COUNT = 4
ORDERS = 2
NAMES = [None, None, "letter_typo", "letter_typo", "extra_options", "word_swap"]
"""What each variant of a question is perturbed by."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerClient]:
    """One fake worker for all that needs no other."""
    log = tmp_path_factory.mktemp("perturbed") / "worker.log"
    with WorkerClient(log_path=log, command=fake_command(), niceness=0) as client:
        yield client


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write_questions(tmp_path, COUNT)


@pytest.fixture
def plan(questions: Path) -> RunPlan:
    return plan_run(
        "fake", str(questions), FORMATS, SETTINGS, orders=ORDERS, perturbations=PERTURBATIONS
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "runs.duckdb") as opened:
        yield opened


def probe_of(store: Store, perturbation: str) -> int:
    """Any probe of a run that was asked a question changed in this way."""
    query = f"SELECT min(probe_id) FROM probes WHERE perturbation = '{perturbation}'"
    ((probe_id,),) = fetch(store, query)
    assert probe_id is not None
    return int(probe_id)


ASKED = (
    "question_id, question_index, format, order_index, permutation, labels, gold, perturbation, "
    "shown_text, shown_options, refusal_label"
)


def asked(store: Store, probe_id: int) -> list[tuple[Any, ...]]:
    """What was asked, whatever was answered."""
    return fetch(store, f"SELECT {ASKED} FROM probes WHERE probe_id = {probe_id}")


# Perturbed questions


def test_every_variant_is_stored_as_it_was_shown(
    store: Store, plan: RunPlan, client: WorkerClient
) -> None:
    run_id = execute(store, plan, client).run_id
    assert plan.planned == COUNT * len(FORMATS) * len(NAMES)
    assert_whole(store, plan, run_id)
    planned = {(p.question_index, p.item.format, p.item.order): p for p in plan.probes()}
    for row in records(store.reader(), "FROM probes"):
        source = plan.questions[row["question_index"]]
        probe = planned[row["question_index"], row["format"], row["order_index"]]
        question = probe.item.question
        assert row["question_id"] == source.id
        assert row["perturbation"] == NAMES[row["order_index"]] == probe.perturbation
        assert tuple(row["permutation"]) == probe.permutation
        assert tuple(row["labels"]) == question.labels
        assert shown_question(store, row["probe_id"]) == question
        assert row["prompt"].startswith(question.text)
        if row["perturbation"] is None:
            assert (row["shown_text"], row["shown_options"]) == (None, None)
            assert question.text == source.text
        else:
            assert row["shown_text"] == question.text
            assert row["shown_options"] == [option.text for option in question.options]
        gold = next(option.text for option in source.options if option.label == source.gold)
        assert [o.text for o in question.options if o.label == row["gold"]] == [gold]


def test_typos_change_the_text_and_extra_options_the_options(
    store: Store, plan: RunPlan, client: WorkerClient
) -> None:
    execute(store, plan, client)
    rows = fetch(
        store,
        "SELECT perturbation, shown_text, text, shown_options, permutation, options, labels, "
        "refusal_label FROM probes JOIN questions USING (question_id) "
        "WHERE perturbation IS NOT NULL",
    )
    assert len(rows) == COUNT * len(FORMATS) * 4
    for perturbation, shown, text, options, permutation, source, labels, refusal in rows:
        texts = [option["text"] for option in source] + list(EXTRA_OPTIONS)
        assert options == [texts[place] for place in permutation]
        if perturbation == "extra_options":
            assert (shown, sorted(permutation)) == (text, list(range(6)))
            assert options[labels.index(refusal)] == "Refused"
        else:
            assert (permutation, refusal) == (list(range(3)), None)
            assert shown != text
            assert (Counter(shown) == Counter(text)) == (perturbation == "word_swap")


def test_answers_can_be_compared_over_the_variants_of_a_question(
    store: Store, plan: RunPlan, client: WorkerClient
) -> None:
    """What an option of any variant is in the source says its place in ``permutation``."""
    execute(store, plan, client)
    rows = fetch(
        store,
        "SELECT question_id, format, count(*), count(perturbation) "
        "FROM outcomes GROUP BY question_id, format",
    )
    assert len(rows) == COUNT * len(FORMATS)
    assert {row[2:] for row in rows} == {(len(NAMES), 4)}


def test_a_perturbed_run_goes_on_where_it_stopped(
    store: Store, plan: RunPlan, client: WorkerClient, tmp_path: Path
) -> None:
    stop = threading.Event()
    slow = fake_command("--delay", "0.1")
    with WorkerClient(log_path=tmp_path / "worker.log", command=slow, niceness=0) as other:
        watch = stop_when(stop, lambda progress: progress.done >= 2)
        stopped = execute(store, plan, other, on_progress=watch, stop=stop)
    assert stopped.status == "cancelled"
    assert 0 < len(probe_keys(store, stopped.run_id)) < plan.planned
    again = plan_to_resume(store, stopped.run_id)
    assert again == plan
    assert execute(store, again, client, resume=True).run_id == stopped.run_id
    assert_whole(store, plan, stopped.run_id)
    undisturbed = execute(store, plan, client)
    assert answers(store, stopped.run_id) == answers(store, undisturbed.run_id)


@pytest.mark.parametrize("perturbation", ["letter_typo", "extra_options", "word_swap"])
def test_a_perturbed_probe_is_asked_again_as_it_was(
    store: Store, plan: RunPlan, client: WorkerClient, perturbation: str
) -> None:
    execute(store, plan, client)
    old = probe_of(store, perturbation)
    new = rerun(store, old, client)
    newest = rerun(store, new, client)
    answered = "SELECT prompt, prompt_ids, top_ids, label_logprobs FROM probes WHERE probe_id = "
    for probe_id in (new, newest):
        assert asked(store, probe_id) == asked(store, old)
        assert fetch(store, f"{answered}{probe_id}") == fetch(store, f"{answered}{old}")
    kinds = fetch(store, "SELECT kind, planned FROM runs ORDER BY run_id")
    assert kinds == [("run", plan.planned), ("rerun", 1), ("rerun", 1)]


@pytest.mark.parametrize("perturbation", ["letter_swap", "extra_options"])
def test_a_perturbed_probe_can_be_edited_and_written_on(
    store: Store, questions: Path, client: WorkerClient, perturbation
) -> None:
    plan = plan_run(
        "fake", str(questions), ["low"], SETTINGS, perturbations=[Perturbation(perturbation)]
    )
    execute(store, plan, client)
    old = probe_of(store, perturbation)
    ((prompt,),) = fetch(store, f"SELECT prompt FROM probes WHERE probe_id = {old}")
    edited = keep(store, ask_edited(store, old, f"Think. {prompt}", client))
    assert asked(store, edited) == asked(store, old)
    again = rerun(store, edited, client)
    assert asked(store, again) == asked(store, old)
    assert fetch(store, f"SELECT prompt FROM probes WHERE probe_id = {again}") == [
        (f"Think. {prompt}",)
    ]
    more_samples(store, old, 1, client)
    ((token,),) = fetch(
        store, f"SELECT token_id FROM positions WHERE (probe_id, sample, position) = ({old}, 0, 0)"
    )
    branch(store, old, 0, 0, IDS["A"] if token != IDS["A"] else IDS["B"], client)
    later = f"FROM readings WHERE probe_id = {old} AND name IN ('extra_text', 'branch_text')"
    read = fetch(store, f"{later} ORDER BY ALL")
    assert len(read) == 2
    assert reread(store).otherwise == {}
    assert fetch(store, f"{later} ORDER BY ALL") == read


def test_one_perturbed_probe_has_the_flags_that_a_run_stores(
    store: Store, plan: RunPlan, client: WorkerClient
) -> None:
    execute(store, plan, client)
    names = ", ".join(flag.name for flag in FLAGS)
    for number, perturbation in enumerate(NAMES):
        single = probe_one(plan, index=1, order=number, client=client)
        (stored,) = fetch(
            store,
            f"SELECT {names} FROM outcomes WHERE question_index = 1 AND format = 'low' "
            f"AND order_index = {number}",
        )
        assert single.perturbation == perturbation
        assert tuple(single.flags.values()) == stored


def test_extra_options_need_labels(questions: Path) -> None:
    fmt = PromptFormat("five", "{{ question }}", labels="ABCDE")
    with pytest.raises(FormatError, match="5 labels, but question 0 has 6 options"):
        plan_run("fake", str(questions), [fmt], perturbations=[Perturbation("extra_options")])
    plan_run("fake", str(questions), [fmt], perturbations=[Perturbation("letter_typo")])


def test_questions_without_anything_to_change_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "sums.jsonl"
    texts = ["1 + 1?", "Which number?", "What is 2?"]
    path.write_text(
        "".join(json.dumps({"question": text, "choices": ["1", "2"]}) + "\n" for text in texts)
    )
    notes = plan_run("fake", str(path), ["low"], perturbations=PERTURBATIONS).notes
    assert [note.partition(":")[0] for note in notes] == [
        "letter_typo finds nothing to change in 1 of 3 questions",
        "word_swap finds nothing to change in 1 of 3 questions",
    ]


# Sweeps


def swept(plan: RunPlan, text: str) -> list[RunPlan]:
    """The runs of a sweep as the command line names it."""
    return sweep_plans(plan, *parse_sweep(text))


def test_a_sweep_is_a_run_for_each_value(questions: Path) -> None:
    plan = plan_run("fake", str(questions), FORMATS, SETTINGS, name="quiz")
    plans = swept(plan, "temperature=0, 0.5,1")
    assert [each.name for each in plans] == [
        "quiz · temperature 0",
        "quiz · temperature 0.5",
        "quiz · temperature 1",
    ]
    assert [each.settings.sampler.temperature for each in plans] == [0, 0.5, 1]
    assert len({each.fingerprint for each in plans}) == 3
    assert msgspec.structs.replace(plans[2], sweep=msgspec.UNSET).fingerprint == plan.fingerprint
    assert {each.load for each in plans} == {plan.load}
    (penalized,) = swept(plan, "repetition_penalty=1.2")
    assert penalized.settings.sampler == SamplerSettings(repetition_penalty=1.2)
    assert penalized.name == "quiz · repetition penalty 1.2"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("top_p=0.9", "no sweep over 'top_p'"),
        ("0.5,1", "no sweep over '0.5,1'"),
        ("temperature=0.5;1", "are no numbers"),
        ("temperature=0.5,,1", "is empty"),
        ("temperature=1,1.0", "the value 1 twice"),
        ("temperature=-1", "temperature is -1"),
        ("temperature=nan", "temperature is nan"),
        ("repetition_penalty=1,0", "repetition penalty is 0"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(questions: Path, text: str, sentence: str) -> None:
    plan = plan_run("fake", str(questions), FORMATS, SETTINGS)
    with pytest.raises(LogitscopeError) as caught:
        swept(plan, text)
    assert sentence in caught.value.sentence


def test_a_sweep_without_samples_is_refused(questions: Path) -> None:
    plan = plan_run("fake", str(questions), FORMATS, ProbeSettings(samples=0))
    with pytest.raises(LogitscopeError, match="needs samples"):
        swept(plan, "temperature=1")


def test_what_is_left_of_a_sweep(store: Store, questions: Path, client: WorkerClient) -> None:
    plan = plan_run("fake", str(questions), ["low"], SETTINGS)
    plans = swept(plan, "temperature=0.5,1,1.5")
    with pytest.raises(LogitscopeError, match="nothing to resume"):
        left_of(store, plans)
    execute(store, plans[0], client)
    assert left_of(store, plans) == [(plans[1], False), (plans[2], False)]
    begun = execute(store, plans[1], client).run_id
    store.finish_run(begun, "cancelled")
    assert left_of(store, plans) == [(plans[1], True), (plans[2], False)]
    assert left_of(store, plans[1:2]) == [(plans[1], True)]
    execute(store, plans[1], client, resume=True)
    execute(store, plans[2], client)
    with pytest.raises(LogitscopeError, match="nothing to resume"):
        left_of(store, plans)


def test_a_rerun_is_no_finished_run(store: Store, questions: Path, client: WorkerClient) -> None:
    plan = plan_run("fake", str(questions), ["low"], SETTINGS, limit=1)
    run_id = execute(store, plan, client).run_id
    rerun(store, 1, client)
    store.finish_run(run_id, "cancelled")
    assert fetch(store, "SELECT count(DISTINCT fingerprint) FROM runs") == [(1,)]
    assert left_of(store, [plan]) == [(plan, True)]


# The command


@pytest.fixture
def logitscope(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Run ``logitscope run`` with a fake worker: exit code and what it said."""
    workers: list[WorkerClient] = []

    def fake_client(**_: object) -> WorkerClient:
        log = tmp_path / "command.log"
        workers.append(WorkerClient(command=fake_command(), log_path=log, niceness=0))
        return workers[-1]

    monkeypatch.setattr("engine.client.WorkerClient", fake_client)

    def run(*arguments: object) -> tuple[int, str, int]:
        workers.clear()
        monkeypatch.setattr(sys, "argv", ["logitscope", "run", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), capsys.readouterr().err, len(workers)

    return run


def test_the_command_perturbs(logitscope, questions: Path, tmp_path: Path) -> None:
    db = tmp_path / "mine.duckdb"
    code, said, _ = logitscope(
        *(questions, "--model", "fake", "--db", db, "--format", "low", "--samples", "1"),
        *("--perturb", "letter_typo", "--perturb", "extra_options:2"),
    )
    assert code == 0
    assert f"{4 * COUNT} of {4 * COUNT} probes" in said
    with open_store(db) as store:
        counted = fetch(
            store,
            "SELECT order_index, any_value(perturbation), count(*) FROM probes "
            "GROUP BY order_index ORDER BY order_index",
        )
        ((settings,),) = fetch(store, "SELECT settings FROM runs")
    assert counted == [
        (0, None, COUNT),
        (1, "letter_typo", COUNT),
        (2, "extra_options", COUNT),
        (3, "extra_options", COUNT),
    ]
    assert msgspec.json.decode(settings, type=RunPlan).perturbations == (
        Perturbation("letter_typo"),
        Perturbation("extra_options", 2),
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--perturb", "typo"), "There is no perturbation 'typo'. Choose letter_typo"),
        (("--perturb", "letter_typo:0"), "letter_typo has 0 copies"),
        (("--perturb", "letter_typo", "--perturb", "letter_typo:2"), "named twice"),
        (("--sweep", "top_k=5"), "no sweep over 'top_k'. Choose one of"),
        (("--sweep", "temperature=1,2", "--samples", "0"), "needs samples"),
    ],
)
def test_the_command_refuses_in_one_line(
    logitscope, questions: Path, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    db = tmp_path / "mine.duckdb"
    code, said, workers = logitscope(questions, "--model", "fake", "--db", db, *arguments)
    assert (code, workers) == (cli.EXIT_FAILED, 0)
    assert sentence in said
    assert len(said.strip().splitlines()) == 1
    assert not db.exists()


def test_the_command_sweeps_and_goes_on(logitscope, questions: Path, tmp_path: Path) -> None:
    db = tmp_path / "mine.duckdb"
    command = (questions, "--model", "fake", "--db", db, "--format", "low", "--samples", "1")
    sweep = ("--name", "quiz", "--sweep", "temperature=0.5,1,1.5")
    code, said, workers = logitscope(*command, *sweep)
    assert (code, workers) == (0, 1)
    assert said.count("Look at it with") == 1
    runs = "SELECT name, status, settings->>'$.settings.sampler.temperature' FROM runs ORDER BY 1"
    swept_over = [
        (f"quiz · temperature {value}", "finished", float(value)) for value in ("0.5", "1", "1.5")
    ]
    with open_store(db) as store:
        assert [(n, s, float(t)) for n, s, t in fetch(store, runs)] == swept_over
        store.finish_run(2, "cancelled")
    code, said, _ = logitscope(*command, *sweep, "--resume")
    assert code == 0
    assert "Run 2 (quiz · temperature 1) finished" in said
    assert "Run 1 " not in said
    with open_store(db) as store:
        assert [(n, s, float(t)) for n, s, t in fetch(store, runs)] == swept_over
    code, said, _ = logitscope(*command, *sweep, "--resume")
    assert code == cli.EXIT_FAILED
    assert "nothing to resume" in said


# With a real model


@pytest.mark.slow
def test_a_sweep_down_to_temperature_0(store: Store, tmp_path: Path) -> None:
    """At 0 every sample is the greedy text; with a penalty they part, and nothing is infinite."""
    from tests.tiny_models import save_tiny

    folder = save_tiny(tmp_path / "model")
    settings = ProbeSettings(samples=2, max_new_tokens=8, kept=5)
    questions = write_questions(tmp_path, 3)
    plan = plan_run(
        str(folder),
        str(questions),
        ["low"],
        settings,
        perturbations=[Perturbation("letter_swap")],
        device="cpu",
    )
    cold = msgspec.structs.replace(settings, sampler=SamplerSettings(temperature=0))
    plans = [
        *swept(plan, "temperature=0,1.5"),
        *swept(msgspec.structs.replace(plan, settings=cold), "repetition_penalty=0.8,1.5"),
    ]
    same = {}
    with WorkerClient(log_path=tmp_path / "real.log", niceness=0) as worker:
        loads = 0
        for each in plans:
            stages: list[str] = []
            summary = execute(
                store, each, worker, on_progress=lambda p, told=stages: told.append(p.stage)
            )
            assert (summary.status, summary.failed) == ("finished", 0), summary.message
            loads += any("load" in stage for stage in stages)
            ((equal, texts),) = fetch(
                store,
                "SELECT count(*) FILTER (s.text = g.text), count(*) FROM generations s "
                "JOIN generations g USING (probe_id) JOIN probes USING (probe_id) "
                f"WHERE s.sample > 0 AND g.sample = 0 AND run_id = {summary.run_id}",
            )
            assert texts == 3 * 2 * 2
            same[each.name.split(" · ")[-1]] = equal == texts
    assert loads == 1
    assert same == {
        "temperature 0": True,
        "temperature 1.5": False,
        "repetition penalty 0.8": False,
        "repetition penalty 1.5": False,
    }
    rows = fetch(
        store,
        "SELECT sampler_logprob, sampler_logsumexp, sampler_cutoff FROM positions "
        "JOIN probes USING (probe_id) WHERE sample > 0 AND run_id <> 2",
    )
    assert {row[0] for row in rows} == {0.0}
    assert all(math.isfinite(value) for row in rows for value in row)
