"""Asking for an action through the command palette."""

from __future__ import annotations

from typing import Any

from textual.command import CommandList, CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input

from tests.screen_help import until


async def choose(pilot: Pilot[Any], title: str, typed: str = "") -> None:
    """Carry out the command with this title, the first that is found for what is typed."""
    app = pilot.app
    await pilot.press("ctrl+p")
    await until(pilot, lambda: CommandPalette.is_open(app), "the palette")
    commands = app.screen.query_one(CommandList)
    app.screen.query_one(Input).value = typed or title
    await until(pilot, lambda: _first(commands) == title, f"the command {title!r}")
    await pilot.press("enter")
    await until(pilot, lambda: not CommandPalette.is_open(app), "the palette to close")
    await pilot.pause()


def _first(commands: CommandList) -> str:
    """The title of the first command listed, once the search is over."""
    if commands.loading or not commands.option_count:
        return ""
    return str(commands.get_option_at_index(0).hit.text)  # type: ignore[attr-defined]
