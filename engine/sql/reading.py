"""Anyone's SQL over a database, without the power to change or reach anything.

Three fences stand one behind the other: the settings that every connection is opened with
(:data:`engine.database.SETTINGS`: no files, network, extensions, Python variables; locked); one
statement, of a kind that only reads; and a transaction that is read-only. The second alone is not
enough: a ``SELECT`` may hold an ``INSERT``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec

from engine.database import reason
from engine.errors import StoreError

if TYPE_CHECKING:
    from engine.store import Store

READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
"""Kinds of statements that may run; DESCRIBE, SHOW, SUMMARIZE, FROM and VALUES are SELECTs."""


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
    """Execute one query between the fences; fetch from the cursor inside the block.

    Raises:
        StoreError: The query is refused or wrong; the sentence says why.
    """
    try:
        statement = _one_statement(cursor, query)
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        try:
            yield cursor.execute(statement)
        finally:
            # A transaction that an error has aborted can only be rolled back, or is gone.
            with suppress(duckdb.Error):
                cursor.execute("ROLLBACK")
    except duckdb.InterruptException as error:
        raise StoreError("The query was cancelled.") from error
    except duckdb.Error as error:
        raise StoreError(f"{reason(error)}.") from error


def _one_statement(cursor: duckdb.DuckDBPyConnection, query: str) -> duckdb.Statement:
    statements = cursor.extract_statements(query)
    if len(statements) != 1:
        raise StoreError(
            f"The query holds {len(statements)} statements instead of one.", "Ask one at a time."
        )
    (statement,) = statements
    if statement.type not in READING:
        raise StoreError(
            f"{statement.type.name} is refused: queries can only read.",
            "Begin with SELECT, FROM, WITH, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN.",
        )
    return statement
