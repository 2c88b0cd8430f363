"""A result drawn on standard output, as the console's chart pane draws it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from engine.errors import LogitscopeError
from tui.output import say

if TYPE_CHECKING:
    from engine.sql.console import Done
    from engine.sql.result import Result

ChartKind = Literal["auto", "bar", "histogram", "line", "scatter"]

WIDTH, HEIGHT = 100, 24
"""Cells across at most, and lines of a plot in a frame."""


class ChartOutput:
    """Draws the last result of some statements.

    Attributes:
        several: Whether every result is written; only one is drawn.
    """

    several = False

    def __init__(self, kind: ChartKind) -> None:
        """Draw one kind of chart; ``auto`` is what suits the columns."""
        self._kind = kind

    def write(self, outcomes: Sequence[Result | Done]) -> None:
        """Draw the last result, and say what statements without rows did.

        Raises:
            LogitscopeError: There are no rows, or no columns that can be drawn so.
        """
        from rich.console import Console

        from engine.sql.result import Result
        from tui.charts import DRAWN_ROWS, choose, of_kind, plotted
        from tui.plots import picture

        results = [each for each in outcomes if isinstance(each, Result)]
        for each in outcomes:
            if not isinstance(each, Result):
                say(each.message)
        if not results:
            raise LogitscopeError("There are no rows to draw.", "Run a query that returns some.")
        result = results[-1]
        # One row more tells that some are left out.
        result.fetch(max(0, DRAWN_ROWS + 1 - result.fetched))
        rows = result.rows(0, DRAWN_ROWS + 1)
        chart = choose(result.columns, rows)
        if self._kind != "auto":
            chart = of_kind(chart, self._kind, result.columns)
        drawn = plotted(chart, result.columns, rows)
        console = Console()
        for line in picture(drawn.plot, min(console.width, WIDTH), HEIGHT):
            console.print(line)
        say(" ".join(drawn.notes))
