"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of released data and models that some tests need; skips where it is absent."""
    folder = Path(os.environ.get("LOGITSCOPE_SHARED", REPO.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared data: {folder} does not exist (set LOGITSCOPE_SHARED)")
    return folder
