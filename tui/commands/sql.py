"""``logitscope sql``: one sandboxed query over a database."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tui.commands.database import DatabaseOption, database_or_demo
from tui.output import TableFormat, print_rows


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT; '-' reads it from standard input.")],
    db: DatabaseOption = None,
    output_format: Annotated[
        TableFormat, typer.Option("--output-format", "-o", help="How to print the rows.")
    ] = "table",
    json: Annotated[bool, typer.Option("--json", help="Same as --output-format json.")] = False,
) -> None:
    """Ask the stored results anything in SQL.

    Nothing can be changed, and no file outside the database read or written.
    """
    from engine.sql.reading import run_sql

    text = sys.stdin.read() if query == "-" else query
    result = run_sql(database_or_demo(db), text)
    print_rows(result.columns, result.rows, "json" if json else output_format)
