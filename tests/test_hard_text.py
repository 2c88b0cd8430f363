"""Wide, unseen, joined and right-to-left text: exact to the cell, and never acting by itself."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec
import pexpect
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len, get_character_cell_size
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen

from engine.questions import Option, Question
from tests.hard_text import (
    ANY_TEXT,
    SPECIMENS,
    assert_exact,
    assert_exact_strips,
    hard_view,
    make_hard_store,
    pieces_of,
)
from tests.question_driver import opened
from tests.screen_help import DEADLINE, LARGE, SMALL, settle, until
from tests.test_preview import ROW
from tui.app import ExplorerApp
from tui.characters import KEEP_ORDER, REORDER, RIGHT_TO_LEFT_NOTE, is_right_to_left
from tui.screens.sql import SqlScreen
from tui.session import Session
from tui.widgets.flow import Flow
from tui.widgets.preview import lines_of
from tui.widgets.strip_pair import StripPair
from tui.widgets.token_strip import StripContent, TokenStrip
from tui.widgets.token_text import fit, visible, visible_bytes
from tui.widgets.value_grid import ValueGrid
from tui.words import one_line

EVERY_SPECIMEN = pytest.mark.parametrize("text", SPECIMENS.values(), ids=SPECIMENS.keys())

# Texts


@pytest.mark.parametrize(
    ("text", "token", "line"),
    [
        ("a\u200bb", "a⟨ZWSP⟩b", "a‥b"),
        ("👨\u200d👩", "👨⟨ZWJ⟩👩", "👨‥👩"),
        ("👍🏽", "👍⟨U+1F3FD⟩", "👍‥"),
        ("🇩🇪", "⟨RI D⟩⟨RI E⟩", "🇩🇪"),
        ("❤\ufe0f", "❤⟨VS16⟩", "❤‥"),
        ("1\ufe0f\u20e3", "1⟨VS16⟩◌\u20e3", "1‥\u20e3"),
        ("\u202eCBA", "⟨RLO⟩CBA", "‥CBA"),
        ("می\u200cخواهم", "می⟨ZWNJ⟩خواهم", "می\u200cخواهم"),
        ("\u0301a", "◌\u0301a", "◌\u0301a"),
        (" \u0301a", "·◌\u0301a", " \u0301a"),
        ("\u1161", "◌\u1161", "◌\u1161"),
        ("\u3164", "⟨U+3164⟩", "‥"),
        ("◌", "⟨U+25CC⟩", "◌"),
        ("a\tb\r\n", "a⇥b␍↵", "a⇥b␍↵"),
        ("\ud800", "⟨U+D800⟩", "‥"),
    ],
)
def test_what_is_shown_for_what_cannot_be(text: str, token: str, line: str) -> None:
    assert visible(text) == token
    assert one_line(text) == line


@given(ANY_TEXT)
@example("")
def test_any_text_has_one_width(text: str) -> None:
    for shown in (visible(text), one_line(text)):
        assert_exact(shown, cell_len(shown))
    assert bool(one_line(text)) == bool(text)


@given(ANY_TEXT)
def test_every_token_can_be_seen_and_clicked(text: str) -> None:
    for piece in pieces_of(text):
        shown = visible_bytes(piece)
        assert cell_len(shown) >= 1
        assert_exact(shown, cell_len(shown))


@given(ANY_TEXT, st.integers(0, 40))
def test_fit_is_exact(text: str, cells: int) -> None:
    assert_exact(fit(visible(text), cells), cells)
    assert_exact(fit(one_line(text), cells), cells)


@given(ANY_TEXT)
@settings(max_examples=50)
def test_tokens_say_which_characters_they_are(text: str) -> None:
    """Two texts are never shown the same."""
    assert visible(text) != visible(text + "\u200b") != visible(text + "\u200d")
    assert visible(text[::-1]) != visible(text) or text == text[::-1]


# Flowing


@given(st.lists(ANY_TEXT, max_size=12), st.integers(2, 30))
def test_cells_are_those_of_their_tokens(texts: list[str], columns: int) -> None:
    flow = Flow([visible(text) for text in texts], columns, {1: "◆"}, " ■ stop")
    for number, line in enumerate(flow.lines):
        text = "".join(piece.text for piece in line)
        assert_exact(text, cell_len(text))
        assert cell_len(text) <= columns
        owners = [
            piece.token
            for piece in line
            for character in piece.text
            for _ in range(get_character_cell_size(character))
        ]
        for column, owner in enumerate(owners):
            if owner >= 0:
                assert flow.token_at(number, column) == owner
    shown = "".join(piece.text for line in flow.lines for piece in line if piece.token >= 0)
    assert shown == "".join(visible(text) for text in texts)


# Widgets


@given(ANY_TEXT, st.integers(40, 120), st.sampled_from((7, 9)))
@settings(max_examples=60)
def test_a_preview_is_exact(text: str, width: int, height: int) -> None:
    row = msgspec.structs.replace(
        ROW, question=text, greedy_text=text, top_tokens=((text, 0.5), (text[:1], 0.1))
    )
    question = Question(text, tuple(Option(label, text) for label in "ABCD"))
    for line in lines_of(row, question, width, height):
        shown = "".join(words for words, _ in line)
        assert_exact(shown, cell_len(shown))
        assert cell_len(shown) <= width


def assert_exact_screen(screen: Screen[Any]) -> None:
    """Every line of the screen, and of every part that draws lines, has exactly its width."""
    assert_exact_strips(screen._compositor.render_strips(), screen.size.width)
    for part in screen.query("*"):
        if part.display and part.size.area and part.is_on_screen:
            inner = part.scrollable_content_region.width
            strips = part.render_lines(part.size.region)
            assert {strip.cell_length for strip in strips} <= {part.size.width, inner}
            for strip in strips:
                assert_exact(strip.text, strip.cell_length)


async def look_at_question(texts: list[str], size: tuple[int, int]) -> None:
    async with opened([hard_view(texts)], size) as question:
        assert_exact_screen(question.screen)
        for keys in (("p",), ("a",), ("a", "t"), ("t", "l"), ("end",), ("l", "tab", "tab", "down")):
            await question.press(*keys)
            assert_exact_screen(question.screen)


@EVERY_SPECIMEN
def test_the_question_screen_is_exact(text: str) -> None:
    asyncio.run(look_at_question([text], SMALL))


@given(st.lists(ANY_TEXT, min_size=3, max_size=8), st.sampled_from((SMALL, LARGE)))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_question_screen_is_exact_with_any_text(
    texts: list[str], size: tuple[int, int]
) -> None:
    asyncio.run(look_at_question(texts, size))


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_list_is_exact(tmp_path: Any, size: tuple[int, int]) -> None:
    session = Session(make_hard_store(tmp_path / "hard.duckdb"))
    app = ExplorerApp(session)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for _ in SPECIMENS:
            assert_exact_screen(app.screen)
            await pilot.press("down")
            await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert_exact_screen(app.screen)
        await pilot.press("x")
        await settle(pilot)
        assert_exact_screen(app.screen)
    session.close()


QUERY = "SELECT question, subject, text FROM listing JOIN generations USING (probe_id)"


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_what_sql_and_the_studies_show_is_exact(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    session = Session(make_hard_store(tmp_path / "hard.duckdb"))
    app = ExplorerApp(session)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await app.push_screen(SqlScreen(session, QUERY))
        await pilot.press("f5")
        await settle(pilot)
        await until(pilot, lambda: app.screen.query_one(ValueGrid).result is not None)
        await pilot.press("f6")
        for _ in range(40):
            await pilot.press("down", "right")
            await pilot.pause()
            assert_exact_screen(app.screen)
        await pilot.press("enter")
        await settle(pilot)
        assert_exact_screen(app.screen)
        while len(app.screen_stack) > 1:
            await app.pop_screen()
        for keys in (("p",), ("escape", "s"), ("down", "tab"), ("down", "tab")):
            await pilot.press(*keys)
            await settle(pilot)
            assert_exact_screen(app.screen)
    session.close()


class StripApp(App[None]):
    """One strip of hard tokens."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__()
        self.texts = texts

    def compose(self) -> ComposeResult:
        yield TokenStrip(id="strip")

    async def on_mount(self) -> None:
        self.query_one(TokenStrip).show(StripContent(tuple(map(visible, self.texts))))


async def test_a_click_on_any_cell_takes_the_token_under_it() -> None:
    texts = [*SPECIMENS.values()]
    app = StripApp(texts)
    async with app.run_test(size=(40, 24)) as pilot:
        await pilot.pause()
        strip = app.query_one(TokenStrip)
        for y, line in enumerate(strip._flow.lines[:20]):
            for piece in line:
                for x in {piece.column, piece.column + piece.cells - 1}:
                    await _click(pilot, x, y)
                    assert strip.cursor == piece.token


async def _click(pilot: Pilot[None], x: int, y: int) -> None:
    await pilot.click("#strip", offset=(x, y))


# Right to left


@pytest.mark.parametrize(
    ("text", "rtl"), [("שלום", True), ("a القاهرة", True), ("Kairo 42", False), ("日本", False)]
)
def test_right_to_left_text_is_known(text: str, rtl: bool) -> None:
    assert is_right_to_left(text) is rtl


async def test_right_to_left_text_is_said_to_be_in_the_order_written() -> None:
    async with opened([hard_view([SPECIMENS["arabic"]])], LARGE) as question:
        assert RIGHT_TO_LEFT_NOTE in question.title("#prompt")
        assert RIGHT_TO_LEFT_NOTE in question.title("#greedy")
        assert isinstance(question.strips, StripPair)
    async with opened([hard_view([SPECIMENS["chinese"]])], LARGE) as question:
        assert RIGHT_TO_LEFT_NOTE not in question.title("#prompt") + question.title("#greedy")


def test_the_terminal_is_told_to_keep_the_order(sample_database: Path) -> None:
    arguments = ["-m", "tui.cli", str(sample_database)]
    child = pexpect.spawn(sys.executable, arguments, dimensions=(24, 80), timeout=DEADLINE)
    child.expect_exact(KEEP_ORDER)
    child.expect("Questions|question 1")
    child.send("q")
    child.expect_exact(REORDER)
    child.expect(pexpect.EOF)
