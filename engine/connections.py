"""The connections of one process to one database file."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import duckdb

from engine.errors import StoreError

PATIENCE = 2.0
"""Seconds that an interrupted query gets to end."""


class Connections:
    """A writer and a cursor for every thread that reads.

    Attributes:
        writer: The one connection that changes anything; whoever uses it keeps others away.
    """

    writer: duckdb.DuckDBPyConnection

    def __init__(self, path: Path, connect: Callable[[], duckdb.DuckDBPyConnection]) -> None:
        """Connect.

        Args:
            path: The file, for messages.
            connect: Opens the file.

        Raises:
            StoreError: It can't be opened.
        """
        self._path = path
        self._connect = connect
        self._lock = threading.Lock()
        self._local = threading.local()
        self._epoch = 0
        self._open = False
        self._begin()

    def reader(self) -> duckdb.DuckDBPyConnection:
        """The calling thread's own cursor.

        Raises:
            StoreError: The file is closed.
        """
        epoch, cursor = getattr(self._local, "cursor", (0, None))
        if cursor is None or epoch != self._epoch:
            with self._lock:
                self.check_open()
                cursor = self._root.cursor()
                self._cursors.add(cursor)
                self._local.cursor = self._epoch, cursor
        found: duckdb.DuckDBPyConnection = cursor
        return found

    def check_open(self) -> None:
        """Raise a StoreError where the file is closed."""
        if not self._open:
            raise StoreError(f"{self._path} is closed.", "Open it again.")

    def reopen(self) -> None:
        """Begin anew after an error that DuckDB can't go on from.

        Raises:
            StoreError: The file can't be opened again; it is closed now.
        """
        with self._lock:
            self._end()
            self._begin()

    def close(self) -> None:
        """Interrupt whoever reads, write everything into the one file and let go of it."""
        with self._lock:
            if self._open:
                self._end()

    def _begin(self) -> None:
        # The first connection runs nothing, so a new cursor never waits for a query.
        self._root = self._connect()
        self.writer = self._root.cursor()
        self._cursors: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()
        self._epoch += 1
        self._open = True

    def _end(self) -> None:
        self._open = False
        self._epoch += 1
        for cursor in [*self._cursors]:
            _close(cursor)
        self.writer.close()
        self._root.close()


def _close(cursor: duckdb.DuckDBPyConnection) -> None:
    """Close a cursor that another thread may be using."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        cursor.interrupt()
        try:
            cursor.close()
        except duckdb.Error:
            time.sleep(0.005)
        else:
            return
