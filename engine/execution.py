"""The busy part of a run: keep the worker fed, store what comes back, survive its death."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Literal

import msgspec

from engine.client import WorkerClient
from engine.errors import LogitscopeError, WorkerError
from engine.planning import CHUNK, PlannedProbe, RunPlan, check_weights
from engine.protocol import Bye, Cancelled, Done, Event, Failed, Gone, Note, Probe, Probed, Ready
from engine.single import token_bytes, with_readings
from engine.store import Store, StoredProbe

WRITE_EVERY = 0.25
"""Seconds; what is done is stored at least this often."""

JOB = CHUNK
"""Most probes a job: enough for full batches, few enough to be sent and dropped in no time."""

JOBS_AHEAD = 2
"""Jobs that the worker has, so that it never waits for the front."""

RATE_WINDOW = 30.0
"""Seconds of the recent past that the rate speaks of."""

HOPELESS = 5
"""Worker failures in a row, with no probe done between them, before a run gives up."""

CANCEL_PATIENCE = 2.0
"""Seconds to wait until cancelled jobs are acknowledged."""

SUSPICIOUS = 20
"""Questions from which on one and the same answer to all of them is worth a word."""

_STOP_CHECK = 0.05

_log = logging.getLogger(__name__)

Outcome = Literal["finished", "cancelled", "failed"]
ProbeKey = tuple[int, str, int]
"""Question index, format and number of the variant: what a probe is within its run."""


class RunProgress(msgspec.Struct, frozen=True):
    """How far a run is.

    Attributes:
        run_id: The run; None until it is in the store.
        stage: What is happening, in words.
        done: Probes stored, those of earlier parts of a resumed run included.
        failed: Probes that could not be made.
        planned: Probes that the plan holds.
        rate: Probes a second lately; 0 until one is done.
        eta_s: Seconds left at this rate; None until one is done.
        note: Something to tell the user once; empty for nothing.
    """

    run_id: int | None
    stage: str
    done: int
    failed: int
    planned: int
    rate: float = 0.0
    eta_s: float | None = None
    note: str = ""


OnProgress = Callable[[RunProgress], None]


class Execution:
    """One part of a run, from its start or resumption to its end. Used by one thread.

    Attributes:
        done: Probes stored, those of earlier parts included.
        failed: Probes that could not be made.
    """

    def __init__(
        self,
        store: Store,
        plan: RunPlan,
        client: WorkerClient,
        ready: Ready,
        run_id: int,
        stored: set[ProbeKey],
        on_progress: OnProgress,
        stop: threading.Event,
    ) -> None:
        """Prepare a part of a run.

        Args:
            store: Written on the thread that calls :meth:`run`.
            plan: What to ask.
            client: Whose worker has loaded the plan's model.
            ready: What the worker said about it.
            run_id: The run in the store.
            stored: What earlier parts have stored.
            on_progress: Called on the thread that calls :meth:`run`.
            stop: Cancels the run when set.
        """
        self.done = len(stored)
        self.failed = 0
        self._store = store
        self._plan = plan
        self._client = client
        self._token_bytes = token_bytes(ready)
        self._notes = deque([*ready.notes, *plan.notes])
        self._run_id = run_id
        self._on_progress = on_progress
        self._stop = stop
        self._unasked = (probe for probe in plan.probes() if _key(probe) not in stored)
        self._returned: deque[PlannedProbe] = deque()
        self._alone: deque[PlannedProbe] = deque()
        self._in_flight: dict[int, _Job] = {}
        self._job_size = JOB
        self._in_a_row = 0
        self._first_failure = ""
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._batch: list[StoredProbe] = []
        self._written_at = time.monotonic()
        self._rate = _Rate(time.monotonic(), self.done)

    def run(self) -> tuple[Outcome, str | None]:
        """Ask everything that is left.

        Returns:
            How it ended, and why or what failed, in words.

        Raises:
            StoreError: What came back can't be stored.
        """
        with self._client.listening(self._events.put):
            try:
                outcome = self._ask_all()
            except WorkerError as error:
                self._write()
                return "failed", str(error)
            finally:
                self._cancel()
            self._write()
            self._notes.extend(_suspicions(self._store, self._run_id))
            self._tell(outcome)
            while self._notes:
                self._tell(outcome)
        if outcome == "finished" and self.failed and not self.done:
            return "failed", self._failures()
        return outcome, self._failures()

    def _ask_all(self) -> Outcome:
        """Feed the worker until nothing is left or the run is cancelled."""
        self._tell("probing")
        while self._send_jobs():
            if self._stop.is_set():
                return "cancelled"
            # Asked before the events are: what the worker said before it died comes first.
            ended = self._client.ended
            event = self._next_event()
            if event is not None:
                self._handle(event)
            elif ended is not None:
                self._recover(ended)
            if time.monotonic() - self._written_at >= WRITE_EVERY:
                self._write()
                self._tell("probing")
        return "finished"

    def _send_jobs(self) -> bool:
        """Keep the worker supplied; False when nothing is left to wait for."""
        while len(self._in_flight) < (1 if self._alone else JOBS_AHEAD):
            probes = self._next_job()
            if not probes:
                break
            job = self._client.next_job()
            self._in_flight[job] = _Job(probes)
            items = tuple(probe.item for probe in probes)
            plan = self._plan
            request = Probe(job, items, plan.formats, plan.settings, batch_size=plan.batch_size)
            try:
                self._client.send(request)
            except WorkerError:
                break  # It has died, which the loop notices.
        return bool(self._in_flight)

    def _next_job(self) -> list[PlannedProbe]:
        """The probes to send next; of one format, because those share a prefix."""
        if self._alone:
            return [self._alone.popleft()]
        job: list[PlannedProbe] = []
        while len(job) < self._job_size and (probe := self._next_probe()):
            if job and probe.item.format != job[0].item.format:
                self._returned.appendleft(probe)
                break
            job.append(probe)
        return job

    def _next_probe(self) -> PlannedProbe | None:
        return self._returned.popleft() if self._returned else next(self._unasked, None)

    def _next_event(self) -> Event | None:
        try:
            return self._events.get(timeout=_STOP_CHECK)
        except queue.Empty:
            return None

    def _handle(self, event: Event) -> None:
        if isinstance(event, Gone | Bye) or event.job not in self._in_flight:
            return
        if isinstance(event, Probed):
            self._keep(self._in_flight[event.job].left.pop(event.key), event)
        elif isinstance(event, Note):
            self._notes.append(event.sentence)
        elif isinstance(event, Failed) and event.key is not None:
            self._give_up(self._in_flight[event.job].left.pop(event.key), event.sentence)
        elif isinstance(event, Failed):
            self._split(self._in_flight.pop(event.job), event)
        elif isinstance(event, Done):
            for probe in self._in_flight.pop(event.job).left.values():
                self._give_up(probe, "The worker gave no answer.")

    def _keep(self, probe: PlannedProbe, answer: Probed) -> None:
        """Read a finished probe and put it into the batch that is stored next."""
        self._in_a_row = 0
        try:
            self._batch.append(with_readings(probe, answer, self._token_bytes))
        except Exception as error:
            # One text that trips the rules must not end a run that may have taken hours.
            _log.exception("The answers of a probe could not be read.")
            self._give_up(probe, f"Its answers could not be read: {error!r}.")

    def _give_up(self, probe: PlannedProbe, sentence: str) -> None:
        self.failed += 1
        if not self._first_failure:
            item = probe.item
            self._first_failure = (
                f"question {probe.question_index}, format {item.format}, order {item.order}: "
                f"{sentence}"
            )

    def _split(self, job: _Job, failure: Failed) -> None:
        """A job failed as a whole: ask its probes one by one, or leave out the one it had."""
        self._count_failure(WorkerError(failure.sentence, failure.hint))
        if job.size == 1:
            self._give_up(job.only, failure.sentence)
        else:
            self._alone.extend(job.left.values())

    def _recover(self, ended: Gone | Bye) -> None:
        """Replace a dead worker; what it was working on is asked one by one.

        A probe that was alone when the worker died is left out. As it may have been the number of
        probes that was too much, jobs are half as long from then on.
        """
        self._write()
        if isinstance(ended, Bye):
            raise WorkerError("The worker was closed in the middle of the run.")
        self._count_failure(WorkerError(ended.sentence, ended.hint))
        working, *waiting = self._in_flight.values()
        self._in_flight.clear()
        if working.size == 1:
            self._give_up(working.only, ended.sentence)
        else:
            self._job_size = max(1, working.size // 2)
            self._alone.extend(working.left.values())
        self._returned.extendleft(
            probe for job in reversed(waiting) for probe in reversed(job.left.values())
        )
        self._notes.append(f"{ended.sentence} It is started again.")
        if self._client.load(self._plan.load, self._tell, self._stop) is not None:
            check_weights(self._plan)
            self._tell("probing")

    def _count_failure(self, error: LogitscopeError) -> None:
        self._in_a_row += 1
        if self._in_a_row >= HOPELESS:
            raise error

    def _cancel(self) -> None:
        """Drop the jobs that the worker still has; what it has finished till then is kept."""
        waiting = set(self._in_flight)
        for job in waiting:
            self._client.cancel(job)
        deadline = time.monotonic() + CANCEL_PATIENCE
        while waiting and self._client.alive and time.monotonic() < deadline:
            event = self._next_event()
            if isinstance(event, Cancelled | Done):
                waiting.discard(event.job)
            elif isinstance(event, Probed):
                self._handle(event)

    def _write(self) -> None:
        """Store what has come back since the last time."""
        self._written_at = time.monotonic()
        if self._batch:
            self._store.write(self._run_id, self._batch)
            self.done += len(self._batch)
            self._batch = []
            self._rate.add(self._written_at, self.done)

    def _tell(self, stage: str) -> None:
        rate = self._rate.value(time.monotonic())
        left = self._plan.planned - self.done - self.failed
        progress = RunProgress(
            run_id=self._run_id,
            stage=stage,
            done=self.done,
            failed=self.failed,
            planned=self._plan.planned,
            rate=rate,
            eta_s=left / rate if rate else None,
            note=self._notes.popleft() if self._notes else "",
        )
        self._on_progress(progress)

    def _failures(self) -> str | None:
        if not self.failed:
            return None
        count = "1 probe" if self.failed == 1 else f"{self.failed:,} probes"
        return f"{count} could not be made; the first: {self._first_failure}"


def _suspicions(store: Store, run_id: int) -> list[str]:
    """What about the answers of a run looks more like a broken prompt than like a model."""
    rows = store.reader().execute(
        "SELECT format, any_value(first_token) FROM outcomes WHERE run_id = ? GROUP BY format "
        "HAVING count(first_token) >= ? AND count(DISTINCT first_token) = 1 ORDER BY format",
        [run_id, SUSPICIOUS],
    )
    return [
        f"In format {fmt} the first token says {label} to every question: look at a prompt's "
        "tokens before trusting that."
        for fmt, label in rows.fetchall()
    ]


class _Job:
    """Probes sent together.

    Attributes:
        size: How many were sent.
        left: Those without an answer, by key, in the order sent.
    """

    def __init__(self, probes: list[PlannedProbe]) -> None:
        self.size = len(probes)
        self.left = {probe.item.key: probe for probe in probes}

    @property
    def only(self) -> PlannedProbe:
        """The one probe that is left."""
        (probe,) = self.left.values()
        return probe


class _Rate:
    """Probes a second over the last :data:`RATE_WINDOW` seconds."""

    def __init__(self, now: float, done: int) -> None:
        self._seen = deque([(now, done)])

    def add(self, now: float, done: int) -> None:
        """Note how many are done now; the window always keeps one earlier point."""
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > RATE_WINDOW:
            self._seen.popleft()

    def value(self, now: float) -> float:
        """The rate, falling while nothing is finished; 0 until something is."""
        (began, before), (_, done) = self._seen[0], self._seen[-1]
        return (done - before) / (now - began) if done > before else 0.0


def _key(probe: PlannedProbe) -> ProbeKey:
    return probe.question_index, probe.item.format, probe.item.order
