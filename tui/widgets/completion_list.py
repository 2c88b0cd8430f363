"""What may stand at the cursor of the SQL editor, in a small window beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from textual import events
from textual.geometry import Offset
from textual.message import Message

from tui.widgets.line_view import LineView
from tui.widgets.token_text import fit, width
from tui.words import one_line

if TYPE_CHECKING:
    from engine.sql.completion import Suggestion

ROWS = 7
"""Suggestions in view at once."""
_ABOUT_LINES = 2
_MOST_CELLS = 64
_TEXT_CELLS = 28
_KIND_CELLS = 9


class CompletionList(LineView, can_focus=False, inherit_bindings=False):
    """Suggestions, one of them chosen, with its documentation below.

    Attributes:
        place: The cursor's place in the text that they were made for.
        moved: Whether somebody chose among them, so that enter takes the chosen one.
    """

    class Taken(Message):
        """A suggestion was clicked."""

    def __init__(self) -> None:
        super().__init__()
        self.place = 0
        self.moved = False
        self._suggestions: Sequence[Suggestion] = ()
        self._chosen = 0

    @property
    def chosen(self) -> Suggestion | None:
        """The suggestion that is chosen; None while the window is closed."""
        return self._suggestions[self._chosen] if self._suggestions else None

    def open(
        self, suggestions: Sequence[Suggestion], place: int, cursor: Offset, *, asked: bool
    ) -> None:
        """Show suggestions beside a cell of the screen; ``asked``: because somebody asked."""
        self._suggestions, self._chosen = suggestions, 0
        self.place, self.moved = place, asked
        screen = self.screen.size
        text = max(width(each.text) for each in suggestions[:ROWS])
        cells = (
            min(text, _TEXT_CELLS)
            + _KIND_CELLS
            + 4
            + max(width(each.detail) for each in suggestions[:ROWS])
        )
        cells = min(max(cells, _TEXT_CELLS + _KIND_CELLS), _MOST_CELLS, screen.width)
        lines = min(len(suggestions), ROWS) + _ABOUT_LINES
        above = cursor.y + 1 + lines > screen.height
        self.styles.width, self.styles.height = cells, lines
        self.absolute_offset = Offset(
            max(0, min(cursor.x - 1, screen.width - cells)),
            max(0, cursor.y - lines) if above else cursor.y + 1,
        )
        self.display = True
        self.refresh(layout=True)
        self.remake()
        # A window that was closed has no size yet.
        self.call_after_refresh(self.remake)

    def close(self) -> None:
        """Show nothing."""
        if self._suggestions:
            self._suggestions = ()
            self.display = False

    def move(self, delta: int) -> None:
        """Choose the next or previous suggestion."""
        self.moved = True
        self._chosen = (self._chosen + delta) % len(self._suggestions)
        self.remake()

    def make_lines(self, columns: int) -> Sequence[Text]:
        """The suggestions around the chosen one, and its documentation."""
        if not self._suggestions:
            return ()
        first = max(0, min(self._chosen - ROWS // 2, len(self._suggestions) - ROWS))
        self._first = first
        lines = [
            self._line(each, columns, place == self._chosen)
            for place, each in enumerate(self._suggestions[first : first + ROWS], first)
        ]
        about = one_line(self._suggestions[self._chosen].documentation) or "no documentation"
        wrapped = Text(about, self.tone("dim")).wrap(self.app.console, columns - 2)
        shown = [
            Text(f" {fit(line.plain.rstrip(), columns - 2)}", self.tone("dim"))
            for line in wrapped[:_ABOUT_LINES]
        ]
        if len(wrapped) > _ABOUT_LINES:
            last = f"{wrapped[_ABOUT_LINES - 1].plain.rstrip()} …"
            shown[-1] = Text(f" {fit(last, columns - 2)}", self.tone("dim"))
        return [*lines, *shown]

    def _line(self, suggestion: Suggestion, columns: int, chosen: bool) -> Text:
        text = min(max(width(each.text) for each in self._suggestions), _TEXT_CELLS)
        line = Text.assemble(
            ("▸" if chosen else " ", ""),
            (fit(one_line(suggestion.text), text), self.tone("strong")),
            f" {fit(suggestion.kind, _KIND_CELLS)} ",
            (one_line(suggestion.detail), self.tone("accent")),
        )
        line.truncate(columns, overflow="ellipsis")
        line.pad_right(columns - line.cell_len)
        if chosen:
            line.stylize(self.look("row", lambda: self.get_component_rich_style("line-view--row")))
        return line

    def on_click(self, event: events.Click) -> None:
        """Take the suggestion that was clicked."""
        offset = event.get_content_offset(self)
        if offset is None or not offset.y < min(len(self._suggestions), ROWS):
            return
        self._chosen = self._first + offset.y
        self.post_message(self.Taken())
