"""The small screens that the prompt lab opens, and the lab from a question."""

from __future__ import annotations

from pathlib import Path

from textual.geometry import Offset
from textual.widgets import Input, OptionList

from engine.runs import stored_plan
from tests.actions.covering import covers
from tests.lab_driver import Bench, Open
from tests.screen_help import settle, text_of, until
from tests.test_lab_screen import opened, recorded
from tui.screens.choose_format import ChooseFormatScreen
from tui.screens.lab import LabScreen
from tui.screens.question import QuestionScreen
from tui.screens.save import SaveScreen
from tui.screens.studies import StudyScreen
from tui.screens.sweep import SweepScreen
from tui.widgets.key_line import KeyLine

__all__ = ["opened", "recorded"]


async def click(bench: Bench, title: str) -> None:
    """Click a key in the line of keys."""
    line = bench.app.screen.query_one(KeyLine)
    x = line.render_line(0).text.index(title)
    assert await bench.pilot.click(line, offset=Offset(x, 0))
    await bench.pilot.pause()


@covers("save.submit")
async def test_a_click_on_save_does_what_enter_does(opened: Open, tmp_path: Path) -> None:
    async with opened() as bench:
        await bench.pilot.press("ctrl+s")
        screen = await bench.to(SaveScreen)
        screen.query_one(Input).value = "mine.toml"
        await click(bench, "save")
        await bench.to(LabScreen)
        assert (tmp_path / "mine.toml").read_text() == bench.editor.text


@covers("choose_format.close")
async def test_leaving_the_formats_keeps_the_one_there_is(opened: Open) -> None:
    async with opened() as bench:
        before = bench.editor.text
        await bench.pilot.press("ctrl+o")
        screen = await bench.to(ChooseFormatScreen)
        options = screen.query_one(OptionList)
        options.highlighted = options.get_option_index("low")
        await bench.pilot.press("escape")
        await bench.to(LabScreen)
        assert bench.editor.text == before


@covers("sweep.submit")
async def test_a_click_chooses_what_to_sweep_and_another_starts(opened: Open) -> None:
    async with opened() as bench:
        await bench.pilot.press("f8")
        screen = await bench.to(SweepScreen)
        options = screen.query_one(OptionList)
        place = options.get_option_index("label-style")
        assert await bench.pilot.click(options, offset=Offset(2, place))
        assert options.highlighted == place
        assert bench.app.screen is screen, "a click on the list starts nothing"
        screen.query_one("#limit", Input).value = "1"
        await click(bench, "start")
        study = await bench.to(StudyScreen)
        plan = stored_plan(bench.app.session.store, study._scope.runs[0])
        assert plan.sweep
        assert [point.label for point in plan.sweep.points] == ["A.", "(A)", "1."]


@covers("question.lab", "lab.close")
async def test_the_lab_opens_on_the_question_that_is_shown(opened: Open) -> None:
    async with opened() as bench:
        await bench.pilot.press("escape")
        await until(bench.pilot, lambda: not isinstance(bench.app.screen, LabScreen), "leaving")
        await bench.pilot.press("down", "down", "enter")
        await settle(bench.pilot)
        await bench.to(QuestionScreen)
        await bench.pilot.press("j", "L")
        lab = await bench.to(LabScreen)
        await until(bench.pilot, lambda: lab._results.baseline is not None, "the baseline")
        shown = bench.app.session.view(bench.app.session.probe_id or 0)
        assert f"question {shown.row.question_index + 1}" in text_of(bench.app).splitlines()[0]
        assert shown.row.question_index == 1
        await bench.pilot.press("escape")
        await bench.to(QuestionScreen)
