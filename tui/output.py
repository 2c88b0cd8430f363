"""What commands print: data to standard output, talk to standard error."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from rich.progress import Progress

TableFormat = Literal["table", "json", "csv"]

PIPE_WIDTH = 1_000_000

NOT_RECORDED = "–"
"""How tables show a value that was not recorded."""


def say(sentence: str) -> None:
    """Print one line of talk to standard error."""
    print(sentence, file=sys.stderr)


def print_json(value: object) -> None:
    """Print one JSON document, indented, with a final newline."""
    encoded = msgspec.json.encode(value, enc_hook=_plain)
    print(msgspec.json.format(encoded, indent=2).decode())


def print_rows(
    columns: Sequence[str], rows: Iterable[Sequence[object]], output_format: TableFormat
) -> None:
    """Print a table for people, as one JSON array of objects, or as csv with a header."""
    if output_format == "json":
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif output_format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(["" if cell is None else cell for cell in row] for row in rows)
    else:
        _print_table(columns, rows)


def progress_bar() -> Progress:
    """A progress bar on standard error with counts, rate and time left."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TextColumn("{task.fields[detail]}"),
        console=Console(stderr=True),
        transient=True,
    )


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[bool]
) -> None:
    """Print a table for people from finished cells.

    Args:
        columns: The headers.
        rows: The cells.
        right: Which columns stand at the right.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column, at_right in zip(columns, right, strict=True):
        table.add_column(column, justify="right" if at_right else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    # A pipe has no width: cutting cells there would lose data.
    console = Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)
    console.print(table)


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    materialised = [list(row) for row in rows]
    right = [
        bool(materialised) and all(_is_number(row[index]) for row in materialised)
        for index in range(len(columns))
    ]
    print_table(columns, ([_cell(value) for value in row] for row in materialised), right)


def _is_number(value: object) -> bool:
    """Whether a cell reads best at the right: a number, a number as text, or nothing."""
    if isinstance(value, str):
        return value.replace(".", "", 1).isdigit()
    return isinstance(value, int | float | None)


def _cell(value: object) -> str:
    if value is None:
        return NOT_RECORDED
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def _plain(value: object) -> object:
    """Render what JSON has no type for (decimals, dates, blobs, numpy scalars) as text."""
    item = getattr(value, "item", None)
    if callable(item):
        return item()
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    return str(value)
