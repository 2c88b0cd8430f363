"""The real worker process with a tiny random model, from loading to what is stored."""

from __future__ import annotations

import math
import os
import queue
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from engine.client import WorkerClient
from engine.errors import ModelError
from engine.execution import RunProgress
from engine.followups import rerun
from engine.planning import RunPlan
from engine.protocol import Cancelled, Done, Event, FirstToken, Probe, Wrote
from engine.records import ProbeSettings
from engine.runs import execute, plan_run, probe_one, render_one
from engine.store import Store, open_store
from tests.test_runs import answers, assert_whole, fetch, write_questions

pytestmark = pytest.mark.slow

SETTINGS = ProbeSettings(samples=2, max_new_tokens=8, kept=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder, and questions."""
    from tests.tiny_models import tiny_model, tiny_tokenizer

    folder = tmp_path_factory.mktemp("worker")
    tiny_model().save_pretrained(folder / "model")
    tiny_tokenizer().save_pretrained(folder / "model")
    write_questions(folder, 5)
    return folder


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[WorkerClient]:
    """One worker for all tests: importing torch takes its time."""
    with WorkerClient(log_path=folder / "worker.log", niceness=0) as client:
        yield client


@pytest.fixture
def plan(folder: Path) -> RunPlan:
    questions = str(folder / "quiz.jsonl")
    return plan_run(str(folder / "model"), questions, ("low", "high"), SETTINGS, device="cpu")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "runs.duckdb") as store:
        yield store


def test_a_run_from_loading_to_storing(store: Store, plan: RunPlan, client: WorkerClient) -> None:
    told: list[RunProgress] = []
    summary = execute(store, plan, client, on_progress=told.append)
    assert (summary.status, summary.failed) == ("finished", 0), summary.message
    assert_whole(store, plan, summary.run_id)
    assert told[-1].done == plan.planned
    ((model, dtype, size),) = fetch(
        store,
        "SELECT model_info->>'architecture', model_info->>'dtype', "
        "(model_info->>'vocab_size')::INTEGER FROM runs",
    )
    assert (model, dtype) == ("LlamaForCausalLM", "float32")
    assert fetch(store, "SELECT count(*) FROM tokens") == [(size,)]
    for logprobs, unseen in fetch(store, "SELECT top_logprobs, unseen FROM probes"):
        assert math.fsum(map(math.exp, logprobs)) + unseen == pytest.approx(1, abs=1e-5)


def test_a_cancelled_step_is_acknowledged_and_the_worker_goes_on(
    plan: RunPlan, client: WorkerClient
) -> None:
    client.load(plan.load)
    long = ProbeSettings(samples=2, max_new_tokens=100)
    items = tuple(probe.item for probe in plan.probes())
    request = Probe(client.next_job(), items, plan.formats, long, live=True)
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    seen: list[Event] = []
    with client.listening(events.put):
        client.send(request)
        while not seen or not isinstance(seen[-1], Done):
            seen.append(events.get(timeout=60))
            if isinstance(seen[-1], Wrote) and seen[-1].step == 3:
                client.cancel(request.job)
    assert Cancelled(request.job) in seen
    assert seen[seen.index(Cancelled(request.job)) :] == [Cancelled(request.job), Done(request.job)]
    assert max(event.step for event in seen if isinstance(event, Wrote)) < 99
    assert probe_one(plan, client=client).result.generations


def test_a_rerun_shows_and_stores_the_same_tokens(
    store: Store, plan: RunPlan, client: WorkerClient
) -> None:
    execute(store, plan, client)
    events: list[Event] = []
    new_id = rerun(store, 7, client, on_event=events.append)
    query = "SELECT sample, position, token_id FROM positions WHERE probe_id = {} ORDER BY ALL"
    assert fetch(store, query.format(new_id)) == fetch(store, query.format(7))
    assert any(isinstance(event, FirstToken) for event in events)
    greedy = [event.token_ids[0] for event in events if isinstance(event, Wrote)]
    stored = [token for sample, _, token in fetch(store, query.format(new_id)) if sample == 0]
    assert [token for token in greedy if token is not None] == stored


def test_options_are_scored_without_their_question(
    folder: Path, plan: RunPlan, client: WorkerClient
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from engine.prompt import render

    asked = msgspec.structs.replace(SETTINGS, unconditional=True, generations=False)
    probe = probe_one(msgspec.structs.replace(plan, settings=asked), index=2, client=client)
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    model = AutoModelForCausalLM.from_pretrained(folder / "model")
    cue = render(probe.question, "", 0, plan.formats[0].bare, tokenizer)
    assert tokenizer.decode(cue.token_ids).count("Answer:") == 1
    assert "What is" not in cue.text
    right = {}
    for known in cue.continuations:
        ids = [*cue.token_ids, *known.token_ids]
        with torch.inference_mode():
            logprobs = model(torch.tensor([ids])).logits[0].float().log_softmax(-1)
        start = len(cue.token_ids)
        right[known.kind, known.label] = sum(
            logprobs[start + at - 1, token].item() for at, token in enumerate(known.token_ids)
        )
    for scored in probe.result.continuations:
        if scored.kind == "label":
            assert scored.unconditional is None
        else:
            assert scored.unconditional == pytest.approx(right["text", scored.label], abs=1e-4)
            assert abs(scored.unconditional - scored.total) > 1e-3
    best = max(
        (scored for scored in probe.result.continuations if scored.kind == "text"),
        key=lambda scored: scored.total - right["text", scored.label],
    )
    reading = next(r for r in probe.readings if r.name == "continuation_unconditional")
    assert reading.label == best.label


def test_a_killed_worker_is_replaced_and_reads_the_same(
    store: Store, plan: RunPlan, client: WorkerClient
) -> None:
    whole = execute(store, plan, client)
    killed: list[int] = []

    def kill_once(progress: RunProgress) -> None:
        if progress.run_id is not None and not killed and client.pid is not None:
            killed.append(client.pid)
            os.kill(client.pid, signal.SIGKILL)

    disturbed = execute(store, plan, client, on_progress=kill_once)
    assert killed
    assert_whole(store, plan, disturbed.run_id)
    assert answers(store, disturbed.run_id) == answers(store, whole.run_id)


def test_rendering_loads_the_tokenizer_alone(folder: Path, client: WorkerClient) -> None:
    prompt = render_one(str(folder / "model"), str(folder / "quiz.jsonl"), 1, "high", client=client)
    assert "What is 1?" in prompt.text
    assert len(prompt.pieces) == len(prompt.token_ids)


def test_a_folder_without_weights_is_one_sentence(
    folder: Path, plan: RunPlan, client: WorkerClient
) -> None:
    empty = folder / "empty"
    empty.mkdir()
    with pytest.raises(ModelError) as caught:
        client.load(plan_run(str(empty), str(folder / "quiz.jsonl"), ["low"]).load)
    assert str(empty) in caught.value.sentence
    assert "\n" not in caught.value.sentence
    assert client.alive
