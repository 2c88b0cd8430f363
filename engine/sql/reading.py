"""One query that reads, for what shows a part of the store or gives it to Python.

The fences are those of :mod:`engine.sql.console`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from engine.sql.holds import read_only
from engine.sql.statements import QueryError, Statement, check, query_error, split
from engine.sql.values import fit_for_arrow

if TYPE_CHECKING:
    import pyarrow as pa


@contextmanager
def reading(cursor: duckdb.DuckDBPyConnection, query: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Execute one query that can only read; fetch from the cursor inside the block.

    Raises:
        QueryError: The query is refused or wrong; the sentence says why.
    """
    with _between_fences(cursor, query) as statement:
        yield cursor.execute(statement)


def read_table(cursor: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """The rows of one query that can only read, as Arrow.

    Raises:
        QueryError: The query is refused or wrong; the sentence says why.
    """
    with _between_fences(cursor, query) as statement:
        return fit_for_arrow(cursor.sql(statement)).to_arrow_table()


@contextmanager
def _between_fences(cursor: duckdb.DuckDBPyConnection, query: str) -> Iterator[duckdb.Statement]:
    """One statement, to be executed in the block."""
    statement = _one_statement(cursor, query)
    try:
        with read_only(cursor):
            (parsed,) = cursor.extract_statements(statement.text)
            yield parsed
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
