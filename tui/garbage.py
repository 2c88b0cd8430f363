"""When Python looks for garbage: while nobody waits for the answer to a key.

A search of everything that the explorer has loaded takes longer than a key may. So it is put off
until no key came for a moment; what it leaves then stays out of the searches that Python begins by
itself, which become rare and have only newer objects to go through.
"""

from __future__ import annotations

import gc
import time

QUIET = 1.0
"""Seconds without a key before everything is searched."""
INTERVAL = 0.5
"""Seconds between two looks at whether it is time to."""
SELDOM = 25
"""Searches of newer objects before Python, never left in peace, searches the older ones too."""


class QuietCollector:
    """Searches for garbage in the pauses; one for the process."""

    def __init__(self) -> None:
        """Begin: what was loaded so far is looked at no more until the first pause."""
        self._touched = time.monotonic()
        self._searched = 0
        gc.freeze()
        often, less, _ = gc.get_threshold()
        gc.set_threshold(often, less, SELDOM)
        gc.enable()

    def touch(self) -> None:
        """A key or the mouse was used."""
        self._touched = time.monotonic()

    def collect_when_quiet(self) -> None:
        """Search everything, if there is time and objects came that only this would find."""
        if time.monotonic() - self._touched < QUIET or self._searched == _searches():
            return
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._searched = _searches()


def _searches() -> int:
    """How often Python began to look at the objects that had outlived a few searches."""
    return sum(each["collections"] for each in gc.get_stats()[1:])
