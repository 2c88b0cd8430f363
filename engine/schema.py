"""The database's tables and views: made, documented, brought up to date.

``schema.sql`` is the current version, ``views.sql`` what is derived from it; both are read from
here only. An older file is brought up by the numbered steps of :data:`MIGRATIONS`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from string import Template

import duckdb

from engine.errors import StoreError
from engine.flags import FLAGS

MIGRATIONS: tuple[str, ...] = (
    """
    ALTER TABLE generations ADD COLUMN parent INTEGER;
    ALTER TABLE generations ADD COLUMN fork INTEGER;
    ALTER TABLE generations ADD COLUMN least_margin FLOAT;
    ALTER TABLE positions ADD COLUMN margin FLOAT;
    """,
    """
    ALTER TABLE probes ADD COLUMN perturbation VARCHAR;
    ALTER TABLE probes ADD COLUMN shown_text VARCHAR;
    ALTER TABLE probes ADD COLUMN shown_options VARCHAR[];
    ALTER TABLE probes ADD COLUMN label_logits FLOAT[];
    ALTER TABLE probes ALTER COLUMN prompt DROP NOT NULL;
    ALTER TABLE probes ALTER COLUMN chat DROP NOT NULL;
    ALTER TABLE probes ALTER COLUMN shots DROP NOT NULL;
    ALTER TABLE probes ALTER COLUMN dropped_tokens DROP NOT NULL;
    ALTER TABLE continuations ADD COLUMN unconditional DOUBLE;
    ALTER TABLE continuations ALTER COLUMN token_ids DROP NOT NULL;
    ALTER TABLE continuations ALTER COLUMN logprobs DROP NOT NULL;
    ALTER TABLE continuations ALTER COLUMN tokens DROP NOT NULL;
    ALTER TABLE continuations ALTER COLUMN is_greedy DROP NOT NULL;
    ALTER TABLE positions ALTER COLUMN rank DROP NOT NULL;
    ALTER TABLE positions ALTER COLUMN entropy DROP NOT NULL;
    ALTER TABLE positions ALTER COLUMN logsumexp DROP NOT NULL;
    ALTER TABLE positions ALTER COLUMN unseen DROP NOT NULL;
    ALTER TABLE readings ADD COLUMN position INTEGER;
    ALTER TABLE readings ADD COLUMN logit FLOAT;
    CREATE TABLE human_labels (
        probe_id INTEGER PRIMARY KEY, status VARCHAR NOT NULL, label VARCHAR,
        labels VARCHAR[] NOT NULL, original VARCHAR NOT NULL
    );
    CREATE TABLE scores (
        probe_id INTEGER NOT NULL, name VARCHAR NOT NULL, value DOUBLE, answer VARCHAR
    );
    """,
)
"""``MIGRATIONS[n - 1]`` is the SQL that brings a file of schema ``n`` to schema ``n + 1``.

A step changes tables only: views and ``outcomes`` are made anew after it.
"""

CHUNK = 50_000
"""Probes whose outcomes are computed at a time."""

_TABLE = re.compile(r"CREATE (?:OR REPLACE )?(TABLE|VIEW) (\w+)")
_ABOVE = re.compile(r"-- (.+)")
_AFTER = {
    "TABLE": re.compile(r"    (\w+) +[A-Z].*? -- (.+)"),
    "VIEW": re.compile(r" +(?:.* AS |\w+\.)(\w+),? -- (.+)"),
}
"""A column and the comment after it, in a table's and in a view's definition."""


def current_version() -> int:
    """The schema that this logitscope reads and writes."""
    return 1 + len(MIGRATIONS)


def utc_now() -> datetime:
    """The time as the tables hold it: UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def prepare(connection: duckdb.DuckDBPyConnection, path: str, *, read_only: bool) -> None:
    """Make an empty database one of logitscope's, or bring an older one up to date.

    Tables change in one transaction: a crash in the middle leaves them as they were.

    Raises:
        StoreError: The file is no logitscope database, one of a newer schema, or would have to
            be changed although it was opened for reading only.
    """
    found = _found_version(connection, path)
    if found is not None and found > current_version():
        raise StoreError(
            f"{path} was written by a newer logitscope (schema {found}, this one reads up to "
            f"{current_version()}).",
            "Upgrade logitscope, or open another file.",
        )
    if found == current_version() and _stored_definitions(connection) == definitions():
        return
    if read_only and found is None:
        raise StoreError(f"{path} is an empty database.", "Name another file.")
    if read_only:
        raise StoreError(
            f"{path} has to be brought up to date before it can be read.",
            "Open it once without --read-only.",
        )
    connection.execute("BEGIN")
    try:
        if found is None:
            _create(connection)
        else:
            for step in MIGRATIONS[found - 1 :]:
                connection.execute(step)
        for statement in _comments(_read("schema.sql")):
            connection.execute(statement)
        _derive(connection)
        connection.execute(
            "UPDATE meta SET schema_version = ?, definitions = ''", [current_version()]
        )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    # Not in the transaction: a million outcomes need little memory when they are stored in steps.
    # If this is cut short, the missing hash makes the next one to open the file begin again.
    ((last,),) = connection.execute("SELECT coalesce(max(probe_id), 0) FROM probes").fetchall()
    for first in range(1, last + 1, CHUNK):
        fill_outcomes(connection, first, first + CHUNK - 1)
    connection.execute("UPDATE meta SET definitions = ?", [definitions()])


def fill_outcomes(connection: duckdb.DuckDBPyConnection, first: int, last: int) -> int:
    """Compute the outcomes of new probes; returns how many there were."""
    ((filled,),) = connection.execute(
        "INSERT INTO outcomes FROM outcome_rows WHERE probe_id BETWEEN ? AND ? ORDER BY probe_id",
        [first, last],
    ).fetchall()
    return int(filled)


def refresh_outcomes(connection: duckdb.DuckDBPyConnection, place: str) -> None:
    """Make ``outcomes`` anew from the other tables, in steps.

    Args:
        connection: In a transaction that may write to the database.
        place: Database and schema, as SQL.
    """
    outcomes, probes = f"{place}.outcomes", f"{place}.probes"
    connection.execute(
        f"DELETE FROM {outcomes} WHERE probe_id NOT IN (SELECT probe_id FROM {probes})"
    )
    ((last,),) = connection.execute(f"SELECT coalesce(max(probe_id), 0) FROM {probes}").fetchall()
    for first in range(1, last + 1, CHUNK):
        connection.execute(
            f"INSERT OR REPLACE INTO {outcomes} FROM {place}.outcome_rows "
            "WHERE probe_id BETWEEN ? AND ? ORDER BY probe_id",
            [first, first + CHUNK - 1],
        )


@cache
def definitions() -> str:
    """Hash of everything that decides what ``outcomes`` and the views hold."""
    return hashlib.blake2b(_views().encode(), digest_size=8).hexdigest()


@cache
def relations() -> frozenset[str]:
    """Names of all tables and views."""
    found = _TABLE.finditer(_read("schema.sql") + _views())
    return frozenset({"outcomes", *(each[2] for each in found)})


def _found_version(connection: duckdb.DuckDBPyConnection, path: str) -> int | None:
    """The schema of the file; None where it is empty."""
    tables = {name for (name,) in connection.execute("SHOW TABLES").fetchall()}
    if not tables:
        return None
    if {"meta", "runs", "probes"} <= tables:
        for (found,) in connection.execute("SELECT schema_version FROM meta").fetchall():
            return int(found)
    raise StoreError(
        f"{path} is a DuckDB database, but not one of logitscope.", "Name another file."
    )


def _stored_definitions(connection: duckdb.DuckDBPyConnection) -> str | None:
    rows = connection.execute("SELECT definitions FROM meta").fetchall()
    return str(rows[0][0]) if rows else None


def _create(connection: duckdb.DuckDBPyConnection) -> None:
    from importlib.metadata import version

    connection.execute(_read("schema.sql"))
    connection.execute(
        "INSERT INTO meta VALUES (?, '', ?, ?)",
        [current_version(), utc_now(), version("logitscope")],
    )


def _derive(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the views, and ``outcomes``, still empty, from its definition."""
    connection.execute("DROP TABLE IF EXISTS outcomes CASCADE")
    outcome_rows, *others = _views().split(";\n\n")
    connection.execute(outcome_rows)
    connection.execute("CREATE TABLE outcomes AS FROM outcome_rows WITH NO DATA")
    connection.execute("ALTER TABLE outcomes ADD PRIMARY KEY (probe_id)")
    for view in others:
        connection.execute(view)
    for statement in _comments(_views()):
        connection.execute(statement)
    for flag in FLAGS:
        connection.execute(_comment(f"COLUMN outcomes.{flag.name}", flag.description))


@cache
def _views() -> str:
    """``views.sql`` with the flags in place."""
    flags = ",\n    ".join(f"({flag.expression})::BOOLEAN AS {flag.name}" for flag in FLAGS)
    return Template(_read("views.sql")).substitute(flags=flags)


def _comments(script: str) -> Iterator[str]:
    """COMMENT ON statements from the comment before a table or view and those after columns."""
    above: list[str] = []
    kind = subject = ""
    for line in script.splitlines():
        if found := _TABLE.match(line):
            kind, name = found.groups()
            subject = "TABLE outcomes" if name == "outcome_rows" else f"{kind} {name}"
            yield _comment(subject, " ".join(above))
        elif kind and (found := _AFTER[kind].match(line)):
            yield _comment(f"COLUMN {subject.split()[1]}.{found[1]}", found[2])
        above = [*above, found[1]] if (found := _ABOVE.match(line)) else []


def _comment(subject: str, text: str) -> str:
    quoted = text.replace("'", "''")
    return f"COMMENT ON {subject} IS '{quoted}'"


def _read(name: str) -> str:
    return files("engine").joinpath(name).read_text(encoding="utf-8")
