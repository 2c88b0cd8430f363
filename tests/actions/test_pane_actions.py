"""Panes of lines and panes of rows, wherever they stand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from rich.text import Text
from textual.app import App, ComposeResult

from tests.actions.covering import covers
from tui.widgets.line_view import LineView, RowView

LINES, HEIGHT = 200, 24


class Lines(LineView):
    """Numbered lines."""

    def make_lines(self, columns: int) -> Sequence[Text]:
        return [Text(f"line {number}") for number in range(LINES)]


class Rows(RowView):
    """Numbered rows, one line each."""

    def make_row(self, row: int, columns: int, *, current: bool) -> Sequence[Text]:
        return [Text(f"{'▸' if current else ' '} row {row}")]


class PaneApp(App[None]):
    """One pane that fills the terminal."""

    CSS_PATH = "../../tui/logitscope.tcss"

    def __init__(self, pane: LineView) -> None:
        super().__init__()
        self.pane = pane

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.pane.styles.border = self.pane.styles.padding = None
        self.pane.focus()


@pytest.mark.parametrize(
    ("key", "start", "end"),
    [
        pytest.param("up", 50, 49, marks=covers("pane.up")),
        pytest.param("down", 50, 51, marks=covers("pane.down")),
        pytest.param("pageup", 50, 50 - HEIGHT + 1, marks=covers("pane.page_up")),
        pytest.param("pagedown", 50, 50 + HEIGHT - 1, marks=covers("pane.page_down")),
    ],
)
async def test_a_pane_of_lines_scrolls(key: str, start: int, end: int) -> None:
    app = PaneApp(Lines())
    async with app.run_test(size=(80, HEIGHT)) as pilot:
        await pilot.pause()
        app.pane.scroll_to(y=start, animate=False, force=True)
        await pilot.pause()
        assert app.pane.render_line(0).text.split() == ["line", str(start)]
        await pilot.press(key)
        await pilot.pause()
        assert app.pane.render_line(0).text.split() == ["line", str(end)]


@pytest.mark.parametrize(
    ("key", "start", "end"),
    [
        pytest.param("up", 50, 49, marks=covers("rows.up")),
        pytest.param("down", 50, 51, marks=covers("rows.down")),
        pytest.param("pageup", 50, 50 - HEIGHT + 1, marks=covers("rows.page_up")),
        pytest.param("pagedown", 50, 50 + HEIGHT - 1, marks=covers("rows.page_down")),
    ],
)
async def test_the_cursor_of_a_pane_of_rows_moves_and_stays_in_view(
    key: str, start: int, end: int
) -> None:
    rows = Rows()
    app = PaneApp(rows)
    async with app.run_test(size=(80, HEIGHT)) as pilot:
        await pilot.pause()
        rows.show_rows(LINES, start)
        await pilot.press(key)
        await pilot.pause()
        assert rows.cursor == end
        shown = [rows.render_line(y).text.strip() for y in range(HEIGHT)]
        assert f"▸ row {end}" in shown
