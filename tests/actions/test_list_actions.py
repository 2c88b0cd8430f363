"""The list of questions: moving in it, and what only the palette offers."""

from __future__ import annotations

import pytest

from tests.actions.covering import covers
from tests.actions.palette import choose
from tests.screen_help import LARGE, SMALL, settle, text_of, until
from tests.test_result_grid import GridApp
from tui.app import ExplorerApp
from tui.screens.question import QuestionScreen
from tui.screens.questions import QuestionsScreen

ROWS, PAGE = 1000, 23
"""Rows of the grid, and how many of them 80x24 shows below the header."""


@pytest.mark.parametrize(
    ("keys", "start", "end"),
    [
        pytest.param("down,j", 500, 501, marks=covers("grid.cursor_down")),
        pytest.param("up,k", 500, 499, marks=covers("grid.cursor_up")),
        pytest.param("pagedown,ctrl+f", 500, 500 + PAGE, marks=covers("grid.page_down")),
        pytest.param("pageup,ctrl+b", 500, 500 - PAGE, marks=covers("grid.page_up")),
        pytest.param("ctrl+d", 500, 500 + round(PAGE / 2), marks=covers("grid.half_down")),
        pytest.param("ctrl+u", 500, 500 - round(PAGE / 2), marks=covers("grid.half_up")),
        pytest.param("home,g,ctrl+home", 500, 0, marks=covers("grid.first")),
        pytest.param("end,G,ctrl+end", 500, ROWS - 1, marks=covers("grid.last")),
    ],
)
async def test_the_cursor_of_a_list_moves(keys: str, start: int, end: int) -> None:
    app = GridApp(ROWS)
    async with app.run_test(size=SMALL) as pilot:
        for key in keys.split(","):
            app.grid.cursor = start
            await pilot.press(key)
            await until(pilot, lambda: app.grid.row == end, f"{key} to go to row {end}")
            lines = [line.split() for line in app.lines()]
            assert [line[1] for line in lines if line[0] == "▸"] == [str(end)]


@covers("questions.clear_filter", "questions.open_probe")
async def test_the_palette_clears_the_filter_and_opens_the_question(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        whole = len(explorer.session.listing or ())
        await pilot.press("slash", *"refusal", "enter")
        await settle(pilot)
        assert 0 < len(explorer.session.listing or ()) < whole
        await choose(pilot, "Clear filter")
        await settle(pilot)
        assert len(explorer.session.listing or ()) == whole
        assert isinstance(explorer.screen, QuestionsScreen)
        await choose(pilot, "Open the question")
        await settle(pilot)
        assert isinstance(explorer.screen, QuestionScreen)
        assert explorer.screen._probe_id == explorer.session.probe_id


@covers("app.command_palette")
async def test_a_number_finds_its_question_and_no_key(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await choose(pilot, "Open question 12", typed="12")
        await until(pilot, lambda: isinstance(explorer.screen, QuestionScreen), "the question")
        await settle(pilot)
        assert text_of(explorer).startswith(" question 12 · row 45 of 48 · gold ")


@covers("app.help_quit")
async def test_ctrl_c_says_which_keys_leave(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL, notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+c")
        await until(pilot, lambda: explorer._notifications)
        (said,) = (each.message for each in explorer._notifications)
        assert said == "q or ^q leaves the explorer."
        assert explorer.is_running
