"""No action without a test, and no test of an action that is not there."""

from __future__ import annotations

from typing import ClassVar

import pytest
from textual.app import App
from textual.binding import Binding, BindingType

from tests.actions.covering import carried_out, claims
from tui.actions import ACTIONS


def test_every_action_has_a_test() -> None:
    covered = claims()
    missing = [action.id for action in ACTIONS if action.id not in covered]
    assert not missing, f"{len(missing)} actions without a test:\n" + "\n".join(missing)


def test_tests_name_only_actions_that_exist() -> None:
    known = {action.id for action in ACTIONS}
    assert {name: tests for name, tests in claims().items() if name not in known} == {}


class Lamp(App[None]):
    """Two keys for one method, a key that is refused and one that is skipped."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "light", id="lamp.on"),
        Binding("b", "light", id="lamp.on_again"),
        Binding("c", "refused", id="lamp.refused"),
        Binding("d", "skipped", id="lamp.skipped"),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        return action != "refused"

    def action_light(self) -> None: ...

    def action_refused(self) -> None: ...

    def action_skipped(self) -> None:
        from textual.actions import SkipAction

        raise SkipAction


@pytest.mark.parametrize(
    ("key", "ids"),
    [("a", {"lamp.on"}), ("b", {"lamp.on_again"}), ("c", set()), ("d", set()), ("e", set())],
)
async def test_only_what_a_key_really_did_counts(key: str, ids: set[str]) -> None:
    app = Lamp()
    with carried_out() as done:
        async with app.run_test() as pilot:
            await pilot.press(key)
            app.action_light()
    assert done == ids
