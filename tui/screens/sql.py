"""Screen 4: any question of everything stored, in SQL."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Input, Static, TextArea

from engine.errors import CancelledError, LogitscopeError
from engine.sql.completion import complete
from engine.sql.console import Done, QueryError
from engine.sql.history import History
from engine.sql.layout import lay_out
from tui.actions import bindings
from tui.announce import announce
from tui.finding import Finder
from tui.querying import Querying
from tui.screens.sql_questions import open_list, open_question
from tui.sql_text import edited, statement_at
from tui.widgets.completion_list import CompletionList
from tui.widgets.divider import Divider
from tui.widgets.figures import count
from tui.widgets.find_line import FindLine
from tui.widgets.key_line import KeyLine
from tui.widgets.schema_pane import SchemaPane, SchemaTree
from tui.widgets.sql_editor import SqlEditor
from tui.widgets.sql_results import SqlResults
from tui.widgets.status_line import StatusLine
from tui.widgets.value_grid import ValueGrid
from tui.words import duration

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from textual.app import ComposeResult

    from engine.sql.catalog import Catalog
    from engine.sql.completion import Suggestion
    from engine.sql.result import Result
    from tui.session import Session

CHUNK = 2_000
"""Rows fetched at once as the cursor nears the end."""
MANY = 20_000
"""Rows fetched at once on the way to the last."""
TICK = 0.2
"""Seconds between two looks at the clock while something runs."""
_NEED_ROWS = frozenset({"toggle_chart", "export", "show_in_list", "find", "step_found"})
_ARROWS = "▲▼"


class SqlScreen(Screen[None]):
    """An editor above, what its statements came to below."""

    ACTION_SCOPE: ClassVar[str] = "sql"
    HELP_TITLE = "SQL"
    HELP = (
        "Everything stored is tables and views: ask them anything. Nothing stored can be changed "
        "from here, and no file or network be reached, until you unlock it. Views and tables that "
        "you make are kept apart from the results. Letters work from the result; in the editor "
        "they are text."
    )
    BINDINGS: ClassVar = bindings("sql")
    CSS_PATH: ClassVar = ["question.tcss", "sql.tcss"]
    AUTO_FOCUS = "SqlEditor"

    def __init__(self, session: Session, text: str | None = None, *, run: bool = False) -> None:
        """Begin with a text of its own, run at once or not, or with what the editor held last."""
        super().__init__()
        self._run_brought = run
        self._session = session
        self._brought = text
        self._querying = Querying(session.store)
        self._history = History()
        self._place_in_history: int | None = None
        self._catalog: Catalog | None = None
        self._fetching = self._to_last = False
        self._sought = ""
        self._note = ""
        self._draft = ""
        self._finder: Finder | None = None

    def compose(self) -> ComposeResult:
        """Build the parts from top to bottom."""
        popup = CompletionList()
        yield StatusLine(id="sql-title")
        with Horizontal(id="sql-body"):
            yield SchemaPane()
            yield Divider("sql.schema")
            with Vertical(id="sql-panes"):
                yield SqlEditor(self._session.state.sql_text, popup, self._suggest)
                yield Static("", id="sql-problem", markup=False)
                yield Divider("sql.editor")
                yield SqlResults()
        yield FindLine()
        yield StatusLine(id="sql-status")
        yield KeyLine()
        yield popup

    def on_mount(self) -> None:
        """Read what can be named, and take the text that was brought."""
        self._editor = self.query_one(SqlEditor)
        self._results = self.query_one(SqlResults)
        self._schema = self.query_one(SchemaPane)
        self._editor.border_title = "SQL"
        self._clock = self.set_interval(TICK, self._tell, pause=True)
        self._editor.move_cursor(self._editor.document.end)
        self._show_title()
        self._read_catalog()
        if self._brought is not None:
            self.bring(self._brought, run=self._run_brought)

    def on_unmount(self) -> None:
        """Cancel what runs and let go of the results."""
        self._querying.close()

    def bring(self, text: str, *, run: bool = False) -> None:
        """Put a text into the editor, and run it or not.

        Undo and the history bring back what stood there.
        """
        if text != self._editor.text:
            self._history.add(self._editor.text, self._session.store.path)
            self._editor.take(text)
            self._editor.move_cursor((0, 0))
        self._editor.focus()
        if run:
            self._run(text, 0)

    # Words

    def _show_title(self) -> None:
        badge = (
            "⚠ UNLOCKED: statements can change what is stored · " if self._querying.unlocked else ""
        )
        copied = " (read-only)" if self._session.read_only else ""
        self.query_one(
            "#sql-title", StatusLine
        ).words = f"SQL · {badge}{self._session.store.path.name}{copied}"
        self.set_class(self._querying.unlocked, "-unlocked")

    def _tell(self) -> None:
        """Say what runs, or how much there is."""
        status = self.query_one("#sql-status", StatusLine)
        began = self._querying.began
        if began is not None and not self._fetching:
            status.words = f"Running · {duration(time.monotonic() - began)} · escape cancels"
            return
        outcome, grid = self._results.open, self._results.grid
        parts = [self._note] if self._note else []
        if outcome is not None and outcome.result is not None:
            result = outcome.result
            parts += [result.counted(), _seconds(result.seconds)]
            if grid.rows and not self._results.charted:
                parts.append(f"row {grid.cursor[0] + 1:,}")
            if outcome.sorted_by is not None:
                column, descending = outcome.sorted_by
                parts.append(f"by {result.columns[column].name} {_ARROWS[descending]}")
            if grid.marked is not None:
                span = grid.marked
                parts.append(f"marked {span.bottom - span.top + 1:,}×{span.right - span.left + 1}")
            if self._fetching:
                parts.append("fetching on, escape stops")
            elif result.capped:
                parts.append("no more are fetched")
        elif outcome is not None:
            parts.append(_seconds(outcome.made.seconds))
        if self._results.count > 1:
            parts.append(f"result {self._results.place + 1} of {self._results.count}")
        status.words = " · ".join(parts)

    def _refuse(self, error: LogitscopeError, start: int = 0) -> None:
        """Show what is wrong below the editor and mark the place, given where the text began."""
        problem = self.query_one("#sql-problem", Static)
        problem.update(str(error).strip())
        problem.display = True
        location = None
        if isinstance(error, QueryError) and error.line is not None:
            row, column = self._editor.location_of(start)
            before = column if error.line == 1 else 0
            location = (row + error.line - 1, before + (error.column or 1) - 1)
        self._editor.show_problem(location, error.sentence)

    def _accept(self) -> None:
        self.query_one("#sql-problem", Static).display = False
        self._editor.show_problem(None, "")

    def _work(self, work: Coroutine[Any, Any, None], group: str = "sql") -> None:
        self._note = ""
        self._clock.resume()
        self.run_worker(self._worked(work), group=group)

    async def _worked(self, work: Coroutine[Any, Any, None]) -> None:
        """Do some work; what goes wrong is said in one sentence."""
        try:
            await work
        except CancelledError:
            pass
        except LogitscopeError as error:
            self.notify(error.hint, title=error.sentence, severity="error", markup=False)
        finally:
            if self.is_attached:
                if self._querying.began is None:
                    self._clock.pause()
                self._tell()
                self.refresh_bindings()

    # The catalog

    def _read_catalog(self) -> None:
        self.run_worker(self._reread_catalog(), group="catalog", exclusive=True)

    async def _reread_catalog(self) -> None:
        from engine.sql.catalog import read_catalog

        try:
            await self._querying.ask(self._querying.console.own, aside=True)
            self._catalog = await asyncio.to_thread(read_catalog, self._session.store)
        except LogitscopeError as error:
            self.notify(error.hint, title=error.sentence, severity="error", markup=False)
        else:
            self._schema.show(self._catalog)

    def _suggest(self, text: str, place: int) -> list[Suggestion]:
        return [] if self._catalog is None else complete(text, place, self._catalog)

    # Running

    def action_run(self) -> None:
        """Run the selected text, or all of it."""
        start, end = sorted(self._editor.selection)
        if start == end:
            self._run(self._editor.text, 0)
        else:
            self._run(self._editor.selected_text, self._editor.place_of(start))

    def action_run_statement(self) -> None:
        """Run the statement under the cursor."""
        text, start = statement_at(self._editor.text, self._editor.place)
        self._run(text, start)

    def _run(self, text: str, start: int) -> None:
        self._history.add(text, self._session.store.path)
        self._place_in_history = None
        self._work(self._show_run(text, start))

    async def _show_run(self, text: str, start: int) -> None:
        asked = time.monotonic()
        try:
            made = await self._querying.run(text)
        except QueryError as error:
            if error.results:
                self._results.show(error.results)
            elif self._results.count:
                self._note = "of the query before"
            self._refuse(error, start)
            return
        self._accept()
        self._results.show(made)
        announce(self.app, "Query", "The rows are there.", time.monotonic() - asked)
        if any(isinstance(each, Done) for each in made):
            self._read_catalog()

    @on(ValueGrid.MoreWanted)
    def _fetch(self) -> None:
        """Fetch some more rows of what is shown."""
        result = self._results.result
        if not self._fetching and result is not None and not (result.complete or result.capped):
            self._fetching = True
            self._work(self._show_fetched(result))

    @on(ValueGrid.LastWanted)
    def _fetch_all(self) -> None:
        """Fetch every row of what is shown, and go to the last."""
        self._to_last = True
        self._fetch()

    async def _show_fetched(self, result: Result) -> None:
        try:
            while not (result.complete or result.capped):
                rows = MANY if self._to_last else CHUNK
                await self._querying.ask(partial(result.fetch, rows))
                self._results.grown(result)
                self._tell()
                if not self._to_last:
                    return
            if self._results.result is result:
                self._results.grid.action_edge(1, 0)
        finally:
            self._fetching = self._to_last = False

    @on(ValueGrid.SortWanted)
    def _sort(self, event: ValueGrid.SortWanted) -> None:
        self._work(self._show_sorted(event.column))

    async def _show_sorted(self, column: int) -> None:
        outcome = self._results.open
        if outcome is None or isinstance(outcome.made, Done):
            return
        made, order = outcome.made, outcome.sorted_by
        if order == (column, True):
            self._results.take_sorted(outcome, made, None)
            return
        descending = order == (column, False)
        result = await self._querying.ask(
            lambda: self._querying.console.sorted(made, column, descending)
        )
        self._results.take_sorted(outcome, result, (column, descending))

    @on(ValueGrid.Moved)
    def _moved(self) -> None:
        self._tell()

    def action_close(self) -> None:
        """Cancel what runs, put away what lies over the rows, or leave."""
        if self._querying.began is not None:
            self._querying.cancel()
        elif self._schema.has_focus_within:
            self.action_toggle_schema()
        elif self._results.charted and self._results.chart.has_focus:
            self.action_toggle_chart()
        else:
            self.dismiss()

    # The editor

    @on(TextArea.Changed)
    def _changed(self) -> None:
        self._session.state.sql_text = self._editor.text

    def action_format(self) -> None:
        """Lay the text out."""
        try:
            self._editor.take(lay_out(self._editor.text))
        except LogitscopeError as error:
            self._refuse(error)

    @on(CompletionList.Taken)
    def _take_suggestion(self) -> None:
        self._editor.take_chosen()
        self._editor.focus()

    @on(SqlEditor.Stepped)
    def _step_history(self, event: SqlEditor.Stepped) -> None:
        texts = [entry.sql for entry in self._history.entries()]
        if self._place_in_history is None:
            self._draft = self._editor.text
            # What was just run stands in the editor already.
            self._place_in_history = len(texts) - (texts[-1:] == [self._draft.strip()])
        place = self._place_in_history + event.delta
        if place < 0:
            self.notify("There is no older text.")
        elif place < len(texts):
            self._place_in_history = place
            self._editor.take(texts[place])
        else:
            self._place_in_history = None
            self._editor.take(self._draft)

    def action_open_editor(self) -> None:
        """Edit the text in the user's own editor."""
        try:
            text = edited(self.app, self._editor.text)
        except LogitscopeError as error:
            self.notify(error.hint, title=error.sentence, severity="error", markup=False)
        else:
            self._editor.take(text)

    def action_show_history(self) -> None:
        """Look for a text that was run before."""
        from tui.screens.sql_lists import HistoryScreen

        self.app.push_screen(HistoryScreen(self._history), self._take)

    def action_show_saved(self) -> None:
        """Look through the saved queries."""
        from tui.screens.sql_lists import SavedScreen

        run = self._session.query.run_id if self._session.query is not None else None
        self.app.push_screen(SavedScreen(run, self._session.probe_id), self._take)

    def _take(self, text: str | None) -> None:
        if text is not None:
            self.bring(text)

    def action_save_query(self) -> None:
        """Save the text under a name."""
        from tui.screens.sql_save import SaveQueryScreen

        if not self._editor.text.strip():
            self.notify("There is no text to save.")
            return
        self.app.push_screen(SaveQueryScreen(self._editor.text))

    # The panes

    def action_next_pane(self) -> None:
        """Go from the editor to the result, and back."""
        if self._editor.has_focus and self._results.result is not None:
            self._results.focus_open()
        else:
            self._editor.focus()

    def action_toggle_schema(self) -> None:
        """Show or hide tables and columns."""
        self._schema.display = not self._schema.display
        (self.query_one(SchemaTree) if self._schema.display else self._editor).focus()

    @on(SchemaTree.Inserted)
    def _insert_name(self, event: SchemaTree.Inserted) -> None:
        self._editor.insert(event.text)
        self._editor.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now."""
        if action in _NEED_ROWS:
            return self._results.result is not None
        if action == "step_result":
            return self._results.count > 1
        return True

    def action_toggle_chart(self) -> None:
        """Draw the result, or show its rows again."""
        self._results.toggle_chart()
        self._tell()

    def action_step_result(self, delta: int) -> None:
        """Show the next or previous result."""
        self._results.step(delta)
        self._tell()

    @on(ValueGrid.ViewWanted)
    def _view_cell(self) -> None:
        from tui.screens.sql_cell import CellScreen

        grid = self._results.grid
        if grid.column is not None:
            self.app.push_screen(CellScreen(grid.column, grid.value, grid.cursor[0]))

    # Finding

    def action_find(self) -> None:
        """Type what to look for."""
        self.query_one(FindLine).begin()

    @on(Input.Submitted)
    def _found_typed(self, event: Input.Submitted) -> None:
        self._sought = event.value
        self._leave_find()
        if self._sought:
            self.action_step_found(1)

    @on(FindLine.Left)
    def _leave_find(self) -> None:
        self.query_one(FindLine).display = False
        self._results.focus_open()

    def action_step_found(self, delta: int) -> None:
        """Go to the next or previous cell that holds the text."""
        if self._sought:
            self._work(self._show_found(delta))
        else:
            self.action_find()

    async def _show_found(self, delta: int) -> None:
        result, grid = self._results.result, self._results.grid
        if result is None:
            return
        finder = self._finder
        if finder is None or (finder.result, finder.sought) != (result, self._sought):
            finder = self._finder = Finder(result, self._sought)
        hit = await asyncio.to_thread(finder.next, *grid.cursor, delta)
        so_far = "" if result.complete else " so far"
        if hit is None:
            self._note = f"no {self._sought!r} in {count(result.fetched, 'row')}{so_far}"
        elif result is self._results.result:
            self._note = f"{self._sought!r}: {hit.number:,} of {hit.among:,}{so_far}"
            grid.go_to(hit.row, hit.column)

    # To other screens

    @on(ValueGrid.Chosen)
    def _chosen(self) -> None:
        self._work(open_question(self, self._session, self._results.grid))

    def action_show_in_list(self) -> None:
        """Show the result's questions in the list of questions."""
        if self._results.result is not None:
            self._work(open_list(self, self._session, self._results.result))

    def action_export(self) -> None:
        """Write all rows of the result to a file."""
        from tui.screens.sql_export import ExportScreen

        outcome = self._results.open
        if outcome is not None and outcome.result is not None:
            screen = ExportScreen(self._session.store, outcome.result, outcome.sorted_by)
            self.app.push_screen(screen)

    def action_unlock(self) -> None:
        """Let statements change what is stored, after asking."""
        if self._querying.unlocked:
            self.notify("It is unlocked until the explorer closes.")
        elif self._session.read_only:
            self.notify("This database is open for reading only: it can't be unlocked.")
        else:
            from tui.screens.sql_unlock import UnlockScreen

            self.app.push_screen(UnlockScreen(), self._unlock)

    def _unlock(self, sure: bool | None) -> None:
        if sure:
            self._work(self._show_unlocked())

    async def _show_unlocked(self) -> None:
        await self._querying.ask(self._querying.console.unlock)
        self._show_title()


def _seconds(seconds: float) -> str:
    return f"{1000 * seconds:,.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
