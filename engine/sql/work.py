"""A cursor at work, which any other thread may stop, and close."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import duckdb

from engine.sql.statements import QueryError

if TYPE_CHECKING:
    import pyarrow as pa

_AGAIN = 0.005
"""Seconds between two attempts to interrupt a query that goes on."""

_PATIENCE = 2.0
"""Seconds that an interrupted query gets to end."""


class Work:
    """What one cursor does, one thing at a time.

    Attributes:
        reader: Rows that it is still to give, None where there are none; they hold the file open.
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection | None = None) -> None:
        """Begin; without a cursor for rows that are made already."""
        self._cursor = cursor
        self.reader: pa.RecordBatchReader | None = None
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()
        self._stopped = False

    @property
    def cursor(self) -> duckdb.DuckDBPyConnection:
        """The cursor."""
        assert self._cursor is not None
        return self._cursor

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Something that can be stopped: the block.

        Raises:
            QueryError: It was stopped.
        """
        with self._lock:
            self._idle.clear()
            self._stopped = False
        try:
            yield
            self.check()
        finally:
            with self._lock:
                self._idle.set()

    def stop(self) -> None:
        """Interrupt what goes on, if anything does; returns at once."""
        if self._interrupt():
            threading.Thread(target=self._insist, daemon=True).start()

    def close(self) -> None:
        """Stop what goes on, and let go of rows and cursor; it can't be used any more."""
        self.stop()
        self._idle.wait(_PATIENCE)
        self.let_go()

    def let_go(self) -> None:
        """Let go of rows and cursor, where nothing goes on but what calls this."""
        self.reader = None
        if self._cursor is not None:
            with suppress(duckdb.Error):
                self._cursor.close()

    def check(self) -> None:
        """Raise where what goes on was stopped.

        Raises:
            QueryError: It was.
        """
        if self._stopped:
            raise cancelled()

    def _interrupt(self) -> bool:
        with self._lock:
            if self._idle.is_set():
                return False
            self._stopped = True
            if self._cursor is not None:
                with suppress(duckdb.Error):
                    self._cursor.interrupt()
            return True

    def _insist(self) -> None:
        # An interrupt that comes between two steps of a query is lost.
        while self._interrupt():
            time.sleep(_AGAIN)


def cancelled() -> QueryError:
    """The error of a query that was stopped."""
    return QueryError("The query was cancelled.")
