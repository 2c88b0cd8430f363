"""Taking exported runs back: every value of every table as it was, to the bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import msgspec

from engine import schema
from engine.errors import LogError
from engine.importers import Imported
from engine.transfer.layout import (
    FORMAT,
    MANIFEST,
    PROBE_TABLES,
    TABLES,
    Manifest,
    hash_of,
    table_path,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.store import Store

KIND = "logitscope"
"""What the import command calls an exported folder."""

ROWS = 20_000
"""Rows that are in memory at a time."""

SHARED = {"questions": "question_id", "tokens": "tokenizer"}
"""Tables whose rows belong to no single run, with the column that tells them apart."""

_AGAIN = "Export the runs again."


Rows = Callable[["pa.RecordBatch"], "pa.RecordBatch"]


class Export(NamedTuple):
    """A folder that was read and is whole."""

    folder: Path
    manifest: Manifest


class Shift(NamedTuple):
    """What is added to the numbers of an export, so that they follow those that are stored."""

    runs: int
    probes: int


def read_exports(paths: Sequence[str]) -> list[Export]:
    """Check exported folders, without storing anything.

    Args:
        paths: The folders.

    Raises:
        LogError: One of them is no export, one of a newer logitscope, cut off or changed.
    """
    exports = [_read(Path(path)) for path in paths]
    for export in exports:
        _check_files(export)
    return exports


def store_exports(
    store: Store,
    exports: Sequence[Export],
    *,
    name: str | None = None,
    model: str | None = None,
    again: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[Imported]:
    """Store every run of some exports; all of them, or nothing.

    In a store without runs they keep their numbers; in any other, runs and probes are numbered on,
    alike in all tables.

    Args:
        store: Where to.
        exports: What :func:`read_exports` found.
        name: What lists call the runs, instead of what they were called.
        model: What the model is called, instead of what it was called.
        again: Whether what is stored already is stored once more.
        on_progress: Told how many rows of how many are stored.

    Raises:
        LogError: A run is stored already, or the tables of an export don't belong together.
        StoreError: They can't be written.
    """
    total = sum(export.manifest.tables[table].rows for export in exports for table in TABLES)
    done = 0

    def tell(rows: int) -> None:
        nonlocal done
        done += rows
        on_progress(done, total)

    stored: list[Imported] = []
    with store.together() as writer:
        for export in exports:
            if not again:
                _check_new(writer, export)
            shift = _shift(writer, export)
            runs = [number + shift.runs for number in _numbers(export, "runs", "run_id")]
            _insert(writer, export, shift, tell)
            _derive(writer, export, shift, runs)
            _rename(writer, runs, name, model)
            stored += _imported(writer, runs)
    return stored


def _read(folder: Path) -> Export:
    place = folder / MANIFEST
    try:
        text = place.read_bytes()
        found = msgspec.json.decode(text)
    except OSError as error:
        raise LogError(
            f"{folder} is no exported folder: {place.name} can't be read ({error.strerror}).",
            "Name a folder that logitscope export made.",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LogError(f"{place} is no JSON: {error}.", _AGAIN) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise LogError(
            f"{place} does not say that this is an export of logitscope.",
            "Name a folder that logitscope export made.",
        )
    version = found.get("schema_version")
    if isinstance(version, int) and version > schema.current_version():
        raise LogError(
            f"{folder} was exported by a newer logitscope (schema {version}, this one reads up to "
            f"{schema.current_version()}).",
            "Upgrade logitscope.",
        )
    try:
        manifest = msgspec.convert(found, Manifest)
    except msgspec.ValidationError as error:
        raise LogError(f"{place} is damaged: {error}.", _AGAIN) from error
    return Export(folder, manifest)


def _check_files(export: Export) -> None:
    """Refuse what is not exactly what was written."""
    folder, manifest = export
    if missing := [table for table in TABLES if table not in manifest.tables]:
        raise LogError(f"{folder / MANIFEST} names no table {missing[0]}.", _AGAIN)
    for table in TABLES:
        path = table_path(folder, table)
        try:
            same = hash_of(path) == manifest.tables[table].sha256
        except OSError as error:
            raise LogError(f"{path} can't be read: {error.strerror}.", _AGAIN) from error
        if not same:
            raise LogError(
                f"{path} is cut off or was changed: it is not the file that was exported.", _AGAIN
            )
        _schema(export, table)


def _check_new(writer: duckdb.DuckDBPyConnection, export: Export) -> None:
    """Refuse runs that are stored already: the same plan, begun in the same microsecond."""
    import pyarrow as pa

    found: list[tuple[int, int]] = []
    for batch in _batches(export, "runs"):
        with _registered(writer, pa.Table.from_batches([batch])):
            found += writer.execute(
                "SELECT b.run_id, r.run_id FROM batch b JOIN runs r "
                "ON (b.fingerprint, b.kind, b.started_at) = (r.fingerprint, r.kind, r.started_at) "
                "ORDER BY ALL"
            ).fetchall()
    for theirs, ours in found:
        raise LogError(
            f"Run {theirs} of {export.folder} is stored already, as run {ours}.",
            "Add --again to store it once more.",
        )


def _shift(writer: duckdb.DuckDBPyConnection, export: Export) -> Shift:
    ((run, probe),) = writer.execute(
        "SELECT (SELECT max(run_id) FROM runs), (SELECT max(probe_id) FROM probes)"
    ).fetchall()
    if run is None:
        return Shift(0, 0)
    first_run = min(_numbers(export, "runs", "run_id"))
    first_probe = min(_numbers(export, "probes", "probe_id"), default=1)
    return Shift(run + 1 - first_run, (probe or 0) + 1 - first_probe)


def _insert(
    writer: duckdb.DuckDBPyConnection, export: Export, shift: Shift, tell: Callable[[int], None]
) -> None:
    """Store the rows of every table under numbers that are free.

    A table is one statement: of many small ones DuckDB would keep everything in memory.
    """
    import pyarrow as pa

    for table in TABLES:
        _check_columns(writer, export, table)
        only_new = _only_new(writer, table)

        def rows(table: str = table, only_new: Rows = only_new) -> Iterator[pa.RecordBatch]:
            for batch in _batches(export, table):
                yield only_new(batch)
                tell(batch.num_rows)

        reader = pa.RecordBatchReader.from_batches(_schema(export, table), rows())
        with _registered(writer, reader):
            select = f"SELECT * {_renumbered(table, shift, export)} FROM batch"
            writer.execute(f"INSERT INTO {table} BY NAME {select}")


def _check_columns(writer: duckdb.DuckDBPyConnection, export: Export, table: str) -> None:
    """Refuse columns that the table does not have; those that a file lacks are not recorded."""
    known = writer.sql(f"FROM {table} LIMIT 0").columns
    for column in _schema(export, table).names:
        if column not in known:
            raise LogError(
                f"{table_path(export.folder, table)} has a column {column!r} that logitscope does "
                "not know.",
                _AGAIN,
            )


def _only_new(writer: duckdb.DuckDBPyConnection, table: str) -> Rows:
    """What leaves out of a table's rows those that other runs have brought already.

    They are the same by their keys, which are hashes. (INSERT OR IGNORE would not keep the order.)
    """
    import pyarrow.compute as pc

    if table not in SHARED:
        return lambda batch: batch
    key = SHARED[table]
    known = writer.sql(f"SELECT DISTINCT {key} FROM {table}").to_arrow_table().column(key)
    values = known.combine_chunks()
    return lambda batch: batch.filter(pc.invert(pc.is_in(batch.column(key), values)))


def _renumbered(table: str, shift: Shift, export: Export) -> str:
    """What becomes of the numbers of runs and probes in a table."""
    probe = f"probe_id + {shift.probes} AS probe_id"
    run = f"run_id + {shift.runs} AS run_id"
    if table == "runs":
        # A parent that is not in the export has no number in a store that has runs of its own.
        known = ", ".join(map(str, _numbers(export, "runs", "run_id")))
        there = f"{shift.runs} = 0 OR parent_run IN ({known})"
        parent = f"CASE WHEN {there} THEN parent_run + {shift.runs} END AS parent_run"
        return f"REPLACE ({run}, {parent})"
    if table == "probes":
        return f"REPLACE ({run}, {probe})"
    return f"REPLACE ({probe})" if table in PROBE_TABLES else ""


def _derive(
    writer: duckdb.DuckDBPyConnection, export: Export, shift: Shift, runs: Sequence[int]
) -> None:
    """Make the outcomes of the new probes, and see whether everything belongs together."""
    rows = {table: export.manifest.tables[table].rows for table in TABLES}
    first = last = 0
    if rows["probes"]:
        numbers = _numbers(export, "probes", "probe_id")
        first, last = min(numbers) + shift.probes, max(numbers) + shift.probes
    new = f"probe_id BETWEEN {first} AND {last}"
    probes = f"SELECT probe_id FROM probes WHERE {new} AND run_id IN (SELECT unnest($runs))"
    belonging = {
        table: f"SELECT count(*) FROM {table} WHERE {new} AND probe_id IN ({probes})"
        for table in ("probes", *PROBE_TABLES)
    }
    found = {
        table: writer.execute(query, {"runs": list(runs)}).fetchall()[0][0]
        for table, query in belonging.items()
    }
    found["outcomes"] = sum(
        schema.fill_outcomes(writer, start, min(last, start + schema.CHUNK - 1))
        for start in range(first, last + 1, schema.CHUNK)
    )
    for table, expected in (*rows.items(), ("outcomes", rows["probes"])):
        if table in found and found[table] != expected:
            raise LogError(
                f"{export.folder} does not belong together: of {expected:,} rows of {table} "
                f"{found[table]:,} belong to its runs and questions.",
                _AGAIN,
            )


def _rename(
    writer: duckdb.DuckDBPyConnection, runs: Sequence[int], name: str | None, model: str | None
) -> None:
    for column, value in (("name", name), ("model", model)):
        if value is not None:
            writer.execute(
                f"UPDATE runs SET {column} = ? WHERE run_id IN (SELECT unnest(?))",
                [value, list(runs)],
            )


def _imported(writer: duckdb.DuckDBPyConnection, runs: Sequence[int]) -> list[Imported]:
    """What was stored, in the order of the numbers."""
    found = writer.execute(
        "SELECT run_id, any_value(name), any_value(model), count(DISTINCT question_id), "
        "count(probe_id), any_value(status) FROM runs LEFT JOIN probes USING (run_id) "
        "WHERE run_id IN (SELECT unnest(?)) GROUP BY run_id ORDER BY run_id",
        [list(runs)],
    ).fetchall()
    return [
        Imported(
            *(run_id, name, model, questions, probes),
            () if status == "finished" else (f"This run is {status}.",),
        )
        for run_id, name, model, questions, probes, status in found
    ]


def _numbers(export: Export, table: str, column: str) -> list[int]:
    with _read_errors(export, table):
        from pyarrow import parquet

        found = parquet.read_table(table_path(export.folder, table), columns=[column])
        numbers: list[int] = found.column(column).to_pylist()
    return numbers


def _schema(export: Export, table: str) -> pa.Schema:
    with _read_errors(export, table):
        from pyarrow import parquet

        return parquet.read_schema(table_path(export.folder, table))


def _batches(export: Export, table: str) -> Iterator[pa.RecordBatch]:
    with _read_errors(export, table):
        from pyarrow import parquet

        with parquet.ParquetFile(table_path(export.folder, table)) as file:
            yield from file.iter_batches(ROWS)


@contextmanager
def _read_errors(export: Export, table: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        path = table_path(export.folder, table)
        raise LogError(f"{path} can't be read as parquet: {error}.", _AGAIN) from error


@contextmanager
def _registered(
    writer: duckdb.DuckDBPyConnection, rows: pa.Table | pa.RecordBatchReader
) -> Iterator[None]:
    """Let SQL see some rows as ``batch``."""
    writer.register("batch", rows)
    try:
        yield
    finally:
        # A transaction that an error has aborted does not even let go of it.
        with suppress(duckdb.TransactionException):
            writer.unregister("batch")
