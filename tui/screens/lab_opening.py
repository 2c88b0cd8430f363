"""Opens the prompt lab from any screen that has a question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.errors import LogitscopeError

if TYPE_CHECKING:
    from textual.screen import Screen

    from tui.session import Session


async def open_lab(
    screen: Screen[Any], session: Session, probe_id: int, text: str | None = None
) -> None:
    """Show the lab for a probe, with the text it was left with; or say why there can be none."""
    try:
        view = await session.view_async(probe_id)
        lab = await session.lab(probe_id)
    except LogitscopeError as error:
        screen.notify(error.hint, title=error.sentence, severity="error")
        return
    from tui.screens.lab import LabScreen

    screen.app.push_screen(LabScreen(session, view, lab, text))
