"""The files of inspect logs: ``.eval`` archives and ``.json`` documents, as header and samples."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import LogError
from engine.importers.files import an_object, json_of, need, parsed
from engine.importers.recorded import laid_out

KIND = "inspect"
VERSION = 2
"""Newest version of the format that is read."""

ATTACHMENT = "attachment://"
ZSTANDARD = 93
"""Number of the compression in archives, which Python's zipfile does not know before 3.14."""

Record = dict[str, Any]


class Log(NamedTuple):
    """One log.

    Attributes:
        header: Everything but the samples, with ``status`` "started" where it was never finished.
        samples: Place and content of each sample, attachments put where they belong.
    """

    header: Record
    samples: list[tuple[str, Record]]


def read_log(path: Path) -> Log:
    """Read one log, finished or not.

    Raises:
        LogError: It is truncated, no inspect log, or of a newer version.
    """
    header, found = _archive(path) if _is_archive(path) else _document(path)
    need(header, ["version", "eval"], str(path), KIND)
    need(an_object(header["eval"], str(path)), ["task", "model"], str(path), KIND)
    samples = []
    for place, sample in found:
        need(sample, ["id", "epoch", "input", "target"], place, KIND)
        with laid_out(place, KIND):
            attachments = sample.get("attachments") or {}
            samples.append((place, _resolved(_without_history(sample), attachments)))
    return Log(header, samples)


def _without_history(sample: Record) -> Record:
    """The same with the last call of the model alone: nothing else of long histories is read."""
    calls = [event for event in sample.get("events") or [] if event.get("event") == "model"]
    return {**sample, "events": calls[-1:], "attachments": {}}


def _is_archive(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix == ".eval" or file.read(4) == b"PK\x03\x04"


def _document(path: Path) -> tuple[Record, list[tuple[str, Record]]]:
    header = an_object(json_of(path), str(path))
    _check_version(header, path)
    samples = header.pop("samples", None) or []
    if not isinstance(samples, list):
        raise LogError(f"{path} has no list of samples.", "The file is of another kind.")
    return header, [
        (f"{path}, sample {number}", an_object(sample, f"{path}, sample {number}"))
        for number, sample in enumerate(samples, start=1)
    ]


def _archive(path: Path) -> tuple[Record, list[tuple[str, Record]]]:
    try:
        with zipfile.ZipFile(path) as archive:
            header = _header(path, archive)
            _check_version(header, path)
            return header, list(_samples(path, archive))
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        raise LogError(
            f"{path} is no complete .eval archive.",
            "It is truncated, or still being copied: copy it again.",
        ) from error
    except (OSError, NotImplementedError) as error:
        raise LogError(
            f"{path} can't be read: {str(error).rstrip('.')}.", "Copy it again, or write it anew."
        ) from error


def _header(path: Path, archive: zipfile.ZipFile) -> Record:
    """The header; of a log that was never finished, what stands in its journal."""
    names = set(archive.namelist())
    for start in ("header.json", "_journal/start.json", "start.json"):
        if start in names:
            header = {"status": "started", **_object(path, archive, start)}
            break
    else:
        raise LogError(
            f"{path} has no header.json, so it is no {KIND} log.",
            "Name the kind that it is: see logitscope import --help.",
        )
    if start == "start.json" and "results.json" in names:
        header |= _object(path, archive, "results.json")
    if "reductions.json" in names:
        header["reductions"] = parsed(_content(archive, "reductions.json"), str(path))
    return header


def _samples(path: Path, archive: zipfile.ZipFile) -> Iterator[tuple[str, Record]]:
    for name in archive.namelist():
        if name.startswith("samples/") and name.endswith(".json"):
            yield f"{path}, {name}", _object(path, archive, name)


def _object(path: Path, archive: zipfile.ZipFile, name: str) -> Record:
    place = f"{path}, {name}"
    try:
        return an_object(parsed(_content(archive, name), place), place)
    except UnicodeDecodeError as error:
        raise LogError(f"{place} is no text in UTF-8.", "Check that it is a log.") from error


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    """What stands in an archive under a name; newer logs are compressed with Zstandard."""
    entry = archive.getinfo(name)
    if entry.compress_type != ZSTANDARD:
        return archive.read(name)
    import pyarrow as pa

    raw = archive.fp
    assert raw is not None, "the archive is open"
    raw.seek(entry.header_offset + 26)
    skipped = int.from_bytes(raw.read(2), "little") + int.from_bytes(raw.read(2), "little")
    raw.seek(skipped, 1)
    packed = pa.py_buffer(raw.read(entry.compress_size))
    content: bytes = pa.input_stream(packed, compression="zstd").read()
    if zlib.crc32(content) != entry.CRC:
        raise zipfile.BadZipFile(f"bad checksum of {name}")
    return content


def _check_version(header: Record, path: Path) -> None:
    version = header.get("version")
    if isinstance(version, int) and version > VERSION:
        raise LogError(
            f"{path} is version {version} of the {KIND} log format; logitscope reads {VERSION}.",
            "Upgrade logitscope.",
        )


def _resolved(value: Any, attachments: Record) -> Any:
    """The same with long texts, which logs keep apart, in the places that name them."""
    if isinstance(value, str):
        name = value.removeprefix(ATTACHMENT)
        return attachments.get(name, value) if name != value else value
    if isinstance(value, list):
        return [_resolved(each, attachments) for each in value]
    if isinstance(value, dict):
        return {key: _resolved(each, attachments) for key, each in value.items()}
    return value
