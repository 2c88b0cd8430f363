"""The demo is recorded once, whole, and anew where anything it depends on changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import demo
from engine.client import WorkerClient
from engine.errors import LogitscopeError
from engine.execution import RunProgress
from engine.paths import home
from engine.records import ProbeSettings
from engine.store import open_store
from tests.fake_worker import fake_command
from tests.test_runs import write_questions

PLANNED = (3 + 2) * 2


@pytest.fixture(autouse=True)
def small_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Five questions in two formats, in a home of its own."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("one")
    sources = [write_questions(tmp_path, count, name) for name, count in (("one", 3), ("two", 2))]
    monkeypatch.setenv("LOGITSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(demo, "EMBEDDED_MODEL", tmp_path / "model")
    recordings = [
        demo.Recording(name, source, formats=("low", "high"))
        for name, source in zip(("One", "Two"), sources, strict=True)
    ]
    monkeypatch.setattr(demo, "RECORDINGS", tuple(recordings))
    monkeypatch.setattr(demo, "SETTINGS", ProbeSettings(samples=1))
    demo._digest.cache_clear()
    yield
    demo._digest.cache_clear()


def client(*arguments: str) -> WorkerClient:
    return WorkerClient(command=fake_command(*arguments), niceness=0)


def test_the_demo_is_recorded_once() -> None:
    told: list[RunProgress] = []
    assert not demo.demo_ready()
    with client() as worker:
        path = demo.record_demo(worker, on_progress=told.append)
        assert path == demo.demo_path()
        assert demo.demo_ready()
        assert [file.suffix for file in home().glob("demo*")] == [".duckdb"]
        before = len(told)
        assert demo.record_demo(worker, on_progress=told.append) == path
        assert len(told) == before
    assert {progress.planned for progress in told} == {PLANNED}
    assert told[-1].done == PLANNED
    with open_store(path, read_only=True) as store:
        rows = store.reader().execute("SELECT name, status, planned FROM runs ORDER BY run_id")
        assert rows.fetchall() == [
            ("Demo: One", "finished", 6),
            ("Demo: Two", "finished", 4),
        ]


def test_a_recording_that_was_stopped_goes_on() -> None:
    stop = threading.Event()

    def stop_in_the_second_run(progress: RunProgress) -> None:
        if progress.done >= 7:
            stop.set()

    with client("--delay", "0.3") as worker, pytest.raises(LogitscopeError, match="to its end"):
        demo.record_demo(worker, on_progress=stop_in_the_second_run, stop=stop)
    assert not demo.demo_ready()
    told: list[RunProgress] = []
    with client() as worker:
        path = demo.record_demo(worker, on_progress=told.append)
    assert told[0].done >= 7
    with open_store(path, read_only=True) as store:
        assert store.reader().execute("SELECT count(*) FROM probes").fetchall() == [(PLANNED,)]


@pytest.mark.parametrize("changed", ["model/weights", "one.jsonl"])
def test_another_model_or_question_is_another_demo(changed: str, tmp_path: Path) -> None:
    before = demo.demo_path()
    with (tmp_path / changed).open("a") as file:
        file.write("\n")
    demo._digest.cache_clear()
    assert demo.demo_path() != before
    assert demo.demo_path().parent == before.parent == tmp_path / "home"


def test_other_settings_are_another_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    before = demo.demo_path()
    monkeypatch.setattr(demo, "SETTINGS", ProbeSettings(samples=2))
    demo._digest.cache_clear()
    assert demo.demo_path() != before


def test_without_an_override_the_home_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOGITSCOPE_HOME")
    assert home().name == "logitscope"
    assert home().is_absolute()
