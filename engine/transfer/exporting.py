"""Writing runs into a folder of parquet files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import msgspec

from engine.database import readable
from engine.errors import StoreError
from engine.schema import current_version
from engine.transfer.layout import (
    DERIVED,
    MANIFEST,
    PROBE_TABLES,
    README,
    TABLES,
    File,
    Manifest,
    Run,
    hash_of,
    table_path,
)
from engine.transfer.readme import readme

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.store import Store

ROWS = 20_000
"""Rows that are in memory at a time; prompts of a thousand tokens are in some."""

Told = Callable[[str, int, int], None]
"""Told which table is written, and how many of its probes of how many are."""


class Exported(msgspec.Struct, frozen=True):
    """What was exported.

    Attributes:
        folder: Where it is.
        manifest: What is in it.
        size: In bytes.
    """

    folder: str
    manifest: Manifest
    size: int


def export_runs(
    store: Store,
    folder: str | Path,
    runs: Sequence[int] | None = None,
    *,
    force: bool = False,
    on_progress: Told = lambda table, done, of: None,
) -> Exported:
    """Write runs with everything that belongs to them; the folder is there whole or not at all.

    Everything is of one moment, whatever is stored meanwhile.

    Args:
        store: Where from.
        folder: Where to; made.
        runs: Their ids; None for all of them, and for every question and vocabulary stored.
        force: Put it in the place of an export that is there.
        on_progress: Told what is written.

    Raises:
        StoreError: There is no such run, the folder is there, or it can't be written.
    """
    target = Path(folder)
    _check_target(target, force=force)
    draft = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        with _one_moment(store) as cursor:
            manifest = _write(cursor, draft, runs, on_progress)
        _put_in_place(draft, target)
    except OSError as error:
        raise StoreError(
            f"{target} can't be written: {error.strerror or error}.", "Name another folder."
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    size = sum(file.stat().st_size for file in target.iterdir())
    return Exported(str(target), manifest, size)


def _check_target(target: Path, *, force: bool) -> None:
    if not target.exists():
        return
    if not (target / MANIFEST).is_file():
        raise StoreError(f"{target} is there already.", "Name a new folder.")
    if not force:
        raise StoreError(
            f"{target} holds an export already.", "Name a new folder, or add --force to replace it."
        )


def _put_in_place(draft: Path, target: Path) -> None:
    if not target.exists():
        draft.rename(target)
        return
    old = target.with_name(f".{target.name}.old")
    target.rename(old)
    draft.rename(target)
    shutil.rmtree(old)


@contextmanager
def _one_moment(store: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor that sees the store as it is now, until the end of the block."""
    cursor = store.reader()
    with readable(store.path):
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        try:
            yield cursor
        finally:
            cursor.execute("ROLLBACK")


def _write(
    cursor: duckdb.DuckDBPyConnection, folder: Path, runs: Sequence[int] | None, tell: Told
) -> Manifest:
    found = _runs(cursor, runs)
    chosen = ", ".join(str(run.run_id) for run in found)
    ids = _column(cursor, f"SELECT probe_id FROM probes WHERE run_id IN ({chosen}) ORDER BY 1")
    tables = {}
    for name in (*TABLES, DERIVED):

        def told(done: int, table: str = name) -> None:
            tell(table, done, len(ids))

        if name in ("probes", *PROBE_TABLES, DERIVED):
            batches = _of_probes(cursor, name, chosen, ids, told)
        else:
            batches = _whole(cursor, name, None if runs is None else chosen)
        schema = cursor.sql(f"FROM {name} LIMIT 0").to_arrow_table().schema
        rows = _write_table(table_path(folder, name), schema, batches)
        tables[name] = File(rows, hash_of(table_path(folder, name)))
    manifest = Manifest(current_version(), version("logitscope"), tuple(found), tables)
    (folder / README).write_text(readme(cursor, manifest), encoding="utf-8")
    encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (folder / MANIFEST).write_bytes(encoded + b"\n")
    return manifest


def _runs(cursor: duckdb.DuckDBPyConnection, runs: Sequence[int] | None) -> list[Run]:
    """The runs asked for, in the order of their numbers."""
    rows = cursor.execute(
        "SELECT run_id, kind, name, model, status, "
        "(SELECT count(*) FROM probes p WHERE p.run_id = r.run_id) FROM runs r ORDER BY run_id"
    ).fetchall()
    stored = {row[0]: Run(*row) for row in rows}
    if not stored:
        raise StoreError("No run is stored here: there is nothing to export.")
    for run_id in runs or ():
        if run_id not in stored:
            raise StoreError(
                f"There is no run {run_id}.", f"There are {', '.join(map(str, stored))}."
            )
    return [run for run in stored.values() if runs is None or run.run_id in runs]


def _column(cursor: duckdb.DuckDBPyConnection, query: str) -> Sequence[int]:
    """Numbers, eight bytes each."""
    numbers: Sequence[int] = cursor.execute(query).fetchnumpy()["probe_id"]
    return numbers


def _whole(
    cursor: duckdb.DuckDBPyConnection, name: str, chosen: str | None
) -> Iterator[pa.RecordBatch]:
    """The rows of a table that does not grow with the probes, in the order stored."""
    belongs = {
        "runs": f"run_id IN ({chosen})",
        "questions": f"question_id IN (SELECT question_id FROM probes WHERE run_id IN ({chosen}))",
        "tokens": f"tokenizer IN (SELECT tokenizer FROM runs WHERE run_id IN ({chosen}))",
    }
    where = "" if chosen is None else f"WHERE {belongs[name]}"
    yield from cursor.sql(f"FROM {name} {where} ORDER BY rowid").to_arrow_reader(ROWS)


def _of_probes(
    cursor: duckdb.DuckDBPyConnection,
    name: str,
    chosen: str,
    ids: Sequence[int],
    told: Callable[[int], None],
) -> Iterator[pa.RecordBatch]:
    """The rows of some probes, probe by probe, each probe's in the order stored."""
    of_runs = f"SELECT probe_id FROM probes WHERE run_id IN ({chosen})"
    ((rows,),) = cursor.execute(
        f"SELECT count(*) FROM {name} WHERE probe_id IN ({of_runs})"
    ).fetchall()
    step = max(1, ROWS * len(ids) // max(1, rows))
    for start in range(0, len(ids), step):
        end = min(start + step, len(ids))
        between = f"probe_id BETWEEN {ids[start]} AND {ids[end - 1]}"
        batch = cursor.sql(
            f"FROM {name} WHERE {between} AND probe_id IN ({of_runs} AND {between}) "
            "ORDER BY probe_id, rowid"
        )
        yield from batch.to_arrow_table().to_batches()
        told(end)


def _write_table(path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> int:
    from pyarrow import parquet

    rows = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows
