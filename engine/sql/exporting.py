r"""Rows written away, batch by batch: as many as there are, in the memory of one batch.

===========  ==============================================================================
csv          UTF-8, a header, texts in quotes. NULL is nothing, an empty text ``""``. Lists and
             structs are JSON, blobs as DuckDB writes them (``\xE2``), so they can be read back.
jsonl, json  One object a row, a line each; in json they stand in one array. Decimals and blobs
             are text, numbers that JSON does not know are ``"NaN"``, ``"Infinity"``.
parquet      Every type as it is.
markdown     A table for a paper or an issue. NULL is a dash, as on the screens.
===========  ==============================================================================

Columns of one name get numbers in all but csv and markdown: ``a``, ``a_1``.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, get_args

import msgspec

from engine.errors import StoreError
from engine.sql.result import Result
from engine.sql.values import python_values

if TYPE_CHECKING:
    import pyarrow as pa

ExportFormat = Literal["csv", "parquet", "jsonl", "json", "markdown"]
FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)

ENDINGS: dict[str, ExportFormat] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".md": "markdown",
}
"""What a file's ending says about its format."""

NOT_THERE = "–"
"""NULL in a Markdown table."""

_LARGEST = 2**63
"""Whole numbers of JSON libraries end here; larger ones are written digit by digit."""


class Exported(msgspec.Struct, frozen=True):
    """What was written.

    Attributes:
        rows: How many rows.
        whole: Whether these are all rows of the result.
        path: Where to; None for a stream.
    """

    rows: int
    whole: bool
    path: Path | None = None

    def sentence(self) -> str:
        """What to tell the user."""
        counted = f"{self.rows:,} {'row' if self.rows == 1 else 'rows'}"
        what = counted if self.whole else f"{counted} of more than {self.rows:,}"
        return f"Wrote {what}{f' to {self.path}' if self.path else ''}."


def export(
    rows: Result | pa.Table,
    path: str | Path,
    form: ExportFormat | None = None,
    *,
    replace: bool = False,
    limit: int | None = None,
) -> Exported:
    """Write a result to a file, which is there whole or not at all.

    Args:
        rows: A result, of which everything is written, not only what is fetched; or a table.
        path: The file.
        form: None where the file's ending says it.
        replace: Whether a file of that name may be written over.
        limit: Write at most so many rows.

    Raises:
        QueryError: The statement fails at a later row, or was cancelled.
        StoreError: The ending says nothing, there is such a file, or it can't be written.
    """
    place = Path(path).expanduser()
    known = form or ENDINGS.get(place.suffix.lower())
    if known is None:
        raise StoreError(
            f"The name {place.name} does not say what to write.",
            f"End it with {', '.join(ENDINGS)}, or name a format.",
        )
    taken = StoreError(f"{place} is there already.", "Take another name, or replace it (--force).")
    if place.exists() and not replace:
        raise taken
    draft = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        with draft.open("xb") as file:
            written = write(rows, file, known, limit=limit)
        if not replace:
            # Unlike a look beforehand, this fails where another process was quicker.
            place.touch(exist_ok=False)
        draft.replace(place)
    except FileExistsError:
        raise taken from None
    except OSError as error:
        raise StoreError(
            f"{place} can't be written: {error.strerror or error}.", "Name another place."
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return msgspec.structs.replace(written, path=place)


def write(
    rows: Result | pa.Table, stream: IO[bytes], form: ExportFormat, *, limit: int | None = None
) -> Exported:
    """Write a result to an open binary stream, as :func:`export` does.

    Raises:
        QueryError: The statement fails at a later row, or was cancelled.
        OSError: The stream takes no more.
    """
    # What is cut short after the last fetched row can't be fetched any more.
    reachable = not isinstance(rows, Result) or rows.complete or rows.open
    schema = rows.table().schema if isinstance(rows, Result) else rows.schema
    written = 0
    cut = False
    with _WRITERS[form](stream, schema) as writer:
        for batch in rows.batches() if isinstance(rows, Result) else rows.to_batches():
            if limit is not None and written + batch.num_rows > limit:
                batch, cut = batch.slice(0, limit - written), True
            if batch.num_rows:
                writer.write(batch)
                written += batch.num_rows
            if cut:
                break
    return Exported(written, reachable and not cut)


def markdown_row(cells: Iterable[str]) -> str:
    """One line of a Markdown table."""
    escaped = (cell.replace("\\", "\\\\").replace("|", "\\|") for cell in cells)
    return "| " + " | ".join("<br>".join(cell.splitlines()) for cell in escaped) + " |"


class _Writer(AbstractContextManager["_Writer"]):
    """Writes batches of one schema to a stream."""

    def __init__(self, stream: IO[bytes], schema: pa.Schema) -> None:
        self._stream = stream
        self._schema = schema
        self._begin()

    def _begin(self) -> None:
        """Write what stands before the first row."""

    def write(self, batch: pa.RecordBatch) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        """Write what stands after the last row."""

    def _print(self, text: str) -> None:
        self._stream.write(text.encode("utf-8", "replace"))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._end()


class _Csv(_Writer):
    def _begin(self) -> None:
        self._print(_csv_line(self._schema.names))

    def write(self, batch: pa.RecordBatch) -> None:
        import pyarrow as pa
        from pyarrow.csv import WriteOptions, write_csv

        columns = [_flat(column) for column in batch.columns]
        # Names may repeat in a result, but not for the writer.
        names = [str(number) for number in range(len(columns))]
        part = io.BytesIO()
        write_csv(pa.table(columns, names=names), part, WriteOptions(include_header=False))
        self._stream.write(part.getbuffer())


class _Jsonl(_Writer):
    _between = "\n"
    _first = True

    def _begin(self) -> None:
        self._keys = _unique(self._schema.names)

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [_for_json(column) for column in batch.columns]
        encode = msgspec.json.Encoder(enc_hook=str).encode
        lines = [
            encode(dict(zip(self._keys, row, strict=True))) for row in zip(*columns, strict=True)
        ]
        if not self._first:
            self._print(self._between)
        self._first = False
        self._stream.write(self._between.encode().join(lines))

    def _end(self) -> None:
        if not self._first:
            self._print("\n")


class _Json(_Jsonl):
    _between = ",\n"

    def _begin(self) -> None:
        super()._begin()
        self._print("[\n")

    def _end(self) -> None:
        super()._end()
        self._print("]\n")


class _Parquet(_Writer):
    def _begin(self) -> None:
        from pyarrow.parquet import ParquetWriter

        self._schema = self._schema.remove_metadata()
        for number, name in enumerate(_unique(self._schema.names)):
            self._schema = self._schema.set(number, self._schema.field(number).with_name(name))
        self._writer = ParquetWriter(self._stream, self._schema, compression="zstd")

    def write(self, batch: pa.RecordBatch) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_arrays(batch.columns, schema=self._schema))

    def _end(self) -> None:
        self._writer.close()


class _Markdown(_Writer):
    def _begin(self) -> None:
        rules = ["---:" if _is_number(field.type) else ":---" for field in self._schema]
        self._print(f"{markdown_row(self._schema.names)}\n| {' | '.join(rules)} |\n")

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [_flat(column).to_pylist() for column in map(_as_text, batch.columns)]
        for row in zip(*columns, strict=True):
            self._print(markdown_row(NOT_THERE if cell is None else cell for cell in row) + "\n")


_WRITERS: dict[ExportFormat, type[_Writer]] = {
    "csv": _Csv,
    "jsonl": _Jsonl,
    "json": _Json,
    "parquet": _Parquet,
    "markdown": _Markdown,
}


def _csv_line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _unique(names: Sequence[str]) -> list[str]:
    """Names that repeat get numbers."""
    unique: list[str] = []
    for name in names:
        taken, number = name, 0
        while taken in unique or (number and taken in names):
            number += 1
            taken = f"{name}_{number}"
        unique.append(taken)
    return unique


def _is_number(kind: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _flat(column: pa.Array) -> pa.Array:
    """A column without lists, structs and blobs: those are text."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_nested(column.type):
        texts = [
            None if value is None else json.dumps(value, ensure_ascii=False, default=_plain)
            for value in python_values(column)
        ]
        return pa.array(texts, pa.string())
    if types.is_binary(column.type) or types.is_large_binary(column.type):
        return pa.array(
            [None if value is None else _blob(value) for value in column.to_pylist()], pa.string()
        )
    return column


def _as_text(column: pa.Array) -> pa.Array:
    """A column as the shortest texts that keep every digit; what is no plain value stays."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_nested(column.type) or types.is_binary(column.type):
        return column
    return column.cast(pa.string())


def _for_json(column: pa.Array) -> list[Any]:
    """Python values that can be written as JSON."""
    values = python_values(column)
    return [_known(value) for value in values] if _may_be_unknown(column.type) else values


def _may_be_unknown(kind: pa.DataType) -> bool:
    """Whether a type can hold what JSON has no word for, or another one than is written here."""
    from pyarrow import types

    if types.is_nested(kind):
        return any(_may_be_unknown(kind.field(at).type) for at in range(kind.num_fields))
    small = types.is_integer(kind) and not types.is_uint64(kind)
    return bool(types.is_binary(kind) or (_is_number(kind) and not small))


def _known(value: Any) -> Any:
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        return msgspec.Raw(str(value).encode())
    if isinstance(value, bytes):
        return _blob(value)
    if isinstance(value, list):
        return [_known(each) for each in value]
    if isinstance(value, dict):
        return {key: _known(each) for key, each in value.items()}
    return value


def _plain(value: object) -> str:
    """What JSON has no type for, as text."""
    return _blob(value) if isinstance(value, bytes) else str(value)


def _blob(raw: bytes) -> str:
    r"""Bytes as DuckDB writes them: printable ASCII as it is, everything else as ``\xE2``."""
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b"\\'\"" else f"\\x{byte:02X}" for byte in raw
    )
