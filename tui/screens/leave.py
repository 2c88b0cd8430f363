"""Asks before leaving while a run is going."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import bindings
from tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from textual.app import ComposeResult


class LeaveScreen(ModalScreen[bool]):
    """True to leave."""

    ACTION_SCOPE: ClassVar[str] = "leave"
    BINDINGS: ClassVar = bindings("leave")

    def compose(self) -> ComposeResult:
        """Build the question."""
        with Vertical(id="leave"):
            yield Static(
                "A run is going. Leaving stops it; what it stored stays, "
                "and it can be resumed from the list of runs.",
            )
            yield KeyLine()

    def action_confirm(self) -> None:
        """Leave."""
        self.dismiss(True)

    def action_close(self) -> None:
        """Stay."""
        self.dismiss(False)
