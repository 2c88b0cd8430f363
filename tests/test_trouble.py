"""What nobody foresaw: said in a sentence, with the traceback in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.screen_help import LARGE, settle, until
from tui.app import ExplorerApp
from tui.events import RunEnded, SessionEvent
from tui.trouble import LOG, note_traceback


def test_a_traceback_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGITSCOPE_HOME", str(tmp_path / "home"))
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        path = note_traceback()
    assert path == tmp_path / "home" / LOG
    assert "ZeroDivisionError: division by zero" in path.read_text()


async def test_a_mistake_in_a_run_ends_it_with_a_word(
    explorer: ExplorerApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGITSCOPE_HOME", str(tmp_path / "home"))
    told: list[SessionEvent] = []

    def mistaken() -> Any:
        raise ZeroDivisionError("nobody foresaw this")

    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        explorer.session.signal.subscribe(explorer.screen, told.append)
        explorer.session.live.start_run(mistaken, resume=False)
        await until(pilot, lambda: any(isinstance(event, RunEnded) for event in told))
        assert not explorer.session.live.run_going
    (ended,) = (event for event in told if isinstance(event, RunEnded))
    assert ended.status == "failed"
    assert "nobody foresaw this" in ended.sentence
    assert str(tmp_path / "home" / LOG) in ended.hint
