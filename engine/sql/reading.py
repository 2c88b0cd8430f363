"""One query that reads, for what shows a part of the store or gives it to Python.

The fences are those of :mod:`engine.sql.console`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec

from engine.sql.holds import read_only
from engine.sql.statements import QueryError, Statement, check, query_error, split
from engine.sql.values import fit_for_arrow

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.store import Store

class QueryResult(msgspec.Struct, frozen=True):
    """The answer to a query.

    Attributes:
        columns: Column names.
        types: Their SQL types.
        rows: One tuple a row.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def run_sql(source: Store | str | Path, query: str, *, limit: int | None = None) -> QueryResult:
    """Run one reading query over a store, or over a file that is opened for it.

    Args:
        source: An open store, or the path of a database.
        query: One statement.
        limit: Fetch at most so many rows; None fetches all.

    Raises:
        LockedError: Another process holds the file.
        StoreError: The query is refused or wrong; the sentence says why.
    """
    if isinstance(source, str | Path):
        from engine.store import open_store

        with open_store(source, read_only=True) as store:
            return run_sql(store, query, limit=limit)
    with reading(source.reader(), query) as result:
        rows = result.fetchall() if limit is None else result.fetchmany(limit)
        described = result.description or []
        return QueryResult(
            tuple(column[0] for column in described),
            tuple(str(column[1]) for column in described),
            rows,
        )


@contextmanager
def reading(cursor: duckdb.DuckDBPyConnection, query: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Execute one query that can only read; fetch from the cursor inside the block.

    Raises:
        QueryError: The query is refused or wrong; the sentence says why.
    """
    statement = _one_statement(cursor, query)
    try:
        with read_only(cursor):
            (parsed,) = cursor.extract_statements(statement.text)
            yield cursor.execute(parsed)
    except duckdb.Error as error:
        raise query_error(error, query, statement.text, statement.start) from error


def read_table(cursor: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """The rows of one query that can only read, as Arrow.

    Raises:
        QueryError: The query is refused or wrong; the sentence says why.
    """
    statement = _one_statement(cursor, query)
    try:
        with read_only(cursor):
            (parsed,) = cursor.extract_statements(statement.text)
            return fit_for_arrow(cursor.sql(parsed)).to_arrow_table()
    except duckdb.Error as error:
        raise query_error(error, query, statement.text, statement.start) from error


def _one_statement(cursor: duckdb.DuckDBPyConnection, query: str) -> Statement:
    statements = split(cursor, query)
    if len(statements) != 1:
        raise QueryError(
            f"The query holds {len(statements)} statements instead of one.", "Ask one at a time."
        )
    (statement,) = statements
    check(statement)
    if statement.kind != "reads":
        raise QueryError(
            f"{statement.type} is refused: this can only read.",
            "Begin with SELECT, FROM, WITH, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN.",
        )
    return statement
