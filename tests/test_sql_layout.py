"""Laying out moves blanks and nothing else."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import StoreError
from engine.sql.layout import WIDTH, lay_out
from engine.sql.lexing import lex
from engine.sql.saved import saved_queries

SHIPPED = [query.sql for query in saved_queries() if query.shipped]

QUERIES = [
    "select 1",
    "from t",
    "select a,b from t where a=1 and b<>2 or not c group by all order by a desc nulls last limit 3",
    "select * exclude (a) replace (b+1 as b) from t qualify row_number() over "
    "(partition by a order by b rows between 1 preceding and current row)=1",
    "select x::int, -1, - 1, a - -1, 2*3, a[1:2], a[-1], {'a':1}, [1,2], map{'k':1}, b->>'$.c', "
    't.a, "Q"."r"',
    "select list_transform(l, lambda x : x+1), list_filter(l, x -> x >1) from t",
    "select case when a then 'x' when b between 1 and 2 then 'y' else case c when 1 then 2 end "
    "end as z",
    "with a as (select 1), b(c) as materialized (from a) select * from b union all by name "
    "select 2 intersect select 3",
    "select count(*) filter (where x), sum(y) over w from t window w as (partition by z)",
    "select * from a left join b using (c) natural join d cross join e "
    "asof join f on f.x>=a.x semi join g on true",
    "select left('abc', 2), right('abc', 1), \"select\", t.\"order\" from t",
    "select a is distinct from b, a is not null, a in (1,2), a not like 'x%', exists (select 1)",
    "select 1 as \"select\", 2 as end_, 3 as Desc_",
    "values (1, 'a'), (2, 'b')",
    "select 'it''s', $$ dollar ' $$, e'\\n', x'00', '--', '/*' -- comment",
    "select /* in */ a, -- beside\n  -- above\n  b /* two\nlines */ from t -- end",
    "-- header\n-- second\nselect 1; -- after\n\n-- tail",
    "describe t", "summarize select * from t", "explain analyze select 1", "show tables",
    "create or replace view v as select a from t where b", "create table x as from t",
    "create macro f(a, b := 1) as a + b", "drop view if exists v",
    "pivot t on a using sum(b) group by c",
    "select * from range(10) t(i) where i%2=0 and i^2>4 and i||'x' like '1%'",
    "select a<b, a<-1, a>=b, a!=b, a==b, @a, a**2, a//2, l <-> m, a && b, a ^@ b",
    "select date '2026-01-01' + interval 1 day, timestamp with time zone '2026-01-01 00:00:00+00'",
    "select unnest([1,2]), (select max(x) from t), ((1+2)*3)",
    "select x from t where (a and (b or c)) and a_very_long_condition_number_one = 1 "
    "and another_very_long_condition = 2",
    *SHIPPED,
]  # fmt: skip


def meaning(sql: str) -> Any:
    """DuckDB's own reading of a text: its tree, or where it has none its words."""
    connection = duckdb.connect()
    trees = []
    for statement in connection.extract_statements(sql):
        ((tree,),) = connection.execute(
            "SELECT json_serialize_sql(?)", [statement.query]
        ).fetchall()
        trees.append(without_places(json.loads(tree)))
    return trees


def without_places(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: without_places(each) for key, each in tree.items() if "location" not in key}
    return [without_places(each) for each in tree] if isinstance(tree, list) else tree


def pieces(sql: str) -> list[str]:
    return [token.text.lower() for token in lex(sql) if token.kind != "blank"]


@pytest.mark.parametrize("sql", QUERIES)
def test_no_token_and_no_comment_changes(sql: str) -> None:
    laid = lay_out(sql)
    assert [text.rstrip() for text in pieces(laid)] == [text.rstrip() for text in pieces(sql)]
    for before, after in zip(
        (token for token in lex(sql) if token.kind not in ("blank", "comment")),
        (token for token in lex(laid) if token.kind not in ("blank", "comment")),
        strict=True,
    ):
        assert before.text == after.text or before.kind == "word"


@pytest.mark.parametrize("sql", QUERIES)
def test_duckdb_reads_the_same(sql: str) -> None:
    try:
        before = meaning(sql)
    except duckdb.Error as error:
        with pytest.raises(type(error)):
            meaning(lay_out(sql))
        return
    assert meaning(lay_out(sql)) == before


@pytest.mark.parametrize("sql", QUERIES)
def test_a_second_time_changes_nothing(sql: str) -> None:
    laid = lay_out(sql)
    assert lay_out(laid) == laid


@pytest.mark.parametrize("sql", QUERIES)
def test_lines_stay_short_and_clean(sql: str) -> None:
    for line in lay_out(sql).splitlines():
        assert line == line.rstrip()
    if sql in SHIPPED:
        assert all(len(line) <= WIDTH + 12 for line in lay_out(sql).splitlines())


def test_clauses_stand_under_each_other() -> None:
    assert lay_out(
        "select a, count(*) as n from t where b group by a order by n desc;select 2"
    ) == ("SELECT a, count(*) AS n\nFROM t\nWHERE b\nGROUP BY a\nORDER BY n DESC;\n\nSELECT 2")


def test_what_is_inside_parentheses_is_indented() -> None:
    assert lay_out("with x as (select a from t) select * from (select * from x where a > 1) y") == (
        "WITH x AS (\n    SELECT a\n    FROM t\n)\nSELECT *\nFROM (SELECT * FROM x WHERE a > 1) y"
    )


def test_long_lists_are_broken_at_their_commas() -> None:
    names = [f"a_column_number_{number}" for number in range(8)]
    assert lay_out(f"select {','.join(names)} from t") == (
        "SELECT\n    " + ",\n    ".join(names) + "\nFROM t"
    )


def test_an_alias_that_is_a_keyword_keeps_its_letters() -> None:
    laid = lay_out('select 1 as end, t.select, 2 as "From" from t')
    assert laid == 'SELECT 1 AS end, t.select, 2 AS "From"\nFROM t'


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select 'abc", "The string that begins on line 1"),
        ('select 1,\n"abc', "The name that begins on line 2"),
        ("select 1 /* abc", "The comment that begins on line 1"),
        ("select\n(1", r"The \( on line 2"),
        ("select 1)", r"The \) on line 1"),
        ("select case when 1 then 2", "The case on line 1"),
    ],
)
def test_what_has_no_end_is_said(sql: str, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        lay_out(sql)


def test_nothing_is_nothing() -> None:
    assert lay_out("") == ""
    assert lay_out("  \n ") == ""
    assert lay_out("-- only this") == "-- only this"


WORDS = st.sampled_from(
    ["select", "from", "where", "and", "or", "case", "when", "end", "(", ")", "[", "]", ",", ";",
     "a", "b.c", "'it''s'", '"q"', "-- c\n", "/* d */", "1", "-", "=", "<", "as", "with", "join",
     "left", "\n", "between", "union", "::", "*", "is", "distinct"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=40), st.sampled_from([" ", "\n", "  \n "]))
def test_any_pieces_stay_as_they_are(words: list[str], between: str) -> None:
    sql = between.join(words)
    try:
        laid = lay_out(sql)
    except StoreError:
        return
    assert [text.rstrip() for text in pieces(laid)] == [text.rstrip() for text in pieces(sql)]
    assert lay_out(laid) == laid
