"""How screen 5 looks; look at the report before accepting a change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from textual.css.query import DOMQuery
from textual.pilot import Pilot
from textual.widget import Widget

from engine.store import open_store
from tests.screen_help import SMALL, settle, until
from tui.app import ExplorerApp
from tui.session import Session

WIDE = (160, 45)
SIZES = pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "160x45"])

Compare = Callable[..., bool]


@pytest.fixture
def demo(sample_database: Path) -> Iterator[ExplorerApp]:
    """The explorer on a database whose place and dates are on no picture."""
    with duckdb.connect(str(sample_database)) as connection:
        connection.execute("UPDATE runs SET started_at = TIMESTAMP '2026-01-02 03:04:05'")
    session = Session(open_store(sample_database), demo=True)
    yield ExplorerApp(session)
    session.close()


def after(*keys: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Press keys, each once the one before has shown what it does."""

    async def prepare(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)
            await until(pilot, lambda: all(pane.display for pane in _panes(pilot)), "the study")
        await pilot.pause()

    return prepare


def _panes(pilot: Pilot[Any]) -> DOMQuery[Widget]:
    return pilot.app.screen.query("#study-panes")


@SIZES
def test_bars(demo: ExplorerApp, snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(demo, terminal_size=size, run_before=after("s", "3", "v"))


@SIZES
def test_lines_on_a_light_screen(
    demo: ExplorerApp, snap_compare: Compare, size: tuple[int, int]
) -> None:
    demo.theme = "logitscope-light"
    assert snap_compare(demo, terminal_size=size, run_before=after("s", "4", "v"))


def test_the_notes(demo: ExplorerApp, snap_compare: Compare) -> None:
    assert snap_compare(demo, terminal_size=SMALL, run_before=after("s", "1", "shift+tab"))


def test_without_colour(
    demo: ExplorerApp, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    colourless = ExplorerApp(demo.session)
    keys = ("s", "1", "right", "right")
    assert snap_compare(colourless, terminal_size=WIDE, run_before=after(*keys))


def test_the_questions_behind_a_cell(demo: ExplorerApp, snap_compare: Compare) -> None:
    keys = ("s", "1", *["right"] * 5, "enter")
    assert snap_compare(demo, terminal_size=SMALL, run_before=after(*keys))
