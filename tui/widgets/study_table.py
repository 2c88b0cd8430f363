"""A table of a study with a cursor that stands on one cell.

The header never scrolls down and the columns that name a row never scroll to the right, so that
every cell stays readable by both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.actions import bindings
from tui.output import NOT_RECORDED
from tui.reports import RIGHT_FORMS, filled
from tui.widgets.token_text import fit, width
from tui.widgets.tones import tone
from tui.words import one_line

if TYPE_CHECKING:
    from engine.studies.report import Column, Row, Table

TEXT_CELLS = 24
"""Cells that a column of words takes at most; the line under the table has them whole."""
_HEADER = 1
_GAP = 2


class Place(NamedTuple):
    """Where a column is drawn."""

    column: int
    x: int
    cells: int


class StudyTable(ScrollView, can_focus=True, inherit_bindings=False):
    """The cells of one table."""

    ACTION_SCOPE: ClassVar[str] = "cells"
    ALLOW_SELECT = False
    HELP_TITLE = "The table"
    HELP = (
        "What the study counted. The line below says what the column under the cursor means. "
        "Enter shows the questions behind a cell: those it counts, or those of its row."
    )
    BINDINGS: ClassVar = bindings("cells")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"cells--{name}" for name in ("header", "here", "row", "cursor", "cursor-blurred", "dim")
    }

    class Moved(Message):
        """The cursor stands on another cell."""

    class Chosen(Message):
        """The cell under the cursor was chosen."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self.cursor = (0, 0)
        self._rows: tuple[Row, ...] = ()
        self._columns: list[Column] = []
        self._cells: list[list[str]] = []
        self._widths: list[int] = []
        self._first = 0

    # What it shows

    def show(self, table: Table, cursor: tuple[int, int] = (0, 0)) -> None:
        """Show a table with the cursor on a row and column, or the nearest there are."""
        self._rows = table.rows
        self._columns, cells = filled(table)
        self._cells = [[one_line(cell) for cell in row] for row in cells]
        self._widths = [
            min(max(width(cell) for cell in (column.title, *below)), self._most(column))
            for column, *below in zip(self._columns, *self._cells, strict=True)
        ]
        self._first = self._frozen
        self.scroll_to(y=0, animate=False, force=True)
        self.virtual_size = Size(self._width, len(self._rows) + _HEADER)
        self._place(*cursor)

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self.cursor[0]] if self._rows else None

    @property
    def column(self) -> Column | None:
        """The column under the cursor."""
        return self._columns[self.cursor[1]] if self._columns else None

    @staticmethod
    def _most(column: Column) -> int:
        return TEXT_CELLS if column.form == "text" else width(column.title) + TEXT_CELLS

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    @property
    def _frozen(self) -> int:
        """How many columns never scroll: those up to the last of words, in half the width."""
        texts = [place for place, column in enumerate(self._columns) if column.form == "text"]
        count = texts[-1] + 1 if texts else 0
        while count and sum(self._widths[:count]) + _GAP * count > self._width // 2:
            count -= 1
        return count

    def _placed(self) -> list[Place]:
        """The columns in view: the frozen ones, then those from the first scrolled one on."""
        placed, x, frozen = [], _GAP, self._frozen
        room = self._width - 1  # The last cell is for the sign that there are more.
        for column in (*range(frozen), *range(max(self._first, frozen), len(self._columns))):
            cells = min(self._widths[column], max(1, room - _GAP))
            if x + cells > room:
                break
            placed.append(Place(column, x, cells))
            x += cells + _GAP
        return placed

    # Moving

    def _place(self, row: int, column: int) -> None:
        """Put the cursor on a cell and bring it into view."""
        row = max(0, min(row, len(self._rows) - 1))
        column = max(0, min(column, len(self._columns) - 1))
        self.cursor = row, column
        frozen = self._frozen
        self._first = max(self._first, frozen)
        if frozen <= column < self._first:
            self._first = column
        while self._first < column and column not in [place.column for place in self._placed()]:
            self._first += 1
        top, height = round(self.scroll_y), self.size.height - _HEADER
        if height > 0 and not top <= row < top + height:
            self.scroll_to(y=row if row < top else row - height + 1, animate=False, force=True)
        self.refresh()
        self.post_message(self.Moved())

    def action_move(self, rows: int, columns: int) -> None:
        """Move the cursor by cells."""
        self._place(self.cursor[0] + rows, self.cursor[1] + columns)

    def action_page(self, pages: int) -> None:
        """Move the cursor by pages."""
        self.action_move(pages * max(1, self.size.height - _HEADER), 0)

    def action_edge(self, rows: int, columns: int) -> None:
        """Go to the first (-1) or last (1) row or column; 0 leaves it."""
        self.action_move(rows * len(self._rows), columns * len(self._columns))

    def action_choose(self) -> None:
        """Choose the cell under the cursor."""
        if self._rows:
            self.post_message(self.Chosen())

    def on_click(self, event: events.Click) -> None:
        """A cell takes the cursor; a second click chooses it; a header takes it to its column."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        row = self.cursor[0] if offset.y < _HEADER else offset.y - _HEADER + round(self.scroll_y)
        under = [place.column for place in self._placed() if place.x - _GAP <= offset.x]
        if not under or row >= len(self._rows):
            return
        self._place(row, under[-1])
        if event.chain == 2 and offset.y >= _HEADER:
            self.action_choose()

    # Drawing

    def on_resize(self) -> None:
        """Choose the columns in view anew."""
        self.virtual_size = Size(self._width, len(self._rows) + _HEADER)
        if self._columns:
            self._place(*self.cursor)

    def on_focus(self) -> None:
        """Draw the cursor in its bright colour."""
        self.refresh()

    def on_blur(self) -> None:
        """Draw the cursor in its quiet colour."""
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the header, a row, or nothing."""
        row = y - _HEADER + round(self.scroll_y)
        if y < _HEADER:
            return self._header()
        if row >= len(self._rows):
            return Strip.blank(self._width, self.rich_style)
        current = row == self.cursor[0]
        base = self.rich_style + self._style("row") if current else self.rich_style
        segments, x = [], 0
        for column, start, cells in self._placed():
            text = self._cells[row][column]
            here = current and column == self.cursor[1]
            style = base + self._style("dim") if text == NOT_RECORDED else base
            if here:
                style = self._style("cursor" if self.has_focus else "cursor-blurred")
            segments.append(Segment(" " * (start - x - 1), base))
            segments.append(Segment("▸" if here else " ", style if here else base))
            segments.append(Segment(self._aligned(text, column, cells), style))
            x = start + cells
        return Strip(segments).adjust_cell_length(self._width, base)

    def _header(self) -> Strip:
        base, placed = self._style("header"), self._placed()
        segments, x = [], 0
        for column, start, cells in placed:
            cut = column == self._first > self._frozen
            style = self._style("here") if column == self.cursor[1] else base
            segments.append(Segment(" " * (start - x - 1) + ("‹" if cut else " "), base))
            segments.append(
                Segment(self._aligned(self._columns[column].title, column, cells), style)
            )
            x = start + cells
        line = Strip(segments).adjust_cell_length(self._width, base)
        if placed and placed[-1].column < len(self._columns) - 1:
            line = Strip([*line.crop(0, self._width - 1), Segment("›", base)])
        return line

    def _aligned(self, text: str, column: int, cells: int) -> str:
        text = fit(text, min(width(text), cells))
        missing = " " * (cells - width(text))
        return missing + text if self._columns[column].form in RIGHT_FORMS else text + missing

    def _style(self, name: str) -> Style:
        if name in ("row", "dim"):
            return tone(self, f"cells--{name}")
        return self.get_component_rich_style(f"cells--{name}")
