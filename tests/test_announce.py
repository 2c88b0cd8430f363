"""Telling that long work ended, to somebody who is in another window."""

from __future__ import annotations

from typing import Any, cast

import pytest
from textual import events

from tests.screen_help import SMALL, settle
from tui.announce import announce, notification
from tui.app import ExplorerApp
from tui.config import Notify, Settings
from tui.events import RunEnded, RunProgressed


class FakeApp:
    """A terminal that remembers what was written to it."""

    def __init__(self, notify: Notify, *, looked_at: bool) -> None:
        self.settings = Settings(notify=notify, notify_after=10)
        self.app_focus = looked_at
        self.rung = 0
        self.written = ""
        self._driver = self

    def bell(self) -> None:
        self.rung += 1

    def write(self, text: str) -> None:
        self.written += text

    def flush(self) -> None: ...


@pytest.mark.parametrize(
    ("notify", "looked_at", "seconds", "bells", "told"),
    [
        ("bell", False, 10.0, 1, False),
        ("desktop", False, 11.0, 1, True),
        ("desktop", True, 11.0, 0, False),
        ("desktop", False, 9.9, 0, False),
        ("off", False, 99.0, 0, False),
    ],
)
def test_only_long_work_that_nobody_watches_is_told(
    notify: Notify, looked_at: bool, seconds: float, bells: int, told: bool
) -> None:
    app = FakeApp(notify, looked_at=looked_at)
    sent = announce(cast("Any", app), "Run 3 finished", "48 of 48", seconds)
    assert (app.rung, bool(app.written), sent) == (bells, told, bells > 0)


def test_a_terminal_gets_the_sequence_that_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert notification("Run 3", "48 of 48") == "\x1b]9;Run 3: 48 of 48\x07"
    monkeypatch.setenv("TERM", "rxvt-unicode")
    assert notification("Run; 3", "a;b") == "\x1b]777;notify;Run, 3;a;b\x07"
    monkeypatch.setenv("TMUX", "/tmp/tmux")
    assert notification("a", "b") == "\x1bPtmux;\x1b\x1b]777;notify;a;b\x07\x1b\\"


def test_nothing_in_a_name_is_taken_for_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    sent = notification("a\x07b", "c\x1b]0;d\n" + "x" * 999)
    assert sent.count("\x1b") == 1
    assert sent.count("\x07") == 1
    assert len(sent) < 300


async def test_a_run_that_ends_in_the_background_is_told(
    explorer: ExplorerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    explorer.settings = Settings(notify_after=0)
    rung: list[int] = []
    monkeypatch.setattr(explorer, "bell", lambda: rung.append(1))
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        explorer.post_message(events.AppBlur())
        await pilot.pause()
        from engine.runs import RunProgress

        explorer.session.post(RunProgressed(RunProgress(1, "probing", 1, 0, 10)))
        explorer.session.post(RunEnded(1, "finished", "Run 1 finished: 10 of 10."))
        await settle(pilot)
        assert rung == [1]
