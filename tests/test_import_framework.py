"""Importing: all or nothing, once, by a command that says what it did."""

from __future__ import annotations

import json
import re
import shutil
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
from tests.screen_help import LARGE, SMALL, settle, text_of, until
from tests.test_cli import logitscope as logitscope
from tests.test_import_mcq import one, order, write
from tui.app import ExplorerApp
from tui.screens.question import QuestionScreen
from tui.screens.questions import QuestionsScreen
from tui.session import Session

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


def test_one_log_twice_in_one_command(tmp_path: Path) -> None:
    path = one(tmp_path)
    copy = shutil.copy(path, tmp_path / "copy.jsonl")
    with open_store(tmp_path / "s.duckdb") as store:
        with pytest.raises(LogError, match=r"tiny-1b_train.jsonl and .*copy.jsonl hold the same"):
            import_logs(store, "mcq-mismatch", [path, copy])
        assert runs(store) == []
        assert len(import_logs(store, "mcq-mismatch", [path, path])) == 1
        assert len(import_logs(store, "mcq-mismatch", [path, copy], again=True)) == 2


def test_half_a_character_is_one_sentence_and_stores_nothing(tmp_path: Path) -> None:
    path = one(tmp_path, response="[INST] ? [/INST] \ud83d")
    with open_store(tmp_path / "s.duckdb") as store:
        with pytest.raises(LogError, match=re.escape(path)):
            import_logs(store, "mcq-mismatch", [path])
        assert runs(store) == []


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
    assert "1 question, 1 probe" in done.out
    assert "not recorded" in done.out
    again = logitscope("import", "mcq-mismatch", path, "--db", db, "--again", "--json")
    (stored,) = json.loads(again.out)
    assert (stored["run_id"], stored["probes"]) == (2, 1)
    refused = logitscope("import", "mcq-mismatch", path, "--db", db)
    assert refused.code == 1
    assert "--again" in refused.err


HOLDER = """
import sys
from engine.store import open_store
with open_store(sys.argv[1]):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_a_locked_database_is_left_alone(logitscope, tmp_path: Path) -> None:
    path, db = one(tmp_path), tmp_path / "s.duckdb"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(db)],
        cwd=REPO,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        done = logitscope("import", "mcq-mismatch", path, "--db", db)
    finally:
        holder.communicate()
    assert done.code == 1
    assert f"process {holder.pid}" in done.err
    assert "Traceback" not in done.err
    assert set(rows(db).values()) == {0}


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("kind", ["mcq-mismatch", "msp"])
async def test_imported_questions_can_be_stepped_through(
    tmp_path: Path, kind: str, size: tuple[int, int]
) -> None:
    name = "arc_Tiny-q0to2_no_abst_norm_logits_first_prompt.txt"
    (tmp_path / name).write_text("grade confidence_level\nCorrect 0.5\nUnparseable 0\n")
    shuffles = [order(*texts, reply=" B", logits=(1.0, 2.0)) for texts in (("b", "a"), ("a", "b"))]
    row = {"original_question": "?", "shuffle_0": shuffles[0], "shuffle_1": shuffles[1]}
    paths = {"msp": str(tmp_path / name), "mcq-mismatch": write(tmp_path / "m.jsonl", row)}
    store = open_store(tmp_path / "s.duckdb")
    import_logs(store, kind, [paths[kind]])
    session = Session(store)
    app = ExplorerApp(session)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, QuestionsScreen)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, QuestionScreen))
        for step in (1, 2):
            await settle(pilot)
            assert f"{step} of 2" in text_of(app)
            assert "not recorded" in text_of(app)
            orders = {
                "msp": "order 0 ·",
                "mcq-mismatch": ("order 0 (BA)", "order 1 (AB)")[step - 1],
            }
            assert orders[kind] in text_of(app)
            await pilot.press("l", "u", "s", "d", "t")
            await settle(pilot)
            await pilot.press("t", "j")
    session.close()


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
