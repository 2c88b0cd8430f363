"""Screen 5: the runs, and the studies that can be made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from textual import on
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Static

from engine.errors import LogitscopeError
from engine.studies import STUDIES, Study
from tui.actions import bindings
from tui.events import RunEnded, RunProgressed, RunsChanged, SessionEvent
from tui.widgets.figures import count
from tui.widgets.key_line import KeyLine
from tui.widgets.result_grid import Cell, Column, ResultGrid
from tui.widgets.run_header import RunHeader
from tui.widgets.study_list import StudyList
from tui.words import one_line

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.browse import RunRow
    from tui.session import Session

_RESUMABLE = frozenset({"cancelled", "interrupted", "failed"})
_TONES = {"finished": "good", "failed": "bad", "running": "strong"}


class Listed(NamedTuple):
    """A run in the list."""

    run: RunRow
    marked: bool


def _stored(row: Listed) -> Cell:
    return Cell(f"{row.run.stored:,} of {row.run.planned:,}")


# fmt: off
COLUMNS: tuple[Column[Listed], ...] = (
    Column("marked", "", 1, lambda row: Cell("●" if row.marked else "", "warn"), 101),
    Column("run", "run", 4, lambda row: Cell(str(row.run.run_id), "strong"), 100, right=True),
    Column("status", "status", 11,
           lambda row: Cell(row.run.status, _TONES.get(row.run.status, "warn")), 98),
    Column("stored", "stored", 17, _stored, 97),
    Column("model", "model", 14, lambda row: Cell(one_line(PurePath(row.run.model).name)), 95),
    Column("source", "questions", 16,
           lambda row: Cell(one_line(PurePath(row.run.source).name)), 96, flexible=True),
    Column("formats", "formats", 18, lambda row: Cell(",".join(row.run.formats)), 70),
    Column("orders", "orders", 6, lambda row: Cell(str(row.run.orders)), 30, right=True),
    Column("kind", "kind", 6, lambda row: Cell(row.run.kind, "dim"), 40),
    Column("started", "started", 16, lambda row: Cell(row.run.started_at[:16], "dim"), 50),
)
# fmt: on


class RunsScreen(Screen[None]):
    """The runs of the store, newest first, above the studies."""

    ACTION_SCOPE: ClassVar[str] = "runs"
    HELP_TITLE = "Runs and studies"
    HELP = (
        "Every run of this database: enter shows one. Below, what can be asked of whole runs: "
        "mark runs with space and open a study with enter or by its number."
    )
    BINDINGS: ClassVar = bindings("runs")
    CSS_PATH: ClassVar = ["question.tcss", "studies.tcss"]

    def __init__(self, session: Session, *, studies: bool = False) -> None:
        """List the runs of a session; ``studies`` puts the focus on the studies."""
        super().__init__()
        self._session = session
        self._studies_first = studies

    def compose(self) -> ComposeResult:
        """Build the two lists."""
        yield RunHeader(self._session)
        with Vertical(id="runs"):
            yield ResultGrid(COLUMNS, self._fetch)
            yield Static("", id="message", markup=False)
        yield StudyList(id="studies")
        yield KeyLine()

    def on_mount(self) -> None:
        """List the runs, the cursor on the one that is shown."""
        self.query_one("#runs").border_title = "runs"
        self._session.signal.subscribe(self, self._on_session)
        run = self._session.run
        self._list(self._session.runs.index(run) if run is not None else 0)
        self.query_one(StudyList if self._studies_first else ResultGrid).focus()

    def _on_session(self, event: SessionEvent) -> None:
        if isinstance(event, RunsChanged | RunProgressed | RunEnded):
            self._list(self.query_one(ResultGrid).cursor)
            self.query_one(RunHeader).refresh()

    def _list(self, cursor: int) -> None:
        grid: ResultGrid[Listed] = self.query_one(ResultGrid)
        marked = self._session.studying.marked
        for place, run in enumerate(self._session.runs):
            grid.put(place, Listed(run, run.run_id in marked))
        grid.set_ids(np.arange(len(self._session.runs), dtype=np.int32), cursor)
        self._explain()

    async def _fetch(self, places: Sequence[int]) -> list[Listed]:
        marked = self._session.studying.marked
        runs = [self._session.runs[place] for place in places]
        return [Listed(run, run.run_id in marked) for run in runs]

    @property
    def _run(self) -> RunRow | None:
        cursor = self.query_one(ResultGrid).cursor
        return self._session.runs[cursor] if cursor < len(self._session.runs) else None

    @on(ResultGrid.Moved)
    def _explain(self) -> None:
        run = self._run
        words = "No run is stored here yet: press R to start one."
        if run is not None:
            words = run.message or f"{run.name} · {run.model} · {run.source}"
        self.query_one("#message", Static).update(one_line(words))
        self.query_one(StudyList).border_title = self._scope_words()
        self.refresh_bindings()

    def _scope_words(self) -> str:
        studying = self._session.studying
        if studying.marked:
            return f"studies of {count(len(studying.marked), 'marked run')}"
        return f"studies of run {', '.join(map(str, studying.runs()))}".removesuffix(" of run ")

    # Runs

    @on(ResultGrid.Chosen)
    def _choose(self) -> None:
        if self._run is not None:
            self._session.open_run(self._run.run_id)
            self.dismiss()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what stopped before its end can go on, and only one run at a time."""
        if action == "cancel_run":
            return self._session.live.run_going
        if action == "resume":
            run = self._run
            resumable = run is not None and run.status in _RESUMABLE
            return resumable and not self._session.live.busy and not self._session.read_only
        if action in ("mark", "mark_all"):
            return self._run is not None
        return True

    def action_cancel_run(self) -> None:
        """Stop the run that is going."""
        self._session.live.cancel()
        self.query_one(RunHeader).refresh()

    def action_resume(self) -> None:
        """Go on with the run under the cursor."""
        if self._run is None:
            return
        try:
            self._session.resume(self._run.run_id)
        except LogitscopeError as error:
            self.notify(str(error), severity="error")
        else:
            self.dismiss()

    def action_start(self) -> None:
        """Ask for a new run instead."""
        from tui.screens.start import StartScreen

        self.app.switch_screen(StartScreen(self._session))

    def action_mark(self) -> None:
        """Mark the run under the cursor, or take the mark away, and go to the next one."""
        if self._run is not None:
            self._session.studying.toggle_mark(self._run.run_id)
            self._list(self.query_one(ResultGrid).cursor)

    def action_mark_all(self) -> None:
        """Mark every run; where all are marked, none."""
        marked, ids = self._session.studying.marked, [run.run_id for run in self._session.runs]
        marked[:] = [] if set(ids) <= set(marked) else sorted(ids)
        self._list(self.query_one(ResultGrid).cursor)

    # Studies

    def action_studies(self) -> None:
        """Go from the runs to the studies or back."""
        studies = self.query_one(StudyList)
        (self.query_one(ResultGrid) if studies.has_focus else studies).focus()

    @on(StudyList.Chosen)
    def _choose_study(self, event: StudyList.Chosen) -> None:
        self._open(STUDIES[event.row])

    def action_study(self, number: int) -> None:
        """Open a study by its place."""
        self.query_one(StudyList).show_rows(len(STUDIES), number)
        self._open(STUDIES[number])

    def _open(self, study: Study) -> None:
        runs = self._session.studying.runs(study.runs)
        if len(runs) < max(1, study.runs):
            needed = count(max(1, study.runs), "run")
            self.notify(f"{study.name} needs {needed}: mark them with space.", severity="warning")
            return
        from tui.screens.studies import StudyScreen

        self.app.push_screen(StudyScreen(self._session, study, runs))

    def action_close(self) -> None:
        """Back to the questions."""
        self.dismiss()
