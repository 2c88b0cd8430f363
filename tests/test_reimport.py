"""``logitscope import logitscope``: every value of every table as it was, to the bit."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from engine.errors import LogError, LogitscopeError, StoreError
from engine.store import Store, open_store
from engine.transfer import export_runs, read_exports, store_exports
from engine.transfer.layout import DERIVED, PROBE_TABLES, TABLES, hash_of, table_path
from tests.sample_store import add_sample_run
from tests.test_cli import logitscope as logitscope

REPO = Path(__file__).resolve().parents[1]

ODD_FLOATS = (
    struct.unpack("<f", bits.to_bytes(4, "little"))[0]
    for bits in (0x7FC00001, 0xFFC00000, 0x80000000, 0x7F800000, 0xFF800000, 0x00000001)
)


@pytest.fixture
def store(sample_database: Path) -> Store:
    """Two runs with everything that a person can add, and what logs bring."""
    store = open_store(sample_database)
    add_sample_run(store, questions=4, orders=1, samples=1, name="second", finish=False)
    store.toggle_mark(50)
    store.set_override(3, "option", "A", "looked at\0it 👀")
    with store.together() as writer:
        writer.execute("INSERT INTO human_labels VALUES (5, 'several', NULL, ['A', 'B'], 'A or B')")
        writer.execute("INSERT INTO human_labels VALUES (6, 'option', 'B', [], '')")
        writer.execute("INSERT INTO scores VALUES (5, 'acc', 'NaN', NULL), (5, 'acc', -0.0, '')")
        writer.execute("UPDATE runs SET parent_run = 1 WHERE run_id = 2")
        derive(writer)
    return store


def derive(writer: duckdb.DuckDBPyConnection) -> None:
    """Make outcomes hold what was stored behind their back."""
    writer.execute("DELETE FROM outcomes")
    writer.execute("INSERT INTO outcomes FROM outcome_rows ORDER BY probe_id")


def contents(store: Store, table: str) -> pa.Table:
    """Every value, in an order that does not depend on when rows were stored."""
    order = "probe_id, rowid" if table in (*PROBE_TABLES, "probes", DERIVED) else "rowid"
    return store.reader().sql(f"FROM {table} ORDER BY {order}").to_arrow_table()


def bits(table: pa.Table) -> list[list[Any]]:
    """Columns that, unlike their values, tell -0.0 from 0.0 and compare one NaN with another."""
    return [[_bits(value) for value in column.to_pylist()] for column in table.columns]


def _bits(value: Any) -> Any:
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, list):
        return [_bits(each) for each in value]
    if isinstance(value, dict):
        return {name: _bits(each) for name, each in value.items()}
    return value


def same(ours: Store, theirs: Store) -> None:
    for table in (*TABLES, DERIVED):
        left, right = contents(ours, table), contents(theirs, table)
        assert left.schema == right.schema
        assert left.num_rows == right.num_rows, table
        for column in left.column_names:
            pair = [bits(each.select([column])) for each in (left, right)]
            assert pair[0] == pair[1], (table, column)


def taken_back(folder: Path, db: Path, **wanted: Any) -> Store:
    store = open_store(db)
    store_exports(store, read_exports([str(folder)]), **wanted)
    return store


def test_everything_comes_back_to_the_bit(store: Store, tmp_path: Path) -> None:
    export_runs(store, tmp_path / "x")
    with taken_back(tmp_path / "x", tmp_path / "new.duckdb") as new:
        for table in (*PROBE_TABLES, "probes"):
            assert contents(store, table).num_rows, f"nothing in {table} to compare"
        same(store, new)


def test_an_export_of_what_was_taken_back_is_the_same_file_by_file(
    store: Store, tmp_path: Path
) -> None:
    for runs in (None, [2]):
        first, second = tmp_path / f"x{runs}", tmp_path / f"y{runs}"
        export_runs(store, first, runs)
        with taken_back(first, tmp_path / f"{runs}.duckdb") as new:
            export_runs(new, second, runs)
        assert {p.name: p.read_bytes() for p in first.iterdir()} == {
            p.name: p.read_bytes() for p in second.iterdir()
        }


def test_an_older_order_of_storing_comes_back_too(store: Store, tmp_path: Path) -> None:
    """Readings that were replaced later lie behind those of other probes."""
    with store.together() as writer:
        writer.execute("CREATE TEMP TABLE kept AS FROM readings WHERE probe_id = 2")
        writer.execute("DELETE FROM readings WHERE probe_id = 2")
        writer.execute("INSERT INTO readings FROM kept")
    export_runs(store, tmp_path / "x")
    with taken_back(tmp_path / "x", tmp_path / "new.duckdb") as new:
        same(store, new)


FLOATS = st.floats(width=32, allow_nan=True) | st.sampled_from([*ODD_FLOATS])
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30) | st.sampled_from(
    ["", "\0", "a\0b", "NULL", "\r\n", "\u202e", "x" * 70_000]
)
TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))


def _rows(**columns: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.fixed_dictionaries(columns), max_size=12)


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    positions=_rows(
        logprob=FLOATS,
        rank=_maybe(st.integers(-(2**31), 2**31 - 1)),
        entropy=_maybe(FLOATS),
        top_ids=st.lists(_maybe(st.integers(0, 2**31 - 1)), max_size=4),
        top_logprobs=st.lists(_maybe(FLOATS), max_size=4),
    ),
    scores=_rows(name=TEXTS, value=_maybe(st.floats()), answer=_maybe(TEXTS)),
    generations=_rows(text=TEXTS, finish_reason=_maybe(TEXTS), fork=_maybe(st.integers(-9, 9))),
    tokens=_rows(piece=_maybe(TEXTS), raw=st.binary(max_size=9), special=st.booleans()),
    marked=TIMES,
    note=_maybe(TEXTS),
    labels=st.lists(_maybe(TEXTS), max_size=3),
)
def test_odd_values_come_back_to_the_bit(
    sample_database: Path, tmp_path_factory: pytest.TempPathFactory, **drawn: Any
) -> None:
    folder = tmp_path_factory.mktemp("odd")
    constant = {
        "positions": {"probe_id": 1, "sample": 9, "position": 0, "token_id": 1},
        "scores": {"probe_id": 1},
        "generations": {"probe_id": 1, "sample": 9, "kind": "extra"},
        "tokens": {"tokenizer": "odd", "token_id": 1},
    }
    with open_store(folder / "odd.duckdb") as store:
        add_sample_run(store, questions=1, orders=1, samples=0)
        with store.together() as writer:
            for table, values in constant.items():
                schema = writer.sql(f"FROM {table} LIMIT 0").to_arrow_table().schema
                rows = [{**values, **row} for row in drawn[table]]
                writer.register("batch", pa.Table.from_pylist(rows, schema=schema))
                writer.execute(f"INSERT INTO {table} BY NAME FROM batch")
            writer.execute("INSERT INTO marks VALUES (1, ?)", [drawn["marked"]])
            writer.execute(
                "INSERT INTO overrides VALUES (2, 'option', 'A', ?, ?)",
                [drawn["note"], drawn["marked"]],
            )
            writer.execute(
                "INSERT INTO human_labels VALUES (1, 'several', NULL, ?, '')", [drawn["labels"]]
            )
            derive(writer)
        export_runs(store, folder / "x")
        with taken_back(folder / "x", folder / "new.duckdb") as new:
            same(store, new)


def test_in_a_store_with_runs_everything_is_numbered_on(store: Store, tmp_path: Path) -> None:
    export_runs(store, tmp_path / "x")
    with open_store(tmp_path / "other.duckdb") as other:
        add_sample_run(other, questions=3, orders=1, samples=1, name="first here")
        before = {table: contents(other, table) for table in (*TABLES, DERIVED)}
        stored = store_exports(other, read_exports([str(tmp_path / "x")]))
        assert [(run.run_id, run.probes) for run in stored] == [(2, 48), (3, 8)]
        shift = before["probes"].num_rows
        for table in ("probes", *PROBE_TABLES, DERIVED):
            there = contents(other, table)
            own = before[table].num_rows
            assert bits(there.slice(0, own)) == bits(before[table])
            moved, ours = there.slice(own), contents(store, table)
            names = [name for name in ours.column_names if name not in ("probe_id", "run_id")]
            assert bits(moved.select(names)) == bits(ours.select(names)), table
            for name, by in (("probe_id", shift), ("run_id", 1)):
                if name in ours.column_names:
                    expected = [number + by for number in ours.column(name).to_pylist()]
                    assert moved.column(name).to_pylist() == expected
        assert contents(other, "tokens").equals(before["tokens"])
        ids = contents(other, "questions").column("question_id").to_pylist()
        assert len(ids) == len(set(ids)) == contents(store, "questions").num_rows
        assert contents(other, "runs").column("parent_run").to_pylist() == [None, None, 2]


def test_a_parent_that_was_not_exported_is_no_other_run(store: Store, tmp_path: Path) -> None:
    export_runs(store, tmp_path / "x", [2])
    with taken_back(tmp_path / "x", tmp_path / "empty.duckdb") as new:
        assert contents(new, "runs").select(["run_id", "parent_run"]).to_pylist() == [
            {"run_id": 2, "parent_run": 1}
        ]
        store_exports(new, read_exports([str(tmp_path / "x")]), again=True)
        assert contents(new, "runs").select(["run_id", "parent_run"]).to_pylist()[1] == {
            "run_id": 3,
            "parent_run": None,
        }


def test_what_is_stored_already_is_refused_unless_wanted(store: Store, tmp_path: Path) -> None:
    export_runs(store, tmp_path / "x", [1])
    with taken_back(tmp_path / "x", tmp_path / "new.duckdb") as new:
        exports = read_exports([str(tmp_path / "x")])
        with pytest.raises(LogError, match=r"Run 1 of .*x is stored already, as run 1") as caught:
            store_exports(new, exports)
        assert "--again" in caught.value.hint
        assert contents(new, "runs").num_rows == 1
        (second,) = store_exports(new, exports, again=True, name="n", model="m")
        assert (second.run_id, second.name, second.model, second.probes) == (2, "n", "m", 48)
    with open_store(tmp_path / "twice.duckdb") as twice, pytest.raises(LogError, match="already"):
        store_exports(twice, [*exports, *exports])
    with open_store(tmp_path / "twice.duckdb") as twice:
        assert contents(twice, "runs").num_rows == 0


def test_a_run_that_had_not_ended_says_so(store: Store, tmp_path: Path) -> None:
    export_runs(store, tmp_path / "x", [2])
    with open_store(tmp_path / "new.duckdb") as new:
        (stored,) = store_exports(new, read_exports([str(tmp_path / "x")]))
    assert stored.notes == ("This run is running.",)


@pytest.fixture
def folder(store: Store, tmp_path: Path) -> Path:
    export_runs(store, tmp_path / "x", [1])
    return tmp_path / "x"


def _cut(folder: Path) -> None:
    path = folder / "positions.parquet"
    os.truncate(path, path.stat().st_size // 2)


def _flip(folder: Path) -> None:
    path = folder / "readings.parquet"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def _manifest(folder: Path, **changed: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


def _forge(folder: Path, table: str, rows: pa.Table) -> None:
    """Put other rows in the place of a table, with a hash that fits."""
    parquet.write_table(rows, table_path(folder, table))
    tables = json.loads((folder / "manifest.json").read_text())["tables"]
    tables[table] = {"rows": rows.num_rows, "sha256": hash_of(table_path(folder, table))}
    _manifest(folder, tables=tables)


def _orphans(folder: Path) -> None:
    rows = parquet.read_table(folder / "scores.parquet")
    row = {"probe_id": 4711, "name": "acc", "value": 1.0, "answer": None}
    _forge(folder, "scores", pa.Table.from_pylist([row], schema=rows.schema))


def _no_parquet(folder: Path) -> None:
    _forge(folder, "scores", parquet.read_table(folder / "scores.parquet"))
    (folder / "scores.parquet").write_text("no parquet")
    tables = json.loads((folder / "manifest.json").read_text())["tables"]
    tables["scores"]["sha256"] = hash_of(folder / "scores.parquet")
    _manifest(folder, tables=tables)


def _fewer_questions(folder: Path) -> None:
    _forge(folder, "questions", parquet.read_table(folder / "questions.parquet").slice(1))


def _foreign_column(folder: Path) -> None:
    rows = parquet.read_table(folder / "marks.parquet")
    _forge(folder, "marks", rows.append_column("colour", pa.array([], pa.string())))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_cut, r"positions\.parquet is cut off or was changed"),
        (_flip, r"readings\.parquet is cut off or was changed"),
        (lambda x: (x / "tokens.parquet").unlink(), r"tokens\.parquet can't be read"),
        (lambda x: (x / "manifest.json").unlink(), "is no exported folder"),
        (lambda x: (x / "manifest.json").write_text('{"format": "log'), "is no JSON"),
        (lambda x: (x / "manifest.json").write_text("[1]"), "does not say that this is an export"),
        (lambda x: _manifest(x, format="other"), "does not say that this is an export"),
        (lambda x: _manifest(x, schema_version=99), r"newer logitscope \(schema 99"),
        (lambda x: _manifest(x, runs="all"), r"manifest\.json is damaged"),
        (lambda x: _manifest(x, tables={}), "names no table runs"),
        (_orphans, "of 1 rows of scores 0 belong"),
        (_fewer_questions, "rows of outcomes"),
        (_no_parquet, r"scores\.parquet can't be read as parquet"),
        (_foreign_column, "colour"),
    ],
)
def test_a_spoilt_export_is_one_sentence_and_stores_nothing(
    logitscope, folder: Path, tmp_path: Path, spoil: Any, sentence: str
) -> None:
    spoil(folder)
    db = tmp_path / "new.duckdb"
    with open_store(db) as new, pytest.raises(LogitscopeError, match=sentence):
        store_exports(new, read_exports([str(folder)]))
    done = logitscope("import", "logitscope", folder, "--db", db)
    assert (done.code, done.out) == (1, "")
    assert "Traceback" not in done.err
    with open_store(db, read_only=True) as new:
        assert [contents(new, table).num_rows for table in TABLES] == [0] * len(TABLES)


def test_a_folder_that_is_not_there_makes_no_database(logitscope, tmp_path: Path) -> None:
    done = logitscope("import", "logitscope", tmp_path / "none", "--db", tmp_path / "new.duckdb")
    assert done.code == 1
    assert "is no exported folder" in done.err
    assert not (tmp_path / "new.duckdb").exists()


def test_a_store_that_is_read_only_stays_as_it_is(folder: Path, tmp_path: Path) -> None:
    open_store(tmp_path / "new.duckdb").close()
    with open_store(tmp_path / "new.duckdb", read_only=True) as new, pytest.raises(StoreError):
        store_exports(new, read_exports([str(folder)]))


def test_a_column_that_an_older_export_lacks_is_not_recorded(folder: Path, tmp_path: Path) -> None:
    rows = parquet.read_table(folder / "positions.parquet").drop_columns(["margin"])
    _forge(folder, "positions", rows)
    with taken_back(folder, tmp_path / "new.duckdb") as new:
        assert contents(new, "positions").column("margin").null_count == rows.num_rows


KILLED = """
import os, signal, sys
from engine import schema
from engine.store import open_store
from engine.transfer import importing, read_exports, store_exports

importing._derive = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
with open_store(sys.argv[1]) as store:
    store_exports(store, read_exports([sys.argv[2]]))
"""


def test_a_process_killed_in_the_middle_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    db = tmp_path / "new.duckdb"
    command = [sys.executable, "-c", KILLED, str(db), str(folder)]
    assert subprocess.run(command, cwd=REPO, check=False).returncode == -signal.SIGKILL
    with open_store(db) as new:
        assert [contents(new, table).num_rows for table in TABLES] == [0] * len(TABLES)
        assert store_exports(new, read_exports([str(folder)]))[0].run_id == 1


def test_the_command_says_what_it_stored(logitscope, folder: Path, tmp_path: Path) -> None:
    db = tmp_path / "new.duckdb"
    done = logitscope("import", "logitscope", folder, "--db", db)
    assert done.code == 0
    assert "run 1  sample run  (sample/model)" in done.out
    assert "12 questions, 48 probes" in done.out
    again = logitscope("import", "logitscope", folder, "--db", db, "--again", "--json")
    (stored,) = msgspec.json.decode(again.out)
    assert (stored["run_id"], stored["probes"]) == (2, 48)
