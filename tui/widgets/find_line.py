"""A line to type what is looked for in the rows of a result."""

from __future__ import annotations

from typing import ClassVar

from textual.message import Message
from textual.widgets import Input

from tui.actions import bindings


class FindLine(Input):
    """The line; it is shown only while it is typed in."""

    ACTION_SCOPE: ClassVar[str] = "find"
    HELP_TITLE = "Finding"
    HELP = (
        "A text to look for in every cell of the rows that are fetched. Case matters only where it "
        "holds a capital letter."
    )
    BINDINGS: ClassVar = bindings("find")

    class Left(Message):
        """The line was left without looking for anything."""

    def __init__(self) -> None:
        super().__init__(placeholder="find in the fetched rows", compact=True, id="find")
        self.display = False

    def begin(self) -> None:
        """Show the line and type in it."""
        self.display = True
        self.focus()

    def action_close(self) -> None:
        """Back to the rows."""
        self.post_message(self.Left())
