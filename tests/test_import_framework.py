"""Importing: all or nothing, once, by a command that says what it did."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from engine.browse import runs
from engine.errors import LogError, LogitscopeError, StoreError
from engine.importers import KINDS, import_logs, read_logs
from engine.store import open_store
from tests.test_cli import logitscope as logitscope
from tests.test_import_mcq import one

REPO = Path(__file__).resolve().parents[1]
TABLES = ("runs", "questions", "tokens", "probes", "generations", "readings", "human_labels",
          "scores", "outcomes")  # fmt: skip


def rows(path: Path) -> dict[str, int]:
    with open_store(path) as store:
        return {
            table: store.reader().execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
            for table in TABLES
        }


def test_every_kind_has_its_importer() -> None:
    for kind in KINDS:
        module = import_module(f"engine.importers.{kind.module}")
        assert callable(getattr(module, kind.function))
        assert kind.about


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(LogError) as caught:
        read_logs("wandb", ["x"])
    assert "lm-eval" in caught.value.hint


def test_what_is_stored_already_is_refused_unless_wanted(tmp_path: Path) -> None:
    path = one(tmp_path, label="B. Rarely")
    with open_store(tmp_path / "s.duckdb") as store:
        (first,) = import_logs(store, "mcq-mismatch", [path])
        with pytest.raises(LogError, match=f"stored already, as run {first.run_id}"):
            import_logs(store, "mcq-mismatch", [path], name="other", model="other")
        (second,) = import_logs(store, "mcq-mismatch", [path], name="n", model="m", again=True)
        newest = runs(store)[0]
        assert (newest.name, newest.model, newest.status) == ("n", "m", "finished")
        assert second.run_id == 2


def test_a_store_that_can_t_be_written_stays_as_it_is(tmp_path: Path) -> None:
    path = one(tmp_path)
    db = tmp_path / "s.duckdb"
    open_store(db).close()
    with open_store(db, read_only=True) as store, pytest.raises(StoreError):
        import_logs(store, "mcq-mismatch", [path])
    assert set(rows(db).values()) == {0}


KILLED = """
import os, signal, sys
from engine.importers import import_logs
from engine.store import Store, open_store

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

Store.finish_run = die
with open_store(sys.argv[1]) as store:
    import_logs(store, "mcq-mismatch", [sys.argv[2]])
"""


def test_a_process_killed_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    path, db = one(tmp_path, label="B. Rarely", max_first_token="Sure"), tmp_path / "s.duckdb"
    command = [sys.executable, "-c", KILLED, str(db), path]
    done = subprocess.run(command, cwd=REPO, check=False)
    assert done.returncode == -signal.SIGKILL
    assert set(rows(db).values()) == {0}
    with open_store(db) as store:
        import_logs(store, "mcq-mismatch", [path])
    assert rows(db)["probes"] == 1


def test_changes_made_together_are_made_whole_or_not(tmp_path: Path) -> None:
    with open_store(tmp_path / "s.duckdb") as store:

        def add() -> int:
            return store.add_run(
                kind="import", name="n", model="m", source="s", formats=["f"], orders=1,
                planned=0, fingerprint="x", settings="{}",
            )  # fmt: skip

        def add_and_fail() -> None:
            with store.together():
                add()
                raise LogitscopeError("no")

        with pytest.raises(LogitscopeError, match="no"):
            add_and_fail()
        assert runs(store) == []
        with store.together():
            run_id = add()
            store.finish_run(run_id, "finished")
        assert [run.status for run in runs(store)] == ["finished"]


def test_the_command_says_what_it_stored(logitscope, tmp_path: Path) -> None:
    path, db = one(tmp_path, label="B. Rarely"), tmp_path / "new.duckdb"
    done = logitscope("import", "mcq-mismatch", path, "--db", db)
    assert done.code == 0
    assert "run 1  mcq-mismatch · tiny-1b_train  (tiny-1b)" in done.out
    assert "1 questions, 1 probes" in done.out
    assert "not recorded" in done.out
    again = logitscope("import", "mcq-mismatch", path, "--db", db, "--again", "--json")
    (stored,) = json.loads(again.out)
    assert (stored["run_id"], stored["probes"]) == (2, 1)
    refused = logitscope("import", "mcq-mismatch", path, "--db", db)
    assert refused.code == 1
    assert "--again" in refused.err


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_a_foreign_file_is_one_sentence_for_every_kind(
    logitscope, tmp_path: Path, kind: str
) -> None:
    foreign = tmp_path / "samples_x.jsonl"
    foreign.write_text('{"half": ')
    done = logitscope("import", kind, foreign, "--db", tmp_path / "s.duckdb")
    assert done.code == 1
    assert done.out == ""
    assert str(foreign) in done.err
    assert "Traceback" not in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "s.duckdb").exists()
