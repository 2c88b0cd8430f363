"""Runs: carry out a plan, resume it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from typing import Any

import msgspec

from engine.client import WorkerClient
from engine.errors import CancelledError, LogitscopeError, StoreError
from engine.execution import Execution, OnProgress, Outcome, RunProgress
from engine.planning import RunPlan, check_weights, plan_run, record_run
from engine.protocol import Ready
from engine.questions import load_questions
from engine.records import ModelInfo
from engine.single import SingleProbe, probe_one, render_one
from engine.store import Store

__all__ = [
    "RunPlan",
    "RunProgress",
    "RunSummary",
    "SingleProbe",
    "check_same_model",
    "decode_plan",
    "execute",
    "left_of",
    "plan_run",
    "plan_to_resume",
    "probe_one",
    "render_one",
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


def left_of(store: Store, plans: Sequence[RunPlan]) -> list[tuple[RunPlan, bool]]:
    """What is left of some runs that were started together.

    Returns:
        The plans that have not finished, and for each whether it has a run to go on with.

    Raises:
        LogitscopeError: None of them was ever begun, or all have finished.
    """
    begun = [store.find_run(plan.fingerprint) is not None for plan in plans]
    finished = [_has_finished(store, plan) for plan in plans]
    left = [
        (plan, was_begun)
        for plan, was_begun, has_finished in zip(plans, begun, finished, strict=True)
        if was_begun or not has_finished
    ]
    if not left or not any((*begun, *finished)):
        raise _nothing_to_resume(store)
    return left


def stored_plan(store: Store, run_id: int) -> RunPlan:
    """The plan of a run as it is stored, without its questions.

    Raises:
        LogitscopeError: The run was not made here: nothing says how it was.
    """
    (settings,) = _one(store, "SELECT settings FROM runs WHERE run_id = ?", run_id)
    try:
        return decode_plan(settings)
    except msgspec.MsgspecError as error:
        raise LogitscopeError(
            f"Nothing says how run {run_id} was made, so it can't be repeated.",
            "Start a new run with: logitscope run",
        ) from error


def decode_plan(settings: str) -> RunPlan:
    """A plan as it is stored with its run, without its questions.

    Raises:
        msgspec.MsgspecError: It is no plan, as with an imported run.
    """
    return msgspec.json.decode(settings, type=RunPlan)


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
        raise _nothing_to_resume(store)
    return run_id


def _has_finished(store: Store, plan: RunPlan) -> bool:
    """Whether a run of this plan has come to its end, now or earlier."""
    finished = store.reader().execute(
        "SELECT 1 FROM runs WHERE fingerprint = ? AND kind = 'run' AND status = 'finished'",
        [plan.fingerprint],
    )
    return finished.fetchone() is not None


def _nothing_to_resume(store: Store) -> LogitscopeError:
    return LogitscopeError(
        f"{store.path} holds no unfinished run of this plan: there is nothing to resume.",
        "Model weights, questions, formats and settings must be those of the run; "
        "without --resume a new one starts.",
    )


def _begin(store: Store, plan: RunPlan, ready: Ready, earlier: int | None) -> int:
    """Put everything into the store that probes refer to; returns the run."""
    store.add_vocabulary(ready.model.tokenizer_hash, ready.vocabulary)
    store.add_questions(plan.questions)
    if earlier is None:
        return record_run(store, plan, ready.model)
    check_same_model(store, earlier, ready.model)
    store.finish_run(earlier, "running")
    return earlier


def check_same_model(store: Store, run_id: int, now: ModelInfo) -> None:
    """Refuse to mix what is not comparable in one run.

    Raises:
        LogitscopeError: The model is not the one that the run began with.
    """
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


def _one(store: Store, query: str, key: int | str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = store.reader().execute(query, [key]).fetchone()
    if row is None:
        raise StoreError(f"{store.path} holds nothing with the number {key}.")
    return row
