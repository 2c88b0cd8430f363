"""The front's side of the worker process: start it, talk to it, notice when it dies, end it."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Self

import msgspec
import psutil

from engine.errors import ModelError, WorkerError
from engine.paths import home
from engine.protocol import (
    Bye,
    Cancel,
    Cancelled,
    Done,
    Event,
    Extended,
    Failed,
    Gone,
    JobEvent,
    Load,
    Loading,
    Ready,
    Rendered,
    Request,
    Shutdown,
    Work,
    decode_event,
    frame,
    read_frame,
)

OnEvent = Callable[[Event], None]

WORKER = (sys.executable, "-P", "-m", "engine.worker")
"""``-P``: a folder called ``engine`` where the user happens to stand must not be imported."""

NICENESS = 10
"""The screen shares the processor with the model and must win."""

LONGEST_LOG = 1 << 20
"""Bytes; a worker that starts with a longer log starts it anew."""

_log = logging.getLogger(__name__)


class WorkerClient:
    """Owns at most one worker process at a time; may be started again after the worker is gone.

    Events arrive on the client's reader thread; a listener must be quick and must not block.
    Every method may be called from any thread. A worker's last event is :class:`Bye` where it was
    closed and :class:`Gone` where it died.

    Attributes:
        log_path: Where the worker's standard output and error go.
        ended: The last event of the latest worker; None while it runs.
    """

    def __init__(
        self,
        on_event: OnEvent | None = None,
        log_path: Path | None = None,
        *,
        command: Sequence[str] = WORKER,
        niceness: int = NICENESS,
    ) -> None:
        """Prepare a client; nothing runs yet.

        Args:
            on_event: Called with every event.
            log_path: The worker's log; one in :func:`engine.paths.home` when left out.
            command: How the worker is started; ``--fd`` and ``--nice`` are appended.
            niceness: Added to the worker's; 0 where no screen has to stay quick beside it.
        """
        self.log_path = log_path or home() / "worker.log"
        self.ended: Bye | Gone | None = None
        self._command = (*command, "--nice", str(niceness))
        self._listeners: list[OnEvent] = [on_event] if on_event else []
        self._jobs = itertools.count(1)
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._reader: threading.Thread | None = None
        self._closing = False
        self._loads: dict[int, Load] = {}
        self._loaded: tuple[Load, Ready] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether a worker is running and listening."""
        return self._connection is not None

    @property
    def pid(self) -> int | None:
        """Process id of the running worker."""
        return self._process.pid if self._process is not None and self.alive else None

    def start(self) -> None:
        """Start the worker; does nothing where one is running.

        Raises:
            WorkerError: The process can't be started.
        """
        if not self.alive and self._reader not in (None, threading.current_thread()):
            self._reader.join()  # The old worker's last event must not be taken for the new one's.
        with self._lock:
            if self._connection is not None:
                return
            ours, theirs = socket.socketpair()
            with theirs, self._open_log() as log:
                try:
                    self._process = subprocess.Popen(
                        [*self._command, "--fd", str(theirs.fileno())],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        pass_fds=[theirs.fileno()],
                        start_new_session=True,
                        env=worker_environment(),
                    )
                except OSError as error:
                    ours.close()
                    raise WorkerError(f"The worker process can't be started: {error}.") from error
            self._connection = ours
            self.ended = None
            self._closing = False
            self._loaded = None
            self._reader = threading.Thread(
                target=self._read, args=(ours, self._process), name="worker events", daemon=True
            )
            self._reader.start()

    def next_job(self) -> int:
        """A job number that this client has not used."""
        return next(self._jobs)

    def send(self, request: Request) -> None:
        """Send one request.

        Raises:
            WorkerError: No worker is running; where it has just died, :class:`Gone` follows.
        """
        with self._lock:
            if isinstance(request, Load):
                self._loads[request.job] = request
                self._loaded = None
            connection = self._connection
        if connection is None:
            raise WorkerError("The worker is not running.", f"Its log: {self.log_path}")
        with self._sending:
            try:
                connection.sendall(frame(request))
            except OSError as error:
                raise WorkerError("The worker is gone.", f"Its log: {self.log_path}") from error

    def cancel(self, job: int) -> None:
        """Ask for the end of a job; does nothing where the worker is gone."""
        with contextlib.suppress(WorkerError):
            self.send(Cancel(job))

    @contextlib.contextmanager
    def listening(self, on_event: OnEvent) -> Iterator[None]:
        """Pass every event to one more listener for as long as the context lasts."""
        self._listeners.append(on_event)
        try:
            yield
        finally:
            self._listeners.remove(on_event)

    def ask(self, request: Work, stop: threading.Event | None = None) -> Iterator[JobEvent]:
        """Send one request and yield its events, the last one included, as they arrive.

        Once ``stop`` is set, the job is cancelled; its last event is then :class:`Done`.

        Raises:
            WorkerError: The worker died or was closed.
        """
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        with self.listening(events.put):
            self.send(request)
            asked_to_stop = False
            while True:
                if stop is not None and stop.is_set() and not asked_to_stop:
                    asked_to_stop = True
                    self.cancel(request.job)
                try:
                    event = events.get(timeout=0.05 if stop is not None else None)
                except queue.Empty:
                    continue
                if isinstance(event, Gone):
                    raise WorkerError(event.sentence, event.hint)
                if isinstance(event, Bye):
                    raise WorkerError("The worker was closed.")
                if event.job == request.job:
                    yield event
                    if _is_last(event):
                        return

    def load(
        self,
        wanted: Load,
        on_stage: Callable[[str], None] = lambda stage: None,
        stop: threading.Event | None = None,
    ) -> Ready | None:
        """Have a model loaded, starting the worker first where none runs.

        A model that was loaded with the same arguments is not loaded again.

        Args:
            wanted: What to load; its job number is replaced.
            on_stage: Told in words what is happening.
            stop: Gives up when set.

        Returns:
            What the worker said about the model; None where only the tokenizer was wanted or
            where ``stop`` was set.

        Raises:
            ModelError: The model can't be loaded.
            WorkerError: The worker can't be started or died.
        """
        self.start()
        if ready := self.loaded(wanted):
            return ready
        for event in self.ask(msgspec.structs.replace(wanted, job=self.next_job()), stop):
            if isinstance(event, Loading):
                on_stage(event.stage)
            elif isinstance(event, Ready):
                return event
            elif isinstance(event, Failed):
                raise ModelError(event.sentence, event.hint)
            elif isinstance(event, Cancelled):
                break  # The worker can't stop in the middle of a load; nobody has to wait for it.
        return None

    def loaded(self, wanted: Load) -> Ready | None:
        """What the worker said about a model, if that is the one it has loaded."""
        with self._lock:
            if self._loaded and msgspec.structs.replace(self._loaded[0], job=wanted.job) == wanted:
                return self._loaded[1]
        return None

    def close(self, timeout: float = 2.0) -> None:
        """End the worker within ``timeout`` seconds: ask, then terminate, then kill it."""
        with self._lock:
            self._closing = True
            process, reader, connection = self._process, self._reader, self._connection
        if process is None or reader is None:
            return
        # A worker that no longer reads may be blocking another thread's send; then only the
        # signals are left.
        if connection is not None and self._sending.acquire(timeout=timeout / 2):
            with contextlib.suppress(OSError):
                connection.sendall(frame(Shutdown()))
            self._sending.release()
        for insist in (process.terminate, process.kill):
            try:
                process.wait(timeout / 4)
                break
            except subprocess.TimeoutExpired:
                insist()
        process.wait()
        if reader is not threading.current_thread():
            reader.join()

    def _open_log(self) -> IO[bytes]:
        try:
            self.log_path.parent.mkdir(parents=True, exist_ok=True)
            log = self.log_path.open("ab")
        except OSError:
            # A read-only home must not keep anyone from running a model.
            descriptor, name = tempfile.mkstemp(prefix="logitscope-worker-", suffix=".log")
            self.log_path = Path(name)
            return os.fdopen(descriptor, "ab")
        if log.tell() > LONGEST_LOG:
            log.truncate(0)
        return log

    def _read(self, connection: socket.socket, process: subprocess.Popen[bytes]) -> None:
        """Dispatch events until the worker's end of the socket is closed."""
        last: Bye | None = None
        try:
            with connection.makefile("rb") as stream:
                while (body := read_frame(stream)) is not None:
                    event = decode_event(body)
                    if isinstance(event, Bye):
                        last = event
                        continue
                    if isinstance(event, Ready | Failed | Done):
                        self._remember(event)
                    self._dispatch(event)
        except ConnectionError:
            pass  # The worker died with unread requests in its end of the socket.
        except (ValueError, msgspec.MsgspecError):
            _log.exception("The worker sent something that is no message.")
            process.kill()
        with self._lock:
            self._connection = None
            self._loads.clear()
            self._loaded = None
            if self._closing:
                last = Bye()
        connection.close()
        self.ended = last or self._gone(_exit_code(process))
        self._dispatch(self.ended)

    def _remember(self, answer: Ready | Failed | Done) -> None:
        """Keep what the latest load brought."""
        with self._lock:
            load = self._loads.pop(answer.job, None)
            if load is not None and isinstance(answer, Ready) and not self._loads:
                self._loaded = load, answer

    def _dispatch(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:
                _log.exception("A listener failed; the worker's events go on.")

    def _gone(self, code: int) -> Gone:
        where = f"Its log: {self.log_path}"
        if code == -signal.SIGKILL:
            return Gone(
                code,
                "The worker was killed (signal 9), probably because memory ran out.",
                f"Try a smaller batch size, another dtype or another device. {where}",
            )
        if code < 0:
            name = signal.Signals(-code).name
            return Gone(code, f"The worker was ended by {name} (signal {-code}).", where)
        return Gone(code, f"The worker ended by itself with exit code {code}.", where)


def worker_environment() -> dict[str, str]:
    """The environment a worker runs in; what the user has set stays.

    ``GOMP_SPINCOUNT``: short spinning keeps OpenMP usable on busy machines at no cost on idle
    ones. One core is left to the screen.
    """
    wanted = {
        "GOMP_SPINCOUNT": "20000",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "OMP_NUM_THREADS": str(worker_threads()),
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    return {**wanted, **os.environ}


def worker_threads() -> int:
    """Threads for the model: the physical cores this process may use, less one for the screen."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    physical = psutil.cpu_count(logical=False)
    cores = [count for count in (usable, physical, _cpu_quota()) if count]
    return max(1, min(cores) - 1)


def _cpu_quota(path: Path = Path("/sys/fs/cgroup/cpu.max")) -> int | None:
    """Cores that the container's limit allows, or None where there is none."""
    try:
        quota, period = path.read_text().split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return None


def _exit_code(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process that has closed its socket."""
    try:
        return process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _is_last(event: JobEvent) -> bool:
    """Whether no event of the same job follows."""
    return isinstance(event, Ready | Rendered | Extended | Done) or (
        isinstance(event, Failed) and event.key is None
    )
