"""What was asked is remembered, whoever else remembers at the same moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.sql import history
from engine.sql.history import History

REPO = Path(__file__).resolve().parents[1]


def asked(path: Path) -> list[str]:
    return [entry.sql for entry in History(path).entries()]


def test_the_newest_is_last_and_survives(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "history.jsonl"
    History(path).add("SELECT 1", "a.duckdb")
    History(path).add("SELECT\n  '日本'  -- x\n")
    first, second = History(path).entries()
    assert (first.sql, first.database) == ("SELECT 1", "a.duckdb")
    assert first.at.endswith("Z")
    assert second.sql == "SELECT\n  '日本'  -- x"


def test_repeats_in_a_row_and_nothing_are_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    for sql in ("a", "a ", "", "  \n", "b", "a", "a"):
        History(path).add(sql)
    assert asked(path) == ["a", "b", "a"]


def test_there_is_no_history_without_a_file(tmp_path: Path) -> None:
    assert asked(tmp_path / "nothing.jsonl") == []


def test_it_lies_beside_the_explorers_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGITSCOPE_STATE", str(tmp_path))
    History().add("SELECT 1")
    assert asked(tmp_path / "sql_history.jsonl") == ["SELECT 1"]


def test_lines_that_can_not_be_read_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    History(path).add("a")
    with path.open("ab") as file:
        file.write(b'\xff\xfe\n{"nothing": 1}\nnull\n\n{"sql": "cut o')
    History(path).add("b")
    assert asked(path) == ["a", "b"]


def test_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST", 10)
    path = tmp_path / "history.jsonl"
    for number in range(35):
        History(path).add(f"SELECT {number}")
        assert len(path.read_bytes().splitlines()) <= 20
    assert asked(path) == [f"SELECT {number}" for number in range(25, 35)]
    assert {file.name for file in tmp_path.iterdir()} == {"history.jsonl", "history.lock"}


def test_processes_do_not_lose_each_others_lines(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    program = (
        "import sys; from pathlib import Path; from engine.sql import history\n"
        "history.MOST = 150\n"
        "kept = history.History(Path(sys.argv[1]))\n"
        "for number in range(100): kept.add(f'{sys.argv[2]} {number}')"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(path), name], cwd=REPO)
        for name in ("one", "two")
    ]
    assert [writer.wait() for writer in writers] == [0, 0]
    found = [entry.sql for entry in History(path).entries()]
    assert len(found) == 200
    for name in ("one", "two"):
        assert [sql for sql in found if sql.startswith(name)] == [f"{name} {n}" for n in range(100)]


def test_where_nothing_can_be_written_nothing_fails(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    History(blocked / "history.jsonl").add("SELECT 1")
    assert asked(blocked / "history.jsonl") == []
