"""Searching for garbage while no key is waited for."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import StoreError
from tests.screen_help import SMALL, settle
from tui.app import ExplorerApp
from tui.garbage import SELDOM
from tui.opening import open_explorer

LIVES = """
import gc, time, weakref
from tui.garbage import QUIET, QuietCollector

class Ring:
    def __init__(self):
        self.own = self

def some():
    ring = Ring()
    return ring, weakref.ref(ring)

gc.disable()
early, early_ref = some()
collector = QuietCollector()
assert gc.isenabled()
late, late_ref = some()
del early, late
kept = [[] for _ in range(50_000)]  # Python searches what is new
now = time.monotonic()
assert early_ref() is not None, "frozen"

collector.touch()
collector.collect_when_quiet()
assert early_ref() is not None, "a key was pressed just now"

collector._touched = now - 2 * QUIET
collector.collect_when_quiet()
assert early_ref() is None and late_ref() is None
assert gc.get_freeze_count() > 50_000

searched = gc.get_stats()[2]["collections"]
collector.collect_when_quiet()
assert gc.get_stats()[2]["collections"] == searched, "nothing came since"
"""


@pytest.fixture
def as_before() -> Iterator[None]:
    """Python's own habits again, after a test that changes them."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    gc.enable()


def test_everything_is_searched_in_a_pause_and_only_then() -> None:
    done = subprocess.run([sys.executable, "-c", LIVES], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("as_before")
async def test_an_explorer_of_its_own_process_begins_with_the_first_screen(
    explorer: ExplorerApp,
) -> None:
    gc.disable()
    explorer.alone = True
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        assert gc.isenabled()
        assert gc.get_threshold()[2] == SELDOM
        collector = explorer._collector
        assert collector is not None
        before = collector._touched
        await pilot.press("down")
        assert collector._touched > before


def test_an_explorer_that_can_not_open_leaves_garbage_to_python(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.duckdb"
    damaged.write_bytes(b"no database at all" * 1000)
    with pytest.raises(StoreError):
        open_explorer(damaged)
    assert gc.isenabled()


async def test_an_explorer_inside_another_program_changes_nothing(explorer: ExplorerApp) -> None:
    before = gc.get_threshold(), gc.get_freeze_count()
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
    assert (gc.get_threshold(), gc.get_freeze_count()) == before
