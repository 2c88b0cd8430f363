"""The run that is going while the explorer is open, and the one worker process."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from engine.errors import CancelledError, LogitscopeError, StoreError, WorkerError
from tui.events import Noted, RunEnded
from tui.trouble import note_traceback

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.client import WorkerClient
    from engine.runs import RunPlan, RunProgress, RunSummary
    from tui.session import Session

LEAST_INTERVAL = 0.25
"""Seconds between two reports of a run."""
PATIENCE = 1.0
"""Seconds that leaving waits for a run to stop, and then for its worker to end."""
_STOP_CHECK = 0.05


class Live:
    """Owns the worker process and the thread that a run has; others may ask the worker as well.

    Attributes:
        progress: How far the run that is going is; None where none is.
        run_going: Whether a run is going.
        serving: Whether the run that is going has loaded its model.
        model: The model of the latest run; empty while that is not known.
        cancelling: Whether the run was told to stop.
    """

    def __init__(self, session: Session, make_client: Callable[[], WorkerClient] | None) -> None:
        self._session = session
        self._make_client = make_client
        self._client: WorkerClient | None = None
        self._making = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self.progress: RunProgress | None = None
        self.run_going = False
        self.serving = False
        self.model = ""
        self.cancelling = False

    @property
    def busy(self) -> bool:
        """Whether a run has the model."""
        return self._thread is not None and self._thread.is_alive()

    def start_run(self, make_plan: Callable[[], RunPlan], *, resume: bool = False) -> None:
        """Start a run in the background; told as ``RunProgressed`` and ``RunEnded``.

        Raises:
            WorkerError: Another run is going.
        """
        if self.busy and self.run_going:
            raise WorkerError("The model is busy.", "Wait until it is done, or cancel it with c.")
        self._join()  # a run that has told its end may not have left its thread yet
        self._stop = threading.Event()
        self.serving = self.cancelling = False
        self.progress = None
        self.model = ""
        self.run_going = True
        self._thread = threading.Thread(
            target=self._run, args=(make_plan, resume), name="run", daemon=True
        )
        self._thread.start()

    def cancel(self) -> bool:
        """Stop the run that is going; False where none is. Returns at once."""
        if not self.busy:
            return False
        self.cancelling = True
        self._stop.set()
        return True

    def close(self) -> None:
        """Stop the run that is going and end the worker."""
        self._stop.set()
        self._join()
        if self._client is not None:
            self._client.close(PATIENCE)
            self._join()

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join(PATIENCE)

    def client(self) -> WorkerClient:
        """The one that owns the worker; from any thread."""
        with self._making:
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
            plan = make_plan()
            self._load(plan, tell)
            summary = execute(
                self._session.store,
                plan,
                self.client(),
                resume=resume,
                on_progress=tell,
                stop=self._stop,
            )
            ended = RunEnded(summary.run_id, summary.status, _sentence(summary))
        except LogitscopeError as error:
            status = "cancelled" if self._stop.is_set() else "failed"
            ended = RunEnded(None, status, error.sentence, error.hint)
        except Exception as error:
            # Even a mistake in logitscope must not leave a run that seems to go on.
            hint = f"What was stored is safe. The traceback is in {note_traceback()}."
            ended = RunEnded(None, "failed", f"The run failed unexpectedly: {error!r}.", hint)
        self.run_going = self.serving = self.cancelling = False
        self.progress = None
        with suppress(StoreError):  # Closed: nobody is left to be told.
            self._session.run_ended(ended)

    def _load(self, plan: RunPlan, tell: Callable[[RunProgress], None]) -> None:
        """Have the run's model loaded, once nobody else waits for an answer of another one."""
        from engine.runs import RunProgress

        def tell_stage(stage: str) -> None:
            tell(RunProgress(None, stage, 0, 0, plan.planned))

        self.model = plan.model
        while not self._session.asking.wait(_STOP_CHECK) and not self._stop.is_set():
            tell_stage("waiting for an answer")
        if self._stop.is_set() or not self.client().load(plan.load, tell_stage, self._stop):
            raise CancelledError("The run was cancelled before its model was loaded.")
        self.serving = True


def _sentence(summary: RunSummary) -> str:
    """How a run ended, for people."""
    sentence = (
        f"Run {summary.run_id} {summary.status}: "
        f"{summary.stored:,} of {summary.planned:,} probes are stored."
    )
    return f"{sentence} {summary.message}" if summary.message else sentence
