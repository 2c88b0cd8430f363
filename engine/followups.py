"""What a person asks about one stored probe: again, more samples, a branch, another prompt.

Screens and commands call these. None of them changes what a run has stored: a question asked again
or with an edited prompt becomes a run of its own, extra samples and branches are further texts of
the probe that no reading of the run counts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from engine.client import WorkerClient
from engine.errors import CancelledError, LogitscopeError, ModelError, StoreError
from engine.planning import (
    PlannedProbe,
    RunPlan,
    check_weights,
    planned_probe,
    record_run,
    weights_hash,
)
from engine.protocol import Extend, Extended, Failed, JobEvent, Load, Loading, Note, Ready, Wrote
from engine.questions import Option, Question
from engine.readings import read_text
from engine.records import Generation
from engine.rendered import opens_thinking
from engine.runs import check_same_model, decode_plan
from engine.single import ask_one
from engine.store import RunKind, Store, StoredProbe

OnEvent = Callable[[JobEvent], None]
"""Told ``Loading``, ``FirstToken``, ``Wrote`` and ``Note`` events, on the calling thread."""

MOST_SAMPLES = 256
"""Extra samples that may be asked for at once."""


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


def model_of(store: Store, probe_id: int) -> Load:
    """What loads the model that answered a stored probe.

    Raises:
        LogitscopeError: Nothing says how the probe was made, so nothing can be asked of it.
    """
    return _Known(store, probe_id).plan.load


def token_called(store: Store, probe_id: int, text: str) -> int:
    """The id of the token of a probe's model that stands for a text, blanks included.

    Raises:
        LogitscopeError: No token is that text; one of its ids must be named instead.
    """
    found = store.reader().execute(
        "SELECT min(token_id) FROM tokens JOIN runs USING (tokenizer) JOIN probes USING (run_id) "
        "WHERE probe_id = ? AND (raw = ? OR (special AND piece = ?))",
        [probe_id, text.encode(), text],
    )
    ((token_id,),) = found.fetchall()
    if token_id is None:
        raise LogitscopeError(
            f"No token of the model is {text!r}.",
            "A token often begins with a blank; its id names it too.",
        )
    return int(token_id)


def rerun(
    store: Store,
    probe_id: int,
    client: WorkerClient,
    *,
    on_event: OnEvent = lambda event: None,
    stop: threading.Event | None = None,
    busy_with: str = "",
) -> int:
    """Ask the question of a stored probe again, live, exactly as it was asked.

    The answer becomes a run of its own, of kind ``rerun``, or ``edit`` where the prompt was one
    changed by hand.

    Args:
        store: Holds the probe and gets the new one.
        probe_id: The probe to repeat.
        client: Whose worker is asked; started where it is not running.
        on_event: See :data:`OnEvent`.
        stop: Gives up when set; then nothing is stored.
        busy_with: The model that a run is at work with; then no other is loaded.

    Returns:
        The id of the new probe.

    Raises:
        LogitscopeError: The probe was not made here, can't be repeated, or ``stop`` was set.
    """
    known = _Known(store, probe_id)
    answered = known.ask(client, on_event, stop, busy_with)
    return _store_alone(store, answered, "edit" if known.planned.item.edited else "rerun")


def ask_edited(
    store: Store,
    probe_id: int,
    prompt: str,
    client: WorkerClient,
    *,
    on_event: OnEvent = lambda event: None,
    stop: threading.Event | None = None,
    busy_with: str = "",
) -> Answered:
    """Ask the question of a stored probe with its prompt changed by hand; nothing is stored.

    Args:
        store: Holds the probe.
        probe_id: The probe.
        prompt: The whole prompt, special tokens included.
        client: Whose worker is asked; started where it is not running.
        on_event: See :data:`OnEvent`.
        stop: Gives up when set.
        busy_with: As for :func:`rerun`.

    Raises:
        LogitscopeError: The prompt is empty, the probe was not made here, or ``stop`` was set.
    """
    if not prompt:
        raise LogitscopeError("The prompt is empty.", "Write something for the model to go on.")
    return _Known(store, probe_id, edited=prompt).ask(client, on_event, stop, busy_with)


def keep(store: Store, edited: Answered) -> int:
    """Store the answers to an edited prompt as a run of kind ``edit``; returns the probe's id."""
    return _store_alone(store, edited, "edit")


def more_samples(
    store: Store,
    probe_id: int,
    count: int,
    client: WorkerClient,
    *,
    on_event: OnEvent = lambda event: None,
    stop: threading.Event | None = None,
    busy_with: str = "",
) -> list[int]:
    """Draw more samples of a stored probe, numbered on from those that it has.

    They are the samples that the run would have drawn, had it been asked for more.

    Args:
        store: Holds the probe and gets the samples.
        probe_id: The probe.
        count: How many.
        client: Whose worker is asked; started where it is not running.
        on_event: See :data:`OnEvent`.
        stop: Gives up when set; then nothing is stored.
        busy_with: As for :func:`rerun`.

    Returns:
        Their numbers.

    Raises:
        LogitscopeError: The count can't be, the probe was not made here or by another model, or
            ``stop`` was set.
    """
    if not 0 < count <= MOST_SAMPLES:
        raise LogitscopeError(f"{count} samples can't be drawn at once; 1 to {MOST_SAMPLES} can.")
    known = _Known(store, probe_id)
    (last,) = _one(store, "SELECT max(sample) FROM generations WHERE probe_id = ?", probe_id)
    numbers = tuple(range((last or 0) + 1, (last or 0) + 1 + count))
    written = known.extend(client, on_event, stop, busy_with, samples=numbers)
    known.store([msgspec.structs.replace(text, kind="extra") for text in written])
    return list(numbers)


def branch(
    store: Store,
    probe_id: int,
    sample: int,
    position: int,
    token_id: int,
    client: WorkerClient,
    *,
    on_event: OnEvent = lambda event: None,
    stop: threading.Event | None = None,
    busy_with: str = "",
) -> int:
    """Take another token at one place of a stored text and let the model go on greedily.

    Args:
        store: Holds the probe and gets the branch.
        probe_id: The probe.
        sample: Index of the text that the branch leaves: 0 greedy, samples from 1, branches below.
        position: Number of the token that is replaced, from 0.
        token_id: What it is replaced by.
        client: Whose worker is asked; started where it is not running.
        on_event: See :data:`OnEvent`.
        stop: Gives up when set; then nothing is stored.
        busy_with: As for :func:`rerun`.

    Returns:
        Index of the branch.

    Raises:
        LogitscopeError: There is no such token, or it is the one that was written; the probe was
            not made here or by another model; ``stop`` was set.
    """
    written = store.reader().execute(
        "SELECT token_id FROM positions WHERE probe_id = ? AND sample = ? AND position <= ? "
        "ORDER BY position",
        [probe_id, sample, position],
    )
    ids = [int(written_id) for (written_id,) in written.fetchall()]
    if position < 0 or len(ids) != position + 1:
        raise LogitscopeError(
            f"Text {sample} of probe {probe_id} has no recorded token {position}.",
            "Tokens count from 0; text 0 is greedy, 1, 2, ... are samples, -1, -2, ... branches.",
        )
    if ids[-1] == token_id:
        raise LogitscopeError(
            f"Token {token_id} is what the text has there.", "Choose another one to branch off."
        )
    known = _Known(store, probe_id)
    (text,) = known.extend(client, on_event, stop, busy_with, beginning=(*ids[:-1], token_id))
    (lowest,) = _one(store, "SELECT min(sample) FROM generations WHERE probe_id = ?", probe_id)
    index: int = min(0, lowest) - 1
    known.store([msgspec.structs.replace(text, index=index, parent=sample, fork=position)])
    return index


class _Known:
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
        self.run_id, kind, settings, question_id, index, name, order, permutation, prompt = _one(
            store,
            "SELECT run_id, kind, settings, question_id, question_index, format, order_index, "
            "permutation, prompt FROM probes JOIN runs USING (run_id) WHERE probe_id = ?",
            probe_id,
        )
        try:
            plan = decode_plan(settings)
            fmt = next(fmt for fmt in plan.formats if fmt.name == name)
        except (msgspec.MsgspecError, StopIteration) as error:
            raise LogitscopeError(
                f"Nothing says how probe {probe_id} was made, so it can't be repeated.",
                "Probe the question anew with: logitscope run",
            ) from error
        question = _question(store, question_id)
        self._prompt = edited or prompt
        self._made_with = plan
        self.plan = msgspec.structs.replace(
            plan,
            formats=(fmt,),
            orders=1,
            weights=weights_hash(plan.model),
            questions=(question,),
        )
        planned = planned_probe(0, index, question, tuple(permutation), order, fmt, plan.dev)
        by_hand = edited or (prompt if kind == "edit" else "")
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
        ready = _load(client, self.plan, on_event, stop, busy_with)
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
        (ids,) = _one(
            self._store, "SELECT prompt_ids FROM probes WHERE probe_id = ?", self._probe_id
        )
        if ids is None:
            raise LogitscopeError(
                f"The tokens of the prompt of probe {self._probe_id} are unknown."
            )
        check_weights(self._made_with)
        ready = _load(client, self.plan, on_event, stop, busy_with)
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
            tuple(ids),
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
        raise _cancelled()

    def store(self, texts: Sequence[Generation]) -> None:
        """Add texts to the probe, read by the answer ladder."""
        thinking = opens_thinking(self._prompt)
        question = self.planned.item.question
        readings = [read_text(question, text, thinking=thinking) for text in texts]
        self._store.add_texts(self._probe_id, texts, readings)


def _load(
    client: WorkerClient,
    plan: RunPlan,
    on_event: OnEvent,
    stop: threading.Event | None,
    busy_with: str,
) -> Ready:
    """Have the model loaded; beside a run, only make sure that it is."""
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
        raise _cancelled()
    return ready


def _cancelled() -> CancelledError:
    return CancelledError("The question was not asked: it was cancelled.")


def _store_alone(store: Store, answered: Answered, kind: RunKind) -> int:
    """Store one probe as a run of its own."""
    model = answered.ready.model
    store.add_vocabulary(model.tokenizer_hash, answered.ready.vocabulary)
    run_id = record_run(store, answered.plan, model, kind=kind, parent_run=answered.parent_run)
    (new_id,) = store.write(run_id, [answered.probe])
    store.finish_run(run_id, "finished")
    return new_id


def _question(store: Store, question_id: str) -> Question:
    text, options, gold, subject, dataset = _one(
        store,
        "SELECT text, options, gold, subject, dataset FROM questions WHERE question_id = ?",
        question_id,
    )
    return Question(text, tuple(Option(**option) for option in options), gold, subject, dataset)


def _one(store: Store, query: str, key: int | str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = store.reader().execute(query, [key]).fetchone()
    if row is None:
        raise StoreError(f"{store.path} holds nothing with the number {key}.")
    return row
