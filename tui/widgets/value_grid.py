"""A grid of any columns and any number of rows of a query's result, drawn line by line.

The cursor stands on one cell. The header never scrolls down and frozen columns never scroll to the
right. It reads the rows that are in view from the result, whose fetched rows are in memory, and
asks for more when the cursor nears the end of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui import clipboard
from tui.actions import bindings
from tui.values import as_tsv, copied, is_numeric, shown
from tui.widgets.figures import count
from tui.widgets.token_text import fit, width
from tui.widgets.tones import tone
from tui.words import one_line

if TYPE_CHECKING:
    from engine.sql.result import Column, Result

MOST_CELLS = 36
"""Cells that a column takes at most until somebody widens it."""
LEAST_CELLS = 3
NEAR = 200
"""Rows before the end of what is fetched at which more is asked for."""
WINDOW = 100
"""Rows read from the result at once."""
MEASURED = 200
"""Rows whose values set the widths of the columns."""
_HEADER = 1
_GAP = 2
_ARROWS = "▲▼"


class Place(NamedTuple):
    """Where a column is drawn."""

    column: int
    x: int
    cells: int


class Span(NamedTuple):
    """A rectangle of cells, its last row and column included."""

    top: int
    left: int
    bottom: int
    right: int

    def holds(self, row: int, column: int) -> bool:
        """Whether a cell is in it."""
        return self.top <= row <= self.bottom and self.left <= column <= self.right


class ValueGrid(ScrollView, can_focus=True, inherit_bindings=False):
    """The rows of a result."""

    ACTION_SCOPE: ClassVar[str] = "values"
    ALLOW_SELECT = False
    HELP_TITLE = "The result"
    HELP = (
        "The rows of the query, fetched as you get to them. – is NULL. The line below shows the "
        "value under the cursor with its column's type. Enter opens the question that a row names "
        "by its probe_id, or by run_id, format and question_id or question_index."
    )
    BINDINGS: ClassVar = bindings("values")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"values--{name}"
        for name in ("header", "here", "row", "cursor", "cursor-blurred", "marked", "dim")
    }

    class Moved(Message):
        """The cursor stands on another cell, or the marked range is another one."""

    class Chosen(Message):
        """The row under the cursor was chosen."""

    class ViewWanted(Message):
        """The whole value under the cursor is to be shown."""

    class LastWanted(Message):
        """All rows are to be fetched."""

    class MoreWanted(Message):
        """The cursor nears the end of what is fetched."""

    class SortWanted(Message):
        """The rows are to be sorted by a column."""

        def __init__(self, column: int) -> None:
            super().__init__()
            self.column = column

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self.cursor = (0, 0)
        self.result: Result | None = None
        self.sorted_by: tuple[int, bool] | None = None
        self._anchor: tuple[int, int] | None = None
        self._keeps_anchor = False
        self._widths: list[int] = []
        self._set: set[int] = set()
        self._numeric: list[bool] = []
        self._first = 0
        self._frozen = 0
        self._windows: LRUCache[int, list[tuple[Any, ...]]] = LRUCache(32)
        self._strips: LRUCache[int, Strip] = LRUCache(512)
        self._styles: dict[str, Style] = {}

    # What it shows

    def show(
        self,
        result: Result | None,
        *,
        sorted_by: tuple[int, bool] | None = None,
        cursor: tuple[int, int] = (0, 0),
        keep_widths: bool = False,
    ) -> None:
        """Show a result.

        Args:
            result: The result; None for nothing.
            sorted_by: Its column and whether it descends, where it was sorted here.
            cursor: Row and column of the cursor, or the nearest there are.
            keep_widths: Whether the columns are those that were shown, in another order of rows.
        """
        self.result, self.sorted_by, self._anchor = result, sorted_by, None
        self._windows.clear()
        if not keep_widths:
            self._numeric = [is_numeric(column.type) for column in self.columns]
            self._first = self._frozen = 0
            self._set.clear()
            self._widths = [self._fitting(place) for place in range(len(self.columns))]
        self.scroll_to(y=0, animate=False, force=True)
        self.grown()
        self._place(*cursor)

    def grown(self) -> None:
        """More rows are fetched."""
        self._windows.clear()
        self._widen()
        self.virtual_size = Size(self._width, self.rows + _HEADER)
        self._draw_anew()

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the result."""
        return self.result.columns if self.result is not None else ()

    @property
    def rows(self) -> int:
        """How many rows are fetched."""
        return self.result.fetched if self.result is not None else 0

    @property
    def column(self) -> Column | None:
        """The column under the cursor."""
        return self.columns[self.cursor[1]] if self.columns else None

    @property
    def row(self) -> tuple[Any, ...] | None:
        """The values of the row under the cursor."""
        return self._values(self.cursor[0]) if self.rows else None

    @property
    def value(self) -> object:
        """The value under the cursor; None too where there is no cell."""
        row = self.row
        return None if row is None else row[self.cursor[1]]

    @property
    def marked(self) -> Span | None:
        """The range between where marking began and the cursor."""
        if self._anchor is None:
            return None
        (row, column), (to_row, to_column) = self._anchor, self.cursor
        top, bottom = sorted((row, to_row))
        left, right = sorted((column, to_column))
        return Span(top, left, bottom, right)

    def _values(self, row: int) -> tuple[Any, ...]:
        assert self.result is not None
        number, place = divmod(row, WINDOW)
        window = self._windows.get(number)
        if window is None or place >= len(window):
            window = self.result.rows(number * WINDOW, (number + 1) * WINDOW)
            self._windows[number] = window
        return window[place]

    # Columns

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    def _fitting(self, column: int, first: int = 0, most: int = MOST_CELLS) -> int:
        """The cells that a column's title and the values of some rows take."""
        last = min(self.rows, first + MEASURED)
        values = (self._values(row)[column] for row in range(first, last))
        title = width(one_line(self.columns[column].name)) + len(_ARROWS[0])
        longest = max((width(shown(value)) for value in values), default=0)
        return max(LEAST_CELLS, min(max(title, longest), most))

    def _placed(self) -> list[Place]:
        """The columns in view: the frozen ones, then those from the first scrolled one on."""
        placed: list[Place] = []
        x, frozen = _GAP, self._frozen
        room = self._width - 1  # The last cell is for the sign that there are more.
        for column in (*range(frozen), *range(max(self._first, frozen), len(self._widths))):
            cells = min(self._widths[column], max(1, room - _GAP))
            if x >= room or (x + cells > room and placed and room - x < LEAST_CELLS * 2):
                break
            placed.append(Place(column, x, min(cells, room - x)))
            x += cells + _GAP
            if x > room:
                break
        return placed

    def _whole(self, placed: Sequence[Place]) -> set[int]:
        """The columns that are not cut at the right."""
        room = self._width - 1 - _GAP
        return {
            place.column for place in placed if place.cells >= min(self._widths[place.column], room)
        }

    def _widen(self) -> None:
        """Make room for the last rows where nobody set a width."""
        for column in range(len(self._widths)):
            if column not in self._set:
                wanted = self._fitting(column, max(0, self.rows - MEASURED))
                self._widths[column] = max(self._widths[column], wanted)

    def action_widen(self, cells: int) -> None:
        """Make the column under the cursor wider or narrower."""
        if self._widths:
            column = self.cursor[1]
            self._set.add(column)
            self._widths[column] = max(LEAST_CELLS, self._widths[column] + cells)
            self._place(*self.cursor)
            self._draw_anew()

    def action_fit(self) -> None:
        """Give the column under the cursor what its values in view take."""
        if self._widths:
            column = self.cursor[1]
            self._set.add(column)
            most = max(LEAST_CELLS, self._width - _GAP - 1)
            self._widths[column] = self._fitting(column, round(self.scroll_y), most)
            self._place(*self.cursor)
            self._draw_anew()

    def action_freeze(self) -> None:
        """Keep the columns up to the cursor's in view, or let go of them."""
        if self._frozen or not self.columns:
            self._frozen = 0
        else:
            wanted = self.cursor[1] + 1
            taken = sum(self._widths[:wanted]) + _GAP * wanted
            if taken > self._width * 2 // 3:
                self.notify("These columns leave no room for the others.")
                return
            self._frozen = wanted
        self._first = self._frozen
        self._place(*self.cursor)
        self._draw_anew()

    # Moving

    def go_to(self, row: int, column: int) -> None:
        """Put the cursor on a cell; a marked range ends."""
        self._anchor = None
        self._place(row, column)
        self._draw_anew()

    def _place(self, row: int, column: int) -> None:
        """Put the cursor on a cell, or the nearest there is, and bring it into view."""
        before, first = self.cursor, self._first
        row = max(0, min(row, self.rows - 1))
        column = max(0, min(column, len(self.columns) - 1))
        self.cursor = row, column
        self._first = max(self._first, self._frozen)
        if self._frozen <= column < self._first:
            self._first = column
        while self._first < column and column not in self._whole(self._placed()):
            self._first += 1
        top, height = round(self.scroll_y), self.size.height - _HEADER
        if height > 0 and not top <= row < top + height:
            self.scroll_to(y=row if row < top else row - height + 1, animate=False, force=True)
        if self._first != first:
            self._draw_anew()
        else:
            self._refresh_rows(before, (row, column))
            if before[1] != column:
                self.refresh(Region(0, 0, self.size.width, _HEADER))
        self.post_message(self.Moved())
        result = self.result
        if (
            result is not None
            and row >= self.rows - NEAR
            and not (result.complete or result.capped)
        ):
            self.post_message(self.MoreWanted())

    def _move(self, row: int, column: int) -> None:
        """Move by a key that does not mark."""
        if self._anchor is not None and not self._keeps_anchor:
            self._anchor = None
            self._draw_anew()
        self._place(row, column)

    def action_move(self, rows: int, columns: int) -> None:
        """Move the cursor by cells."""
        self._move(self.cursor[0] + rows, self.cursor[1] + columns)

    def action_mark(self, rows: int, columns: int) -> None:
        """Move the cursor by cells and mark what lies between."""
        if self._anchor is None:
            self._anchor, self._keeps_anchor = self.cursor, False
        self._place(self.cursor[0] + rows, self.cursor[1] + columns)

    def action_toggle_mark(self) -> None:
        """Begin marking a range with the cursor, or let go of it."""
        self._keeps_anchor = self._anchor is None
        self._anchor = self.cursor if self._keeps_anchor else None
        self._place(*self.cursor)
        self._draw_anew()

    def action_page(self, pages: float) -> None:
        """Move view and cursor by pages."""
        rows = round(pages * max(1, self.size.height - _HEADER))
        self.scroll_to(y=self.scroll_y + rows, animate=False, force=True)
        self.action_move(rows, 0)

    def action_edge(self, rows: int, columns: int) -> None:
        """Go to the first (-1) or last (1) row or column; 0 leaves it."""
        self.action_move(rows * self.rows, columns * len(self.columns))

    def action_choose(self) -> None:
        """Choose the row under the cursor."""
        if self.rows:
            self.post_message(self.Chosen())

    def action_view(self) -> None:
        """Show the whole value under the cursor."""
        if self.rows:
            self.post_message(self.ViewWanted())

    def action_fetch_all(self) -> None:
        """Fetch the rows to the last one, and go there."""
        if self.result is not None:
            self.action_edge(1, 0)
            self.post_message(self.LastWanted())

    def action_copy(self) -> None:
        """Copy the value under the cursor."""
        if self.rows:
            where = clipboard.copy(self.app, copied(self.value))
            self.notify(f"Copied the value to {where}.")

    def action_copy_rows(self, header: bool) -> None:
        """Copy the marked range, or else the row, as tab separated values."""
        if self.result is None or not self.rows:
            return
        span = self.marked or Span(self.cursor[0], 0, self.cursor[0], len(self.columns) - 1)
        across = slice(span.left, span.right + 1)
        rows = self.result.rows(span.top, span.bottom + 1)
        names = [column.name for column in self.columns[across]] if header else None
        where = clipboard.copy(self.app, as_tsv(names, (row[across] for row in rows)))
        cells = len(rows) * (span.right - span.left + 1)
        self.notify(f"Copied {count(cells, 'cell')} in {count(len(rows), 'row')} to {where}.")

    def action_sort(self) -> None:
        """Sort by the column under the cursor: ascending, descending, as they came."""
        if self.columns:
            self.post_message(self.SortWanted(self.cursor[1]))

    def on_click(self, event: events.Click) -> None:
        """A cell takes the cursor; a second click chooses it; a header sorts."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        under = [place.column for place in self._placed() if place.x - _GAP <= offset.x]
        if not under:
            return
        if offset.y < _HEADER:
            self.post_message(self.SortWanted(under[-1]))
            return
        row = offset.y - _HEADER + round(self.scroll_y)
        if row < self.rows:
            self.go_to(row, under[-1])
            if event.chain == 2:
                self.action_choose()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask for more where the wheel nears the end."""
        super().watch_scroll_y(old_value, new_value)
        result = self.result
        if result is None or result.complete or result.capped:
            return
        if new_value + self.size.height >= self.rows - NEAR:
            self.post_message(self.MoreWanted())

    # Drawing

    def on_resize(self) -> None:
        """Choose the columns in view anew."""
        self.virtual_size = Size(self._width, self.rows + _HEADER)
        if self.columns:
            self._first = self._frozen
            self._place(*self.cursor)
        self._draw_anew()

    def on_focus(self) -> None:
        """Draw the cursor in its bright colour."""
        self._draw_anew()

    def on_blur(self) -> None:
        """Draw the cursor in its quiet colour."""
        self._draw_anew()

    def notify_style_update(self) -> None:
        """The theme changed."""
        super().notify_style_update()
        self._styles.clear()
        self._draw_anew()

    def _draw_anew(self) -> None:
        self._strips.clear()
        self.refresh()

    def _refresh_rows(self, before: tuple[int, int], after: tuple[int, int]) -> None:
        """Draw the rows anew that a move of the cursor changes."""
        top, height = round(self.scroll_y), self.size.height
        rows: Iterable[int] = {before[0], after[0]}
        if self._anchor is not None:
            rows = range(min(rows), max(rows) + 1)
            if before[1] != after[1] or len(rows) > height:
                self._draw_anew()
                return
        for row in rows:
            self._strips.discard(row)
            self.refresh(Region(0, row - top + _HEADER, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """Draw the header, a row, or nothing."""
        if y < _HEADER:
            return self._header()
        row = y - _HEADER + round(self.scroll_y)
        if row >= self.rows:
            return Strip.blank(self._width, self._style("base"))
        strip = self._strips.get(row)
        if strip is None:
            strip = self._strips[row] = self._line(row)
        return strip

    def _line(self, row: int) -> Strip:
        base = self._style("row" if row == self.cursor[0] else "base")
        return _joined(self._pieces(row, base), self._width, base)

    def _pieces(self, row: int, base: Style) -> Iterator[tuple[str, Style]]:
        """What a row is made of, from left to right."""
        current, values, marked, x = row == self.cursor[0], self._values(row), self.marked, 0
        for column, start, cells in self._placed():
            value = values[column]
            style = base + self._style("dim") if value is None else base
            here = current and column == self.cursor[1]
            if marked is not None and marked.holds(row, column):
                style = self._style("marked")
            if here:
                style = self._style("cursor" if self.has_focus else "cursor-blurred")
            yield " " * (start - x - 1), base
            yield "▸" if here else " ", style if here else base
            yield self._aligned(shown(value), column, cells), style
            x = start + cells

    def _header(self) -> Strip:
        return _joined(self._titles(), self._width, self._style("header"))

    def _titles(self) -> Iterator[tuple[str, Style]]:
        base, placed, x = self._style("header"), self._placed(), 0
        for column, start, cells in placed:
            cut = column == self._first > self._frozen
            title = one_line(self.columns[column].name)
            if self.sorted_by is not None and self.sorted_by[0] == column:
                # The arrow stays where a long title is cut.
                title = fit(title, min(width(title), cells - 1)) + _ARROWS[self.sorted_by[1]]
            yield " " * (start - x - 1) + ("‹" if cut else " "), base
            style = self._style("here") if column == self.cursor[1] else base
            yield self._aligned(title, column, cells), style
            x = start + cells
        last = placed[-1].column if placed else len(self.columns)
        if last < len(self.columns) - 1 or last not in self._whole(placed):
            yield " " * (self._width - x - 1), base
            yield "›" if placed else " ", base

    def _aligned(self, text: str, column: int, cells: int) -> str:
        missing = cells - width(text)
        if self._numeric[column] and missing > 0:
            return " " * missing + text
        return fit(text, cells)

    def _style(self, name: str) -> Style:
        """A style from memory: working one out takes longer than drawing a row."""
        style = self._styles.get(name)
        if style is None:
            style = self._styles[name] = self._made(name)
        return style

    def _made(self, name: str) -> Style:
        if name == "base":
            return self.rich_style
        if name == "row":
            return self.rich_style + tone(self, "values--row")
        if name == "dim":
            return tone(self, "values--dim")
        return self.get_component_rich_style(f"values--{name}")


def _joined(pieces: Iterator[tuple[str, Style]], cells: int, base: Style) -> Strip:
    """One line; neighbours of one style go out as one segment: fewer bytes, and faster."""
    segments = [
        Segment("".join(text for text, _ in together), style)
        for style, together in groupby(pieces, key=itemgetter(1))
    ]
    return Strip(segments).adjust_cell_length(cells, base)
