"""The store: one DuckDB file, one writer, a reader for every thread that wants one.

The process that opens a store for writing owns the file: no other process can open it, not even
for reading, until it is closed (see :mod:`engine.snapshot` for what they can do). Every change is
one transaction: after a crash, a kill or a full disk a change is there whole or not at all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import duckdb
import msgspec

from engine import schema
from engine.connections import Closeable, Connections
from engine.database import MEMORY, connect, limit_memory, lock, trim, write_failure
from engine.errors import StoreError
from engine.rows import (
    PROBE_TABLES,
    TEXT_TABLES,
    AnyProbe,
    StoredProbe,
    probe_tables,
    question_table,
    reading_table,
    text_tables,
    token_table,
)
from engine.schema import utc_now
from engine.snapshot import snapshot_open_file
from engine.stored import Vocabularies

if TYPE_CHECKING:
    from datetime import datetime

    import pyarrow as pa

    from engine.protocol import VocabularyEntry
    from engine.questions import Question
    from engine.readings import Reading, Status
    from engine.records import Generation, ModelInfo

__all__ = ["Store", "StoredProbe", "open_store"]

RunKind = Literal["run", "rerun", "edit", "import"]
RunStatus = Literal["running", "finished", "cancelled", "failed", "interrupted"]

_LEFT_BEHIND = "The program that ran it ended before the run did."


def open_store(path: str | Path, *, read_only: bool = False, memory: str = MEMORY) -> Store:
    """Open a store, made where it is not there yet, brought up to date where it is older.

    Runs that a dead process left as running become ``interrupted``.

    Args:
        path: The database file.
        read_only: Change nothing; several processes may read one file at the same time.
        memory: What DuckDB may use for data, such as :data:`MEMORY` or :data:`LEAN_MEMORY`.

    Raises:
        LockedError: Another process holds the file.
        StoreError: The file can't be opened, made or brought up to date, is no logitscope
            database, or one of a newer schema.
    """
    place = Path(path)

    def connection(*, unlocked: bool = False) -> duckdb.DuckDBPyConnection:
        return _connect(place, read_only=read_only, memory=memory, unlocked=unlocked)

    store = Store(
        place,
        Connections(place, connection),
        read_only=read_only,
        unlock=partial(connection, unlocked=True),
    )
    if not read_only:
        try:
            store._interrupt_runs()
        except StoreError:
            store.close()
            raise
    return store


def _connect(
    path: Path, *, read_only: bool, memory: str, unlocked: bool
) -> duckdb.DuckDBPyConnection:
    """Open a file that is, or becomes, one of ours."""
    connection = connect(path, read_only=read_only, unlocked=unlocked)
    try:
        schema.prepare(connection, str(path), read_only=read_only)
        limit_memory(connection, memory)
        if not unlocked:
            lock(connection)
    except duckdb.Error as error:
        connection.close()
        raise write_failure(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


class Store:
    """An open database; made by :func:`open_store`, safe to use from any thread.

    Attributes:
        path: The file.
        read_only: Whether nothing can be changed.
        copied_at: When what is open was copied from the file, in UTC; None for the file itself
            (see :mod:`engine.copies`).
        unlocked: Whether queries reach files, network and extensions.
        vocabularies: What token ids stand for, as far as it was asked for.
    """

    def __init__(
        self,
        path: Path,
        connections: Connections,
        *,
        read_only: bool,
        unlock: Callable[[], duckdb.DuckDBPyConnection],
    ) -> None:
        self.path = path
        self.read_only = read_only
        self.unlocked = False
        self.copied_at: datetime | None = None
        self.vocabularies = Vocabularies()
        self._connections = connections
        self._unlock = unlock
        self._writing = threading.RLock()
        self._in_transaction = False
        self._schemas: dict[str, pa.Schema] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Interrupt the readers, write everything into the one file and let go of it."""
        with self._writing:
            self._connections.close()

    def reader(self) -> duckdb.DuckDBPyConnection:
        """The calling thread's own cursor; it sees everything committed so far.

        Ask for it anew for every query, and read a result to its end before the next one: a
        half-read result holds its connection.

        Raises:
            StoreError: The store is closed.
        """
        return self._connections.reader()

    def trim(self) -> None:
        """Give back most of the memory that what was read takes, in a few milliseconds.

        For processes that stay open and small. Only while nothing else is read or written: a query
        that runs meanwhile may fail. While someone has a cursor of their own nothing is done.
        """
        if not self._writing.acquire(blocking=False):
            return
        try:
            if not self._connections.lent:
                with suppress(StoreError, duckdb.ConnectionException):  # closed meanwhile
                    trim(self.reader())
        finally:
            self._writing.release()

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A new cursor, for whoever keeps results open; close it after use.

        Raises:
            StoreError: The store is closed.
        """
        return self._connections.cursor()

    def close_before(self, holder: Closeable) -> None:
        """Close something before the file is: what holds rows of it that are still to come."""
        self._connections.close_before(holder)

    @property
    def epoch(self) -> int:
        """Changes when the file is opened anew, which closes every cursor there was."""
        return self._connections.epoch

    def unlock(self) -> None:
        """Let queries reach files, network and extensions until the store is closed.

        The file is opened anew for that: what others read at this moment is cut short.

        Raises:
            StoreError: A change is being made by this thread, or the file can't be opened again;
                then the store is closed.
        """
        if self.copied_at is not None:
            raise StoreError(f"This is a copy of {self.path}.", "Unlock the database itself.")
        with self._writing:
            if self._in_transaction:
                raise StoreError(f"{self.path} is being changed.", "Try again afterwards.")
            if not self.unlocked:
                self._connections.reopen(self._unlock)
                self.unlocked = True

    @contextmanager
    def together(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Make several changes one: all of them are stored, or none.

        Yields:
            The connection that changes the file, for what has no method here.

        Raises:
            StoreError: They can't be written.
        """
        with self._transaction() as writer:
            yield writer

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep everybody else from changing the file; what is changed has a cursor of its own."""
        with self._writing:
            self._connections.check_open()
            yield

    # Runs

    def add_run(
        self,
        *,
        kind: RunKind,
        name: str,
        model: str,
        source: str,
        formats: Sequence[str],
        orders: int,
        planned: int,
        fingerprint: str,
        settings: str,
        model_info: ModelInfo | None = None,
        tokenizer: str | None = None,
        parent_run: int | None = None,
    ) -> int:
        """Begin a run.

        Args:
            kind: ``run``, ``rerun``, ``edit`` or ``import``.
            name: What lists call it.
            model: Folder or hub id.
            source: Where the questions come from.
            formats: Names of the prompt formats.
            orders: Option orders a question.
            planned: Number of probes.
            fingerprint: Hash of the plan, for :meth:`find_run`.
            settings: The whole plan as JSON.
            model_info: What was loaded.
            tokenizer: Name of its vocabulary where no model was loaded.
            parent_run: The run that a rerun or edit comes from.

        Returns:
            The run's id.

        Raises:
            StoreError: It can't be written.
        """
        with self._transaction():
            run_id = self._value(
                """
                INSERT INTO runs (run_id, kind, name, model, source, formats, orders, planned,
                                  status, fingerprint, settings, tokenizer, parent_run, started_at)
                SELECT coalesce(max(run_id), 0) + 1, ?, ?, ?, ?, ?, ?, ?, 'running', ?, ?, ?, ?, ?
                FROM runs
                RETURNING run_id
                """,
                [
                    *(kind, name, model, source, list(formats), orders, planned),
                    *(fingerprint, settings, tokenizer, parent_run, utc_now()),
                ],
            )
            if model_info is not None:
                self._note_model(run_id, model_info)
        return int(run_id)

    def find_run(self, fingerprint: str) -> int | None:
        """The newest run of this plan that has not finished."""
        rows = self.reader().execute(
            "SELECT max(run_id) FROM runs "
            "WHERE fingerprint = ? AND kind = 'run' AND status <> 'finished'",
            [fingerprint],
        )
        run_id: int | None = rows.fetchall()[0][0]
        return run_id

    def finish_run(self, run_id: int, status: RunStatus, message: str | None = None) -> None:
        """Say how a run ended, or with ``running`` that it goes on.

        Raises:
            StoreError: It can't be written.
        """
        finished = None if status == "running" else utc_now()
        with self._transaction() as writer:
            writer.execute(
                "UPDATE runs SET status = ?, message = ?, finished_at = ? WHERE run_id = ?",
                [status, message, finished, run_id],
            )

    def done_keys(self, run_id: int) -> set[tuple[int, str, int]]:
        """Question index, format and order index of every probe of a run that is stored."""
        rows = self.reader().execute(
            "SELECT question_index, format, order_index FROM outcomes WHERE run_id = ?", [run_id]
        )
        return set(rows.fetchall())

    # What is asked and what is answered

    def add_questions(self, questions: Sequence[Question]) -> None:
        """Store questions, in the order of their source; those already there stay.

        Raises:
            StoreError: They can't be written.
        """
        with self._transaction():
            table = question_table(questions, self._schema("questions"))
            self._insert("questions", table, "INSERT OR IGNORE")

    def add_vocabulary(self, tokenizer_hash: str, vocabulary: Sequence[VocabularyEntry]) -> None:
        """Store what the ids of a tokenizer stand for, once a tokenizer.

        Raises:
            StoreError: It can't be written.
        """
        with self._transaction():
            known = self._value(
                "SELECT 1 FROM tokens WHERE tokenizer = ? LIMIT 1", [tokenizer_hash]
            )
            if known is None:
                table = token_table(tokenizer_hash, vocabulary, self._schema("tokens"))
                self._insert("tokens", table)

    def write(self, run_id: int, probes: Sequence[AnyProbe]) -> list[int]:
        """Store finished probes with their readings and outcomes, all or none.

        Their questions must have been added before.

        Returns:
            The new probe ids, in the order of ``probes``.

        Raises:
            StoreError: They can't be written; nothing of them is stored.
        """
        if not probes:
            return []
        with self._transaction() as writer:
            first = 1 + self._value("SELECT coalesce(max(probe_id), 0) FROM probes")
            last = first + len(probes) - 1
            tables = probe_tables(
                probes,
                run_id=run_id,
                first_id=first,
                vocab_size=self._value(
                    "SELECT (model_info->>'$.vocab_size')::INTEGER FROM runs WHERE run_id = ?",
                    [run_id],
                ),
                schemas={name: self._schema(name) for name in PROBE_TABLES},
            )
            for name, table in tables:
                self._insert(name, table)
            stored = schema.fill_outcomes(writer, first, last)
            if stored != len(probes):
                raise StoreError(
                    f"{len(probes) - stored} probes ask questions that are not stored."
                )
        return list(range(first, last + 1))

    def add_texts(
        self, probe_id: int, generations: Sequence[Generation], readings: Sequence[Reading]
    ) -> None:
        """Add texts that were asked for after the run to a probe; its outcomes stay as they are.

        Raises:
            StoreError: They can't be written, or the probe has a text of one of these indexes.
        """
        new = [generation.index for generation in generations]
        with self._transaction():
            taken = self._value(
                "SELECT min(sample) FROM generations "
                "WHERE probe_id = ? AND sample IN (SELECT unnest(?::INTEGER[]))",
                [probe_id, new],
            )
            if taken is not None:
                raise StoreError(
                    f"Probe {probe_id} has a text number {taken} already.", "Ask for it again."
                )
            schemas = {name: self._schema(name) for name in TEXT_TABLES}
            for name, table in text_tables([(probe_id, generations, readings)], schemas):
                self._insert(name, table)

    def replace_readings(self, readings: Sequence[tuple[int, Sequence[Reading]]]) -> None:
        """Put other readings in the place of those of some probes, and make outcomes of them.

        Args:
            readings: Probe ids with all their readings.

        Raises:
            StoreError: They can't be written; then the old ones stay.
        """
        ids = [probe_id for probe_id, _ in readings]
        with self._transaction() as writer:
            table = reading_table(readings, self._schema("readings"))
            writer.execute("DELETE FROM readings WHERE probe_id IN (SELECT unnest(?))", [ids])
            self._insert("readings", table)
            writer.execute(
                "INSERT OR REPLACE INTO outcomes FROM outcome_rows "
                "WHERE probe_id IN (SELECT unnest(?))",
                [ids],
            )

    # What a person adds

    def set_override(
        self, probe_id: int, status: Status, label: str | None = None, note: str | None = None
    ) -> None:
        """Decide by hand what the greedy text of a probe says; the reading itself stays.

        A refusal carries the label of the option that is itself a refusal, as readings do.

        Raises:
            StoreError: It can't be written.
        """
        with self._transaction() as writer:
            writer.execute(
                "INSERT OR REPLACE INTO overrides SELECT probe_id, $status, "
                "CASE WHEN $status = 'refusal' THEN refusal_label ELSE $label END, $note, $now "
                "FROM probes WHERE probe_id = $probe",
                {
                    "probe": probe_id,
                    "status": status,
                    "label": label,
                    "note": note,
                    "now": utc_now(),
                },
            )
            self._refresh_outcome(probe_id)

    def clear_override(self, probe_id: int) -> None:
        """Take a decision back: the reading counts again.

        Raises:
            StoreError: It can't be written.
        """
        with self._transaction() as writer:
            writer.execute("DELETE FROM overrides WHERE probe_id = ?", [probe_id])
            self._refresh_outcome(probe_id)

    def toggle_mark(self, probe_id: int) -> bool:
        """Mark a probe or take its mark away.

        Returns:
            Whether it is marked now.

        Raises:
            StoreError: It can't be written.
        """
        with self._transaction() as writer:
            removed = writer.execute(
                "DELETE FROM marks WHERE probe_id = ? RETURNING probe_id", [probe_id]
            ).fetchall()
            if not removed:
                writer.execute("INSERT INTO marks VALUES (?, ?)", [probe_id, utc_now()])
        return not removed

    def snapshot(self, to: str | Path) -> None:
        """Write everything committed so far into a new database file.

        Raises:
            StoreError: It can't be made, or there is such a file.
        """
        self._connections.check_open()
        snapshot_open_file(self.path, to)

    # Inside

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The writer, in a transaction that is committed at the end; inside one, a part of it."""
        with self._writing:
            if self._in_transaction:
                yield self._writer
                return
            self._connections.check_open()
            if self.read_only:
                raise self._unchangeable()
            self._in_transaction = True
            try:
                self._writer.execute("BEGIN")
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException as error:
                # A commit that failed has already rolled back.
                with suppress(duckdb.Error):
                    self._writer.execute("ROLLBACK")
                if isinstance(error, duckdb.FatalException):
                    # Such as a checkpoint on a full disk: what is committed is safe in the log.
                    self._connections.reopen()
                if isinstance(error, duckdb.Error):
                    raise write_failure(self.path, error) from error
                raise
            finally:
                self._in_transaction = False

    def _unchangeable(self) -> StoreError:
        if self.copied_at is None:
            return StoreError(f"{self.path} is open for reading only.", "Open it for writing.")
        return StoreError(
            f"This is a copy of {self.path}, for reading only.",
            "Change the database in the program that holds it.",
        )

    @property
    def _writer(self) -> duckdb.DuckDBPyConnection:
        return self._connections.writer

    def _interrupt_runs(self) -> None:
        """Nobody else can hold the file, so a run that is still running has lost its process."""
        if self._value("SELECT 1 FROM runs WHERE status = 'running' LIMIT 1") is None:
            return
        with self._transaction() as writer:
            writer.execute(
                "UPDATE runs SET status = 'interrupted', finished_at = ?, message = ? "
                "WHERE status = 'running'",
                [utc_now(), _LEFT_BEHIND],
            )

    def _insert(self, name: str, rows: pa.Table, verb: str = "INSERT") -> None:
        """Append Arrow rows to a table."""
        self._writer.register("batch", rows)
        self._writer.execute(f"{verb} INTO {name} BY NAME FROM batch")
        self._writer.unregister("batch")

    def _schema(self, name: str) -> pa.Schema:
        """A table's columns as Arrow types; schema.sql is where they are defined."""
        if name not in self._schemas:
            empty = self._writer.sql(f"FROM {name} LIMIT 0").to_arrow_table()
            self._schemas[name] = empty.schema
        return self._schemas[name]

    def _note_model(self, run_id: int, model_info: ModelInfo) -> None:
        self._writer.execute(
            "UPDATE runs SET model_info = ?, tokenizer = ? WHERE run_id = ?",
            [msgspec.json.encode(model_info).decode(), model_info.tokenizer_hash, run_id],
        )

    def _refresh_outcome(self, probe_id: int) -> None:
        self._writer.execute(
            "INSERT OR REPLACE INTO outcomes FROM outcome_rows WHERE probe_id = ?", [probe_id]
        )

    def _value(self, query: str, parameters: Sequence[object] = ()) -> Any:
        """The first column of the first row, None where there is no row."""
        rows = self._writer.execute(query, list(parameters)).fetchall()
        return rows[0][0] if rows else None
