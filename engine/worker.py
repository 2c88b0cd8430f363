"""The worker process: owns torch and the model, answers :mod:`engine.protocol` requests.

``python -m engine.worker --fd N`` serves the socket it inherited as file descriptor N. One thread
listens, so that a cancelled job is acknowledged in the middle of a decode step; the main thread
works, one job after the other. The process ends when it is told to or when the socket closes,
so it never outlives the front process.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import queue
import socket
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import msgspec

from engine.backend import Backend, Stopping, TorchBackend
from engine.errors import LogitscopeError, ModelError, OutOfMemory
from engine.formats import PromptFormat
from engine.protocol import (
    Bye,
    Cancel,
    Cancelled,
    Done,
    ErrorKind,
    Event,
    Extend,
    Extended,
    Failed,
    FirstToken,
    JobEvent,
    Load,
    Loading,
    Note,
    Probe,
    Probed,
    ProbeItem,
    Render,
    Rendered,
    Request,
    Shutdown,
    Work,
    Wrote,
    decode_request,
    frame,
    read_frame,
)
from engine.records import Distribution, ProbeResult

if TYPE_CHECKING:
    from engine.rendered import RenderedPrompt


class Worker:
    """Serves one connection with one backend.

    A job is *open* from the moment its request is read until its last event is sent. Sending and
    cancelling share a lock, so nothing but :class:`Done` can follow a :class:`Cancelled`.

    Somebody waits for an *urgent* request: it is served before all others, and in the middle of a
    probe that is not live, between two of its forward passes.
    """

    def __init__(self, connection: socket.socket, backend: Backend) -> None:
        self._connection = connection
        self._backend = backend
        self._lock = threading.Lock()
        self._open: dict[int, threading.Event] = {}
        self._urgent: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._others: queue.SimpleQueue[Work] = queue.SimpleQueue()
        self._waiting = threading.Semaphore(0)

    def serve(self) -> NoReturn:
        """Work until told to stop or until the other end is closed."""
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        while True:
            self._waiting.acquire()
            try:
                request = self._urgent.get_nowait()
            except queue.Empty:
                request = self._others.get()
            self._do(request)

    def _serve_urgent(self) -> None:
        """Do what is urgent, in the middle of something else."""
        while not self._urgent.empty():
            self._waiting.acquire()
            self._do(self._urgent.get())

    def _do(self, request: Work) -> None:
        try:
            last = self._work(request)
        except Exception as error:
            last = self._failure(request.job, None, error)
        self._end(last)

    def _listen(self) -> None:
        """Read requests; ends the process when there is nothing more to read."""
        try:
            with self._connection.makefile("rb") as stream:
                while (body := read_frame(stream)) is not None:
                    self._accept(decode_request(body))
        except ConnectionError:
            _exit(0)
        except Exception:
            traceback.print_exc()
            _exit(1)
        _exit(0)

    def _accept(self, request: Request) -> None:
        if isinstance(request, Cancel):
            self._cancel(request.job)
        elif isinstance(request, Shutdown):
            with self._lock:
                self._write(Bye())
            _exit(0)
        else:
            with self._lock:
                self._open[request.job] = threading.Event()
            (self._urgent if _is_urgent(request) else self._others).put(request)
            self._waiting.release()

    def _cancel(self, job: int) -> None:
        with self._lock:
            cancelled = self._open.get(job)
            if cancelled is not None and not cancelled.is_set():
                cancelled.set()
                self._write(Cancelled(job))

    def _work(self, request: Work) -> JobEvent:
        """Do one job; returns its last event."""
        if self._open[request.job].is_set():
            return Done(request.job)
        if isinstance(request, Load):
            job = request.job
            ready = self._backend.load(request, lambda stage: self._emit(Loading(job, stage)))
            return ready or Done(job)
        if isinstance(request, Render):
            fmt = _by_name(request.formats)[request.item.format]
            prompt = self._backend.render(request.item, fmt, request.max_new_tokens)
            return Rendered(request.job, request.item.key, prompt)
        if isinstance(request, Extend):
            return self._extend(request)
        self._probe(request)
        return Done(request.job)

    def _extend(self, request: Extend) -> JobEvent:
        job = request.job
        written = self._backend.extend(
            request,
            cancelled=self._open[job].is_set,
            on_step=lambda step, token_ids: self._emit(Wrote(job, 0, step, token_ids)),
        )
        return Extended(job, tuple(written))

    def _probe(self, request: Probe) -> None:
        job, is_set = request.job, self._open[request.job].is_set
        prompts, keys, cues = self._render_all(request)
        if not prompts:
            return

        def on_first(index: int, first: Distribution, label_logprobs: list[float]) -> None:
            self._emit(FirstToken(job, keys[index], first, label_logprobs))

        def on_step(index: int, step: int, token_ids: list[int | None]) -> None:
            self._emit(Wrote(job, keys[index], step, token_ids))

        def cancelled() -> bool:
            self._serve_urgent()
            return is_set()

        unconditional = self._score_cues(cues, request, cancelled)
        results = self._backend.probe(
            prompts,
            request.settings,
            batch_size=request.batch_size,
            keep=request.live,
            cancelled=is_set if request.live else cancelled,
            on_first=on_first if request.live else None,
            on_step=on_step if request.live else None,
            on_note=lambda sentence: self._emit(Note(job, sentence)),
        )
        for index, result in results:
            if unconditional:
                result = _with_unconditional(result, unconditional[index])
            self._emit(Probed(job, keys[index], prompts[index], result))

    def _score_cues(
        self, cues: Sequence[RenderedPrompt], request: Probe, cancelled: Stopping
    ) -> list[dict[str, float]]:
        """Log-likelihood of every option's text after the cue alone, by label, one entry a prompt.

        Empty where that was not asked for, or the job was cancelled meanwhile.
        """
        settings = msgspec.structs.replace(
            request.settings, continuations=True, generations=False, unconditional=False
        )
        scores: dict[int, dict[str, float]] = {}
        if cues:
            results = self._backend.probe(
                cues,
                settings,
                batch_size=request.batch_size,
                keep=False,
                cancelled=cancelled,
                on_first=None,
                on_step=None,
                on_note=lambda sentence: self._emit(Note(request.job, sentence)),
            )
            scores = {
                index: {scored.label: scored.total for scored in result.continuations}
                for index, result in results
            }
        return [scores[index] for index in range(len(cues))] if len(scores) == len(cues) else []

    def _render_all(
        self, request: Probe
    ) -> tuple[list[RenderedPrompt], list[int], list[RenderedPrompt]]:
        """Render every item; one that can't be rendered fails alone.

        Returns:
            Prompts, keys, and the prompts that are nothing but the cue, where they are asked for.
        """
        formats = _by_name(request.formats)
        budget = request.settings.max_new_tokens if request.settings.generations else 0
        prompts: list[RenderedPrompt] = []
        keys: list[int] = []
        cues: list[RenderedPrompt] = []
        for item in request.items:
            if self._open[request.job].is_set():
                break
            try:
                prompt = self._backend.render(item, formats[item.format], budget)
                self._backend.check(prompt, request.settings)
                if request.settings.continuations and request.settings.unconditional:
                    cues.append(self._render_cue(item, formats[item.format]))
            except Exception as error:
                self._emit(self._failure(request.job, item.key, error))
            else:
                prompts.append(prompt)
                keys.append(item.key)
        return prompts, keys, cues

    def _render_cue(self, item: ProbeItem, fmt: PromptFormat) -> RenderedPrompt:
        bare = msgspec.structs.replace(item, shots=(), edited="")
        prompt = self._backend.render(bare, fmt.bare, 0)
        texts = tuple(known for known in prompt.continuations if known.kind == "text")
        return msgspec.structs.replace(prompt, continuations=texts)

    def _failure(self, job: int, key: int | None, error: Exception) -> Failed:
        """Say what went wrong; only what nobody foresaw leaves a traceback, in the log."""
        if isinstance(error, LogitscopeError):
            return Failed(job, key, _kind(error), error.sentence, error.hint)
        traceback.print_exception(error)
        return Failed(
            job,
            key,
            "internal",
            f"The worker stumbled over something unforeseen: {_one_line(error)}",
            "The worker's log has the details.",
        )

    def _emit(self, event: JobEvent) -> None:
        """Send an event of an open job, unless the job was cancelled."""
        with self._lock:
            if not self._open[event.job].is_set():
                self._write(event)

    def _end(self, last: JobEvent) -> None:
        """Send the last event of a job and forget the job."""
        with self._lock:
            cancelled = self._open.pop(last.job).is_set()
            self._write(Done(last.job) if cancelled else last)

    def _write(self, event: Event) -> None:
        try:
            self._connection.sendall(frame(event))
        except ConnectionError:
            _exit(0)


def _is_urgent(request: Work) -> bool:
    return isinstance(request, Render | Extend) or (isinstance(request, Probe) and request.live)


def _with_unconditional(result: ProbeResult, scores: dict[str, float]) -> ProbeResult:
    """A result whose option texts also have their log-likelihood without the question."""
    return msgspec.structs.replace(
        result,
        continuations=[
            msgspec.structs.replace(scored, unconditional=scores[scored.label])
            if scored.kind == "text"
            else scored
            for scored in result.continuations
        ],
    )


def _by_name(formats: Sequence[PromptFormat]) -> dict[str, PromptFormat]:
    return {fmt.name: fmt for fmt in formats}


def _kind(error: LogitscopeError) -> ErrorKind:
    if isinstance(error, OutOfMemory):
        return "memory"
    return "model" if isinstance(error, ModelError) else "prompt"


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}"


def _exit(code: int) -> NoReturn:
    """End the process at once: the worker owns nothing that needs closing."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(backend: Backend) -> NoReturn:
    """Serve the inherited socket ``--fd``, ``--nice`` to everything else on the machine."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--nice", type=int, default=0)
    options = parser.parse_known_args()[0]
    descriptor: int = options.fd
    os.set_inheritable(descriptor, False)
    os.nice(options.nice)
    faulthandler.enable()
    Worker(socket.socket(fileno=descriptor), backend).serve()


if __name__ == "__main__":
    main(TorchBackend())
