"""What a statement may write to: transactions that hold it there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import duckdb

from engine import schema
from engine.sql.statements import QueryError
from engine.sql.values import quoted

if TYPE_CHECKING:
    from engine.sql.scratch import Scratch
    from engine.store import Store

_SHAPE = """
    SELECT table_name, column_name, data_type FROM duckdb_columns()
    WHERE database_name = ? AND schema_name = 'main'
"""


@contextmanager
def transaction(cursor: duckdb.DuckDBPyConnection, begin: str = "BEGIN") -> Iterator[None]:
    """A transaction, committed at the end and rolled back on every error."""
    cursor.execute(begin)
    try:
        yield
        cursor.execute("COMMIT")
    except BaseException:
        # One that failed to commit is gone already.
        with suppress(duckdb.Error):
            cursor.execute("ROLLBACK")
        raise


@contextmanager
def read_only(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Nothing can be written."""
    with transaction(cursor, "BEGIN TRANSACTION READ ONLY"):
        yield


@contextmanager
def on_scratch(cursor: duckdb.DuckDBPyConnection, scratch: Scratch) -> Iterator[None]:
    """Only scratch can be written to: DuckDB lets a transaction write to one database."""
    with transaction(cursor):
        scratch.pin(cursor)
        yield
        scratch.check_names(cursor)


@contextmanager
def on_file(cursor: duckdb.DuckDBPyConnection, store: Store, *, refresh: bool) -> Iterator[None]:
    """Only the store's file can be written to, and it stays one that logitscope reads.

    Args:
        cursor: The cursor.
        store: The store; nobody else changes it meanwhile.
        refresh: Make the table outcomes anew, which follows from the others.

    Raises:
        QueryError: A table or view of logitscope's has lost a column, or ``meta`` has changed;
            then all is as it was.
    """
    ((database,),) = store.reader().execute("SELECT current_database()").fetchall()
    main = f"{quoted(database)}.main"
    with store.alone(), transaction(cursor):
        cursor.execute(f"UPDATE {main}.meta SET definitions = definitions")
        shape, meta = _shape(cursor, database), cursor.execute(f"FROM {main}.meta").fetchall()
        yield
        if shape - _shape(cursor, database):
            raise _unreadable()
        if cursor.execute(f"FROM {main}.meta").fetchall() != meta:
            raise _unreadable()
        if refresh:
            schema.refresh_outcomes(cursor, main)


def _shape(cursor: duckdb.DuckDBPyConnection, database: str) -> set[tuple[str, str, str]]:
    """The columns of logitscope's tables and views."""
    rows = cursor.execute(_SHAPE, [database]).fetchall()
    return {row for row in rows if row[0] in schema.relations()}


def _unreadable() -> QueryError:
    return QueryError(
        "That would leave a database that logitscope can't read; it was taken back.",
        "Keep the table meta, and every table, view and column of logitscope's own.",
    )
