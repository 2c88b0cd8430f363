"""The SQL screen: every key of its parts does what its help sentence says."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import OptionList

from engine.sql.result import Result
from tests.actions.covering import covers
from tests.actions.palette import choose
from tests.screen_help import SMALL, settle, text_of, until
from tests.sql_driver import editor, grid, open_sql, press, results, run, told
from tests.test_value_grid import WIDE, Run, copies, grid_of
from tests.test_value_grid import run as run_fixture
from tui.app import ExplorerApp
from tui.screens.question import QuestionScreen
from tui.screens.questions import QuestionsScreen
from tui.screens.sql import SqlScreen
from tui.widgets.completion_list import CompletionList
from tui.widgets.find_line import FindLine
from tui.widgets.schema_pane import SchemaPane, SchemaTree
from tui.widgets.value_chart import ValueChart

__all__ = ["copies", "run_fixture"]

ROWS = f"{WIDE} FROM range(300) r(i)"


# The rows


@pytest.mark.parametrize(
    ("keys", "start", "end"),
    [
        pytest.param("up,k", (5, 5), (4, 5), marks=covers("values.up")),
        pytest.param("down,j", (5, 5), (6, 5), marks=covers("values.down")),
        pytest.param("left,h", (5, 5), (5, 4), marks=covers("values.left")),
        pytest.param("right,l", (5, 5), (5, 6), marks=covers("values.right")),
        pytest.param("pageup,ctrl+b", (50, 5), (39, 5), marks=covers("values.page_up")),
        pytest.param("pagedown,ctrl+f", (50, 5), (61, 5), marks=covers("values.page_down")),
        pytest.param("g,ctrl+home", (50, 5), (0, 5), marks=covers("values.first")),
        pytest.param("G,ctrl+end", (50, 5), (299, 5), marks=covers("values.fetch_all")),
        pytest.param("home,0", (50, 5), (50, 0), marks=covers("values.first_column")),
        pytest.param("end,dollar_sign", (50, 5), (50, 20), marks=covers("values.last_column")),
    ],
)
async def test_keys_move_in_the_rows(
    run_fixture: Run, keys: str, start: tuple[int, int], end: tuple[int, int]
) -> None:
    async with grid_of(run_fixture(ROWS)) as (app, pilot):
        for key in keys.split(","):
            app.grid.go_to(*start)
            await pilot.press(key)
            assert app.grid.cursor == end


@pytest.mark.parametrize(
    ("key", "span"),
    [
        pytest.param("shift+up", (4, 5, 5, 5), marks=covers("values.mark_up")),
        pytest.param("shift+down", (5, 5, 6, 5), marks=covers("values.mark_down")),
        pytest.param("shift+left", (5, 4, 5, 5), marks=covers("values.mark_left")),
        pytest.param("shift+right", (5, 5, 5, 6), marks=covers("values.mark_right")),
    ],
)
async def test_keys_mark_a_range(run_fixture: Run, key: str, span: tuple[int, ...]) -> None:
    async with grid_of(run_fixture(ROWS)) as (app, pilot):
        app.grid.go_to(5, 5)
        await pilot.press(key)
        assert app.grid.marked == span


@covers("values.toggle_mark", "values.copy", "values.copy_rows", "values.copy_with_header")
async def test_a_value_a_row_and_a_range_are_copied(run_fixture: Run, copies: list[str]) -> None:
    async with grid_of(run_fixture("FROM (VALUES (1, 'x'), (2, 'y')) v(a, b)")) as (_, pilot):
        await pilot.press("y", "Y", "V", "down", "ctrl+y")
        assert copies == ["1", "1\tx\n", "a\n1\n2\n"]


@covers("values.narrower", "values.wider", "values.fit", "values.freeze")
async def test_columns_get_another_width_and_stay(run_fixture: Run) -> None:
    async with grid_of(run_fixture(ROWS)) as (app, pilot):
        width = app.grid._widths[0]
        await pilot.press("greater_than_sign")
        assert app.grid._widths[0] == width + 2
        await pilot.press("less_than_sign", "greater_than_sign", "greater_than_sign", "equals_sign")
        assert app.grid._widths[0] == width
        await pilot.press("f", "end")
        assert app.lines[0].split()[0] == "id"


@covers("values.choose", "values.view", "values.sort", "cell.copy", "cell.close")
async def test_a_row_is_sorted_seen_whole_and_opened(
    explorer: ExplorerApp, copies: list[str]
) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, "SELECT probe_id FROM probes WHERE probe_id IN (3, 5)")
        await press(pilot, "s", "s")
        assert grid(pilot).value == 5
        await press(pilot, "space", "y")
        assert copies == ["5"]
        await press(pilot, "escape", "enter")
        assert isinstance(explorer.screen, QuestionScreen)
        assert explorer.screen._probe_id == 5


# The screen


@covers("app.sql", "sql.run", "sql.next_pane", "sql.show_in_list", "sql.close")
async def test_the_list_is_asked_in_sql_and_shown_again(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot)
        for key in ("f5", "ctrl+r", "ctrl+j"):
            results(pilot).clear()
            await press(pilot, key)
            assert grid(pilot).rows == len(explorer.session.listing or ())
        await press(pilot, "f6")
        assert grid(pilot).has_focus
        await press(pilot, "f6")
        assert editor(pilot).has_focus
        await press(pilot, "f4")
        assert isinstance(explorer.screen, QuestionsScreen)
        await press(pilot, "escape", "escape")
        assert isinstance(explorer.screen, QuestionsScreen)
        assert len(explorer.screen_stack) == 1


@covers("sql.run_statement", "sql.next_result", "sql.previous_result")
async def test_one_statement_of_several_and_tabs(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot, "SELECT 'one' AS a; SELECT 'two' AS a; SELECT 'three' AS a")
        editor(pilot).move_cursor((0, 25))
        await press(pilot, "f8")
        assert (results(pilot).count, grid(pilot).value) == (1, "two")
        await press(pilot, "f5", "ctrl+pageup")
        assert grid(pilot).value == "two"
        await press(pilot, "ctrl+pagedown")
        assert grid(pilot).value == "three"


@covers("sql.format", "sql.open_editor", "sql_editor.undo", "sql_editor.redo")
async def test_the_text_is_laid_out_and_edited(
    explorer: ExplorerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.screens.sql.edited", lambda app, text: "SELECT 'edited'")
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot, "select a from listing where b")
        await press(pilot, "f7")
        assert editor(pilot).text.startswith("SELECT a\nFROM listing\nWHERE b")
        await press(pilot, "f2")
        assert editor(pilot).text == "SELECT 'edited'"
        await press(pilot, "ctrl+z", "ctrl+z")
        assert editor(pilot).text == "select a from listing where b"
        await press(pilot, "ctrl+y")
        assert editor(pilot).text.startswith("SELECT a\n")


@covers("sql_editor.complete", "sql_editor.suggest")
async def test_names_are_completed(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot, "")
        await press(pilot, "tab")
        assert editor(pilot).text == "  "
        editor(pilot).take("SELECT * FROM listi")
        await press(pilot, "tab")
        assert editor(pilot).text == "SELECT * FROM listing"
        editor(pilot).take("SELECT * FROM ")
        await press(pilot, "ctrl+@")
        popup = explorer.screen.query_one(CompletionList)
        assert popup.chosen is not None
        taken = popup.chosen.text
        await press(pilot, "tab")
        assert editor(pilot).text == f"SELECT * FROM {taken}"


@covers("sql_editor.older", "sql_editor.newer", "sql.show_history")
async def test_what_was_run_before_comes_back(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, "SELECT 1", focus=False)
        editor(pilot).take("SELECT 2")
        await press(pilot, "ctrl+up")
        assert editor(pilot).text == "SELECT 1"
        await press(pilot, "ctrl+down")
        assert editor(pilot).text == "SELECT 2"
        await press(pilot, "f3", "enter")
        assert editor(pilot).text == "SELECT 1"


@covers("sql.show_saved", "sql_list.down", "sql_list.up", "sql_list.choose", "sql_list.close")
async def test_saved_queries_are_looked_through(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot, "SELECT 'mine'")
        await press(pilot, "ctrl+o", "down", "down", "up")
        assert explorer.screen.query_one(OptionList).highlighted == 1
        await press(pilot, "escape")
        assert editor(pilot).text == "SELECT 'mine'"
        await press(pilot, "ctrl+o", "down", "enter")
        assert editor(pilot).text.startswith("--")


@covers("sql.save_query", "save_query.submit", "save_query.close")
async def test_a_query_is_saved(
    explorer: ExplorerApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOGITSCOPE_HOME", str(tmp_path))
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot, "SELECT 7")
        await press(pilot, "ctrl+s", "escape")
        assert isinstance(explorer.screen, SqlScreen)
        await press(pilot, "ctrl+s", *"seven", "enter")
        assert (tmp_path / "queries" / "seven.sql").read_text() == "SELECT 7\n"
        assert any("logitscope sql --saved seven" in words for words in told(pilot))


@covers("sql.export", "export.next_format", "export.submit", "export.close")
async def test_a_result_is_exported(
    explorer: ExplorerApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, "SELECT 7 AS seven")
        await press(pilot, "e", "escape")
        assert isinstance(explorer.screen, SqlScreen)
        await press(pilot, "e", "down", "down", "enter")
        await until(pilot, lambda: isinstance(explorer.screen, SqlScreen), "the export")
        assert (tmp_path / "result.jsonl").read_text() == '{"seven":7}\n'


@covers("sql.find", "find.submit", "find.close", "sql.find_next", "sql.find_previous")
async def test_a_text_is_found(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, "FROM (VALUES ('x'), ('ab'), ('y'), ('cab')) v(t)")
        await press(pilot, "slash", "escape")
        assert not explorer.screen.query_one(FindLine).display
        await press(pilot, "slash", *"ab", "enter")
        assert grid(pilot).cursor == (1, 0)
        await press(pilot, "n")
        assert grid(pilot).cursor == (3, 0)
        await press(pilot, "N")
        assert grid(pilot).cursor == (1, 0)


@covers("sql.toggle_chart", "chart.next_kind", "chart.next_x", "chart.next_y", "chart.next_series")
async def test_a_chart_is_drawn_and_changed(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, "SELECT format, count(*) AS n, avg(entropy) AS e FROM listing GROUP BY 1")
        await press(pilot, "v")
        chart = explorer.screen.query_one(ValueChart)
        said = [chart._described()]
        for key in ("y", "s", "x", "t"):
            await press(pilot, key)
            said.append(chart._described())
        assert said == [
            "bar · x format · y n · series none",
            "bar · x format · y e · series none",
            "bar · x format · y e · series format",
            "bar · x n · y e · series format",
            "histogram · x n · y rows · series format",
        ]
        await press(pilot, "v")
        assert grid(pilot).has_focus


@covers("chart.copy")
async def test_a_chart_is_copied(explorer: ExplorerApp, copies: list[str]) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, "SELECT 'a' AS name, 3 AS n")
        await press(pilot, "v", "c")
        assert "█" in copies[0]


@covers(
    "sql.toggle_schema",
    "schema.up",
    "schema.down",
    "schema.page_up",
    "schema.page_down",
    "schema.toggle",
    "schema.insert",
)
async def test_names_are_taken_from_the_schema(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot, "SELECT ")
        await press(pilot, "f9")
        tree = explorer.screen.query_one(SchemaTree)
        lines = []
        for key in ("pagedown", "pageup", "pageup", "down", "up"):
            await press(pilot, key)
            lines.append(tree.cursor_line)
        assert lines[0] > lines[1] >= lines[2] == 0
        assert lines[3:] == [1, 0]
        await press(pilot, "space", "down")
        assert tree.cursor_node is not None
        assert tree.cursor_node.data is not None
        name = tree.cursor_node.data.name
        about = tree.cursor_node.data.about
        assert about.split()[0] in text_of(explorer)
        await press(pilot, "enter")
        assert editor(pilot).text == f"SELECT {name}"
        assert editor(pilot).has_focus
        await press(pilot, "f9")
        assert not explorer.screen.query_one(SchemaPane).display


@covers("sql.unlock", "unlock.close", "unlock.confirm")
async def test_the_console_is_unlocked(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot)
        await press(pilot, "f10", "escape")
        assert "UNLOCKED" not in text_of(explorer)
        await press(pilot, "f10", "y")
        assert "UNLOCKED" in text_of(explorer)


async def test_the_palette_reaches_what_has_a_letter(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, "SELECT 'a' AS name, 3 AS n", focus=False)
        await choose(pilot, "Chart")
        await settle(pilot)
        assert explorer.screen.query_one(ValueChart).display
        assert isinstance(results(pilot).result, Result)
