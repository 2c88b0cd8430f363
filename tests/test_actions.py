"""The registry: one place for keys, help and palette."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter, defaultdict

import pytest
from textual.binding import Binding
from textual.dom import DOMNode

import tui.screens
import tui.widgets
from tui.actions import ACTIONS, Action, bindings, in_scope


def owners() -> dict[str, type[DOMNode]]:
    """Who carries out the actions of each scope."""
    for package in (tui.screens, tui.widgets):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    importlib.import_module("tui.app")
    found, classes = {}, [DOMNode]
    while classes:
        owner = classes.pop()
        classes += owner.__subclasses__()
        if "ACTION_SCOPE" in vars(owner):
            found[vars(owner)["ACTION_SCOPE"]] = owner
    return found


OWNERS = owners()


def test_every_scope_has_an_owner_and_every_owner_a_scope() -> None:
    assert {action.scope for action in ACTIONS} == set(OWNERS)


def test_every_action_has_its_own_id() -> None:
    assert [i for i, count in Counter(action.id for action in ACTIONS).items() if count > 1] == []


def test_no_key_means_two_things_in_one_scope() -> None:
    keys: dict[tuple[str, str], list[str]] = defaultdict(list)
    for action in ACTIONS:
        for key in filter(None, action.keys.split(",")):
            keys[action.scope, key].append(action.name)
    assert {key: names for key, names in keys.items() if len(names) > 1} == {}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
def test_the_owner_of_a_scope_can_do_it(action: Action) -> None:
    name = (action.call or action.name).partition("(")[0]
    assert callable(getattr(OWNERS[action.scope], f"action_{name}", None))


@pytest.mark.parametrize("action", [a for a in ACTIONS if a.palette], ids=lambda a: a.id)
def test_what_the_palette_offers_has_a_sentence(action: Action) -> None:
    assert action.title
    assert action.help.endswith(".")


def test_bindings_carry_the_ids_that_a_keymap_names() -> None:
    made = bindings("questions")
    assert all(isinstance(binding, Binding) and binding.id for binding in made)
    flagged = [b for b in made if isinstance(b, Binding) and b.id == "questions.next_flagged"]
    assert [(b.key, b.action) for b in flagged] == [("n", "step_flagged(1)")]


def test_one_action_may_have_several_keys() -> None:
    (down,) = (action for action in in_scope("grid") if action.name == "cursor_down")
    assert [binding.key for binding in down.bindings] == ["down", "j"]


def test_an_action_without_keys_is_bound_to_what_no_key_sends() -> None:
    (binding,) = Action("app", "x", "", "x", "X.").bindings
    assert binding.id == "app.x"
    assert " " in binding.key
