"""The command palette: everything that can be gone to and done, by its name."""

from __future__ import annotations

import pytest
from textual.command import CommandList, CommandPalette
from textual.pilot import Pilot
from textual.widgets import Input

from tests.actions.palette import choose
from tests.screen_help import LARGE, settle, text_of, until
from tui.app import ExplorerApp
from tui.places import PLACES, place_of
from tui.screens.question import QuestionScreen
from tui.screens.questions import QuestionsScreen
from tui.screens.studies import StudyScreen
from tui.widgets.value_grid import ValueGrid


async def listed(pilot: Pilot[int], query: str) -> list[str]:
    """The titles that a query brings up, best first."""
    app = pilot.app
    await pilot.press("ctrl+p")
    await until(pilot, lambda: CommandPalette.is_open(app) and app.screen.query(CommandList))
    await pilot.pause()
    commands = app.screen.query_one(CommandList)
    app.screen.query_one(Input).value = query
    await until(pilot, lambda: not commands.loading and commands.option_count)
    await pilot.pause(0.1)
    titles = [str(option.hit.text) for option in commands.options]  # type: ignore[attr-defined]
    await pilot.press("escape")
    await until(pilot, lambda: not CommandPalette.is_open(app))
    return titles


@pytest.mark.parametrize("place", [each for each in PLACES if each != "questions"])
async def test_every_screen_can_be_gone_to_and_left(explorer: ExplorerApp, place: str) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await choose(pilot, PLACES[place])
        await until(pilot, lambda: place_of(explorer) in (place, "runs"))
        await settle(pilot)
        await choose(pilot, PLACES["questions"])
        await until(pilot, lambda: isinstance(explorer.screen, QuestionsScreen))
        assert len(explorer.screen_stack) == 1


async def test_a_question_is_opened_by_its_number(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await choose(pilot, "Open question 7")
        await until(pilot, lambda: isinstance(explorer.screen, QuestionScreen))
        await settle(pilot)
        probe_id = explorer.session.probe_id
        assert probe_id is not None
        assert explorer.session.view(probe_id).row.question_index == 6
        await choose(pilot, "Open question 7000")
        await settle(pilot)
        assert len(explorer.screen_stack) == 2


async def test_a_question_that_the_list_leaves_out_is_opened_all_the_same(
    explorer: ExplorerApp,
) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        session = explorer.session
        assert session.query is not None
        await pilot.press("slash", *"entropy", "less_than_sign", "0", "enter")
        await settle(pilot)
        assert session.listing is not None
        assert len(session.listing) == 0
        await choose(pilot, "Open question 3")
        await until(pilot, lambda: isinstance(explorer.screen, QuestionScreen))
        await settle(pilot)
        assert "question 3" in text_of(explorer)


async def test_a_run_is_shown_by_its_name(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(explorer.screen, QuestionScreen))
        (name,) = [
            each for each in await listed(pilot, "show run 1") if each.startswith("Show run")
        ]
        await choose(pilot, name)
        await until(pilot, lambda: isinstance(explorer.screen, QuestionsScreen))


async def test_a_format_can_be_shown_alone_and_all_of_them_again(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        session = explorer.session
        assert session.run is not None
        name = session.run.formats[-1]
        await choose(pilot, f"Show the format {name} only")
        await settle(pilot)
        assert session.listing is not None
        assert session.listing.query.format == name
        await choose(pilot, "Show every format")
        await settle(pilot)
        assert session.listing.query.format is None


async def test_a_study_is_opened_by_its_name(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await choose(pilot, "Study: mismatch")
        await until(pilot, lambda: isinstance(explorer.screen, StudyScreen))


async def test_a_saved_query_is_brought_to_the_sql_screen(explorer: ExplorerApp) -> None:
    from engine.sql.saved import saved_queries
    from tui.screens.sql import SqlScreen

    query = next(each for each in saved_queries() if each.shipped)
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await choose(pilot, f"Query: {query.title}")
        await until(pilot, lambda: isinstance(explorer.screen, SqlScreen))
        await settle(pilot)
        assert explorer.session.state.sql_text == query.aimed(1)
        assert explorer.screen.query_one(ValueGrid).result is not None, "it is run at once"


async def test_the_rows_of_a_flag_are_shown_by_its_name(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await choose(pilot, "Show the flag refusal")
        await settle(pilot)
        assert explorer.session.query is not None
        assert explorer.session.query.flag == "refusal"


async def test_names_need_not_be_whole(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        assert "Theme: dracula" in await listed(pilot, "drcula")
        assert "Next flagged" in await listed(pilot, "nxt flag")


async def test_nothing_is_offered_that_is_not_there(explorer: ExplorerApp) -> None:
    explorer.session.store._writer.execute("DELETE FROM runs")
    app = ExplorerApp(explorer.session)
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, lambda: app.session.loaded)
        await settle(pilot)
        titles = await listed(pilot, "o")
        assert not [each for each in titles if each.startswith(("Open question", "Show "))]
