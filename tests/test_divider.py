"""The lines between panes: keys, mouse, memory, terminals that shrink."""

from __future__ import annotations

import pytest
from textual.geometry import Offset
from textual.pilot import Pilot

from tests.screen_help import LARGE, SMALL, settle, until
from tui.app import ExplorerApp
from tui.screens.question import QuestionScreen
from tui.widgets.divider import LEAST_WIDTH, Divider, dividers_of
from tui.widgets.preview import Preview
from tui.widgets.prompt_view import PromptView
from tui.widgets.readings_table import ReadingsTable


async def open_question(pilot: Pilot[int]) -> None:
    await settle(pilot)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, QuestionScreen))
    await settle(pilot)


def line(app: ExplorerApp, name: str) -> Divider:
    return next(each for each in app.screen.query(Divider) if each.name == name)


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_keys_move_the_nearest_line_and_the_next_one(
    explorer: ExplorerApp, size: tuple[int, int]
) -> None:
    async with explorer.run_test(size=size) as pilot:
        await open_question(pilot)
        prompt = explorer.screen.query_one(PromptView)
        prompt.focus()
        await pilot.pause()
        width, height = prompt.outer_size
        await pilot.press("right_square_bracket")
        await pilot.pause()
        assert prompt.outer_size.width == width + 4
        await pilot.press("alt+left", "alt+left")
        await pilot.pause()
        assert prompt.outer_size.width == width - 4
        await pilot.press("right_curly_bracket")
        await pilot.pause()
        assert prompt.outer_size.height == height + 1
        assert explorer.session.state.sizes == {
            "question.prompt.width": width - 4,
            "question.upper.height": height + 1,
        }


async def test_the_mouse_drags_a_line_and_a_double_click_resets_it(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await open_question(pilot)
        prompt, divider = explorer.screen.query_one(PromptView), line(explorer, "question.prompt")
        width = prompt.outer_size.width
        await pilot.mouse_down(divider, offset=Offset(0, 3))
        await pilot.hover(offset=Offset(divider.region.x + 9, divider.region.y + 3))
        assert divider.moving
        await pilot.mouse_up(offset=Offset(divider.region.x, divider.region.y + 3))
        await pilot.pause()
        assert not divider.moving
        assert prompt.outer_size.width == width + 9
        await pilot.click(divider, offset=Offset(0, 3), times=2)
        await until(pilot, lambda: prompt.outer_size.width == width)
        assert explorer.session.state.sizes == {}


async def test_a_line_that_sizes_what_comes_after_it(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        preview = explorer.screen.query_one(Preview)
        height = preview.outer_size.height
        await pilot.press("left_square_bracket", "left_square_bracket")
        await pilot.pause()
        assert preview.outer_size.height == height + 2


async def test_both_panes_keep_room_whatever_is_asked_for(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await open_question(pilot)
        prompt = explorer.screen.query_one(PromptView)
        readings = explorer.screen.query_one(ReadingsTable)
        divider = line(explorer, "question.prompt")
        divider.resize(1)
        await pilot.pause()
        assert prompt.outer_size.width == LEAST_WIDTH
        divider.resize(1000)
        await pilot.pause()
        assert readings.outer_size.width >= LEAST_WIDTH
        await pilot.resize_terminal(*SMALL)
        await settle(pilot)
        assert prompt.outer_size.width >= LEAST_WIDTH - 1
        assert readings.outer_size.width >= LEAST_WIDTH - 1


async def test_sizes_are_there_again_when_the_screen_is_opened_again(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await open_question(pilot)
        line(explorer, "question.prompt").resize(50)
        await pilot.press("escape")
        await open_question(pilot)
        assert explorer.screen.query_one(PromptView).outer_size.width == 50


async def test_a_pane_that_is_put_away_takes_its_line_with_it(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        divider = explorer.screen.query_one(Divider)
        assert divider.display
        await pilot.press("v")
        await until(pilot, lambda: not divider.display)
        assert list(dividers_of(explorer.focused or explorer.screen)) == []
        await pilot.press("v")
        await until(pilot, lambda: divider.display)


async def test_low_terminals_lose_no_line_to_it(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        assert not explorer.screen.query_one(Divider).display
        await pilot.resize_terminal(80, 40)
        await until(pilot, lambda: explorer.screen.query_one(Divider).display)
