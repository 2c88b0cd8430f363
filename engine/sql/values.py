"""Python values of Arrow columns, whatever is in them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_WITHOUT_ARROW = ("UHUGEINT", "BIGNUM", "BIT", "TIME WITH TIME ZONE", "INTERVAL", "GEOMETRY")
"""SQL types whose values get lost or become unreadable as Arrow; they travel as text."""

_NO_PYTHON_VALUE = (ValueError, OverflowError, ImportError)


def fit_for_arrow(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """The same rows, with the columns that Arrow can't hold as text."""
    if not any(str(type_) in _WITHOUT_ARROW for type_ in relation.types):
        return relation
    columns = []
    for number, (name, type_) in enumerate(zip(relation.columns, relation.types, strict=True), 1):
        cast = "::VARCHAR" if str(type_) in _WITHOUT_ARROW else ""
        columns.append(f"#{number}{cast} AS {quoted(name)}")
    return relation.project(", ".join(columns))


def quoted(name: str) -> str:
    """A name as SQL."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def python_values(column: pa.Array) -> list[Any]:
    """One value a row; one that Python has no type for as its text.

    Those are times before the year 1 or after 9999, and such that are finer than a microsecond.
    Whole numbers are int, however large.
    """
    import pyarrow as pa

    try:
        values: list[Any] = column.to_pylist(maps_as_pydicts="lossy")
    except _NO_PYTHON_VALUE:
        return [_value(cell) for cell in column]
    if pa.types.is_decimal(column.type) and column.type.scale == 0:
        return [None if value is None else int(value) for value in values]
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        return [_value(cell) for cell in column]
    return values


def _value(cell: pa.Scalar) -> Any:
    import pyarrow as pa

    if isinstance(cell, pa.ListScalar) and cell.is_valid:
        return [_value(each) for each in cell.values]
    with suppress(*_NO_PYTHON_VALUE):
        value = cell.as_py(maps_as_pydicts="lossy")
        if not pa.types.is_timestamp(cell.type) or cell.type.unit != "ns" or value is None:
            return value
    with suppress(pa.ArrowException):
        return cell.cast(pa.string()).as_py()
    return repr(cell)
