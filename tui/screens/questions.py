"""Screen 1: every probe of a run, and where its readings disagree."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar

import msgspec
from textual import events, on
from textual.screen import Screen
from textual.widgets import Static

from engine.flags import FLAGS
from tui.actions import bindings, in_scope
from tui.events import (
    ListingChanged,
    ListingFailed,
    MarkChanged,
    OverrideChanged,
    RunEnded,
    RunProgressed,
    RunsChanged,
    SessionEvent,
)
from tui.keymap import key_display
from tui.widgets.divider import Divider
from tui.widgets.filter_bar import FilterBar
from tui.widgets.flag_tabs import TABS, FlagTabs
from tui.widgets.key_line import KeyLine
from tui.widgets.preview import Preview
from tui.widgets.question_columns import COLUMNS, SORTABLE, columns_for
from tui.widgets.result_grid import ResultGrid
from tui.widgets.run_header import RunHeader
from tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.browse import ListRow
    from tui.listing import Query
    from tui.session import Session

TEACHING_MODEL = "Teaching model, trained on text written for it: no evidence about real models"
QUIET = 0.05
"""Seconds that the cursor rests on a row before the options' texts are read."""
REST = 0.15
"""Seconds more after which the whole probe is read: it may be opened next."""
_TALL = 36
_LARGEST_FIRST = frozenset({"marked", "entropy"})
_NEED_ROWS = frozenset({"lab", "open_probe", "step_flagged", "mark", "rerun", "toggle_preview"})
_TITLES = {flag.name: flag.title for flag in FLAGS}


class QuestionsScreen(Screen[None]):
    """The list of probes with tabs, filter and preview."""

    ACTION_SCOPE: ClassVar[str] = "questions"
    HELP_TITLE = "Questions"
    HELP = (
        "Every probe of a run and what each way of reading it says: the first token with its "
        "probability among the options, the likeliest token of the whole vocabulary, the "
        "likeliest option text, the greedy text, and what most samples say."
    )
    BINDINGS: ClassVar = bindings("questions")
    AUTO_FOCUS = "ResultGrid"

    def __init__(self, session: Session, behind: tuple[int, str] | None = None) -> None:
        """Show what the session lists, or a run and the condition of what stands behind a cell."""
        super().__init__()
        self._session = session
        self._behind = behind
        self._go_back = session.place() if behind is not None else None
        self._shown: Query | None = None
        self._previews = True

    def compose(self) -> ComposeResult:
        """Build the parts from top to bottom."""
        yield RunHeader(self._session)
        if self._session.demo:
            yield Static(TEACHING_MODEL, id="teaching")
        if self._session.store.copied_at is not None:
            yield Static(_copy_words(self._session.store.copied_at), id="copied")
        yield FlagTabs()
        yield FilterBar()
        yield ResultGrid(COLUMNS, self._session.rows, id="probes")
        yield Static("", id="empty", markup=False)
        yield Divider("questions.preview", sizes_after=True)
        yield Preview()
        yield StatusLine()
        yield KeyLine()

    def on_mount(self) -> None:
        """Listen to the session."""
        self._grid: ResultGrid[ListRow] = self.query_one(ResultGrid)
        self._session.signal.subscribe(self, self._on_session)
        if self._behind is not None:
            self._session.open_run(*self._behind)
        elif self._session.listing is not None:
            self._show_listing()
        else:
            self._say_why_empty()

    def on_screen_resume(self) -> None:
        """Come back to the row that another screen went to."""
        self._grid.cursor = self._session.position

    def on_resize(self, event: events.Resize) -> None:
        """Give a tall screen a taller preview; say again how many columns are hidden."""
        self.set_class(event.size.height >= _TALL, "-tall")
        self.call_after_refresh(self._show_row)

    # What the session says

    def _on_session(self, event: SessionEvent) -> None:
        match event:
            case ListingChanged():
                self._show_listing()
            case ListingFailed(query, sentence):
                self._refuse(query, sentence)
            case MarkChanged(probe_id, marked):
                self._show_mark(probe_id, marked)
            case OverrideChanged():
                self._grid.forget()
                self._session.refresh()
            case RunsChanged() | RunProgressed() | RunEnded():
                self.query_one(RunHeader).refresh()
                self.refresh_bindings()
                self._say_why_empty()
            case _:
                pass

    def _show_listing(self) -> None:
        listing = self._session.listing
        if listing is None:
            return
        self.query_one(FlagTabs).counts = listing.counts
        if self._shown is None:
            self.run_worker(self._load_question_screen(), group="load")
        if listing.query != self._shown:
            self._shown = listing.query
            self.query_one(FilterBar).show(listing.query.filter, listing.query.format)
            self._show_query(listing.query)
        self._grid.set_ids(listing.ids, self._session.position)
        self._say_why_empty()
        self._show_row()
        self.query_one(RunHeader).refresh()
        self.refresh_bindings()

    async def _load_question_screen(self) -> None:
        """Have the screen that opens next imported before it is asked for."""
        await asyncio.sleep(REST)
        await asyncio.to_thread(import_module, "tui.screens.question")

    def _show_query(self, query: Query) -> None:
        """Show the tab and the order that were asked for."""
        self.query_one(FlagTabs).active = query.flag
        run = self._session.run
        if run is not None:
            order = (query.sort, query.descending) if query.sort is not None else None
            self._grid.set_columns(columns_for(run, query.format), order)

    def _refuse(self, query: Query, sentence: str) -> None:
        bar = self.query_one(FilterBar)
        bar.refuse(sentence)
        if self._shown is not None:
            self._show_query(self._shown)
        if query.filter:
            bar.input.focus()

    def _show_mark(self, probe_id: int, marked: bool) -> None:
        row = self._grid.cached(probe_id)
        if row is not None:
            self._grid.put(probe_id, msgspec.structs.replace(row, marked=marked))
            self._show_row()

    def _say_why_empty(self) -> None:
        words = self._why_empty()
        self._grid.display = not words
        self.query_one(Preview).display = self._previews and not words
        empty = self.query_one("#empty", Static)
        empty.display = bool(words)
        empty.update(words)
        if self.focused is None and not words:
            self._grid.focus()

    def _why_empty(self) -> str:
        session = self._session
        if session.listing is not None and len(session.listing):
            return ""
        if session.query is None:
            words = f"No run is stored here yet.\n\nPress {self._key('start_run')} to start one."
            return words if session.loaded else " "
        if session.listing is None:
            return " "
        if session.listing.query.filter:
            escape = "clears the filter" if self._behind is None else "goes back"
            return f"No row matches.\n\nEscape {escape}."
        if session.live.run_going:
            return "The first answers appear here as soon as they are stored."
        start, pick = self._key("start_run"), self._key("pick_run")
        choices = f"Press {start} to start a run, or {pick} to choose another one."
        return f"This run has no answers.\n\n{choices}"

    def _key(self, name: str) -> str:
        """The key in force of an action of this screen."""
        action = next(each for each in in_scope("questions") if each.name == name)
        return key_display(self.app, action)

    def _show_row(self) -> None:
        row, preview = self._grid.row, self.query_one(Preview)
        if preview.row != row:
            preview.row = row
            if row is not None:
                self.run_worker(self._show_question(row.probe_id), group="preview", exclusive=True)
        self.query_one(StatusLine).words = self._status()

    async def _show_question(self, probe_id: int) -> None:
        await asyncio.sleep(QUIET)
        question = await self._session.question(probe_id)
        preview = self.query_one(Preview)
        if preview.row is not None and preview.row.probe_id == probe_id:
            preview.question = question
        await asyncio.sleep(REST)
        self._session.read_ahead()

    def _status(self) -> str:
        listing = self._session.listing
        if listing is None or not len(listing):
            return ""
        parts = [f"row {self._session.position + 1:,} of {len(listing):,}"]
        query = listing.query
        if query.sort is not None:
            titles = {column.key: column.title or "mark" for column in COLUMNS}
            parts.append(f"by {titles[query.sort]} {'▼' if query.descending else '▲'}")
        parts.append(f"{self._key('next_flagged')}: next {_TITLES[self._session.sought]}")
        if self._grid.hidden:
            parts.append(f"{self._grid.hidden} columns need a wider screen")
        return " · ".join(parts)

    # What the widgets say

    @on(ResultGrid.Moved)
    def _moved(self, event: ResultGrid.Moved) -> None:
        self._session.move_to(event.position)
        self._show_row()

    @on(ResultGrid.RowsArrived)
    def _arrived(self) -> None:
        self._show_row()

    @on(ResultGrid.Chosen)
    def _chosen(self) -> None:
        self.action_open_probe()

    @on(ResultGrid.HeaderClicked)
    def _header_clicked(self, event: ResultGrid.HeaderClicked) -> None:
        query = self._session.query
        if query is None or event.key not in SORTABLE:
            return
        if query.sort == event.key and query.descending != (event.key in _LARGEST_FIRST):
            self._ask(sort=None, descending=False)
        elif query.sort == event.key:
            self._ask(descending=not query.descending)
        else:
            self._ask(sort=event.key, descending=event.key in _LARGEST_FIRST)

    @on(FlagTabs.Picked)
    def _picked(self, event: FlagTabs.Picked) -> None:
        self._ask(flag=event.flag)

    @on(FilterBar.Submitted)
    def _submitted(self, event: FilterBar.Submitted) -> None:
        self._ask(filter=event.condition)
        self._grid.focus()

    @on(FilterBar.Left)
    def _left_filter(self) -> None:
        query = self._session.query
        if query is not None:
            self.query_one(FilterBar).show(query.filter, query.format)
        self._grid.focus()

    def _ask(self, **changes: object) -> None:
        """Ask for the same list with some parts of the query changed."""
        if self._session.query is not None:
            query = msgspec.structs.replace(self._session.query, **changes)
            self._session.show(query)
            # At once: a million rows take a moment to be sorted.
            self._show_query(query)

    # Actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now."""
        if action == "cancel_run":
            return self._session.live.run_going
        if action == "clear_filter" or (action == "back" and self._behind is None):
            query = self._session.query
            return query is not None and bool(query.filter)
        if action in ("pick_run", "start_run"):
            return self._behind is None
        if action in _NEED_ROWS:
            return self._session.probe_id is not None
        return True

    def action_open_probe(self) -> None:
        """Open the question under the cursor."""
        probe_id = self._session.probe_id
        if probe_id is not None:
            from tui.screens.question import QuestionScreen

            self.app.push_screen(QuestionScreen(self._session, probe_id))

    def action_step_flagged(self, delta: int) -> None:
        """Go to the next or previous flagged row."""
        if self._session.step_flagged(delta) is None:
            where = "below" if delta > 0 else "above"
            self.notify(f"No {_TITLES[self._session.sought]} {where} this row.")
        self._grid.cursor = self._session.position

    def action_filter(self) -> None:
        """Type a filter."""
        self.query_one(FilterBar).input.focus()

    def action_back(self) -> None:
        """Show every row again; from what stands behind a cell, go back to its study."""
        if self._go_back is None:
            self.action_clear_filter()
        else:
            self.dismiss()
            self._go_back()

    def action_clear_filter(self) -> None:
        """Show every row again."""
        self._ask(filter="")

    def action_step_tab(self, delta: int) -> None:
        """Show the next or previous flag that has rows."""
        self._ask(flag=self.query_one(FlagTabs).neighbour(delta))

    def action_tab(self, number: int) -> None:
        """Show a tab by its place."""
        self._ask(flag=TABS[number].flag)

    def action_sort(self, delta: int) -> None:
        """Sort by the next or previous column."""
        query = self._session.query
        if query is None:
            return
        keys = (None, *SORTABLE)
        key = keys[(keys.index(query.sort) + delta) % len(keys)]
        self._ask(sort=key, descending=key in _LARGEST_FIRST)

    def action_sort_reverse(self) -> None:
        """Turn the order round."""
        query = self._session.query
        if query is not None:
            self._ask(sort=query.sort or "question_index", descending=not query.descending)

    def action_next_format(self) -> None:
        """Show all formats, then each in turn."""
        run, query = self._session.run, self._session.query
        if run is None or query is None:
            return
        names = (None, *run.formats)
        self._ask(format=names[(names.index(query.format) + 1) % len(names)])

    def action_mark(self) -> None:
        """Mark the row, or take the mark away."""
        if self._session.probe_id is not None:
            self._session.toggle_mark(self._session.probe_id)

    def action_toggle_preview(self) -> None:
        """Show or hide the preview."""
        self._previews = not self._previews
        self._say_why_empty()

    def action_rerun(self) -> None:
        """Ask the model again, on the screen that shows it write."""
        probe_id = self._session.probe_id
        if probe_id is not None:
            self.action_open_probe()
            self._session.rerun(probe_id)

    async def action_lab(self) -> None:
        """Change the prompt format, and watch this question and the marked ones."""
        probe_id = self._session.probe_id
        if probe_id is not None:
            from tui.screens.lab_opening import open_lab

            await open_lab(self, self._session, probe_id)

    def action_pick_run(self) -> None:
        """Choose another run."""
        from tui.screens.runs import RunsScreen

        self.app.push_screen(RunsScreen(self._session))

    def action_studies(self) -> None:
        """Go to the studies, or back to the one that led here."""
        if self._behind is not None:
            self.action_back()
            return
        from tui.screens.runs import RunsScreen

        self.app.push_screen(RunsScreen(self._session, studies=True))

    def action_start_run(self) -> None:
        """Start a run."""
        from tui.screens.start import StartScreen

        self.app.push_screen(StartScreen(self._session))

    def action_cancel_run(self) -> None:
        """Stop the run that is going."""
        self._session.live.cancel()
        self.query_one(RunHeader).refresh()


def _copy_words(copied_at: datetime) -> str:
    """That the database shown is a copy, and of when, by the clock on the wall."""
    local = copied_at.replace(tzinfo=UTC).astimezone()
    return f"Copy made at {local:%H:%M}, for reading only: another program holds the database"
