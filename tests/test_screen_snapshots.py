"""How every screen looks in three sizes and two themes; look at the report before accepting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.screen_help import settle, text_of, until
from tests.test_lab_snapshots import CUE, app, recorded
from tests.test_lab_snapshots import after as in_the_lab
from tests.test_study_snapshots import after, demo
from tui.app import ExplorerApp
from tui.screens.sql import SqlScreen
from tui.widgets.sql_editor import SqlEditor

__all__ = ["app", "demo", "recorded"]

SIZES = pytest.mark.parametrize(
    "size", [(80, 24), (120, 40), (160, 45)], ids=["80x24", "120x40", "160x45"]
)
THEMES = pytest.mark.parametrize(
    "theme", ["textual-dark", "logitscope-light"], ids=lambda name: name.split("-")[1]
)

Prepare = Callable[[Pilot[Any]], Awaitable[None]]
Compare = Callable[..., bool]

QUERY = """\
-- Where does the first token say something else than the text?
SELECT format, order_index, count(*) AS questions,
       sum(mismatch::INTEGER) AS mismatches, round(avg(entropy), 2) AS entropy
FROM listing GROUP BY ALL ORDER BY mismatches DESC"""


async def sql(pilot: Pilot[Any]) -> None:
    """Ask the store something and look at the result."""
    app = pilot.app
    assert isinstance(app, ExplorerApp)
    await app.push_screen(SqlScreen(app.session))
    editor = app.screen.query_one(SqlEditor)
    editor.cursor_blink = False
    editor.text = QUERY
    await pilot.press("f5")
    await settle(pilot)
    await until(pilot, lambda: "4 rows" in text_of(app), "the result")
    await pilot.press("f6", "down", "right")


SCREENS: dict[str, Prepare] = {
    "questions": after("down"),
    "question": after("n", "enter", "d"),
    "sql": sql,
    "runs": after("p", "space", "s", "down"),
    "study": after("s", "1", "down", *["right"] * 7),
}


def themed(theme: str, prepare: Prepare) -> Prepare:
    """Prepare a screen in a theme."""

    async def prepare_in_theme(pilot: Pilot[Any]) -> None:
        pilot.app.theme = theme
        await settle(pilot)
        await prepare(pilot)

    return prepare_in_theme


@SIZES
@THEMES
@pytest.mark.parametrize("screen", SCREENS)
def test_screen(
    demo: ExplorerApp,
    snap_compare: Compare,
    monkeypatch: pytest.MonkeyPatch,
    screen: str,
    theme: str,
    size: tuple[int, int],
) -> None:
    monkeypatch.setattr("tui.screens.sql._seconds", lambda seconds: "9 ms")
    assert snap_compare(demo, terminal_size=size, run_before=themed(theme, SCREENS[screen]))


@SIZES
@THEMES
def test_lab(app: ExplorerApp, snap_compare: Compare, theme: str, size: tuple[int, int]) -> None:
    assert snap_compare(app, terminal_size=size, run_before=themed(theme, in_the_lab(CUE)))
