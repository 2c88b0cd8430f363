"""Changing the prompt of a probe by hand, and seeing what that does."""

from __future__ import annotations

import math
from typing import Any

import pytest
from textual.widgets import TextArea

from engine.errors import LogitscopeError
from engine.protocol import FirstToken, Loading, Wrote
from tests.actions.covering import covers
from tests.question_driver import Driver, opened
from tests.question_views import VOCABULARY, distribution, edited_answer, make_view
from tests.screen_help import LARGE, SMALL, until
from tui.asking import EditPrompt
from tui.comparison import Line, Side, compare, probed_side, stored_side
from tui.events import AskDone, AskFailed, AskSaw
from tui.screens.edit import EditScreen
from tui.screens.help import sections
from tui.screens.question import QuestionScreen
from tui.widgets.comparison_view import ComparisonView


async def edit(driver: Driver) -> EditScreen:
    """Open the editor."""
    await driver.press("e")
    screen = driver.app.screen
    assert isinstance(screen, EditScreen)
    return screen


async def asked(driver: Driver, count: int = 1) -> EditPrompt:
    """Wait until typing has paused and the model was asked."""
    await until(driver.pilot, lambda: len(driver.session.asking.asked) == count, "the pause")
    await driver.settle()
    ask = driver.session.last
    assert isinstance(ask, EditPrompt)
    return ask


def table(driver: Driver) -> str:
    view = driver.app.screen.query_one(ComparisonView)
    return "\n".join(line.plain.rstrip() for line in view._lines)


def line_of(driver: Driver, name: str) -> str:
    return next(line for line in table(driver).splitlines() if line.startswith(name))


async def answer(driver: Driver, ask: EditPrompt) -> Any:
    edited = edited_answer(make_view(0), ask.prompt)
    driver.session.tell(AskDone(ask, edited))
    await driver.settle()
    return edited


# The comparison


def figures(view: Any, now: Side | None) -> dict[str, Line]:
    texts = [option.text for option in view.question.options]
    return {line.name: line for line in compare(texts, stored_side(view), now)}


def answered(view: Any, prompt: str) -> Side:
    edited = edited_answer(view, prompt)
    return probed_side(edited.probe, edited.ready.vocabulary)


def test_figures_before_and_now_and_how_far_they_moved() -> None:
    view = make_view(0)
    lines = figures(view, answered(view, "x"))
    assert lines["A Venus"][1:4] == ("35.0%", "60.0%", "+25.0")
    assert lines["B Mercury"][1:4] == ("31.0%", "20.0%", "−11.0")
    assert lines["C Mars"][1:4] == ("5.0%", "5.0%", "±0")
    assert lines["A Venus"].shares == (0.35, pytest.approx(0.6))
    assert lines["prompt tokens"].change == "+1"
    assert lines["prompt tokens"].now.startswith("35 … ")
    assert lines["prompt tokens"].now.endswith("“·”")
    assert lines["top token 1"].now.startswith("“Sure” ")


def test_what_is_not_recorded_is_said() -> None:
    from tests.question_views import without_positions

    view = without_positions(make_view(0))
    lines = figures(view, None)
    assert lines["prompt tokens"].before == "–"
    assert lines["A Venus"].before == "–"
    assert all(not line.now and not line.change for line in lines.values())


# Typing


@pytest.mark.parametrize("size", [SMALL, LARGE, (160, 45)])
async def test_the_whole_prompt_is_there_and_the_cursor_at_its_end(size: tuple[int, int]) -> None:
    async with opened(size=size) as driver:
        screen = await edit(driver)
        area = screen.query_one(TextArea)
        assert area.text == make_view(0).prompt
        assert "<|im_start|>" in area.text
        assert area.cursor_location == area.document.end
        assert area.has_focus
        assert "35.0%" in line_of(driver, "A Venus")
        assert driver.session.asking.asked == []


@covers("question.edit")
async def test_the_model_is_asked_once_when_typing_pauses() -> None:
    async with opened() as driver:
        await edit(driver)
        await driver.press("S", "u", "r", "e")
        ask = await asked(driver)
        assert ask.prompt == make_view(0).prompt + "Sure"
        assert ask.probe_id == 1
        await driver.pilot.pause(0.4)
        assert len(driver.session.asking.asked) == 1


async def test_the_first_tokens_distribution_is_drawn_before_the_text() -> None:
    async with opened() as driver:
        await edit(driver)
        await driver.press("space")
        ask = await asked(driver)
        driver.session.tell(AskSaw(ask, Loading(1, "loading the weights")))
        await until(driver.pilot, lambda: "loading the weights" in driver.text)
        first = distribution("live", VOCABULARY[b"Sure"], 1)
        chances = [math.log(share) for share in (0.5, 0.3, 0.1, 0.05)]
        driver.session.tell(AskSaw(ask, FirstToken(1, 1, first, chances)))
        await until(driver.pilot, lambda: "50.0%" in table(driver))
        assert line_of(driver, "A Venus").endswith("+15.0")
        assert "“Sure”" in line_of(driver, "top token 1")
        driver.session.tell(AskSaw(ask, Wrote(1, 1, 0, [VOCABULARY[b"B"]])))
        await until(driver.pilot, lambda: line_of(driver, "now").endswith("▸B"))


async def test_the_whole_answer_and_its_warnings() -> None:
    async with opened() as driver:
        await edit(driver)
        await driver.press("space")
        await answer(driver, await asked(driver))
        assert table(driver).startswith("⚠ trailing-space")
        assert "The prompt ends in a space." in table(driver)
        assert "changed by hand" not in table(driver)
        assert line_of(driver, "baseline  ") == "baseline  B  The·correct·answer·is·B.·Mercury."
        assert line_of(driver, "now") == "now       A  ▸Sure!·A"
        assert "● live" not in driver.text


async def test_typing_on_asks_again_and_what_is_late_is_not_shown() -> None:
    async with opened() as driver:
        await edit(driver)
        await driver.press("x")
        first = await asked(driver)
        await driver.press("y")
        second = await asked(driver, 2)
        assert second.prompt.endswith("xy")
        await answer(driver, first)
        assert "Sure!·A" not in table(driver)
        await answer(driver, second)
        assert "Sure!·A" in table(driver)


@covers("edit.reset")
async def test_back_at_the_stored_prompt_its_answers_stand_alone() -> None:
    async with opened() as driver:
        await edit(driver)
        await driver.press("x")
        await answer(driver, await asked(driver))
        await driver.press("backspace")
        assert "Sure!·A" not in table(driver)
        await driver.press("y")
        await asked(driver, 2)
        await driver.press("ctrl+r")
        assert driver.session.asking.going is None
        assert driver.app.screen.query_one(TextArea).text == make_view(0).prompt


async def test_what_cannot_be_asked_is_said_beside_the_prompt() -> None:
    async with opened() as driver:
        await edit(driver)
        await driver.press("x")
        ask = await asked(driver)
        driver.session.tell(AskFailed(ask, "A run keeps another busy.", "Wait."))
        await driver.settle()
        assert table(driver).startswith("⚠ A run keeps another busy. Wait.")
        assert "35.0%" in line_of(driver, "A Venus")


# Keeping and leaving


@covers("edit.keep")
async def test_an_answer_is_kept_once() -> None:
    async with opened() as driver:
        await edit(driver)
        await driver.press("x")
        edited = await answer(driver, await asked(driver))
        await driver.press("ctrl+s")
        assert driver.session.kept == [edited]
        assert driver.notices == ["Kept as run 7, of kind edit."]
        await driver.press("ctrl+s")
        assert driver.session.kept == [edited]
        assert driver.notices[-1] == "It is kept already, as run 7."


async def test_only_an_answer_to_what_is_there_can_be_kept() -> None:
    async with opened() as driver:
        await edit(driver)
        await driver.press("ctrl+s")
        assert driver.notices[-1] == "This is the stored prompt: there is nothing to keep."
        await driver.press("x")
        await answer(driver, await asked(driver))
        await driver.press("y", "ctrl+s")
        assert driver.notices[-1] == "The answer to this prompt is not there yet."
        assert driver.session.kept == []


@covers("edit.close")
async def test_escape_takes_back_what_is_asked_and_leaves() -> None:
    async with opened() as driver:
        await edit(driver)
        await driver.press("x")
        await asked(driver)
        await driver.press("escape")
        assert isinstance(driver.app.screen, QuestionScreen)
        assert driver.session.asking.going is None
        assert "● live" not in driver.text


async def test_an_edit_does_not_disturb_the_question_below() -> None:
    async with opened() as driver:
        await edit(driver)
        await driver.press("x")
        ask = await asked(driver)
        await answer(driver, ask)
        await driver.press("escape")
        assert driver.title("#greedy") == "greedy · says B · 9 tokens"


# What can't be edited


async def test_a_prompt_without_recorded_tokens_is_not_edited() -> None:
    from tests.question_views import without_positions

    async with opened([without_positions(make_view(0))]) as driver:
        await driver.press("e")
        assert isinstance(driver.app.screen, QuestionScreen)
        assert driver.notices == [
            "The tokens of this prompt were not recorded: it can't be asked again."
        ]


async def test_a_probe_that_was_not_made_here_is_not_edited() -> None:
    async with opened() as driver:
        driver.session.unaskable = LogitscopeError("Nothing says how it was made.", "Run anew.")
        await driver.press("e")
        assert isinstance(driver.app.screen, QuestionScreen)
        assert driver.notices == ["Run anew."]


async def test_both_parts_explain_themselves() -> None:
    async with opened() as driver:
        screen = await edit(driver)
        found = sections(screen.query_one(ComparisonView))
        assert found[0].title == "baseline → now"
        assert any("ctrl+s" in keys or "^s" in keys for s in found for keys, _ in s.keys)
