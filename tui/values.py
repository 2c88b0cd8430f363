"""Values of query results as people read, search and copy them.

In a grid a value is one line: numbers short, lists as DuckDB writes them, what is absent as the
sign that means so everywhere. Whole values are for the viewer and for copying: text as it is.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from tui.output import NOT_RECORDED
from tui.words import one_line

if TYPE_CHECKING:
    from engine.sql.result import Column

SHOWN_CHARACTERS = 400
"""Of a long value that a cell may need; the viewer shows all of it."""
_NUMERIC = re.compile(r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|BIGNUM|DECIMAL\(.*")
_PLAIN_EXPONENT = 1e15
"""Below this a large number is written without an exponent."""


def is_numeric(sql_type: str) -> bool:
    """Whether a type's values are numbers, to be aligned at the right."""
    return _NUMERIC.fullmatch(sql_type.upper()) is not None


def is_temporal(sql_type: str) -> bool:
    """Whether a type's values are places in time."""
    return sql_type.upper().startswith(("DATE", "TIME"))


def shown(value: object) -> str:
    """A value in one line, cut where no cell could show more."""
    if value is None:
        return NOT_RECORDED
    if isinstance(value, str):
        # A text that reads like the sign for nothing must not be taken for it.
        return f'"{value}"' if value == NOT_RECORDED else one_line(value[:SHOWN_CHARACTERS])
    return one_line(_nested(value, SHOWN_CHARACTERS))


def whole(value: object) -> str:
    """A value as the viewer shows it: text as it is, lists and structs a part a line."""
    if isinstance(value, list | tuple | dict):
        return json.dumps(_jsonable(value), indent=2, ensure_ascii=False)
    return copied(value)


def copied(value: object) -> str:
    """A value as it is copied: text as it is, numbers with every digit, nothing for NULL."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list | tuple | dict):
        return json.dumps(_jsonable(value), ensure_ascii=False)
    return _scalar(value)


def as_tsv(names: Sequence[str] | None, rows: Iterable[Sequence[object]]) -> str:
    """Rows as tab separated values, quoted as spreadsheets read it; ``names`` is the header."""
    written = io.StringIO()
    writer = csv.writer(written, dialect="excel-tab", lineterminator="\n")
    if names is not None:
        writer.writerow(names)
    writer.writerows([copied(value) for value in row] for row in rows)
    return written.getvalue()


def numeric(value: object) -> float | None:
    """A value as a number to draw; None where it is none or not finite."""
    if value is None or isinstance(value, str | bytes):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def described(column: Column) -> str:
    """A column's name and type, in one line."""
    return f"{one_line(column.name)} {column.type}"


def _nested(value: object, room: int) -> str:
    """A value as DuckDB writes it, no longer than there is room for by much."""
    if isinstance(value, list | tuple):
        return f"[{_joined((_nested_item(each, room) for each in value), room)}]"
    if isinstance(value, Mapping):
        parts = (f"{key}: {_nested_item(each, room)}" for key, each in value.items())
        return f"{{{_joined(parts, room)}}}"
    if isinstance(value, float):
        return _decimal(value)
    return _scalar(value)


def _nested_item(value: object, room: int) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'{}'".format(value[:room].replace("'", "''"))
    return _nested(value, room)


def _joined(parts: Iterable[str], room: int) -> str:
    """Parts between commas, until there is no room for more."""
    joined, length = [], 0
    for part in parts:
        joined.append(part)
        length += len(part) + 2
        if length > room:
            break
    return ", ".join(joined)


def _decimal(value: float) -> str:
    """A number in six digits, or to one decimal where it is large."""
    short = f"{value:.6g}"
    if "e+" in short and abs(value) < _PLAIN_EXPONENT:
        return f"{value:.1f}"
    return short


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    return str(value)


def _jsonable(value: object) -> object:
    """The same with everything that JSON has no type for as text."""
    if isinstance(value, list | tuple):
        return [_jsonable(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _jsonable(each) for key, each in value.items()}
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return _scalar(value)
