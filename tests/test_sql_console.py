"""The SQL console: statements, results, errors, views of one's own, and what unlocking lifts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engine.browse import list_ids, runs
from engine.database import LEAN_MEMORY
from engine.errors import StoreError
from engine.sql import result as results
from engine.sql.console import Console, Done, QueryError, Result
from engine.sql.reading import read_table, reading
from engine.sql.statements import split
from engine.store import Store, open_store
from tests.sample_store import make_sample_store

ENDLESS = "SELECT sum(hash(a.range + b.range)) FROM range(10_000_000) a, range(1_000_000) b"
LONG = "SELECT range AS n, hash(range) AS h FROM range(100_000_000_000)"


@pytest.fixture
def store(sample_database: Path) -> Iterator[Store]:
    with open_store(sample_database) as opened:
        yield opened


@pytest.fixture
def console(store: Store) -> Iterator[Console]:
    opened = Console(store)
    yield opened
    opened.close()


def rows(console: Console, text: str) -> list[tuple[Any, ...]]:
    """All fetched rows of the last statement."""
    outcome = console.run(text)[-1]
    assert isinstance(outcome, Result)
    return outcome.rows(0, outcome.fetched)


def result(console: Console, text: str, first_rows: int = 500) -> Result:
    outcome = console.run(text, first_rows=first_rows)[-1]
    assert isinstance(outcome, Result)
    return outcome


def done(console: Console, text: str) -> list[str]:
    return [each.message for each in console.run(text) if isinstance(each, Done)]


def refused(console: Console, text: str) -> QueryError:
    with pytest.raises(QueryError) as caught:
        console.run(text)
    return caught.value


# Statements


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) FROM probes",
        "FROM probes SELECT count(*);",
        "WITH x AS (SELECT 1) FROM x",
        "VALUES (1)",
        "TABLE runs",
        "DESCRIBE listing",
        "SHOW TABLES",
        "SUMMARIZE outcomes",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE SELECT count(*) FROM positions",
        "PIVOT outcomes ON format USING count(*) GROUP BY run_id",
        "PIVOT outcomes ON format IN ('low') USING count(*)",
        "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b INTO NAME name VALUE value",
        "WITH p AS (PIVOT outcomes ON format USING count(*)) FROM p",
        "SELECT 1 -- a comment; with a semicolon",
        "SELECT ';'",
        "SELECT settings->>'$.model' FROM runs",
        "SELECT reading, avg(correct::INT) FROM answers GROUP BY ALL",
        "FROM pragma_table_info('probes')",
    ],
)
def test_whatever_reads_runs(console: Console, text: str) -> None:
    found = result(console, text)
    assert found.fetched
    assert all(len(row) == len(found.columns) for row in found.rows(0, found.fetched))


def test_statements_run_in_order_each_of_its_kind(console: Console) -> None:
    outcomes = console.run(
        """
        CREATE TABLE picked AS SELECT probe_id, format FROM probes WHERE probe_id <= 3;
        INSERT INTO picked VALUES (100, 'made; up'), (101, NULL);  -- a comment; here
        UPDATE picked SET format = 'low' WHERE format IS NULL;
        DELETE FROM picked WHERE probe_id = 100 RETURNING probe_id, format;
        MERGE INTO picked USING (SELECT 102 AS probe_id, 'high' AS format) n USING (probe_id)
            WHEN NOT MATCHED THEN INSERT;
        SELECT count(*) AS n FROM picked;
        DROP TABLE picked
        """
    )
    said = [each.message if isinstance(each, Done) else each.counted() for each in outcomes]
    assert said == [
        "Table picked made, 3 rows.",
        "2 rows inserted.",
        "1 row updated.",
        "1 row",
        "1 row merged.",
        "1 row",
        "Table picked dropped.",
    ]
    returned, counted = outcomes[3], outcomes[5]
    assert isinstance(returned, Result)
    assert isinstance(counted, Result)
    assert returned.rows(0, 1) == [(100, "made; up")]
    assert counted.rows(0, 1) == [(5,)]


def test_the_first_error_stops_and_what_ran_before_stays(console: Console) -> None:
    error = refused(console, "CREATE TABLE a AS SELECT 1 AS x; SELECT no FROM a; DROP TABLE a")
    assert [type(each) for each in error.results] == [Done]
    assert rows(console, "FROM a") == [(1,)]


def test_nothing_runs_of_a_text_that_holds_a_refused_statement(console: Console) -> None:
    error = refused(console, "CREATE TABLE a AS SELECT 1;\n\n  COPY a TO 'a.csv'")
    assert error.sentence == "COPY is refused here."
    assert (error.line, error.column) == (3, 3)
    assert error.results == []
    assert "does not exist" in refused(console, "FROM a").sentence


def test_a_change_that_fails_leaves_nothing_behind(console: Console) -> None:
    console.run("CREATE TABLE a (x INTEGER)")
    refused(console, "INSERT INTO a SELECT CASE range WHEN 5 THEN 'x' ELSE '1' END FROM range(9)")
    assert rows(console, "FROM a") == []


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        ";; SELECT 1; ;SELECT 2 ;;",
        "SELECT 'é';\n-- 水\nSELECT 2;\u00a0SELECT 3",
        "\ufeffSELECT 1;\u2003SELECT ';' -- ;\n; SELECT 3 /* ; */",
    ],
)
def test_a_text_is_split_where_its_statements_are(console: Console, text: str) -> None:
    found = split(duckdb.connect(), text)
    assert [text[each.start :].startswith(each.text) for each in found] == [True] * len(found)
    assert found[-1].start + len(found[-1].text) == len(text)
    assert len(console.run(text)) == len(found)


# Results


def test_a_result_has_names_types_and_values(console: Console) -> None:
    found = result(
        console,
        "SELECT 1 AS one, 'a' AS one, NULL, [1.5], {'k': 2}, MAP {'k': 3}, sum(9), "
        "'2026-01-01'::DATE, INTERVAL 3 DAY, 'x'::BLOB, 2::UHUGEINT, 1 + 1",
    )
    assert [column.name for column in found.columns[:3]] == ["one", "one", "NULL"]
    assert [column.type for column in found.columns[6:9]] == ["HUGEINT", "DATE", "INTERVAL"]
    values = found.row(0)
    assert values[:6] == (1, "a", None, [Decimal("1.5")], {"k": 2}, {"k": 3})
    assert values[6] == 9
    assert isinstance(values[6], int)
    assert str(values[7]) == "2026-01-01"
    assert values[8:] == ("3 days", b"x", "2", 2)


def test_values_that_python_has_no_type_for_are_text(console: Console) -> None:
    found = result(console, "FROM test_all_types()")
    assert found.counted() == "3 rows"
    assert len(found.columns) == len(found.row(0)) == len(found.row(2))
    for name, value in zip(found.columns, found.row(1), strict=True):
        assert name.name != "uhugeint" or value == str(2**128 - 1)
    infinite = result(console, "SELECT 'infinity'::TIMESTAMP, ['infinity'::DATE], 1").row(0)
    assert isinstance(infinite[0], str)
    assert infinite[2] == 1


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 rows"),
        (1, "1 row"),
        (499, "499 rows"),
        (500, "500 rows"),
        (501, "500 of more than 500 rows"),
        (5000, "500 of more than 500 rows"),
    ],
)
def test_counts_are_honest(console: Console, count: int, said: str) -> None:
    found = result(console, f"FROM range({count})")
    assert found.counted() == said
    assert found.complete == (count <= 500)
    assert not found.capped
    assert found.seconds > 0


def test_rows_are_fetched_as_they_are_looked_at(console: Console) -> None:
    found = result(console, "FROM range(10000)")
    assert found.fetch(700) == 700
    assert found.counted() == "1,200 of more than 1,200 rows"
    assert found.rows(495, 505) == [(n,) for n in range(495, 505)]
    assert found.rows(1195, 1300) == [(n,) for n in range(1195, 1200)]
    assert found.row(1199) == (1199,)
    with pytest.raises(IndexError):
        found.row(1200)
    assert found.fetch(100_000) == 8800
    assert found.complete
    assert found.table().column("range").to_pylist() == list(range(10000))
    assert found.fetch(1) == 0


def test_a_result_is_capped_with_honest_words(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "ROW_LIMIT", 1000)
    found = result(console, LONG)
    assert found.fetch(5000) == 500
    assert (found.complete, found.capped) == (False, True)
    assert found.counted() == "1,000 of more than 1,000 rows"
    exact = result(console, "FROM range(1000)")
    exact.fetch(5000)
    assert (exact.complete, exact.capped) == (True, False)
    monkeypatch.setattr(results, "BYTE_LIMIT", 3000)
    wide = result(console, "SELECT repeat('x', 1000) FROM range(1000)", first_rows=2)
    wide.fetch(500)
    assert wide.capped
    assert wide.fetched < 20


def test_a_capped_result_can_be_written_away_whole(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "ROW_LIMIT", 1000)
    found = result(console, "FROM range(3333)")
    found.fetch(5000)
    written = [n for batch in found.batches() for n in batch.column(0).to_pylist()]
    assert written == list(range(3333))
    assert found.fetched == 1000
    assert found.fetch(10) == 0


def test_half_read_results_hold_up_nobody(console: Console, store: Store) -> None:
    half = [result(console, LONG) for _ in range(3)]
    console.run("CREATE TABLE a AS SELECT 1 AS x; DROP TABLE a")
    assert store.toggle_mark(1)
    store.reader().execute("CHECKPOINT")
    assert rows(console, "SELECT count(*) FROM marks") == [(1,)]
    for found in half:
        assert found.fetch(500) == 500
        assert found.rows(998, 999)[0][0] == 998
        found.close()


def test_a_half_read_result_sees_one_moment(console: Console, store: Store) -> None:
    found = result(console, "SELECT count(*) OVER () FROM marks, range(5000)", first_rows=1)
    store.toggle_mark(2)
    found.fetch(5000)
    assert found.fetched == 0
    assert rows(console, "SELECT count(*) FROM marks") == [(1,)]


def test_closing_lets_go_of_everything(console: Console, store: Store) -> None:
    before = connections(store)
    found = result(console, LONG)
    assert connections(store) == before + 2  # the console's own, and the result's
    found.close()
    found.close()
    assert connections(store) == before + 1
    assert found.counted() == "0 of more than 0 rows"
    whole = result(console, "SELECT 1")
    assert connections(store) == before + 1
    assert whole.row(0) == (1,)


def connections(store: Store) -> int:
    ((count,),) = store.reader().execute("FROM duckdb_connection_count()").fetchall()
    return int(count)


def test_the_file_is_whole_when_the_store_is_closed_under_a_result(sample_database: Path) -> None:
    store = open_store(sample_database)
    console = Console(store)
    found = result(console, "SELECT p.* FROM probes p, range(100000)")
    error = refused(console, "SELECT no_such FROM probes")
    store.toggle_mark(1)
    store.close()
    assert not sample_database.with_name(sample_database.name + ".wal").exists()
    assert found.fetch(10) == 0
    assert found.fetched == 500
    assert error.line == 1
    with pytest.raises(StoreError, match="is closed"):
        console.run("SELECT 1")
    open_store(sample_database).close()


# Sorting


@pytest.mark.parametrize("first_rows", [10, 5000], ids=["rerun", "in memory"])
def test_results_are_sorted_by_duckdb(console: Console, first_rows: int) -> None:
    text = "SELECT nullif(range % 100, 7) AS a, 'x' || range AS a, 1 + 1 FROM range(1000); -- end"
    found = result(console, text, first_rows)
    assert found.complete == (first_rows == 5000)
    down = console.sorted(found, 0, descending=True)
    assert down.columns == found.columns
    assert down.statement == found.statement
    assert [row[0] for row in down.rows(0, 11)] == [99] * 10 + [98]
    down.fetch(1000)
    assert [row[0] for row in down.rows(985, 1000)] == [0] * 5 + [None] * 10
    up = console.sorted(found, 1, descending=False)
    assert [row[1] for row in up.rows(0, 3)] == ["x0", "x1", "x10"]


@pytest.mark.parametrize(
    "text", ["DESCRIBE probes", "SHOW TABLES", "SUMMARIZE outcomes", "EXPLAIN SELECT 1",
             "PIVOT probes ON format USING count(*) GROUP BY run_id, probe_id"]
)  # fmt: skip
@pytest.mark.parametrize("first_rows", [1, 500])
def test_every_kind_of_result_can_be_sorted(console: Console, text: str, first_rows: int) -> None:
    found = result(console, text, first_rows)
    down = console.sorted(found, 0, descending=True)
    down.fetch(1000)
    assert down.complete
    values = [row[0] for row in down.rows(0, down.fetched)]
    assert values == sorted(values, reverse=True)
    assert len(values) == len(rows(console, text))


def test_what_returned_rows_is_never_run_again_to_sort_it(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "ROW_LIMIT", 600)
    console.run("CREATE TABLE a (x INTEGER)")
    found = result(console, "INSERT INTO a FROM range(5000) RETURNING x")
    assert rows(console, "SELECT count(*) FROM a") == [(5000,)]
    ordered = console.sorted(found, 0, descending=True)
    assert rows(console, "SELECT count(*) FROM a") == [(5000,)]
    assert ordered.counted() == found.counted()
    assert not ordered.complete


# Errors


@pytest.mark.parametrize(
    ("text", "said", "place"),
    [
        ("SELEKT 1", 'syntax error at or near "SELEKT".', (1, 1)),
        ("SELECT 1;\n SELECT * FROM probes WHERE ((1)", 'syntax error at or near ")".', (2, 32)),
        ("SELECT no_such FROM probes", 'Referenced column "no_such" not found', (1, 8)),
        ("SELECT 1;\n\n  -- it's\nSELECT no\n FROM runs; SELECT 2", 'column "no"', (4, 8)),
        ("SELECT 1;\nSELECT '水水', no FROM runs", 'column "no"', (2, 14)),
        ("FROM runns", 'Table with name runns does not exist! Did you mean "runs"?', (1, 6)),
        (f"SELECT '{'é' * 150}', no, '{'b' * 150}' FROM runs", 'column "no"', (1, 162)),
        ("SELECT 1;SELECT\n'a'::INT", "Could not convert string 'a' to INT32.", (2, 4)),
        ("CREATE VIEW v AS\nSELECT no FROM runs", 'column "no"', (2, 8)),
        ("CREATE TABLE v (a INT);\nINSERT INTO v SELECT no FROM v", 'column "no"', (2, 22)),
        ("/* 1 */ DROP TABLE runs", "What is stored can't be changed here.", (None, None)),
        ("SELECT 1; /* 1 */\n USE x", "USE is refused here.", (2, 2)),
    ],
)
def test_errors_are_duckdbs_own_words_with_their_place(
    console: Console, text: str, said: str, place: tuple[int | None, int | None]
) -> None:
    error = refused(console, text)
    assert said in error.sentence
    assert "\n" not in error.sentence
    assert (error.line, error.column) == place


def test_a_row_that_fails_keeps_those_before_it(console: Console) -> None:
    text = "CASE WHEN range < 40000 THEN repeat('x', 1000) ELSE error('no more') END"
    found = result(console, f"SELECT {text} FROM range(50000)")
    with pytest.raises(QueryError, match="no more"):
        found.fetch(100_000)
    assert found.capped
    assert found.fetched >= 500
    assert found.rows(0, 1) == [("x" * 1000,)]
    assert rows(console, "SELECT 1") == [(1,)]


# Cancelling


def cancelled_while(console: Console, work: Callable[[], object]) -> str:
    """Do some work in another thread, cancel until it ends, and return what it says."""
    said = []

    def do() -> None:
        with pytest.raises(QueryError) as caught:
            work()
        said.append(caught.value.sentence)

    thread = threading.Thread(target=do)
    thread.start()
    while thread.is_alive():
        console.cancel()
        thread.join(0.02)
    (sentence,) = said
    return sentence


@pytest.mark.parametrize(
    "text",
    [
        ENDLESS,
        f"SELECT 1; {ENDLESS}",
        f"EXPLAIN ANALYZE {ENDLESS}",
        "SELECT hash(range) AS h FROM range(100_000_000_000) ORDER BY h",
        "CREATE TABLE a AS SELECT 1 FROM range(100_000_000_000) WHERE range < 0",
    ],
)
def test_a_running_query_is_cancelled(console: Console, text: str) -> None:
    assert cancelled_while(console, lambda: console.run(text)) == "The query was cancelled."
    assert rows(console, "SELECT 42") == [(42,)]
    assert done(console, "CREATE TABLE a AS SELECT 1")


def test_fetching_and_sorting_are_cancelled(console: Console) -> None:
    # One pipeline: the parts of a UNION are worked on in any order, the endless one first perhaps.
    found = result(console, "SELECT range FROM range(10_000_000_000_000) WHERE range < 600", 100)
    said = cancelled_while(console, lambda: found.fetch(10_000))
    assert said == "The query was cancelled."
    assert found.capped
    assert found.rows(99, 100) == [(99,)]
    assert found.fetch(10) == 0
    other = result(console, LONG)
    assert cancelled_while(console, lambda: console.sorted(other, 1, True)) == said
    assert other.fetch(10) == 10


def test_cancelling_while_nothing_runs_does_no_harm(console: Console) -> None:
    half = result(console, LONG)
    console.cancel()
    assert half.fetch(10) == 10
    assert rows(console, "SELECT 42") == [(42,)]


# What is one's own


def test_own_views_and_macros_are_made_again(sample_database: Path) -> None:
    with open_store(sample_database) as store:
        console = Console(store)
        said = done(
            console,
            "CREATE VIEW quick AS SELECT count(*) AS n FROM probes;"
            'CREATE MACRO twice(x, y := 2) AS x * y; CREATE VIEW "My ""View" AS FROM quick;'
            "CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE TABLE passing AS SELECT 1;"
            "ALTER VIEW quick RENAME TO quicker; CREATE VIEW quick AS SELECT twice(4) AS n",
        )
        assert said[0] == "View quick made."
        assert said[2] == 'View My "View made.'
    with open_store(sample_database, read_only=True) as store:
        console = Console(store)
        assert rows(console, "SELECT n, (SELECT n FROM quicker) FROM quick") == [(8, 48)]
        assert rows(console, 'FROM "My ""View"') == [(8,)]
        assert rows(console, "SELECT twice(3, y := 5), 'good'::mood") == [(15, "good")]
        assert "does not exist" in refused(console, "FROM passing").sentence
        assert done(console, "DROP VIEW quick") == ["View quick dropped."]
        kept = {(each.kind, each.name) for each in console.own()}
        assert kept == {
            ("view", "quicker"), ("macro", "twice"), ("view", 'My "View'), ("type", "mood"),
        }  # fmt: skip
    with open_store(sample_database) as store:
        broken = [each for each in Console(store).own() if each.problem]
        assert [each.name for each in broken] == ['My "View']


def test_a_view_that_no_longer_binds_is_kept(sample_database: Path) -> None:
    with open_store(sample_database) as store:
        console = Console(store)
        console.run(
            "CREATE TABLE t AS SELECT 1 AS a; CREATE VIEW v AS FROM t; CREATE VIEW w AS FROM v"
        )
    with open_store(sample_database) as store:
        console = Console(store)
        own = {each.name: each for each in console.own()}
        assert own["v"].sql == "CREATE VIEW v AS FROM t"
        assert "Table with name t does not exist" in own["v"].problem
        assert own["w"].problem
        console.run("CREATE VIEW other AS SELECT 1")
    with open_store(sample_database) as store:
        console = Console(store)
        assert {each.name for each in console.own()} == {"v", "w", "other"}
        assert done(console, "DROP VIEW V; DROP VIEW IF EXISTS w") == [
            "View V dropped.",
            "View w dropped.",
        ]
        assert [each.name for each in console.own()] == ["other"]
        console.run("CREATE VIEW v AS SELECT 1")
        assert not any(each.problem for each in console.own())


def test_two_consoles_share_scratch_and_keep_each_others_views(
    console: Console, store: Store
) -> None:
    other = Console(store)
    console.run("CREATE VIEW one AS SELECT 1; CREATE TABLE t AS SELECT 5 AS x")
    other.run("CREATE VIEW two AS SELECT 2; INSERT INTO t VALUES (6)")
    assert rows(console, "FROM one, two") == [(1, 2)]
    assert rows(other, "FROM t") == [(5,), (6,)]
    assert {each.name for each in console.own()} == {"one", "two"}


def test_views_are_kept_for_their_database_only(sample_database: Path, tmp_path: Path) -> None:
    with open_store(sample_database) as store:
        Console(store).run("CREATE VIEW mine AS SELECT 1")
    elsewhere = tmp_path / "elsewhere" / sample_database.name
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(sample_database.read_bytes())
    with open_store(elsewhere) as store:
        assert Console(store).own() == []


def test_a_list_of_views_that_cant_be_read_is_put_aside(sample_database: Path) -> None:
    with open_store(sample_database) as store:
        Console(store).run("CREATE VIEW mine AS SELECT 1")
    (path,) = (sample_database.parent / "state").glob("*.own.json")
    path.write_text("[{")
    with open_store(sample_database) as store:
        console = Console(store)
        assert console.own() == []
        console.run("CREATE VIEW other AS SELECT 1")
    assert [file.read_text() for file in path.parent.glob("*.unreadable")] == ["[{"]


@pytest.mark.parametrize("name", ["scratch", "SCRATCH", "a.b-c", 'it\'s "me"', "memory"])
def test_any_name_of_a_database_will_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.duckdb"
    make_sample_store(path, questions=2, orders=1, samples=1).close()
    with open_store(path, memory=LEAN_MEMORY) as store:
        console = Console(store)
        console.run("CREATE VIEW v AS SELECT count(*) AS n FROM probes")
        assert rows(console, "FROM v") == [(4,)]
        assert rows(console, f"SELECT count(*) FROM {console.scratch}.v") == [(1,)]
        assert "can't be changed" in refused(console, "DELETE FROM probes").sentence


def test_what_is_stored_is_never_hidden_by_a_name(console: Console) -> None:
    for text in ("CREATE VIEW Probes AS SELECT 1", "CREATE TABLE listing (a INT)"):
        assert "is the name of something stored" in refused(console, text).sentence
    console.run("CREATE TABLE t (a INT)")
    assert "is the name of" in refused(console, "ALTER TABLE t RENAME TO runs").sentence
    assert rows(console, "SELECT count(*) FROM listing") == [(48,)]


def test_a_read_only_store_has_a_scratch_too(sample_database: Path) -> None:
    before = sample_database.read_bytes()
    with open_store(sample_database, read_only=True) as store:
        console = Console(store)
        console.run("CREATE TABLE t AS FROM probes; DELETE FROM t WHERE probe_id > 5")
        assert rows(console, "SELECT count(*) FROM t") == [(5,)]
    assert sample_database.read_bytes() == before


def test_a_store_that_was_opened_anew_is_followed(console: Console, store: Store) -> None:
    console.run("CREATE VIEW v AS SELECT 1")
    half = result(console, LONG)
    store._connections.reopen()
    assert half.fetch(10) == 0
    assert rows(console, "FROM v") == [(1,)]


# Unlocked


@pytest.fixture
def unlocked(store: Store) -> Iterator[Console]:
    opened = Console(store, unlocked=True)
    yield opened
    opened.close()


def test_unlocking_carries_scratch_over(console: Console) -> None:
    console.run(
        "CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE SCHEMA aside;"
        "CREATE TABLE t AS SELECT 'bad'::mood AS m, 3 AS x, 2::HUGEINT AS h;"
        "CREATE TABLE aside.u AS FROM t; CREATE VIEW v AS SELECT x FROM t"
    )
    half = result(console, LONG)
    console.unlock()
    assert console.unlocked
    assert half.capped
    assert half.fetched == 500
    assert rows(console, "SELECT *, typeof(h) FROM t, v") == [("bad", 3, 2, 3, "HUGEINT")]
    assert rows(console, "SELECT x FROM aside.u") == [(3,)]
    assert not any(each.problem for each in console.own())


def test_unlocked_statements_reach_files_and_other_databases(
    unlocked: Console, tmp_path: Path
) -> None:
    copy, other = tmp_path / "copy.csv", tmp_path / "other.duckdb"
    unlocked.run(f"COPY (SELECT probe_id FROM probes ORDER BY ALL) TO '{copy}'")
    assert rows(unlocked, f"SELECT count(*) FROM '{copy}'") == [(48,)]
    unlocked.run(
        f"ATTACH '{other}' AS other; CREATE TABLE other.t AS SELECT 1 AS a;"
        "INSERT INTO other.t VALUES (2); SET VARIABLE wanted = 2; CREATE TEMP TABLE p AS SELECT 7"
    )
    assert rows(unlocked, "FROM other.t WHERE a = getvariable('wanted')") == [(2,)]
    assert rows(unlocked, "WITH x AS (DELETE FROM other.t RETURNING a) FROM x ORDER BY a") == [
        (1,),
        (2,),
    ]
    assert rows(unlocked, "SELECT * FROM p") == [(7,)]
    unlocked.run("DETACH other")
    assert other.exists()


def test_unlocked_changes_of_what_is_stored_keep_outcomes_true(
    unlocked: Console, store: Store
) -> None:
    wrong = "SELECT count(*) FROM (FROM outcome_rows EXCEPT FROM outcomes)"
    ((before,),) = rows(unlocked, "SELECT count(*) FROM outcomes WHERE mismatch")
    said = done(unlocked, "UPDATE readings SET label = 'Z' WHERE name = 'first_token'")
    assert said[0].endswith("rows updated; the table outcomes was made anew.")
    assert rows(unlocked, wrong) == [(0,)]
    ((after,),) = rows(unlocked, "SELECT count(*) FROM outcomes WHERE mismatch")
    assert after != before
    unlocked.run("DELETE FROM probes WHERE probe_id <= 4")
    assert rows(unlocked, "SELECT min(probe_id) FROM outcomes") == [(5,)]
    unlocked.run("INSERT INTO marks VALUES (7, '2026-01-01')")
    assert store.toggle_mark(7) is False


@pytest.mark.parametrize(
    "text",
    [
        "DROP TABLE probes",
        "ALTER TABLE probes DROP COLUMN prompt",
        "ALTER TABLE probes RENAME TO samples",
        "DROP VIEW listing",
        "UPDATE meta SET schema_version = 99",
        "DELETE FROM meta",
        "WITH x AS (DELETE FROM meta RETURNING *) FROM x",
        "BEGIN",
        "DETACH sample",
        "USE scratch; DETACH sample",
    ],
)
def test_unlocked_statements_never_leave_an_unreadable_file(
    unlocked: Console, store: Store, text: str
) -> None:
    error = refused(unlocked, text)
    assert error.sentence.endswith(".")
    store.close()
    with open_store(store.path) as opened:
        assert len(list_ids(opened, 1)) == 48


def test_tables_of_ones_own_may_be_made_in_the_file_once_unlocked(
    unlocked: Console, store: Store
) -> None:
    unlocked.run("CREATE TABLE sample.main.mine AS SELECT 1 AS a; INSERT INTO mine VALUES (2)")
    store.close()
    with open_store(store.path) as opened:
        assert rows(Console(opened), "SELECT count(*) FROM mine") == [(2,)]


def test_others_go_on_while_the_console_is_unlocked(console: Console, store: Store) -> None:
    failed: list[BaseException] = []
    go_on = threading.Event()
    marked = threading.Event()

    def write() -> None:
        try:
            while not go_on.is_set():
                store.toggle_mark(1)
                marked.set()
        except BaseException as error:
            failed.append(error)

    def read() -> None:
        try:
            while not go_on.is_set():
                assert [run.stored for run in runs(store)] == [48]
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write), threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    marked.wait()
    console.unlock()
    marked.clear()
    marked.wait()
    go_on.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert rows(console, "SELECT 1") == [(1,)]


def test_a_locked_console_stays_locked(console: Console, tmp_path: Path) -> None:
    assert not console.unlocked
    assert "is refused" in refused(console, f"COPY probes TO '{tmp_path}/x.csv'").sentence


def test_a_run_stores_while_a_result_is_half_read(sample_database: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.duckdb"
    store = make_sample_store(path, questions=3)
    console = Console(store)
    half = result(console, "SELECT p.* FROM probes p, range(100000)")
    for number in range(1, 5):
        store.toggle_mark(number)
    store.reader().execute("CHECKPOINT")
    half.fetch(100)
    assert half.fetched == 600
    store.close()
    with open_store(path) as opened:
        assert rows(Console(opened), "SELECT count(*) FROM marks") == [(4,)]


# One query, for what shows a part of the store


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT 1; SELECT 2", "2 statements instead of one"),
        ("-- nothing", "0 statements instead of one"),
        ("CREATE TABLE a (b INT)", "CREATE is refused: this can only read."),
        ("SELECT no FROM runs", 'Referenced column "no" not found'),
    ],
)
def test_one_query_reads_and_nothing_else(store: Store, query: str, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        read_table(store.reader(), query)
    assert read_table(store.reader(), "SELECT 2 AS n").to_pylist() == [{"n": 2}]


def test_a_few_rows_of_many_leave_the_cursor_usable(store: Store) -> None:
    with reading(store.reader(), LONG) as cursor:
        assert [row[0] for row in cursor.fetchmany(3)] == [0, 1, 2]
    with reading(store.reader(), "SELECT 1") as cursor:
        assert cursor.fetchall() == [(1,)]
