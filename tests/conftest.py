"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.actions.covering import pytest_runtest_call as pytest_runtest_call

if TYPE_CHECKING:
    from tui.app import ExplorerApp

REPO = Path(__file__).resolve().parents[1]


def pytest_configure() -> None:
    """Let ctrl+c reach what tests start: a job in the background ignores it, and hands that on."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of released data and models that some tests need; skips where it is absent."""
    folder = Path(os.environ.get("LOGITSCOPE_SHARED", REPO.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared data: {folder} does not exist (set LOGITSCOPE_SHARED)")
    return folder


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the explorer remembers between sessions, and the user's settings, out of tests."""
    monkeypatch.setenv("LOGITSCOPE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("LOGITSCOPE_CONFIG", str(tmp_path / "config.toml"))


@pytest.fixture(scope="session")
def _sample_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.sample_store import make_sample_store

    path = tmp_path_factory.mktemp("sample") / "sample.duckdb"
    make_sample_store(path, questions=12).close()
    return path


@pytest.fixture
def sample_database(_sample_database: Path, tmp_path: Path) -> Path:
    """A database with one finished run of 48 probes, for this test alone."""
    return Path(shutil.copy(_sample_database, tmp_path))


@pytest.fixture
def explorer(sample_database: Path) -> Iterator[ExplorerApp]:
    """The explorer on the sample database, not yet running."""
    from engine.store import open_store
    from tui.app import ExplorerApp
    from tui.session import Session

    session = Session(open_store(sample_database))
    yield ExplorerApp(session)
    session.close()
