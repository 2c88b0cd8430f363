"""Databases of released schemas are brought up to date with everything that is in them."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from engine.browse import flag_counts, probe_view
from engine.errors import StoreError
from engine.records import Generation, ProbeSettings
from engine.schema import current_version
from engine.store import Store, open_store
from tests.sample_store import make_sample_store, sample_probe, sample_questions

REPO = Path(__file__).resolve().parents[1]
SCHEMAS = Path(__file__).parent / "schemas"
ADDED = {
    2: {"generations": ["parent", "fork", "least_margin"], "positions": ["margin"]},
    3: {
        "probes": ["perturbation", "shown_text", "shown_options", "label_logits"],
        "continuations": ["unconditional"],
        "readings": ["position", "logit"],
    },
}
"""Columns by the schema that brought them."""
NEW_TABLES = {"human_labels", "scores"}

Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module", params=[1, 2])
def schema(request: pytest.FixtureRequest) -> int:
    """A released schema."""
    number: int = request.param
    return number


@pytest.fixture(scope="module")
def added(schema: int) -> list[tuple[str, list[str]]]:
    """The columns that came after it."""
    return [
        (table, columns)
        for version, by_table in ADDED.items()
        if version > schema
        for table, columns in by_table.items()
    ]


@pytest.fixture(scope="module")
def released(schema: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of that schema with something in every table."""
    folder = tmp_path_factory.mktemp("schema")
    with make_sample_store(folder / "new.duckdb", questions=5) as store:
        store.set_override(3, "option", "A", note="by hand")
        store.toggle_mark(4)
    path = folder / "old.duckdb"
    with duckdb.connect(str(path)) as old:
        old.execute((SCHEMAS / f"{schema}.sql").read_text(encoding="utf-8"))
        old.execute(f"ATTACH '{folder / 'new.duckdb'}' AS new (READ_ONLY)")
        for table in tables(old):
            if table not in ("meta", "outcomes"):
                columns = ", ".join(columns_of(old, table))
                old.execute(f"INSERT INTO {table} BY NAME SELECT {columns} FROM new.{table}")
        old.execute("INSERT INTO outcomes FROM outcome_rows ORDER BY probe_id")
        old.execute("INSERT INTO meta VALUES (?, 'old', now()::TIMESTAMP, '0.1.0')", [schema])
        assert all(old.execute(f"FROM {table} LIMIT 1").fetchall() for table in tables(old))
    return path


@pytest.fixture
def old(released: Path, tmp_path: Path) -> Path:
    """A copy for one test."""
    path = tmp_path / "old.duckdb"
    path.write_bytes(released.read_bytes())
    return path


@pytest.fixture
def store(old: Path) -> Iterator[Store]:
    """The old database, brought up to date."""
    with open_store(old) as opened:
        yield opened


def tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    found = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() ORDER BY 1"
    )
    return [name for (name,) in found.fetchall()]


def columns_of(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]


def contents(path: Path) -> dict[str, tuple[list[str], Rows]]:
    """Columns and rows of every table as they are in the file, whatever its schema."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return {
            table: (
                columns_of(connection, table),
                connection.execute(f"FROM {table} ORDER BY ALL").fetchall(),
            )
            for table in tables(connection)
        }


def ask(store: Store, query: str) -> Rows:
    rows: Rows = store.reader().execute(query).fetchall()
    return rows


def test_everything_of_an_old_database_is_there(released: Path, store: Store) -> None:
    for table, (columns, rows) in contents(released).items():
        if table != "meta":
            found = ask(store, f"SELECT {', '.join(columns)} FROM {table} ORDER BY ALL")
            assert found == rows, table
    assert ask(store, "SELECT schema_version, created_by FROM meta") == [
        (current_version(), "0.1.0")
    ]


def test_what_it_could_not_know_is_not_recorded(
    store: Store, added: list[tuple[str, list[str]]], schema: int
) -> None:
    unknown = [(table, column) for table, columns in added for column in columns]
    for table, column in unknown:
        # Nobody asked for these in the newer database either.
        assert ask(store, f"SELECT count({column}) FROM {table}") == [(0,)]
    for table in NEW_TABLES:
        assert ask(store, f"SELECT count(*) FROM {table}") == [(0,)]
    if schema > 1:
        return
    assert ask(store, "SELECT count(*), count(least_margin), count(near_tie) FROM outcomes") == [
        (20, 0, 0)
    ]
    assert "near_tie" not in flag_counts(store, 1)
    view = probe_view(store, 3)
    assert [text.positions.margins for text in view.generations] == [None] * 5
    assert {(text.parent, text.fork) for text in view.generations} == {(None, None)}
    assert (view.row.text_status, view.row.text_label) == ("option", "A")


def test_it_is_laid_out_and_documented_like_a_new_one(store: Store, tmp_path: Path) -> None:
    layout = (
        "SELECT table_name, column_name, data_type, is_nullable, comment FROM duckdb_columns() "
        "WHERE NOT internal ORDER BY table_name, column_index"
    )
    comments = (
        "SELECT table_name, comment FROM duckdb_tables() UNION ALL "
        "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal ORDER BY 1"
    )
    with open_store(tmp_path / "new.duckdb") as new:
        assert ask(store, layout) == ask(new, layout)
        assert ask(store, comments) == ask(new, comments)
    documented = {(table, column): comment for table, column, *_, comment in ask(store, layout)}
    for by_table in ADDED.values():
        for table, columns in by_table.items():
            assert all(documented[table, column] for column in columns)


def with_margins(text: Generation) -> Generation:
    margins = [0.5 + at for at in range(len(text.positions))]
    positions = msgspec.structs.replace(text.positions, margins=margins)
    return msgspec.structs.replace(text, positions=positions)


def test_new_probes_go_into_it(store: Store) -> None:
    probe = sample_probe(sample_questions(1)[0], 0, "low", 0, ProbeSettings(samples=1))
    texts = [with_margins(text) for text in probe.result.generations]
    result = msgspec.structs.replace(probe.result, generations=texts)
    (probe_id,) = store.write(1, [msgspec.structs.replace(probe, result=result)])
    view = probe_view(store, probe_id)
    assert [text.positions.margins for text in view.generations] == [
        text.positions.margins for text in texts
    ]
    near = f"SELECT least_margin, near_tie FROM outcomes WHERE probe_id = {probe_id}"
    assert ask(store, near) == [(0.5, False)]
    assert flag_counts(store, 1)["all"] == 21


def test_it_is_brought_up_to_date_once(old: Path) -> None:
    open_store(old).close()
    before = contents(old)
    with open_store(old, read_only=True) as store:
        assert ask(store, "SELECT count(*) FROM listing WHERE marked") == [(1,)]
    open_store(old).close()
    assert contents(old) == before


def test_reading_an_old_database_says_what_to_do_and_changes_nothing(old: Path) -> None:
    before = old.read_bytes()
    with pytest.raises(StoreError, match="has to be brought up to date") as caught:
        open_store(old, read_only=True)
    assert str(old) in caught.value.sentence
    assert caught.value.hint == "Open it once without --read-only."
    assert old.read_bytes() == before


KILLED_AFTER = """
import os, signal, sys
from engine import schema
from engine.store import open_store
called = getattr(schema, sys.argv[2])

def call_and_die(*arguments):
    called(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(schema, sys.argv[2], call_and_die)
open_store(sys.argv[1])
"""


def killed(old: Path, moment: str) -> None:
    """Bring a database up to date in a process that is killed once it has called a function."""
    command = [sys.executable, "-c", KILLED_AFTER, str(old), moment]
    done = subprocess.run(command, cwd=REPO, check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("moment", ["_comments", "_derive"])
def test_a_crash_in_the_middle_leaves_it_as_it_was(old: Path, released: Path, moment: str) -> None:
    killed(old, moment)
    assert contents(old) == contents(released)


def test_a_crash_while_outcomes_are_computed_is_made_up_for(old: Path, released: Path) -> None:
    killed(old, "fill_outcomes")
    with pytest.raises(StoreError, match="has to be brought up to date"):
        open_store(old, read_only=True)
    columns, rows = contents(released)["outcomes"]
    with open_store(old) as store:
        assert ask(store, f"SELECT {', '.join(columns)} FROM outcomes ORDER BY ALL") == rows
        assert ask(store, "SELECT schema_version FROM meta") == [(current_version(),)]
