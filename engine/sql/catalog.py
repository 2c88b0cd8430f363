"""Everything that a query can name, with its documentation.

Tables, views and columns are documented by their comments in the database, which come from
``engine/schema.sql``, ``engine/views.sql`` and the flags; functions by DuckDB's own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from engine.database import readable
from engine.errors import StoreError
from engine.records import ReadingName, Status
from engine.sql.scratch import scratch_name

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from engine.store import Store

MOST_VALUES = 100
"""Values of a column that are offered at most."""

TableKind = Literal["table", "view", "own table", "own view"]

_INTERNAL = re.compile(
    r"_|collate_|icu_collate|pg_|has_\w+_privilege|inet_|test_|pandas_scan|python_|"
    r"arrow_scan|seq_scan|pragma_|(?:de)?register_|\w+_external_|json_copy_|map_type_id|"
    r"json_(?:execute_)?serialize|json_deserialize|\w+_grammar_|finalize$|combine$|\w+_size_pretty|"
    r"get_block_size|(?:sh)?obj_description|col_description|current_setting$|nextval$|currval$|"
    r"(?:force_)?checkpoint$|(?:en|dis)able_|truncate_duckdb_logs|which_secret"
)
"""Beginnings of function names that nobody writes: collations, the inside of DuckDB."""

_DEFINES = {"outcome_rows": "outcomes"}
"""A view that defines a table shares its documentation."""

_READS = re.compile(r"\b(?:FROM|JOIN)\s+\(*(\w+)", re.IGNORECASE)
_MAKE_ROWS = frozenset({"table", "table_macro"})
_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Column(msgspec.Struct, frozen=True):
    """One column of a table or view.

    Attributes:
        name: Its name.
        type: Its SQL type.
        about: Its documentation; empty where there is none.
    """

    name: str
    type: str
    about: str = ""


class Table(msgspec.Struct, frozen=True):
    """A table or view.

    Attributes:
        name: Its name.
        kind: What it is; ``own`` are those that a console made.
        about: What one row is.
        columns: In their order.
    """

    name: str
    kind: TableKind
    about: str
    columns: tuple[Column, ...]


class Function(msgspec.Struct, frozen=True):
    """A function, all its variants taken together.

    Attributes:
        name: Its name.
        kinds: ``scalar``, ``aggregate``, ``window``, ``macro``, ``table`` or ``table_macro``;
            some functions are both scalar and table.
        signatures: As in ``sum(arg DOUBLE) -> DOUBLE``, the commonest first.
        about: DuckDB's documentation; empty where it has none.
        example: One call; empty where there is none.
    """

    name: str
    kinds: tuple[str, ...]
    signatures: tuple[str, ...]
    about: str = ""
    example: str = ""

    @property
    def makes_rows(self) -> bool:
        """Whether it can stand where a table stands."""
        return not _MAKE_ROWS.isdisjoint(self.kinds)

    @property
    def makes_values(self) -> bool:
        """Whether it can stand in an expression."""
        return not _MAKE_ROWS.issuperset(self.kinds)


class Catalog(msgspec.Struct, frozen=True, dict=True):
    """What a query on one store can name.

    Attributes:
        tables: Stored ones first, then one's own, each by name.
        functions: By name.
        keywords: In lower case.
        reserved: Keywords that name a column or table in quotes only.
        values: Known values of text columns, by the column's name, and by ``table.column`` where
            one table has others.
    """

    tables: tuple[Table, ...]
    functions: tuple[Function, ...] = ()
    keywords: tuple[str, ...] = ()
    reserved: frozenset[str] = frozenset()
    values: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)

    @cached_property
    def by_name(self) -> dict[str, Table]:
        """Tables by their name in lower case; one's own hide stored ones, as in a query."""
        return {table.name.lower(): table for table in self.tables}

    def table(self, name: str) -> Table:
        """A table or view by its name, whatever the case.

        Raises:
            StoreError: There is none.
        """
        found = self.by_name.get(name.lower())
        if found is None:
            raise StoreError(
                f"There is no table or view {name}.",
                f"There are {', '.join(table.name for table in self.tables)}.",
            )
        return found

    def name(self, name: str) -> str:
        """A name as it must be written: in quotes where it has to be."""
        if _PLAIN.fullmatch(name) and name.lower() not in self.reserved:
            return name
        return '"' + name.replace('"', '""') + '"'


def read_catalog(store: Store) -> Catalog:
    """Read what a store's queries can name; again after a view or table was made or dropped.

    Raises:
        StoreError: The store is closed.
    """
    cursor = store.reader()
    with readable(store.path):
        keywords = cursor.execute(
            "SELECT keyword_name, keyword_category FROM duckdb_keywords() ORDER BY keyword_name"
        ).fetchall()
        return Catalog(
            tables=_tables(cursor, scratch_name(store)),
            functions=_functions(cursor),
            keywords=tuple(name for name, _ in keywords),
            reserved=frozenset(name for name, category in keywords if category == "reserved"),
            values=_values(cursor),
        )


def _tables(cursor: DuckDBPyConnection, scratch: str) -> tuple[Table, ...]:
    of_both = f"NOT internal AND database_name IN (current_database(), '{scratch}')"
    found = cursor.execute(
        f"""
        SELECT database_name AS held_by, table_name AS name, 'table', comment, NULL
        FROM duckdb_tables()
        WHERE {of_both}
        UNION ALL
        SELECT database_name, view_name, 'view', comment, sql FROM duckdb_views() WHERE {of_both}
        ORDER BY held_by = '{scratch}', name
        """
    ).fetchall()
    columns: dict[tuple[str, str], list[Column]] = {}
    for database, table, name, kind, about in cursor.execute(
        f"""
        SELECT database_name, table_name, column_name, data_type, coalesce(comment, '')
        FROM duckdb_columns() WHERE {of_both} ORDER BY table_oid, column_index
        """
    ).fetchall():
        columns.setdefault((database, table), []).append(Column(name, kind, about))
    abouts = {name: about for _, name, _, about, _ in found if about}
    reads = {
        name: [_DEFINES.get(name, name), *_READS.findall(sql)]
        for _, name, _, _, sql in found
        if sql
    }
    documented = {table: columns[database, table] for database, table, *_ in found}
    return tuple(
        Table(
            name,
            ("own view" if kind == "view" else "own table") if database == scratch else kind,
            about or abouts.get(_DEFINES.get(name, ""), ""),
            tuple(
                _with_source(column, name, reads, documented) for column in columns[database, name]
            ),
        )
        for database, name, kind, about, _ in found
    )


def _with_source(
    column: Column,
    table: str,
    reads: Mapping[str, list[str]],
    documented: Mapping[str, list[Column]],
) -> Column:
    """A view's column without a comment has that of its namesake in what the view reads."""
    seen = {table}
    pending = list(reads.get(table, ()))
    while pending and not column.about:
        source = pending.pop(0)
        if source in seen:
            continue
        seen.add(source)
        for other in documented.get(source, ()):
            if other.name == column.name and other.about:
                return msgspec.structs.replace(column, about=other.about)
        pending += reads.get(source, ())
    return column


def _functions(cursor: DuckDBPyConnection) -> tuple[Function, ...]:
    found = cursor.execute(
        """
        SELECT function_name, function_type, parameters, parameter_types, varargs, return_type,
               coalesce(description, ''), coalesce(examples, [])
        FROM duckdb_functions()
        WHERE function_type <> 'pragma'
        ORDER BY function_name, function_type, len(parameters)
        """
    ).fetchall()
    variants: dict[str, list[tuple[str, str, str, str]]] = {}
    for name, kind, parameters, types, varargs, returns, about, examples in found:
        if _PLAIN.fullmatch(name) and not _INTERNAL.match(name):
            signature = _signature(name, parameters, types, varargs, returns)
            example = examples[0] if examples else ""
            variants.setdefault(name, []).append((kind, signature, about, example))
    return tuple(_function(name, rows) for name, rows in variants.items())


def _function(name: str, rows: Iterable[tuple[str, str, str, str]]) -> Function:
    kinds, signatures, abouts, examples = zip(*rows, strict=True)
    return Function(
        name,
        tuple(dict.fromkeys(kinds)),
        tuple(dict.fromkeys(signatures)),
        next(filter(None, abouts), ""),
        next(filter(None, examples), ""),
    )


def _signature(
    name: str, parameters: list[str], types: list[str | None], varargs: str | None, returns: str
) -> str:
    given = [
        f"{parameter} {kind}" if kind else parameter
        for parameter, kind in zip(parameters, types, strict=False)
    ]
    if varargs:
        given.append(f"{varargs} ...")
    return f"{name}({', '.join(given)})" + (f" -> {returns}" if returns else "")


def _values(cursor: DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    """What text columns hold: fixed words from their definition, others from the small tables."""
    statuses: tuple[str, ...] = get_args(Status)
    readings: tuple[str, ...] = get_args(ReadingName)
    fixed = {
        **dict.fromkeys(
            ("status", "text_status", "vocab_status", "read_status", "majority_status"), statuses
        ),
        "runs.status": ("running", "finished", "cancelled", "failed", "interrupted"),
        "runs.kind": ("run", "rerun", "edit", "import"),
        "generations.kind": ("greedy", "sample", "extra", "branch"),
        "continuations.kind": ("label", "text"),
        "finish_reason": ("stop", "length", "cancelled"),
        "text_source": ("reading", "human label", "override"),
        "reading": readings,
        "readings.name": readings,
    }
    stored = {
        "format": "SELECT DISTINCT unnest(formats) FROM runs",
        "dataset": "SELECT DISTINCT dataset FROM questions",
        "subject": "SELECT DISTINCT subject FROM questions",
        "model": "SELECT DISTINCT model FROM runs",
        "runs.name": "SELECT DISTINCT name FROM runs",
        "perturbation": "SELECT DISTINCT perturbation FROM outcomes WHERE perturbation IS NOT NULL",
        **dict.fromkeys(
            ("label", "gold", "first_token", "text_label", "majority"),
            "SELECT DISTINCT unnest(options).label FROM questions",
        ),
    }
    read = {
        name: tuple(
            value
            for (value,) in cursor.execute(f"{query} ORDER BY 1 LIMIT {MOST_VALUES}").fetchall()
        )
        for name, query in stored.items()
    }
    return {**fixed, **read}
