"""A console without keeping the screen waiting: its statements, its rows, and its errors."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from engine.errors import CancelledError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.sql.console import Console, Done
    from engine.sql.result import Result
    from engine.store import Store

T = TypeVar("T")


class Querying:
    """One console, asked one thing at a time in a thread of its own.

    Attributes:
        began: When what runs began, of ``time.monotonic``; None while nothing runs.
    """

    def __init__(self, store: Store) -> None:
        from engine.sql.console import Console

        self.console: Console = Console(store)
        self.began: float | None = None
        self._thread = ThreadPoolExecutor(1, "sql")
        self._asked = 0
        self._closed = False

    @property
    def unlocked(self) -> bool:
        """Whether statements may change what is stored and reach files."""
        return self.console.unlocked

    async def run(self, text: str) -> list[Result | Done]:
        """Run the statements of a text; whatever runs is cancelled.

        Raises:
            QueryError: One of them is refused, wrong or cancelled.
            CancelledError: Something else was asked meanwhile.
        """
        self.cancel()
        return await self.ask(lambda: self.console.run(text))

    async def ask(self, job: Callable[[], T], *, aside: bool = False) -> T:
        """Do something with the console or one of its results, after what runs.

        ``aside``: nobody waits for it, so that it does not count as running.

        Raises:
            LogitscopeError: What the job raises.
            CancelledError: It was cancelled before it began.
        """
        asked = self._asked

        def attempt() -> T:
            if asked != self._asked or self._closed:
                raise CancelledError("The query was cancelled.")
            self.began = None if aside else time.monotonic()
            try:
                return job()
            finally:
                self.began = None

        return await asyncio.get_running_loop().run_in_executor(self._thread, attempt)

    def cancel(self) -> None:
        """Stop what runs and what waits; returns at once."""
        self._asked += 1
        self.console.cancel()

    def close(self) -> None:
        """Stop everything and let go of the results."""
        self._closed = True
        self.cancel()
        self._thread.submit(self.console.close)
        self._thread.shutdown(wait=False)
