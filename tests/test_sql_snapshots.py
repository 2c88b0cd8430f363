"""How screen 4 looks; look at the report before accepting a change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.screen_help import SMALL, settle
from tests.sql_driver import editor, open_sql, press
from tui.app import ExplorerApp
from tui.screens import sql as screen

SIZES = pytest.mark.parametrize(
    "size", [SMALL, (120, 40), (160, 45)], ids=["80x24", "120x40", "160x45"]
)
Compare = Callable[..., bool]

ROWS = """-- What the model writes where the first token says something else
SELECT probe_id, format, gold, first_token, entropy, greedy_text, question
FROM listing
WHERE mismatch OR question_index < 3
ORDER BY question_index, format, order_index"""
WIDE = """SELECT *
FROM (VALUES
    (1, 'NULL', NULL, 0.25, [1, 2, 3], {'name': '日本語', 'rtl': 'שלום'}),
    (2, '', '–', 1234567.125, [], {'name': e'tab\\tand\\nline', 'rtl': NULL})
) v(n, text, nothing, number, list, struct)"""
BARS = (
    "SELECT format, count(*) AS probes, avg(entropy) AS mean FROM listing GROUP BY ALL ORDER BY 1"
)


@pytest.fixture(autouse=True)
def _no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are on no picture."""
    monkeypatch.setattr(screen, "_seconds", lambda seconds: "12 ms")


def after(text: str, *keys: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Open the screen with a text and press keys."""

    async def prepare(pilot: Pilot[Any]) -> None:
        await open_sql(pilot, text)
        editor(pilot).cursor_blink = False
        await press(pilot, *keys)
        for line in pilot.app.screen.query(Input):
            line.cursor_blink = False
        await settle(pilot)

    return prepare


@SIZES
@pytest.mark.parametrize(
    ("text", "keys"),
    [
        pytest.param("", (), id="empty"),
        pytest.param(ROWS, ("f5", "f6", "down", "right"), id="rows"),
        pytest.param(WIDE, ("f5", "f6", "right", "shift+right", "shift+down"), id="values"),
        pytest.param(ROWS.replace("gold", "golden"), ("f5",), id="error"),
        pytest.param(BARS, ("f5", "f6", "v"), id="chart"),
        pytest.param("SELECT * FROM listing WHERE ", ("e", "n", "t"), id="completion"),
        pytest.param(WIDE, ("f5", "f6", "end", "space"), id="cell"),
        pytest.param("SELECT * FROM ", ("f9", "down"), id="schema"),
        pytest.param("", ("ctrl+o", "down"), id="saved"),
    ],
)
def test_sql(
    explorer: ExplorerApp,
    snap_compare: Compare,
    size: tuple[int, int],
    text: str,
    keys: tuple[str, ...],
) -> None:
    assert snap_compare(explorer, terminal_size=size, run_before=after(text, *keys))
