"""The grid: any number of rows, fetched in windows, drawn line by line."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from textual.app import App, ComposeResult
from textual.geometry import Offset

from tests.screen_help import until
from tui.widgets.result_grid import KEPT_ROWS, WINDOW, Cell, Column, ResultGrid, place_columns

WIDE = "日本語のとても長い質問文です。これは折り返されません。"


def column(key: str, width: int, importance: int, **more: int) -> Column[int]:
    return Column(key, key, width, lambda row: Cell(f"{key}{row}"), importance, **more)


COLUMNS: tuple[Column[int], ...] = (
    Column("n", "n", 8, lambda row: Cell(str(row), "dim"), 100, right=True),
    Column("even", "even", 4, lambda row: Cell("yes" if row % 2 == 0 else "no", "good"), 50),
    Column(
        "text", "text", 10, lambda row: Cell((row % 3 and f"row {row}") or WIDE), 90, flexible=True
    ),
)


class GridApp(App[None]):
    """A grid of numbers that notes what is fetched; a closed gate holds fetches back."""

    CSS_PATH = "../tui/logitscope.tcss"

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.fetched: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.said: list[object] = []

    async def fetch(self, ids: Sequence[int]) -> list[int]:
        self.fetched.append(list(ids))
        await self.gate.wait()
        return list(ids)

    def compose(self) -> ComposeResult:
        yield ResultGrid(COLUMNS, self.fetch)

    @property
    def grid(self) -> ResultGrid[int]:
        return self.query_one(ResultGrid)

    def on_mount(self) -> None:
        self.grid.focus()
        self.grid.set_ids(np.arange(self.count, dtype=np.int32), 0)

    def on_result_grid_moved(self, event: ResultGrid.Moved) -> None:
        self.said.append(event.position)

    def on_result_grid_chosen(self, event: ResultGrid.Chosen) -> None:
        self.said.append(("chosen", event.position))

    def on_result_grid_header_clicked(self, event: ResultGrid.HeaderClicked) -> None:
        self.said.append(event.key)

    def lines(self) -> list[str]:
        return [self.grid.render_line(y).text for y in range(self.grid.size.height)]


# Columns


def test_all_columns_stand_where_there_is_room() -> None:
    placed = place_columns([column("a", 5, 1), column("b", 5, 2)], 11)
    assert [(p.column.key, p.x, p.width) for p in placed] == [("a", 0, 5), ("b", 6, 5)]


def test_the_least_important_column_goes_first() -> None:
    columns = [column("a", 5, 2), column("b", 5, 1), column("c", 5, 3)]
    assert [p.column.key for p in place_columns(columns, 16)] == ["a", "c"]
    assert [p.column.key for p in place_columns(columns, 6)] == ["c"]


def test_the_sorted_column_stays() -> None:
    columns = [column("a", 5, 2), column("b", 5, 1), column("c", 5, 3)]
    assert [p.column.key for p in place_columns(columns, 12, keep="b")] == ["b", "c"]


def test_room_goes_to_the_best_widths_and_then_to_the_flexible_column() -> None:
    columns = [column("a", 5, 2, best=8), column("b", 5, 1, flexible=1)]
    assert [p.width for p in place_columns(columns, 13)] == [7, 5]
    assert [p.width for p in place_columns(columns, 30)] == [8, 21]


def test_one_column_is_left_however_narrow_it_is() -> None:
    assert [p.width for p in place_columns([column("a", 5, 1), column("b", 5, 2)], 3)] == [3]


# Rows


async def test_a_million_rows_fetch_only_what_is_near() -> None:
    app = GridApp(1_000_000)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.grid.row == 0)
        await pilot.press("end")
        await until(pilot, lambda: app.grid.row == 999_999)
        assert app.lines()[-1].split()[1] == "999999"
        fetched = [row for window in app.fetched for row in window]
        assert len(fetched) == len(set(fetched)) <= 6 * WINDOW
        assert max(map(len, app.fetched)) <= 2 * WINDOW


async def test_a_row_that_is_not_there_yet_is_a_placeholder() -> None:
    app = GridApp(100_000)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.grid.row == 0)
        app.gate.clear()
        await pilot.press("end", "up")
        assert app.grid.row is None
        assert app.lines()[-1].split() == ["····" * 2]
        assert app.lines()[-2].split() == ["▸", "····" * 2]
        app.gate.set()
        await until(pilot, lambda: app.grid.row == 99_998)
        assert "99999" in app.lines()[-1]


async def test_moving_on_leaves_out_what_was_passed() -> None:
    app = GridApp(1_000_000)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.grid.row == 0)
        app.gate.clear()
        for place in (100_000, 200_000, 300_000, 400_000):
            app.grid.cursor = place
            await pilot.pause()
        app.gate.set()
        await until(pilot, lambda: app.grid.row == 400_000)
        fetched = [row for window in app.fetched for row in window]
        assert [row for row in fetched if 150_000 < row < 350_000] == []


async def test_the_memory_of_rows_is_bounded() -> None:
    app = GridApp(1_000_000)
    async with app.run_test(size=(80, 24)) as pilot:
        for place in range(0, 3 * KEPT_ROWS, WINDOW * 2):
            app.grid.cursor = place
            await until(pilot, lambda place=place: app.grid.row == place)
        assert len(app.grid._rows) <= KEPT_ROWS


async def test_every_line_is_as_wide_as_the_grid_wide_characters_too() -> None:
    app = GridApp(50)
    async with app.run_test(size=(43, 20)) as pilot:
        await until(pilot, lambda: app.grid.row == 0)
        widths = {app.grid.render_line(y).cell_length for y in range(app.grid.size.height)}
        assert widths == {app.grid.scrollable_content_region.width}
        assert app.lines()[1].rstrip().endswith("…")


async def test_new_ids_keep_the_cursor_at_its_height() -> None:
    app = GridApp(1000)
    async with app.run_test(size=(80, 24)) as pilot:
        app.grid.cursor = 500
        await pilot.press("up", "up", "up")
        height = app.grid.cursor - round(app.grid.scroll_y)
        app.grid.set_ids(np.arange(-300, 1000, dtype=np.int32), 797)
        await until(pilot, lambda: app.grid.row == 497)
        assert app.grid.cursor - round(app.grid.scroll_y) == height


async def test_new_ids_leave_a_view_of_the_first_row_where_it_is() -> None:
    app = GridApp(1000)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("down")
        app.grid.set_ids(np.arange(-3, 1000, dtype=np.int32), 4)
        await pilot.pause()
        assert (app.grid.cursor, round(app.grid.scroll_y)) == (4, 0)


async def test_a_grid_without_rows_stands_still() -> None:
    app = GridApp(0)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("down", "pagedown", "end", "enter", "home")
        assert app.grid.row is None
        assert not any(isinstance(said, tuple) for said in app.said)
        assert app.fetched == []


# Keys and mouse


@pytest.mark.parametrize(
    ("keys", "position"),
    [
        (["down", "j", "down"], 3),
        (["j", "j", "up", "k"], 0),
        (["pagedown"], 23),
        (["ctrl+f", "ctrl+f", "ctrl+b"], 23),
        (["pagedown", "pageup"], 0),
        (["ctrl+d"], 12),
        (["ctrl+d", "ctrl+u"], 0),
        (["end"], 999),
        (["G", "g"], 0),
        (["ctrl+end", "up"], 998),
        (["end", "home"], 0),
        (["end", "ctrl+home"], 0),
        (["up"], 0),
        (["end", "down", "pagedown"], 999),
    ],
)
async def test_keys_move_the_cursor(keys: list[str], position: int) -> None:
    app = GridApp(1000)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*keys)
        assert app.grid.cursor == position
        top = round(app.grid.scroll_y)
        assert top <= position < top + app.grid.size.height - 1


async def test_enter_chooses() -> None:
    app = GridApp(10)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("down", "enter")
        assert app.said == [1, ("chosen", 1)]


async def test_a_click_moves_the_cursor_and_a_second_one_chooses() -> None:
    app = GridApp(10)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.click(ResultGrid, offset=Offset(5, 4))
        assert app.grid.cursor == 3
        await pilot.click(ResultGrid, offset=Offset(5, 3), times=2)
        assert app.said[-1] == ("chosen", 2)


async def test_a_click_on_a_header_names_its_column() -> None:
    app = GridApp(10)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.click(ResultGrid, offset=Offset(12, 0))
        await pilot.click(ResultGrid, offset=Offset(30, 0))
        assert app.said == ["even", "text"]


async def test_the_wheel_scrolls_and_leaves_the_cursor() -> None:
    app = GridApp(1000)
    async with app.run_test(size=(80, 24)) as pilot:
        app.grid.scroll_down(animate=False)
        await pilot.pause()
        assert app.grid.cursor == 0
        assert "▸" not in "".join(app.lines())
        await pilot.press("down")
        assert round(app.grid.scroll_y) <= 1 == app.grid.cursor


async def test_the_sorted_column_has_an_arrow() -> None:
    app = GridApp(10)
    async with app.run_test(size=(80, 24)) as pilot:
        app.grid.set_columns(COLUMNS, ("n", True))
        await pilot.pause()
        assert "n▼" in app.lines()[0]
        app.grid.set_columns(COLUMNS, ("n", False))
        assert "n▲" in app.lines()[0]


async def test_a_changed_row_is_drawn_anew() -> None:
    app = GridApp(10)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.grid.row == 0)
        assert " 1 " in app.lines()[2]
        app.grid.put(1, 77)
        await pilot.pause()
        assert " 77 " in app.lines()[2]
