"""What a person asks about one stored probe: again, more samples, a branch, another prompt.

Screens and commands call these. None of them changes what a run has stored: a question asked again
or with an edited prompt becomes a run of its own, extra samples and branches are further texts of
the probe that no reading of the run counts.
"""

from __future__ import annotations

import threading

import msgspec

from engine.client import WorkerClient
from engine.errors import LogitscopeError
from engine.known import Answered, Known, OnEvent
from engine.planning import record_run
from engine.protocol import Load
from engine.store import RunKind, Store

__all__ = [
    "MOST_SAMPLES",
    "Answered",
    "OnEvent",
    "ask_edited",
    "branch",
    "keep",
    "model_of",
    "more_samples",
    "rerun",
    "token_called",
]

MOST_SAMPLES = 256
"""Extra samples that may be asked for at once."""


def model_of(store: Store, probe_id: int) -> Load:
    """What loads the model that answered a stored probe.

    Raises:
        LogitscopeError: Nothing says how the probe was made, so nothing can be asked of it.
    """
    return Known(store, probe_id).plan.load


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
    known = Known(store, probe_id)
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
    return Known(store, probe_id, edited=prompt).ask(client, on_event, stop, busy_with)


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
    known = Known(store, probe_id)
    _, last = _samples(store, probe_id)
    numbers = tuple(range(last + 1, last + 1 + count))
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
    known = Known(store, probe_id)
    (text,) = known.extend(client, on_event, stop, busy_with, beginning=(*ids[:-1], token_id))
    lowest, _ = _samples(store, probe_id)
    index = lowest - 1
    known.store([msgspec.structs.replace(text, index=index, parent=sample, fork=position)])
    return index


def _samples(store: Store, probe_id: int) -> tuple[int, int]:
    """The lowest index of a text of a probe and the highest; 0 where there is none beyond it."""
    query = (
        "SELECT least(0, min(sample)), greatest(0, max(sample)) FROM generations WHERE probe_id = ?"
    )
    ((lowest, highest),) = store.reader().execute(query, [probe_id]).fetchall()
    return lowest, highest


def _store_alone(store: Store, answered: Answered, kind: RunKind) -> int:
    """Store one probe as a run of its own."""
    model = answered.ready.model
    store.add_vocabulary(model.tokenizer_hash, answered.ready.vocabulary)
    run_id = record_run(store, answered.plan, model, kind=kind, parent_run=answered.parent_run)
    (new_id,) = store.write(run_id, [answered.probe])
    store.finish_run(run_id, "finished")
    return new_id
