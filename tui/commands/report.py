"""``logitscope report``: the studies as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tui.output import print_json, print_rows

app = typer.Typer(help="Print a study over stored results.", no_args_is_help=True)


@app.callback()
def _studies() -> None:
    """Print a study over stored results."""


@app.command()
def mismatch(
    db: Annotated[Path, typer.Option("--db", help="The database.")],
    run: Annotated[int | None, typer.Option("--run", help="One run only.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Count, per run, format and order, where first token and text disagree.

    Every question stays in the denominator: refused, several and unparsed answers too.
    """
    from engine.metrics.mismatch import MismatchRow, mismatch_report
    from engine.store import open_store

    with open_store(db, read_only=True) as store:
        rows = mismatch_report(store.reader(), run)
    if json:
        print_json(rows)
        return
    columns = [field.name for field in msgspec.structs.fields(MismatchRow)]
    print_rows(columns, ([_shown(getattr(row, name)) for name in columns] for row in rows), "table")


def _shown(value: object) -> object:
    """An interval as ``low–high``, everything else as it is."""
    if isinstance(value, tuple | list) and len(value) == 2:
        return f"{value[0]:.3f}–{value[1]:.3f}"
    return value
