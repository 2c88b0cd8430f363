"""A chart of a result, drawn to the size of its pane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from rich.text import Text

from engine.errors import LogitscopeError
from tui import clipboard
from tui.actions import bindings
from tui.charts import KINDS, Chart, Drawn, choose, of_kind, plotted
from tui.plots import picture
from tui.values import is_numeric
from tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from engine.sql.result import Column

_TONES = ("accent", "code", "good", "bad")
"""Of the series in turn."""


class ValueChart(LineView, inherit_bindings=False):
    """What the result looks like; its kind and columns can be changed."""

    ACTION_SCOPE: ClassVar[str] = "chart"
    HELP_TITLE = "The chart"
    HELP = (
        "The fetched rows as a bar chart, a histogram, a line or a scatter plot. The line "
        "above says which columns are drawn, the one below how many rows and what was left out."
    )
    BINDINGS: ClassVar = bindings("chart")

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self.chart: Chart | None = None
        self._columns: Sequence[Column] = ()
        self._rows: Sequence[tuple[Any, ...]] = ()
        self._drawn: Drawn | None = None
        self._problem = ""

    def show(self, columns: Sequence[Column], rows: Sequence[tuple[Any, ...]]) -> None:
        """Show some rows; a chart of the same columns stays as it was chosen."""
        same = self.chart is not None and tuple(columns) == tuple(self._columns)
        self._columns, self._rows = columns, rows
        self.scroll_to(y=0, animate=False, force=True)
        try:
            self._draw(self.chart if same and self.chart is not None else choose(columns, rows))
        except LogitscopeError as error:
            self.chart, self._drawn, self._problem = None, None, str(error)
            self.remake()

    def _draw(self, chart: Chart) -> None:
        self.chart = chart
        try:
            self._drawn, self._problem = plotted(chart, self._columns, self._rows), ""
        except LogitscopeError as error:
            self._drawn, self._problem = None, str(error)
        self.remake()

    def make_lines(self, columns: int) -> Sequence[Text]:
        """The chart in the pane's size, between the words about it."""
        head = [Text(self._described(), self.tone("accent"))] if self.chart is not None else []
        if self._drawn is None:
            return [*head, Text(self._problem)]
        notes = [Text(" ".join(self._drawn.notes), self.tone("dim"))]
        height = self.scrollable_content_region.height - len(head) - len(notes)
        drawn = picture(self._drawn.plot, columns, height, [self.tone(name) for name in _TONES])
        return [*head, *drawn, *notes]

    def _described(self) -> str:
        chart = self.chart
        if chart is None:
            return ""
        y = "rows" if chart.y is None else self._columns[chart.y].name
        series = "none" if chart.series is None else self._columns[chart.series].name
        return f"{chart.kind} · x {self._columns[chart.x].name} · y {y} · series {series}"

    def action_next_kind(self) -> None:
        """Draw the same as the next kind of chart."""
        if self.chart is not None:
            kind = KINDS[(KINDS.index(self.chart.kind) + 1) % len(KINDS)]
            self._draw(of_kind(self.chart, kind, self._columns))

    def action_next_column(self, axis: str) -> None:
        """Draw the next column that suits on an axis: ``x``, ``y`` or ``series``."""
        if self.chart is None:
            return
        numbers = [place for place, each in enumerate(self._columns) if is_numeric(each.type)]
        choices: list[int | None] = list(range(len(self._columns)))
        if axis == "y":
            choices = [*([None] if self.chart.kind == "bar" else []), *numbers]
        elif axis == "series":
            choices = [None, *choices]
        elif self.chart.kind in ("histogram", "scatter"):
            choices = list(numbers)
        current = getattr(self.chart, axis)
        if choices:
            place = choices.index(current) + 1 if current in choices else 0
            after = choices[place % len(choices)]
            self._draw(msgspec.structs.replace(self.chart, **{axis: after}))

    def action_copy(self) -> None:
        """Copy the chart as text."""
        self.notify(f"Copied the chart to {clipboard.copy(self.app, self.copied())}.")

    def on_resize(self) -> None:
        """Draw it anew: its height counts too."""
        self.remake()
