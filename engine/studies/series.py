"""Columns of a table as what a plot draws."""

from __future__ import annotations

from collections.abc import Sequence

from engine.studies.report import Row, Series, Value


def drawn(name: str, rows: Sequence[Row], x: str, y: str, interval: str = "") -> Series:
    """One series, a point or bar a row.

    Args:
        name: What the legend says.
        rows: In the order drawn.
        x: Key of the cells that run to the right; if any is a text, all are names of bars.
        y: Key of the cells that run up.
        interval: Key of the intervals around them; empty for none.
    """
    places = [row.cells[x] for row in rows]
    numbers = [place for place in places if isinstance(place, int | float)]
    spans = [row.cells[interval] for row in rows] if interval else []
    return Series(
        name,
        tuple(map(float, numbers)) if len(numbers) == len(places) else tuple(map(str, places)),
        tuple(_number(row.cells[y]) for row in rows),
        tuple(span[0] if isinstance(span, tuple) else None for span in spans),
        tuple(span[1] if isinstance(span, tuple) else None for span in spans),
    )


def _number(value: Value) -> float | None:
    return value if isinstance(value, int | float) else None
