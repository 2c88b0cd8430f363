"""What tests of screens share: an app on a sample store, and waiting with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from textual.pilot import Pilot

from tui.app import ExplorerApp

DEADLINE = 30.0
"""Seconds; machines that run tests are slow at times, and nothing waits this long by design."""

SMALL, LARGE = (80, 24), (140, 45)


async def until(pilot: Pilot[Any], condition: Callable[[], object], what: str = "") -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"waited too long for {what or condition}"
        await pilot.pause(0.01)


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until nothing is under way: the runs are read, no query, no window, no message."""
    app = pilot.app
    assert isinstance(app, ExplorerApp)

    def quiet() -> bool:
        session = app.session
        at_work = any(worker.is_running for worker in app.workers)
        writes = session._writer._work_queue.qsize()
        return session.loaded and not session._queries and not at_work and not writes

    for _ in range(2):
        await until(pilot, quiet, "the screen to settle")
        await pilot.pause()


def text_of(app: ExplorerApp) -> str:
    """What is on the screen, line by line."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())
