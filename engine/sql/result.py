"""The rows of one statement: fetched as they are looked at, kept as Arrow, given as values."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec

from engine.sql.statements import QueryError
from engine.sql.values import python_values
from engine.sql.work import Work

if TYPE_CHECKING:
    import pyarrow as pa

ROW_LIMIT = 1_000_000
BYTE_LIMIT = 64 * 2**20
"""A result keeps at most so many rows, and few more than so many bytes of them."""


class Column(msgspec.Struct, frozen=True):
    """A column of a result.

    Attributes:
        name: As the statement calls it; names may repeat.
        type: Its SQL type.
    """

    name: str
    type: str


class Result:
    """The rows of one statement; every method blocks, one thread may call at a time.

    While it is not complete it has a cursor of its own, so whatever else is asked goes on
    undisturbed; close it when nobody looks at it any more, from any thread.

    Attributes:
        statement: The statement as it was written.
        columns: Its columns.
        seconds: Until the first rows were there.
        fetched: Rows in memory.
        complete: Whether these are all.
    """

    def __init__(
        self,
        statement: str,
        columns: Sequence[Column],
        reader: pa.RecordBatchReader,
        *,
        work: Work | None = None,
        failure: Callable[[Exception], QueryError] | None = None,
    ) -> None:
        """Take the rows over; none is fetched yet.

        Args:
            statement: The statement.
            columns: Its columns.
            reader: Its rows.
            work: What makes them, closed when all are there; None where they are made already.
            failure: The error that stands for one of DuckDB's.
        """
        self.statement = statement
        self.columns = tuple(columns)
        self.seconds = 0.0
        self.fetched = 0
        self.complete = False
        self._capped = False
        self._schema = reader.schema
        self._work = work or Work()
        self._work.reader = reader
        self._failure = failure
        self._lock = threading.Lock()
        self._batches: list[pa.RecordBatch] = []
        self._ends: list[int] = []
        self._ahead: pa.RecordBatch | None = None
        self._bytes = 0

    def fetch(self, rows: int) -> int:
        """Fetch up to so many more rows; returns how many came.

        Raises:
            QueryError: The statement fails at one of them, or was cancelled; those before stay.
        """
        before = self.fetched
        with self._using_reader():
            while self.fetched < before + rows and not self._at_end():
                self._keep(before + rows - self.fetched)
            # What comes next tells whether these are all.
            self._at_end()
        return self.fetched - before

    def row(self, index: int) -> tuple[Any, ...]:
        """One fetched row, as Python values.

        Raises:
            IndexError: It is not fetched.
        """
        return self.rows(index, index + 1)[0]

    def rows(self, first: int, last: int) -> list[tuple[Any, ...]]:
        """The fetched rows from ``first`` on, up to ``last`` without it, as Python values."""
        found: list[tuple[Any, ...]] = []
        last = min(last, self.fetched)
        number = bisect_right(self._ends, first)
        while first < last:
            batch, end = self._batches[number], self._ends[number]
            begin = end - batch.num_rows
            part = batch.slice(first - begin, min(last, end) - first)
            found += zip(*map(python_values, part.columns), strict=True)
            first, number = end, number + 1
        return found

    def table(self) -> pa.Table:
        """The fetched rows."""
        import pyarrow as pa

        return pa.Table.from_batches(self._batches, self._schema)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The fetched rows and then all the others, which are not kept: for writing them away.

        Nothing more can be fetched afterwards.

        Raises:
            QueryError: The statement fails at one of them, or was cancelled.
        """
        yield from self._batches
        while True:
            with self._using_reader():
                if self._at_end(limited=False):
                    return
                batch, self._ahead = self._ahead, None
                self._capped = True
            yield batch

    @property
    def capped(self) -> bool:
        """Whether no more will be fetched although there are more.

        They are cut off at a limit, after an error, or because it was cancelled or closed.
        """
        return not self.complete and (self._capped or not self.open)

    @property
    def open(self) -> bool:
        """Whether rows beyond the fetched ones can still be had."""
        return self._work.reader is not None

    def counted(self) -> str:
        """How many rows there are, as far as it is known: ``500 of more than 500 rows``."""
        if self.complete:
            return f"{self.fetched:,} {'row' if self.fetched == 1 else 'rows'}"
        return f"{self.fetched:,} of more than {self.fetched:,} rows"

    def close(self) -> None:
        """Forget the rows and let go of the cursor; closing twice does no harm."""
        self._work.close()
        with self._lock:
            self._release()
            self._batches, self._ends, self.fetched, self._bytes = [], [], 0, 0

    def stop(self) -> None:
        """Cancel the fetching that goes on, if any does; from any thread, returns at once."""
        self._work.stop()

    def let_go(self) -> None:
        """Fetch no more; the fetched rows stay."""
        with self._lock:
            self._release()

    @contextmanager
    def _using_reader(self) -> Iterator[None]:
        """Fetching, in the block; what it raises is made an error of the statement."""
        with self._lock:
            try:
                with self._work.going_on():
                    yield
            except QueryError:
                self._release()
                raise
            except (duckdb.Error, OSError, ValueError) as error:
                self._release()
                if self._failure is None:
                    raise
                raise self._failure(error) from error

    def _at_end(self, *, limited: bool = True) -> bool:
        """Whether there is no next row to keep; otherwise it is in ``_ahead``."""
        reader = self._work.reader
        if reader is None:
            return True
        if self._ahead is None:
            self._work.check()
            self._ahead = next((batch for batch in reader if batch.num_rows), None)
            if self._ahead is None:
                self.complete = not self._capped
                self._release()
                return True
        if limited and (self.fetched >= ROW_LIMIT or self._bytes >= BYTE_LIMIT):
            self._capped = True
        return limited and self._capped

    def _keep(self, rows: int) -> None:
        """Keep up to so many rows of what comes next."""
        assert self._ahead is not None
        rows = min(rows, ROW_LIMIT - self.fetched)
        batch, rest = self._ahead.slice(0, rows), self._ahead.slice(rows)
        self._ahead = rest if rest.num_rows else None
        self._bytes += batch.nbytes
        self._batches.append(batch)
        self._ends.append(self.fetched + batch.num_rows)
        self.fetched = self._ends[-1]

    def _release(self) -> None:
        """Let go of what makes the rows."""
        self._ahead = None
        self._work.let_go()
