"""One value of a result, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import TextArea

from tui import clipboard
from tui.actions import bindings
from tui.values import copied, described, whole
from tui.widgets.figures import count
from tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.sql.result import Column


class CellScreen(ModalScreen[None]):
    """A text as it is; a list or struct with a part a line."""

    ACTION_SCOPE: ClassVar[str] = "cell"
    HELP_TITLE = "The whole value"
    HELP = "The value as it is stored; lists and structs have a part a line. y copies it."
    BINDINGS: ClassVar = bindings("cell")

    def __init__(self, column: Column, value: object, row: int) -> None:
        """Show a value of a column in a row, counted from 0."""
        super().__init__()
        self._column, self._value, self._row = column, value, row

    def compose(self) -> ComposeResult:
        """The value over its keys."""
        shown = "NULL" if self._value is None else whole(self._value)
        with Vertical(id="cell"):
            yield TextArea(shown, read_only=True, show_cursor=False)
            yield KeyLine()

    def on_mount(self) -> None:
        """Say what it is."""
        window = self.query_one("#cell")
        window.border_title = f"{described(self._column)} · row {self._row + 1:,}"
        window.border_subtitle = self._length()

    def _length(self) -> str:
        if isinstance(self._value, str):
            return count(len(self._value), "character")
        if isinstance(self._value, bytes):
            return count(len(self._value), "byte")
        if isinstance(self._value, list | tuple):
            return count(len(self._value), "element")
        return ""

    def action_close(self) -> None:
        """Back to the rows."""
        self.dismiss()

    def action_copy(self) -> None:
        """Copy the value exactly as it is."""
        self.notify(f"Copied the value to {clipboard.copy(self.app, copied(self._value))}.")
