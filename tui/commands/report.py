"""``logitscope report``: the studies, as tables for people, papers and programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tui.commands.database import DatabaseOption, database_or_demo
from tui.output import print_json, print_table

if TYPE_CHECKING:
    from engine.studies import Report

app = typer.Typer(help="Print a study over stored results.", no_args_is_help=True)

RunOption = Annotated[
    list[int] | None, typer.Option("--run", help="Only this run; may be given several times.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON with every value whole.")]
MarkdownOption = Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")]
LatexOption = Annotated[bool, typer.Option("--latex", help="Print LaTeX tables (booktabs).")]
TextOption = Annotated[
    str,
    typer.Option(
        "--text",
        help="Who says what texts say: decided (overrides and human labels win) or reading.",
    ),
]


@app.callback()
def _studies() -> None:
    """Print a study over stored results."""


@app.command()
def mismatch(
    db: DatabaseOption = None,
    run: RunOption = None,
    by: Annotated[
        str, typer.Option("--by", help="Count apart by order, format, subject or model.")
    ] = "order",
    text: TextOption = "decided",
    json: JsonOption = False,
    markdown: MarkdownOption = False,
    latex: LatexOption = False,
) -> None:
    """Where the first token and the text disagree: counters F, S, M, refusals, choices."""
    settings = {"runs": run or [], "by": by, "text": text}
    _print("mismatch", db, settings, json=json, markdown=markdown, latex=latex)


def _print(
    name: str,
    db: Any,
    settings: Mapping[str, object],
    *,
    json: bool,
    markdown: bool,
    latex: bool,
) -> None:
    """Make a study and print it."""
    import msgspec

    from engine.errors import LogitscopeError
    from engine.store import open_store
    from engine.studies import Scope, study
    from tui.reports import as_json, as_latex, as_markdown

    try:
        scope = msgspec.convert(settings, Scope)
    except msgspec.ValidationError as error:
        raise LogitscopeError(f"{error}.", f"See: logitscope report {name} --help") from error
    with open_store(database_or_demo(db), read_only=True) as store:
        report = study(name).report(store.reader(), scope)
    if json:
        print_json(as_json(report))
    elif markdown:
        print(as_markdown(report))
    elif latex:
        print(as_latex(report))
    else:
        _print_for_people(report)


def _print_for_people(report: Report) -> None:
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
    for note in report.notes:
        print(note)
