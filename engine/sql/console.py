"""SQL over a store: whatever reads, and views, macros and tables of one's own; nothing else.

Four fences stand one behind the other.

* The settings of every connection (:data:`engine.database.SETTINGS`): no files, network,
  extensions or Python variables, no more memory and disk than was said; locked.
* The kind of a statement: only those that read, and those that change tables and the like, which
  leaves settings, transactions, ATTACH and COPY out; and no function that does more than compute.
* A transaction that is read-only, for what reads: a SELECT may hold an INSERT, and EXPLAIN ANALYZE
  runs what it explains.
* For what changes something, a transaction that has already written to scratch: DuckDB lets none
  write to two databases.

A user can switch the fences off until the store is closed. Then every statement may run, and may
change what is stored; what would leave a file that logitscope can't read is still taken back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakSet

import duckdb
import msgspec

from engine.sql.holds import on_file, on_scratch, read_only, transaction
from engine.sql.result import ROW_LIMIT, Column, Result
from engine.sql.scratch import Own, Scratch, subject
from engine.sql.statements import (
    HeldError,
    QueryError,
    Statement,
    body,
    check,
    query_error,
    split,
    tokens,
)
from engine.sql.values import fit_for_arrow
from engine.sql.work import Work, cancelled

if TYPE_CHECKING:
    from engine.store import Store

__all__ = ["Column", "Console", "Done", "Own", "QueryError", "Result"]

Hold = Callable[[duckdb.DuckDBPyConnection], AbstractContextManager[None]]
"""Makes the transaction that a statement runs in."""

WITHOUT_TRANSACTION = (
    "ATTACH",
    "DETACH",
    "SET",
    "LOAD",
    "VACUUM",
    "CALL",
    "PRAGMA",
    "UPDATE EXTENSIONS",
)
"""Kinds of statements that change no table, or begin a transaction of their own."""

FIRST_ROWS = 500


class Done(msgspec.Struct, frozen=True):
    """A statement without rows.

    Attributes:
        statement: The statement as it was written.
        message: What it did, as a sentence: ``View quick made.``
        seconds: How long it took.
    """

    statement: str
    message: str
    seconds: float


class Console:
    """Runs statements over a store: one text at a time, cancelled from any thread.

    Several consoles of one store share its scratch database.
    """

    def __init__(self, store: Store, *, unlocked: bool = False) -> None:
        """Begin; nothing is opened before the first statement.

        Args:
            store: The store; closing it ends the console too.
            unlocked: Switch the fences off, as :meth:`unlock` does.

        Raises:
            StoreError: It can't be unlocked.
        """
        self._store = store
        self._scratch = Scratch(store)
        self._running = threading.Lock()
        self._registry = threading.Lock()
        self._works: WeakSet[Work] = WeakSet()
        self._cancelled = False
        self._session: Work | None = None
        self._epoch = -1
        if unlocked:
            self.unlock()

    @property
    def unlocked(self) -> bool:
        """Whether the fences are off."""
        return self._store.unlocked

    @property
    def scratch(self) -> str:
        """What the scratch database is called in SQL."""
        return self._scratch.name

    def own(self) -> list[Own]:
        """What the user defined, with a problem where it could not be made again.

        Raises:
            StoreError: The store is closed.
        """
        with self._running:
            self._main()
            return self._scratch.own()

    def run(self, text: str, *, first_rows: int = FIRST_ROWS) -> list[Result | Done]:
        """Run the statements of a text, in order.

        Args:
            text: Any number of statements.
            first_rows: Rows to fetch of each result; the rest as it is looked at.

        Raises:
            QueryError: A statement is refused, and then none has run; or it is wrong or was
                cancelled, and then those before it have: their results are in ``results``.
            StoreError: The store is closed.
        """
        with self._running:
            self._cancelled = False
            main = self._main()
            statements = split(main.cursor, text)
            if not statements:
                raise QueryError("There is no statement.", "Begin with SELECT or FROM.")
            for statement in statements:
                self._check(text, statement)
            results: list[Result | Done] = []
            try:
                results.extend(self._run(text, each, first_rows) for each in statements)
            except QueryError as error:
                error.results = results
                raise
            return results

    def sorted(self, result: Result, column: int, descending: bool) -> Result:
        """The rows of a result in another order, NULLs last, as a new result.

        A complete result is sorted as it is; otherwise its statement runs again. One that can't
        be part of another statement is fetched as far as that goes, and sorted.

        Args:
            result: The result.
            column: Number of the column, from 0.
            descending: Largest first.

        Raises:
            QueryError: The statement fails, or was cancelled.
        """
        with self._running:
            self._cancelled = False
            order = f"ORDER BY {column + 1} {'DESC' if descending else 'ASC'} NULLS LAST"
            rerun = f"SELECT * FROM (\n{body(result.statement)}\n) {order}"
            if not result.complete and self._is_query(rerun):
                return self._streamed(rerun, query_error, FIRST_ROWS, result)
            result.fetch(ROW_LIMIT)
            return self._sorted_rows(result, order)

    def cancel(self) -> None:
        """Stop whatever runs or is being fetched; returns at once, from any thread."""
        self._cancelled = True
        for work in self._all_works():
            work.stop()

    def unlock(self) -> None:
        """Switch the fences off until the store is closed.

        The file is opened anew: results that are not complete end where they are. Scratch tables
        are carried over.

        Raises:
            StoreError: The file can't be opened again, or a scratch table not be made again.
        """
        with self._running:
            tables = self._scratch.tables(self._main().cursor)
            self._store.unlock()
            cursor = self._main().cursor
            try:
                self._scratch.put_back(cursor, tables)
            except duckdb.Error as error:
                raise query_error(error) from error
            self._scratch.make_again(cursor)

    def close(self) -> None:
        """End, and close the results; what was defined stays."""
        self.cancel()
        with self._running:
            for work in self._all_works():
                work.close()

    # One statement

    def _check(self, text: str, statement: Statement) -> None:
        """Refuse a statement before anything runs."""
        try:
            if self.unlocked:
                self._check_unlocked(statement)
            else:
                check(statement)
        except QueryError as error:
            error.line, error.column = statement.place(text)
            raise

    def _check_unlocked(self, statement: Statement) -> None:
        if statement.type == "TRANSACTION":
            check(statement)
        if statement.type == "DETACH":
            names = {word.strip('"').lower() for word in tokens(statement.text)}
            if names & {self._store.path.stem.lower(), self.scratch}:
                raise QueryError("The open database can't be detached.", "Open another one.")

    def _run(self, whole: str, statement: Statement, first_rows: int) -> Result | Done:
        if statement.type == "DROP" and self._scratch.forget_broken(statement.text):
            return Done(statement.text, _said(statement, None), 0.0)
        if self.unlocked:
            return self._run_unlocked(whole, statement)
        if statement.kind == "reads":
            failure = partial(query_error, whole=whole, text=statement.text, start=statement.start)
            return self._streamed(statement.text, failure, first_rows)
        return self._held(whole, statement, self._on_scratch)

    def _run_unlocked(self, whole: str, statement: Statement) -> Result | Done:
        """Run a statement in the first hold that lets it; one session holds what it sets."""
        if statement.type in WITHOUT_TRANSACTION:
            return self._held(whole, statement, lambda cursor: nullcontext())
        refresh = statement.type not in ("CREATE", "ALTER", "DROP")
        holds: list[Hold] = [read_only] if statement.kind == "reads" else []
        for hold in [*holds, self._on_scratch]:
            with suppress(HeldError):
                return self._held(whole, statement, hold)
        if not self._store.read_only:
            with suppress(HeldError):
                hold = partial(on_file, store=self._store, refresh=refresh)
                return self._held(whole, statement, hold, _REFRESHED if refresh else "")
        return self._held(whole, statement, transaction)

    def _streamed(
        self,
        text: str,
        failure: Callable[[Exception], QueryError],
        first_rows: int,
        shown: Result | None = None,
    ) -> Result:
        """Run what only reads on a cursor of its own, up to the first rows.

        Args:
            text: One statement.
            failure: Makes an error of DuckDB's.
            first_rows: Rows to fetch.
            shown: The result whose statement and columns it shows; None for its own.
        """
        began = time.perf_counter()
        work = self._new_work()
        try:
            with work.going_on():
                self._check_cancelled()
                work.cursor.execute("BEGIN TRANSACTION READ ONLY")
                relation = _relation(work.cursor, text)
                result = _result(relation, text, failure, first_rows + 1, work)
        except duckdb.Error as error:
            work.close()
            raise failure(error) from error
        if shown is not None:
            result.statement, result.columns = shown.statement, shown.columns
        result.fetch(first_rows)
        result.seconds = time.perf_counter() - began
        return result

    def _held(self, whole: str, statement: Statement, hold: Hold, note: str = "") -> Result | Done:
        """Run a statement to its end, on the session's cursor, in a transaction."""
        began = time.perf_counter()
        failure = partial(query_error, whole=whole, text=statement.text, start=statement.start)
        main = self._main()
        try:
            with hold(main.cursor), main.going_on():
                self._check_cancelled()
                outcome = self._outcome(main.cursor, statement, failure)
        except duckdb.Error as error:
            raise failure(error) from error
        if statement.kind == "changes":
            self._scratch.note(main.cursor, statement.text)
        seconds = time.perf_counter() - began
        if isinstance(outcome, Result):
            outcome.seconds = seconds
            return outcome
        said = _said(statement, outcome)
        return Done(statement.text, said.removesuffix(".") + note + "." if note else said, seconds)

    def _outcome(
        self,
        cursor: duckdb.DuckDBPyConnection,
        statement: Statement,
        failure: Callable[[Exception], QueryError],
    ) -> Result | int | None:
        """The rows of a statement, as many as a result keeps, or how many it changed."""
        has_rows = statement.kind != "changes" or "returning" in map(
            str.lower, tokens(statement.text)
        )
        if has_rows:
            relation = _relation(cursor, statement.text)
            if relation is None:
                return None
            result = _result(relation, statement.text, failure, FIRST_ROWS, None)
            result.fetch(ROW_LIMIT)
            result.let_go()
            return result
        (parsed,) = cursor.extract_statements(statement.text)
        rows = cursor.execute(parsed).fetchall()
        return int(rows[0][0]) if rows else None

    def _sorted_rows(self, result: Result, order: str) -> Result:
        """What is fetched of a result, sorted by DuckDB."""
        began = time.perf_counter()
        work = self._new_work()
        with work.going_on():
            work.cursor.register("fetched", result.table())
            rows = work.cursor.sql(f"FROM fetched {order}").to_arrow_table()
        work.close()
        ordered = Result(result.statement, result.columns, rows.to_reader())
        ordered.fetch(ROW_LIMIT)
        ordered.complete = result.complete
        ordered.seconds = time.perf_counter() - began
        return ordered

    # Cursors

    def _main(self) -> Work:
        """The cursor of what is not read only; a new one after the file was opened anew."""
        if self._session is None or self._epoch != self._store.epoch:
            self._epoch = self._store.epoch
            self._session = self._new_work()
            self._scratch.make_again(self._session.cursor)
        return self._session

    def _new_work(self) -> Work:
        cursor = self._store.cursor()
        self._scratch.attach(cursor)
        work = Work(cursor)
        self._store.close_before(work)
        with self._registry:
            self._works.add(work)
        return work

    def _all_works(self) -> list[Work]:
        with self._registry:
            return list(self._works)

    def _check_cancelled(self) -> None:
        # Only once the cursor is known to be busy: what cancels sets this first.
        if self._cancelled:
            raise cancelled()

    def _on_scratch(self, cursor: duckdb.DuckDBPyConnection) -> AbstractContextManager[None]:
        return on_scratch(cursor, self._scratch)

    def _is_query(self, text: str) -> bool:
        """Whether a text is one SELECT."""
        with suppress(QueryError):
            return [each.type for each in split(self._main().cursor, text)] == ["SELECT"]
        return False


def _relation(cursor: duckdb.DuckDBPyConnection, text: str) -> duckdb.DuckDBPyRelation | None:
    """Take one statement in; None where it has no rows, and then it has run."""
    (parsed,) = cursor.extract_statements(text)
    try:
        return cursor.sql(parsed)
    except (duckdb.BinderException, duckdb.CatalogException):
        # Only execute() says where the error lies.
        with suppress(duckdb.TransactionException):
            cursor.execute(parsed)
        raise


def _result(
    relation: duckdb.DuckDBPyRelation,
    text: str,
    failure: Callable[[Exception], QueryError],
    batch_rows: int,
    work: Work | None,
) -> Result:
    """Run what was taken in up to its first rows."""
    types = zip(relation.columns, relation.types, strict=True)
    columns = [Column(name, str(type_)) for name, type_ in types]
    reader = fit_for_arrow(relation).to_arrow_reader(batch_rows)
    return Result(text, columns, reader, work=work, failure=failure)


_REFRESHED = "; the table outcomes was made anew"
_DID = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted", "MERGE_INTO": "merged"}
_MADE = {"CREATE": "made", "DROP": "dropped", "ALTER": "changed"}


def _said(statement: Statement, count: int | None) -> str:
    """What a statement without rows has done."""
    rows = "" if count is None else f"{count:,} {'row' if count == 1 else 'rows'}"
    if statement.type in _DID:
        return f"{rows or 'Rows'} {_DID[statement.type]}."
    about = subject(statement.text)
    if about is None:
        return f"{statement.type.replace('_', ' ').capitalize()}: done."
    done = f"{about.kind.capitalize()} {about.name} {_MADE[statement.type]}"
    return f"{done}, {rows}." if rows and about.kind == "table" else f"{done}."
