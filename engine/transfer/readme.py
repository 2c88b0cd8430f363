"""The README of an exported folder: every file and column, from the database's own comments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.transfer.layout import DERIVED, TABLES, Manifest

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_OPENING = """\
# Exported runs

Written by logitscope {logitscope} (schema {schema_version}). One parquet file a table, holding the
rows of these runs alone. NULL means "not recorded", never zero. Times are UTC. `probe_id` joins
`probes` with everything that belongs to a probe, `question_id` with `questions`, `run_id` with
`runs`; `tokens` says what token ids stand for.

    logitscope import logitscope THIS_FOLDER --db FILE

takes the runs back as they were, to the bit. `manifest.json` holds the number of rows and the
SHA-256 of every file.

Anything that reads parquet reads them, for instance:

    import pandas
    pandas.read_parquet("outcomes.parquet")
"""


def readme(cursor: DuckDBPyConnection, manifest: Manifest) -> str:
    """Write the README.

    Args:
        cursor: On the store that is exported.
        manifest: What is exported.
    """
    opening = _OPENING.format(
        logitscope=manifest.logitscope, schema_version=manifest.schema_version
    )
    return "\n".join([opening, *_runs(manifest), *_tables(cursor, manifest)]) + "\n"


def _runs(manifest: Manifest) -> Iterator[str]:
    yield "## Runs"
    yield ""
    yield "| run_id | kind | name | model | status | probes |"
    yield "| --: | --- | --- | --- | --- | --: |"
    for run in manifest.runs:
        cells = (run.run_id, run.kind, run.name, run.model, run.status, run.probes)
        yield _line(cells)


def _tables(cursor: DuckDBPyConnection, manifest: Manifest) -> Iterator[str]:
    about = dict(
        cursor.execute(
            "SELECT table_name, comment FROM duckdb_tables() "
            "WHERE database_name = current_catalog()"
        ).fetchall()
    )
    columns = cursor.execute(
        "SELECT table_name, column_name, data_type, is_nullable, comment FROM duckdb_columns() "
        "WHERE database_name = current_catalog() ORDER BY table_name, column_index"
    ).fetchall()
    for table in (*TABLES, DERIVED):
        rows = manifest.tables[table].rows
        yield ""
        yield f"## {table}.parquet ({rows:,} {'row' if rows == 1 else 'rows'})"
        yield ""
        yield about[table]
        if table == DERIVED:
            yield "Made of the other tables, and made anew when they are imported."
        yield ""
        yield "| column | type | may be NULL | |"
        yield "| --- | --- | --- | --- |"
        for owner, name, kind, nullable, comment in columns:
            if owner == table:
                yield _line((f"`{name}`", kind, "yes" if nullable else "", comment or ""))


def _line(cells: tuple[object, ...]) -> str:
    shown = (" ".join(str(cell).split()).replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(shown)} |"
