"""``logitscope run``: ask a model every question of a file and store everything."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tui.commands import options
from tui.commands.options import probe_settings
from tui.output import progress_bar, say

if TYPE_CHECKING:
    from engine.client import WorkerClient
    from engine.runs import RunPlan, RunProgress, RunSummary
    from engine.store import Store

QuestionsArgument = Annotated[
    str, typer.Argument(help="csv, jsonl, json, parquet, a folder of csv, or hub:owner/dataset.")
]
FormatOption = Annotated[
    str, typer.Option("--format", "-f", help="Format names or .toml files, comma-separated.")
]
PerturbOption = Annotated[
    list[str] | None,
    typer.Option(
        "--perturb",
        metavar="KIND[:COPIES[:RATE]]",
        help="Ask changed copies of each question too: letter_typo, letter_swap, word_swap or "
        "extra_options. RATE: share of words changed, 0.1. Repeatable.",
    ),
]
SweepOption = Annotated[
    str | None,
    typer.Option(
        metavar="AXIS[=VALUES]",
        help="Change one thing step by step: temperature=0,0.5,1 (see logitscope sweep --list).",
    ),
]


def run(
    questions: QuestionsArgument,
    model: options.Model,
    db: Annotated[Path, typer.Option("--db", help="The database; made when it is not there.")],
    formats: FormatOption = "low,middle,high",
    limit: Annotated[int | None, typer.Option(help="Only the first N questions.")] = None,
    samples: options.Samples = 8,
    temperature: options.Temperature = 1,
    top_p: options.TopP = 1.0,
    top_k: options.TopK = 0,
    repetition_penalty: options.RepetitionPenalty = 1.0,
    max_new_tokens: options.MaxNewTokens = 48,
    orders: Annotated[int, typer.Option(help="Option orders; the first is as written.")] = 1,
    perturb: PerturbOption = None,
    sweep: SweepOption = None,
    seed: options.Seed = 0,
    revision: options.Revision = None,
    dtype: options.Dtype = "auto",
    device: options.Device = "auto",
    canonical: options.Canonical = False,
    unconditional: options.Unconditional = False,
    quantization: Annotated[str, typer.Option(help="none, 8bit or 4bit.")] = "none",
    batch_size: Annotated[str, typer.Option(help="auto, or prompts a batch.")] = "auto",
    name: Annotated[str | None, typer.Option(help="What lists call the run.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the same run where it stopped.")
    ] = False,
) -> None:
    """Ask a model every question of a file; store everything.

    Each question is probed in every format and option order, then changed as --perturb says:
    letter_typo replaces a letter inside a word by a neighbour on the keyboard, letter_swap swaps
    two letters inside a word, word_swap two words, extra_options adds "No correct answer is
    given", "I do not know" and "Refused" and shuffles. The same --seed makes the same changes.

    First-token distribution, option likelihoods, greedy text and samples come from one prefill.
    Ctrl+C stops the run; what is stored stays, and --resume goes on, also with a sweep.
    """
    from engine.perturb import parse_perturbation
    from engine.runs import plan_run
    from engine.sweeps import parse_sweep, sweep_plans

    plan = plan_run(
        model=model,
        source=questions,
        formats=tuple(part.strip() for part in formats.split(",") if part.strip()),
        settings=probe_settings(
            samples=samples,
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            repetition_penalty=repetition_penalty,
            max_new_tokens=max_new_tokens,
            seed=seed,
            canonical=canonical,
            unconditional=unconditional,
        ),
        orders=orders,
        perturbations=tuple(map(parse_perturbation, perturb or ())),
        limit=limit,
        revision=revision,
        dtype=dtype,
        device=device,
        quantization=quantization,
        batch_size=batch_size_of(batch_size),
        name=name,
    )
    carry_out(sweep_plans(plan, *parse_sweep(sweep)) if sweep else [plan], db, resume=resume)
    say(f"Look at it with: logitscope {db}")


def carry_out(plans: Sequence[RunPlan], db: Path, *, resume: bool) -> None:
    """Execute runs one after the other under a progress bar; Ctrl+C stops them.

    Args:
        plans: The runs, of one model.
        db: Where they go.
        resume: Go on with those of them that have not finished.

    Raises:
        LogitscopeError: There is nothing to resume, or a run can't be made.
        typer.Exit: A run has not finished; it was said how to go on.
    """
    from engine.client import WorkerClient
    from engine.runs import left_of
    from engine.store import open_store

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with open_store(db) as store, WorkerClient(niceness=0) as client:
        todo = left_of(store, plans) if resume else [(each, False) for each in plans]
        for each, begun in todo:
            summary = _execute(store, each, client, stop, resume=begun)
            _conclude(summary, each, db)


def _execute(
    store: Store, plan: RunPlan, client: WorkerClient, stop: threading.Event, *, resume: bool
) -> RunSummary:
    """Execute one run under a progress bar."""
    from engine.runs import execute

    with progress_bar() as bar:
        task = bar.add_task("starting", total=plan.planned, detail="")

        def show(progress: RunProgress) -> None:
            bar.update(
                task,
                description=progress.stage,
                completed=progress.done,
                total=progress.planned,
                detail=_detail(progress),
            )
            if progress.note:
                bar.console.print(progress.note, highlight=False)

        return execute(store, plan, client, resume=resume, on_progress=show, stop=stop)


def batch_size_of(value: str) -> int:
    """0 for ``auto``, otherwise the number."""
    if value == "auto":
        return 0
    if not value.isdigit() or int(value) < 1:
        raise typer.BadParameter(f"{value!r} is neither auto nor a number of prompts.")
    return int(value)


def _detail(progress: RunProgress) -> str:
    parts = [f"{progress.done:,}/{progress.planned:,}"]
    if progress.rate:
        parts.append(f"{progress.rate:.1f} probes/s")
    if progress.eta_s is not None:
        minutes, seconds = divmod(round(progress.eta_s), 60)
        parts.append(f"{minutes}:{seconds:02d} left")
    return "  ".join(parts)


def _conclude(summary: RunSummary, plan: RunPlan, db: Path) -> None:
    """Say how a run ended; one that has not finished ends the command."""
    say(
        f"Run {summary.run_id} ({plan.name}) {summary.status}: {summary.stored:,} of "
        f"{summary.planned:,} probes in {db}."
    )
    if summary.message:
        say(summary.message)
    if summary.status != "finished":
        say("Go on with the same command and --resume.")
        raise typer.Exit(130 if summary.status == "cancelled" else 1)
