"""The results of a text of SQL: one at a time, as rows, as a chart, or in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual import events, on
from textual.containers import Vertical
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from engine.sql.result import Result
from tui.charts import DRAWN_ROWS
from tui.values import described, shown
from tui.widgets.status_line import StatusLine
from tui.widgets.value_chart import ValueChart
from tui.widgets.value_grid import ValueGrid

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.sql.console import Done

HINT = "f5 runs what the editor holds · ctrl+o: queries to begin with · f9: tables and columns"


@dataclass
class Outcome:
    """What one statement came to.

    Attributes:
        made: As the console gave it.
        result: The rows that are shown, sorted or not; None for a statement without rows.
        sorted_by: Column and whether it descends, where they were sorted here.
        cursor: Where the cursor stood.
    """

    made: Result | Done
    result: Result | None
    sorted_by: tuple[int, bool] | None = None
    cursor: tuple[int, int] = (0, 0)

    @property
    def title(self) -> str:
        """For its tab."""
        if self.result is None:
            return "done"
        return f"{self.result.fetched:,}{'' if self.result.complete else '+'} rows"


class ResultTabs(Widget):
    """A tab a statement, where there are several."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {"result-tabs--active"}  # noqa: RUF012 - Textual's own type

    class Picked(Message):
        """A tab was clicked."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    def __init__(self) -> None:
        super().__init__(id="result-tabs")
        self._titles: list[str] = []
        self._active = 0

    def show(self, titles: list[str], active: int) -> None:
        """Show these tabs, one of them as the open one."""
        self._titles, self._active = titles, active
        self.display = len(titles) > 1
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the tabs, from one that lets the open one be seen."""
        base, active = self.rich_style, self.get_component_rich_style("result-tabs--active")
        segments = [
            Segment(title, active if place == self._active else base)
            for place, title in self._shown()
        ]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _shown(self) -> list[tuple[int, str]]:
        titles = [f" {place + 1} {title} " for place, title in enumerate(self._titles)]
        first = 0
        while (
            first < self._active
            and len("".join(titles[first : self._active + 1])) > self.size.width
        ):
            first += 1
        return list(enumerate(titles))[first:]

    def on_click(self, event: events.Click) -> None:
        """Open the tab that was clicked."""
        x = 0
        for place, title in self._shown():
            x += len(title)
            if event.x < x:
                self.post_message(self.Picked(place))
                return


class SqlResults(Vertical):
    """Tabs, the open result, and the value under the cursor."""

    def __init__(self) -> None:
        super().__init__(id="sql-results")
        self._outcomes: list[Outcome] = []
        self._place = 0
        self.charted = False

    def compose(self) -> ComposeResult:
        """Build the parts from top to bottom."""
        yield ResultTabs()
        yield ValueGrid(id="values")
        yield ValueChart(id="chart")
        yield Static(HINT, id="sql-message", markup=False)
        yield StatusLine(id="sql-cell")

    def on_mount(self) -> None:
        """Show that there is nothing yet."""
        self.grid = self.query_one(ValueGrid)
        self.chart = self.query_one(ValueChart)
        self.query_one(ResultTabs).show([], 0)
        self._show_open()

    @property
    def open(self) -> Outcome | None:
        """The outcome that is shown."""
        return self._outcomes[self._place] if self._outcomes else None

    @property
    def result(self) -> Result | None:
        """The rows that are shown."""
        return self.open.result if self.open is not None else None

    @property
    def count(self) -> int:
        """How many outcomes there are."""
        return len(self._outcomes)

    @property
    def place(self) -> int:
        """Which of them is open, from 0."""
        return self._place

    def show(self, made: Sequence[Result | Done]) -> None:
        """Show what a text came to, the last statement first; what was shown is let go."""
        self.clear()
        self._outcomes = [
            Outcome(each, each if isinstance(each, Result) else None) for each in made
        ]
        self._place = max(0, len(self._outcomes) - 1)
        self._show_open()

    def clear(self) -> None:
        """Show nothing and let go of every result."""
        for outcome in self._outcomes:
            for each in {id(each): each for each in (outcome.made, outcome.result)}.values():
                if isinstance(each, Result):
                    each.close()
        self._outcomes, self._place = [], 0
        self._show_open()

    def pick(self, place: int) -> None:
        """Open a result by its place."""
        if self.open is not None:
            self.open.cursor = self.grid.cursor
            self._place = place % len(self._outcomes)
            self._show_open()

    def step(self, delta: int) -> None:
        """Open the next or previous result, round and round."""
        self.pick(self._place + delta)

    def take_sorted(self, outcome: Outcome, result: Result, order: tuple[int, bool] | None) -> None:
        """Show an outcome's rows in another order."""
        before, outcome.result, outcome.sorted_by = outcome.result, result, order
        if before is not None and before not in (outcome.made, result):
            before.close()
        if outcome is self.open:
            cursor = (0, self.grid.cursor[1])
            self.grid.show(result, sorted_by=order, cursor=cursor, keep_widths=True)
            self._show_chart()

    def grown(self, result: Result) -> None:
        """More rows of a result were fetched."""
        if result is self.result:
            self.grid.grown()
            self._show_tabs()

    def toggle_chart(self) -> None:
        """Show the open result as a chart, or its rows again."""
        self.charted = not self.charted
        self._show_open(keep=True)
        self.focus_open()

    def focus_open(self) -> None:
        """Give the focus to what is shown of the open result."""
        (self.chart if self.charted else self.grid).focus()

    def _show_open(self, *, keep: bool = False) -> None:
        outcome = self.open
        result = self.result
        message = self.query_one("#sql-message", Static)
        if self.has_focus_within:
            # What loses the focus by being hidden gives it to nobody.
            self.screen.set_focus(None)
        self.grid.display = result is not None and not self.charted
        self.chart.display = result is not None and self.charted
        message.display = result is None
        if outcome is None:
            message.update(HINT)
        elif not isinstance(outcome.made, Result):
            message.update(outcome.made.message)
        if not keep or result is not self.grid.result:
            cursor = outcome.cursor if outcome is not None else (0, 0)
            order = outcome.sorted_by if outcome is not None else None
            self.grid.show(result, sorted_by=order, cursor=cursor)
        self._show_chart()
        self._show_tabs()
        self._show_cell()
        if result is not None and self.screen.focused is None:
            self.focus_open()

    def _show_chart(self) -> None:
        if self.charted and self.result is not None:
            # One row more tells that some are left out.
            rows = self.result.rows(0, min(self.result.fetched, DRAWN_ROWS + 1))
            self.chart.show(self.result.columns, rows)

    def _show_tabs(self) -> None:
        self.query_one(ResultTabs).show([each.title for each in self._outcomes], self._place)

    @on(ResultTabs.Picked)
    def _picked(self, event: ResultTabs.Picked) -> None:
        self.pick(event.place)

    @on(ValueGrid.Moved)
    def _show_cell(self) -> None:
        """Say which column the cursor stands in, and the value."""
        column, row = self.grid.column, self.grid.row
        words = ""
        if column is not None:
            value = "no rows" if row is None else shown(self.grid.value)
            words = f"{described(column)} · {'NULL' if row and self.grid.value is None else value}"
        self.query_one("#sql-cell", StatusLine).words = words
