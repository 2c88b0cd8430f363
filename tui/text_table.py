"""A table of text lines for any number of rows, of which only the first are looked at together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain, islice

from rich.cells import cell_len, set_cell_size

from tui.output import NOT_RECORDED

MEASURED = 1000
"""Rows that decide how wide the columns are; wider cells after them are not cut."""

NARROWEST = 4
"""Cells of a column at least, where columns have to give way."""

GAP = 2
"""Blanks between columns."""

_CONTROL = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160))}


class TextTable:
    """Writes a header and rows as lines.

    Attributes:
        cut: Whether a cell was cut to fit the width.
        HEAD: Lines before the first row.
    """

    HEAD = 2

    def __init__(self, columns: Sequence[str], *, width: int | None = None) -> None:
        """Begin.

        Args:
            columns: The headers.
            width: Cells of a line; None for as wide as it takes, with no cell ever cut.
        """
        self.cut = False
        self._columns = [_cell(name) for name in columns]
        self._width = width

    def lines(self, rows: Iterable[Sequence[object]]) -> Iterator[str]:
        """The header, a rule, and a line a row."""
        rows = iter(rows)
        first = list(islice(rows, MEASURED))
        right = [
            any(_is_number(row[at]) for row in first)
            and all(row[at] is None or _is_number(row[at]) for row in first)
            for at in range(len(self._columns))
        ]
        shown = [[_cell(value) for value in row] for row in first]
        widths = [
            max(cell_len(cell) for cell in column)
            for column in zip(self._columns, *shown, strict=True)
        ]
        widths = self._fitted(widths)
        yield self._line(self._columns, widths, right)
        yield "─" * (sum(widths) + GAP * (len(widths) - 1))
        for row in chain(shown, ([_cell(value) for value in row] for row in rows)):
            yield self._line(row, widths, right)

    def _fitted(self, widths: list[int]) -> list[int]:
        """Narrower columns where they do not fit; the widest give way first."""
        if self._width is None:
            return widths
        room = self._width - GAP * (len(widths) - 1)
        most = max(widths, default=0)
        while most > NARROWEST and sum(min(width, most) for width in widths) > room:
            most -= 1
        return [min(width, most) for width in widths]

    def _line(self, cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
        line = (" " * GAP).join(
            self._padded(cell, width, at_right)
            for cell, width, at_right in zip(cells, widths, right, strict=True)
        )
        if self._width is not None and cell_len(line) > self._width:
            self.cut = True
            line = set_cell_size(line, self._width - 1) + "…"
        return line.rstrip()

    def _padded(self, cell: str, width: int, at_right: bool) -> str:
        length = cell_len(cell)
        if length > width and self._width is not None:
            self.cut = True
            return set_cell_size(cell, width - 1) + "…"
        blanks = " " * max(width - length, 0)
        return blanks + cell if at_right else cell + blanks


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _cell(value: object) -> str:
    """One value on one line, with control characters made visible."""
    if value is None:
        return NOT_RECORDED
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    return str(value).translate(_CONTROL)
