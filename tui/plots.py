"""Plots of reports in characters: bars lie on their side, lines and points stand in a frame.

Series are told apart by their marks and fills, colour only helps. Nothing here knows a screen:
commands print what :func:`picture` returns, panes show it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeGuard

from rich.cells import cell_len
from rich.style import StyleType
from rich.text import Text

from engine.studies.report import Plot, Series

MARKS = "●○▲△■□◆◇"
FILLS = "█▓▒░"
COLOURS: tuple[StyleType, ...] = ("cyan", "magenta", "yellow", "green", "blue", "red")
"""Of the series in turn, in a terminal."""
NOTHING = "nothing to draw"
CROWD = 4
"""Series from which a frame is too crowded for their intervals."""
CROWDED = "Intervals are left out, the series are too many."

_LEAST_WIDTH, _LEAST_HEIGHT = 24, 6
_X_TICK, _Y_TICK = 12, 3
"""Cells that a tick needs at least."""
_LARGE = 1e6
"""What is at least this is written with an exponent."""
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Braille dots by column and row."""
_BLANK = 0x2800


def picture(
    plot: Plot, width: int, height: int, colours: Sequence[StyleType] = COLOURS
) -> list[Text]:
    """Draw a plot.

    Args:
        plot: What to draw; values that are None or not finite are left out.
        width: In cells, of every line at most; widths too small to draw in are exceeded.
        height: In lines, of a plot in a frame; bars take as many lines as there are.
        colours: Of the series, in turn.

    Returns:
        Lines of text.
    """
    width, height = max(width, _LEAST_WIDTH), max(height, _LEAST_HEIGHT)
    marks = FILLS if plot.kind == "bars" else MARKS
    head = [_line(plot.title, width, "bold"), *_legend(plot, marks, width, colours)]
    if not any(_finite(value) for series in plot.series for value in series.y):
        return [*head, Text(NOTHING)]
    if plot.kind == "bars":
        return [*head, *_bars(plot, width, colours)]
    return [*head, *_frame(plot, width, height - len(head), colours)]


def ticks(low: float, high: float, most: int, *, whole: bool = False) -> list[float]:
    """Round numbers, ``most`` at most or three, the outer ones at or beyond both ends.

    Args:
        low: The lower end.
        high: The upper end.
        most: Ticks there is room for.
        whole: Whether only whole numbers will do.
    """
    if high <= low:
        half = abs(low) / 2 or 0.5
        low, high = low - half, low + half
    span = high - low
    exponent = math.floor(math.log10(span)) - 2
    while True:
        for factor in (1, 2, 5):
            step = factor * 10.0**exponent
            first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
            if last - first < max(3, most) and (step >= 1 or not whole):
                return [place * step for place in range(first, max(last, first + 1) + 1)]
        exponent += 1


def _legend(plot: Plot, marks: str, width: int, colours: Sequence[StyleType]) -> Iterator[Text]:
    """Which mark is which series; nothing where there is one only and it needs no name."""
    if len(plot.series) < 2 and not plot.diagonal:
        return
    line = Text()
    for number, series in enumerate(plot.series):
        entry = f"{_mark(marks, number)} {series.name}"
        if line.cell_len and line.cell_len + cell_len(entry) + 2 > width:
            yield line
            line = Text()
        line.append("  " if line.cell_len else "")
        line.append_text(_line(entry, width, _colour(colours, number)))
    yield line


# Bars


def _bars(plot: Plot, width: int, colours: Sequence[StyleType]) -> Iterator[Text]:
    names = list(dict.fromkeys(_name(x) for series in plot.series for x in _across(series)))
    bounds = [value for series in plot.series for value in _values(series)]
    low, high = min(0.0, *bounds), max(0.0, *bounds)
    if plot.unit_square:
        low, high = min(low, 0.0), max(high, 1.0)
    labels = min(max(map(cell_len, names)), width // 3)
    figures = max(len(_figure(value)) for series in plot.series for value in series.y) + 1
    cells = width - labels - figures - 3
    for place, name in enumerate(names):
        if place and len(plot.series) > 1:
            yield Text()
        label = name
        for number, series in enumerate(plot.series):
            for index, x in enumerate(_across(series)):
                if _name(x) != name:
                    continue
                line = _line(label, labels)
                line.pad_right(labels - line.cell_len)
                line.append(" │")
                bar = _bar(series, index, (low, high or 1.0), cells, _mark(FILLS, number))
                line.append(bar, _colour(colours, number))
                line.append(f" {_figure(series.y[index])}".rjust(figures + 1))
                yield line
                label = ""
    yield _line(" " * (labels + 2) + plot.y_label, width)


def _bar(series: Series, index: int, bounds: tuple[float, float], cells: int, fill: str) -> str:
    """One bar; where there is an interval, from its lower end on a line with the value on it."""
    value = series.y[index]
    if not _finite(value):
        return " " * cells
    zero, end = (_place(at, bounds, cells) for at in (0.0, value))
    drawn = [" "] * cells
    start, stop = min(zero, end), max(zero, end)
    for place in range(start, max(stop, start + 1) if value else start):
        drawn[min(place, cells - 1)] = fill
    if (interval := _interval(series, index)) is not None:
        left, right = (min(_place(at, bounds, cells), cells - 1) for at in interval)
        drawn[left : right + 1] = _whisker(right - left + 1, ("├", "─", "┤"))
        drawn[min(max(end - (end > zero), left), right)] = "●"
    return "".join(drawn)


def _whisker(length: int, shape: tuple[str, str, str]) -> list[str]:
    start, middle, end = shape
    return [start, *[middle] * (length - 2), end][:length] if length > 1 else [middle]


# Lines and points


def _frame(plot: Plot, width: int, height: int, colours: Sequence[StyleType]) -> Iterator[Text]:
    """The canvas between its axes."""
    names = _names(plot)
    across = [at for series in plot.series for at, _ in _points(series, names)]
    upward = [value for series in plot.series for value in _values(series)]
    crowded = len(plot.series) >= CROWD and any(series.low for series in plot.series)
    rows = max(3, height - 4 - crowded)
    if plot.unit_square:
        across, upward = [0.0, 1.0], [0.0, 1.0]
    y_ticks = ticks(min(upward), max(upward), rows // _Y_TICK + 1)
    figures = _figures(y_ticks)
    margin = max(map(len, figures))
    columns = width - margin - 1
    x_ticks = _x_ticks(across, names, columns // _X_TICK)
    canvas = _Canvas(columns, rows, _ends(x_ticks, bool(names)), (y_ticks[0], y_ticks[-1]))
    if plot.diagonal:
        canvas.diagonal()
    if plot.kind == "lines":
        for number, series in enumerate(plot.series):
            canvas.join(series, names, number)
    for number, series in enumerate(() if crowded else plot.series):
        canvas.brackets(series, names, number)
    for number, series in enumerate(plot.series):
        canvas.marks(series, names, number)
    at_row = {canvas.row(tick): figure for tick, figure in zip(y_ticks, figures, strict=True)}
    yield _line(plot.y_label, width)
    for row in range(rows):
        line = Text(at_row.get(row, "").rjust(margin))
        line.append("┤" if row in at_row else "│")
        line.append_text(canvas.line(row, colours))
        yield line
    words = names or _figures(x_ticks)
    at_column = [canvas.column(tick) for tick in x_ticks]
    axis = ["─"] * columns
    for column in at_column:
        axis[column] = "┬"
    yield Text(" " * margin + "└" + "".join(axis))
    yield Text(_spread(words, at_column, margin + 1, width))
    yield _line(plot.x_label.rjust(width), width)
    if crowded:
        yield _line(CROWDED, width, "dim")


def _x_ticks(across: Sequence[float], names: Sequence[str], most: int) -> list[float]:
    """One tick a name; where there are none, round numbers, whole where all numbers are."""
    if names:
        return [float(place) for place in range(len(names))]
    low, high = min(across), max(across)
    return ticks(low, high, most, whole=high - low > 1 and all(x % 1 == 0 for x in across))


class _Canvas:
    """Cells between the axes: whose they are, and what stands in them."""

    def __init__(
        self, columns: int, rows: int, x: tuple[float, float], y: tuple[float, float]
    ) -> None:
        self._columns, self._rows, self._x, self._y = columns, rows, x, y
        self._cells = [[" "] * columns for _ in range(rows)]
        self._owners: list[list[int | None]] = [[None] * columns for _ in range(rows)]

    def column(self, x: float) -> int:
        return min(_place(x, self._x, self._columns), self._columns - 1)

    def row(self, y: float) -> int:
        return self._rows - 1 - min(_place(y, self._y, self._rows), self._rows - 1)

    def diagonal(self) -> None:
        """The line y = x, as dots."""
        low, high = self._x
        for column in range(self._columns):
            x = low + (high - low) * (column + 0.5) / self._columns
            if self._y[0] <= x <= self._y[1]:
                self._cells[self.row(x)][column] = "·"

    def join(self, series: Series, names: Sequence[str], number: int) -> None:
        """Lines from value to value."""
        shown = [(x, y) for x, index in _points(series, names) if _finite(y := series.y[index])]
        for start, end in pairwise(shown):
            self._join(start, end, number)

    def brackets(self, series: Series, names: Sequence[str], number: int) -> None:
        """The intervals."""
        for x, index in _points(series, names):
            if (interval := _interval(series, index)) is not None:
                self._bracket(x, interval, number)

    def marks(self, series: Series, names: Sequence[str], number: int) -> None:
        """The values."""
        for x, index in _points(series, names):
            if _finite(y := series.y[index]):
                self._put(self.row(y), self.column(x), _mark(MARKS, number), number)

    def line(self, row: int, colours: Sequence[StyleType]) -> Text:
        line = Text()
        for character, owner in zip(self._cells[row], self._owners[row], strict=True):
            line.append(character, "" if owner is None else _colour(colours, owner))
        return line

    def _put(self, row: int, column: int, character: str, owner: int) -> None:
        self._cells[row][column] = character
        self._owners[row][column] = owner

    def _join(self, start: tuple[float, float], end: tuple[float, float], owner: int) -> None:
        (x0, y0), (x1, y1) = (
            (_place(x, self._x, 2 * self._columns), _place(y, self._y, 4 * self._rows))
            for x, y in (start, end)
        )
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for step in range(steps + 1):
            self._dot(x0 + (x1 - x0) * step // steps, y0 + (y1 - y0) * step // steps, owner)

    def _dot(self, x: int, y: int, owner: int) -> None:
        x, y = min(x, 2 * self._columns - 1), 4 * self._rows - 1 - min(y, 4 * self._rows - 1)
        row, column = y // 4, x // 2
        there = ord(self._cells[row][column])
        dots = there if _BLANK <= there < _BLANK + 256 else _BLANK
        self._put(row, column, chr(dots | _DOTS[x % 2][y % 4]), owner)

    def _bracket(self, x: float, interval: tuple[float, float], owner: int) -> None:
        column = self.column(x)
        bottom, top = map(self.row, interval)
        for row, character in zip(
            range(top, bottom + 1), _whisker(bottom - top + 1, ("┬", "│", "┴")), strict=True
        ):
            self._put(row, column, character, owner)


def _ends(x_ticks: list[float], named: bool) -> tuple[float, float]:
    """Ends of the axis to the right; names stand half a step inside it."""
    return (-0.5, len(x_ticks) - 0.5) if named else (x_ticks[0], x_ticks[-1])


def _names(plot: Plot) -> list[str]:
    """The names along the axis to the right; none where numbers are."""
    return list(
        dict.fromkeys(x for series in plot.series for x in _across(series) if isinstance(x, str))
    )


def _across(series: Series) -> Sequence[float | str]:
    return series.x


def _points(series: Series, names: Sequence[str]) -> Iterator[tuple[float, int]]:
    """Where on the axis to the right each value of a series stands, and its index."""
    for index, x in enumerate(_across(series)):
        at = float(names.index(x)) if isinstance(x, str) else x
        if math.isfinite(at):
            yield at, index


def _spread(words: Sequence[str], columns: Sequence[int], margin: int, width: int) -> str:
    """Words centred under their ticks; one that would touch the one before is left out."""
    line = ""
    for word, column in zip(words, columns, strict=True):
        shown = _line(word, width).plain
        start = min(max(0, margin + column - cell_len(shown) // 2), width - cell_len(shown))
        if start > cell_len(line) or not line:
            line += " " * (start - cell_len(line)) + shown
    return line


# Values


def _finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _interval(series: Series, index: int) -> tuple[float, float] | None:
    if not series.low or not series.high or not _finite(series.y[index]):
        return None
    low, high = series.low[index], series.high[index]
    return (low, high) if _finite(low) and _finite(high) else None


def _values(series: Series) -> Iterator[float]:
    """Everything that an axis must have room for."""
    for index, value in enumerate(series.y):
        if _finite(value):
            yield value
            yield from _interval(series, index) or ()


def _place(value: float, bounds: tuple[float, float], cells: int) -> int:
    """Which of ``cells`` between the bounds a value falls into, 0 to ``cells`` inclusive."""
    low, high = bounds
    return min(max(math.floor((value - low) / (high - low) * cells + 1e-9), 0), cells)


def _figure(value: float | None) -> str:
    if not _finite(value):
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def _figures(values: Sequence[float]) -> list[str]:
    """Evenly spaced numbers with the decimals that tell them apart, and no more."""
    if max(map(abs, values)) >= _LARGE:
        return [f"{value:.6g}" for value in values]
    step = values[1] - values[0]
    digits = min(max(0, -math.floor(math.log10(step) + 1e-9)), 6)
    return [f"{value:,.{digits}f}" for value in values]


def _name(x: float | str) -> str:
    return x if isinstance(x, str) else f"{x:g}"


def _mark(marks: str, number: int) -> str:
    return marks[number % len(marks)]


def _colour(colours: Sequence[StyleType], number: int) -> StyleType:
    return colours[number % len(colours)]


def _line(words: str, width: int, style: StyleType = "") -> Text:
    line = Text(words, style)
    line.truncate(width, overflow="ellipsis")
    return line
