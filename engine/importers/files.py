"""Reading the files of logs, with one clear sentence for everything that is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from engine.errors import LogError


def files_in(paths: Sequence[str], *patterns: str, what: str) -> list[Path]:
    """The files named, and those in the folders named that fit a pattern, sorted; each once.

    Args:
        paths: Files or folders.
        patterns: Of names, such as ``*.jsonl``, looked for in folders at any depth.
        what: What is looked for, in words.

    Raises:
        LogError: A path is not there, or a folder holds no such file.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted({each for pattern in patterns for each in path.rglob(pattern)})
            if not inside:
                raise LogError(f"The folder {path} holds no {what}.", "Name another one.")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise LogError(f"There is no file or folder {path}.", "Check the path.")
    return list({path.resolve(): path for path in found}.values())


def text_of(path: Path) -> str:
    """A file's text.

    Raises:
        LogError: It can't be read, or is no UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise LogError(f"{path} is no text in UTF-8.", "Check that it is a log.") from error
    except OSError as error:
        raise LogError(f"{path} can't be read: {error.strerror}.") from error


def json_of(path: Path) -> Any:
    """The JSON document of a file.

    Raises:
        LogError: It is none.
    """
    return parsed(text_of(path), str(path))


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """File and number of every line that is not blank, and the JSON object in it.

    Raises:
        LogError: A line is no JSON object: the file is truncated or something else.
    """
    # Not splitlines: texts may hold other line separators than the one that ends a record.
    for number, line in enumerate(text_of(path).split("\n"), start=1):
        if line.strip():
            place = f"{path}, line {number}"
            yield place, an_object(parsed(line, place), place)


def parsed(text: str | bytes, place: str) -> Any:
    """A JSON document.

    Raises:
        LogError: It is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        what = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise LogError(
            f"{place} is no complete JSON ({what.lower()}).",
            "The file is truncated, or of another kind.",
        ) from error


def an_object(value: Any, place: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        LogError: It is something else.
    """
    if not isinstance(value, dict):
        raise LogError(f"{place} holds no JSON object.", "The file is of another kind.")
    return value


def need(record: dict[str, Any], keys: Iterable[str], place: str, kind: str) -> None:
    """Refuse a record that lacks what every record of its kind has.

    Raises:
        LogError: A key is missing; the sentence names it.
    """
    missing = [key for key in keys if key not in record]
    if missing:
        raise LogError(
            f"{place} has no {missing[0]!r}, so it is no {kind} log.",
            "Name the kind that it is: see logitscope import --help.",
        )


def malformed(place: str, kind: str, error: Exception) -> NoReturn:
    """Say that a record is not laid out as its kind is.

    Raises:
        LogError: Always.
    """
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    raise LogError(
        f"{place} is not laid out as a {kind} log ({what}).",
        "The file is truncated, or of a version that logitscope does not know.",
    ) from error
