"""What tests of the SQL screen share: opening it, running a text, waiting for what comes of it."""

from __future__ import annotations

from typing import Any

from textual.pilot import Pilot

from tests.screen_help import settle, until
from tui.screens.sql import SqlScreen
from tui.widgets.sql_editor import SqlEditor
from tui.widgets.sql_results import SqlResults
from tui.widgets.status_line import StatusLine
from tui.widgets.value_grid import ValueGrid


async def open_sql(pilot: Pilot[Any], text: str | None = None) -> SqlScreen:
    """Open the screen from the list of questions; put a text of its own into the editor."""
    await settle(pilot)
    await pilot.press("Q")
    await until(pilot, lambda: isinstance(pilot.app.screen, SqlScreen), "the SQL screen")
    await settle(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, SqlScreen)
    await until(pilot, lambda: screen._catalog is not None, "the catalog")
    if text is not None:
        editor(pilot).take(text)
        await settle(pilot)
    return screen


async def run(pilot: Pilot[Any], text: str, *, focus: bool = True) -> SqlScreen:
    """Open the screen, run a text, and go to its result."""
    screen = await open_sql(pilot, text)
    await press(pilot, "f5", *(["f6"] if focus else []))
    return screen


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys, each once the one before has done what it does."""
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


def editor(pilot: Pilot[Any]) -> SqlEditor:
    """The editor of the screen that is open."""
    return pilot.app.screen.query_one(SqlEditor)


def results(pilot: Pilot[Any]) -> SqlResults:
    """What is shown of the statements."""
    return pilot.app.screen.query_one(SqlResults)


def grid(pilot: Pilot[Any]) -> ValueGrid:
    """The grid of the screen that is open."""
    return pilot.app.screen.query_one(ValueGrid)


def status(pilot: Pilot[Any]) -> str:
    """The status line."""
    return pilot.app.screen.query_one("#sql-status", StatusLine).words


def told(pilot: Pilot[Any]) -> list[str]:
    """Every notification so far: title and words."""
    return [f"{each.title} {each.message}".strip() for each in pilot.app._notifications]
