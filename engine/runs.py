"""Runs: carry out a plan, resume it, repeat one of its probes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from engine.client import WorkerClient
from engine.errors import CancelledError, LogitscopeError, StoreError
from engine.execution import Execution, OnProgress, Outcome, RunProgress
from engine.planning import (
    PlannedProbe,
    RunPlan,
    check_weights,
    plan_run,
    planned_probe,
    record_run,
    weights_hash,
)
from engine.protocol import JobEvent, Loading, Ready
from engine.questions import Option, Question, load_questions
from engine.records import ModelInfo
from engine.single import SingleProbe, ask_one, probe_one, render_one
from engine.store import Store

__all__ = [
    "RunPlan",
    "RunProgress",
    "RunSummary",
    "SingleProbe",
    "execute",
    "plan_run",
    "plan_to_resume",
    "probe_one",
    "render_one",
    "rerun",
    "stored_plan",
]


class RunSummary(msgspec.Struct, frozen=True):
    """How a run ended.

    Attributes:
        run_id: The run.
        status: How it ended.
        stored: Probes stored, those of earlier parts of a resumed run included.
        failed: Probes that could not be made.
        planned: Probes that the plan holds.
        message: Why it stopped or what failed, for people; None where all went well.
    """

    run_id: int
    status: Outcome
    stored: int
    failed: int
    planned: int
    message: str | None


def execute(
    store: Store,
    plan: RunPlan,
    client: WorkerClient,
    *,
    resume: bool = False,
    on_progress: OnProgress = lambda progress: None,
    stop: threading.Event | None = None,
) -> RunSummary:
    """Carry out a plan and store what it finds while it goes.

    A worker that dies is replaced; the probes it was working on are then asked one by one, and one
    that was alone with a worker that died is left out and named in the run's message.

    Args:
        store: Where the run goes; written on the calling thread.
        plan: What to ask.
        client: Whose worker is asked; started where it is not running.
        resume: Go on with the latest unfinished run of the same plan in this store.
        on_progress: Called on the calling thread, about four times a second.
        stop: Cancels the run when set.

    Raises:
        LogitscopeError: There is nothing to resume, the model can't be loaded or is not the one
            that the run began with, or the store can't be written.
    """
    stop = stop or threading.Event()
    earlier = _unfinished(store, plan) if resume else None
    stored = store.done_keys(earlier) if earlier is not None else set()

    def tell_stage(stage: str) -> None:
        on_progress(RunProgress(earlier, stage, len(stored), 0, plan.planned))

    ready = client.load(plan.load, tell_stage, stop)
    if ready is None:
        raise CancelledError("The run was cancelled before its model was loaded.")
    check_weights(plan)
    run_id = _begin(store, plan, ready, earlier)
    execution = Execution(store, plan, client, ready, run_id, stored, on_progress, stop)
    try:
        status, message = execution.run()
    except BaseException as error:
        why = error.sentence if isinstance(error, LogitscopeError) else type(error).__name__
        with contextlib.suppress(StoreError):
            store.finish_run(run_id, "failed", why)
        raise
    store.finish_run(run_id, status, message)
    return RunSummary(run_id, status, execution.done, execution.failed, plan.planned, message)


def rerun(
    store: Store,
    probe_id: int,
    client: WorkerClient,
    *,
    on_event: Callable[[JobEvent], None] = lambda event: None,
    stop: threading.Event | None = None,
) -> int:
    """Ask the question of a stored probe again, live, exactly as it was asked.

    The answer becomes a run of its own, of kind ``rerun``.

    Args:
        store: Holds the probe and gets the new one.
        probe_id: The probe to repeat.
        client: Whose worker is asked; started where it is not running.
        on_event: Told ``Loading``, ``FirstToken``, ``Wrote`` and ``Note`` events, on the calling
            thread.
        stop: Gives up when set; then nothing is stored.

    Returns:
        The id of the new probe.

    Raises:
        LogitscopeError: The probe was not made here, can't be repeated, or ``stop`` was set.
    """
    parent, plan, planned = _stored_plan(store, probe_id)

    def tell_stage(stage: str) -> None:
        on_event(Loading(0, stage))

    ready = client.load(plan.load, tell_stage, stop)
    if ready is None:
        raise LogitscopeError("The question was not asked: it was cancelled.")
    probe = ask_one(client, plan, planned, ready, live=True, on_event=on_event, stop=stop)
    store.add_vocabulary(ready.model.tokenizer_hash, ready.vocabulary)
    run_id = record_run(store, plan, ready.model, kind="rerun", parent_run=parent)
    (new_id,) = store.write(run_id, [probe])
    store.finish_run(run_id, "finished")
    return new_id


def stored_plan(store: Store, run_id: int) -> RunPlan:
    """The plan of a run as it is stored, without its questions.

    Raises:
        LogitscopeError: The run was not made here: nothing says how it was.
    """
    (settings,) = _one(store, "SELECT settings FROM runs WHERE run_id = ?", run_id)
    try:
        return msgspec.json.decode(settings, type=RunPlan)
    except msgspec.MsgspecError as error:
        raise LogitscopeError(
            f"Nothing says how run {run_id} was made, so it can't be repeated.",
            "Start a new run with: logitscope run",
        ) from error


def plan_to_resume(store: Store, run_id: int) -> RunPlan:
    """The plan of a run with its questions, read again from their source.

    Raises:
        LogitscopeError: Nothing says how the run was made, or its questions can't be read.
    """
    plan = stored_plan(store, run_id)
    questions = tuple(load_questions(plan.source, limit=plan.limit))
    return msgspec.structs.replace(plan, questions=questions)


def _unfinished(store: Store, plan: RunPlan) -> int:
    """The run to resume."""
    run_id = store.find_run(plan.fingerprint)
    if run_id is None:
        raise LogitscopeError(
            f"{store.path} holds no unfinished run of this plan: there is nothing to resume.",
            "Model weights, questions, formats and settings must be those of the run; "
            "without --resume a new one starts.",
        )
    return run_id


def _begin(store: Store, plan: RunPlan, ready: Ready, earlier: int | None) -> int:
    """Put everything into the store that probes refer to; returns the run."""
    store.add_vocabulary(ready.model.tokenizer_hash, ready.vocabulary)
    store.add_questions(plan.questions)
    if earlier is None:
        return record_run(store, plan, ready.model)
    _check_same_model(store, earlier, ready.model)
    store.finish_run(earlier, "running")
    return earlier


def _check_same_model(store: Store, run_id: int, now: ModelInfo) -> None:
    """Refuse to mix what is not comparable in one run."""
    (stored,) = _one(store, "SELECT model_info FROM runs WHERE run_id = ?", run_id)
    before = msgspec.json.decode(stored, type=ModelInfo)
    for name, was, is_now in (
        ("architecture", before.architecture, now.architecture),
        ("revision", before.revision, now.revision),
        ("number of parameters", before.parameters, now.parameters),
        ("tokenizer", before.tokenizer_hash, now.tokenizer_hash),
        ("chat template", before.template_hash, now.template_hash),
        ("dtype", before.dtype, now.dtype),
        ("quantization", before.quantization, now.quantization),
        ("device", before.device.partition(":")[0], now.device.partition(":")[0]),
    ):
        if was != is_now:
            raise LogitscopeError(
                f"Run {run_id} can't go on: its model had the {name} {was}, now it is {is_now}.",
                "Load the model as it was, or start a new run without --resume.",
            )


def _stored_plan(store: Store, probe_id: int) -> tuple[int, RunPlan, PlannedProbe]:
    """What it takes to ask a stored probe again: its run, a plan of one probe, and the probe."""
    run_id, settings, question_id, index, fmt_name, order, permutation = _one(
        store,
        "SELECT run_id, settings, question_id, question_index, format, order_index, permutation "
        "FROM probes JOIN runs USING (run_id) WHERE probe_id = ?",
        probe_id,
    )
    try:
        plan = msgspec.json.decode(settings, type=RunPlan)
        fmt = next(fmt for fmt in plan.formats if fmt.name == fmt_name)
    except (msgspec.MsgspecError, StopIteration) as error:
        raise LogitscopeError(
            f"Nothing says how probe {probe_id} was made, so it can't be repeated.",
            "Probe the question anew with: logitscope run",
        ) from error
    question = _question(store, question_id)
    alone = msgspec.structs.replace(
        plan,
        formats=(fmt,),
        orders=1,
        weights=weights_hash(plan.model),
        questions=(question,),
    )
    planned = planned_probe(0, index, question, tuple(permutation), order, fmt, plan.dev)
    return run_id, alone, planned


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
