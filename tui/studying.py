"""Making a study without keeping the screen waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

from engine.errors import CancelledError, StoreError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from engine.studies import Report, Scope
    from tui.session import Session


class Studying:
    """One study at a time, in a thread of its own.

    Attributes:
        marked: Ids of the runs to be studied, in the order they were marked.
    """

    def __init__(self, session: Session) -> None:
        self.marked: list[int] = []
        self._session = session
        self._thread = ThreadPoolExecutor(1, "study")
        self._making: set[asyncio.Future[Report]] = set()

    def toggle_mark(self, run_id: int) -> None:
        """Mark a run to be studied, or take the mark away."""
        if run_id in self.marked:
            self.marked.remove(run_id)
        else:
            self.marked.append(run_id)

    def runs(self, least: int = 1) -> tuple[int, ...]:
        """Ids of the runs that a study looks at: those marked, else the one that is shown.

        Where that is too few and the store holds just as many as it takes, all of them.
        """
        shown, stored = self._session.run, self._session.runs
        chosen = self.marked or ([shown.run_id] if shown is not None else [])
        if len(chosen) < least == len(stored):
            chosen = sorted(run.run_id for run in stored)
        return tuple(chosen)

    async def report(self, name: str, scope: Scope) -> Report:
        """Make a study; whoever stops waiting for it stops it.

        Raises:
            LogitscopeError: The study can't be made of these runs.
        """
        cursor = _Cursor(self._session.store.reader)
        making = asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: self._make(name, scope, cursor)
        )
        self._making.add(making)
        making.add_done_callback(self._making.discard)
        try:
            return await making
        except asyncio.CancelledError:
            cursor.stop()
            raise

    @property
    def going(self) -> bool:
        """Whether a study is being made."""
        return bool(self._making)

    def _make(self, name: str, scope: Scope, cursor: _Cursor) -> Report:
        import duckdb

        from engine.studies import study

        try:
            return study(name).report(cast("DuckDBPyConnection", cursor), scope)
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise StoreError(f"The study {name} failed: {reason}") from error

    def close(self) -> None:
        """Begin nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)


class _Cursor:
    """The reader of the thread that first asks it something, until it is stopped from another.

    A study is many queries with work between them: an interrupt ends the query that runs, and
    whatever is asked afterwards fails.
    """

    def __init__(self, reader: Callable[[], DuckDBPyConnection]) -> None:
        self._reader = reader
        self._cursor: DuckDBPyConnection | None = None
        self._stopped = False

    def __getattr__(self, name: str) -> Any:
        if self._stopped:
            raise CancelledError("The study was cancelled.")
        if self._cursor is None:
            self._cursor = self._reader()
        return getattr(self._cursor, name)

    def stop(self) -> None:
        """End what runs and let nothing follow."""
        self._stopped = True
        if self._cursor is not None:
            self._cursor.interrupt()
