"""More of one probe on the question screen: branches, extra samples, the tree of texts."""

from __future__ import annotations

from typing import Any

import pytest

from engine.protocol import Loading, Wrote
from tests.actions.covering import covers
from tests.question_driver import Driver, opened
from tests.question_views import (
    VOCABULARY,
    generation,
    greedy_of,
    grown,
    make_view,
    without_positions,
)
from tests.screen_help import SMALL
from tui.asking import Branch, MoreSamples, Rerun
from tui.events import AskCancelled, AskDone, AskFailed, AskSaw
from tui.screens.question import QuestionScreen
from tui.screens.raw import RawScreen
from tui.texts import Texts, name_of
from tui.widgets.distribution import ALTERNATIVE_MARK, CHOSEN_MARK, DistributionView
from tui.widgets.readings_table import ReadingsTable
from tui.widgets.sample_list import SampleList
from tui.widgets.text_tree import TextTree
from tui.widgets.token_strip import TokenStrip


def alternative(driver: Driver) -> int | None:
    pane: DistributionView = driver.part(DistributionView)
    return pane.alternative


def choose(driver: Driver, token_id: int) -> None:
    """Put the cursor of the distribution on a token, made-up or not."""
    pane: DistributionView = driver.part(DistributionView)
    pane._shown = [(1, token_id, -1.0, None)]
    pane.cursor = 0


def lines(driver: Driver, kind: type[Any]) -> list[str]:
    return [line.plain.rstrip() for line in driver.part(kind)._lines]


# The texts


def test_every_text_knows_what_it_is_compared_with() -> None:
    texts = Texts(grown(make_view(0)))
    named = {name_of(text): text for text in texts.compared}
    parents = {name: texts.parent(text) for name, text in named.items()}
    assert {name: text and name_of(text) for name, text in parents.items()} == {
        **{f"sample {n}": "greedy" for n in range(1, 5)},
        **{f"extra sample {n}": "greedy" for n in (5, 6)},
        "branch 1": "greedy",
        "branch 2": "branch 1",
        "branch 3": "sample 1",
    }
    assert texts.divergence(named["branch 2"]) == 4
    assert texts.divergence(named["extra sample 6"]) == 0
    assert texts.title(named["extra sample 6"]) == "extra sample 6 of 4 + 2"
    assert texts.title(named["sample 2"]) == "sample 2 of 4"
    assert texts.greedy is not None
    assert texts.parent(texts.greedy) is None


def test_what_comes_before_a_fork_belongs_to_the_text_that_was_left() -> None:
    texts = Texts(grown(make_view(0)))
    nested = texts.get(-2)
    assert nested is not None
    assert [texts.origin(nested, place).index for place in range(6)] == [0, 0, 0, 0, -1, -2]


def test_a_branch_whose_parent_is_not_there_stands_alone() -> None:
    import msgspec

    view = grown(make_view(0))
    left = tuple(text for text in view.generations if text.index != -1)
    rows = Texts(msgspec.structs.replace(view, generations=left)).tree()
    assert [row.text.index for row in rows][-1] == -2


def test_the_tree_hangs_every_branch_under_the_text_it_leaves() -> None:
    rows = Texts(grown(make_view(0))).tree()
    assert [row.text.index for row in rows] == [0, -1, -2, 1, -3, 2, 3, 4, 5, 6]
    assert rows[1].label.startswith("└ at 4 “·isn't” ")
    assert rows[2].label.startswith("  └ at 5 “·A” ")
    assert rows[4].label.startswith("└ at 2 “·only” ")
    assert rows[1].words.startswith("…·isn't·B.")
    assert [row.says for row in rows[:3]] == ["B", "unparsed", "A"]


def test_siblings_share_a_rail() -> None:
    import msgspec

    view = grown(make_view(0))
    moved = tuple(
        msgspec.structs.replace(text, parent=0) if text.index == -3 else text
        for text in view.generations
    )
    rows = Texts(msgspec.structs.replace(view, generations=moved)).tree()
    assert [row.label[:4] for row in rows[1:4]] == ["├ at", "└ at", "  └ "]


# Choosing an alternative


async def test_the_likeliest_token_that_was_not_written_is_the_first_choice() -> None:
    async with opened() as driver:
        greedy = greedy_of(make_view(0)).positions
        assert alternative(driver) == greedy.top_ids[0][1]
        await driver.press("tab")
        sample = make_view(0).generations[1].positions
        assert sample.ranks[0] == 2
        assert alternative(driver) == sample.top_ids[0][0]


async def test_up_and_down_step_over_the_token_that_was_written() -> None:
    async with opened() as driver:
        ids = greedy_of(make_view(0)).positions.top_ids[0]
        pane = driver.part(DistributionView)
        pane.focus()
        await driver.press("up")
        assert alternative(driver) == ids[1]
        await driver.press("down", "down")
        assert alternative(driver) == ids[3]
        await driver.press("pagedown", "pagedown")
        assert alternative(driver) == ids[-1]
        marked = [line for line in lines(driver, DistributionView) if ALTERNATIVE_MARK in line]
        assert len(marked) == 1
        assert str(ids[-1]) in marked[0]
        assert sum(CHOSEN_MARK in line for line in lines(driver, DistributionView)) == 1


async def test_a_written_token_in_the_middle_is_passed_both_ways() -> None:
    async with opened() as driver:
        await driver.press("tab")
        positions = make_view(0).generations[1].positions
        assert positions.ranks[0] == 2
        driver.part(DistributionView).focus()
        await driver.press("down")
        assert alternative(driver) == positions.top_ids[0][2]
        await driver.press("up")
        assert alternative(driver) == positions.top_ids[0][0]


# Branching


@covers("question.branch")
async def test_b_takes_the_alternative_at_the_cursor() -> None:
    async with opened() as driver:
        ids = greedy_of(make_view(0)).positions
        await driver.press("right", "right", "b")
        ask = driver.session.last
        assert isinstance(ask, Branch)
        assert (ask.probe_id, ask.sample) == (1, 0)
        assert ask.beginning == (*ids.token_ids[:2], ids.top_ids[2][1])


async def test_enter_on_an_alternative_branches_off() -> None:
    async with opened() as driver:
        driver.part(DistributionView).focus()
        await driver.press("down", "enter")
        assert driver.session.last.beginning == (greedy_of(make_view(0)).positions.top_ids[0][2],)


async def test_a_key_that_comes_before_the_drawing_takes_the_alternative_at_the_cursor() -> None:
    async with opened() as driver:
        driver.strips.move_cursor(2)
        driver.screen.action_branch()
        greedy = greedy_of(make_view(0)).positions
        taken = next(each for each in greedy.top_ids[2] if each != greedy.token_ids[2])
        assert driver.session.last.beginning == (*greedy.token_ids[:2], taken)


async def test_a_branch_leaves_the_text_that_leads() -> None:
    async with opened() as driver:
        await driver.press("s", "tab", "right", "b")
        ask = driver.session.last
        sample = make_view(0).generations[2].positions
        assert ask.sample == 2
        assert ask.beginning[:-1] == tuple(sample.token_ids[:1])


async def test_a_branch_is_shown_while_it_is_written_and_then_read_again() -> None:
    async with opened() as driver:
        await driver.press("right", "right", "right", "b")
        ask = driver.session.last
        assert "● live: starting the model (escape cancels)" in driver.text
        assert driver.title("#sample") == "branch at 4 · live · 4 tokens"
        await driver.tell(AskSaw(ask, Loading(1, "loading the weights")))
        assert "● live: loading the weights" in driver.text
        await driver.tell(AskSaw(ask, Wrote(1, 0, 3, [VOCABULARY[b"I"]])))
        assert driver.title("#sample") == "branch at 4 · live · 4 tokens"
        await driver.tell(AskSaw(ask, Wrote(1, 0, 4, [VOCABULARY[b" B"]])))
        assert driver.title("#sample") == "branch at 4 · live · 5 tokens"
        assert driver.title("#greedy") == "greedy · says B · 9 tokens"
        driver.session.views[1] = grown(make_view(0))
        await driver.tell(AskDone(ask, -1))
        assert driver.title("#greedy") == "greedy · says B · 9 tokens"
        assert driver.title("#sample") == "branch 1 · says unparsed · ◆ at 4 · 7 tokens"
        assert driver.strips.cursor == 3
        assert "branch 1, token 4 of 7, no sampler" in driver.text
        assert driver.part(TokenStrip, "#sample").has_focus


async def test_a_branch_of_a_branch_shows_the_branch_it_left() -> None:
    async with opened([grown(make_view(0))]) as driver:
        driver.strips.show_text(-1)
        await driver.press("right", "right", "b")
        assert driver.session.last.sample == -1
        await driver.tell(AskDone(driver.session.last, -2))
        assert driver.title("#greedy").startswith("branch 1 · says unparsed")
        assert driver.title("#sample") == "branch 2 · says A · ◆ at 5 · 7 tokens"
        assert driver.cursors == (4, 4)


async def test_before_its_fork_a_branch_is_its_parent() -> None:
    async with opened([grown(make_view(0))]) as driver:
        driver.strips.show_text(-1)
        await driver.press("tab", "home", "b")
        assert driver.session.last.sample == 0
        assert len(driver.session.last.beginning) == 1


async def test_the_token_that_the_parent_wrote_is_no_new_branch() -> None:
    view = grown(make_view(0))
    async with opened([view]) as driver:
        driver.strips.show_text(-3)
        await driver.settle()
        written = view.generations[1].positions.token_ids[1]
        choose(driver, written)
        await driver.press("b")
        assert driver.session.asking.asked == []
        assert driver.notices[-1] == "That is what sample 1 has there."
        assert driver.title("#sample").startswith("sample 1 of 4")


async def test_a_branch_that_is_there_is_shown_instead() -> None:
    view = grown(make_view(0))
    async with opened([view]) as driver:
        await driver.press("right", "right", "right")
        choose(driver, VOCABULARY[b" isn't"])
        await driver.press("b")
        assert driver.session.asking.asked == []
        assert driver.notices == ["This branch is there already."]
        assert driver.title("#sample").startswith("branch 1")


@pytest.mark.parametrize("keys", [("end", "tab", "end", "right", "right")])
async def test_behind_the_end_of_a_text_nothing_can_be_taken(keys: tuple[str, ...]) -> None:
    async with opened() as driver:
        await driver.press("s", "s", *keys, "shift+tab", "tab")
        driver.strips._put_cursor(8)
        await driver.press("b")
        assert driver.session.asking.asked == []
        assert driver.notices == ["There is no token here to branch off at."]


async def test_without_positions_there_is_nothing_to_branch_off() -> None:
    async with opened([without_positions(make_view(0))]) as driver:
        await driver.press("b")
        assert driver.session.asking.asked == []
        assert driver.notices == ["There is no token here to branch off at."]


async def test_a_branch_made_from_the_list_of_samples_is_shown() -> None:
    async with opened([grown(make_view(0))]) as driver:
        await driver.press("a")
        driver.strips.show_text(-1)
        await driver.settle()
        assert not driver.part(SampleList).display
        assert driver.part(TokenStrip, "#sample").display


# Extra samples


@covers("question.more_samples")
async def test_plus_asks_for_eight_more_samples() -> None:
    async with opened() as driver:
        await driver.press("+")
        ask = driver.session.last
        assert isinstance(ask, MoreSamples)
        assert (ask.probe_id, ask.count) == (1, 8)
        ids = [VOCABULARY[piece] for piece in (b"B", b".")]
        await driver.tell(AskSaw(ask, Wrote(1, 0, 0, [ids[0]] * 8)))
        await driver.tell(AskSaw(ask, Wrote(1, 0, 1, [ids[1], *[None] * 7])))
        assert driver.title("#sample") == "8 extra samples · live · 2 tokens"
        assert driver.title("#greedy").startswith("greedy · says B")
        driver.session.views[1] = grown(make_view(0))
        await driver.tell(AskDone(ask, [5, 6]))
        assert driver.title("#sample").startswith("extra sample 5 of 4 + 2 · says D · ◆ at ")


async def test_extra_samples_are_stepped_through_and_listed_and_marked() -> None:
    async with opened([grown(make_view(0))]) as driver:
        await driver.press("S")
        assert driver.title("#sample").startswith("extra sample 6 of 4 + 2")
        await driver.press("s")
        assert driver.title("#sample").startswith("sample 1 of 4")
        await driver.press("a")
        rows = lines(driver, SampleList)[1:]
        assert [row.split()[0 if row[0] == " " else 1] for row in rows] == [
            *"1234", "5+", "6+",
        ]  # fmt: skip
        await driver.press("down", "down", "down", "down", "enter")
        assert driver.title("#sample").startswith("extra sample 5")


async def test_from_a_branch_samples_start_anew() -> None:
    async with opened([grown(make_view(0))]) as driver:
        for key, title in (("s", "sample 1"), ("S", "extra sample 6")):
            driver.strips.show_text(-1)
            await driver.press(key)
            assert driver.title("#sample").startswith(title)


async def test_divergences_go_on_to_the_branches() -> None:
    async with opened([grown(make_view(0))]) as driver:
        seen = []
        for _ in range(9):
            await driver.press("d")
            below = driver.strips.below
            assert below is not None
            seen.append((below.index, driver.strips.cursor))
        assert [index for index, _ in seen] == [1, 3, 4, 5, 6, -1, -2, -3, 1]
        assert dict(seen)[-2] == 4


# Readings


async def test_readings_of_branches_and_extra_samples_have_their_names() -> None:
    async with opened([grown(make_view(0))]) as driver:
        rows = lines(driver, ReadingsTable)
        for name in ("extra 5", "extra 6", "branch 1", "branch 2", "branch 3"):
            assert any(row.split("  ")[1].strip() == name for row in rows)


async def test_a_selected_branch_reading_brings_its_branch_and_follows_others() -> None:
    async with opened([grown(make_view(0))]) as driver:
        table = driver.part(ReadingsTable)
        table.focus()
        await driver.press("pagedown", "pagedown", "pagedown")
        assert driver.title("#sample").startswith("branch 3 · says C")
        assert driver.title("#greedy").startswith("sample 1 of 4")
        await driver.press("enter")
        assert driver.part(TokenStrip, "#sample").has_focus
        await driver.press("s")
        assert table.selected.sample == 1


async def test_the_greedy_reading_brings_the_greedy_text_back() -> None:
    async with opened([grown(make_view(0))]) as driver:
        driver.strips.show_text(-3)
        driver.part(ReadingsTable).focus()
        await driver.press("enter")
        assert driver.title("#greedy").startswith("greedy")
        assert driver.part(TokenStrip, "#greedy").has_focus


async def test_raw_text_of_a_branch() -> None:
    async with opened([grown(make_view(0))]) as driver:
        driver.strips.show_text(-1)
        await driver.press("x")
        raw = driver.app.screen
        assert isinstance(raw, RawScreen)
        assert raw._title == "branch 1"


async def test_a_question_without_branches_falls_back_to_its_samples() -> None:
    async with opened([grown(make_view(0)), make_view(1)]) as driver:
        driver.strips.show_text(-2)
        await driver.press("j")
        assert driver.title("#sample").startswith("sample 1 of 4")


# The tree


@covers("question.toggle_tree")
@pytest.mark.parametrize("size", [SMALL, (160, 45)])
async def test_the_tree_takes_the_place_of_prompt_and_readings(size: tuple[int, int]) -> None:
    async with opened([grown(make_view(0))], size=size) as driver:
        await driver.press("t")
        tree = driver.part(TextTree)
        assert tree.has_focus
        assert "all texts · 6 samples · 3 branches" in driver.text
        assert "└ at 4 “·isn't”" in driver.text
        assert "extra sample 5" in "\n".join(lines(driver, TextTree))
        assert not driver.part(ReadingsTable).region
        await driver.press("t")
        assert driver.part(ReadingsTable).region
        assert not tree.region


async def test_moving_in_the_tree_shows_a_branch_under_its_parent() -> None:
    async with opened([grown(make_view(0))]) as driver:
        await driver.press("t", "down", "down")
        assert driver.title("#greedy").startswith("branch 1")
        assert driver.title("#sample").startswith("branch 2 · says A · ◆ at 5")
        assert driver.cursors == (4, 4)
        await driver.press("up", "up")
        assert driver.title("#greedy").startswith("greedy")
        assert driver.strips.leading is driver.strips.texts.greedy


async def test_enter_in_the_tree_goes_to_the_fork() -> None:
    async with opened([grown(make_view(0))]) as driver:
        await driver.press("t", "down", "enter")
        assert driver.part(TokenStrip, "#sample").has_focus
        assert driver.strips.cursor == 3
        assert driver.part(TextTree).region


async def test_the_tree_follows_the_strips() -> None:
    async with opened([grown(make_view(0))]) as driver:
        await driver.press("t", "tab", "s")
        text = driver.part(TextTree).text
        assert text is not None
        assert text.index == 2


async def test_escape_closes_the_tree_before_the_question() -> None:
    async with opened([grown(make_view(0))]) as driver:
        await driver.press("t", "escape")
        assert isinstance(driver.app.screen, QuestionScreen)
        assert driver.part(ReadingsTable).region
        await driver.press("escape")
        assert not isinstance(driver.app.screen, QuestionScreen)


async def test_a_probe_without_texts_has_an_empty_tree() -> None:
    import msgspec

    view = msgspec.structs.replace(make_view(0), generations=(), readings=())
    async with opened([view]) as driver:
        await driver.press("t", "down", "enter")
        assert "all texts · 0 samples · 0 branches" in driver.text


# Taking back


@covers("question.close")
async def test_escape_takes_back_what_is_asked_before_it_leaves() -> None:
    async with opened() as driver:
        await driver.press("+", "escape")
        assert driver.session.asking.going is None
        assert isinstance(driver.app.screen, QuestionScreen)
        assert "● live" not in driver.text
        assert driver.title("#sample").startswith("sample 1 of 4")
        await driver.press("escape")
        assert not isinstance(driver.app.screen, QuestionScreen)


async def test_what_is_asked_of_another_question_does_not_hold_escape() -> None:
    async with opened() as driver:
        await driver.press("+", "j", "escape")
        assert driver.session.asking.going is not None
        assert not isinstance(driver.app.screen, QuestionScreen)


async def test_a_new_question_takes_the_place_of_the_former() -> None:
    async with opened() as driver:
        await driver.press("+")
        former = driver.session.last
        await driver.press("b")
        assert isinstance(driver.session.last, Branch)
        await driver.tell(AskSaw(former, Wrote(1, 0, 0, [7] * 8)))
        assert driver.title("#sample") == "branch at 1 · live · 1 token"
        await driver.tell(AskCancelled(former))
        assert "● live" in driver.text


async def test_an_answer_to_another_question_is_not_shown() -> None:
    async with opened() as driver:
        await driver.press("+", "j")
        await driver.tell(AskDone(driver.session.last, [5]))
        assert "question 2 · row 2 of 5" in driver.text
        assert "● live" not in driver.text


async def test_what_cannot_be_asked_is_said() -> None:
    async with opened() as driver:
        await driver.press("b")
        await driver.tell(AskFailed(driver.session.last, "a run keeps x busy.", "Wait."))
        assert driver.notices == ["Wait."]
        assert "● live" not in driver.text


async def test_a_screen_that_opens_meanwhile_shows_what_is_being_asked() -> None:
    async with opened() as driver:
        driver.session.asking.going = ask = Rerun(1)
        await driver.app.push_screen(QuestionScreen(driver.session, 1))  # type: ignore[arg-type]
        await driver.settle()
        assert "● live" in driver.text
        await driver.tell(AskSaw(ask, Loading(1, "loading the weights")))
        top = driver.app.screen
        assert isinstance(top, QuestionScreen)
        assert top._live is not None
        assert top._live.stage == "loading the weights"


def test_a_made_up_branch_is_one_that_the_store_could_hold() -> None:
    view = grown(make_view(0))
    for text in view.generations:
        if text.parent is not None and text.fork is not None:
            parent = Texts(view).get(text.parent)
            assert parent is not None
            ids, left = text.positions.token_ids, parent.positions.token_ids
            assert ids[: text.fork] == left[: text.fork]
            assert ids[text.fork] != left[text.fork]
    assert generation("x", 0, ([b"B"], "option", "B", None)).kind == "greedy"
