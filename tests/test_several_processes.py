"""One process holds the database and writes; others read it all the same, each from a copy."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pexpect
import pytest

from engine import copies, snapshot
from engine.copies import copies_folder, open_copy, open_to_read
from engine.database import LockedError
from engine.errors import StoreError
from engine.schema import utc_now
from engine.store import open_store
from tests.test_cli import logitscope as logitscope
from tests.test_store import HOLD, WRITE, ask, child, wait_for_batches, whole

REPO = Path(__file__).resolve().parents[1]


class Owner(NamedTuple):
    """A process that has a database open, and may write to it without a pause."""

    path: Path
    process: subprocess.Popen[str]
    witness: Path

    def committed(self, batches: int) -> int:
        """Wait for so many batches; returns how many probes there are at least."""
        return wait_for_batches(self.witness, batches)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGITSCOPE_HOME", str(tmp_path / "home"))


@pytest.fixture
def owner(sample_database: Path, tmp_path: Path) -> Iterator[Owner]:
    """It holds a file with 48 probes."""
    with child(HOLD, str(sample_database), "write") as process:
        yield Owner(sample_database, process, tmp_path / "nothing")
        process.kill()


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Owner]:
    """It writes all the time."""
    path, witness = tmp_path / "held.duckdb", tmp_path / "committed"
    with child(WRITE, str(path), str(witness)) as process:
        yield Owner(path, process, witness)
        process.kill()


def sentence(owner: Owner) -> str:
    return rf"{owner.path} is in use by \S+, process {owner.process.pid}"


# Commands


def test_reading_commands_answer_from_a_copy(logitscope, owner: Owner, tmp_path: Path) -> None:
    told = rf"{sentence(owner)}: answering from a copy made now \([\d,]+ MB\)\."
    folder = tmp_path / "x"
    for command in (
        ("sql", "SELECT count(*) AS n FROM probes", "--json"),
        ("report", "mismatch", "--json"),
        ("show", "1", "--json"),
        ("samples", "1", "--json"),
        ("export", "--all", "--to", folder, "--json"),
        ("reread", "--dry-run", "--json"),
    ):
        done = logitscope(*command, "--db", owner.path)
        assert done.code == 0, done.err
        assert re.fullmatch(told, done.err.strip()), done.err
        found = json.loads(done.out)
        if command[0] == "sql":
            assert found == [{"n": 48}]
    assert (folder / "README.md").is_file()
    assert [*copies_folder().iterdir()] == []
    assert owner.process.poll() is None


def test_who_wants_no_copy_is_refused(logitscope, owner: Owner) -> None:
    for command in (("sql", "SELECT 1"), ("report", "mismatch"), ("show", "1")):
        done = logitscope(*command, "--db", owner.path, "--no-copy")
        assert (done.code, done.out) == (1, "")
        assert re.search(sentence(owner), done.err)
        assert "Traceback" not in done.err
    assert not copies_folder().exists()


def test_writing_commands_say_what_to_do(logitscope, owner: Owner, tmp_path: Path) -> None:
    questions = REPO / "sample_data" / "questions" / "knowledge.jsonl"
    model = REPO / "sample_data" / "model"
    for command in (
        ("run", questions, "--model", model, "--limit", "1"),
        ("samples", "1", "--more", "1"),
        ("reread",),
    ):
        done = logitscope(*command, "--db", owner.path)
        assert (done.code, done.out) == (1, "")
        assert re.search(sentence(owner), done.err)
        assert "Close it there, or name another file" in done.err
        assert f"logitscope {owner.path} --copy" in done.err


def test_a_command_in_a_process_of_its_own(owner: Owner) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tui.cli",
            "sql",
            "SELECT 1 AS one",
            "--db",
            owner.path,
            "-o",
            "csv",
        ],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "one\n1\n"
    assert re.search(sentence(owner), done.stderr)


# The explorer


def explorer(path: Path, *options: str) -> pexpect.spawn[str]:
    return pexpect.spawn(
        sys.executable,
        ["-m", "tui.cli", str(path), *options],
        cwd=str(REPO),
        dimensions=(24, 80),
        timeout=60,
        encoding="utf-8",
        env={**os.environ, "TERM": "xterm-256color"},
    )


@pytest.mark.parametrize(("options", "reply"), [((), "\r"), ((), "y\r"), (("--copy",), None)])
def test_a_second_explorer_opens_a_copy(
    owner: Owner, options: tuple[str, ...], reply: str | None
) -> None:
    second = explorer(owner.path, *options)
    if reply is not None:
        second.expect(sentence(owner))
        second.expect_exact("Open a copy made now, for reading only? [Y/n]")
        second.send(reply)
    second.expect(r"Copy made at \d\d:\d\d, for reading only")
    second.expect("Mercury")
    second.send(" ")
    second.expect("This is a copy")
    second.send("q")
    second.expect(pexpect.EOF)
    second.close()
    assert second.exitstatus == 0
    assert owner.process.poll() is None
    assert [*copies_folder().iterdir()] == []


def test_who_says_no_gets_the_sentence(owner: Owner) -> None:
    second = explorer(owner.path)
    second.expect_exact("[Y/n]")
    second.send("n\r")
    second.expect(r"logitscope: .*in use by")
    second.expect(pexpect.EOF)
    second.close()
    assert second.exitstatus == 1


def test_without_a_terminal_nobody_is_asked(owner: Owner) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tui.cli", str(owner.path)],
        cwd=REPO,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert re.search(sentence(owner), done.stderr)
    assert f"logitscope {owner.path} --copy" in done.stderr


# A notebook

NOTEBOOK = """
import sys
from engine.database import LockedError
from engine.notebook import ask, open_copy, open_store, study
try:
    open_store(sys.argv[1], read_only=True)
except LockedError:
    store = open_copy(sys.argv[1])
print(len(ask(store, "FROM probes").to_pandas()), study(store, "mismatch")["counts"].num_rows > 0)
print(store.path, store.read_only, store.copied_at is not None)
"""


def test_a_notebook_reads_a_copy(writer: Owner) -> None:
    committed = writer.committed(2)
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, str(writer.path)],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    first, second = done.stdout.splitlines()
    probes, counted = first.split()
    assert (int(probes) >= committed, counted) == (True, "True")
    assert second == f"{writer.path} True True"
    assert [*copies_folder().iterdir()] == []


def test_a_process_may_copy_what_it_has_open_itself(sample_database: Path) -> None:
    with open_store(sample_database) as store:
        store.toggle_mark(7)
        with open_copy(sample_database) as copy:
            assert ask(copy, "SELECT probe_id FROM marks") == [(7,)]
            store.toggle_mark(8)
            assert ask(copy, "SELECT probe_id FROM marks") == [(7,)]
        intruder = subprocess.run(
            [sys.executable, "-c", HOLD, str(sample_database), "read"],
            cwd=REPO,
            input="",
            capture_output=True,
            text=True,
            check=False,
        )
        assert f"process {os.getpid()}" in intruder.stderr


# Copies


def test_copies_made_while_it_is_written_are_whole(writer: Owner) -> None:
    for number in range(4):
        committed = writer.committed(number + 1)
        before = utc_now()
        with open_copy(writer.path) as copy:
            assert ask(copy, "SELECT count(*) FROM probes")[0][0] >= committed
            whole(copy)
            assert copy.copied_at is not None
            assert before <= copy.copied_at <= before + timedelta(minutes=1)
            # It goes on: only who may write says of a run that its process is gone.
            assert ask(copy, "SELECT status FROM runs") == [("running",)]
            with pytest.raises(StoreError, match="This is a copy of") as caught:
                copy.toggle_mark(1)
            assert "in the program that holds it" in caught.value.hint


def test_a_file_that_is_free_is_read_itself(sample_database: Path) -> None:
    told: list[str] = []
    with open_to_read(sample_database, tell=told.append) as store:
        assert store.copied_at is None
    assert told == []
    assert not copies_folder().exists()


def test_a_killed_writer_leaves_no_lock(writer: Owner) -> None:
    committed = writer.committed(1)
    with pytest.raises(LockedError):
        open_store(writer.path, read_only=True)
    writer.process.send_signal(signal.SIGKILL)
    writer.process.wait()
    for read_only in (True, False):
        with open_store(writer.path, read_only=read_only) as store:
            assert ask(store, "SELECT count(*) FROM probes")[0][0] >= committed


KEEP_A_COPY = """
import sys
from engine.copies import open_copy
store = open_copy(sys.argv[1])
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_killed_reader_leaves_no_copy(sample_database: Path) -> None:
    with child(KEEP_A_COPY, str(sample_database)) as reader:
        assert [path for path in copies_folder().iterdir() if path.is_file()] == []
        reader.kill()


def test_what_killed_processes_left_is_taken_away(sample_database: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folder, host = copies_folder(), copies._host()
    left = [f".{host}-{gone.pid}-ab.duckdb.part", f"{host}-{gone.pid}-ab.duckdb.wal"]
    kept = [f"{host}-{os.getpid()}-ab.duckdb", f"elsewhere-{gone.pid}-ab.duckdb", "notes.txt"]
    folder.mkdir(parents=True)
    for name in (*left, *kept):
        (folder / name).write_text("")
    spilled = folder / f"{host}-{gone.pid}-ab.duckdb.tmp"
    spilled.mkdir()
    (spilled / "block").write_text("")
    open_copy(sample_database).close()
    assert sorted(path.name for path in folder.iterdir()) == sorted(kept)


def test_a_copy_that_has_no_room_is_a_sentence(
    sample_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(snapshot.shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(snapshot, "_cloned", lambda source, draft: False)
    with pytest.raises(StoreError, match="There is no room for a copy") as caught:
        snapshot.snapshot_copy(sample_database, tmp_path / "copy.duckdb")
    assert "0 MB left" in caught.value.sentence
    assert not list(tmp_path.glob("*copy*"))


def test_a_folder_that_can_t_be_made_is_a_sentence(
    sample_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LOGITSCOPE_HOME", str(tmp_path / "file"))
    with pytest.raises(StoreError, match="No copy can be made") as caught:
        open_copy(sample_database)
    assert "LOGITSCOPE_HOME" in caught.value.hint
    monkeypatch.setenv("LOGITSCOPE_HOME", str(tmp_path / "home"))
    with pytest.raises(StoreError, match="There is no database"):
        open_copy(tmp_path / "none.duckdb")


def test_what_has_no_schema_of_ours_is_named_by_its_own_name(
    tmp_path: Path, sample_database: Path
) -> None:
    with open_store(sample_database) as store, store.together() as writer:
        writer.execute("UPDATE meta SET schema_version = 99")
    with pytest.raises(StoreError, match=f"{sample_database} was written by a newer"):
        open_copy(sample_database)
    assert [*copies_folder().iterdir()] == []


def test_an_older_file_is_brought_up_to_date_in_the_copy_alone(sample_database: Path) -> None:
    with open_store(sample_database) as store, store.together() as writer:
        writer.execute("UPDATE meta SET definitions = 'older'")
        writer.execute("DELETE FROM outcomes")
    before = sample_database.read_bytes()
    with pytest.raises(StoreError, match="has to be brought up to date"):
        open_store(sample_database, read_only=True)
    with open_copy(sample_database) as copy:
        assert ask(copy, "SELECT count(*) FROM outcomes") == [(48,)]
    assert sample_database.read_bytes() == before
