"""Nobody's SQL can change what is stored, reach outside, or leave anything behind."""

from __future__ import annotations

import hashlib
import itertools
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from engine import database
from engine.errors import StoreError
from engine.sql.console import Console, QueryError, Result
from engine.sql.reading import reading
from engine.store import Store, open_store
from tests.sample_store import make_sample_store

MANY = "1_000_000_000_000"

secret = [("a Python variable that no query may see",)]

REFUSED = [
    # Changing what is stored
    "DROP TABLE probes",
    "DROP VIEW listing",
    "DROP TABLE IF EXISTS s.main.marks CASCADE",
    "DELETE FROM probes",
    "DELETE FROM s.main.marks USING probes WHERE true",
    "UPDATE outcomes SET mismatch = false",
    "UPDATE s.outcomes SET mismatch = false FROM probes",
    "INSERT INTO marks VALUES (1, now()::TIMESTAMP)",
    "INSERT INTO marks BY NAME SELECT 1 AS probe_id, now()::TIMESTAMP AS made_at",
    "INSERT OR REPLACE INTO s.main.marks VALUES (1, '2026-01-01')",
    "INSERT INTO s.marks VALUES (1, '2026-01-01') RETURNING probe_id",
    "TRUNCATE marks",
    "TRUNCATE TABLE s.main.probes",
    "MERGE INTO marks USING (SELECT 1 AS probe_id) n USING (probe_id) "
    "WHEN NOT MATCHED THEN INSERT VALUES (1, '2026-01-01')",
    "MERGE INTO s.main.probes p USING mine m ON p.probe_id = m.a WHEN MATCHED THEN DELETE",
    "ALTER TABLE probes DROP COLUMN prompt",
    "ALTER TABLE s.main.probes RENAME TO samples",
    "ALTER TABLE marks ADD COLUMN mine INT",
    "ALTER VIEW listing RENAME TO other",
    "COMMENT ON TABLE probes IS 'mine'",
    "COMMENT ON COLUMN s.main.probes.prompt IS 'mine'",
    "CREATE TABLE s.main.mine AS SELECT 1",
    "CREATE OR REPLACE TABLE s.outcomes AS SELECT 1",
    "CREATE OR REPLACE VIEW s.main.listing AS SELECT 1",
    "CREATE VIEW s.own AS SELECT 1",
    "CREATE SCHEMA s.other",
    "CREATE SEQUENCE s.numbers",
    "CREATE MACRO s.main.f(x) AS x + 1",
    "CREATE TYPE s.main.mood AS ENUM ('good')",
    "CREATE INDEX fast ON probes (run_id)",
    "CREATE INDEX fast ON s.main.marks (made_at)",
    "CREATE TRIGGER t AFTER INSERT ON marks FOR EACH STATEMENT DELETE FROM probes",
    "CREATE TRIGGER t AFTER INSERT ON mine FOR EACH STATEMENT DELETE FROM s.main.probes",
    "DROP SCHEMA s.main CASCADE",
    "DROP SCHEMA scratch.main CASCADE",
    # The same, hidden in something that reads
    "WITH x AS (INSERT INTO marks VALUES (1, '2026-01-01') RETURNING *) SELECT * FROM x",
    "WITH x AS (DELETE FROM marks RETURNING *) SELECT * FROM x",
    "WITH x AS (UPDATE outcomes SET mismatch = false RETURNING *) SELECT count(*) FROM x",
    "WITH x AS MATERIALIZED (DELETE FROM overrides RETURNING *) FROM x",
    "WITH a AS (SELECT 1), x AS (UPDATE s.main.probes SET prompt = '' RETURNING *) FROM a, x",
    "CREATE TABLE scratch.main.copy AS WITH x AS (DELETE FROM marks RETURNING *) FROM x",
    "INSERT INTO mine WITH x AS (DELETE FROM marks RETURNING probe_id) FROM x",
    "EXPLAIN ANALYZE DELETE FROM probes",
    "EXPLAIN ANALYZE INSERT INTO marks VALUES (1, '2026-01-01')",
    "EXPLAIN ANALYZE CREATE TABLE s.main.mine AS SELECT 1",
    "EXPLAIN ANALYZE COPY probes TO '{folder}/stolen.csv'",
    "EXPLAIN ANALYZE ATTACH '{folder}/other.duckdb'",
    "CREATE VIEW sly AS WITH x AS (DELETE FROM marks RETURNING *) SELECT * FROM x",
    "CREATE MACRO sly() AS TABLE WITH x AS (DELETE FROM marks RETURNING *) SELECT * FROM x",
    "SELECT query('DROP TABLE probes')",
    "FROM query('DELETE FROM marks')",
    "FROM query('WITH x AS (DELETE FROM marks RETURNING *) FROM x')",
    "FROM system.main.\"query\" ('SELECT 1')",
    "FROM query/* or so */('SELECT 1')",
    "FROM destroy_external_resource('query', 'SELECT 1')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    # Names that would stand before what is stored
    "CREATE TABLE probes AS SELECT 1",
    "CREATE VIEW Outcomes AS SELECT 1",
    "CREATE TABLE mine2 AS SELECT 1; ALTER TABLE mine2 RENAME TO runs",
    # Several statements, comments, odd characters
    "SELECT 1; DROP TABLE probes",
    "SELECT 1;;; -- nothing\n/* ; */ DELETE FROM marks; SELECT 2",
    "/* SELECT 1 */ DELETE FROM marks",
    "-- SELECT 1\nDELETE FROM marks",
    "/* /* SELECT */ 1 */ DELETE FROM marks",
    "\ufeffDELETE FROM marks",
    "\u00a0DELETE\u00a0FROM\u2003marks",
    "SELECT 1\x00; DELETE FROM marks",
    "SELECT ';'; DELETE FROM marks --'",
    "SELECT $$;$$; DELETE FROM marks",
    "ＤＥＬＥＴＥ FROM marks",
    'DELETE FROM "marks"',
    "BEGIN; DELETE FROM probes; COMMIT",
    "COMMIT; DROP TABLE probes",
    # Transactions, settings, prepared statements
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "ABORT",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "FROM checkpoint()",
    "FROM force_checkpoint('s')",
    "SELECT write_log('mine')",
    "FROM enable_logging()",
    "FROM truncate_duckdb_logs()",
    "VACUUM",
    "ANALYZE",
    "SET memory_limit = '100GB'",
    "SET threads = 1000",
    "SET enable_external_access = true",
    "SET search_path = 's.main'",
    "SET VARIABLE x = 1",
    "RESET lock_configuration",
    "USE s",
    "USE memory",
    "PRAGMA enable_profiling",
    "PRAGMA memory_limit = '100GB'",
    "PRAGMA temp_directory = '{folder}'",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "CALL enable_logging()",
    "PREPARE x AS DELETE FROM probes",
    "EXECUTE something",
    "DEALLOCATE something",
    # Files, network, extensions, other databases, Python
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM read_duckdb('{folder}/s.duckdb')",
    "SELECT * FROM parquet_metadata('{file}')",
    "SELECT * FROM '{file}'",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM read_csv('http://127.0.0.1:{port}/x.csv')",
    "SELECT * FROM 'http://127.0.0.1:{port}/x.parquet'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "SELECT * FROM sniff_csv('{file}')",
    "CREATE TABLE stolen AS FROM '{file}'",
    "CREATE VIEW stolen AS FROM read_csv('{file}')",
    "COPY probes TO '{folder}/stolen.csv'",
    "COPY (SELECT 1) TO '{folder}/stolen.parquet' (FORMAT parquet)",
    "COPY marks FROM '{file}'",
    "COPY FROM DATABASE s TO scratch",
    "EXPORT DATABASE '{folder}/stolen'",
    "IMPORT DATABASE '{folder}'",
    "ATTACH '{folder}/other.duckdb' AS other",
    "ATTACH ':memory:' AS other",
    "ATTACH IF NOT EXISTS ':memory:' AS other",
    "CONNECT '{folder}/other'",
    "DETACH s",
    "DETACH scratch",
    "INSTALL httpfs",
    "LOAD httpfs",
    "LOAD '{folder}/x.duckdb_extension'",
    "FORCE INSTALL spatial",
    "UPDATE EXTENSIONS",
    "CREATE SECRET (TYPE s3)",
    "CREATE PERSISTENT SECRET mine (TYPE http)",
    "CREATE OR REPLACE SECRET mine (TYPE http)",
    "DROP SECRET mine",
    "FROM duckdb_secrets()",
    "FROM which_secret('s3://x', 's3')",
    "FROM secret",
    "SELECT * FROM secret",
    "SELECT getenv('HOME')",
    "FROM pandas_scan(1)",
    "FROM arrow_scan(1, 2, 3)",
    "CREATE TEMP TABLE passing AS SELECT 1",
    "CREATE OR REPLACE TEMPORARY VIEW passing AS SELECT 1",
    # Too much of everything
    "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "SELECT " + "+".join(["1"] * 20_000),
    "SELECT repeat('x', 100000000000)",
    # Nothing
    "-- nothing at all",
    "",
    " ; ",
]

HARMLESS = [
    "EXPLAIN ANALYZE CREATE TEMP TABLE gone AS SELECT 1",
    "SELECT 'DROP TABLE probes; -- '",
    "SELECT 1 /* ; DROP TABLE probes */",
    "CREATE TABLE own (a INT); INSERT INTO own VALUES (1); UPDATE own SET a = 2; DELETE FROM own",
    "CREATE OR REPLACE VIEW peek AS FROM probes; DROP VIEW peek",
    "CREATE SCHEMA aside; CREATE TABLE aside.own AS FROM marks; DROP SCHEMA aside CASCADE",
    "CREATE MACRO twice(x) AS 2 * x; SELECT twice(3); DROP MACRO twice",
    "CREATE SEQUENCE numbers; DROP SEQUENCE numbers",
    "PIVOT probes ON format USING count(*) GROUP BY run_id",
    "FROM test_all_types()",
    "FROM query_table('probes')",
    "FROM duckdb_settings()",
    "SELECT current_setting('memory_limit')",
]


class Seen(NamedTuple):
    """Everything that a statement might change."""

    files: dict[str, str]
    tables: list[tuple[str, int, int]]
    settings: list[tuple[str, str]]
    databases: list[tuple[str, ...]]


def seen(store: Store, folder: Path) -> Seen:
    reader = store.reader()
    names = [
        name
        for (name,) in reader.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 's' ORDER BY ALL"
        ).fetchall()
    ]
    parts = [f"SELECT '{name}', count(*), sum(hash(t)::HUGEINT) FROM {name} t" for name in names]
    parts += [
        f"SELECT '{of}', count(*), sum(hash(sql, comment)::HUGEINT) FROM duckdb_{of}() "
        "WHERE database_name = 's'"
        for of in ("tables", "views", "indexes")
    ]
    parts.append(
        "SELECT 'columns', count(*), sum(hash(c)::HUGEINT) FROM duckdb_columns() c "
        "WHERE database_name = 's'"
    )
    return Seen(
        {
            str(file): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(folder.rglob("*"))
            if file.is_file() and "state" not in file.parts
        },
        reader.execute(" UNION ALL ".join(parts) + " ORDER BY ALL").fetchall(),
        reader.execute("SELECT name, value FROM duckdb_settings() ORDER BY ALL").fetchall(),
        reader.execute("SELECT database_name, path FROM duckdb_databases() ORDER BY 1").fetchall(),
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Open for writing, where only the fences keep a statement from changing anything."""
    path = tmp_path_factory.mktemp("hostile") / "s.duckdb"
    made = make_sample_store(path, questions=5, orders=1, samples=1)
    made.toggle_mark(1)
    made.close()
    with open_store(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def before(store: Store) -> Seen:
    """What there is, the empty scratch database included."""
    Console(store).run("SELECT 1")
    return seen(store, store.path.parent)


@pytest.fixture
def console(store: Store) -> Iterator[Console]:
    opened = Console(store)
    opened.run("CREATE OR REPLACE TABLE mine (a INTEGER)")
    yield opened
    opened.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server that nobody may call."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        opened.listen()
        opened.settimeout(0.01)
        yield opened
        with pytest.raises(TimeoutError):
            opened.accept()


def filled(text: str, folder: Path, listener: socket.socket) -> str:
    file = folder / "data.csv"
    file.write_text("a,b\n1,2\n")
    places = {"folder": folder, "file": file, "port": listener.getsockname()[1]}
    for name, value in places.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:60])
def test_a_hostile_text_is_refused_in_one_sentence(
    console: Console,
    store: Store,
    before: Seen,
    text: str,
    tmp_path: Path,
    listener: socket.socket,
) -> None:
    text = filled(text, tmp_path, listener)
    with pytest.raises(QueryError) as caught:
        console.run(text)
    assert caught.value.sentence.endswith((".", "?", "!"))
    assert "\n" not in caught.value.sentence
    assert seen(store, store.path.parent) == before
    assert {file.name for file in tmp_path.iterdir()} <= {"data.csv", "state"}
    (answer,) = console.run("SELECT 42")
    assert isinstance(answer, Result)
    assert answer.rows(0, 1) == [(42,)]


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:60])
def test_a_filter_is_no_way_around_it(
    store: Store, before: Seen, text: str, tmp_path: Path, listener: socket.socket
) -> None:
    text = filled(text, tmp_path, listener)
    with pytest.raises(StoreError) as caught, reading(store.reader(), text) as cursor:
        cursor.fetchmany(10)
    assert "\n" not in caught.value.sentence
    assert seen(store, store.path.parent) == before


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_hostile_runs_and_changes_nothing(
    console: Console, store: Store, before: Seen, text: str
) -> None:
    assert console.run(text)
    assert seen(store, store.path.parent) == before


def test_there_is_no_lack_of_hostile_statements() -> None:
    assert len(set(REFUSED)) >= 100


def test_the_file_is_the_same_byte_for_byte_after_all_of_them(
    store: Store, tmp_path: Path, listener: socket.socket
) -> None:
    path = tmp_path / "s.duckdb"
    store.snapshot(path)
    open_store(path).close()
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    with open_store(path) as opened:
        console = Console(opened)
        console.run("CREATE TABLE mine (a INTEGER)")
        for text in [*REFUSED, *HARMLESS]:
            try:
                console.run(filled(text, tmp_path, listener))
            except QueryError:
                continue
        console.close()
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert {file.name for file in tmp_path.iterdir()} == {"s.duckdb", "data.csv", "state"}


PIECES = [
    "SELECT * FROM {t}", "FROM {t} LIMIT 3", "DELETE FROM {t}", "UPDATE {t} SET probe_id = 1",
    "INSERT INTO {t} SELECT * FROM {t}", "DROP TABLE {t}", "CREATE TABLE {t} AS SELECT 1 AS a",
    "CREATE OR REPLACE VIEW {t} AS SELECT 1 AS a", "TRUNCATE {t}",
    "ALTER TABLE {t} ADD COLUMN z INT", "COMMENT ON TABLE {t} IS 'x'",
    "CREATE INDEX i ON {t} (probe_id)", "DROP VIEW {t}",
]  # fmt: skip
WRAPPINGS = [
    "{q}", "{q};", "EXPLAIN {q}", "EXPLAIN ANALYZE {q}", "WITH x AS ({q}) SELECT 1",
    "WITH x AS ({q} RETURNING *) SELECT * FROM x", "SELECT * FROM ({q})", "CREATE VIEW w AS {q}",
    "CREATE MACRO w() AS TABLE {q}", "PREPARE p AS {q}", "BEGIN; {q}; COMMIT", "SELECT 1; {q}",
    "/* {q} */ {q}", "-- {q}\n{q}", "COPY ({q}) TO '/tmp/never.csv'", "PIVOT ({q}) ON probe_id",
    "CREATE TABLE w AS {q}", "SELECT * FROM query($${q}$$)", "{q} RETURNING *", "DESCRIBE {q}",
    "INSERT INTO mine {q}", "SUMMARIZE {q}",
]  # fmt: skip
TABLES = ["marks", "s.main.marks", "s.probes", "outcomes", '"MARKS"', "listing", "mine", "meta"]


def test_no_composition_of_statements_changes_anything(
    console: Console, store: Store, before: Seen
) -> None:
    chance = random.Random(20)
    texts = [
        wrapping.replace("{q}", piece.replace("{t}", table))
        for wrapping, piece, table in itertools.product(WRAPPINGS, PIECES, TABLES)
    ]
    ran = 0
    for text in chance.sample(texts, 400) + [
        "; ".join(chance.sample(texts, 3)) for _ in range(100)
    ]:
        try:
            ran += len(console.run(text))
        except QueryError as error:
            ran += len(error.results)
        assert len(store.reader().execute("FROM duckdb_databases()").fetchall()) == len(
            before.databases
        )
    assert ran > 50
    assert seen(store, store.path.parent) == before


@pytest.mark.parametrize("memory", ["64MB", "200MB"])
def test_no_statement_takes_more_memory_and_disk_than_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: str
) -> None:
    monkeypatch.setitem(database.SETTINGS, "max_temp_directory_size", "50MB")
    path = tmp_path / "s.duckdb"
    make_sample_store(path, questions=5, orders=1, samples=1).close()
    with open_store(path, memory=memory) as opened:
        console = Console(opened)
        for text in [
            "CREATE TABLE big AS SELECT hash(range) AS a, hash(range + 1) AS b FROM range({many})",
            "SELECT hash(range) AS a, random() AS b FROM range({many}) ORDER BY b",
            "SELECT list(range) FROM range({many})",
            "SELECT count(*) FROM (SELECT DISTINCT hash(range) FROM range({many}))",
        ]:
            with pytest.raises(QueryError, match="more memory or disk") as caught:
                console.run(text.replace("{many}", MANY))
            assert "\n" not in caught.value.sentence
        # Endless is no trouble as long as nobody asks for the end.
        (endless,) = console.run(f"SELECT hash(range) FROM range({MANY})")
        assert isinstance(endless, Result)
        assert endless.counted() == "500 of more than 500 rows"
        opened.toggle_mark(1)
        console.close()
    assert {file.name for file in tmp_path.iterdir()} <= {"s.duckdb", "state"}
