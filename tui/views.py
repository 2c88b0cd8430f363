"""Probes as the question screen shows them: kept for a while, and read before they are asked for.

Everything here is called in the app's own thread; only the reading itself goes on elsewhere.
"""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.browse import ProbeView

KEPT_VIEWS = 16
KEPT_POSITIONS = 20_000
"""Written tokens, each with its alternatives, that all kept probes but the latest may hold."""


class Views:
    """The probes looked at last and those that may be next, by probe id."""

    def __init__(self, read: Callable[[int], ProbeView], threads: Executor) -> None:
        """Read with a function that blocks, in these threads."""
        self._read = read
        self._threads = threads
        self._kept: OrderedDict[int, Future[ProbeView]] = OrderedDict()
        self._ahead: list[Future[ProbeView]] = []

    def ask(self, probe_id: int) -> Future[ProbeView]:
        """A probe that is to be shown now; what was to be read ahead gives way to it."""
        wanted = self._kept.get(probe_id)
        for future in self._ahead:
            if future is not wanted:
                future.cancel()
        self._ahead.clear()
        asked = self._begin(probe_id)
        self._shrink()
        return asked

    def read_ahead(self, probe_ids: Iterable[int]) -> None:
        """Read probes that may be asked for next, the likeliest first."""
        self._ahead += [self._begin(probe_id) for probe_id in probe_ids]
        self._shrink()

    @property
    def reading(self) -> bool:
        """Whether any is being read."""
        return any(not future.done() for future in (*self._kept.values(), *self._ahead))

    def forget(self) -> None:
        """Read everything anew: something was changed."""
        self._kept.clear()
        self._ahead.clear()

    def _begin(self, probe_id: int) -> Future[ProbeView]:
        future = self._kept.get(probe_id)
        if future is None or _failed(future):
            future = self._kept[probe_id] = self._threads.submit(self._read, probe_id)
        self._kept.move_to_end(probe_id)
        return future

    def _shrink(self) -> None:
        """Let go of those that were not looked at for longest."""
        held = sum(map(_positions, self._kept.values()))
        while len(self._kept) > KEPT_VIEWS or (len(self._kept) > 1 and held > KEPT_POSITIONS):
            held -= _positions(self._kept.popitem(last=False)[1])


def _failed(future: Future[ProbeView]) -> bool:
    return future.done() and (future.cancelled() or future.exception() is not None)


def _positions(future: Future[ProbeView]) -> int:
    """Positions of a probe that is read; 0 while it is not."""
    if not future.done() or _failed(future):
        return 0
    return sum(len(text.positions) for text in future.result().generations)
