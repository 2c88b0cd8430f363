"""``logitscope lab`` prints what the prompt lab shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.demo import EMBEDDED_MODEL
from engine.records import ProbeSettings
from engine.runs import plan_run
from engine.store import open_store
from tui.commands.root import app

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three questions of the embedded model in one format."""
    from engine.client import WorkerClient
    from engine.runs import execute

    path = tmp_path_factory.mktemp("lab") / "runs.duckdb"
    questions = EMBEDDED_MODEL.parent / "questions" / "knowledge.jsonl"
    settings = ProbeSettings(samples=0, max_new_tokens=12)
    plan = plan_run(str(EMBEDDED_MODEL), str(questions), ["low"], settings, limit=3)
    with open_store(path) as store, WorkerClient(niceness=0) as client:
        execute(store, plan, client)
    return path


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_baseline_and_now_and_the_pinned_questions(database: Path) -> None:
    printed = run("lab", 1, "--format", "high", "--db", database)
    lines = printed.splitlines()
    (header,) = (line for line in lines if "low" in line and "high" in line)
    assert "change" in header
    assert any(line.strip().startswith("other tokens") for line in lines)
    assert any(line.startswith("now ") for line in lines)
    (mismatch,) = (line for line in lines if line.strip().startswith("mismatch"))
    assert mismatch.split()[-1] == "3"


def test_everything_as_json(database: Path) -> None:
    printed = run("lab", 2, "-f", "high", "--baseline", "middle", "--db", database, "--json")
    whole = json.loads(printed)
    assert whole["baseline"]["format"]["name"] == "middle"
    assert whole["now"]["format"]["name"] == "high"
    assert len(whole["now"]["answers"]) == 3
    counted = {delta["name"]: delta for delta in whole["deltas"]}
    flips = [
        one["first_token"] != other["first_token"]
        for one, other in zip(whole["baseline"]["answers"], whole["now"]["answers"], strict=True)
    ]
    assert counted["first token flipped"]["now"] == sum(flips)
    with open_store(database, read_only=True) as store:
        assert store.reader().execute("SELECT count(*) FROM probes").fetchall() == [(3,)]


def test_the_question_alone(database: Path) -> None:
    printed = run("lab", 1, "-f", "high", "--no-pinned", "--db", database)
    assert "flipped" not in printed
