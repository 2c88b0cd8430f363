"""What somebody waits for is answered in the middle of a run, and the run does not notice."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Iterator

import pytest

from engine import worker
from engine.client import WorkerClient
from engine.demo import EMBEDDED_MODEL, QUESTIONS
from engine.planning import RunPlan, plan_run
from engine.protocol import (
    Cancel,
    Cancelled,
    Done,
    Event,
    Extend,
    Extended,
    Failed,
    FirstToken,
    JobEvent,
    Load,
    Loading,
    Probe,
    Probed,
    ProbeItem,
    Ready,
    Render,
    Rendered,
    Request,
    Work,
    Wrote,
    decode_event,
    frame,
    read_frame,
)
from engine.records import ProbeSettings
from engine.worker import Worker
from tests.fake_worker import FakeBackend, _options
from tests.test_client import FORMATS, item

PATIENCE = 60
SETTINGS = ProbeSettings(samples=2)
RUN, OTHER_RUN, ASKED, ASKED_LATER = 1, 2, 8, 9


class StandingStill(FakeBackend):
    """A fake that stands still at every question until it is let on."""

    def __init__(self) -> None:
        super().__init__(_options([]))
        self.at: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.go = threading.Semaphore(0)
        self.failing = ""

    def _misbehave(self, question_id: str) -> None:
        self.at.put(question_id)
        assert self.go.acquire(timeout=PATIENCE)
        if question_id == self.failing:
            raise RuntimeError("This question breaks the probe.")


class Attentive(Worker):
    """A worker that tells what it has read."""

    def __init__(self, connection: socket.socket, backend: StandingStill) -> None:
        super().__init__(connection, backend)
        self.heard: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self.deaf = threading.Event()

    def _accept(self, request: Request) -> None:
        super()._accept(request)
        self.heard.put(request)

    def _listen(self) -> None:
        with contextlib.suppress(SystemExit):
            super()._listen()
        self.deaf.set()


class Front:
    """The other end of a worker that runs in this process."""

    def __init__(self) -> None:
        self._connection, theirs = socket.socketpair()
        self._connection.settimeout(PATIENCE)
        self._stream = self._connection.makefile("rb")
        self.backend = StandingStill()
        self._worker = Attentive(theirs, self.backend)
        threading.Thread(target=self._worker.serve, daemon=True).start()

    def send(self, *requests: Request) -> None:
        """Send requests; the worker has read them when this returns."""
        for request in requests:
            self._connection.sendall(frame(request))
            assert self._worker.heard.get(timeout=PATIENCE) == request

    def stand_at(self, question_id: str) -> None:
        """Wait until the worker stands still; at this question."""
        assert self.backend.at.get(timeout=PATIENCE) == question_id

    def pass_by(self, *question_ids: str) -> None:
        """Let the worker on to these questions, one after the other, and over the last one."""
        for question_id in question_ids:
            self.stand_at(question_id)
            self.backend.go.release()

    def next(self) -> Event:
        body = read_frame(self._stream)
        assert body is not None
        return decode_event(body)

    def until(self, last: type[Event], job: int) -> list[JobEvent]:
        """All events up to the first one of a kind and job."""
        events: list[JobEvent] = []
        while not events or not (isinstance(events[-1], last) and events[-1].job == job):
            event = self.next()
            assert isinstance(event, JobEvent)
            events.append(event)
        return events

    def close(self) -> None:
        self._connection.shutdown(socket.SHUT_RDWR)
        self._stream.close()
        self._connection.close()
        assert self._worker.deaf.wait(PATIENCE)


@pytest.fixture
def front(monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    def end(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(worker, "_exit", end)
    front = Front()
    yield front
    front.close()


def run(*keys: int, job: int = RUN) -> Probe:
    return Probe(job, tuple(item(key) for key in keys), FORMATS, SETTINGS)


def live(key: int = 9, job: int = ASKED) -> Probe:
    return Probe(job, (item(key),), FORMATS, SETTINGS, live=True)


def extend(job: int = ASKED, **what: tuple[int, ...]) -> Extend:
    return Extend(job, "q9", 0, "plain", (5, 6, 7), SETTINGS, **what)


def story(events: list[JobEvent]) -> list[tuple[type[JobEvent], int]]:
    """Kinds and jobs, of a row of equals one."""
    told = [(type(event), event.job) for event in events]
    return [each for at, each in enumerate(told) if at == 0 or told[at - 1] != each]


def results(events: list[JobEvent], job: int) -> list[Probed]:
    return [event for event in events if isinstance(event, Probed) and event.job == job]


@pytest.mark.parametrize(
    ("urgent", "answer"),
    [
        (live(), [FirstToken, Wrote, Probed, Done]),
        (extend(samples=(3, 4)), [Wrote, Extended]),
        (extend(beginning=(65, 66)), [Wrote, Extended]),
        (Render(ASKED, item(9), FORMATS), [Rendered]),
    ],
    ids=["live probe", "samples", "branch", "render"],
)
def test_what_is_urgent_is_answered_in_the_middle_of_a_run(
    front: Front, urgent: Work, answer: list[type[JobEvent]]
) -> None:
    front.send(run(0, 1, 2))
    front.pass_by("q0", "q1", "q2")
    undisturbed = front.until(Done, RUN)

    front.send(run(0, 1, 2))
    front.stand_at("q0")
    front.send(urgent)
    front.backend.go.release()
    if not isinstance(urgent, Render):
        front.pass_by("q9")
    front.pass_by("q1", "q2")
    events = front.until(Done, RUN)
    assert story(events) == [
        (Probed, RUN),
        *((kind, ASKED) for kind in answer),
        (Probed, RUN),
        (Done, RUN),
    ]
    assert [event.key for event in results(events, RUN)] == [0, 1, 2]
    assert results(events, RUN) == results(undisturbed, RUN)


def test_several_are_answered_in_the_order_they_were_asked(front: Front) -> None:
    front.send(run(0, 1))
    front.stand_at("q0")
    front.send(live(7), Render(10, item(5), FORMATS), extend(11, samples=(1,)))
    front.backend.go.release()
    front.pass_by("q7", "q9", "q1")
    events = front.until(Done, RUN)
    ends = [e for e in events if isinstance(e, Done | Rendered | Extended)]
    assert [event.job for event in ends] == [ASKED, 10, 11, RUN]


def test_the_answers_are_those_of_an_idle_worker(front: Front) -> None:
    front.send(live())
    front.pass_by("q9")
    idle = front.until(Done, ASKED)
    front.send(run(0, 1))
    front.stand_at("q0")
    front.send(live())
    front.backend.go.release()
    front.pass_by("q9", "q1")
    assert [e for e in front.until(Done, RUN) if e.job == ASKED] == idle


def test_nothing_interrupts_what_somebody_waits_for(front: Front) -> None:
    """The second one waits, and still comes before a run that was sent earlier."""
    front.send(live(8))
    front.stand_at("q8")
    front.send(run(0), live(9, ASKED_LATER))
    front.backend.go.release()
    front.pass_by("q9", "q0")
    events = front.until(Done, RUN)
    ends = [event for event in events if isinstance(event, Done)]
    assert ends == [Done(ASKED), Done(ASKED_LATER), Done(RUN)]
    jobs = [event.job for event in events]
    assert jobs == sorted(jobs, key=[ASKED, ASKED_LATER, RUN].index)


def test_one_that_waits_for_another_in_a_run_comes_before_the_run_goes_on(front: Front) -> None:
    front.send(run(0, 1))
    front.stand_at("q0")
    front.send(live(8))
    front.backend.go.release()
    front.stand_at("q8")
    front.send(live(9, ASKED_LATER))
    front.backend.go.release()
    front.pass_by("q9", "q1")
    events = front.until(Done, RUN)
    ends = [event for event in events if isinstance(event, Done)]
    assert ends == [Done(ASKED), Done(ASKED_LATER), Done(RUN)]


@pytest.mark.parametrize("patient", [Load(ASKED, "other"), run(9, job=ASKED)], ids=["load", "run"])
def test_models_and_runs_wait_for_the_run_before_them(front: Front, patient: Work) -> None:
    front.send(run(0, 1))
    front.stand_at("q0")
    front.send(patient)
    front.backend.go.release()
    front.pass_by("q1")
    assert story(front.until(Done, RUN)) == [(Probed, RUN), (Done, RUN)]
    if isinstance(patient, Load):
        assert story(front.until(Ready, ASKED)) == [(Loading, ASKED), (Ready, ASKED)]
    else:
        front.pass_by("q9")
        assert story(front.until(Done, ASKED)) == [(Probed, ASKED), (Done, ASKED)]


def test_what_is_urgent_can_be_cancelled_alone(front: Front) -> None:
    front.send(run(0, 1))
    front.stand_at("q0")
    front.send(live())
    front.backend.go.release()
    front.stand_at("q9")
    front.send(Cancel(ASKED))
    # The worker stands still at q9: only the listening thread can have answered.
    assert story(front.until(Cancelled, ASKED)) == [(Probed, RUN), (Cancelled, ASKED)]
    front.backend.go.release()
    front.pass_by("q1")
    assert story(front.until(Done, RUN)) == [(Done, ASKED), (Probed, RUN), (Done, RUN)]


def test_what_is_urgent_can_be_cancelled_before_its_turn(front: Front) -> None:
    front.send(run(0, 1))
    front.stand_at("q0")
    front.send(live(), Cancel(ASKED))
    assert front.next() == Cancelled(ASKED)
    front.backend.go.release()
    front.pass_by("q1")
    assert story(front.until(Done, RUN)) == [
        (Probed, RUN),
        (Done, ASKED),
        (Probed, RUN),
        (Done, RUN),
    ]


def test_a_run_can_be_cancelled_while_somebody_is_answered(front: Front) -> None:
    front.send(run(0, 1), run(2, job=OTHER_RUN))
    front.stand_at("q0")
    front.send(live())
    front.backend.go.release()
    front.stand_at("q9")
    front.send(Cancel(RUN))
    assert story(front.until(Cancelled, RUN)) == [(Probed, RUN), (Cancelled, RUN)]
    front.backend.go.release()
    answered = front.until(Done, RUN)
    assert story(answered) == [
        *((kind, ASKED) for kind in (FirstToken, Wrote, Probed, Done)),
        (Done, RUN),
    ]
    front.pass_by("q2")
    assert story(front.until(Done, OTHER_RUN)) == [(Probed, OTHER_RUN), (Done, OTHER_RUN)]


@pytest.mark.parametrize("urgent", [live(), extend(samples=(1,))], ids=["live probe", "samples"])
def test_what_fails_does_not_take_the_run_along(front: Front, urgent: Work) -> None:
    front.backend.failing = "q9"
    front.send(run(0, 1))
    front.stand_at("q0")
    front.send(urgent)
    front.backend.go.release()
    front.pass_by("q9", "q1")
    events = front.until(Done, RUN)
    assert story(events) == [(Probed, RUN), (Failed, ASKED), (Probed, RUN), (Done, RUN)]
    failed = events[1]
    assert isinstance(failed, Failed)
    assert (failed.key, failed.kind) == (None, "internal")


# The embedded model


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerClient]:
    log = tmp_path_factory.mktemp("urgency") / "worker.log"
    with WorkerClient(log_path=log, niceness=0) as client:
        yield client


LONG = ProbeSettings(samples=4, max_new_tokens=40, kept=5)
KNOWLEDGE = str(dict(QUESTIONS)["Knowledge questions"])


@pytest.fixture(scope="module")
def plan() -> RunPlan:
    return plan_run(str(EMBEDDED_MODEL), KNOWLEDGE, ["low"], LONG, limit=13, device="cpu")


def ask_meanwhile(
    client: WorkerClient, request: Probe, *urgent: Work, cancelled: int = 0
) -> list[JobEvent]:
    """Send a run, and more once its first answer is there; all events until the run's last.

    Args:
        client: Whose worker is asked.
        request: The run.
        urgent: What somebody waits for.
        cancelled: The job that is cancelled once it has written a few tokens.
    """
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    waiting = list(urgent)
    seen: list[JobEvent] = []
    with client.listening(events.put):
        client.send(request)
        while not seen or seen[-1] != Done(request.job):
            event = events.get(timeout=PATIENCE)
            assert isinstance(event, JobEvent)
            seen.append(event)
            while waiting and results(seen, request.job):
                client.send(waiting.pop(0))
            if isinstance(event, Wrote) and (event.job, event.step) == (cancelled, 5):
                client.cancel(cancelled)
    return seen


def assert_same(one: Probed, other: Probed) -> None:
    for text, same in zip(one.result.generations, other.result.generations, strict=True):
        assert text.text == same.text
        assert text.positions.token_ids == same.positions.token_ids
        assert text.positions.logprobs == pytest.approx(same.positions.logprobs, abs=1e-4)


@pytest.mark.slow
def test_a_real_run_answers_what_is_urgent_and_says_the_same(
    client: WorkerClient, plan: RunPlan
) -> None:
    client.load(plan.load)
    *items, asked = (probe.item for probe in plan.probes())

    def probe(*asked: ProbeItem, live: bool = False) -> Probe:
        return Probe(client.next_job(), asked, plan.formats, LONG, live, batch_size=4)

    def undisturbed(*asked: ProbeItem) -> list[Probed]:
        request = probe(*asked)
        return results(ask_meanwhile(client, request), request.job)

    expected = undisturbed(*items)
    (alone,) = undisturbed(asked)
    prompt = alone.prompt
    urgent = (
        probe(asked, live=True),
        Extend(client.next_job(), asked.question_id, 0, "low", prompt.token_ids, LONG, (4, 5)),
        Render(client.next_job(), asked, plan.formats),
        probe(items[0], live=True),
    )
    disturbed = probe(*items)
    events = ask_meanwhile(client, disturbed, *urgent, cancelled=urgent[-1].job)
    of_run = [at for at, event in enumerate(events) if event.job == disturbed.job]
    for request, last in zip(urgent, (Done, Extended, Rendered, Done), strict=True):
        of_request = [at for at, event in enumerate(events) if event.job == request.job]
        assert isinstance(events[of_request[-1]], last)
        assert sum(at > of_request[-1] for at in of_run) > 4
    assert [e for e in events if e.job == urgent[-1].job][-2:] == [
        Cancelled(urgent[-1].job),
        Done(urgent[-1].job),
    ]
    for one, other in zip(expected, results(events, disturbed.job), strict=True):
        assert one.key == other.key
        assert_same(one, other)
    assert_same(alone, results(events, urgent[0].job)[0])
    (extended,) = [event for event in events if isinstance(event, Extended)]
    assert [text.index for text in extended.generations] == [4, 5]
    assert extended.generations[0].text == alone.result.generations[4].text
