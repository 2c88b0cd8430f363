"""What is offered at a place in a query; the place is marked with a bar."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.sql.catalog import Catalog, Column, Function, Table, read_catalog
from engine.sql.completion import MOST, Suggestion, complete
from engine.sql.lexing import lex
from engine.store import open_store


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """A small one, in which everything can be told at a glance."""
    runs = Table(
        "runs", "table", "One row a run.",
        (Column("run_id", "INTEGER"), Column("name", "VARCHAR", "What lists show."),
         Column("status", "VARCHAR")),
    )  # fmt: skip
    probes = Table(
        "probes", "table", "One row a probe.",
        (Column("probe_id", "INTEGER"), Column("run_id", "INTEGER"), Column("format", "VARCHAR"),
         Column("label_logprobs", "FLOAT[]", "raw logprobs"), Column("order", "INTEGER")),
    )  # fmt: skip
    mine = Table("my_view", "own view", "", (Column("total", "BIGINT"),))
    functions = (
        Function("lower", ("scalar",), ("lower(string VARCHAR) -> VARCHAR",), "Makes it small.",
                 "lower('A')"),
        Function("range", ("table",), ("range(end BIGINT)",)),
        Function("list_transform", ("scalar",), ("list_transform(list, lambda)",)),
    )  # fmt: skip
    return Catalog(
        (probes, runs, mine),
        functions,
        ("select", "from", "order", "recursive"),
        frozenset({"order", "select", "from"}),
        {
            "format": ("high", "low", "o'clock"),
            "status": ("option", "refusal"),
            "runs.status": ("running",),
        },
    )


def offered(catalog: Catalog, marked: str) -> list[Suggestion]:
    place = marked.rindex("|")
    return complete(marked[:place] + marked[place + 1 :], place, catalog)


def texts(catalog: Catalog, marked: str) -> list[str]:
    return [each.text for each in offered(catalog, marked)]


def columns(catalog: Catalog, marked: str) -> list[str]:
    return [each.text for each in offered(catalog, marked) if each.kind == "column"]


PROBES = ["probe_id", "run_id", "format", "label_logprobs", '"order"']
RUNS = ["run_id", "name", "status"]


@pytest.mark.parametrize(
    "marked",
    [
        "SELECT * FROM |",
        "FROM |",
        "SELECT * FROM runs, |",
        "SELECT * FROM runs JOIN |",
        "SELECT * FROM runs r LEFT JOIN |",
        "DESCRIBE |",
        "SUMMARIZE |",
        "SELECT 1; FROM |; SELECT 2",
        "SELECT * FROM (SELECT * FROM |",
        "SELECT * FROM (SELECT * FROM |) x WHERE x.a = 1",
        "SELECT * FROM runs UNION SELECT * FROM |",
        "CREATE VIEW v AS SELECT * FROM |",
    ],
)
def test_tables_where_a_table_stands(catalog: Catalog, marked: str) -> None:
    found = offered(catalog, marked)
    assert [each.text for each in found][:3] == ["probes", "runs", "my_view"]
    assert [each.kind for each in found][:3] == ["table", "table", "own view"]
    assert "range" in [each.text for each in found]
    assert "lower" not in [each.text for each in found]


@pytest.mark.parametrize(
    "marked",
    [
        "SELECT | FROM probes",
        "FROM probes SELECT |",
        "SELECT * FROM probes WHERE |",
        "SELECT * FROM probes GROUP BY |",
        "SELECT * FROM probes ORDER BY |",
        "SELECT * FROM probes ORDER BY run_id, |",
        "SELECT lower(|) FROM probes",
        "SELECT lower(| FROM probes",
        "SELECT count(*) FILTER (WHERE |) FROM probes",
        "SELECT * FROM probes WHERE format IN ('low') AND |",
        "SELECT runs FROM runs; SELECT | FROM probes; SELECT 1 FROM runs",
        "SELECT 1 FROM runs UNION ALL SELECT | FROM probes",
        "SELECT | FROM probes UNION ALL SELECT 1 FROM runs",
        "SELECT | FROM main.probes",
        'SELECT | FROM "probes"',
        "SELECT | FROM probes -- a comment; FROM runs",
        "SELECT | FROM probes WHERE format = 'FROM runs'",
        "SELECT | FROM probes WHERE format = 'unfinished",
    ],
)
def test_columns_of_what_is_in_reach(catalog: Catalog, marked: str) -> None:
    assert columns(catalog, marked) == PROBES


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("SELECT p.| FROM probes p", PROBES),
        ("SELECT p.| FROM probes AS p JOIN runs r USING (run_id)", PROBES),
        ("SELECT r.| FROM probes AS p JOIN runs r USING (run_id)", RUNS),
        ("SELECT * FROM probes p JOIN runs r ON p.run_id = r.|", RUNS),
        ("SELECT * FROM probes p JOIN runs r ON r.| = p.run_id", RUNS),
        ("SELECT P.| FROM probes p", PROBES),
        ("SELECT probes.| FROM probes", PROBES),
        ("SELECT runs.|", RUNS),
        ("SELECT * FROM probes p WHERE EXISTS (SELECT 1 FROM runs r WHERE r.run_id = p.|", PROBES),
        ("SELECT * FROM probes p, LATERAL (SELECT p.|)", PROBES),
        ("WITH x AS (SELECT name, count(*) AS n FROM runs) SELECT x.| FROM x", ["name", "n"]),
        ("WITH x AS (SELECT name, count(*) n FROM runs) SELECT y.| FROM x y", ["name", "n"]),
        ("WITH x(a, b) AS (SELECT 1, 2) SELECT x.| FROM x", ["a", "b"]),
        ("WITH x AS MATERIALIZED (SELECT * FROM runs) SELECT x.| FROM x", RUNS),
        ("WITH x AS (FROM runs), y AS (SELECT x.* FROM x) SELECT y.| FROM y", RUNS),
        ("WITH x AS (SELECT p.run_id AS r FROM probes p) SELECT (SELECT x.| FROM x)", ["r"]),
        ("SELECT s.| FROM (SELECT name, 1 AS one FROM runs) s", ["name", "one"]),
        ("SELECT s.| FROM (SELECT name FROM runs UNION SELECT 'x') AS s", ["name"]),
        ("SELECT s.| FROM (SELECT *, 1 AS one FROM runs) s", [*RUNS, "one"]),
        ("SELECT t.| FROM range(3) t(i)", ["i"]),
        ("SELECT nothing.| FROM probes", []),
    ],
)
def test_columns_after_a_name_and_a_dot(catalog: Catalog, marked: str, expected: list[str]) -> None:
    assert texts(catalog, marked) == expected


def test_columns_come_before_functions_and_keywords(catalog: Catalog) -> None:
    kinds = [each.kind for each in offered(catalog, "SELECT | FROM probes p")]
    order = ["column", "alias", "function", "keyword"]
    assert sorted(kinds, key=order.index) == kinds
    assert set(kinds) == set(order)


def test_names_of_this_select_can_be_sorted_by(catalog: Catalog) -> None:
    assert "total_runs" in texts(catalog, "SELECT count(*) AS total_runs FROM runs ORDER BY |")


def test_a_cte_is_a_table(catalog: Catalog) -> None:
    found = offered(catalog, "WITH newest AS (SELECT 1 AS one) SELECT * FROM |")
    assert (found[0].text, found[0].kind) == ("newest", "cte")


def test_without_a_table_all_columns_are_offered_with_their_tables(catalog: Catalog) -> None:
    (found,) = [each for each in offered(catalog, "SELECT run_|") if each.kind == "column"]
    assert (found.text, found.detail) == ("run_id", "INTEGER of probes, runs")


@pytest.mark.parametrize(
    "marked",
    ["SELECT 'fro|", "SELECT 'x|' FROM probes", "-- FROM |", "/* FROM | */ SELECT 1", "SELECT 12|",
     "SELECT $$ FROM |", "SELECT 1 AS x WHERE name = 'a|", "SELECT '--' || 'fro|"],
)  # fmt: skip
def test_nothing_in_comments_numbers_and_plain_strings(catalog: Catalog, marked: str) -> None:
    assert offered(catalog, marked) == []


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("SELECT * FROM probes WHERE format = '|", ["high'", "low'", "o''clock'"]),
        ("SELECT * FROM probes WHERE format = '|'", ["high", "low", "o''clock"]),
        ("SELECT * FROM probes WHERE format = 'l|", ["low'"]),
        ("SELECT * FROM probes WHERE format = 'l| AND run_id = 'x'", ["low'"]),
        ("SELECT * FROM probes p WHERE p.format <> '|", ["high'", "low'", "o''clock'"]),
        ("SELECT * FROM probes WHERE format IN ('low', 'h|", ["high'"]),
        ("SELECT * FROM probes WHERE format NOT IN ('h|", ["high'"]),
        ("SELECT * FROM probes WHERE format IS DISTINCT FROM 'h|", ["high'"]),
        ("SELECT * FROM runs WHERE status = '|", ["running'"]),
        ("SELECT * FROM runs r WHERE r.status = '|", ["running'"]),
        ("SELECT * FROM other WHERE status = '|", ["option'", "refusal'"]),
        ("SELECT * FROM probes WHERE format = 'low' || '|", []),
    ],
)
def test_values_between_quotes(catalog: Catalog, marked: str, expected: list[str]) -> None:
    assert texts(catalog, marked) == expected


def test_the_best_match_comes_first(catalog: Catalog) -> None:
    assert texts(catalog, "SELECT l| FROM probes")[:3] == [
        "label_logprobs",
        "lower",
        "list_transform",
    ]
    assert texts(catalog, "SELECT log| FROM probes") == ["label_logprobs"]
    assert texts(catalog, "SELECT lblprb| FROM probes") == ["label_logprobs"]
    assert texts(catalog, "SELECT RUN| FROM probes")[0] == "run_id"


def test_what_is_replaced_begins_with_the_word(catalog: Catalog) -> None:
    marked = "SELECT format, lab| FROM probes"
    (found,) = offered(catalog, marked)
    assert found.start == marked.index("lab")
    (quoted,) = offered(catalog, 'SELECT "ord| FROM probes')
    assert (quoted.text, quoted.start) == ('"order"', 7)
    (value,) = offered(catalog, "FROM probes WHERE format = 'l|'")
    assert value.start == len("FROM probes WHERE format = '")


def test_suggestions_tell_what_they_are(catalog: Catalog) -> None:
    (column,) = offered(catalog, "SELECT label_| FROM probes p")
    assert (column.detail, column.documentation) == ("FLOAT[] of p", "raw logprobs")
    (function,) = offered(catalog, "SELECT lowe|")
    assert function.detail == "lower(string VARCHAR) -> VARCHAR"
    assert function.documentation == "Makes it small.\nExample: lower('A')"
    table = offered(catalog, "FROM prob|")[0]
    assert (table.detail, table.documentation) == ("table, 5 columns", "One row a probe.")


def test_after_a_table_its_clauses_are_offered(catalog: Catalog) -> None:
    found = offered(catalog, "SELECT * FROM probes |")
    assert {each.kind for each in found} == {"keyword"}
    assert texts(catalog, "SELECT * FROM probes whe|") == ["WHERE"]
    assert "SELECT" in texts(catalog, "|")


def broken() -> Iterator[str]:
    query = (
        "WITH a AS (SELECT p.run_id, 'x''y' AS \"q r\" FROM probes p /* c */), b (c) AS (FROM a)\n"
        "SELECT count(*) FILTER (WHERE x > 1) -- 'not a string\n"
        "FROM a, (SELECT 1 UNION ALL SELECT [2][1]) s JOIN b ON (a.run_id = b.c); SELECT $$;$$"
    )
    yield from (query[:place] + "|" + query[place:] for place in range(len(query)))
    yield from (query[:place] + "|" for place in range(len(query)))
    yield from (
        ")|",
        "((((|",
        "|))))",
        "SELECT ,|",
        ".|",
        "FROM .|",
        "a..|",
        "; ; |",
        "\x00|",
        "'|",
        '"|',
    )


def test_a_broken_text_still_completes(catalog: Catalog) -> None:
    for marked in broken():
        found = offered(catalog, marked)
        assert len(found) <= MOST
        assert all(each.start <= marked.index("|") for each in found)


def test_pieces_joined_are_the_text_again() -> None:
    for marked in broken():
        assert "".join(token.text for token in lex(marked)) == marked


def test_the_real_catalog_completes(sample_database: Path) -> None:
    with open_store(sample_database) as store:
        real = read_catalog(store)
    assert texts(real, "SELECT mism| FROM outcomes") == ["mismatch", "mismatches", "vocab_mismatch"]
    assert texts(real, "FROM outcomes WHERE text_status = 'ref|") == ["refusal'"]
    assert texts(real, "SELECT * FROM listi|") == ["listing"]
