"""Own keys: they work, they are shown, and they take nothing away unseen."""

from __future__ import annotations

import pytest

from tests.screen_help import LARGE, settle, text_of, until
from tui.actions import ACTIONS, in_scope
from tui.app import ExplorerApp
from tui.config import Config, Settings
from tui.keymap import check, clashes, is_key, is_typed, keys_of, split_keys
from tui.screens.help import HelpScreen, sections
from tui.widgets.filter_bar import FilterInput
from tui.widgets.result_grid import ResultGrid

KEYS = {
    "questions.filter": "f9,ctrl+k",
    "questions.next_flagged": "m",
    "questions.clear_filter": "f8",
    "app.jump": "ctrl+n",
    "questions.tab_3": "f7",
}


@pytest.fixture
def remapped(explorer: ExplorerApp) -> ExplorerApp:
    return ExplorerApp(explorer.session, Config(settings=Settings(keys=KEYS)))


def test_the_keys_used_here_pass_the_check() -> None:
    assert [*check(KEYS), *clashes(KEYS)] == []


@pytest.mark.parametrize("key", ["f9", "ctrl+k"])
async def test_every_new_key_works_and_the_old_one_does_not(
    remapped: ExplorerApp, key: str
) -> None:
    async with remapped.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("slash")
        assert isinstance(remapped.focused, ResultGrid)
        await pilot.press(key)
        assert isinstance(remapped.focused, FilterInput)


async def test_footer_help_status_and_palette_show_the_keys_in_force(
    remapped: ExplorerApp,
) -> None:
    async with remapped.run_test(size=LARGE) as pilot:
        await settle(pilot)
        assert " f9 filter" in text_of(remapped).splitlines()[-1]
        assert "m: next mismatch" in text_of(remapped)
        grid = remapped.query_one(ResultGrid)
        shown = {said: keys for part in sections(grid) for keys, said in part.keys}
        (wanted,) = (each for each in in_scope("questions") if each.name == "filter")
        assert shown[wanted.help] == "f9 ^k"
        (tabs,) = (each for each in in_scope("questions") if each.name == "tab")
        assert shown[tabs.help] == "1 2 f7 4 5 6 7 8 9 0"
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Type a condition over the columns" in text_of(remapped))
        assert "(f9)" in text_of(remapped)


async def test_an_action_without_a_key_can_be_given_one(remapped: ExplorerApp) -> None:
    async with remapped.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("f9", *"gold", "space", "equals_sign", "space", *"'A'", "enter")
        await settle(pilot)
        assert remapped.session.listing is not None
        assert remapped.session.listing.query.filter == "gold = 'A'"
        await pilot.press("f8")
        await settle(pilot)
        assert remapped.session.listing.query.filter == ""


async def test_a_key_that_works_everywhere_works_with_its_new_key_in_a_text(
    remapped: ExplorerApp,
) -> None:
    async with remapped.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("f9", "ctrl+n")
        assert remapped.screen.ACTION_SCOPE == "jump"  # type: ignore[attr-defined]


async def test_help_is_searched_by_words(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(explorer.screen, HelpScreen))
        await pilot.press("slash", *"screenshot")
        await until(pilot, lambda: "Go to the previous row" not in text_of(explorer))
        assert "Save this screen as an SVG picture" not in text_of(explorer)
        await pilot.press(*["backspace"] * 10, *"svg")
        await until(pilot, lambda: "Save this screen as an SVG picture" in text_of(explorer))
        await pilot.press("escape")
        await until(pilot, lambda: "Go to the previous row" in text_of(explorer))
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(explorer.screen, HelpScreen))


# What can't be


@pytest.mark.parametrize(
    ("keymap", "sentence", "usable"),
    [
        ({"questions.mark": "n"}, "questions.next_flagged both want the key n", False),
        ({"questions.mark": "3"}, "questions.tab_3 both want the key 3", False),
        ({"questions.mark": "f12"}, "app.save_screen takes it everywhere", False),
        ({"questions.mark": "j"}, "only while grid.cursor_down", True),
    ],
)
def test_a_key_with_two_meanings_is_told(
    keymap: dict[str, str], sentence: str, usable: bool
) -> None:
    (found,) = clashes(keymap)
    assert sentence in found.sentence
    assert found.usable == usable


def test_two_actions_may_change_their_keys_with_each_other() -> None:
    swapped = {"questions.mark": "n", "questions.next_flagged": "space"}
    assert [*check(swapped), *clashes(swapped)] == []


def test_a_letter_for_what_works_while_text_is_typed_is_refused() -> None:
    (refused,) = check({"lab.save": "s"})
    assert "could not be typed any more" in refused.sentence


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_the_registry_passes_its_own_check(action: object) -> None:
    from tui.actions import Action

    assert isinstance(action, Action)
    if action.keys:
        assert [*check({action.id: action.keys})] == []


@pytest.mark.parametrize("key", ["n", "N", "?", "ctrl+n", "f5", "shift+tab", "ctrl+shift+left"])
def test_names_of_keys(key: str) -> None:
    assert is_key(key)


@pytest.mark.parametrize("key", ["", "crtl+n", "foo", "ctrl+", ",", "f99"])
def test_what_is_no_key(key: str) -> None:
    assert not is_key(key)


def test_which_keys_write_a_character() -> None:
    keys = ("n", "slash", "space", "full_stop", "f5", "ctrl+n", "enter", "tab")
    assert list(filter(is_typed, keys)) == ["n", "slash", "space", "full_stop"]


def test_a_character_stands_for_its_key() -> None:
    (helping,) = (each for each in in_scope("app") if each.name == "help")
    assert keys_of(helping, {"app.help": "?, f1"}) == ("question_mark", "f1")
    assert split_keys(" a , b,") == ["a", "b"]
