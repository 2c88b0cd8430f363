"""Choose a run, go on with one that stopped, start a new one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from textual import on
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from engine.errors import LogitscopeError
from tui.actions import bindings
from tui.events import RunEnded, RunProgressed, RunsChanged, SessionEvent
from tui.widgets.key_line import KeyLine
from tui.widgets.result_grid import Cell, Column, ResultGrid
from tui.words import one_line

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.browse import RunRow
    from tui.session import Session

_RESUMABLE = frozenset({"cancelled", "interrupted", "failed"})
_TONES = {"finished": "good", "failed": "bad", "running": "strong"}


def _status(run: RunRow) -> Cell:
    return Cell(run.status, _TONES.get(run.status, "warn"))


# fmt: off
COLUMNS: tuple[Column[RunRow], ...] = (
    Column("run", "run", 4, lambda run: Cell(str(run.run_id), "strong"), 100, right=True),
    Column("status", "status", 11, _status, 98),
    Column("stored", "stored", 17, lambda run: Cell(f"{run.stored:,} of {run.planned:,}"), 97),
    Column("model", "model", 14, lambda run: Cell(one_line(PurePath(run.model).name)), 95),
    Column("source", "questions", 16, lambda run: Cell(one_line(PurePath(run.source).name)), 96,
           flexible=True),
    Column("formats", "formats", 18, lambda run: Cell(",".join(run.formats)), 70),
    Column("orders", "orders", 6, lambda run: Cell(str(run.orders)), 30, right=True),
    Column("kind", "kind", 6, lambda run: Cell(run.kind, "dim"), 40),
    Column("started", "started", 16, lambda run: Cell(run.started_at[:16], "dim"), 50),
)
# fmt: on


class RunsScreen(ModalScreen[None]):
    """The runs of the store, newest first."""

    ACTION_SCOPE: ClassVar[str] = "runs"
    HELP = "Every run of this database. Enter shows one."
    BINDINGS: ClassVar = bindings("runs")

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def compose(self) -> ComposeResult:
        """Build the list and the line under it."""
        with Vertical(id="runs"):
            yield ResultGrid(COLUMNS, self._fetch)
            yield Static("", id="message", markup=False)
            yield KeyLine()

    def on_mount(self) -> None:
        """List the runs, the cursor on the one that is shown."""
        self.query_one("#runs").border_title = "runs"
        self._session.signal.subscribe(self, self._on_session)
        run = self._session.run
        self._list(self._session.runs.index(run) if run is not None else 0)

    def _on_session(self, event: SessionEvent) -> None:
        if isinstance(event, RunsChanged | RunProgressed | RunEnded):
            self._list(self.query_one(ResultGrid).cursor)

    def _list(self, cursor: int) -> None:
        grid = self.query_one(ResultGrid)
        for place, run in enumerate(self._session.runs):
            grid.put(place, run)
        grid.set_ids(np.arange(len(self._session.runs), dtype=np.int32), cursor)
        self._explain()

    async def _fetch(self, places: Sequence[int]) -> list[RunRow]:
        return [self._session.runs[place] for place in places]

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
        self.refresh_bindings()

    @on(ResultGrid.Chosen)
    def _choose(self) -> None:
        if self._run is not None:
            self._session.open_run(self._run.run_id)
            self.dismiss()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what stopped before its end can go on, and only one run at a time."""
        if action == "resume":
            run = self._run
            resumable = run is not None and run.status in _RESUMABLE
            return resumable and not self._session.live.busy and not self._session.read_only
        return True

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

    def action_close(self) -> None:
        """Back to the questions."""
        self.dismiss()
