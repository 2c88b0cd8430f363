"""A grid of any number of rows, drawn line by line.

It knows how many rows there are and their ids; the rows themselves are fetched in windows around
what is visible, off the event loop, and kept in a cache that forgets the oldest. A row that is not
there yet is drawn as a placeholder.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.actions import bindings
from tui.widgets.scrolling import set_content_size
from tui.widgets.token_text import fit
from tui.widgets.tones import tone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

Row = TypeVar("Row")

WINDOW = 100
"""Rows fetched at once."""
KEPT_ROWS = 16 * WINDOW
KEPT_LINES = 192
"""Drawn lines in memory, a few screens; Textual keeps many pieces of each."""
TONES = ("good", "bad", "warn", "dim", "strong")
"""Ways a cell can stand out, besides its text; each is a component class."""
_GUTTER = 2
_HEADER = 1
_ARROWS = "▲▼"


class Cell(NamedTuple):
    """What one cell shows: its text and one of :data:`TONES`, or no tone."""

    text: str
    tone: str = ""


class Column(NamedTuple, Generic[Row]):
    """One column.

    Attributes:
        key: Its name.
        title: Its header.
        width: In cells, the least.
        cell: What it shows of a row.
        importance: Columns with the least go first where the screen is narrow.
        right: Whether it is aligned to the right.
        best: The width it gets where there is room; 0 for the least.
        flexible: Whether it takes all the room that is left.
    """

    key: str
    title: str
    width: int
    cell: Callable[[Row], Cell]
    importance: int
    right: bool = False
    best: int = 0
    flexible: bool = False


class Placed(NamedTuple, Generic[Row]):
    """A column that is shown, with its place."""

    column: Column[Row]
    x: int
    width: int


def place_columns(
    columns: Sequence[Column[Row]], width: int, keep: str | None = None
) -> list[Placed[Row]]:
    """Choose the columns that fit and share out the room.

    Args:
        columns: All columns in order.
        width: Cells to fill.
        keep: Key of a column that is dropped last, whatever its importance.
    """
    gap = 1 if width < 100 else 2
    shown = list(columns)

    def taken() -> int:
        return sum(column.width for column in shown) + gap * (len(shown) - 1)

    while len(shown) > 1 and taken() > width:
        shown.remove(min(shown, key=lambda column: (column.key == keep, column.importance)))
    widths = {column.key: column.width for column in shown}
    spare = max(0, width - taken())
    for column in sorted(shown, key=lambda column: -column.importance):
        more = min(spare, max(0, column.best - column.width))
        widths[column.key] += more
        spare -= more
    placed, x = [], 0
    for column in shown:
        own = min(width, widths[column.key] + (spare if column.flexible else 0))
        placed.append(Placed(column, x, own))
        x += own + gap
    return placed


class ResultGrid(ScrollView, Generic[Row], can_focus=True):
    """Rows with a cursor. Give it columns, a way to fetch rows, and ids."""

    ACTION_SCOPE: ClassVar[str] = "grid"
    ALLOW_SELECT = False
    HELP_TITLE = "The list"
    BINDINGS: ClassVar = bindings("grid")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "grid--header",
        "grid--cursor",
        "grid--cursor-blurred",
        *(f"grid--{tone}" for tone in TONES),
    }

    cursor: reactive[int] = reactive(0, repaint=False, init=False)

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, grid: ResultGrid[Any], position: int) -> None:
            super().__init__()
            self.grid = grid
            self.position = position

        @property
        def control(self) -> ResultGrid[Any]:
            """The grid."""
            return self.grid

    class Chosen(Moved):
        """The row under the cursor was chosen."""

    class HeaderClicked(Message):
        """A column's header was clicked."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class RowsArrived(Message):
        """Rows in view that were placeholders are there now."""

    def __init__(
        self,
        columns: Sequence[Column[Row]],
        fetch: Callable[[Sequence[int]], Awaitable[Sequence[Row]]],
        *,
        id: str | None = None,  # noqa: A002 - Textual's own name for it
    ) -> None:
        super().__init__(id=id)
        self._columns = tuple(columns)
        self._fetch = fetch
        self._ids: NDArray[np.int32] | range = range(0)
        self._rows: OrderedDict[int, Row] = OrderedDict()
        self._lines: LRUCache[tuple[int, int], Strip] = LRUCache(KEPT_LINES)
        self._placed: list[Placed[Row]] = []
        self._sorted: tuple[str, bool] | None = None
        self._loading = False
        self._styles: dict[object, Style] = {}

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    # What it shows

    @property
    def hidden(self) -> int:
        """Number of columns that the width leaves no room for."""
        return len(self._columns) - len(self._placed)

    @property
    def row(self) -> Row | None:
        """The row under the cursor; None while it is not there yet, or no row is."""
        return self._row(self.cursor)

    def set_columns(
        self, columns: Sequence[Column[Row]], sorted_by: tuple[str, bool] | None
    ) -> None:
        """Show these columns; ``sorted_by`` names a column and whether it descends."""
        if (self._columns, self._sorted) != (tuple(columns), sorted_by):
            self._columns, self._sorted = tuple(columns), sorted_by
            self._place()

    def set_ids(self, ids: NDArray[np.int32], cursor: int) -> None:
        """Show these rows, the cursor on one of them, at the same height as before.

        A view of the first row stays one: what is stored while a run goes may sort above it.
        """
        top = round(self.scroll_y)
        scrolled_to = max(0, cursor - self.cursor + top) if top else 0
        self._ids = ids
        set_content_size(self, Size(self._width, len(ids) + _HEADER))
        self.set_reactive(ResultGrid.cursor, cursor)
        self._scroll_to_row(scrolled_to)
        self._show_cursor()
        self.refresh()
        self._load()

    def put(self, row_id: int, row: Row) -> None:
        """Show a row that is new or has changed."""
        self._rows[row_id] = row
        self._forget_lines()

    def cached(self, row_id: int) -> Row | None:
        """A row, if it is in memory."""
        return self._rows.get(row_id)

    def forget(self) -> None:
        """Fetch every row anew."""
        self._rows.clear()
        self._forget_lines()
        self._load()

    # Fetching

    def _row(self, index: int) -> Row | None:
        if not 0 <= index < len(self._ids):
            return None
        return self._rows.get(int(self._ids[index]))

    def _load(self) -> None:
        if not self._loading and self.is_mounted and len(self._ids):
            self._loading = True
            self.run_worker(self._load_windows(), group="windows")

    async def _load_windows(self) -> None:
        """Fetch one window after the other until what is visible, and what is next to it, is."""
        try:
            while (missing := self._missing()) is not None:
                rows = await self._fetch(missing)
                self._rows.update(zip(missing, rows, strict=True))
                while len(self._rows) > KEPT_ROWS:
                    self._rows.popitem(last=False)
                self._show_arrived(set(missing))
        finally:
            self._loading = False

    def _show_arrived(self, arrived: set[int]) -> None:
        top = round(self.scroll_y)
        if not arrived.isdisjoint(map(int, self._ids[top : top + self.size.height])):
            self.refresh()
            self.post_message(self.RowsArrived())

    def _missing(self) -> list[int] | None:
        """The ids of the nearest window that is not in memory; None where all are."""
        top, height = round(self.scroll_y), max(1, self.size.height)
        for first, last in (
            (top, top + height),
            (top + height, top + 3 * height),
            (top - height, top),
        ):
            first, last = max(0, first), min(last, len(self._ids))
            wanted = list(map(int, self._ids[first:last]))
            if all(row_id in self._rows for row_id in wanted):
                continue
            start = first // WINDOW * WINDOW
            end = start + WINDOW if last <= start + WINDOW else start + 2 * WINDOW
            window = list(map(int, self._ids[start:end]))
            return [row_id for row_id in window if row_id not in self._rows]
        return None

    # Moving

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a row."""
        return max(0, min(cursor, len(self._ids) - 1))

    def watch_cursor(self, before: int, cursor: int) -> None:
        """Draw the two rows that changed and follow the cursor."""
        self._show_cursor()
        for index in (before, cursor):
            self._refresh_row(index)
        self.post_message(self.Moved(self, cursor))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Fetch what came into view."""
        super().watch_scroll_y(old_value, new_value)
        self._load()

    def _show_cursor(self) -> None:
        top, height = round(self.scroll_y), self.size.height - _HEADER
        if height > 0 and not top <= self.cursor < top + height:
            self._scroll_to_row(self.cursor if self.cursor < top else self.cursor - height + 1)

    def _scroll_to_row(self, top: int) -> None:
        self.scroll_to(y=top, animate=False, force=True)

    def action_move(self, delta: int) -> None:
        """Move the cursor by rows."""
        self.cursor += delta

    def action_page(self, pages: float) -> None:
        """Move view and cursor by pages, the cursor staying at its height on the screen."""
        delta = round(pages * max(1, self.size.height - _HEADER))
        self._scroll_to_row(round(self.scroll_y) + delta)
        self.cursor += delta

    def action_edge(self, index: int) -> None:
        """Go to the first (0) or last (-1) row."""
        self.cursor = 0 if index == 0 else len(self._ids) - 1

    def action_choose(self) -> None:
        """Choose the row under the cursor."""
        if len(self._ids):
            self.post_message(self.Chosen(self, self.cursor))

    def on_click(self, event: events.Click) -> None:
        """A row takes the cursor, a second click chooses it; a header sorts."""
        if event.y < _HEADER:
            for placed in self._placed:
                if placed.x <= event.x - _GUTTER < placed.x + placed.width:
                    self.post_message(self.HeaderClicked(placed.column.key))
            return
        index = event.y - _HEADER + round(self.scroll_y)
        if index < len(self._ids):
            self.cursor = index
            if event.chain == 2:
                self.action_choose()

    # Drawing

    def on_resize(self) -> None:
        """Choose the columns anew and keep the cursor in view."""
        self._place()
        self._show_cursor()
        self._load()

    def on_focus(self) -> None:
        """Draw the cursor in its bright colour."""
        self._refresh_row(self.cursor)

    def on_blur(self) -> None:
        """Draw the cursor in its quiet colour."""
        self._refresh_row(self.cursor)

    def notify_style_update(self) -> None:
        """The theme changed."""
        super().notify_style_update()
        self._lines.clear()
        self._styles.clear()

    def render_line(self, y: int) -> Strip:
        """Draw one line: the header, a row, or nothing."""
        width = self._width
        if y < _HEADER:
            return self._header(width)
        index = y - _HEADER + round(self.scroll_y)
        if index >= len(self._ids):
            return Strip.blank(width, self._base(0))
        row_id = int(self._ids[index])
        state = 0 if index != self.cursor else 2 if self.has_focus else 1
        line = self._lines.get((row_id, state))
        if line is None:
            row = self._rows.get(row_id)
            if row is None:
                return self._placeholder(width, state)
            line = self._lines[row_id, state] = self._line(row, width, state)
        return line

    def _place(self) -> None:
        keep = self._sorted[0] if self._sorted else None
        columns = [
            column._replace(width=max(column.width, len(column.title) + len(_ARROWS[0])))
            if column.key == keep
            else column
            for column in self._columns
        ]
        self._placed = place_columns(columns, self._width - _GUTTER, keep)
        set_content_size(self, Size(self._width, len(self._ids) + _HEADER))
        self._forget_lines()

    def _forget_lines(self) -> None:
        self._lines.clear()
        self.refresh()

    def _refresh_row(self, index: int) -> None:
        self.refresh(Region(0, index - round(self.scroll_y) + _HEADER, self.size.width, 1))

    def _base(self, state: int) -> Style:
        """The style of a row: 0 without the cursor, 1 with it, 2 with it and the focus."""
        if state == 0:
            return self._style("", lambda: self.rich_style)
        name = "grid--cursor" if state == 2 else "grid--cursor-blurred"
        return self._style(name, lambda: self.get_component_rich_style(name))

    def _toned(self, base: Style, name: str) -> Style:
        return self._style((base, name), lambda: base + tone(self, f"grid--{name}"))

    def _style(self, key: object, make: Callable[[], Style]) -> Style:
        """A style from memory: working one out takes longer than drawing a row."""
        style = self._styles.get(key)
        if style is None:
            style = self._styles[key] = make()
        return style

    def _header(self, width: int) -> Strip:
        style = self.get_component_rich_style("grid--header")
        text = " " * _GUTTER
        for column, start, own in self._placed:
            title = column.title
            if self._sorted is not None and self._sorted[0] == column.key:
                title += _ARROWS[self._sorted[1]]
            text = text.ljust(_GUTTER + start) + _aligned(title, own, column.right)
        return Strip([Segment(text.ljust(width), style)], width)

    def _line(self, row: Row, width: int, state: int) -> Strip:
        base = self._base(state)
        pieces = [("▸ " if state else "  ", base)]
        x = 0
        for column, start, own in self._placed:
            text, name = column.cell(row)
            style = self._toned(base, name) if name and state != 2 else base
            pieces.append((" " * (start - x), base))
            pieces.append((_aligned(text, own, column.right), style))
            x = start + own
        pieces.append((" " * (width - x - _GUTTER), base))
        # Neighbours of one style go out as one segment: fewer bytes, and faster.
        return Strip(
            [
                Segment("".join(text for text, _ in together), style)
                for style, together in groupby(pieces, key=itemgetter(1))
            ],
            width,
        )

    def _placeholder(self, width: int, state: int) -> Strip:
        base = self._base(state)
        dots = Segment("·" * 8, self._toned(base, "dim"))
        start = Segment("▸ " if state else "  ", base)
        return Strip([start, dots, Segment(" " * (width - 8 - _GUTTER), base)], width)


def _aligned(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right and len(text) < width else fit(text, width)
