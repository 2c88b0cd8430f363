"""A window that is closed takes its explorer with it, even while much is drawn."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pexpect
import psutil
import pytest

from engine.store import open_store

pytestmark = pytest.mark.slow


def test_a_closed_window_ends_the_explorer_and_frees_the_database(
    sample_database: Path, tmp_path: Path
) -> None:
    child = pexpect.spawn(
        sys.executable,
        ["-m", "tui.cli", str(sample_database)],
        env={**os.environ, "LOGITSCOPE_STATE": str(tmp_path / "state")},
        dimensions=(24, 80),
        timeout=60,
    )
    child.expect("row 1 of")
    explorer = psutil.Process(child.pid)
    child.ptyproc.fileobj.close()
    deadline = time.monotonic() + 60
    while explorer.is_running() and explorer.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the explorer goes on without a terminal"
        time.sleep(0.05)
    open_store(sample_database).close()
