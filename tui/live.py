"""Runs and re-runs of the model while the explorer is open: one worker, one thing at a time."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.errors import LogitscopeError, StoreError, WorkerError
from tui.events import (
    Noted,
    RerunDone,
    RerunFailed,
    RerunSaw,
    RerunStarted,
    RunEnded,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.client import WorkerClient
    from engine.runs import RunPlan, RunProgress, RunSummary
    from tui.session import Session

LEAST_INTERVAL = 0.25
"""Seconds between two reports of a run."""
PATIENCE = 2.0
"""Seconds that leaving waits for a run to stop, before and after its worker is ended."""


class Live:
    """Owns the worker process and the one thread that uses it.

    Attributes:
        progress: How far the run that is going is; None where none is.
        cancelling: Whether the run was told to stop.
    """

    def __init__(self, session: Session, make_client: Callable[[], WorkerClient] | None) -> None:
        self._session = session
        self._make_client = make_client
        self._client: WorkerClient | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self.progress: RunProgress | None = None
        self.run_going = False
        self.cancelling = False

    @property
    def busy(self) -> bool:
        """Whether the model is at work, for a run or a re-run."""
        return self._thread is not None and self._thread.is_alive()

    def start_run(self, make_plan: Callable[[], RunPlan], *, resume: bool = False) -> None:
        """Start a run in the background; told as ``RunProgressed`` and ``RunEnded``.

        Raises:
            WorkerError: The model is busy.
        """
        self._begin(lambda: self._run(make_plan, resume))
        self.run_going = True

    def rerun(self, probe_id: int) -> None:
        """Ask one question again in the background; told as ``Rerun...`` events."""
        if self.busy:
            self._session.post(
                RerunFailed(probe_id, "The model is busy.", "Wait, or cancel the run with c.")
            )
            return
        self._begin(lambda: self._rerun(probe_id))

    def cancel(self) -> bool:
        """Stop what is going; False where nothing is. Returns at once."""
        if not self.busy:
            return False
        self.cancelling = True
        self._stop.set()
        return True

    def close(self) -> None:
        """Stop what is going and end the worker."""
        self._stop.set()
        self._join()
        if self._client is not None:
            self._client.close()
            self._join()

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join(PATIENCE)

    def _begin(self, work: Callable[[], None]) -> None:
        if self.busy:
            raise WorkerError("The model is busy.", "Wait until it is done, or cancel it with c.")
        self._stop = threading.Event()
        self.cancelling = False
        self.progress = None
        self._thread = threading.Thread(target=work, name="live", daemon=True)
        self._thread.start()

    def _worker(self) -> WorkerClient:
        if self._client is None:
            if self._make_client is None:
                from engine.client import WorkerClient

                self._client = WorkerClient()
            else:
                self._client = self._make_client()
        return self._client

    def _run(self, make_plan: Callable[[], RunPlan], resume: bool) -> None:
        from engine.runs import execute

        told = 0.0

        def tell(progress: RunProgress) -> None:
            nonlocal told
            self.progress = progress
            if progress.note:
                self._session.post(Noted(progress.note))
            now = time.monotonic()
            if now - told >= LEAST_INTERVAL or progress.done == progress.planned:
                told = now
                self._session.run_moved(progress)

        try:
            summary = execute(
                self._session.store,
                make_plan(),
                self._worker(),
                resume=resume,
                on_progress=tell,
                stop=self._stop,
            )
            ended = RunEnded(summary.run_id, summary.status, _sentence(summary))
        except LogitscopeError as error:
            status = "cancelled" if self._stop.is_set() else "failed"
            ended = RunEnded(None, status, error.sentence, error.hint)
        self.run_going = self.cancelling = False
        self.progress = None
        with suppress(StoreError):  # Closed: nobody is left to be told.
            self._session.run_ended(ended)

    def _rerun(self, probe_id: int) -> None:
        from engine.followups import rerun

        post = self._session.post
        post(RerunStarted(probe_id))
        try:
            new_probe_id = rerun(
                self._session.store,
                probe_id,
                self._worker(),
                on_event=lambda event: post(RerunSaw(probe_id, event)),
                stop=self._stop,
            )
        except LogitscopeError as error:
            post(RerunFailed(probe_id, error.sentence, error.hint))
        else:
            self._session.load_runs()
            post(RerunDone(probe_id, new_probe_id))


def _sentence(summary: RunSummary) -> str:
    """How a run ended, for people."""
    sentence = (
        f"Run {summary.run_id} {summary.status}: "
        f"{summary.stored:,} of {summary.planned:,} probes are stored."
    )
    return f"{sentence} {summary.message}" if summary.message else sentence
