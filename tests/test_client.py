"""The client and a worker process: answers, cancelling, dying and ending."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from engine.client import WorkerClient, worker_environment, worker_threads
from engine.errors import ModelError, WorkerError
from engine.formats import PromptFormat
from engine.protocol import (
    Bye,
    Cancelled,
    Done,
    Event,
    Extend,
    Extended,
    Failed,
    FirstToken,
    Gone,
    Load,
    Probe,
    Probed,
    ProbeItem,
    Ready,
    Render,
    Rendered,
    Wrote,
)
from engine.questions import Option, Question
from engine.records import ProbeSettings
from tests.fake_worker import PIECES, decode, fake_command

QUESTION = Question("What is two?", tuple(Option(label, f"{label} it is") for label in "ABCD"), "B")
FORMATS = (PromptFormat("plain", "{{ question }}"),)
LOAD = Load(0, "fake")

Start = Callable[..., tuple[WorkerClient, "queue.SimpleQueue[Event]"]]


def item(key: int, question_id: str | None = None) -> ProbeItem:
    return ProbeItem(key, QUESTION, question_id or f"q{key}", 0, "plain")


def probe(client: WorkerClient, *items: ProbeItem, live: bool = False) -> Probe:
    return Probe(client.next_job(), items, FORMATS, ProbeSettings(samples=2), live)


def wait_for(events: queue.SimpleQueue[Event], kind: type[Event]) -> Event:
    """The next event of a kind; fails where none comes."""
    while True:
        event = events.get(timeout=60)
        if isinstance(event, kind):
            return event


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start clients of fake workers; every one is closed at the end."""
    with contextlib.ExitStack() as stack:

        def start_one(*arguments: str) -> tuple[WorkerClient, queue.SimpleQueue[Event]]:
            events: queue.SimpleQueue[Event] = queue.SimpleQueue()
            client = WorkerClient(
                events.put, tmp_path / "worker.log", command=fake_command(*arguments), niceness=0
            )
            stack.enter_context(client)
            client.start()
            return client, events

        yield start_one


def process_of(client: WorkerClient) -> psutil.Process:
    assert client.pid is not None
    return psutil.Process(client.pid)


def test_load_tells_the_stages_and_loads_once(start: Start) -> None:
    client, _ = start()
    stages: list[str] = []
    first = client.load(LOAD, stages.append)
    again = client.load(LOAD, stages.append)
    assert first is not None
    assert first is again
    assert stages == ["loading the fake"]
    assert [entry.piece for entry in first.vocabulary] == list(PIECES)


def test_another_model_is_loaded_instead(start: Start) -> None:
    client, _ = start()
    one = client.load(LOAD)
    two = client.load(Load(0, "other"))
    assert one is not None
    assert two is not None
    assert (one.model.name, two.model.name) == ("fake", "other")


def test_a_model_that_is_not_there_is_one_sentence(start: Start) -> None:
    client, _ = start("--load-error")
    with pytest.raises(ModelError) as caught:
        client.load(LOAD)
    assert caught.value.sentence == "There is no model in fake."
    assert caught.value.hint == "Give another folder."
    assert client.alive


def test_nobody_waits_for_a_load_that_was_cancelled(start: Start) -> None:
    client, _ = start("--load-delay", "600")
    stop = threading.Event()
    assert client.load(LOAD, lambda stage: stop.set(), stop) is None
    assert client.alive


def test_render_needs_no_model(start: Start) -> None:
    client, _ = start()
    assert client.load(Load(0, "fake", tokenizer_only=True)) is None
    (event,) = client.ask(Render(client.next_job(), item(7), FORMATS))
    assert isinstance(event, Rendered)
    assert event.key == 7
    assert event.prompt.text.startswith("What is two?")


def test_every_item_is_answered_and_done_comes_last(start: Start) -> None:
    client, _ = start("--fail", "q1")
    client.load(LOAD)
    events = list(client.ask(probe(client, item(0), item(1), item(2))))
    assert isinstance(events[-1], Done)
    assert [event.key for event in events if isinstance(event, Probed)] == [0, 2]
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert (failed.key, failed.kind) == (1, "prompt")
    assert "q1" in failed.sentence


def test_live_items_tell_every_token(start: Start) -> None:
    client, _ = start()
    client.load(LOAD)
    events = list(client.ask(probe(client, item(0), live=True)))
    (first,) = [event for event in events if isinstance(event, FirstToken)]
    (probed,) = [event for event in events if isinstance(event, Probed)]
    steps = [event for event in events if isinstance(event, Wrote)]
    assert first.first == probed.result.first
    assert [event.step for event in steps] == list(range(len(steps)))
    for row, generation in enumerate(probed.result.generations):
        written = [event.token_ids[row] for event in steps]
        assert decode([token for token in written if token is not None]) == generation.text


def extend(client: WorkerClient, **what: tuple[int, ...]) -> Extend:
    return Extend(client.next_job(), "q0", 0, "plain", (1, 2, 3), ProbeSettings(samples=2), **what)


def test_more_samples_tell_every_token_and_end_with_the_texts(start: Start) -> None:
    client, _ = start()
    client.load(LOAD)
    *steps, last = client.ask(extend(client, samples=(3, 4)))
    assert isinstance(last, Extended)
    assert [text.index for text in last.generations] == [3, 4]
    assert [event.step for event in steps if isinstance(event, Wrote)] == list(range(len(steps)))
    for row, text in enumerate(last.generations):
        written = [event.token_ids[row] for event in steps if isinstance(event, Wrote)]
        assert [token for token in written if token is not None] == text.positions.token_ids


def test_a_branch_is_one_text(start: Start) -> None:
    client, _ = start()
    client.load(LOAD)
    *_, last = client.ask(extend(client, beginning=(65, 66)))
    assert isinstance(last, Extended)
    (text,) = last.generations
    assert (text.kind, text.text[:2]) == ("branch", "AB")


def test_more_samples_that_are_cancelled_do_not_come(start: Start) -> None:
    client, events = start("--delay", "3")
    client.load(LOAD)
    request = extend(client, samples=(3,))
    client.send(request)
    client.cancel(request.job)
    assert wait_for(events, Cancelled) == Cancelled(request.job)
    assert events.get(timeout=60) == Done(request.job)


def test_more_samples_that_fail_are_the_last_event(start: Start) -> None:
    client, _ = start("--break", "q0")
    client.load(LOAD)
    (failed,) = client.ask(extend(client, samples=(3,)))
    assert isinstance(failed, Failed)
    assert (failed.key, failed.kind) == (None, "internal")


def test_what_nobody_foresaw_is_one_sentence_and_a_traceback_in_the_log(start: Start) -> None:
    client, _ = start("--break", "q1")
    client.load(LOAD)
    events = list(client.ask(probe(client, item(0), item(1), item(2))))
    assert [event.key for event in events if isinstance(event, Probed)] == [0]
    last = events[-1]
    assert isinstance(last, Failed)
    assert (last.key, last.kind) == (None, "internal")
    assert "This question breaks the probe." in last.sentence
    assert "\n" not in last.sentence
    assert "Traceback" in client.log_path.read_text()
    assert isinstance(list(client.ask(probe(client, item(3))))[-1], Done)


def test_cancel_is_acknowledged_in_the_middle_of_a_step(start: Start) -> None:
    client, events = start("--delay", "3")
    client.load(LOAD)
    request = probe(client, item(0), item(1))
    client.send(request)
    client.cancel(request.job)
    # The step sleeps for seconds yet: only a listening thread can have answered.
    assert wait_for(events, Cancelled) == Cancelled(request.job)
    assert events.get(timeout=60) == Done(request.job)


def test_a_waiting_job_can_be_cancelled(start: Start) -> None:
    client, events = start("--delay", "0.3")
    client.load(LOAD)
    going, waiting = probe(client, item(0)), probe(client, item(1))
    client.send(going)
    client.send(waiting)
    client.cancel(waiting.job)
    ended = [wait_for(events, Done), wait_for(events, Done)]
    assert ended == [Done(going.job), Done(waiting.job)]


def test_a_job_that_has_ended_is_not_acknowledged(start: Start) -> None:
    client, events = start()
    client.load(LOAD)
    request = probe(client, item(0))
    list(client.ask(request))
    client.cancel(request.job)
    list(client.ask(probe(client, item(1))))
    seen = []
    while not events.empty():
        seen.append(events.get())
    assert not any(isinstance(event, Cancelled) for event in seen)


def test_stop_ends_a_job_early(start: Start) -> None:
    client, _ = start("--delay", "0.05")
    client.load(LOAD)
    stop = threading.Event()
    seen = []
    for event in client.ask(probe(client, *(item(key) for key in range(500))), stop):
        seen.append(event)
        stop.set()
    assert isinstance(seen[-1], Done)
    assert len(seen) < 100


def test_a_killed_worker_is_noticed_and_can_be_replaced(start: Start) -> None:
    client, events = start("--kill", "q1")
    client.load(LOAD)
    with pytest.raises(WorkerError, match=r"signal 9.*memory"):
        list(client.ask(probe(client, item(0), item(1))))
    gone = wait_for(events, Gone)
    assert isinstance(gone, Gone)
    assert gone.exit_code == -signal.SIGKILL
    assert str(client.log_path) in gone.hint
    assert not client.alive
    with pytest.raises(WorkerError, match="not running"):
        client.send(probe(client, item(2)))
    client.load(LOAD)
    assert isinstance(list(client.ask(probe(client, item(2))))[-1], Done)


def test_a_worker_that_cannot_start_says_where_its_log_is(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "worker.log"
    with WorkerClient(
        log_path=log, command=(sys.executable, "-c", "raise SystemExit(3)")
    ) as client:
        with pytest.raises(WorkerError, match="exit code 3") as caught:
            client.load(LOAD)
        assert str(log) in caught.value.hint


def test_closing_ends_the_process_and_whoever_waits(start: Start) -> None:
    client, events = start("--delay", "30")
    client.load(LOAD)
    process = process_of(client)
    waiting = threading.Timer(0.3, client.close)
    waiting.start()
    with pytest.raises(WorkerError, match="closed"):
        list(client.ask(probe(client, item(0))))
    waiting.join()
    assert not process.is_running()
    assert wait_for(events, Bye) == Bye()
    assert events.empty()


def test_a_closed_client_can_start_again(start: Start) -> None:
    client, events = start()
    client.close()
    client.close()
    assert not client.alive
    assert client.load(LOAD) is not None
    assert isinstance(wait_for(events, Ready), Ready)


def test_a_deaf_worker_is_killed(start: Start) -> None:
    client, _ = start("--deaf")
    process = process_of(client)
    client.close(timeout=0.5)
    assert not process.is_running()


FRONT = """
import sys, time
from pathlib import Path
from engine.client import WorkerClient
from tests.fake_worker import fake_command
from tests.test_client import LOAD, item, probe
client = WorkerClient(log_path=Path(sys.argv[1]), command=fake_command("--delay", "60"))
client.load(LOAD)
client.send(probe(client, item(0)))
print(client.pid, flush=True)
time.sleep(60)
"""


def test_no_worker_outlives_a_killed_front(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", FRONT, str(tmp_path / "worker.log")],
        stdout=subprocess.PIPE,
        cwd=root,
    ) as front:
        assert front.stdout is not None
        worker = psutil.Process(int(front.stdout.readline()))
        front.kill()
        assert psutil.wait_procs([worker], timeout=60)[1] == []


def test_a_failing_listener_does_not_silence_the_others(start: Start) -> None:
    client, events = start()

    def fail(event: Event) -> None:
        raise RuntimeError(f"no {event}")

    with client.listening(fail):
        client.load(LOAD)
    assert isinstance(wait_for(events, Ready), Ready)


def test_an_overgrown_log_starts_anew(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_bytes(b"x" * (2 << 20))
    with WorkerClient(log_path=log, command=fake_command()) as client:
        client.load(LOAD)
    assert log.stat().st_size < 1 << 20


def test_a_home_that_cannot_be_written_moves_the_log(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with WorkerClient(log_path=tmp_path / "file" / "w.log", command=fake_command()) as client:
        client.load(LOAD)
        assert client.log_path.exists()
        client.log_path.unlink()


def test_the_user_decides_about_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    assert worker_environment()["OMP_NUM_THREADS"] == "7"
    assert worker_environment()["GOMP_SPINCOUNT"] == "20000"
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert worker_environment()["OMP_NUM_THREADS"] == str(worker_threads())
    assert 1 <= worker_threads() <= max(1, (os.cpu_count() or 2) - 1)
