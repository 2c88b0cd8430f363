"""Nobody's SQL can change anything or reach outside."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.database import LockedError
from engine.errors import StoreError
from engine.sql.reading import run_sql
from engine.store import Store, open_store
from tests.sample_store import make_sample_store

REPO = Path(__file__).resolve().parents[1]

secret = [("a Python variable that no query may see",)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("console") / "s.duckdb"
    make_sample_store(made, questions=5, orders=1, samples=1).close()
    return made


@pytest.fixture(scope="module")
def store(path: Path) -> Iterator[Store]:
    """Open for writing, where only the fences keep a query from changing anything."""
    with open_store(path) as opened:
        yield opened


def contents(store: Store) -> list[tuple[str, int, int]]:
    """Rows and hash of every table and of the catalog."""
    reader = store.reader()
    tables = [name for (name,) in reader.execute("SHOW TABLES").fetchall()]
    parts = [
        f"SELECT '{name}', count(*), sum(hash(t)::HUGEINT) FROM {name} t"
        for name in (*tables, "sqlite_master")
    ]
    query = " UNION ALL ".join(parts) + " ORDER BY ALL"
    rows: list[tuple[str, int, int]] = reader.execute(query).fetchall()
    return rows


HOSTILE = [
    "DROP TABLE probes",
    "DELETE FROM probes",
    "UPDATE outcomes SET mismatch = false",
    "INSERT INTO marks VALUES (1, now())",
    "TRUNCATE marks",
    "CREATE TABLE mine (a INT)",
    "CREATE OR REPLACE TABLE outcomes AS SELECT 1",
    "CREATE VIEW mine AS SELECT 1",
    "CREATE TEMP TABLE mine AS SELECT 1",
    "CREATE MACRO f(x) AS x + 1",
    "ALTER TABLE probes DROP COLUMN prompt",
    "COMMENT ON TABLE probes IS 'mine'",
    "WITH x AS (INSERT INTO marks VALUES (1, '2026-01-01') RETURNING *) SELECT * FROM x",
    "WITH x AS (DELETE FROM marks RETURNING *) SELECT * FROM x",
    "WITH x AS (UPDATE outcomes SET mismatch = false RETURNING *) SELECT count(*) FROM x",
    "WITH x AS MATERIALIZED (DELETE FROM overrides RETURNING *) FROM x",
    "EXPLAIN ANALYZE DELETE FROM probes",
    "EXPLAIN ANALYZE INSERT INTO marks VALUES (1, '2026-01-01')",
    "EXPLAIN ANALYZE CREATE TABLE mine AS SELECT 1",
    "EXPLAIN ANALYZE COPY probes TO '{folder}/stolen.csv'",
    "EXPLAIN ANALYZE ATTACH '{folder}/other.duckdb'",
    "SELECT 1; DROP TABLE probes",
    "SELECT 1; SELECT 2",
    "BEGIN; DELETE FROM probes; COMMIT",
    "COMMIT",
    "ROLLBACK",
    "CHECKPOINT",
    "VACUUM",
    "SET memory_limit = '100GB'",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "PRAGMA enable_profiling",
    "SET VARIABLE x = 1",
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM '{file}'",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM read_csv('http://127.0.0.1:{port}/x.csv')",
    "SELECT * FROM sniff_csv('{file}')",
    "COPY probes TO '{folder}/stolen.csv'",
    "COPY (SELECT 1) TO '{folder}/stolen.parquet' (FORMAT parquet)",
    "COPY marks FROM '{file}'",
    "EXPORT DATABASE '{folder}/stolen'",
    "IMPORT DATABASE '{folder}'",
    "ATTACH '{folder}/other.duckdb' AS other",
    "ATTACH ':memory:' AS other",
    "DETACH memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{folder}/x.duckdb_extension'",
    "FORCE INSTALL spatial",
    "CALL pragma_version()",
    "CREATE SECRET (TYPE s3)",
    "FROM secret",
    "SELECT * FROM secret",
    "EXECUTE something",
    "PREPARE x AS DELETE FROM probes",
    "USE memory",
    "SELECT query('DROP TABLE probes')",
    "FROM query('DELETE FROM marks')",
    "SELECT getenv('HOME')",
    "-- nothing at all",
    "",
]


@pytest.mark.parametrize("statement", HOSTILE)
def test_hostile_statements_are_refused_in_one_sentence(
    store: Store, statement: str, tmp_path: Path
) -> None:
    before = contents(store)
    file = tmp_path / "data.csv"
    file.write_text("a,b\n1,2\n")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.01)
        port = listener.getsockname()[1]
        query = statement.format(folder=tmp_path, file=file, port=port)
        with pytest.raises(StoreError) as caught:
            run_sql(store, query)
        with pytest.raises(TimeoutError):
            listener.accept()
    assert caught.value.sentence.endswith(".")
    assert "\n" not in caught.value.sentence
    assert contents(store) == before
    assert list(tmp_path.iterdir()) == [file]
    assert run_sql(store, "SELECT 42").rows == [(42,)]


def test_there_is_no_lack_of_hostile_statements() -> None:
    assert len(set(HOSTILE)) >= 40


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM probes",
        "FROM probes SELECT count(*);",
        "WITH x AS (SELECT 1) FROM x",
        "VALUES (1)",
        "DESCRIBE listing",
        "SHOW TABLES",
        "SUMMARIZE outcomes",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE SELECT count(*) FROM positions",
        "SELECT 1 -- a comment; with a semicolon",
        "SELECT ';'",
        "TABLE runs",
        "SELECT settings->>'$.model' FROM runs",
        "SELECT reading, avg(correct::INT) FROM answers GROUP BY ALL",
        "SELECT text, sum(probability) FROM top_tokens WHERE position = 0 GROUP BY ALL",
    ],
)
def test_reading_is_allowed(store: Store, query: str) -> None:
    result = run_sql(store, query)
    assert result.rows
    assert all(len(row) == len(result.columns) == len(result.types) for row in result.rows)


def test_a_result_has_names_types_and_rows(store: Store) -> None:
    result = run_sql(store, "SELECT 1 AS one, 'a' AS word, NULL AS nothing, [1.5] AS list")
    assert result.columns == ("one", "word", "nothing", "list")
    assert result.types[:2] == ("INTEGER", "VARCHAR")
    assert [str(cell) for cell in result.rows[0]] == ["1", "a", "None", "[Decimal('1.5')]"]


def test_a_limit_stops_fetching_and_leaves_the_cursor_usable(store: Store) -> None:
    result = run_sql(store, "FROM range(100000000)", limit=10)
    assert [row[0] for row in result.rows] == list(range(10))
    assert run_sql(store, "SELECT 1").rows == [(1,)]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELEKT 1", 'syntax error at or near "SELEKT"'),
        ("SELECT no_such FROM probes", 'Referenced column "no_such" not found'),
        ("FROM no_such", "Table with name no_such does not exist"),
        ("SELECT 'a'::INT", "Could not convert string 'a' to INT32"),
        ("SELECT 1; SELECT 2", "2 statements instead of one"),
        ("DROP TABLE probes", "DROP is refused"),
    ],
)
def test_errors_are_duckdbs_own_words(store: Store, query: str, said: str) -> None:
    with pytest.raises(StoreError) as caught:
        run_sql(store, query)
    assert said in caught.value.sentence


def test_a_query_can_be_cancelled(store: Store) -> None:
    caught: list[StoreError] = []
    reader = []

    def ask() -> None:
        reader.append(store.reader())
        try:
            run_sql(store, "SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b")
        except StoreError as error:
            caught.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    while thread.is_alive():
        time.sleep(0.05)
        for cursor in reader:
            cursor.interrupt()
    assert [error.sentence for error in caught] == ["The query was cancelled."]


def test_a_file_is_opened_for_one_query(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(path.read_bytes())
    before = copy.read_bytes()
    assert run_sql(copy, "SELECT count(*) FROM probes").rows == [(10,)]
    assert run_sql(str(copy), "SELECT count(*) FROM runs").rows == [(1,)]
    with pytest.raises(StoreError):
        run_sql(copy, "DROP TABLE probes")
    assert copy.read_bytes() == before
    assert list(tmp_path.iterdir()) == [copy]


def test_a_held_file_names_its_holder(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(path.read_bytes())
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from engine.store import open_store; s = open_store(sys.argv[1]); "
            "print('ready', flush=True); sys.stdin.read()",
            str(copy),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPO,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ready\n"
    with pytest.raises(LockedError, match=f"process {holder.pid}"):
        run_sql(copy, "SELECT 1")
    holder.communicate()
    assert run_sql(copy, "SELECT 1").rows == [(1,)]


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no database"):
        run_sql(tmp_path / "nothing.duckdb", "SELECT 1")
    assert not list(tmp_path.iterdir())
