"""Rows out of question files: csv, json lines, json and parquet. Every cell stays as it is."""

from __future__ import annotations

import ast
import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import QuestionError
from engine.shapes import (
    ANSWER_KEYS,
    LABELS,
    OPTION_KEYS,
    QUESTION_KEYS,
    option_columns,
)


class Row(msgspec.Struct, frozen=True):
    """One question as a file tells it.

    Attributes:
        place: File and line, for messages.
        values: The columns or keys.
    """

    place: str
    values: Mapping[str, Any]


def read_rows(path: Path) -> Iterator[Row]:
    """Read a question file row by row.

    Args:
        path: A file whose name ends in ``.csv``, ``.jsonl``, ``.json`` or ``.parquet``.

    Raises:
        QuestionError: The file can't be read, is not what its name says, or has no rows.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise QuestionError(
            f"{path} is no question file: its name ends in '{path.suffix}'.",
            f"Known endings are {', '.join(READERS)}.",
        )
    count = 0
    for row in reader(path):
        count += 1
        yield row
    if not count:
        raise QuestionError(f"{path} holds no questions.", "Check that it was written completely.")


def _text(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise QuestionError(f"Can't read {path}: {error.strerror}.", "Check the path.") from error
    except UnicodeDecodeError as error:
        bad = error.object[error.start]
        raise QuestionError(
            f"{path} is not UTF-8 text: its byte {error.start} is 0x{bad:02x}.", "Save it as UTF-8."
        ) from error
    if "\0" in text:
        raise QuestionError(f"{path} is binary, not text.", "Check what was saved under this name.")
    return text


def _csv(path: Path) -> Iterator[Row]:
    """Rows of a csv file with a header, or without one as in the original MMLU files."""
    lines = _csv_lines(path)
    first = next(lines, None)
    if first is None:
        return
    names = [cell.strip().lower() for cell in first[1]]
    if set(names) & set(QUESTION_KEYS):
        _check_columns(path, names)
    else:
        names = _original_columns(*first)
        yield Row(first[0], dict(zip(names, first[1], strict=True)))
    for place, cells in lines:
        if len(cells) != len(names):
            raise QuestionError(
                f"{place}: there are {len(cells)} columns where the first line has {len(names)}.",
                "Put texts that hold commas or line breaks in quotes.",
            )
        values = dict(zip(names, cells, strict=True))
        yield Row(place, {name: _cell(place, name, cell) for name, cell in values.items()})


def _csv_lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Lines that hold anything, with the place where each begins."""
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    while True:
        place = f"{path}, line {reader.line_num + 1}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise QuestionError(f"{place}: {error}.", "Check the quotes from here on.") from error
        if any(cell.strip() for cell in cells):
            yield place, cells


def _check_columns(path: Path, names: list[str]) -> None:
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice:
        raise QuestionError(f"{path} has two columns '{twice}'.", "Rename one of them.")
    if not option_columns(names) and not set(names) & set(OPTION_KEYS):
        raise QuestionError(
            f"{path} has no column for the options.",
            "Call them A, B, C, ... or choice0, choice1, ...",
        )
    if not set(names) & set(ANSWER_KEYS):
        raise QuestionError(
            f"{path} has no column 'answer'.",
            "Add one; leave it empty where a question has no right answer.",
        )


def _original_columns(place: str, cells: list[str]) -> list[str]:
    """Column names of a file without a header: question, options, letter of the answer."""
    options = LABELS[: max(0, len(cells) - 2)]
    if len(cells) != len(options) + 2 or cells[-1].strip() not in tuple(options):
        raise QuestionError(
            f"{place}: there is neither a header with a column 'question' "
            "nor a last column with the answer's letter.",
            "Add a header: question,A,B,C,D,answer.",
        )
    return ["question", *options, "answer"]


def _cell(place: str, name: str, cell: str) -> Any:
    """A cell; the one of the answer may hold a number, the one of all options a list."""
    if name in ANSWER_KEYS:
        stripped = cell.strip()
        return int(stripped) if stripped.isdecimal() else stripped or None
    if name in (*OPTION_KEYS, "option_ordinal", "ordinals") and cell.lstrip().startswith(
        ("[", "{")
    ):
        try:
            return ast.literal_eval(cell.strip())
        except (ValueError, SyntaxError) as error:
            raise QuestionError(f"{place}: the column '{name}' holds no list.") from error
    return cell


def _jsonl(path: Path) -> Iterator[Row]:
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if line.strip():
            place = f"{path}, line {number}"
            yield Row(place, _mapping(place, _decode(place, line)))


def _json(path: Path) -> Iterator[Row]:
    """A list of questions, a table with a list under ``questions`` or ``data``, or one question."""
    text = _text(path)
    if not text.strip():
        return
    found = _decode(str(path), text)
    if isinstance(found, dict):
        lists = (found[key] for key in ("questions", "data") if isinstance(found.get(key), list))
        found = next(lists, [found])
    if not isinstance(found, list):
        raise QuestionError(f"{path} holds neither a question nor a list of them.")
    for number, item in enumerate(found, start=1):
        place = f"{path}, entry {number}"
        yield Row(place, _mapping(place, item))


def _decode(place: str, text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise QuestionError(f"{place}: {error}.", "Write one JSON value there.") from error


def _mapping(place: str, item: Any) -> Mapping[str, Any]:
    if not isinstance(item, dict):
        raise QuestionError(f"{place}: this is no question but {type(item).__name__}.")
    return item


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=1024):
                for values in batch.to_pylist():
                    number += 1
                    yield Row(f"{path}, row {number}", values)
    except (pa.ArrowException, OSError) as error:
        raise QuestionError(f"Can't read {path} as parquet: {error}.", "Check the file.") from error


READERS = {
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".parquet": _parquet,
}
