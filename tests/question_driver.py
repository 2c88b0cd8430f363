"""Driving the question screen in tests: press keys, tell events, wait, look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from tests.question_views import FakeSession, QuestionApp
from tests.screen_help import LARGE, until
from tui.screens.question import QuestionScreen
from tui.widgets.distribution import DistributionView
from tui.widgets.strip_pair import StripPair
from tui.widgets.token_strip import TokenStrip


class Driver:
    """A question screen under test."""

    def __init__(self, app: QuestionApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def session(self) -> FakeSession:
        return self.app.session

    @property
    def screen(self) -> QuestionScreen:
        return next(each for each in self.app.screen_stack if isinstance(each, QuestionScreen))

    def part(self, kind: type[Any], selector: str | None = None) -> Any:
        return self.screen.query_one(selector, kind) if selector else self.screen.query_one(kind)

    @property
    def strips(self) -> StripPair:
        return self.part(StripPair)

    @property
    def cursors(self) -> tuple[int, int]:
        return self.part(TokenStrip, "#greedy").cursor, self.part(TokenStrip, "#sample").cursor

    @property
    def text(self) -> str:
        rows = self.app.screen._compositor.render_strips()
        return "\n".join(row.text for row in rows)

    def title(self, selector: str) -> str:
        return str(self.screen.query_one(selector).border_title)

    @property
    def distribution(self) -> str:
        return self.part(DistributionView).copied()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.settle()

    async def settle(self) -> None:
        for _ in range(2):
            await self.pilot.pause()
            await until(self.pilot, lambda: not any(w.is_running for w in self.app.workers))
            await until(self.pilot, lambda: not self._position_due)
        await self.pilot.pause()

    async def tell(self, *events: Any) -> None:
        for event in events:
            self.session.tell(event)
            await self.pilot.pause()
        await until(self.pilot, lambda: not self._drawing, "the drawing of what was written")
        await self.settle()

    @property
    def _position_due(self) -> bool:
        screens = [each for each in self.app.screen_stack if isinstance(each, QuestionScreen)]
        return any(screen._position_due for screen in screens)

    @property
    def _drawing(self) -> bool:
        live = self.screen._live
        return live is not None and live.drawing

    @property
    def notices(self) -> list[str]:
        return [each.message for each in self.app._notifications]


@asynccontextmanager
async def opened(
    views: list[Any] | None = None, size: tuple[int, int] = LARGE
) -> AsyncIterator[Driver]:
    app = QuestionApp(views)
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot)
        await until(pilot, lambda: isinstance(app.screen, QuestionScreen), "the screen")
        await driver.settle()
        yield driver
