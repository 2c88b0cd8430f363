"""Screen 5: one study of some runs, as tables, plots and words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, get_args

import msgspec
from textual import events, on
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Static

from engine.errors import LogitscopeError
from engine.studies import Scope, Study
from engine.studies.scope import Grouping, TextSource
from tui import clipboard
from tui.actions import bindings
from tui.announce import announce
from tui.events import OverrideChanged, RunEnded, RunProgressed, SessionEvent
from tui.output import NOT_RECORDED
from tui.reports import as_tsv, command_of, filled, legend, options_of, shown
from tui.widgets.divider import Divider
from tui.widgets.figures import count
from tui.widgets.key_line import KeyLine
from tui.widgets.notes_view import NotesView
from tui.widgets.plot_view import PlotView
from tui.widgets.status_line import StatusLine
from tui.widgets.study_table import StudyTable
from tui.words import duration, one_line

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.studies.report import Report, Table
    from tui.session import Session

WIDE = 120
"""Columns from which a plot stands beside the table."""
_TALL = 36
_CHOICES = {"text": get_args(TextSource), "by": get_args(Grouping)}
_OPTION_WORDS = {"text": "what texts say", "by": "apart by"}
_TICK = 0.5
"""Seconds between two looks at the clock while a study is made."""
_LAYOUTS = {True: ("both", "plot", "table"), False: ("table", "plot")}
"""What ``v`` shows in turn, on wide screens and on narrow ones."""


class StudyScreen(Screen[None]):
    """A study: one table at a time, a plot, and what both mean."""

    ACTION_SCOPE: ClassVar[str] = "study"
    HELP_TITLE = "A study"
    HELP = (
        "What a study found, one table at a time. Its last page, the notes, says what it answers, "
        "what every header means and what to keep in mind."
    )
    BINDINGS: ClassVar = bindings("study")
    CSS_PATH: ClassVar = ["question.tcss", "studies.tcss"]
    AUTO_FOCUS = "StudyTable"

    def __init__(self, session: Session, study: Study, runs: tuple[int, ...]) -> None:
        """Make a study of some runs."""
        super().__init__()
        self._session = session
        self._study = study
        self._scope = Scope(runs=runs)
        self._options = [name for name in _CHOICES if name in options_of(study.name)]
        self._report: Report | None = None
        self._page = 0
        self._plot = 0
        self._layout = "both"
        self._cursors: dict[str, tuple[int, int]] = {}
        self._asked = 0.0
        self._stale = False

    def compose(self) -> ComposeResult:
        """Build the parts from top to bottom."""
        yield StatusLine(id="study-title")
        yield StatusLine(id="study-scope")
        with Horizontal(id="study-panes"):
            yield StudyTable(id="study-table")
            yield NotesView(id="study-notes")
            yield Divider("study.plot", sizes_after=True)
            yield PlotView(id="study-plot")
        yield Static("", id="empty", markup=False)
        yield Static("", id="study-legend", markup=False)
        yield StatusLine(id="study-command")
        yield KeyLine()

    def on_mount(self) -> None:
        """Make the study."""
        self._session.signal.subscribe(self, self._on_session)
        self._make()

    def on_resize(self, event: events.Resize) -> None:
        """Put the plot beside the table where there is room."""
        self.set_class(event.size.width >= WIDE, "-wide")
        self.set_class(event.size.height >= _TALL, "-tall")
        self._lay_out()

    def on_screen_resume(self) -> None:
        """Make it again where what it counts has changed meanwhile."""
        if self._stale:
            self._make()

    def _on_session(self, event: SessionEvent) -> None:
        match event:
            case OverrideChanged() | RunEnded():
                self._stale = True
            case RunProgressed(progress) if progress.run_id in self._scope.runs:
                self._stale = True
            case _:
                pass

    # Making it

    def _make(self) -> None:
        self._stale = False
        self._asked = time.monotonic()
        self._show_scope()
        self.run_worker(self._wait_for_report(), group="study", exclusive=True)

    async def _wait_for_report(self) -> None:
        clock = self.set_interval(_TICK, self._tell_waiting)
        try:
            report = await self._session.studying.report(self._study.name, self._scope)
        except LogitscopeError as error:
            self._report = None
            self._say(f"{error.sentence}\n\n{error.hint}".strip())
        else:
            self._show_report(report)
            seconds = time.monotonic() - self._asked
            announce(self.app, f"Study {self._study.name}", "The tables are there.", seconds)
        finally:
            clock.stop()

    def _tell_waiting(self) -> None:
        seconds = duration(time.monotonic() - self._asked)
        runs = count(len(self._scope.runs), "run")
        self._say(f"Studying {runs} · {seconds}\n\nEscape leaves it.")

    def _say(self, words: str) -> None:
        """Show words in the place of everything else."""
        empty = self.query_one("#empty", Static)
        empty.update(words)
        empty.display = bool(words)
        self.query_one("#study-panes").display = not words
        self.query_one("#study-legend").display = False
        self.refresh_bindings()

    def _show_report(self, report: Report) -> None:
        self._report = report
        self._page = min(self._page, len(report.tables))
        self._plot = min(self._plot, max(0, len(report.plots) - 1))
        self._say("")
        self._show_page()

    # What is shown

    @property
    def _table(self) -> Table | None:
        """The table that is shown; None on the page of notes, which is the last."""
        tables = self._report.tables if self._report is not None else ()
        return tables[self._page] if self._page < len(tables) else None

    def _show_scope(self) -> None:
        runs = self._scope.runs
        named = f"run{'s' if len(runs) > 1 else ''} {', '.join(map(str, runs))}"
        title = f"{self._study.name} · {self._study.title} · {named}"
        self.query_one("#study-title", StatusLine).words = title
        options = [f"{_OPTION_WORDS[name]}: {getattr(self._scope, name)}" for name in self._options]
        self.query_one("#study-scope", StatusLine).words = " · ".join(options)
        self.query_one("#study-command", StatusLine).words = self._command()

    def _command(self) -> str:
        database = None if self._session.demo else self._session.store.path
        return command_of(self._study.name, self._scope, database)

    def _show_page(self) -> None:
        """Show the table of the page, or the notes."""
        report, table = self._report, self._table
        if report is None:
            return
        pages = f"{self._page + 1} of {len(report.tables) + 1} · "
        if table is not None:
            cells = self.query_one(StudyTable)
            cells.border_title = pages + table.title
            cells.show(table, self._cursors.get(table.name, (0, 0)))
        else:
            notes = self.query_one(NotesView)
            notes.border_title = pages + "notes"
            notes.show(self._notes(report))
        self._show_plot()
        self._lay_out()

    def _notes(self, report: Report) -> list[tuple[str, list[str]]]:
        parts = [(self._study.title, [self._study.about])]
        if report.notes:
            parts.append(("To keep in mind", list(report.notes)))
        for table in report.tables:
            words = [*legend(filled(table)[0]), *([table.note] if table.note else [])]
            if words:
                parts.append((table.title, words))
        return parts

    def _show_plot(self) -> None:
        plots = self._report.plots if self._report is not None else ()
        view = self.query_one(PlotView)
        view.show(plots[self._plot] if plots else None)
        view.border_title = f"plot {self._plot + 1} of {len(plots)}"

    def _lay_out(self) -> None:
        """Show what the screen has room for, and give the focus to the most important of it."""
        if self._report is None:
            return
        shown = self._shown
        table, notes, plot = (self.query_one(pane) for pane in (StudyTable, NotesView, PlotView))
        table.display = shown != "plot" and self._table is not None
        notes.display = shown != "plot" and self._table is None
        plot.display = shown != "table"
        if self.focused is None or not self.focused.display:
            next(pane for pane in (table, notes, plot) if pane.display).focus()
        self._explain()
        self.refresh_bindings()

    @property
    def _shown(self) -> str:
        """Which of :data:`_LAYOUTS` is in force."""
        if self._report is None or not self._report.plots:
            return "table"
        layouts = _LAYOUTS[self.has_class("-wide")]
        return self._layout if self._layout in layouts else layouts[0]

    @on(StudyTable.Moved)
    def _explain(self) -> None:
        """Say what the column under the cursor means, and what else belongs to the table."""
        cells, table = self.query_one(StudyTable), self._table
        lines = []
        if table is not None and cells.column is not None and self._shown != "plot":
            self._cursors[table.name] = cells.cursor
            lines.append(self._cell_words())
            if table.note:
                lines.append(table.note)
        if self._report is not None and table is not None:
            lines += self._report.notes
        words = self.query_one("#study-legend", Static)
        words.update("\n".join(lines))
        words.display = bool(lines)

    def _cell_words(self) -> str:
        cells = self.query_one(StudyTable)
        row, column = cells.row, cells.column
        if row is None or column is None:
            return "No rows."
        value = one_line(shown(row.cells.get(column.key), column.form))
        said = "not recorded" if value == NOT_RECORDED else value
        return f"{column.title}: {said}" + (f" · {column.about}" if column.about else "")

    # Actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what this study has."""
        plots = self._report.plots if self._report is not None else ()
        if action in ("next_text", "next_by"):
            return action.removeprefix("next_") in self._options
        if action == "toggle_plot":
            return bool(plots)
        if action == "step_plot":
            return len(plots) > 1
        if action == "table":
            return self._report is not None and int(str(parameters[0])) <= len(self._report.tables)
        if action in ("step_table", "copy"):
            return self._report is not None
        return True

    def action_step_table(self, delta: int) -> None:
        """Show the next or previous table, round and round."""
        if self._report is not None:
            self.action_table((self._page + delta) % (len(self._report.tables) + 1))

    def action_table(self, number: int) -> None:
        """Show a table by its place."""
        self._page = number
        if self._shown == "plot":
            self._layout = _LAYOUTS[self.has_class("-wide")][0]
        self._show_page()

    def action_toggle_plot(self) -> None:
        """Show plot and table in turn, or beside each other."""
        layouts = _LAYOUTS[self.has_class("-wide")]
        self._layout = layouts[(layouts.index(self._shown) + 1) % len(layouts)]
        self._lay_out()

    def action_step_plot(self, delta: int) -> None:
        """Show the next or previous plot."""
        if self._report is not None and self._report.plots:
            self._plot = (self._plot + delta) % len(self._report.plots)
            if self._shown == "table":
                self._layout = "plot"
            self._show_plot()
            self._lay_out()

    def action_next_text(self) -> None:
        """Let somebody else say what texts say."""
        self._take_next("text")

    def action_next_by(self) -> None:
        """Count other groups apart."""
        self._take_next("by")

    def _take_next(self, name: str) -> None:
        """Make the study anew with the next choice of an option."""
        choices = _CHOICES[name]
        after = choices[(choices.index(getattr(self._scope, name)) + 1) % len(choices)]
        self._scope = msgspec.structs.replace(self._scope, **{name: after})
        self._make()

    @on(StudyTable.Chosen)
    def _open_questions(self) -> None:
        """Show the questions behind the cell under the cursor."""
        cells, table = self.query_one(StudyTable), self._table
        row, column = cells.row, cells.column
        if table is None or row is None or column is None:
            return
        if row.run_id is None:
            self.notify("No single run stands behind this row.")
        elif column.key in row.narrower and not row.cells.get(column.key):
            self.notify(f"No question stands behind this cell: {self._cell_words()}")
        else:
            from tui.screens.questions import QuestionsScreen

            condition = row.behind(column.key)
            self.app.push_screen(QuestionsScreen(self._session, (row.run_id, condition)))

    def action_copy(self) -> None:
        """Copy the table, or the plot where only that is shown."""
        table = self._table
        if table is None or self._shown == "plot":
            pane = self.query_one(PlotView if self._shown == "plot" else NotesView)
            text, what = pane.copied(), "text"
        else:
            text, what = as_tsv(table), "table"
        self.notify(f"Copied the {what} to {clipboard.copy(self.app, text)}.")

    def action_copy_command(self) -> None:
        """Copy the command line."""
        self.notify(f"Copied the command to {clipboard.copy(self.app, self._command())}.")

    def action_close(self) -> None:
        """Back to the runs and studies."""
        self.dismiss()
