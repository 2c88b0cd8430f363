"""Jump mode: letters on the parts of a screen."""

from __future__ import annotations

from textual.geometry import Offset
from textual.pilot import Pilot

from tests.screen_help import LARGE, SMALL, settle, text_of, until
from tui.app import ExplorerApp
from tui.jump import LETTERS, targets
from tui.screens.jump import JumpScreen
from tui.screens.question import QuestionScreen
from tui.widgets.filter_bar import FilterInput
from tui.widgets.result_grid import ResultGrid


async def jump(pilot: Pilot[int]) -> JumpScreen:
    await pilot.press("ctrl+g")
    await until(pilot, lambda: isinstance(pilot.app.screen, JumpScreen))
    await pilot.pause()
    assert isinstance(pilot.app.screen, JumpScreen)
    return pilot.app.screen


async def test_a_letter_goes_to_a_part(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        places = targets(explorer.screen)
        filtering = explorer.screen.query_one(FilterInput)
        letter = next(k for k, each in places.items() if each.go == filtering.focus)
        await jump(pilot)
        line = text_of(explorer).splitlines()[filtering.region.y]
        assert line[filtering.region.x : filtering.region.x + 3] == f" {letter} "
        await pilot.press(letter)
        await until(pilot, lambda: explorer.focused is filtering)
        await jump(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: explorer.focused is filtering)


async def test_a_letter_shows_a_tab(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await jump(pilot)
        await pilot.press(LETTERS[1])
        await settle(pilot)
        assert explorer.session.listing is not None
        assert explorer.session.listing.query.flag == "mismatch"


async def test_every_part_of_a_question_has_a_letter_that_leads_there(
    explorer: ExplorerApp,
) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(explorer.screen, QuestionScreen))
        await settle(pilot)
        reached = set()
        for letter in targets(explorer.screen):
            await jump(pilot)
            await pilot.press(letter)
            await until(pilot, lambda: isinstance(explorer.screen, QuestionScreen))
            await pilot.pause()
            reached.add(explorer.focused.id if explorer.focused is not None else None)
        assert reached >= {"prompt", "readings", "greedy", "sample", "distribution", "options"}


async def test_it_works_over_what_opens_over_a_screen(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await pilot.press("R")
        await until(pilot, lambda: explorer.screen.query("#start"))
        start = explorer.screen
        await pilot.pause()
        letter = list(targets(start))[2]
        await jump(pilot)
        await pilot.press(letter)
        await until(pilot, lambda: explorer.screen is start)
        await until(pilot, lambda: explorer.focused is targets(start)[letter].go.__self__)  # type: ignore[attr-defined]


async def test_a_letter_can_be_clicked_and_a_click_beside_stays(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        filtering = explorer.screen.query_one(FilterInput)
        await jump(pilot)
        await pilot.click(offset=filtering.region.offset + Offset(1, 0))
        await until(pilot, lambda: explorer.focused is filtering)
        await jump(pilot)
        await pilot.click(offset=Offset(100, 20))
        await until(pilot, lambda: not isinstance(explorer.screen, JumpScreen))
        assert explorer.focused is filtering


async def test_other_keys_do_nothing(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await jump(pilot)
        await pilot.press("9", "f5", "down")
        assert isinstance(explorer.screen, JumpScreen)
        await pilot.press("ctrl+g")
        await until(pilot, lambda: isinstance(explorer.focused, ResultGrid))
