"""How the prompt lab looks; look at the report before accepting a change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from textual.pilot import Pilot

from engine.client import WorkerClient
from engine.store import open_store
from tests.fake_worker import fake_command
from tests.lab_driver import Bench, record
from tests.screen_help import SMALL
from tui.app import ExplorerApp
from tui.session import Session

WIDE = (160, 45)
SIZES = pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "160x45"])

Compare = Callable[..., bool]
Edit = tuple[str, str]
CUE: Edit = ("Answer:", "**Answer:**")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("recorded"))


@pytest.fixture
def app(recorded: Path, tmp_path: Path) -> Iterator[ExplorerApp]:
    """The explorer on a database whose place is on no picture."""
    path = tmp_path / "runs.duckdb"
    path.write_bytes(recorded.read_bytes())
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE runs SET source = 'quiz.jsonl'")

    def client() -> WorkerClient:
        return WorkerClient(command=fake_command("--templates"), log_path=tmp_path / "log")

    session = Session(open_store(path), make_client=client)
    yield ExplorerApp(session)
    session.close()


def after(edit: Edit | None, *keys: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Open the lab, change the format, then press keys."""

    async def prepare(pilot: Pilot[Any]) -> None:
        bench = Bench(pilot)
        await bench.open()
        bench.editor.cursor_blink = False
        bench.editor.action_cursor_right()  # so that the cursor is not caught while it is hidden
        if edit is not None:
            await bench.write(bench.editor.text.replace(*edit))
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await bench.quiet()

    return prepare


@SIZES
def test_the_difference_of_the_prompts(
    app: ExplorerApp, snap_compare: Compare, size: tuple[int, int]
) -> None:
    assert snap_compare(app, terminal_size=size, run_before=after(CUE, "f3", "ctrl+t"))


@SIZES
def test_a_broken_template(app: ExplorerApp, snap_compare: Compare, size: tuple[int, int]) -> None:
    broken = ("{{ options }}", "{{ option }}")
    assert snap_compare(app, terminal_size=size, run_before=after(broken, "ctrl+t"))


def test_the_pinned_questions(app: ExplorerApp, snap_compare: Compare) -> None:
    assert snap_compare(app, terminal_size=SMALL, run_before=after(CUE, "ctrl+t", "ctrl+t"))


def test_the_settings(app: ExplorerApp, snap_compare: Compare) -> None:
    keys = ("ctrl+t", "ctrl+t", "ctrl+t", "tab", "down", "down")
    assert snap_compare(app, terminal_size=SMALL, run_before=after(None, *keys))


def test_without_colour(
    app: ExplorerApp, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    colourless = ExplorerApp(app.session)
    assert snap_compare(colourless, terminal_size=WIDE, run_before=after(CUE))


def test_the_sweep_form(app: ExplorerApp, snap_compare: Compare) -> None:
    assert snap_compare(app, terminal_size=SMALL, run_before=after(None, "f8", "down"))
