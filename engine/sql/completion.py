"""What may stand at a place in a query: completion from the real catalog.

Tables after FROM, columns of a table after its name or alias and a dot, known values between
quotes after a comparison, and elsewhere the columns of the tables in reach, then functions and
keywords. A text that is broken elsewhere still completes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from engine.sql.catalog import Catalog, Column, Function, Table
from engine.sql.lexing import Token, lex
from engine.sql.scope import Block, read_blocks

MOST = 100
"""Suggestions at a place at most."""

Kind = Literal[
    "column", "table", "view", "own table", "own view", "cte", "alias", "function", "keyword",
    "value",
]  # fmt: skip

_NAMES_TABLE = frozenset(
    {"from", "join", "describe", "desc", "summarize", "table", "view", "pivot", "unpivot", "show"}
)
_COMPARES = frozenset({"=", "==", "<>", "!=", "like", "ilike", "in", "not", "from", "(", ",", "is",
                       "distinct"})  # fmt: skip
_AFTER_TABLE = (
    "JOIN", "LEFT JOIN", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "SELECT", "ON", "USING", "AS",
    "HAVING", "QUALIFY", "UNION ALL", "UNION", "EXCEPT", "INTERSECT", "CROSS JOIN", "SEMI JOIN",
    "ANTI JOIN", "FULL JOIN", "RIGHT JOIN", "ASOF JOIN", "TABLESAMPLE",
)  # fmt: skip
_COMMON = (
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "AND", "OR", "NOT", "AS", "IN",
    "IS NULL", "IS NOT NULL", "BETWEEN", "LIKE", "ILIKE", "CASE", "WHEN", "THEN", "ELSE", "END",
    "DISTINCT", "COUNT(*)", "FILTER", "OVER", "PARTITION BY", "DESC", "ASC", "NULLS LAST",
    "HAVING", "QUALIFY", "JOIN", "LEFT JOIN", "ON", "USING", "UNION ALL", "WITH", "EXCLUDE",
    "REPLACE", "COLUMNS", "ALL", "TRUE", "FALSE", "NULL", "INTERVAL", "CAST", "TRY_CAST",
    "OFFSET", "IS DISTINCT FROM", "IS NOT DISTINCT FROM", "DESCRIBE", "SUMMARIZE", "EXPLAIN",
    "EXPLAIN ANALYZE", "CREATE VIEW", "CREATE OR REPLACE VIEW", "CREATE TABLE", "DROP VIEW",
    "DROP TABLE", "PIVOT", "UNPIVOT", "VALUES", "SHOW TABLES",
)  # fmt: skip
"""Keywords as one writes them, the commonest first; the rest of DuckDB's follow."""


_REST_OF_STRING = re.compile(r"[^'\n]*'?")
_REST_OF_NAME = re.compile(r'[\w$]*"?')


class Suggestion(msgspec.Struct, frozen=True):
    """One thing that may stand at the place.

    Attributes:
        text: What is put in the place of what was typed.
        kind: What it is.
        detail: Its type, signature or origin, in one line.
        documentation: What it is for; empty where nothing is known.
        start: Where the replaced word begins; it ends at the place itself.
    """

    text: str
    kind: Kind
    detail: str
    documentation: str
    start: int


class _Candidate(msgspec.Struct, frozen=True):
    """Something nameable; ``name`` is matched, ``text`` is written."""

    name: str
    text: str
    kind: Kind
    detail: str = ""
    documentation: str = ""


_Nameable = _Candidate | Function
"""A function becomes a candidate only where it matches: there are hundreds."""


def complete(text: str, place: int, catalog: Catalog) -> list[Suggestion]:
    """What may stand at a place, the likeliest first; nothing inside comments and plain strings.

    Args:
        text: The whole text, of one or several statements, finished or not.
        place: The cursor, in characters from the beginning.
        catalog: What can be named.
    """
    before, after = _around(text, place)
    typed = before[-1] if before and before[-1].end == place else None
    if typed is not None and (typed.kind in ("comment", "number") or typed.kind == "string"):
        return _values(typed, before[:-1], after, text, place, catalog) if typed.unclosed else []
    naming = typed if typed is not None and _names_something(typed) else None
    known = before[:-1] if naming else before
    start = naming.start if naming else place
    word = naming.text.removeprefix('"') if naming else ""
    tokens = [token for token in (*known, *after) if token.kind not in ("blank", "comment")]
    statement = _statement(tokens, place)
    block = read_blocks(statement, catalog, start)
    found: Iterable[_Nameable] = _candidates(
        block, [token for token in statement if token.end <= start], start, catalog
    )
    if naming and naming.kind == "quoted":
        found = (
            each
            for each in found
            if isinstance(each, _Candidate) and each.kind not in ("function", "keyword")
        )
    return [
        Suggestion(each.text, each.kind, each.detail, each.documentation, start)
        for each in _ranked(found, word)
    ]


def _around(text: str, place: int) -> tuple[list[Token], list[Token]]:
    """The tokens up to a place, and those after the word that stands there.

    What is being typed may be a string without an end, which must not swallow the rest.
    """
    before = lex(text[:place])
    rest = place
    last = before[-1] if before else None
    if last is not None and last.kind == "string" and last.unclosed:
        rest = _past(_REST_OF_STRING, text, place)
    elif last is not None and _names_something(last):
        rest = _past(_REST_OF_NAME, text, place)
    return before, lex(text[rest:], rest)


def _past(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    return found.end() if found else place


def _names_something(token: Token) -> bool:
    return token.kind == "word" or (token.kind == "quoted" and token.unclosed)


def _statement(tokens: Sequence[Token], place: int) -> list[Token]:
    """The tokens of the statement that a place stands in."""
    ends = [at for at, token in enumerate(tokens) if token.text == ";"]
    first = max((at + 1 for at in ends if tokens[at].end <= place), default=0)
    last = min((at for at in ends if tokens[at].start >= place), default=len(tokens))
    return list(tokens[first:last])


def _candidates(
    block: Block, before: Sequence[Token], place: int, catalog: Catalog
) -> Iterator[_Nameable]:
    if before and before[-1].text == ".":
        yield from _members(block, before[:-1], catalog)
        return
    keyword, since = block.clause(place)
    if block.depth(place) == 0 and keyword in _NAMES_TABLE:
        if not since or since[-1].text == ",":
            yield from _tables(block, catalog)
            yield from (each for each in catalog.functions if each.makes_rows)
            yield _Candidate("select", "SELECT", "keyword")
        else:
            yield from map(_keyword, _AFTER_TABLE)
        return
    if not before:
        yield from map(_keyword, _COMMON)
        yield from map(_keyword, catalog.keywords)
        return
    yield from _in_reach(block, catalog)
    yield from (each for each in catalog.functions if each.makes_values)
    yield from map(_keyword, _COMMON)
    yield from map(_keyword, catalog.keywords)


def _members(block: Block, before: Sequence[Token], catalog: Catalog) -> Iterator[_Candidate]:
    """What may follow a name and a dot."""
    name = before[-1].key if before and before[-1].is_name else ""
    for source in block.visible():
        if source.name == name:
            yield from (_column(column, name, catalog) for column in source.columns)
            return
    columns = block.tables().get(name)
    if columns is None and name in catalog.by_name:
        columns = catalog.by_name[name].columns
    if columns is not None:
        yield from (_column(column, name, catalog) for column in columns)
    elif name in ("main", "scratch") or not name:
        yield from (_table(table, catalog) for table in catalog.tables)


def _tables(block: Block, catalog: Catalog) -> Iterator[_Candidate]:
    for name in block.tables():
        yield _Candidate(name, catalog.name(name), "cte", "defined by WITH")
    yield from (_table(table, catalog) for table in catalog.tables)


def _in_reach(block: Block, catalog: Catalog) -> Iterator[_Candidate]:
    """Columns of the tables in reach; of all where none is."""
    sources = list(block.visible())
    for source in sources:
        yield from (_column(column, source.name, catalog) for column in source.columns)
    seen = {column.name.lower() for source in sources for column in source.columns}
    yield from (
        _Candidate(column.name, catalog.name(column.name), "column", "of this SELECT")
        for column in block.selected
        if column.name.lower() not in seen
    )
    yield from (
        _Candidate(source.name, catalog.name(source.name), "alias", "table in this query")
        for source in sources
        if source.name
    )
    if not sources:
        yield from _of_all_tables(catalog)


def _of_all_tables(catalog: Catalog) -> Iterator[_Candidate]:
    holders: dict[str, list[tuple[Table, Column]]] = {}
    for table in catalog.tables:
        for column in table.columns:
            holders.setdefault(column.name, []).append((table, column))
    for name, held in holders.items():
        documented = next((column.about for _, column in held if column.about), "")
        detail = f"{held[0][1].type} of {', '.join(table.name for table, _ in held)}"
        yield _Candidate(name, catalog.name(name), "column", detail, documented)


def _column(column: Column, holder: str, catalog: Catalog) -> _Candidate:
    detail = " of ".join(filter(None, (column.type, holder)))
    return _Candidate(column.name, catalog.name(column.name), "column", detail, column.about)


def _table(table: Table, catalog: Catalog) -> _Candidate:
    detail = f"{table.kind}, {len(table.columns)} columns"
    return _Candidate(table.name, catalog.name(table.name), table.kind, detail, table.about)


def _function(function: Function) -> _Candidate:
    example = f"Example: {function.example}" if function.example else ""
    documentation = "\n".join(filter(None, (function.about, example)))
    return _Candidate(
        function.name, function.name, "function", function.signatures[0], documentation
    )


def _keyword(name: str) -> _Candidate:
    return _Candidate(name.lower(), name.upper(), "keyword")


def _ranked(found: Iterable[_Nameable], word: str) -> list[_Candidate]:
    """The best matches.

    Beginnings come first, then beginnings of a part of the name; scattered letters count where
    there is neither. Among equals the order in which they were found stays.
    """
    sought = word.lower()
    scattered = re.compile(".*?".join(map(re.escape, sought)), re.DOTALL)
    best: list[list[_Nameable]] = [[], [], [], []]
    seen: set[str] = set()
    for each in found:
        rank = _rank(each.name.lower(), sought, scattered)
        text = each.name if isinstance(each, Function) else each.text
        if rank is not None and text not in seen:
            seen.add(text)
            best[rank].append(each)
    exact, beginnings, parts, scattered_ones = best
    chosen = [*exact, *beginnings, *parts][:MOST] or scattered_ones[:MOST]
    return [_function(each) if isinstance(each, Function) else each for each in chosen]


def _rank(name: str, sought: str, scattered: re.Pattern[str]) -> int | None:
    if name.startswith(sought):
        return 0 if name == sought else 1
    if f"_{sought}" in name or f" {sought}" in name:
        return 2
    # A letter or two are scattered over half of all names.
    if len(sought) > 2 and name[0] == sought[0] and scattered.match(name):
        return 3
    return None


def _values(
    typed: Token,
    before: Sequence[Token],
    after: Sequence[Token],
    text: str,
    place: int,
    catalog: Catalog,
) -> list[Suggestion]:
    """Known values of the column that a string is compared with."""
    tokens = [token for token in (*before, *after) if token.kind not in ("blank", "comment")]
    statement = _statement(tokens, place)
    column = _compared([token for token in statement if token.end <= typed.start])
    if column is None:
        return []
    name, qualifier = column
    block = read_blocks(statement, catalog, typed.start)
    holders = [
        source.name
        for source in block.visible()
        if (not qualifier or source.name == qualifier)
        and any(each.name.lower() == name for each in source.columns)
    ]
    tables = _behind(statement, holders)
    known = next(
        (catalog.values[key] for key in (*(f"{table}.{name}" for table in tables), name)
         if key in catalog.values),
        (),
    )  # fmt: skip
    close = "" if text[place : place + 1] == "'" else "'"
    start = typed.start + 1 + typed.text.index("'")
    candidates = [
        _Candidate(value, value.replace("'", "''") + close, "value", f"value of {name}")
        for value in known
    ]
    word = text[start:place]
    return [
        Suggestion(each.text, each.kind, each.detail, "", start)
        for each in _ranked(candidates, word)
    ]


def _behind(statement: Sequence[Token], holders: Sequence[str]) -> Iterator[str]:
    """Names of tables, and where a name is an alias, the table before it."""
    for holder in holders:
        yield holder
        for at in range(1, len(statement)):
            if statement[at].is_name and statement[at].key == holder:
                named = at - 2 if statement[at - 1].key == "as" else at - 1
                if named >= 0 and statement[named].is_name:
                    yield statement[named].key


def _compared(before: Sequence[Token]) -> tuple[str, str] | None:
    """The column, and its qualifier, that a string after these tokens is compared with."""
    at = len(before) - 1
    if at < 0 or before[at].key not in _COMPARES:
        return None
    while at >= 0 and (before[at].key in _COMPARES or before[at].kind == "string"):
        at -= 1
    if at < 0 or not before[at].is_name:
        return None
    qualified = at >= 2 and before[at - 1].text == "." and before[at - 2].is_name
    return before[at].key, before[at - 2].key if qualified else ""
