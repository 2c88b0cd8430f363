"""The app around the screens: help, palette, themes, pictures, leaving, terminals without room."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from textual.command import CommandList, CommandPalette
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.widgets import Input

from engine.errors import StoreError
from engine.flags import FLAGS
from engine.runs import RunProgress
from engine.store import open_store
from tests.actions.covering import covers
from tests.screen_help import LARGE, SMALL, settle, text_of, until
from tui.actions import in_scope
from tui.app import ExplorerApp, run_explorer
from tui.screens.help import HelpScreen, sections, shown_keys
from tui.screens.leave import LeaveScreen
from tui.screens.questions import QuestionsScreen
from tui.screens.runs import RunsScreen
from tui.screens.too_small import TooSmallScreen
from tui.widgets.filter_bar import FilterInput
from tui.widgets.key_line import KeyLine
from tui.widgets.result_grid import ResultGrid

# Help


async def test_help_lists_every_key_of_what_has_the_focus(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        found = sections(explorer.query_one(ResultGrid))
        assert [section.title for section in found] == [
            "The list",
            "Questions",
            "Everywhere",
            "Flags",
        ]
        for section, scope in zip(found, ("grid", "questions", "app"), strict=False):
            expected = [
                (shown_keys(action, explorer), action.help)
                for action in in_scope(scope)
                if action.help and action.keys
            ]
            assert section.keys == expected != []
        assert len(found[-1].keys) == len(FLAGS)


@covers("app.help", "help.close")
async def test_question_mark_opens_help_and_escape_closes_it(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        for key in ("escape", "question_mark", "q", "f1"):
            await pilot.press("question_mark")
            await until(pilot, lambda: isinstance(explorer.screen, HelpScreen))
            await until(
                pilot, lambda: "Go to the previous row with that flag." in text_of(explorer)
            )
            await pilot.press(key)
            await until(pilot, lambda: isinstance(explorer.screen, QuestionsScreen))
        assert explorer.return_code is None


@covers("app.help_anywhere")
async def test_f1_explains_the_filter_where_a_question_mark_is_a_letter(
    explorer: ExplorerApp,
) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("slash", "question_mark")
        assert explorer.query_one(FilterInput).value == "?"
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(explorer.screen, HelpScreen))
        assert "A SQL condition over the columns of the list" in text_of(explorer)


async def test_f1_explains_what_opens_over_a_screen(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("p")
        await until(pilot, lambda: isinstance(explorer.screen, RunsScreen))
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(explorer.screen, HelpScreen))
        assert "Go on with a run that stopped before its end." in text_of(explorer)


# Palette and themes


async def open_palette(pilot: Pilot[int], query: str) -> None:
    await pilot.press("ctrl+p")
    await until(pilot, lambda: CommandPalette.is_open(pilot.app))
    commands = pilot.app.screen.query_one(CommandList)
    pilot.app.screen.query_one(Input).value = query
    await until(pilot, lambda: commands.option_count and not commands.loading, "commands")
    await pilot.pause(0.2)


async def test_the_palette_offers_what_can_be_done_now(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=(100, 200)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Change the theme" in text_of(explorer))
        shown = text_of(explorer)
        for action in (*in_scope("app"), *in_scope("questions"), *in_scope("grid")):
            refused = ("cancel_run", "clear_filter", "outer_line_back", "outer_line_on")
            if action.palette and action.name not in refused:
                assert action.title[1:] in shown
                assert action.help[:30] in shown
        assert "Cancel the run" not in shown


@covers("app.command_palette", "grid.last")
async def test_a_command_of_the_palette_is_carried_out(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await open_palette(pilot, "last row")
        await pilot.press("enter")
        await until(pilot, lambda: not CommandPalette.is_open(explorer))
        await until(pilot, lambda: explorer.session.position == 47)
        await open_palette(pilot, "sort by the next column")
        await pilot.press("enter")
        await settle(pilot)
        assert explorer.session.query is not None
        assert explorer.session.query.sort is not None


@covers("app.change_theme")
async def test_themes_are_changed_from_the_palette(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await open_palette(pilot, "change the theme")
        await pilot.press("enter")
        await until(pilot, lambda: "Search for themes" in text_of(explorer))
        commands = explorer.screen.query_one(CommandList)
        explorer.screen.query_one(Input).value = "textual-light"
        await until(pilot, lambda: commands.option_count == 1)
        await pilot.press("enter")
        await until(pilot, lambda: explorer.theme == "textual-light")


# Pictures


@covers("app.save_screen")
async def test_f12_saves_a_picture_and_says_where(
    explorer: ExplorerApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    monkeypatch.chdir(folder)
    async with explorer.run_test(size=LARGE, notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("f12")
        await until(pilot, lambda: [*folder.iterdir()])
        (picture,) = folder.iterdir()
        assert picture.read_text().startswith("<svg")
        await until(pilot, lambda: "Saved" in text_of(explorer))
        assert any(picture.name in told.message for told in explorer._notifications)


async def test_a_picture_that_cannot_be_saved_is_told(
    explorer: ExplorerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(explorer, "save_screenshot", refuse)
    async with explorer.run_test(size=LARGE, notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("f12")
        await until(pilot, lambda: "No space left" in text_of(explorer))


# Leaving


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("q", marks=covers("app.leave")),
        pytest.param("ctrl+q", marks=covers("app.leave_at_once")),
    ],
)
async def test_q_leaves(explorer: ExplorerApp, key: str) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await pilot.press(key)
    assert explorer.return_value == 0


@covers("app.leave")
@pytest.mark.parametrize(
    ("key", "stays"),
    [
        pytest.param("n", True, marks=covers("leave.close")),
        pytest.param("escape", True, marks=covers("leave.close")),
        pytest.param("y", False, marks=covers("leave.confirm")),
    ],
)
async def test_q_asks_while_a_run_is_going(explorer: ExplorerApp, key: str, stays: bool) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        explorer.session.live.run_going = True
        explorer.session.live.progress = RunProgress(1, "probing", 3, 0, 10)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(explorer.screen, LeaveScreen))
        assert "what it stored stays" in " ".join(text_of(explorer).split())
        await pilot.press(key)
        if stays:
            await until(pilot, lambda: isinstance(explorer.screen, QuestionsScreen))
    assert explorer.return_value == (None if stays else 0)


# Terminals without room


@pytest.mark.parametrize("size", [(40, 10), (79, 24), (80, 23), (1, 1)])
async def test_a_terminal_without_room_is_told_so(
    explorer: ExplorerApp, size: tuple[int, int]
) -> None:
    async with explorer.run_test(size=size) as pilot:
        await settle(pilot)
        assert isinstance(explorer.screen, TooSmallScreen)
        if size[0] > 20:
            words = " ".join(text_of(explorer).split())
            expected = f"This terminal is {size[0]}x{size[1]}; logitscope needs at least 80x24."
            assert words == expected
        await pilot.resize_terminal(*SMALL)
        await settle(pilot)
        assert isinstance(explorer.screen, QuestionsScreen)
        assert "row 1 of 48" in text_of(explorer)


async def test_a_terminal_may_shrink_and_grow_at_any_time(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("down", "p")
        await until(pilot, lambda: isinstance(explorer.screen, RunsScreen))
        for size in ((40, 10), (30, 8)):
            await pilot.resize_terminal(*size)
            await until(
                pilot,
                lambda size=size: f"{size[0]}x{size[1]};" in " ".join(text_of(explorer).split()),
            )
        await pilot.resize_terminal(*LARGE)
        await until(pilot, lambda: isinstance(explorer.screen, RunsScreen))
        await pilot.press("escape")
        assert explorer.session.position == 1


async def test_a_terminal_without_room_can_still_be_left(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=(40, 10)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+q")
    assert explorer.return_value == 0


# The line of keys


async def test_a_key_in_the_line_can_be_clicked(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        line = text_of(explorer).splitlines()[-1]
        assert "? help" in line
        assert "q quit" in line
        await pilot.click(KeyLine, offset=Offset(line.index("/ filter") + 2, 0))
        await until(pilot, lambda: isinstance(explorer.focused, FilterInput))
        line = text_of(explorer).splitlines()[-1]
        assert "back to the list" in line


# Opening


def test_a_database_of_a_newer_schema_is_refused_before_the_screen(sample_database: Path) -> None:
    store = open_store(sample_database)
    store._writer.execute("UPDATE meta SET schema_version = 999")
    store.close()
    with pytest.raises(StoreError, match="newer"):
        run_explorer(sample_database)


def test_a_file_that_is_no_database_is_refused_before_the_screen(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello " * 1000)
    with pytest.raises(StoreError):
        run_explorer(path)


def test_nothing_heavy_is_loaded_before_the_first_frame() -> None:
    code = (
        "import sys, tui.app, engine.store, tui.screens.questions\n"
        "heavy = {'pyarrow', 'torch', 'transformers', 'psutil', 'jinja2'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
