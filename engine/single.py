"""One question outside any run: render it, or probe it and read the answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import msgspec

from engine.client import WorkerClient
from engine.errors import CancelledError, LogitscopeError, QuestionError
from engine.flags import FLAGS
from engine.formats import PromptFormat
from engine.planning import PlannedProbe, RunPlan, plan_run, record_run
from engine.protocol import (
    Cancelled,
    Failed,
    JobEvent,
    Note,
    Probe,
    Probed,
    Ready,
    Render,
    Rendered,
)
from engine.questions import Question
from engine.readings import Reading, read_probe
from engine.records import ModelInfo, ProbeResult, ProbeSettings
from engine.rendered import RenderedPrompt, opens_thinking
from engine.store import StoredProbe, open_store


class SingleProbe(msgspec.Struct, frozen=True):
    """One question probed once.

    Attributes:
        model: What was asked.
        settings: How it was asked.
        question: In the order shown, labels as shown.
        permutation: ``permutation[i]`` is the source index of shown option i.
        perturbation: How the question was changed; None: its option order at most.
        prompt: What the model was given.
        result: What it answered.
        readings: What each way of reading says.
        flags: Every flag of :mod:`engine.flags`; None where it has no meaning here.
    """

    model: ModelInfo
    settings: ProbeSettings
    question: Question
    permutation: tuple[int, ...]
    perturbation: str | None
    prompt: RenderedPrompt
    result: ProbeResult
    readings: list[Reading]
    flags: dict[str, bool | None]


def probe_one(
    plan: RunPlan,
    *,
    index: int = 0,
    order: int = 0,
    client: WorkerClient | None = None,
    on_note: Callable[[str], None] = lambda note: None,
) -> SingleProbe:
    """Probe one question of a plan in the plan's first format, without a database file.

    Args:
        plan: What to ask, of which model.
        index: Which question.
        order: Which option order or, behind them, perturbed copy.
        client: Whose worker is asked; one of its own when left out.
        on_note: Told what is no error but should be known.

    Raises:
        LogitscopeError: There is no such question, or it can't be probed.
    """
    if client is None:
        with WorkerClient(niceness=0) as own:
            return probe_one(plan, index=index, order=order, client=own, on_note=on_note)
    planned = _planned(plan, index, order)
    ready = client.load(plan.load)
    assert ready is not None
    for note in (*ready.notes, *plan.notes):
        on_note(note)

    def tell_note(event: JobEvent) -> None:
        if isinstance(event, Note):
            on_note(event.sentence)

    probe = ask_one(client, plan, planned, ready, on_event=tell_note)
    return SingleProbe(
        model=ready.model,
        settings=plan.settings,
        question=probe.question,
        permutation=probe.permutation,
        perturbation=probe.perturbation,
        prompt=probe.prompt,
        result=probe.result,
        readings=list(probe.readings),
        flags=_flags(plan, probe, ready),
    )


def render_one(
    model: str,
    source: str,
    index: int,
    fmt: str | PromptFormat,
    *,
    order: int = 0,
    seed: int = 0,
    client: WorkerClient | None = None,
) -> RenderedPrompt:
    """Render one question as a model would receive it; only its tokenizer is loaded.

    Args:
        model: A model folder or hub id.
        source: The question file or dataset.
        index: Which question.
        fmt: The prompt format.
        order: Which option order.
        seed: Seed of the option orders.
        client: Whose worker renders; one of its own when left out.

    Raises:
        LogitscopeError: There is no such question, or it can't be rendered.
    """
    if client is None:
        with WorkerClient(niceness=0) as own:
            return render_one(model, source, index, fmt, order=order, seed=seed, client=own)
    plan = plan_run(model, source, [fmt], ProbeSettings(seed=seed), orders=order + 1)
    planned = _planned(plan, index, order)
    client.load(msgspec.structs.replace(plan.load, tokenizer_only=True))
    for event in client.ask(Render(client.next_job(), planned.item, plan.formats)):
        if isinstance(event, Rendered):
            return event.prompt
        if isinstance(event, Failed):
            raise LogitscopeError(event.sentence, event.hint)
    raise LogitscopeError("The question was not rendered.")


def ask_one(
    client: WorkerClient,
    plan: RunPlan,
    planned: PlannedProbe,
    ready: Ready,
    *,
    live: bool = False,
    on_event: Callable[[JobEvent], None] = lambda event: None,
    stop: threading.Event | None = None,
) -> StoredProbe:
    """Probe one question with the loaded model and read its answers.

    Args:
        client: Whose worker is asked.
        plan: Formats and settings.
        planned: The question.
        ready: What the worker said about the model.
        live: Whether to ask for every token as it is written.
        on_event: Told every event but the result.
        stop: Gives up when set.

    Raises:
        LogitscopeError: The question can't be probed, or ``stop`` was set.
    """
    request = Probe(client.next_job(), (planned.item,), plan.formats, plan.settings, live)
    for event in client.ask(request, stop):
        if isinstance(event, Failed):
            raise LogitscopeError(event.sentence, event.hint)
        if isinstance(event, Probed):
            return with_readings(planned, event, token_bytes(ready))
        if isinstance(event, Cancelled):
            break
        on_event(event)
    raise CancelledError("The question was not asked: it was cancelled.")


def token_bytes(ready: Ready) -> list[bytes]:
    """The bytes of every token id of a loaded model."""
    return [entry.raw for entry in ready.vocabulary]


def with_readings(planned: PlannedProbe, answer: Probed, tokens: Sequence[bytes]) -> StoredProbe:
    """Read what the worker found out about a planned probe, ready to be stored."""
    item = planned.item
    thinking = opens_thinking(answer.prompt.text)
    return StoredProbe(
        question_index=planned.question_index,
        question=item.question,
        question_id=item.question_id,
        permutation=planned.permutation,
        prompt=answer.prompt,
        result=answer.result,
        readings=read_probe(item.question, answer.result, tokens.__getitem__, thinking=thinking),
        perturbation=planned.perturbation,
    )


def _planned(plan: RunPlan, index: int, order: int) -> PlannedProbe:
    if not 0 <= index < len(plan.questions):
        raise QuestionError(
            f"{plan.source} has {len(plan.questions)} questions; there is no index {index}.",
            "The first question has index 0.",
        )
    return plan.probe(0, index, plan.formats[0], order)


def _flags(plan: RunPlan, probe: StoredProbe, ready: Ready) -> dict[str, bool | None]:
    """The flags of one probe, by the definitions of the store: in a database in memory."""
    names = [flag.name for flag in FLAGS]
    with open_store(":memory:") as store:
        store.add_vocabulary(ready.model.tokenizer_hash, ready.vocabulary)
        store.add_questions([plan.questions[probe.question_index]])
        store.write(record_run(store, plan, ready.model), [probe])
        row = store.reader().execute(f"SELECT {', '.join(names)} FROM outcomes").fetchone()
    assert row is not None
    return dict(zip(names, row, strict=True))
