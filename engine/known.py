"""A stored probe as it was asked, so that it can be asked again or written on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import msgspec

from engine.client import WorkerClient
from engine.errors import CancelledError, LogitscopeError, ModelError, StoreError
from engine.perturb import Variant
from engine.planning import PlannedProbe, RunPlan, check_weights, planned_probe, weights_hash
from engine.protocol import Extend, Extended, Failed, JobEvent, Loading, Note, Ready, Wrote
from engine.questions import Option, Question
from engine.readings import read_text
from engine.records import Generation
from engine.rendered import opens_thinking
from engine.runs import check_same_model, decode_plan
from engine.single import ask_one
from engine.store import Store, StoredProbe
from engine.stored import Record, records, shown_question

OnEvent = Callable[[JobEvent], None]
"""Told ``Loading``, ``FirstToken``, ``Wrote`` and ``Note`` events, on the calling thread."""


class Answered(msgspec.Struct, frozen=True):
    """The answers to one prompt, not stored yet; :func:`keep` stores those to an edited one.

    Attributes:
        probe: Prompt, result and readings.
        plan: How it was asked.
        parent_run: The run of the probe that was asked about.
        ready: The model.
    """

    probe: StoredProbe
    plan: RunPlan
    parent_run: int
    ready: Ready


class Known:
    """A stored probe, and a plan of just it.

    Args:
        store: Holds the probe.
        probe_id: The probe.
        edited: Its prompt changed by hand; empty for the one that is stored.

    Raises:
        LogitscopeError: Nothing says how the probe was made.
    """

    def __init__(self, store: Store, probe_id: int, edited: str = "") -> None:
        self._store = store
        self._probe_id = probe_id
        probe = recorded_probe(store, probe_id)
        self.run_id: int = probe["run_id"]
        try:
            plan = decode_plan(probe["settings"])
            fmt = next(fmt for fmt in plan.formats if fmt.name == probe["format"])
        except (msgspec.MsgspecError, StopIteration) as error:
            raise LogitscopeError(
                f"Nothing says how probe {probe_id} was made, so it can't be repeated.",
                "Probe the question anew with: logitscope run",
            ) from error
        question = stored_question(store, probe["question_id"])
        self._prompt = edited or probe["prompt"]
        ids = probe["prompt_ids"]
        self._prompt_ids: tuple[int, ...] | None = None if ids is None else tuple(ids)
        self._made_with = plan
        self.plan = msgspec.structs.replace(
            plan,
            formats=(fmt,),
            orders=1,
            perturbations=(),
            weights=weights_hash(plan.model),
            questions=(question,),
        )
        shown = Variant(
            shown_question(store.reader(), probe),
            tuple(probe["permutation"]),
            probe["order_index"],
            probe["perturbation"],
        )
        planned = planned_probe(0, probe["question_index"], question, shown, fmt, plan.examples)
        by_hand = edited or (probe["prompt"] if probe["kind"] == "edit" else "")
        item = msgspec.structs.replace(planned.item, edited=by_hand)
        self.planned: PlannedProbe = msgspec.structs.replace(planned, item=item)

    def ask(
        self,
        client: WorkerClient,
        on_event: OnEvent,
        stop: threading.Event | None,
        busy_with: str,
    ) -> Answered:
        """Ask the probe's question again, live; nothing is stored."""
        ready = load_model(client, self.plan, on_event, stop, busy_with)
        probe = ask_one(
            client, self.plan, self.planned, ready, live=True, on_event=on_event, stop=stop
        )
        return Answered(probe, self.plan, self.run_id, ready)

    def extend(
        self,
        client: WorkerClient,
        on_event: OnEvent,
        stop: threading.Event | None,
        busy_with: str,
        *,
        samples: tuple[int, ...] = (),
        beginning: tuple[int, ...] = (),
    ) -> tuple[Generation, ...]:
        """Have more written after the probe's prompt, by the model that answered it."""
        if self._prompt_ids is None:
            raise LogitscopeError(
                f"The tokens of the prompt of probe {self._probe_id} are unknown."
            )
        check_weights(self._made_with)
        ready = load_model(client, self.plan, on_event, stop, busy_with)
        check_same_model(self._store, self.run_id, ready.model)
        size = ready.model.vocab_size
        if any(not 0 <= token_id < size for token_id in beginning):
            raise LogitscopeError(
                f"The model has no token {beginning[-1]}.", f"Its tokens are 0 to {size - 1}."
            )
        item = self.planned.item
        request = Extend(
            client.next_job(),
            item.question_id,
            item.order,
            item.format,
            self._prompt_ids,
            self.plan.settings,
            samples,
            beginning,
        )
        for event in client.ask(request, stop):
            if isinstance(event, Failed):
                raise LogitscopeError(event.sentence, event.hint)
            if isinstance(event, Extended):
                return event.generations
            if isinstance(event, Wrote | Note):
                on_event(event)
        raise cancelled()

    def store(self, texts: Sequence[Generation]) -> None:
        """Add texts to the probe, read by the answer ladder."""
        thinking = opens_thinking(self._prompt)
        question = self.planned.item.question
        readings = [read_text(question, text, thinking=thinking) for text in texts]
        self._store.add_texts(self._probe_id, texts, readings)


def load_model(
    client: WorkerClient,
    plan: RunPlan,
    on_event: OnEvent,
    stop: threading.Event | None,
    busy_with: str,
) -> Ready:
    """Have the model of a plan loaded; beside a run, only make sure that it is.

    Raises:
        LogitscopeError: It can't be, a run keeps another one busy, or ``stop`` was set.
    """
    if busy_with:
        ready = client.loaded(plan.load)
        if ready is None:
            raise ModelError(
                f"{plan.model} can't be asked now: a run keeps {busy_with} busy.",
                "Wait until the run is done, or cancel it.",
            )
        return ready
    ready = client.load(plan.load, lambda stage: on_event(Loading(0, stage)), stop)
    if ready is None:
        raise cancelled()
    return ready


def cancelled() -> CancelledError:
    """What is raised where somebody gave up."""
    return CancelledError("The question was not asked: it was cancelled.")


def recorded_probe(store: Store, probe_id: int) -> Record:
    """The row of a probe, with kind and settings of its run."""
    query = (
        "SELECT probes.*, kind, settings FROM probes JOIN runs USING (run_id) WHERE probe_id = ?"
    )
    for probe in records(store.reader(), query, [probe_id]):
        return probe
    raise StoreError(f"{store.path} holds nothing with the number {probe_id}.")


def stored_question(store: Store, question_id: str) -> Question:
    """A question in the order of its source."""
    (row,) = records(store.reader(), "FROM questions WHERE question_id = ?", [question_id])
    options = tuple(Option(**option) for option in row["options"])
    return Question(row["text"], options, row["gold"], row["subject"], row["dataset"])
