"""The grid of a result: cells, cursor, columns, ranges, what is copied, drawn and asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Offset

from engine.sql.console import Console
from engine.sql.result import Result
from engine.store import open_store
from tui import clipboard
from tui.finding import Finder
from tui.values import as_tsv, copied, is_numeric, is_temporal, numeric, shown, whole
from tui.widgets.value_grid import LEAST_CELLS, MOST_CELLS, ValueGrid

Run = Callable[..., Result]


@pytest.fixture
def run(sample_database: Path) -> Iterator[Run]:
    """Runs one statement."""
    with open_store(sample_database) as store:
        console = Console(store)

        def one(sql: str, rows: int = 500) -> Result:
            (result,) = console.run(sql, first_rows=rows)
            assert isinstance(result, Result)
            return result

        yield one
        console.close()


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was copied."""
    texts: list[str] = []

    def copy(app: object, text: str) -> str:
        texts.append(text)
        return "the test"

    monkeypatch.setattr(clipboard, "copy", copy)
    return texts


class GridApp(App[None]):
    """The grid alone, and what it said."""

    CSS = "ValueGrid { height: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden; }"

    def __init__(self, result: Result) -> None:
        super().__init__()
        self.result = result
        self.said: list[object] = []

    def compose(self) -> ComposeResult:
        yield ValueGrid()

    def on_mount(self) -> None:
        self.grid = self.query_one(ValueGrid)
        self.grid.show(self.result)
        self.grid.focus()

    def on_value_grid_chosen(self, event: ValueGrid.Chosen) -> None:
        self.said.append("chosen")

    def on_value_grid_sort_wanted(self, event: ValueGrid.SortWanted) -> None:
        self.said.append(event.column)

    def on_value_grid_more_wanted(self, event: ValueGrid.MoreWanted) -> None:
        self.said.append("more")

    @property
    def lines(self) -> list[str]:
        return [strip.text for strip in self.screen._compositor.render_strips()]


@asynccontextmanager
async def grid_of(result: Result, size: tuple[int, int] = (60, 12)) -> Any:
    app = GridApp(result)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot


WIDE = "SELECT i AS id, " + ", ".join(f"i + {n} AS column_{n}" for n in range(20))


# Values


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        ("NULL", "NULL"),
        ("–", '"–"'),
        ("", ""),
        ("two\nlines\tand a tab\x1b", "two↵lines⇥and a tab␛"),
        (True, "true"),
        (0.1 + 0.2, "0.3"),
        (123456789.0, "123456789.0"),
        (1e300, "1e+300"),
        (Decimal("1.50"), "1.50"),
        ([1, None, "it's"], "[1, NULL, 'it''s']"),
        ({"code": "x", "n": 0.5}, "{code: 'x', n: 0.5}"),
        (b"\xe4\xbd", "\\xe4\\xbd"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02 03:04:05"),
    ],
)
def test_a_value_in_one_line(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_long_list_is_not_written_out_for_a_cell() -> None:
    assert len(shown(list(range(1_000_000)))) < 1_000


def test_the_whole_value_is_its_text_or_a_part_a_line() -> None:
    assert whole("a\nb") == "a\nb"
    assert whole(["ä", {"n": None}]) == '[\n  "ä",\n  {\n    "n": null\n  }\n]'
    assert whole(0.1 + 0.2) == "0.30000000000000004"


def test_what_is_copied_keeps_every_digit_and_character() -> None:
    assert [copied(each) for each in (None, "a\tb", 1 / 3, [1, float("nan")])] == [
        "", "a\tb", "0.3333333333333333", '[1, "nan"]',
    ]  # fmt: skip
    assert as_tsv(["a", "b"], [(1, "x\ty"), (None, 'say "hi"\n')]) == (
        'a\tb\n1\t"x\ty"\n\t"say ""hi""\n"\n'
    )


def test_types_and_numbers() -> None:
    assert all(map(is_numeric, ("INTEGER", "UBIGINT", "DOUBLE", "DECIMAL(18,3)", "HUGEINT")))
    assert not any(map(is_numeric, ("VARCHAR", "INTEGER[]", "BOOLEAN", "INTERVAL")))
    assert is_temporal("TIMESTAMP")
    assert not is_temporal("INTEGER")
    assert [numeric(each) for each in ("3", None, float("inf"), Decimal("2.5"), True)] == [
        None, None, None, 2.5, 1.0,
    ]  # fmt: skip


# Moving


@pytest.mark.parametrize(
    ("keys", "cursor"),
    [
        ("down j right l", (2, 2)),
        ("down down up k", (0, 0)),
        ("right right left h", (0, 0)),
        ("G", (299, 0)),
        ("G g", (0, 0)),
        ("end", (0, 20)),
        ("end home", (0, 0)),
        ("pagedown", (11, 0)),
        ("pagedown pagedown pageup", (11, 0)),
    ],
)
async def test_keys_move_the_cursor(run: Run, keys: str, cursor: tuple[int, int]) -> None:
    async with grid_of(run(f"{WIDE} FROM range(300) r(i)")) as (app, pilot):
        await pilot.press(*keys.split())
        assert app.grid.cursor == cursor


async def test_the_cell_under_the_cursor_is_always_in_view(run: Run) -> None:
    async with grid_of(run(f"{WIDE} FROM range(300) r(i)")) as (app, pilot):
        await pilot.press("G", "end")
        assert "column_19" in app.lines[0]
        assert any(re.search(r"▸ +318\b", line) for line in app.lines)
        await pilot.press("home")
        assert "id" in app.lines[0]
        assert "column_19" not in app.lines[0]


async def test_frozen_columns_stay(run: Run) -> None:
    async with grid_of(run(f"{WIDE} FROM range(3) r(i)")) as (app, pilot):
        await pilot.press("f", "end")
        assert app.lines[0].split()[0] == "id"
        assert "column_19" in app.lines[0]
        await pilot.press("f")
        assert app.lines[0].split()[0] != "id"


async def test_a_cursor_near_the_end_of_what_is_fetched_asks_for_more(run: Run) -> None:
    async with grid_of(run("FROM range(5000)", 1000)) as (app, pilot):
        assert "more" not in app.said
        await pilot.press("G")
        await pilot.pause()
        assert "more" in app.said


async def test_a_whole_result_asks_for_nothing(run: Run) -> None:
    async with grid_of(run("FROM range(50)")) as (app, pilot):
        await pilot.press("G")
        await pilot.pause()
        assert app.said == []


async def test_no_rows_and_no_result(run: Run) -> None:
    async with grid_of(run("SELECT 1 AS a WHERE false")) as (app, pilot):
        await pilot.press("down", "G", "enter", "y", "Y", "space", "V", "equals_sign")
        assert (app.grid.cursor, app.grid.row, app.said) == ((0, 0), None, [])
        app.grid.show(None)
        await pilot.press("down", "s", "greater_than_sign", "f")
        assert app.grid.column is None


# Columns


async def test_numbers_stand_at_the_right_and_texts_at_the_left(run: Run) -> None:
    async with grid_of(run("FROM (VALUES (7, 'x'), (1234567, 'yy')) v(number, text)")) as (app, _):
        assert app.lines[1].startswith(" ▸      7  x ")
        assert app.lines[2].startswith("  1234567  yy")


async def test_a_column_is_as_wide_as_its_values_up_to_a_limit(run: Run) -> None:
    async with grid_of(run("SELECT 'ab' AS a, repeat('x', 100) AS long")) as (app, pilot):
        assert f"{'x' * (MOST_CELLS - 1)}…" in app.lines[1]
        await pilot.press("right", "equals_sign")
        assert "x" * 56 in app.lines[1]
        await pilot.press(*["less_than_sign"] * 60)
        assert app.grid._widths[1] == LEAST_CELLS
        await pilot.press("greater_than_sign")
        assert app.grid._widths[1] == LEAST_CELLS + 2


async def test_wide_characters_keep_columns_straight(run: Run) -> None:
    sql = "FROM (VALUES ('日本語', 1), ('ab', 2), ('e\u0301', 3)) v(text, n)"
    async with grid_of(run(sql)) as (app, _):
        from rich.cells import cell_len

        ends = [cell_len(line.rstrip()) for line in app.lines[1:4]]
        assert len(set(ends)) == 1


async def test_null_is_not_the_text_null(run: Run) -> None:
    async with grid_of(run("FROM (VALUES ('NULL'), (NULL), (''), ('–')) v(t)")) as (app, _):
        assert [line.strip(" ▸") for line in app.lines[1:5]] == ["NULL", "–", "", '"–"']


async def test_more_rows_make_room_for_themselves(run: Run) -> None:
    result = run(
        "SELECT CASE WHEN i < 900 THEN 'a' ELSE 'a long text' END AS t FROM range(1000) r(i)"
    )
    async with grid_of(result) as (app, _):
        assert app.grid._widths == [LEAST_CELLS]
        result.fetch(1000)
        app.grid.grown()
        assert app.grid._widths == [len("a long text")]
        assert app.grid.rows == 1000


# Ranges and copying


async def test_shift_and_arrows_mark_a_range(run: Run, copies: list[str]) -> None:
    async with grid_of(run(f"{WIDE} FROM range(9) r(i)")) as (app, pilot):
        await pilot.press("down", "shift+down", "shift+right", "Y")
        assert copies == ["1\t1\n2\t2\n"]
        await pilot.press("shift+up", "shift+left", "ctrl+y")
        assert copies[1:] == ["id\n1\n"]
        await pilot.press("down")
        assert app.grid.marked is None


async def test_a_range_can_be_begun_and_let_go_of_by_a_key(run: Run, copies: list[str]) -> None:
    async with grid_of(run(f"{WIDE} FROM range(9) r(i)")) as (app, pilot):
        await pilot.press("V", "down", "right", "Y", "V", "y")
        assert copies == ["0\t0\n1\t1\n", "1"]
        assert app.grid.marked is None


async def test_without_a_range_the_row_is_copied(run: Run, copies: list[str]) -> None:
    async with grid_of(run("SELECT 1 AS a, 'b' AS b, NULL AS c")) as (_, pilot):
        await pilot.press("Y", "ctrl+y")
        assert copies == ["1\tb\t\n", "a\tb\tc\n1\tb\t\n"]


# The mouse


async def test_clicks_take_the_cursor_choose_and_sort(run: Run) -> None:
    async with grid_of(run("SELECT i AS first, i AS second FROM range(9) r(i)")) as (app, pilot):
        await pilot.click(ValueGrid, offset=Offset(11, 3))
        assert (app.grid.cursor, app.said) == ((2, 1), [])
        await pilot.click(ValueGrid, offset=Offset(11, 3), times=2)
        assert app.said == ["chosen"]
        await pilot.click(ValueGrid, offset=Offset(11, 0))
        assert app.said == ["chosen", 1]


# Finding


def hits(finder: Finder, delta: int, count: int, start: tuple[int, int] = (0, 0)) -> list[Any]:
    found = []
    for _ in range(count):
        hit = finder.next(*start, delta)
        assert hit is not None
        start = hit.row, hit.column
        found.append(start)
    return found


def test_finding_goes_round_in_both_directions(run: Run) -> None:
    result = run("FROM (VALUES ('Ab', 'x'), ('y', 'AB'), (NULL, 'cab')) v(a, b)")
    finder = Finder(result, "ab")
    assert hits(finder, 1, 4) == [(1, 1), (2, 1), (0, 0), (1, 1)]
    assert hits(finder, -1, 3) == [(2, 1), (1, 1), (0, 0)]
    assert finder.next(0, 0, 1) == (1, 1, 2, 3)
    assert hits(Finder(result, "AB"), 1, 2) == [(1, 1), (1, 1)]
    assert Finder(result, "nowhere").next(0, 0, 1) is None


def test_every_type_is_searched(run: Run) -> None:
    result = run(
        "SELECT 17 AS i, 0.25 AS d, [1, 42] AS l, {'k': 'needle'} AS s, true AS b, "
        "TIMESTAMP '2026-01-02' AS t, '\\xFF'::BLOB AS raw"
    )
    for sought, column in (("17", 0), ("25", 1), ("42", 2), ("needle", 3), ("tru", 4), ("2026", 5)):
        hit = Finder(result, sought).next(0, 6, 1)
        assert hit is not None
        assert hit.column == column


def test_rows_fetched_meanwhile_are_searched_too(run: Run) -> None:
    result = run("FROM range(3000) r(i)", 100)
    finder = Finder(result, "2999")
    assert finder.next(0, 0, 1) is None
    result.fetch(5000)
    assert finder.next(0, 0, 1) == (2999, 0, 1, 1)


async def test_a_million_cells_are_drawn_by_the_line(run: Run) -> None:
    result = run(f"{WIDE} FROM range(50000) r(i)", 50_000)
    async with grid_of(result, (160, 45)) as (app, pilot):
        drawn: list[int] = []
        line = app.grid._line

        def counting(row: int) -> Any:
            drawn.append(row)
            return line(row)

        app.grid._line = counting
        await pilot.press("G")
        assert len(set(drawn)) <= 45
        drawn.clear()
        await pilot.press("up")
        assert len(drawn) <= 4
