"""The connections of one process to one database file."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import duckdb

from engine.errors import StoreError

PATIENCE = 2.0
"""Seconds that a query gets to end."""

QUIET = 0.05
"""Seconds without a query after which nobody is taken to be reading."""


class Closeable(Protocol):
    """What can be closed, by any thread."""

    def close(self) -> None:
        """Let go of everything."""


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

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A new cursor, for whoever keeps results open; close it after use.

        Raises:
            StoreError: The file is closed.
        """
        with self._lock:
            self.check_open()
            cursor = self._root.cursor()
            self._cursors.add(cursor)
            self._lent.add(cursor)
        return cursor

    @property
    def lent(self) -> bool:
        """Whether anybody has a cursor of :meth:`cursor` still."""
        return bool(self._lent)

    def close_before(self, holder: Closeable) -> None:
        """Close something before the file is: what holds rows of it that are still to come."""
        self._holders.add(holder)

    @property
    def epoch(self) -> int:
        """Changes when the file is opened anew, which closes every cursor there was."""
        return self._epoch

    def check_open(self) -> None:
        """Raise a StoreError where the file is closed."""
        if not self._open:
            raise StoreError(f"{self._path} is closed.", "Open it again.")

    def reopen(self, connect: Callable[[], duckdb.DuckDBPyConnection] | None = None) -> None:
        """Begin anew: after an error that DuckDB can't go on from, or with other settings.

        For other settings whoever reads may finish first; a query that takes long is cut short.

        Args:
            connect: Opens the file from now on; None opens it as before.

        Raises:
            StoreError: The file can't be opened again; it is closed now.
        """
        with self._lock:
            self.check_open()
            # From now on whoever asks for a cursor waits for the lock.
            self._epoch += 1
            if connect is not None:
                self._connect = connect
                self._settle()
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
        self._lent: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()
        self._holders: weakref.WeakSet[Closeable] = weakref.WeakSet()
        self._epoch += 1
        self._open = True

    def _settle(self) -> None:
        """Wait until nobody reads, as far as that can be seen."""
        deadline = time.monotonic() + PATIENCE
        quiet_since = time.monotonic()
        # A cursor is not busy either between a query and the fetching of its rows.
        while (now := time.monotonic()) < min(deadline, quiet_since + QUIET):
            if any(map(_busy, [*self._cursors])):
                quiet_since = now
            time.sleep(0.005)

    def _end(self) -> None:
        self._open = False
        self._epoch += 1
        for holder in [*self._holders]:
            holder.close()
        for cursor in [*self._cursors]:
            _close(cursor)
        self.writer.close()
        self._root.close()


def _busy(cursor: duckdb.DuckDBPyConnection) -> bool:
    """Whether another thread is using a cursor at this moment; disturbs nobody."""
    try:
        _ = cursor.description
    except duckdb.ResourceInUseException:
        return True
    except duckdb.Error:
        return False
    return False


def _close(cursor: duckdb.DuckDBPyConnection) -> None:
    """Close a cursor that another thread may be using."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            cursor.interrupt()
            cursor.close()
        except duckdb.ConnectionException:  # closed already
            return
        except duckdb.Error:
            time.sleep(0.005)
        else:
            return
