"""Panes of prepared lines, drawn one line at a time; and lists of rows with a cursor in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.actions import bindings
from tui.widgets.scrolling import set_content_size
from tui.widgets.tones import tone

TONES = ("dim", "strong", "accent", "good", "warn", "bad", "chosen", "special", "code", "chip")
"""Ways a part of a line can stand out, besides what it says; each is a component class."""


class LineView(ScrollView, can_focus=True, inherit_bindings=False):
    """A pane of text lines that it makes anew whenever its width or its content changes.

    Subclasses implement :meth:`make_lines`. The first :attr:`sticky` lines never scroll.
    """

    ACTION_SCOPE: ClassVar[str] = "pane"
    ALLOW_SELECT = False
    BINDINGS: ClassVar = bindings("pane")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"line-view--{tone}" for tone in TONES),
        "line-view--row",
        "line-view--row-blurred",
    }

    sticky = 0

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._lines: list[Text] = []
        self._made_for = -1
        self._look: dict[str, Style] = {}

    def make_lines(self, columns: int) -> Sequence[Text]:
        """The pane's lines for a width in cells."""
        raise NotImplementedError

    def copied(self) -> str:
        """What the copy key takes from this pane."""
        return "\n".join(line.plain.rstrip() for line in self._lines)

    def tone(self, name: str) -> Style:
        """The style of one of :data:`TONES`, to be laid over a line's own."""
        return self.look(name, lambda: tone(self, f"line-view--{name}"))

    def look(self, name: str, compute: Callable[[], Style]) -> Style:
        """A style of the current theme, computed once: Textual would do it again for each line."""
        if name not in self._look:
            self._look[name] = compute()
        return self._look[name]

    def remake(self) -> None:
        """Make the lines anew: the content changed."""
        columns = self.scrollable_content_region.width
        if columns <= 0:
            self._made_for = -1  # hidden: to be made once there is room
            return
        self._made_for = columns
        self._lines = list(self.make_lines(columns))
        set_content_size(self, Size(columns, len(self._lines)))

    def render_line(self, y: int) -> Strip:
        """Draw one line of what is visible."""
        columns = self.size.width
        number = y if y < self.sticky else y + round(self.scroll_y)
        if number >= len(self._lines):
            return Strip.blank(columns, LineView.line_style(self, number))
        line, base = self._lines[number], self.line_style(number)
        # Rich leaves a text's own style out where no part of it has another one.
        own = line.style if isinstance(line.style, Style) else Style.null()
        styled = Segment.apply_style(line.render(self.app.console, end=""), base + own)
        return Strip(Segment.adjust_line_length(list(styled), columns, base), columns)

    def line_style(self, number: int) -> Style:
        """The style beneath a line."""
        return self.look("base", lambda: self.rich_style)

    def on_resize(self) -> None:
        """Make the lines anew where the width is another one."""
        if self.scrollable_content_region.width != self._made_for:
            self.remake()

    def notify_style_update(self) -> None:
        """The theme changed, and with it every tone."""
        super().notify_style_update()
        self._look.clear()
        self.call_after_refresh(self.remake)

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.scroll_to(y=self.scroll_y + lines, animate=False, force=True)

    def action_page(self, pages: float) -> None:
        """Scroll by pages."""
        self.action_scroll(round(pages * max(1, self.size.height - self.sticky - 1)))


class RowView(LineView, inherit_bindings=False):
    """A pane of rows, each of one line or more, with a cursor that stands on one of them.

    Subclasses implement :meth:`make_row`; ``rows`` is how many there are.
    """

    ACTION_SCOPE: ClassVar[str] = "rows"
    BINDINGS: ClassVar = bindings("rows")

    class Moved(Message):
        """The cursor stands on another row."""

        def __init__(self, view: RowView, row: int) -> None:
            super().__init__()
            self.view = view
            self.row = row

        @property
        def control(self) -> RowView:
            """The pane."""
            return self.view

    class Chosen(Moved):
        """The row under the cursor was chosen."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self.rows = 0
        self.cursor = 0
        self._row_of_line: list[int] = []

    def make_row(self, row: int, columns: int, *, current: bool) -> Sequence[Text]:
        """The lines of one row; the row under the cursor may have more to say."""
        raise NotImplementedError

    def make_header(self, columns: int) -> Sequence[Text]:
        """Lines above the first row."""
        return ()

    def make_lines(self, columns: int) -> Sequence[Text]:
        """Header and rows, the cursor's mark in front of its row."""
        lines = list(self.make_header(columns))
        self.sticky = len(lines)
        self._row_of_line = [-1] * len(lines)
        for row in range(self.rows):
            made = self.make_row(row, columns, current=row == self.cursor)
            lines += made
            self._row_of_line += [row] * len(made)
        return lines

    def line_style(self, number: int) -> Style:
        """The cursor's row has its own background."""
        if self.rows and self._row_of_line[number] == self.cursor:
            name = "line-view--row" if self.has_focus else "line-view--row-blurred"
            return self.look(name, lambda: self.get_component_rich_style(name))
        return super().line_style(number)

    def show_rows(self, rows: int, cursor: int = 0) -> None:
        """Show this many rows with the cursor on one of them; tells nobody."""
        self.rows = rows
        self.cursor = max(0, min(cursor, rows - 1))
        self.remake()
        self._show_cursor()

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        super().on_resize()
        self._show_cursor()

    def on_focus(self) -> None:
        """Draw the cursor in its bright colour."""
        self.refresh()

    def on_blur(self) -> None:
        """Draw the cursor in its quiet colour."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """A row takes the cursor; a second click chooses it."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        number = offset.y if offset.y < self.sticky else offset.y + round(self.scroll_y)
        if number < len(self._row_of_line) and self._row_of_line[number] >= 0:
            self._move_to(self._row_of_line[number])
            if event.chain == 2:
                self.action_choose()

    def action_move(self, delta: int) -> None:
        """Move the cursor by rows."""
        self._move_to(self.cursor + delta)

    def action_page(self, pages: float) -> None:
        """Move the cursor by pages."""
        self._move_to(self.cursor + round(pages * max(1, self.size.height - self.sticky - 1)))

    def action_choose(self) -> None:
        """Choose the row under the cursor."""
        if self.rows:
            self.post_message(self.Chosen(self, self.cursor))

    def _move_to(self, row: int) -> None:
        row = max(0, min(row, self.rows - 1))
        if self.rows and row != self.cursor:
            self.cursor = row
            self.remake()
            self._show_cursor()
            self.post_message(self.Moved(self, row))

    def _show_cursor(self) -> None:
        if self.size.height <= self.sticky or self.cursor not in self._row_of_line:
            return
        first = self._row_of_line.index(self.cursor)
        last = first + self._row_of_line.count(self.cursor) - 1
        top, height = round(self.scroll_y), self.size.height
        if first < top + self.sticky:
            self.scroll_to(y=first - self.sticky, animate=False, force=True)
        elif last >= top + height:
            self.scroll_to(y=last - height + 1, animate=False, force=True)
