"""What can be asked for everywhere: lines between panes, jump mode, the search of the help."""

from __future__ import annotations

import pytest

from tests.actions.covering import covers
from tests.actions.palette import choose
from tests.screen_help import LARGE, settle, text_of, until
from tui.app import ExplorerApp
from tui.screens.help import HelpScreen
from tui.screens.jump import JumpScreen
from tui.screens.question import QuestionScreen
from tui.widgets.prompt_view import PromptView


@pytest.mark.parametrize(
    ("key", "wider", "higher"),
    [
        pytest.param("left_square_bracket", -4, 0, marks=covers("app.line_back")),
        pytest.param("right_square_bracket", 4, 0, marks=covers("app.line_on")),
        pytest.param("left_curly_bracket", 0, -1, marks=covers("app.outer_line_back")),
        pytest.param("right_curly_bracket", 0, 1, marks=covers("app.outer_line_on")),
    ],
)
async def test_a_line_moves(explorer: ExplorerApp, key: str, wider: int, higher: int) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(explorer.screen, QuestionScreen))
        await settle(pilot)
        prompt = explorer.screen.query_one(PromptView)
        prompt.focus()
        await pilot.pause()
        width, height = prompt.outer_size
        await pilot.press(key)
        await pilot.pause()
        assert prompt.outer_size == (width + wider, height + higher)


@covers("app.reset_lines")
async def test_the_panes_get_their_own_sizes_again(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("left_square_bracket")
        assert explorer.session.state.sizes
        await choose(pilot, "Reset the panes")
        await until(pilot, lambda: not explorer.session.state.sizes)


@covers("app.jump", "jump.close")
async def test_letters_come_and_escape_puts_them_away(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        focused = explorer.focused
        await pilot.press("ctrl+g")
        await until(pilot, lambda: isinstance(explorer.screen, JumpScreen))
        await until(pilot, lambda: explorer.screen.query(".jump--letter"))
        await pilot.press("escape")
        await until(pilot, lambda: explorer.focused is focused)


@covers("help.search")
async def test_the_help_shows_only_what_holds_the_words(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(explorer.screen, HelpScreen))
        await pilot.press("slash", *"turn the order")
        await until(pilot, lambda: "Go to the previous row" not in text_of(explorer))
        assert "Turn the order round." in text_of(explorer)
