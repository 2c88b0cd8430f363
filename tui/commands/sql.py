"""``logitscope sql``: sandboxed SQL over a database."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import CancelledError, LogitscopeError
from tui.chart_output import ChartKind, ChartOutput
from tui.commands.database import CopyOption, DatabaseOption, database_or_demo, opened_for_reading
from tui.query_output import QueryOutput, ResultFormat

if TYPE_CHECKING:
    from engine.sql.console import Console
    from engine.sql.statements import QueryError
    from engine.store import Store


def sql(
    query: Annotated[
        str | None,
        typer.Argument(help="Statements; '-' reads them from standard input.", show_default=False),
    ] = None,
    db: DatabaseOption = None,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Read the statements from a file.")
    ] = None,
    saved: Annotated[
        str | None, typer.Option("--saved", "-s", help="Ask a saved query, by its name.")
    ] = None,
    run: Annotated[
        int | None, typer.Option("--run", help="Ask a saved query of this run, not the newest.")
    ] = None,
    probe: Annotated[
        int | None, typer.Option("--probe", help="Ask a saved query of this probe.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the saved queries.")] = False,
    catalog: Annotated[
        bool, typer.Option("--catalog", help="List the tables and views, and what a row is.")
    ] = False,
    describe: Annotated[
        str | None,
        typer.Option("--describe", help="List the columns of a table or view, and what they are."),
    ] = None,
    output_format: Annotated[
        ResultFormat | None,
        typer.Option("--output-format", "-o", help="How to write the rows; table when left out."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Same as --output-format json.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write to a file; its ending says how, unless -o does."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over the file of --out if there is one.")
    ] = False,
    chart: Annotated[
        ChartKind | None,
        typer.Option("--chart", help="Draw the last result; auto takes what suits its columns."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=0, help="Write at most so many rows.")
    ] = None,
    unlocked: Annotated[
        bool,
        typer.Option(
            "--unlocked",
            help="Let the statements change the database and read and write files.",
        ),
    ] = False,
    copy: CopyOption = True,
) -> None:
    """Ask the stored results anything in SQL.

    Unless --unlocked is given nothing stored can be changed, and no file outside the database read
    or written; views of your own are kept beside the explorer's state. Of several statements each
    result is printed as a table or Markdown; the other formats hold one result, that of the last.
    """
    asked = [each for each in (query, file, saved, describe) if each is not None]
    if len(asked) + listed + catalog != 1:
        raise typer.BadParameter(
            "Give one of: a query, '-', --file, --saved, --list, --catalog, --describe."
        )
    if (run is not None or probe is not None) and saved is None:
        raise typer.BadParameter("--run and --probe are for a query of --saved.")
    wanted: ResultFormat | None = "json" if json else output_format
    if chart is not None and (wanted or out is not None or limit is not None):
        raise typer.BadParameter("--chart draws on the terminal: leave -o, --out and --limit out.")
    output = QueryOutput(wanted, out, replace=force, limit=limit)
    if listed:
        output.write_cells(("name", "title", "about", "own"), _saved_rows())
        return
    text = _text(query, file, saved, run, probe)
    with _opened(db, copy=copy, unlocked=unlocked) as store:
        if catalog or describe is not None:
            output.write_cells(*_documented(store, describe))
        else:
            _ask(store, text, ChartOutput(chart) if chart else output, unlocked=unlocked)


def _text(
    query: str | None, file: Path | None, saved: str | None, run: int | None, probe: int | None
) -> str:
    if saved is not None:
        return _saved_text(saved, run, probe)
    if file is None:
        return sys.stdin.read() if query == "-" else query or ""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is no text"
        raise LogitscopeError(f"{file} can't be read: {said}.") from error


def _saved_text(name: str, run: int | None, probe: int | None) -> str:
    from engine.sql.saved import find_query

    found = find_query(name)
    for option, aimed in (("run", found.aimed(run)), ("probe", found.aimed(probe_id=probe))):
        if {"run": run, "probe": probe}[option] is not None and aimed == found.sql:
            raise LogitscopeError(
                f"The query {name} is not about one {option}.", f"Leave --{option} out."
            )
    return found.aimed(run, probe)


def _saved_rows() -> Iterator[tuple[object, ...]]:
    from engine.sql.saved import saved_queries

    for each in saved_queries():
        yield each.name, each.title, each.about, not each.shipped


def _documented(
    store: Store, name: str | None
) -> tuple[tuple[str, ...], Iterator[tuple[object, ...]]]:
    """The tables with what a row of each is, or the columns of one."""
    from engine.sql.catalog import read_catalog

    known = read_catalog(store)
    if name is None:
        rows = ((each.name, each.kind, len(each.columns), each.about) for each in known.tables)
        return ("name", "kind", "columns", "about"), rows
    columns = known.table(name).columns
    return ("name", "type", "about"), ((each.name, each.type, each.about) for each in columns)


def _opened(db: Path | None, *, copy: bool, unlocked: bool) -> Store:
    if not unlocked:
        return opened_for_reading(database_or_demo(db), copy=copy)
    from engine.store import open_store

    return open_store(database_or_demo(db))


def _ask(store: Store, text: str, output: QueryOutput | ChartOutput, *, unlocked: bool) -> None:
    """Run the statements and write their rows, in a thread: the main one waits for ctrl+c."""
    from concurrent.futures import ThreadPoolExecutor

    from engine.sql.console import Console

    console = Console(store, unlocked=unlocked)
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(_run, console, text, output)
        try:
            written.result()
        except KeyboardInterrupt:
            raise CancelledError("The query was cancelled.") from None
        except BrokenPipeError:
            # The reader of a pipe has enough (head, less): there is nobody to tell anything.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit from None
        finally:
            console.close()


def _run(console: Console, text: str, output: QueryOutput | ChartOutput) -> None:
    from engine.sql.statements import QueryError

    try:
        output.write(console.run(text))
    except QueryError as error:
        if output.several:
            output.write(error.results)
        raise _with_place(error, text) from error


def _with_place(error: QueryError, text: str) -> LogitscopeError:
    """The error, with the line of the query that it points at and a mark under the place."""
    from rich.cells import cell_len

    if error.line is None or error.column is None:
        return error
    line = text.splitlines()[error.line - 1].expandtabs(1)
    mark = " " * cell_len(line[: error.column - 1]) + "^"
    number = f"line {error.line}: " if error.line > 1 else ""
    shown = f"\n{number}{line}\n{' ' * len(number)}{mark}"
    return LogitscopeError(error.sentence, f"{error.hint}{shown}")
