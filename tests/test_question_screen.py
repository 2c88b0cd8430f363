from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from textual.widgets import TextArea

from engine import browse
from engine.protocol import FirstToken, Loading, Note, Wrote
from tests.actions.covering import covers
from tests.question_driver import Driver, opened
from tests.question_views import (
    VOCABULARY,
    FakeSession,
    QuestionApp,
    distribution,
    make_view,
    without_positions,
)
from tests.sample_store import make_sample_store, token_id
from tests.screen_help import LARGE, SMALL, settle, text_of, until
from tui.actions import bindings, in_scope
from tui.app import ExplorerApp
from tui.asking import Rerun
from tui.events import AskDone, AskFailed, AskSaw
from tui.screens.help import sections
from tui.screens.override import OverrideScreen
from tui.screens.question import QuestionScreen
from tui.screens.raw import RawScreen, hex_lines
from tui.session import Session
from tui.widgets.distribution import CHOSEN_MARK, DistributionView
from tui.widgets.key_line import KeyLine
from tui.widgets.options_panel import OptionsPanel
from tui.widgets.prompt_view import PromptView
from tui.widgets.readings_table import ReadingsTable
from tui.widgets.sample_list import SampleList
from tui.widgets.strip_pair import StripPair
from tui.widgets.token_strip import TokenStrip


@pytest.fixture
def clipboard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the terminal was asked to copy, on a machine without clipboard tools."""
    copied: list[str] = []
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(QuestionApp, "copy_to_clipboard", lambda _, text: copied.append(text))
    return copied


# What it shows


async def test_the_header_names_the_question_and_its_flags_in_words() -> None:
    async with opened() as driver:
        header = driver.text.split("\n")[:2]
        for word in (
            "question 1 · row 1 of 5",
            "astronomy",
            "format low",
            "order 0",
            "gold B Mercury",
        ):
            assert word in header[0]
        assert "⚑ mismatch" in header[1]
        assert "⚑ low margin" in header[1]
        assert "run demo run" in header[1]


async def test_a_survey_question_has_no_gold_option() -> None:
    async with opened([make_view(2)]) as driver:
        assert "no gold option" in driver.text


@pytest.mark.parametrize("size", [SMALL, (160, 45)])
async def test_every_part_is_on_the_screen(size: tuple[int, int]) -> None:
    async with opened(size=size) as driver:
        for kind in (PromptView, ReadingsTable, DistributionView):
            part = driver.part(kind)
            assert part.size.width >= 30
            assert part.size.height >= 5
        for strip in driver.screen.query(TokenStrip):
            assert strip.size.height >= 4
        options = driver.part(OptionsPanel)
        assert options.display == (size[0] >= 120)


async def test_the_keys_fit_eighty_columns() -> None:
    async with opened(size=SMALL) as driver:
        line = driver.part(KeyLine).render_line(0)
        assert line.cell_length == 80
        for word in ("esc", "divergence", "sample", "options"):
            assert word in line.text


async def test_the_prompt_shows_blanks_special_tokens_and_its_end() -> None:
    async with opened() as driver:
        assert "<|im_start|>user↵" in driver.text
        assert "Which·planet·is·closest·to·the·sun?↵" in driver.text
        assert "▏" in driver.text
        assert driver.title("#prompt") == "prompt · 34 tokens · chat template"


async def test_warnings_stay_in_view_with_their_codes() -> None:
    async with opened([make_view(1)], size=SMALL) as driver:
        prompt = driver.part(PromptView)
        assert "⚠ double-bos  trailing-space" in prompt.render_line(0).text
        assert "⚠ 2 warnings" in driver.title("#prompt")
        assert prompt.scroll_y > 0
        prompt.scroll_to(y=0, animate=False, force=True)
        await driver.settle()
        assert prompt.render_line(1).text.startswith("double-bos: The prompt begins")


async def test_a_long_prompt_is_scrolled_to_the_question() -> None:
    import msgspec

    view = make_view(0)
    shots = "Question: What?\nAnswer: A\n" * 100
    long_view = msgspec.structs.replace(view, prompt=shots + view.prompt, prompt_ids=())
    async with opened([long_view], size=SMALL) as driver:
        assert "Which·planet" in driver.text


async def test_readings_tell_answer_confidence_margin_and_rule() -> None:
    async with opened() as driver:
        rows = driver.text.split("\n")
        (first,) = [row for row in rows if "first token  " in row]
        for word in ("✗ A Venus", ".49", ".05", "argmax"):
            assert word in first
        assert any("several: A, D" in row for row in rows)
        assert any("rule declared · characters 22–23" in row for row in rows)


async def test_greedy_and_sample_titles_tell_what_they_say_and_where_they_part() -> None:
    async with opened() as driver:
        assert driver.title("#greedy") == "greedy · says B · 9 tokens"
        assert driver.title("#sample") == "sample 1 of 4 · says D · ◆ at 5 · 7 tokens"


async def test_what_the_selected_reading_matched_is_underlined() -> None:
    async with opened() as driver:
        greedy = driver.part(TokenStrip, "#greedy")

        def underlined(strip: TokenStrip) -> str:
            return "".join(s.text for s in strip.render_line(0) if s.style and s.style.underline)

        assert underlined(greedy) == "·B"
        driver.part(ReadingsTable).focus()
        await driver.press("down")
        assert underlined(greedy) == ""
        assert "·D" in underlined(driver.part(TokenStrip, "#sample"))


async def test_a_span_is_underlined_where_only_the_text_is_known() -> None:
    async with opened([without_positions(make_view(0))]) as driver:
        line = driver.part(TokenStrip, "#greedy").render_line(0)
        assert [s.text for s in line if s.style and s.style.underline] == ["B.·"]


async def test_bars_are_on_where_there_is_room_or_no_colour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with opened(size=LARGE) as driver:
        assert driver.strips.gauges
    async with opened(size=SMALL) as driver:
        assert not driver.strips.gauges
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(size=SMALL) as driver:
        assert driver.strips.gauges


async def test_bars_are_on_where_colours_cannot_be_mixed() -> None:
    app = QuestionApp()
    app.theme = "ansi-dark"
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, lambda: isinstance(app.screen, QuestionScreen), "the screen")
        await Driver(app, pilot).settle()
        assert app.screen.query_one(StripPair).gauges


async def test_without_positions_nothing_is_made_up() -> None:
    async with opened([without_positions(make_view(0))]) as driver:
        assert driver.title("#greedy") == "greedy · says B · tokens not recorded"
        assert "Distributions not recorded." in driver.text
        assert "label probabilities not recorded" in driver.text
        await driver.press("right", "d", "u", "home", "end")
        assert driver.cursors == (0, 0)
        await driver.press("p")
        assert "Prompt tokens not recorded." in driver.text


async def test_without_generations_the_first_distribution_is_shown() -> None:
    import msgspec

    view = msgspec.structs.replace(make_view(0), generations=(), readings=make_view(0).readings[:3])
    async with opened([view]) as driver:
        assert driver.title("#greedy") == "greedy not recorded"
        assert driver.title("#sample") == "samples not recorded"
        assert "first position" in driver.text
        assert "top 20 of 2,048 tokens" in driver.text
        await driver.press("right", "s", "d", "u", "x", "a")
        assert driver.notices


async def test_a_terminal_that_grows_and_shrinks() -> None:
    async with opened(size=SMALL) as driver:
        await driver.pilot.resize_terminal(160, 45)
        await driver.settle()
        assert driver.part(OptionsPanel).display
        await driver.pilot.resize_terminal(80, 24)
        await driver.settle()
        assert not driver.part(OptionsPanel).display
        assert "greedy" in driver.text


# Keys: the list


@covers("question.next_question", "question.previous_question")
async def test_next_and_previous_question_keep_the_view() -> None:
    async with opened() as driver:
        await driver.press("p", "s", "j")
        assert "question 2 · row 2 of 5" in driver.text
        assert driver.part(PromptView).as_tokens
        assert driver.title("#sample").startswith("sample 2 of 4")
        await driver.press("k")
        assert "question 1 · row 1 of 5" in driver.text
        await driver.press("k")
        assert driver.notices[-1] == "This is the first question of the list."


@covers("question.next_flagged", "question.previous_flagged")
async def test_next_and_previous_flagged() -> None:
    async with opened() as driver:
        await driver.press("n")
        assert "question 3 · row 3 of 5" in driver.text
        await driver.press("N")
        assert "question 1 · row 1 of 5" in driver.text
        await driver.press("N")
        assert driver.notices[-1] == "No question before this one is flagged mismatch."


async def test_escape_goes_back() -> None:
    async with opened() as driver:
        await driver.press("escape")
        assert not isinstance(driver.app.screen, QuestionScreen)


# Keys: the cursor


@covers(
    "question.next_token",
    "question.previous_token",
    "question.first_position",
    "question.last_token",
    "question.ten_on",
    "question.ten_back",
)
async def test_one_cursor_for_both_strips() -> None:
    async with opened() as driver:
        await driver.press("right", "right")
        assert driver.cursors == (2, 2)
        await driver.press("left")
        assert driver.cursors == (1, 1)
        await driver.press("end")
        assert driver.cursors == (8, 8)
        await driver.press("home")
        assert driver.cursors == (0, 0)
        await driver.press("ctrl+right")
        assert driver.cursors == (8, 8)
        await driver.press("ctrl+left")
        assert driver.cursors == (0, 0)


async def test_the_distribution_follows_cursor_and_focus() -> None:
    async with opened() as driver:
        assert "greedy, token 1 of 9" in driver.text
        await driver.press("right")
        assert "greedy, token 2 of 9" in driver.text
        driver.part(TokenStrip, "#sample").focus()
        await driver.settle()
        assert "sample 1, token 2 of 7" in driver.text
        await driver.press("end", "right", "right")
        assert "It ended before this token." in driver.text


async def test_a_click_moves_the_cursor_and_the_focus() -> None:
    async with opened() as driver:
        strip = driver.part(TokenStrip, "#sample")
        left, top = strip.content_offset
        await driver.pilot.click("#sample", offset=(left + 3, top))
        await driver.settle()
        assert driver.cursors == (1, 1)
        assert "sample 1, token 2 of 7" in driver.text


@covers("strip.down", "strip.up")
async def test_up_and_down_move_by_lines() -> None:
    async with opened(size=SMALL) as driver:
        await driver.press("down")
        assert driver.cursors == (8, 8)
        await driver.press("up")
        assert driver.cursors == (0, 0)


@covers("question.next_divergence")
async def test_next_divergence_goes_through_the_samples() -> None:
    async with opened() as driver:
        seen = []
        for _ in range(4):
            await driver.press("d")
            sample = driver.strips.below
            assert sample is not None
            seen.append((sample.index, driver.cursors[0]))
        assert seen == [(1, 4), (3, 0), (4, 1), (1, 4)]


async def test_no_divergence_is_said() -> None:
    import msgspec

    view = make_view(0)
    same = msgspec.structs.replace(view, generations=(view.generations[0], view.generations[2]))
    async with opened([same]) as driver:
        assert "same as greedy" in driver.title("#sample")
        await driver.press("d")
        assert driver.notices == ["No sample differs from the greedy text."]


@covers("question.next_surprising")
async def test_next_surprising_follows_the_strip_with_the_focus() -> None:
    async with opened() as driver:
        driver.part(TokenStrip, "#sample").focus()
        positions = driver.session.views[1].generations[1].positions
        expected = [
            index
            for index in range(1, len(positions))
            if positions.ranks[index] > 1 or positions.logprobs[index] < math.log(0.2)
        ]
        seen = []
        for _ in expected:
            await driver.press("u")
            seen.append(driver.cursors[0])
        assert seen == expected


# Keys: samples, panes


@covers("question.next_sample", "question.previous_sample")
async def test_next_and_previous_sample() -> None:
    async with opened() as driver:
        await driver.press("s")
        assert driver.title("#sample").startswith("sample 2 of 4")
        assert "same as greedy" in driver.title("#sample")
        await driver.press("S", "S")
        assert driver.title("#sample").startswith("sample 4 of 4")
        await driver.press("s")
        assert driver.title("#sample").startswith("sample 1 of 4")


@covers("question.all_samples")
async def test_all_samples_as_a_list() -> None:
    async with opened() as driver:
        await driver.press("a")
        listed = driver.part(SampleList)
        assert listed.display
        assert listed.has_focus
        rows = [listed.render_line(y).text for y in range(5)]
        assert "says" in rows[0]
        assert "◆ 5" in rows[1]
        assert " = " in rows[2]
        await driver.press("down", "down", "enter")
        assert not listed.display
        assert driver.title("#sample").startswith("sample 3 of 4")


async def test_a_selected_sample_reading_brings_its_sample_and_follows_it() -> None:
    async with opened() as driver:
        table = driver.part(ReadingsTable)
        table.focus()
        await driver.press("down", "down", "down")
        assert driver.title("#sample").startswith("sample 3 of 4")
        await driver.press("s")
        assert table.selected is not None
        assert table.selected.sample == 4


async def test_enter_on_a_reading_goes_to_what_it_matched() -> None:
    async with opened() as driver:
        driver.part(ReadingsTable).focus()
        await driver.press("enter")
        assert driver.part(TokenStrip, "#greedy").has_focus
        assert driver.cursors == (4, 4)


@covers("question.toggle_prompt")
async def test_the_prompt_as_tokens_with_ids() -> None:
    async with opened() as driver:
        await driver.press("p")
        assert driver.title("#prompt").startswith("prompt as tokens · 34 tokens")
        prompt = driver.part(PromptView)
        top, below = (prompt.render_line(y).text for y in (0, 1))
        assert top.split()[:2] == ["Which", "·planet"]
        ids = [str(VOCABULARY[piece]) for piece in (b"Which", b" planet")]
        assert below.split()[:2] == ids
        assert below.index(ids[1]) == top.index("·planet")
        await driver.press("p")
        assert driver.title("#prompt").startswith("prompt · ")


@covers("question.toggle_options")
async def test_labels_take_the_place_of_the_distribution_where_it_is_narrow() -> None:
    async with opened(size=SMALL) as driver:
        await driver.press("l")
        assert driver.part(OptionsPanel).display
        assert not driver.part(DistributionView).display
        await driver.press("l")
        assert driver.part(DistributionView).display


async def test_labels_take_the_focus_where_both_fit() -> None:
    async with opened() as driver:
        await driver.press("l")
        assert driver.part(OptionsPanel).has_focus
        await driver.press("l")
        assert driver.part(DistributionView).has_focus
        await driver.press("down", "pagedown", "pageup", "up")


@covers("question.toggle_bars")
async def test_bars_can_be_switched() -> None:
    async with opened(size=SMALL) as driver:
        await driver.press("v")
        assert driver.strips.gauges
        assert any(glyph in driver.text for glyph in "▁▂▃▄▅▆▇")
        await driver.press("v")
        assert not driver.strips.gauges


async def test_pane_rows_can_be_clicked() -> None:
    async with opened() as driver:
        table = driver.part(ReadingsTable)
        left, top = table.content_offset
        await driver.pilot.click("#readings", offset=(left + 4, top + 1))
        await driver.settle()
        assert table.cursor == 0
        await driver.pilot.click("#readings", offset=(left + 4, top))
        assert table.cursor == 0


# Keys: changes


@covers("question.mark")
@pytest.mark.parametrize("key", ["m", "space"])
async def test_mark(key: str) -> None:
    async with opened() as driver:
        await driver.press(key)
        assert "★ marked" in driver.text
        await driver.press(key)
        assert "★ marked" not in driver.text


@covers("question.override")
async def test_override_is_set_shown_apart_and_taken_back() -> None:
    async with opened() as driver:
        await driver.press("o")
        assert isinstance(driver.app.screen, OverrideScreen)
        assert "By rule declared: B." in driver.text
        await driver.press("down", "down", "enter")
        assert "override" in driver.text
        table = driver.part(ReadingsTable)
        assert table.render_line(1).text.split()[:4] == ["override", "✗", "C", "Mars"]
        assert "the override wins" in driver.text
        table.focus()
        await driver.press("up", "up", "up", "up")
        assert "set by hand; wins over the greedy text" in driver.text
        await driver.press("o", "up", "enter")
        assert driver.session.views[1].override is None
        assert "override" not in driver.text


async def test_an_override_can_be_a_status() -> None:
    async with opened() as driver:
        await driver.press("o", *["down"] * 4, "enter")
        override = driver.session.views[1].override
        assert override is not None
        assert (override.status, override.label) == ("refusal", None)


@covers("override.close")
@pytest.mark.parametrize("key", ["escape", "o"])
async def test_leaving_the_override_dialog_changes_nothing(key: str) -> None:
    async with opened() as driver:
        await driver.press("o", "down", key)
        assert isinstance(driver.app.screen, QuestionScreen)
        assert driver.session.views[1].override is None


# Raw text and bytes


def test_hex_lines() -> None:
    assert hex_lines(b"AB\n\xe4\xbd", 4) == [(0, "41 42 0a e4", "AB.."), (4, "bd", ".")]


@covers("question.raw", "raw.close")
async def test_raw_text_and_bytes_of_the_leading_generation() -> None:
    async with opened([make_view(1)]) as driver:
        await driver.press("x")
        raw = driver.app.screen
        assert isinstance(raw, RawScreen)
        area = raw.query_one(TextArea)
        assert area.text == driver.session.views[2].generations[0].text
        assert area.selected_text == "A"
        assert "e3 81 88" in driver.text
        await driver.press("escape")
        assert isinstance(driver.app.screen, QuestionScreen)


@covers("raw.copy")
async def test_raw_text_is_copied_exactly(clipboard: list[str]) -> None:
    async with opened([make_view(1)]) as driver:
        await driver.press("x", "y")
        assert clipboard == [driver.session.views[2].generations[0].text]


# Copying


COPIED: dict[str, Callable[[str], bool]] = {
    "#greedy": lambda text: text == "The correct answer is B. Mercury.",
    "#sample": lambda text: text == "The correct answer is D.",
    "#prompt": lambda text: text == make_view(0).prompt,
    "#readings": lambda text: text.split("\n")[4].startswith(
        "greedy text\toption\tB\t\t\tdeclared"
    ),
    "#distribution": lambda text: text.startswith("rank\tid\ttoken\tlogprob"),
    "#options": lambda text: "A Venus" in text and "“·A”" in text,
}


@covers("question.copy")
@pytest.mark.parametrize("selector", COPIED)
async def test_copy_takes_what_has_the_focus(selector: str, clipboard: list[str]) -> None:
    async with opened() as driver:
        driver.screen.query_one(selector).focus()
        await driver.press("y")
        (text,) = clipboard
        assert COPIED[selector](text)
        assert f"Copied {len(text):,} characters to the terminal" in driver.notices[-1]


async def test_copy_prefers_the_systems_own_tool(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    target = tmp_path / "clipboard"
    tool = tmp_path / "pbcopy"
    tool.write_text(f"#!/bin/sh\ncat > {target}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    async with opened() as driver:
        await driver.press("y")
        assert driver.notices[-1].endswith("to the clipboard (pbcopy).")
    assert target.read_text() == "The correct answer is B. Mercury."


# Live


@covers("question.rerun")
async def test_a_rerun_is_shown_while_it_runs() -> None:
    async with opened() as driver:
        first = distribution("live", VOCABULARY[b"A"], 1)
        ids = [VOCABULARY[piece] for piece in (b"B", b".")]
        await driver.press("r")
        ask = driver.session.last
        assert isinstance(ask, Rerun)
        assert ask.probe_id == 1
        assert "● live: starting the model" in driver.text
        await driver.tell(AskSaw(ask, Loading(1, "reading weights")))
        assert "● live: reading weights" in driver.text
        assert driver.title("#greedy") == "greedy · says B · 9 tokens"
        await driver.tell(AskSaw(ask, FirstToken(1, 1, first, [-0.1, -3.0, -4.0, -5.0])))
        assert "first position" in driver.text
        assert "90.5%" in driver.text
        assert driver.title("#greedy") == "greedy · live · 0 tokens"
        assert driver.title("#readings") == "readings of the stored answer"
        await driver.tell(AskSaw(ask, Wrote(1, 1, 0, [ids[0], ids[1]])))
        await driver.tell(AskSaw(ask, Wrote(1, 1, 1, [ids[1], None])))
        assert driver.title("#greedy") == "greedy · live · 2 tokens"
        assert driver.title("#sample") == "sample 1 of 1 · live · 1 token"
        assert "B. … writing" in driver.text
        assert driver.part(TokenStrip, "#sample").render_line(0).text.rstrip() == "."
        await driver.tell(AskSaw(ask, Note(1, "The batch was halved.")))
        assert "● live: The batch was halved." in driver.text
        await driver.tell(AskDone(ask, 3))
        assert "● live" not in driver.text
        assert driver.title("#readings") == "readings"
        assert driver.title("#greedy").startswith("greedy · says refusal")


async def test_a_second_rerun_takes_the_place_of_the_first() -> None:
    async with opened() as driver:
        await driver.press("r")
        first = driver.session.last
        await driver.press("r")
        assert driver.session.last is not first
        await driver.tell(AskSaw(first, Loading(1, "too late")))
        assert "● live: starting the model" in driver.text
        assert driver.notices == []


async def test_tokens_written_during_a_look_up_are_looked_up_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with opened() as driver:
        first = distribution("live", VOCABULARY[b"A"], 1)
        late = Wrote(1, 1, 1, [VOCABULARY[b"."], None])
        look_up = FakeSession.tokens

        async def slowly(session: FakeSession, run_id: int, ids: list[int]) -> Any:
            live = driver.screen._live
            if live is not None and not live.token_ids:
                live.see(late)
            return await look_up(session, run_id, ids)

        await driver.press("r")
        ask = driver.session.last
        monkeypatch.setattr(FakeSession, "tokens", slowly)
        await driver.tell(AskSaw(ask, FirstToken(1, 1, first, [-0.1, -3.0, -4.0, -5.0])))
        assert driver.title("#greedy") == "greedy · live · 1 token"
        assert "⟨id" not in driver.part(TokenStrip, "#greedy").render_line(0).text


async def test_an_id_that_nobody_knows_is_shown_by_number() -> None:
    async with opened() as driver:
        await driver.press("r")
        live = driver.screen._live
        assert live is not None
        live.see(Wrote(1, 1, 0, [7]))
        live.learn({}, live.unknown())
        assert live.unknown() == []
        assert live.tokens[7] == (None, b"", False)


async def test_a_rerun_goes_on_while_another_question_is_looked_at() -> None:
    async with opened() as driver:
        await driver.press("r", "j")
        ask = driver.session.last
        assert "● live" not in driver.text
        first = distribution("live", VOCABULARY[b"A"], 1)
        await driver.tell(AskSaw(ask, FirstToken(1, 1, first, [-0.1, -3.0, -4.0, -5.0])))
        await driver.tell(AskSaw(ask, Wrote(1, 1, 0, [VOCABULARY[b"B"]])))
        assert "question 2 · row 2 of 5" in driver.text
        assert "live" not in driver.title("#greedy")
        await driver.press("k")
        assert driver.title("#greedy") == "greedy · live · 1 token"
        await driver.press("j")
        await driver.tell(AskDone(ask, 3))
        assert "question 2 · row 2 of 5" in driver.text


async def test_a_failed_rerun_says_why_and_shows_the_stored_probe() -> None:
    async with opened() as driver:
        await driver.press("r")
        ask = driver.session.last
        await driver.tell(AskFailed(ask, "The model ran out of memory.", "Use a smaller batch."))
        assert driver.notices[-1] == "Use a smaller batch."
        assert driver.title("#greedy") == "greedy · says B · 9 tokens"


# With a store


async def test_on_a_real_store(tmp_path: Any) -> None:
    session = Session(make_sample_store(tmp_path / "sample.duckdb", questions=3))
    app = ExplorerApp(session)
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, QuestionScreen)
        assert "question 1 · row 1 of 12 · gold" in text_of(app)
        await pilot.press("j", "j")
        await settle(pilot)
        assert "row 3 of 12" in text_of(app)
        await pilot.press("m", "o", "down", "enter")
        await settle(pilot)
        assert "★ marked" in text_of(app)
        assert "set by hand" not in text_of(app)
        assert "the override wins" in text_of(app)
        await pilot.press("escape")
        await settle(pilot)
        assert not isinstance(app.screen, QuestionScreen)
        assert session.position == 2
    session.close()


async def test_token_ids_of_a_run_can_be_looked_up(tmp_path: Any) -> None:
    with make_sample_store(tmp_path / "sample.duckdb", questions=1) as store:
        wanted = token_id("The")
        entries = browse.token_entries(store, 1, [wanted, 10**6])
        assert entries == {wanted: ("The", b"The", False)}
        assert browse.token_entries(store, 99, [wanted]) == {}
        view = browse.probe_view(store, 1)
        assert view.first is not None
        assert view.first.top_ids == view.generations[0].positions.top_ids[0]


# The registry


def test_every_action_of_the_screen_has_its_method() -> None:
    for action in in_scope("question"):
        name = (action.call or action.name).split("(")[0]
        assert callable(getattr(QuestionScreen, f"action_{name}"))
    assert len(bindings("question")) >= len(in_scope("question"))


def test_no_key_of_the_screen_is_bound_twice() -> None:
    keys = [binding.key for binding in bindings("question")]  # type: ignore[union-attr]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    "selector", ["#greedy", "#sample", "#prompt", "#readings", "#distribution", "#options"]
)
async def test_every_part_explains_itself(selector: str) -> None:
    async with opened() as driver:
        found = sections(driver.screen.query_one(selector))
        assert len(found[0].words) > 60
        assert any("divergence" in key[1] or "parts" in key[1] for s in found for key in s.keys)


def test_chosen_mark_is_one_cell() -> None:
    from rich.cells import cell_len

    assert cell_len(CHOSEN_MARK) == 1
