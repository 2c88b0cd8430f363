"""How the question screen looks; look at the report before accepting a change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import TextArea

from tests.question_views import (
    QuestionApp,
    edited_answer,
    grown,
    make_view,
    without_positions,
)
from tests.screen_help import LARGE, SMALL, until
from tui.events import AskDone

Compare = Callable[..., bool]


def after(*keys: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Press the keys once the question is there."""

    async def prepare(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: pilot.app.screen.query("TokenStrip") and _shown(pilot))
        screen: Any = pilot.app.screen
        if keys:
            await pilot.press(*keys)
        for _ in range(2):
            await pilot.pause()
            await until(pilot, lambda: not screen._position_due)
        await pilot.pause()

    return prepare


def _shown(pilot: Pilot[Any]) -> bool:
    return bool(pilot.app.screen.query_one("#greedy").border_title)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x45"])
def test_wide_and_broken_characters(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(
        QuestionApp([make_view(1)]), terminal_size=size, run_before=after("right", "s")
    )


def test_without_colour(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(QuestionApp(), terminal_size=SMALL, run_before=after("d"))


def test_prompt_tokens_and_options(snap_compare: Compare) -> None:
    assert snap_compare(QuestionApp(), terminal_size=SMALL, run_before=after("p", "l"))


def test_all_samples(snap_compare: Compare) -> None:
    assert snap_compare(QuestionApp(), terminal_size=SMALL, run_before=after("a", "down"))


def test_what_was_not_recorded(snap_compare: Compare) -> None:
    app: Any = QuestionApp([without_positions(make_view(0))])
    assert snap_compare(app, terminal_size=LARGE, run_before=after())


def test_raw_text(snap_compare: Compare) -> None:
    assert snap_compare(QuestionApp([make_view(1)]), terminal_size=SMALL, run_before=after("x"))


def test_override(snap_compare: Compare) -> None:
    assert snap_compare(QuestionApp(), terminal_size=SMALL, run_before=after("o", "down"))


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x45"])
def test_the_tree_of_texts(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = QuestionApp([grown(make_view(0))])
    assert snap_compare(app, terminal_size=size, run_before=after("t", "down", "down"))


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x45"])
def test_a_branch_and_the_choice_of_another(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def prepare(pilot: Pilot[Any]) -> None:
        await after()(pilot)
        screen: Any = pilot.app.screen
        screen._strips.show_text(-3)
        screen._distribution.focus()
        await after()(pilot)  # The distribution follows, and with it the choice begins anew.
        await after("down", "down", "down")(pilot)

    app = QuestionApp([grown(make_view(0))])
    assert snap_compare(app, terminal_size=size, run_before=prepare)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "140x45"])
def test_an_edited_prompt(snap_compare: Compare, size: tuple[int, int]) -> None:
    async def prepare(pilot: Pilot[Any]) -> None:
        await after("e")(pilot)
        await until(pilot, lambda: pilot.app.screen.query("#comparison"))
        session: Any = pilot.app.session  # type: ignore[attr-defined]
        pilot.app.screen.query_one(TextArea).cursor_blink = False
        await pilot.press("space")
        await until(pilot, lambda: session.asking.asked)
        await pilot.pause()
        session.tell(AskDone(session.last, edited_answer(make_view(0), session.last.prompt)))
        await pilot.pause()

    assert snap_compare(QuestionApp(), terminal_size=size, run_before=prepare)
