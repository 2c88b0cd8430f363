"""``logitscope sweep``: change one thing step by step, and see what moves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tui.commands import options
from tui.commands.database import opened_for_reading
from tui.commands.options import probe_settings
from tui.commands.report import JsonOption, print_for_people
from tui.commands.run import batch_size_of, carry_out
from tui.output import print_json, print_rows, say

if TYPE_CHECKING:
    from engine.runs import RunPlan
    from engine.studies import Report

AxisArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[AXIS[=VALUES]]",
        help="What is changed, and into what: example-letter=C,A. Left out, the axes are listed.",
    ),
]
QuestionsArgument = Annotated[
    str | None, typer.Argument(help="As for logitscope run.", show_default=False)
]
ModelOption = Annotated[
    str | None, typer.Option("--model", "-m", help="A model folder or a hub id.")
]
DatabaseOption = Annotated[
    Path | None, typer.Option("--db", help="The database; made when it is not there.")
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format", "-f", help="The format that is changed; else the usual one of the axis."
    ),
]


def sweep(
    over: AxisArgument = None,
    questions: QuestionsArgument = None,
    model: ModelOption = None,
    db: DatabaseOption = None,
    fmt: FormatOption = None,
    limit: Annotated[int | None, typer.Option(help="Only the first N questions.")] = None,
    samples: options.Samples = 0,
    temperature: options.Temperature = 1,
    top_p: options.TopP = 1.0,
    top_k: options.TopK = 0,
    repetition_penalty: options.RepetitionPenalty = 1.0,
    max_new_tokens: options.MaxNewTokens = 48,
    orders: Annotated[int, typer.Option(help="Option orders; the first is as written.")] = 1,
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
        bool, typer.Option("--resume", help="Go on with the same sweep where it stopped.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="List what can be swept over.")] = False,
    json: JsonOption = False,
) -> None:
    """Ask the same questions with one thing changed step by step; show what moves.

    A sweep is stored like any other run: one run with a format for each point, or a run for each
    value where the sampler is changed. The table comes again with: logitscope report sweep.

    Values stand between commas; one with a comma in it stands in double quotes.
    """
    if listed or over is None:
        _list(json=json)
        return
    if questions is None or model is None or db is None:
        missing = ("QUESTIONS", questions), ("--model", model), ("--db", db)
        raise typer.BadParameter(
            f"A sweep needs {' and '.join(name for name, given in missing if given is None)}."
        )
    from engine.runs import plan_run
    from engine.sweeps import parse_sweep, sweep_plans

    axis, values = parse_sweep(over)
    plan = plan_run(
        model=model,
        source=questions,
        formats=[axis.format_of(fmt)],
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
        limit=limit,
        revision=revision,
        dtype=dtype,
        device=device,
        quantization=quantization,
        batch_size=batch_size_of(batch_size),
        name=name,
    )
    plans = sweep_plans(plan, axis, values)
    carry_out(plans, db, resume=resume)
    report = _report(plans, db)
    if json:
        from tui.reports import as_json

        print_json(as_json(report))
    else:
        print_for_people(report, plot=True)
    say(f"Look at it with: logitscope {db}")


def _list(*, json: bool) -> None:
    """Print the axes."""
    from engine.sweeps import AXES

    columns = ("axis", "values", "format", "changes")
    rows = [(axis.name, axis.example, axis.base, axis.about) for axis in AXES]
    print_rows(columns, rows, "json" if json else "table")


def _report(plans: list[RunPlan], db: Path) -> Report:
    """The study of what was just asked."""
    from engine.studies import Scope, study
    from engine.sweeps import finished_runs

    with opened_for_reading(db) as store:
        scope = Scope(runs=tuple(finished_runs(store, plans)))
        return study("sweep").report(store.reader(), scope)
