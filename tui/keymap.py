"""Which keys carry out which action, once the user's own keys are laid over the registry's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from textual.binding import Binding

from tui.actions import ACTIONS, Action, in_scope

if TYPE_CHECKING:
    from textual.app import App

Keymap = Mapping[str, str]
"""Action ids and the keys, comma separated, that take the place of the registry's."""

_MODIFIERS = frozenset({"ctrl", "alt", "shift", "super", "hyper", "meta"})
_CHARACTERS = 0x250
_WITHIN = {
    "questions": ("grid", "filter"),
    "question": ("strip", "pane", "rows"),
    "runs": ("grid", "pane", "rows"),
    "study": ("cells", "pane"),
    "lab": ("form", "format_editor", "pane", "rows"),
    "sql": ("sql_editor", "values", "chart", "schema", "find"),
}
"""The parts of a screen whose own keys come before the screen's while they have the focus."""


class Refused(NamedTuple):
    """An entry of a keymap that can't be used, or only in part.

    Attributes:
        action_id: The entry.
        sentence: What is wrong with it.
        hint: What to do.
        usable: Whether the entry works all the same, somewhere.
    """

    action_id: str
    sentence: str
    hint: str
    usable: bool = False


def keys_of(action: Action, keymap: Keymap) -> tuple[str, ...]:
    """The keys in force of an action, by Textual's names."""
    return tuple(map(long_name, split_keys(keymap.get(action.id, action.keys))))


def split_keys(keys: str) -> list[str]:
    """The keys of a comma separated list."""
    return [key for key in map(str.strip, keys.split(",")) if key]


def long_name(key: str) -> str:
    """Textual's name of a key that may be written as its character, e.g. ``?``."""
    from textual.keys import _character_to_key

    return _character_to_key(key) if len(key) == 1 else key


def is_key(name: str) -> bool:
    """Whether a terminal can send a key of this name."""
    if len(name) == 1:
        return name.isprintable() and name != ","
    *modifiers, base = name.split("+")
    return set(modifiers) <= _MODIFIERS and (
        len(base) == 1 or base in _key_names() or base in _characters()
    )


@cache
def _key_names() -> frozenset[str]:
    from textual.keys import Keys

    return frozenset(key.value.rpartition("+")[2] for key in Keys if key.value[:1] != "<")


@cache
def _characters() -> frozenset[str]:
    """The names of the characters of European keyboards; others are written as they are."""
    characters = filter(str.isprintable, map(chr, range(_CHARACTERS)))
    return frozenset(map(long_name, characters))


def is_typed(key: str) -> bool:
    """Whether a key writes a character where text is typed."""
    return len(key) == 1 or key in _characters()


def check(keymap: Keymap) -> Iterator[Refused]:
    """What is wrong with a keymap; names that are no action's or no key's come first."""
    known = {action.id: action for action in ACTIONS}
    for action_id, keys in keymap.items():
        action = known.get(action_id)
        if action is None:
            yield _unknown(action_id, known)
            continue
        names = split_keys(keys)
        wrong = [name for name in names if not is_key(name)]
        if not names:
            yield Refused(
                action_id,
                f"{action_id} has no key.",
                f'Name one, e.g. "{action.keys or "f9"}", or leave the line out.',
            )
        elif wrong:
            yield Refused(
                action_id,
                f"{action_id}: no key is called {wrong[0]!r}.",
                "Write keys as in: n, N, ctrl+n, f5, slash, shift+tab.",
            )
        elif action.priority and (typed := list(filter(is_typed, map(long_name, names)))):
            yield Refused(
                action_id,
                f"{action_id} works while text is typed: {typed[0]} could not be typed any more.",
                "Give it a key with ctrl or alt, or a function key.",
            )


def _unknown(action_id: str, known: Mapping[str, Action]) -> Refused:
    from difflib import get_close_matches

    near = get_close_matches(action_id, known, 1)
    hint = f"Perhaps {near[0]} is meant. " if near else ""
    return Refused(
        action_id,
        f"There is no action {action_id}.",
        f"{hint}All of them: logitscope config keys",
    )


def clashes(keymap: Keymap) -> Iterator[Refused]:
    """Entries whose keys mean something else already, the last one first.

    The keymap is one that :func:`check` has nothing against.
    """
    by_id = {action.id: action for action in ACTIONS}
    for action_id in reversed(list(keymap)):
        action = by_id[action_id]
        for key in keys_of(action, keymap):
            if (clash := _clash(action, key, keymap)) is not None:
                yield clash
                break


def _clash(action: Action, key: str, keymap: Keymap) -> Refused | None:
    def takes(other: Action) -> bool:
        return other.id != action.id and key in keys_of(other, keymap)

    own = next(filter(takes, in_scope(action.scope)), None)
    if own is not None:
        return Refused(
            action.id,
            f"{action.id} and {own.id} both want the key {key}.",
            f"Give one of them another key; {own.id} keeps it until then.",
        )
    everywhere = next((each for each in in_scope("app") if each.priority and takes(each)), None)
    if everywhere is not None and action.scope != "app":
        return Refused(
            action.id,
            f"{action.id} would never get the key {key}: {everywhere.id} takes it everywhere.",
            f"Give one of them another key; {everywhere.id} keeps it until then.",
        )
    for part in _WITHIN.get(action.scope, ()) if not action.priority else ():
        inner = next(filter(takes, in_scope(part)), None)
        if inner is not None:
            return Refused(
                action.id,
                f"{action.id} gets the key {key} only while {inner.id}, which has it too, "
                "can't be done.",
                "Give one of them another key.",
                usable=True,
            )
    return None


def key_display(app: App[object], action: Action) -> str:
    """The first key in force of an action as people write it; empty where it has none."""
    return next(iter(_displays(app, action)), "")


def keys_display(app: App[object], action: Action) -> str:
    """All keys in force of an action as people write them."""
    keymap = app._keymap
    family = [each for each in in_scope(action.scope) if each.name.startswith(action.name)]
    if action.shown_as and not any(each.id in keymap for each in family):
        return action.shown_as
    if action.shown_as:
        return " ".join(key for each in family for key in _displays(app, each))
    return " ".join(_displays(app, action))


def _displays(app: App[object], action: Action) -> list[str]:
    keys = keys_of(action, app._keymap)
    return [app.get_key_display(Binding(key, action.name)) for key in keys]
