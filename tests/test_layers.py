"""What is really imported: the front never loads the model libraries, the probe not the store."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

MODEL_LIBRARIES = ("torch", "transformers")
FRONT_LIBRARIES = ("duckdb", "textual")

FRONT = (
    "engine.client",
    "engine.browse",
    "engine.store",
    "engine.runs",
    "engine.demo",
    "engine.followups",
    "tui.cli",
    "tui.commands.root",
    "tui.app",
)
BACK = ("engine.sampling", "engine.model", "engine.probe", "engine.extend")
LIGHT = ("engine.worker", "tests.fake_worker")

IMPORT_ALL = """
import importlib, json, sys
modules, libraries = json.loads(sys.argv[1])
culprits = {}
for module in modules:
    importlib.import_module(module)
    for library in libraries:
        if library in sys.modules:
            culprits.setdefault(library, module)
print(json.dumps(culprits))
"""


def culprits(modules: tuple[str, ...], libraries: tuple[str, ...]) -> dict[str, str]:
    """Import modules in a fresh interpreter; which of them was the first to load a library."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, json.dumps([modules, libraries])],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_the_front_loads_no_model_library() -> None:
    assert culprits(FRONT, MODEL_LIBRARIES) == {}


@pytest.mark.slow
def test_the_probe_loads_no_store_and_no_screen() -> None:
    assert culprits(BACK, FRONT_LIBRARIES) == {}


def test_the_worker_starts_light() -> None:
    """The message loop is up before torch is: the first stage can be told at once."""
    assert culprits(LIGHT, MODEL_LIBRARIES + FRONT_LIBRARIES) == {}


def test_the_check_would_notice() -> None:
    assert culprits(("json", "engine.store"), FRONT_LIBRARIES) == {"duckdb": "engine.store"}
