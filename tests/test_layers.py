"""What is really imported: the front never loads the model libraries, the probe not the store."""

from __future__ import annotations

import subprocess
import sys

import pytest

MODEL_LIBRARIES = ("torch", "transformers")
FRONT_LIBRARIES = ("duckdb", "textual")

FRONT = ("tui.cli", "tui.app", "engine.client", "engine.runs", "engine.store", "engine.browse")
BACK = ("engine.probe", "engine.model", "engine.sampling")


def loaded_by(module: str, libraries: tuple[str, ...]) -> list[str]:
    """Which of some libraries a fresh interpreter has loaded after importing a module."""
    code = f"import sys, {module}; print(*(name for name in {libraries!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("module", FRONT)
def test_the_front_loads_no_model_library(module: str) -> None:
    assert loaded_by(module, MODEL_LIBRARIES) == []


@pytest.mark.slow
@pytest.mark.parametrize("module", BACK)
def test_the_probe_loads_no_store_and_no_screen(module: str) -> None:
    assert loaded_by(module, FRONT_LIBRARIES) == []


@pytest.mark.parametrize("module", ["engine.worker", "tests.fake_worker"])
def test_the_worker_starts_light(module: str) -> None:
    """The message loop is up before torch is: the first stage can be told at once."""
    assert loaded_by(module, MODEL_LIBRARIES + FRONT_LIBRARIES) == []


def test_the_check_would_notice() -> None:
    assert loaded_by("duckdb", FRONT_LIBRARIES) == ["duckdb"]
