"""``logitscope report``: the studies, as tables for people, papers and programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tui.commands.database import CopyOption, DatabaseOption, database_or_demo, opened_for_reading
from tui.output import print_json, print_table

if TYPE_CHECKING:
    from engine.studies import Report

app = typer.Typer(help="Print a study over stored results.", no_args_is_help=True)

PLOT_WIDTH, PLOT_HEIGHT = 100, 24
"""Cells and lines that a plot takes at most."""

RunOption = Annotated[
    list[int] | None, typer.Option("--run", help="Only this run; may be given several times.")
]
ReadingOption = Annotated[
    list[str] | None,
    typer.Option("--reading", help="Only this reading; may be given several times."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON with every value whole.")]
MarkdownOption = Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")]
LatexOption = Annotated[bool, typer.Option("--latex", help="Print LaTeX tables (booktabs).")]
PlotOption = Annotated[bool, typer.Option("--plot", help="Draw the plots under the tables.")]
TextOption = Annotated[
    str,
    typer.Option(
        "--text",
        help="Who says what texts say: decided (overrides and human labels win) or reading.",
    ),
]
ResamplesOption = Annotated[
    int, typer.Option("--resamples", help="Resamples of bootstrap intervals.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of everything that is drawn.")]


@app.callback()
def _studies() -> None:
    """Print a study over stored results."""


@app.command()
def mismatch(
    db: DatabaseOption = None,
    copy: CopyOption = True,
    run: RunOption = None,
    by: Annotated[
        str, typer.Option("--by", help="Count apart by order, format, subject or model.")
    ] = "order",
    text: TextOption = "decided",
    json: JsonOption = False,
    markdown: MarkdownOption = False,
    latex: LatexOption = False,
    plot: PlotOption = False,
) -> None:
    """Where the first token and the text disagree: counters F, S, M, refusals, choices."""
    scope = {"runs": run or [], "by": by, "text": text}
    _print("mismatch", db, scope, copy=copy, json=json, markdown=markdown, latex=latex, plot=plot)


@app.command()
def consistency(
    db: DatabaseOption = None,
    copy: CopyOption = True,
    run: RunOption = None,
    reading: ReadingOption = None,
    text: TextOption = "decided",
    resamples: ResamplesOption = 1000,
    seed: SeedOption = 0,
    json: JsonOption = False,
    markdown: MarkdownOption = False,
    latex: LatexOption = False,
    plot: PlotOption = False,
) -> None:
    """Whether answers stay the same in other option orders and under perturbations."""
    scope = {"runs": run or [], "readings": reading or [], "text": text}
    scope |= {"resamples": resamples, "seed": seed}
    _print(
        "consistency", db, scope, copy=copy, json=json, markdown=markdown, latex=latex, plot=plot
    )


@app.command()
def protocols(
    db: DatabaseOption = None,
    copy: CopyOption = True,
    run: RunOption = None,
    reading: ReadingOption = None,
    text: TextOption = "decided",
    json: JsonOption = False,
    markdown: MarkdownOption = False,
    latex: LatexOption = False,
    plot: PlotOption = False,
) -> None:
    """Accuracy of every format and reading, micro and macro, and where two disagree."""
    scope = {"runs": run or [], "readings": reading or [], "text": text}
    _print("protocols", db, scope, copy=copy, json=json, markdown=markdown, latex=latex, plot=plot)


@app.command()
def decoding(
    db: DatabaseOption = None,
    copy: CopyOption = True,
    run: RunOption = None,
    text: TextOption = "decided",
    resamples: ResamplesOption = 1000,
    seed: SeedOption = 0,
    json: JsonOption = False,
    markdown: MarkdownOption = False,
    latex: LatexOption = False,
    plot: PlotOption = False,
) -> None:
    """Greedy decoding against samples: spread, majority, oracle, lengths, sweeps."""
    scope = {"runs": run or [], "text": text, "resamples": resamples, "seed": seed}
    _print("decoding", db, scope, copy=copy, json=json, markdown=markdown, latex=latex, plot=plot)


@app.command()
def calibration(
    db: DatabaseOption = None,
    copy: CopyOption = True,
    run: RunOption = None,
    reading: ReadingOption = None,
    labelled: Annotated[
        int, typer.Option("--labelled", help="Questions a data set to choose a threshold on.")
    ] = 20,
    text: TextOption = "decided",
    resamples: ResamplesOption = 1000,
    seed: SeedOption = 0,
    json: JsonOption = False,
    markdown: MarkdownOption = False,
    latex: LatexOption = False,
    plot: PlotOption = False,
) -> None:
    """What confidences are worth: ECE, AUROC, Mann-Whitney, abstention."""
    scope = {"runs": run or [], "readings": reading or [], "text": text, "labelled": labelled}
    scope |= {"resamples": resamples, "seed": seed}
    _print(
        "calibration", db, scope, copy=copy, json=json, markdown=markdown, latex=latex, plot=plot
    )


@app.command()
def sweep(
    db: DatabaseOption = None,
    copy: CopyOption = True,
    run: RunOption = None,
    text: TextOption = "decided",
    resamples: ResamplesOption = 1000,
    seed: SeedOption = 0,
    json: JsonOption = False,
    markdown: MarkdownOption = False,
    latex: LatexOption = False,
    plot: PlotOption = False,
) -> None:
    """One thing changed, point by point: accuracy, mismatch, mass on every label, flips."""
    scope = {"runs": run or [], "text": text, "resamples": resamples, "seed": seed}
    _print("sweep", db, scope, copy=copy, json=json, markdown=markdown, latex=latex, plot=plot)


@app.command()
def compare(
    db: DatabaseOption = None,
    copy: CopyOption = True,
    run: RunOption = None,
    reading: ReadingOption = None,
    text: TextOption = "decided",
    json: JsonOption = False,
    markdown: MarkdownOption = False,
    latex: LatexOption = False,
    plot: PlotOption = False,
) -> None:
    """Two runs question by question: agreement, flips, McNemar, subjects."""
    scope = {"runs": run or [], "readings": reading or [], "text": text}
    _print("compare", db, scope, copy=copy, json=json, markdown=markdown, latex=latex, plot=plot)


def _print(
    name: str,
    db: Any,
    settings: Mapping[str, object],
    *,
    copy: bool,
    json: bool,
    markdown: bool,
    latex: bool,
    plot: bool,
) -> None:
    """Make a study and print it."""
    import msgspec

    from engine.errors import LogitscopeError
    from engine.studies import Scope, study
    from tui.reports import as_json, as_latex, as_markdown

    try:
        scope = msgspec.convert(settings, Scope)
    except msgspec.ValidationError as error:
        raise LogitscopeError(f"{error}.", f"See: logitscope report {name} --help") from error
    with opened_for_reading(database_or_demo(db), copy=copy) as store:
        report = study(name).report(store.reader(), scope)
    if json:
        print_json(as_json(report))
    elif markdown:
        print(as_markdown(report))
    elif latex:
        print(as_latex(report))
    else:
        print_for_people(report, plot=plot)


def print_for_people(report: Report, *, plot: bool) -> None:
    """Print every table of a report, its plots where wanted, and its notes."""
    from tui.reports import RIGHT_FORMS, filled, legend

    for table in report.tables:
        columns, cells = filled(table)
        print(table.title)
        if cells:
            right = [column.form in RIGHT_FORMS for column in columns]
            print_table([column.title for column in columns], cells, right)
        for line in (*legend(columns), table.note):
            if line:
                print(f"  {line}")
        print()
    if plot:
        _print_plots(report)
    for note in report.notes:
        print(note)


def _print_plots(report: Report) -> None:
    from rich.console import Console

    from tui.plots import picture

    console = Console()
    for drawn in report.plots:
        for line in picture(drawn, min(console.width, PLOT_WIDTH), PLOT_HEIGHT):
            console.print(line)
        print()
