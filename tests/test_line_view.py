"""Panes of lines: the cursor stays in view whatever room the pane gets."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from rich.text import Text
from textual.app import App, ComposeResult

from tests.screen_help import SMALL
from tui.widgets.line_view import RowView

HEADER = 2
ROWS = 13


class Rows(RowView):
    """Rows that say their number."""

    def make_header(self, columns: int) -> Sequence[Text]:
        return [Text("header")] * HEADER

    def make_row(self, row: int, columns: int, *, current: bool) -> Sequence[Text]:
        return [Text(f"{'>' if current else ' '} {row}")]


class RowsApp(App[None]):
    """The pane alone."""

    def compose(self) -> ComposeResult:
        yield Rows()

    @property
    def seen(self) -> list[str]:
        """What is drawn below the header."""
        pane = self.query_one(Rows)
        return [pane.render_line(y).text.strip() for y in range(HEADER, pane.size.height)]


@pytest.mark.parametrize("height", [0, 1, HEADER, HEADER + 1, 6, 20])
@pytest.mark.parametrize("cursor", [0, 6, ROWS - 1])
async def test_the_cursor_is_in_view_once_there_is_room(height: int, cursor: int) -> None:
    app = RowsApp()
    async with app.run_test(size=SMALL) as pilot:
        pane = app.query_one(Rows)
        pane.styles.height = height
        await pilot.pause()
        pane.show_rows(ROWS, cursor)
        await pilot.pause()
        if height > HEADER:
            assert f"> {cursor}" in app.seen
        pane.styles.height = 8
        await pilot.pause()
        assert f"> {cursor}" in app.seen
        assert len([line for line in app.seen if line]) == 8 - HEADER


async def test_a_pane_that_was_hidden_begins_with_its_first_row() -> None:
    app = RowsApp()
    async with app.run_test(size=SMALL) as pilot:
        pane = app.query_one(Rows)
        pane.display = False
        await pilot.pause()
        pane.show_rows(ROWS, 0)
        pane.display = True
        await pilot.pause()
        assert app.seen[:3] == ["> 0", "1", "2"]
