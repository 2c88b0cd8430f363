"""Which action of the registry a test is the test of, and whether the test really asked for it.

Every action in ``tui.actions.ACTIONS`` has a test that asks for it as a user does and checks what
its help sentence promises. Such a test says so, wherever under ``tests/`` it stands::

    from tests.actions.covering import covers

    @covers("questions.mark")
    async def test_space_marks_the_row(explorer: ExplorerApp) -> None:
        async with explorer.run_test(size=SMALL) as pilot:
            await settle(pilot)
            await pilot.press("space")
            ...

One test may cover several actions. In a parametrised one each case names its own:
``pytest.param("down", 1, marks=covers("grid.cursor_down"))``.

- A claim has to be true: a test fails when an action that it names was not carried out through a
  key, a click on the line of keys, or the command palette. A call of the method counts for nothing,
  nor does a key that something else took, that ``check_action`` refused or that was skipped.
- A key counts for the action whose binding it is: ``ctrl+q`` is ``app.leave_at_once``, not
  ``app.leave``, though both call the same method.
- ``tests/actions/test_every_action.py`` fails when an action has no such test.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Generator, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from textual.app import App
    from textual.dom import DOMNode

TESTS = Path(__file__).resolve().parents[1]

covers = pytest.mark.covers
"""Marks a test with the ids of the actions that it is the test of."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test that names actions which it did not carry out."""
    claimed = {name for mark in item.iter_markers("covers") for name in mark.args}
    if not claimed:
        return (yield)
    with carried_out() as done:
        result = yield
    if missing := sorted(claimed - done):
        pytest.fail(f"not carried out by key or palette: {', '.join(missing)}", pytrace=False)
    return result


@contextmanager
def carried_out() -> Iterator[AbstractSet[str]]:
    """The ids of the actions that any app carries out meanwhile, as they are carried out."""
    from textual.app import App

    done: set[str] = set()
    pressed: dict[asyncio.Task[Any] | None, str] = {}  # by who handles the key, until it has
    check_bindings, run_action = App._check_bindings, App.run_action

    async def checking(app: App[Any], key: str, priority: bool = False) -> bool:
        pressed[asyncio.current_task()] = key
        try:
            return await check_bindings(app, key, priority)
        finally:
            del pressed[asyncio.current_task()]

    async def running(
        app: App[Any], action: Any, default_namespace: DOMNode | None = None, *rest: Any
    ) -> bool:
        node = default_namespace or app
        ids = _asked_for(app, action, node, pressed.get(asyncio.current_task()))
        handled = await run_action(app, action, default_namespace, *rest)
        if handled:
            done.update(ids)
        return handled

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(App, "_check_bindings", checking)
        patch.setattr(App, "run_action", running)
        yield done


def _asked_for(app: App[Any], action: object, node: DOMNode, key: str | None) -> set[str]:
    """The ids behind one call: the key's binding, or else what is listed under that name."""
    from tui.actions import in_scope

    if key is None:
        listed = in_scope(getattr(node, "ACTION_SCOPE", ""))
        seen = [each for each in listed if each.palette or each.footer]
        return {each.id for each in seen if (each.call or each.name) == action}
    bound = [chain for owner, chain in app.screen._binding_chain if owner is node]
    keys = [each for chain in bound for each in chain.key_to_bindings.get(key, ())]
    return {each.id for each in keys if each.id and each.action == action}


def claims() -> dict[str, list[str]]:
    """Every action id that some test names, with the tests that do, e.g. ``test_app.test_q``."""
    found: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        if "covers(" in path.read_text():
            parts = path.relative_to(TESTS.parent).with_suffix("").parts
            module = importlib.import_module(".".join(parts))
            for name, test in vars(module).items():
                if name.startswith("test_") and callable(test):
                    for action_id in _claimed_by(test):
                        found.setdefault(action_id, []).append(f"{path.stem}.{name}")
    return found


def _claimed_by(test: Callable[..., object]) -> Iterator[str]:
    for mark in getattr(test, "pytestmark", ()):
        if mark.name == "covers":
            yield from mark.args
        elif mark.name == "parametrize":
            for case in mark.args[1]:
                for own in getattr(case, "marks", ()):
                    if own.name == "covers":
                        yield from own.args
