"""Where the rows of ``logitscope sql`` go, and in which form."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from engine.errors import LogitscopeError
from tui.output import say

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.sql.console import Done
    from engine.sql.exporting import ExportFormat
    from engine.sql.result import Result

ResultFormat = Literal["table", "json", "jsonl", "csv", "parquet", "markdown"]

ON_SCREEN = 500
"""Rows of a table that a terminal gets unless a limit is given."""

_FOR_READING = ("table", "markdown")
"""Formats in which results may stand one after the other."""


class QueryOutput:
    """Writes results to standard output or a file, and says what became of them.

    Attributes:
        several: Whether it takes more than one result.
    """

    def __init__(
        self,
        output_format: ResultFormat | None,
        path: Path | None,
        *,
        replace: bool = False,
        limit: int | None = None,
    ) -> None:
        """Begin.

        Args:
            output_format: None for what the file's ending says; without a file a table.
            path: A file; None for standard output.
            replace: Whether that file may be written over.
            limit: Rows of a result at most.

        Raises:
            LogitscopeError: A file can't hold that, or a terminal can't show it.
        """
        if path is not None and output_format == "table":
            raise LogitscopeError(
                "A table is for reading, not for a file.", "Choose csv, parquet, jsonl or markdown."
            )
        if path is None and output_format == "parquet" and sys.stdout.isatty():
            raise LogitscopeError("Parquet is not for a terminal.", "Name a file with --out.")
        self._format: ExportFormat | None = None if output_format == "table" else output_format
        self._path = path
        self._replace = replace
        self._limit = limit
        self._written = 0
        self.several = path is None and (output_format or "table") in _FOR_READING

    def write(self, outcomes: Sequence[Result | Done]) -> None:
        """Write the rows of statements that ran, and say what those without rows did.

        Raises:
            QueryError: A statement fails at a later row.
            LogitscopeError: The file can't be written.
        """
        from engine.sql.console import Done
        from engine.sql.result import Result

        for each in outcomes:
            if isinstance(each, Done):
                say(each.message)
        results = [each for each in outcomes if isinstance(each, Result)]
        if len(results) > 1 and not self.several:
            say(f"There are {len(results)} results; the last one is written.")
            results = results[-1:]
        for result in results:
            self._write(result, [column.name for column in result.columns])

    def write_cells(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write rows that come from no query; there must be one at least.

        Raises:
            LogitscopeError: The file can't be written.
        """
        import pyarrow as pa

        self._write(pa.table(list(map(pa.array, zip(*rows, strict=True))), list(columns)), columns)

    def _write(self, rows: Result | pa.Table, columns: Sequence[str]) -> None:
        from engine.sql.exporting import export, write

        if self._path is not None:
            done = export(rows, self._path, self._format, replace=self._replace, limit=self._limit)
            say(done.sentence())
            return
        if self._written:
            sys.stdout.write("\n")
        self._written += 1
        if self._format is None:
            self._print_table(rows, columns)
            return
        sys.stdout.flush()
        done = write(rows, sys.stdout.buffer, self._format, limit=self._limit)
        sys.stdout.buffer.flush()
        if not done.whole:
            say(done.sentence())

    def _print_table(self, rows: Result | pa.Table, columns: Sequence[str]) -> None:
        from tui.text_table import TextTable

        on_screen = sys.stdout.isatty()
        limit = ON_SCREEN if self._limit is None and on_screen else self._limit
        table = TextTable(columns, width=shutil.get_terminal_size().columns if on_screen else None)
        cells = _cells(rows)
        printed = 0
        for line in table.lines(cells if limit is None else islice(cells, limit)):
            sys.stdout.write(f"{line}\n")
            printed += 1
        if limit is not None and next(cells, None) is not None:
            shown = printed - table.HEAD
            say(f"{shown:,} of more than {shown:,} rows; --limit shows more.")
        if table.cut:
            say("Cells are cut to the width of the terminal; -o csv writes them whole.")


def _cells(rows: Result | pa.Table) -> Iterator[tuple[Any, ...]]:
    """The rows one by one, as Python values."""
    from engine.sql.result import Result
    from engine.sql.values import python_values

    for batch in rows.batches() if isinstance(rows, Result) else rows.to_batches():
        yield from zip(*map(python_values, batch.columns), strict=True)
