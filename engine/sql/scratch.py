"""A place for views, macros and tables of one's own, beside the stored results.

It is a database in memory, attached to the store's; nothing in it is written to the file. What
defines something (views, macros, types, schemas) is also kept as text, per database and outside of
it, and made again the next time. Tables are gone when the store is closed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Literal, NamedTuple

import duckdb
import msgspec

from engine import schema
from engine.database import reason
from engine.paths import remembered
from engine.sql.statements import QueryError, tokens
from engine.sql.values import quoted

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.store import Store

NAME = "scratch"
"""What the attached database is called; see :func:`scratch_name`."""

OwnKind = Literal["schema", "type", "macro", "view"]

_KINDS: dict[str, OwnKind] = {
    "schema": "schema",
    "type": "type",
    "macro": "macro",
    "function": "macro",
    "view": "view",
}
_EXISTING = """
    SELECT 'view', view_name FROM duckdb_views() WHERE database_name = $scratch AND NOT internal
    UNION SELECT 'type', type_name FROM duckdb_types() WHERE database_name = $scratch
        AND NOT internal
    UNION SELECT 'macro', function_name FROM duckdb_functions() WHERE database_name = $scratch
        AND NOT internal
    UNION SELECT 'schema', schema_name FROM duckdb_schemas() WHERE database_name = $scratch
        AND NOT internal
"""
_NAMES = """
    SELECT table_name FROM duckdb_tables() WHERE database_name = $scratch
    UNION ALL SELECT view_name FROM duckdb_views() WHERE database_name = $scratch
"""
_numbers = count()
_files = threading.Lock()


class Subject(NamedTuple):
    """What a CREATE, DROP or ALTER is about.

    Attributes:
        kind: In lower case: ``view``, ``table``, ``macro``, ...
        name: Without its schema.
    """

    kind: str
    name: str


class Own(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that the user defined.

    Attributes:
        kind: What it is.
        name: Its name, without a schema.
        sql: The statement that makes it.
        problem: Why it could not be made again this time, as a sentence; empty where it could.
    """

    kind: OwnKind
    name: str
    sql: str
    problem: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Kind and name, as DuckDB tells things apart."""
        return self.kind, self.name.lower()


def scratch_name(store: Store) -> str:
    """What the scratch database of a store is called: ``scratch``, unless the file is."""
    return NAME if store.path.stem.lower() != NAME else f"{NAME}_tables"


def subject(text: str) -> Subject | None:
    """What a CREATE, DROP or ALTER statement is about; None for other statements."""
    words = [word for word in tokens(text) if word not in ("", ";")]
    if not words or words[0].lower() not in ("create", "drop", "alter"):
        return None
    rest = iter(words[1:])
    kind = next((word.lower() for word in rest if word.lower() not in _BEFORE_KIND), "")
    name = next((word for word in rest if word.lower() not in _BEFORE_NAME), "")
    for sign in rest:
        if sign != ".":
            break
        name = next(rest, name)
    return Subject(kind, name[1:-1].replace('""', '"') if name.startswith('"') else name)


_BEFORE_KIND = ("or", "replace", "recursive", "persistent")
_BEFORE_NAME = ("if", "not", "exists", "table")


class Scratch:
    """The scratch database of a store, as one console sees it.

    Attributes:
        name: What it is called in SQL.
    """

    def __init__(self, store: Store) -> None:
        self.name = scratch_name(store)
        self._path = remembered(store.path, ".own.json")
        self._problems: dict[tuple[str, str], str] = {}
        self._seen: set[tuple[str, str]] = set()

    def attach(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Attach it where it is not there, and make names of a cursor mean what is in it first."""
        ((database,),) = cursor.execute("SELECT current_database()").fetchall()
        name = quoted(self.name)
        cursor.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {name} (READ_WRITE)")
        path = f"{name}.main,{quoted(database)}.main".replace("'", "''")
        cursor.execute(f"SET search_path = '{path}'")

    def pin(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Let the transaction that just began write to nothing but scratch.

        DuckDB lets one transaction write to one database only, and it is this one from now on.
        """
        name = f'{quoted(self.name)}.main."pin {os.getpid()} {next(_numbers)}"'
        cursor.execute(f"CREATE SEQUENCE {name}; DROP SEQUENCE {name}")

    def check_names(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Refuse names of one's own that hide what is stored.

        Raises:
            QueryError: There is one.
        """
        taken = cursor.execute(_NAMES, {"scratch": self.name}).fetchall()
        for (name,) in taken:
            if name.lower() in schema.relations():
                raise QueryError(
                    f"{name} is the name of something stored.", "Give yours another name."
                )

    # What is defined

    def own(self) -> list[Own]:
        """What the user defined, in the order in which it is made again."""
        return [
            msgspec.structs.replace(each, problem=self._problems.get(each.key, ""))
            for each in self._read()
        ]

    def make_again(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Make everything that was kept and is not there; what can't be made stays kept."""
        there = self._there(cursor)
        waiting = [each for each in self._read() if each.key not in there]
        failed: list[Own] = []
        # A view may need another one that was replaced after it.
        while waiting and waiting != failed:
            failed, waiting = waiting, [each for each in waiting if not self._made(cursor, each)]
        self._seen = self._there(cursor)

    def note(self, cursor: duckdb.DuckDBPyConnection, text: str) -> None:
        """Keep what a statement that just succeeded has defined, and forget what it dropped."""
        about = subject(text)
        if about is None:
            return
        there = self._there(cursor)
        # What another process has defined meanwhile is not there, and was not before.
        gone = self._seen - there
        self._seen = there
        with _files:
            before = self._read()
            after = [each for each in before if each.key not in gone]
            kind = _KINDS.get(about.kind)
            if kind is not None and tokens(text)[0].lower() == "create":
                new = Own(kind, about.name, text.strip().rstrip(";").strip())
                self._problems.pop(new.key, None)
                after = [*(each for each in after if each.key != new.key), new]
            after += self._renamed(cursor, {each.key for each in after})
            if after != before:
                self._write(after)

    def forget_broken(self, text: str) -> bool:
        """Forget what a DROP names, where it could not be made again; returns whether it was so."""
        about = subject(text)
        key = (_KINDS.get(about.kind, ""), about.name.lower()) if about else ("", "")
        if key not in self._problems:
            return False
        del self._problems[key]
        with _files:
            self._write([each for each in self._read() if each.key != key])
        return True

    # Tables, over a moment without the database

    def tables(self, cursor: duckdb.DuckDBPyConnection) -> list[tuple[str, str, pa.Table]]:
        """Every scratch table: its name with its schema, its definition, its rows."""
        found = cursor.execute(
            "SELECT schema_name, table_name, sql FROM duckdb_tables() WHERE database_name = ?",
            [self.name],
        ).fetchall()
        tables = []
        for place, table, sql in found:
            name = f"{quoted(self.name)}.{quoted(place)}.{quoted(table)}"
            tables.append((name, sql, cursor.sql(f"FROM {name}").to_arrow_table()))
        return tables

    def put_back(
        self, cursor: duckdb.DuckDBPyConnection, tables: Iterable[tuple[str, str, pa.Table]]
    ) -> None:
        """Make tables again from :meth:`tables`."""
        for name, sql, rows in tables:
            cursor.execute(sql)
            cursor.register("carried", rows)
            cursor.execute(f"INSERT INTO {name} FROM carried")
            cursor.unregister("carried")

    # Inside

    def _there(self, cursor: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
        found = cursor.execute(_EXISTING, {"scratch": self.name}).fetchall()
        return {(kind, name.lower()) for kind, name in found}

    def _made(self, cursor: duckdb.DuckDBPyConnection, own: Own) -> bool:
        cursor.execute("BEGIN")
        try:
            self.pin(cursor)
            cursor.execute(own.sql)
            cursor.execute("COMMIT")
        except duckdb.Error as error:
            with suppress(duckdb.Error):
                cursor.execute("ROLLBACK")
            self._problems[own.key] = f"{reason(error)}."
            return False
        self._problems.pop(own.key, None)
        return True

    def _renamed(self, cursor: duckdb.DuckDBPyConnection, known: set[tuple[str, str]]) -> list[Own]:
        """Views that nobody noted: an ALTER gave them their name."""
        views = cursor.execute(
            "SELECT view_name, sql FROM duckdb_views() WHERE database_name = ? AND NOT internal",
            [self.name],
        ).fetchall()
        found = [Own("view", name, sql.rstrip(";")) for name, sql in views]
        return [each for each in found if each.key not in known]

    def _read(self) -> list[Own]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Own])
        except OSError:
            return []
        except msgspec.DecodeError:
            with suppress(OSError):
                self._path.replace(self._path.with_suffix(".unreadable"))
            return []

    def _write(self, own: list[Own]) -> None:
        draft = self._path.with_suffix(f".{os.getpid()}.part")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(msgspec.json.format(msgspec.json.encode(own), indent=2))
            draft.replace(self._path)
