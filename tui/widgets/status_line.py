"""One line of words that changes often; unlike a ``Static`` it never lays out the screen anew."""

from __future__ import annotations

from rich.segment import Segment
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.token_text import fit


class StatusLine(Widget):
    """The words, cut at the right."""

    ALLOW_SELECT = False

    words: reactive[str] = reactive("")

    def render_line(self, y: int) -> Strip:
        """Draw the words."""
        width = self.size.width
        return Strip([Segment(fit(self.words if y == 0 else "", width), self.rich_style)], width)
