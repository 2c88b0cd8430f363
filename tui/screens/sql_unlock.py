"""Asks before statements may change what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.actions import bindings
from tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from textual.app import ComposeResult

WORDS = (
    "Until the explorer closes, statements could then\n\n"
    "  · change and delete stored results; there is no undo,\n"
    "  · read and write any file that you can (COPY, read_csv, ATTACH),\n"
    "  · load extensions and reach the network.\n\n"
    "Results that are not all fetched end where they are. Locking it again takes a restart."
)


class UnlockScreen(ModalScreen[bool]):
    """True to unlock."""

    ACTION_SCOPE: ClassVar[str] = "unlock"
    BINDINGS: ClassVar = bindings("unlock")

    def compose(self) -> ComposeResult:
        """Build the question."""
        with Vertical(id="unlock"):
            yield Static(WORDS, markup=False)
            yield KeyLine()

    def on_mount(self) -> None:
        """Name the question."""
        self.query_one("#unlock").border_title = "Unlock the console?"

    def action_confirm(self) -> None:
        """Unlock."""
        self.dismiss(True)

    def action_close(self) -> None:
        """Stay locked."""
        self.dismiss(False)
