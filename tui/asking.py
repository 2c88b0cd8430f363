"""What the model is asked about one stored probe while the explorer is open, run or no run."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from engine.errors import LogitscopeError
from tui.events import AskCancelled, AskDone, AskFailed, AskSaw, AskStarted

if TYPE_CHECKING:
    from engine.followups import Answered
    from engine.formats import PromptFormat
    from engine.lab import Lab, LabEvent, Trial
    from tui.session import Session

_log = logging.getLogger(__name__)


class Rerun(msgspec.Struct, frozen=True, eq=False):
    """The same question again; the answer is the id of the new probe."""

    probe_id: int


class MoreSamples(msgspec.Struct, frozen=True, eq=False):
    """More samples of the same prompt; the answer is their numbers."""

    probe_id: int
    count: int


class Branch(msgspec.Struct, frozen=True, eq=False):
    """A text with another token at one place; the answer is the index of the branch.

    Attributes:
        probe_id: The probe.
        sample: Index of the text that the branch leaves.
        beginning: What the branch begins with, the alternative last.
    """

    probe_id: int
    sample: int
    beginning: tuple[int, ...]


class EditPrompt(msgspec.Struct, frozen=True, eq=False):
    """The prompt as somebody changed it; the answer is not stored."""

    probe_id: int
    prompt: str


class TryFormat(msgspec.Struct, frozen=True, eq=False):
    """A prompt format as somebody is writing it; the answer is a trial, stored nowhere.

    Attributes:
        probe_id: The probe that the lab is about.
        lab: Asks its own question and the pinned ones.
        format: The format.
    """

    probe_id: int
    lab: Lab
    format: PromptFormat


Ask = Rerun | MoreSamples | Branch | EditPrompt | TryFormat
"""One thing that is asked; two that ask the same are still two."""

Answer: TypeAlias = "int | list[int] | Answered | Trial"


class Asking:
    """Asks one thing at a time, on a thread of its own; a new one takes the place of the former.

    Used from the app's thread. While a run is going, only the model of the run is asked, and
    nothing is ever loaded. A load that has begun is never given up for another question: the next
    one will most likely want the same model.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._thread = ThreadPoolExecutor(1, "ask")
        self._asked: Ask | None = None
        self._stop = threading.Event()
        self._future: Future[None] | None = None
        self._closing = threading.Event()

    @property
    def going(self) -> Ask | None:
        """What is being asked."""
        idle = self._future is None or self._future.done() or self._stop.is_set()
        return None if idle else self._asked

    def ask(self, ask: Ask) -> None:
        """Ask something; told as ``Ask...`` events."""
        live, post = self._session.live, self._session.post
        if live.run_going and not live.serving:
            post(
                AskFailed(
                    ask,
                    f"The run that is going has not loaded {live.model or 'its model'} yet.",
                    "Wait until it has, or cancel it with c on the list of questions.",
                )
            )
            return
        self.cancel()
        self._asked, self._stop = ask, threading.Event()
        post(AskStarted(ask))
        busy_with = live.model if live.run_going else ""
        self._future = self._thread.submit(self._carry_out, ask, self._stop, busy_with)

    def cancel(self) -> bool:
        """Take back what is being asked; False where nothing is. Returns at once."""
        ask = self.going
        if ask is None:
            return False
        self._stop.set()
        self._session.post(AskCancelled(ask))
        return True

    def wait(self, seconds: float) -> bool:
        """Wait so long for what is being asked; whether nothing is any more."""
        future = self._future
        return future is None or not wait([future], seconds).not_done

    def close(self) -> None:
        """Take back what is being asked and ask nothing more; the worker may still be at it."""
        self._closing.set()
        self._stop.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _carry_out(self, ask: Ask, stop: threading.Event, busy_with: str) -> None:
        if stop.is_set():
            return
        try:
            if not busy_with:
                self._load(ask, stop)
            answer = self._answer(ask, stop, busy_with)
        except LogitscopeError as error:
            if not stop.is_set():
                self._session.post(AskFailed(ask, error.sentence, error.hint))
        except Exception as error:
            # Nobody looks into a future: what nobody foresaw must not pass in silence.
            _log.exception("What was asked of probe %s went wrong.", ask.probe_id)
            self._session.post(AskFailed(ask, f"Something unforeseen went wrong: {error!r}."))
        else:
            self._tell(ask, answer)

    def _tell(self, ask: Ask, answer: Answer) -> None:
        if isinstance(ask, Rerun):
            self._session.load_runs()
        self._session.post(AskDone(ask, answer))

    def _load(self, ask: Ask, stop: threading.Event) -> None:
        """Have the model loaded, whether what was asked is taken back meanwhile or not."""
        from engine.followups import model_of
        from engine.protocol import Loading

        def tell(stage: str) -> None:
            if not stop.is_set():
                self._session.post(AskSaw(ask, Loading(0, stage)))

        wanted = model_of(self._session.store, ask.probe_id)
        self._session.live.client().load(wanted, tell, self._closing)

    def _answer(self, ask: Ask, stop: threading.Event, busy_with: str) -> Answer:
        from engine import followups

        def saw(event: LabEvent) -> None:
            if not stop.is_set():
                self._session.post(AskSaw(ask, event))

        store, client = self._session.store, self._session.live.client()
        match ask:
            case Rerun(probe_id):
                return followups.rerun(
                    store, probe_id, client, on_event=saw, stop=stop, busy_with=busy_with
                )
            case MoreSamples(probe_id, count):
                return followups.more_samples(
                    store, probe_id, count, client, on_event=saw, stop=stop, busy_with=busy_with
                )
            case Branch(probe_id, sample, beginning):
                return followups.branch(
                    store,
                    probe_id,
                    sample,
                    len(beginning) - 1,
                    beginning[-1],
                    client,
                    on_event=saw,
                    stop=stop,
                    busy_with=busy_with,
                )
            case EditPrompt(probe_id, prompt):
                return followups.ask_edited(
                    store, probe_id, prompt, client, on_event=saw, stop=stop, busy_with=busy_with
                )
            case TryFormat(_, lab, fmt):
                return lab.try_format(fmt, client, on_event=saw, stop=stop, busy_with=busy_with)
