"""Driving the prompt lab in tests: the real explorer with a fake worker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from engine.client import WorkerClient
from engine.runs import execute, plan_run
from engine.store import open_store
from tests.fake_worker import fake_command
from tests.screen_help import LARGE, settle, until
from tests.test_runs import FORMATS, SETTINGS, write_questions
from tui.app import ExplorerApp
from tui.asking import TryFormat
from tui.events import AskStarted, SessionEvent
from tui.screens.lab import LabScreen
from tui.session import Session
from tui.widgets.comparison_view import ComparisonView
from tui.widgets.format_editor import FormatEditor
from tui.widgets.pinned_view import PinnedView


class Bench:
    """An open lab under test."""

    def __init__(self, pilot: Pilot[Any]) -> None:
        app = pilot.app
        assert isinstance(app, ExplorerApp)
        self.pilot, self.app = pilot, app
        self.heard: list[SessionEvent] = []
        app.session.signal.subscribe(app, self.heard.append)

    @property
    def lab(self) -> LabScreen:
        return next(each for each in self.app.screen_stack if isinstance(each, LabScreen))

    @property
    def editor(self) -> FormatEditor:
        return self.lab.query_one(FormatEditor)

    @property
    def pinned(self) -> PinnedView:
        return self.lab.query_one(PinnedView)

    @property
    def asked(self) -> list[TryFormat]:
        asks = [event.ask for event in self.heard if isinstance(event, AskStarted)]
        return [ask for ask in asks if isinstance(ask, TryFormat)]

    def lines(self, kind: type[Any]) -> str:
        return "\n".join(line.plain.rstrip() for line in self.lab.query_one(kind)._lines)

    def compared(self, name: str) -> str:
        lines = self.lines(ComparisonView).splitlines()
        return next(line for line in lines if line.startswith(name))

    async def open(self, *, restored: bool = False) -> None:
        await settle(self.pilot)
        if not restored:
            await self.pilot.press("L")
        await until(self.pilot, self._there, "the baseline")

    def _there(self) -> bool:
        screens = [each for each in self.app.screen_stack if isinstance(each, LabScreen)]
        return bool(screens) and screens[0]._results.baseline is not None

    async def write(self, text: str) -> None:
        """Put a text into the editor and wait for what comes of it."""
        self.lab._take(text)
        await self.quiet()

    async def quiet(self) -> None:
        """Wait until typing has paused and nothing is asked any more."""
        await self.pilot.pause()
        await until(self.pilot, lambda: self.lab._pause is None, "the pause")
        await until(self.pilot, lambda: not self.app.session.asking.going, "the answer")
        await until(self.pilot, lambda: not self.lab._results.stage, "the answer to be shown")
        await self.pilot.pause()

    async def to(self, kind: type[Any]) -> Any:
        await until(self.pilot, lambda: isinstance(self.app.screen, kind), str(kind))
        await self.pilot.pause()
        return self.app.screen


Open = Callable[..., AbstractAsyncContextManager[Bench]]


def record(folder: Path) -> Path:
    """Make a database with one run of the fake model: 16 questions in two formats."""
    plan = plan_run("fake", str(write_questions(folder, 16)), FORMATS, SETTINGS)
    with (
        open_store(folder / "runs.duckdb") as store,
        WorkerClient(command=fake_command(), log_path=folder / "log", niceness=0) as client,
    ):
        assert execute(store, plan, client).status == "finished"
    return folder / "runs.duckdb"


@asynccontextmanager
async def open_lab(
    path: Path,
    *arguments: str,
    size: tuple[int, int] = LARGE,
    restored: bool = False,
    **more: Any,
) -> AsyncIterator[Bench]:
    """The lab on the first question of a database; the arguments are those of the fake worker.

    ``restored``: it was left open, and comes again by itself.
    """

    def client() -> WorkerClient:
        return WorkerClient(
            command=fake_command("--templates", *arguments), log_path=path.with_name("log")
        )

    session = Session(open_store(path, **more), make_client=client, **more)
    try:
        async with ExplorerApp(session).run_test(size=size) as pilot:
            opened = Bench(pilot)
            await opened.open(restored=restored)
            yield opened
    finally:
        session.close()
