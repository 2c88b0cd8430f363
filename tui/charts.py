"""Charts of query results: which one suits the columns, and what it draws and leaves out.

Nothing here knows a screen: the console's chart pane and ``logitscope sql --chart`` both draw what
:func:`plotted` makes with :func:`tui.plots.picture`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from engine.errors import LogitscopeError
from engine.studies.report import Plot, Series
from tui.plots import ticks
from tui.values import is_numeric, is_temporal, numeric, shown

if TYPE_CHECKING:
    from engine.sql.result import Column

Kind = Literal["bar", "histogram", "line", "scatter"]
KINDS: tuple[Kind, ...] = get_args(Kind)

DRAWN_ROWS = 100_000
"""Rows of a result that a chart looks at."""
MOST_BARS = 60
MOST_SERIES = 8
MOST_POINTS = 5_000
"""Of a line or a cloud; more would not be told apart."""
_BINS = 20
_EVERY_VALUE = 24
"""Whole numbers of no more values than this get a bar each."""
_NAME_CELLS = 40
_ALL = ""
"""The series of everything where there is only one."""
_PLOT_KINDS: dict[Kind, Literal["bars", "lines", "points"]] = {
    "bar": "bars",
    "histogram": "bars",
    "line": "lines",
    "scatter": "points",
}

Row = Sequence[Any]


class Chart(msgspec.Struct, frozen=True):
    """What is drawn of which columns.

    Attributes:
        kind: One of :data:`KINDS`.
        x: The column that runs to the right, names the bars, or is counted by a histogram.
        y: The column that runs up; None for the number of rows.
        series: The column whose values are told apart; None for one series.
    """

    kind: Kind
    x: int
    y: int | None = None
    series: int | None = None


class Drawn(msgspec.Struct, frozen=True):
    """A chart's plot, and what is to be known about it.

    Attributes:
        plot: What to draw.
        notes: How many rows it shows and what was left out.
    """

    plot: Plot
    notes: tuple[str, ...]


def choose(columns: Sequence[Column], rows: Sequence[Row]) -> Chart:
    """The chart that suits a result by the types of its columns.

    Raises:
        LogitscopeError: There is nothing to draw.
    """
    if not columns or not rows:
        raise LogitscopeError("There are no rows to draw.", "Run a query that returns some.")
    numbers = [place for place, column in enumerate(columns) if is_numeric(column.type)]
    names = [place for place, column in enumerate(columns) if _names(column)]
    times = [place for place, column in enumerate(columns) if is_temporal(column.type)]
    measures = [place for place in numbers if not _identifies(columns[place])] or numbers
    if times and measures:
        return Chart("line", times[0], measures[0], _few(names, rows))
    if names and measures:
        repeats = len({_name(row[names[0]]) for row in rows}) < len(rows)
        return Chart("bar", names[0], measures[0], _few(names[1:], rows) if repeats else None)
    if names:
        return Chart("bar", names[0])
    if len(numbers) > 1:
        x, y = numbers[0], next((place for place in measures if place != numbers[0]), numbers[1])
        return Chart("line" if _ascends(rows, x) else "scatter", x, y)
    if numbers:
        return Chart("histogram", numbers[0])
    return Chart("bar", 0)


def of_kind(chart: Chart, kind: Kind, columns: Sequence[Column]) -> Chart:
    """The same as a chart of another kind, with columns that it can draw."""
    numbers = [place for place, column in enumerate(columns) if is_numeric(column.type)]
    if kind == "bar":
        return msgspec.structs.replace(chart, kind=kind)
    if kind == "histogram":
        x = chart.x if chart.x in numbers else chart.y
        return Chart(kind, x if x in numbers else (numbers or [chart.x])[0], None, chart.series)
    y = chart.y if chart.y is not None else next((n for n in numbers if n != chart.x), None)
    return Chart(kind, chart.x, y, chart.series)


def plotted(chart: Chart, columns: Sequence[Column], rows: Sequence[Row]) -> Drawn:
    """Draw some rows.

    Args:
        chart: What of them.
        columns: Their columns.
        rows: The rows; no more than :data:`DRAWN_ROWS` are looked at.

    Raises:
        LogitscopeError: The columns can't be drawn so.
    """
    looked_at = rows[:DRAWN_ROWS]
    if chart.kind == "histogram":
        series, notes = _histogram(chart, columns, looked_at)
    elif chart.kind == "bar":
        series, notes = _bars(chart, columns, looked_at)
    else:
        series, notes = _curves(chart, columns, looked_at)
    if len(rows) > len(looked_at):
        notes.insert(0, f"Only the first {DRAWN_ROWS:,} of {len(rows):,} rows are looked at.")
    x = columns[chart.x].name
    y = "rows" if chart.y is None or chart.kind == "histogram" else columns[chart.y].name
    title = f"{y} by {x}"
    if chart.series is not None:
        title += f" and {columns[chart.series].name}"
    return Drawn(Plot(title, _PLOT_KINDS[chart.kind], x, y, tuple(series)), tuple(notes))


# Kinds


def _bars(
    chart: Chart, columns: Sequence[Column], rows: Sequence[Row]
) -> tuple[list[Series], list[str]]:
    if chart.y is None:
        counted = Counter((_series_of(chart, row), _name(row[chart.x])) for row in rows)
        points = [(series, name, float(number)) for (series, name), number in counted.most_common()]
        missing = 0
    else:
        _must_be_number(columns[chart.y])
        values = [
            (_series_of(chart, row), _name(row[chart.x]), numeric(row[chart.y])) for row in rows
        ]
        points = [(series, name, value) for series, name, value in values if value is not None]
        missing = len(values) - len(points)
    notes = [
        f"{len(rows) - missing:,} of {len(rows):,} rows.",
        *_left_out(missing, columns, chart.y),
    ]
    points, few = _few_series(points)
    notes += few
    if len(points) > MOST_BARS:
        notes.append(f"The first {MOST_BARS} of {len(points):,} bars.")
    grouped: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for series, name, value in points[:MOST_BARS]:
        grouped[series].append((name, value))
    whole = chart.y is None or all(value % 1 == 0 for _, _, value in points)
    return [
        Series(
            series,
            tuple(name for name, _ in pairs),
            tuple(int(value) if whole else value for _, value in pairs),
        )
        for series, pairs in grouped.items()
    ], notes


def _histogram(
    chart: Chart, columns: Sequence[Column], rows: Sequence[Row]
) -> tuple[list[Series], list[str]]:
    _must_be_number(columns[chart.x])
    pairs = [(_series_of(chart, row), numeric(row[chart.x])) for row in rows]
    values = [(series, value) for series, value in pairs if value is not None]
    missing = len(pairs) - len(values)
    notes = [f"{len(values):,} of {len(rows):,} rows.", *_left_out(missing, columns, chart.x)]
    if not values:
        raise LogitscopeError(f"Every {columns[chart.x].name} is NULL.", "Draw another column.")
    few_values, few = _few_series([(series, "", value) for series, value in values])
    notes += few
    distinct = sorted({value for _, _, value in few_values})
    if len(distinct) <= _EVERY_VALUE and all(value % 1 == 0 for value in distinct):
        names = [f"{value:,.0f}" for value in distinct]
        places = {value: place for place, value in enumerate(distinct)}
        bins = [(series, places[value]) for series, _, value in few_values]
    else:
        edges = ticks(distinct[0], distinct[-1], _BINS + 1)
        step = edges[1] - edges[0]
        names = [f"{low:.6g} … {low + step:.6g}" for low in edges[:-1]]
        last = len(names) - 1
        bins = [
            (series, min(max(math.floor((value - edges[0]) / step + 1e-9), 0), last))
            for series, _, value in few_values
        ]
        notes.append("A bar holds its lower end, the last one both.")
    counted = Counter(bins)
    return [
        Series(series, tuple(names), tuple(counted[series, place] for place in range(len(names))))
        for series in dict.fromkeys(series for series, _ in bins)
    ], notes


def _curves(
    chart: Chart, columns: Sequence[Column], rows: Sequence[Row]
) -> tuple[list[Series], list[str]]:
    if chart.y is None:
        raise LogitscopeError("A line or a cloud needs a second column of numbers.", "Pick one.")
    _must_be_number(columns[chart.y])
    numbers = is_numeric(columns[chart.x].type)
    points: list[tuple[str, Any, float]] = []
    for row in rows:
        x = numeric(row[chart.x]) if numbers else _name(row[chart.x])
        y = numeric(row[chart.y])
        if x is not None and y is not None:
            points.append((_series_of(chart, row), x, y))
    missing = len(rows) - len(points)
    notes = [f"{len(points):,} of {len(rows):,} rows."]
    if missing:
        notes.append(f"{missing:,} left out: NULL or not finite in one of both columns.")
    few, dropped = _few_series(points)
    notes += dropped
    if len(few) > MOST_POINTS:
        notes.append(f"The first {MOST_POINTS:,} of {len(few):,} points.")
    few = few[:MOST_POINTS]
    if not few:
        raise LogitscopeError("No row has both values.", "Draw other columns.")
    if chart.kind == "line" and numbers:
        few.sort(key=lambda point: point[1])
    grouped: dict[str, list[tuple[Any, float]]] = defaultdict(list)
    for series, x, y in few:
        grouped[series].append((x, y))
    return [
        Series(series, tuple(x for x, _ in pairs), tuple(y for _, y in pairs))
        for series, pairs in grouped.items()
    ], notes


# Columns and values


def _names(column: Column) -> bool:
    kind = column.type.upper()
    return kind in ("VARCHAR", "BOOLEAN", "UUID") or kind.startswith("ENUM")


def _identifies(column: Column) -> bool:
    return column.name.lower().endswith(("_id", "_index")) or column.name.lower() == "id"


def _few(names: Sequence[int], rows: Sequence[Row]) -> int | None:
    """The first of some columns with no more names than can be told apart."""
    for place in names:
        if len({_name(row[place]) for row in rows}) <= MOST_SERIES:
            return place
    return None


def _ascends(rows: Sequence[Row], place: int) -> bool:
    values = [value for row in rows if (value := numeric(row[place])) is not None]
    return all(before < after for before, after in pairwise(values))


def _few_series(
    points: list[tuple[str, Any, float]],
) -> tuple[list[tuple[str, Any, float]], list[str]]:
    """What belongs to the series that can be told apart, and a word about the others."""
    names = list(dict.fromkeys(series for series, _, _ in points))
    if len(names) <= MOST_SERIES:
        return points, []
    kept = set(names[:MOST_SERIES])
    return [point for point in points if point[0] in kept], [
        f"The first {MOST_SERIES} of {len(names):,} series."
    ]


def _series_of(chart: Chart, row: Row) -> str:
    return _ALL if chart.series is None else _name(row[chart.series])


def _name(value: object) -> str:
    text = "NULL" if value is None else shown(value)
    return text if len(text) <= _NAME_CELLS else text[: _NAME_CELLS - 1] + "…"


def _must_be_number(column: Column) -> None:
    if not is_numeric(column.type):
        raise LogitscopeError(
            f"{column.name} is {column.type}: only numbers can be drawn.", "Pick another column."
        )


def _left_out(missing: int, columns: Sequence[Column], place: int | None) -> list[str]:
    if not missing or place is None:
        return []
    return [f"{missing:,} left out: {columns[place].name} is NULL or not finite."]
