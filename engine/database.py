"""Opening DuckDB files, and saying in one sentence what DuckDB complains about."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from engine.errors import StoreError

MEMORY = "1GB"
"""For DuckDB's data in one process; what does not fit is read again or spilled to the disk."""

LEAN_MEMORY = "96MB"
"""Enough for the lists of a million probes, in a process that should stay small."""

CACHE = 16_000_000
"""Bytes of the file that may stay in memory between queries, see :func:`trim`."""

SPILLED = "4GB"
"""What queries may put on the disk, beside the database, while they run."""

SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "storage_compatibility_version": "v1.5.0",
    "memory_limit": MEMORY,
    "allowed_configs": ["memory_limit"],  # for trim
    "max_temp_directory_size": SPILLED,
    # Give memory back early.
    "allocator_flush_threshold": "8MB",
    "allocator_background_threads": True,
    # Queries are anyone's, so every connection is sandboxed: no file, network, extension or
    # Python variable is in reach, and no query can change that.
    "enable_external_access": False,
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}
"""What every connection is opened with; :func:`lock` keeps it that way."""

UNLOCKED = SETTINGS | {
    "enable_external_access": True,
    "autoinstall_known_extensions": True,
    "autoload_known_extensions": True,
}
"""What a user has to switch on: files, network and extensions are in reach of every query."""

_LOCKED = re.compile(r"Conflicting lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")
_PREFIX = re.compile(r"^(?:[A-Z]\w* )*(?:Error|TransactionContext Error): (?:Failed to commit: )?")
_FULL = ("No space left", "File too large", "Disk quota exceeded", "ENOSPC")


class LockedError(StoreError):
    """Another process holds the database.

    Attributes:
        pid: That process, None where the system does not tell.
    """

    def __init__(self, sentence: str, hint: str, pid: int | None) -> None:
        super().__init__(sentence, hint)
        self.pid = pid


def connect(path: Path, *, read_only: bool, unlocked: bool = False) -> duckdb.DuckDBPyConnection:
    """Open a database file, made where it is not there yet (unless for reading only).

    Args:
        path: The file.
        read_only: Change nothing.
        unlocked: Let queries reach files, network and extensions.

    Raises:
        LockedError: Another process holds the file.
        StoreError: The file or its folder is missing, not readable, or no DuckDB database.
    """
    try:
        _check_place(path, read_only)
        return duckdb.connect(
            str(path), read_only=read_only, config=UNLOCKED if unlocked else SETTINGS
        )
    except PermissionError as error:
        raise _forbidden(path) from error
    except duckdb.Error as error:
        raise _refused(path, error) from error


def limit_memory(connection: duckdb.DuckDBPyConnection, memory: str) -> None:
    """Set the memory for this file in this process."""
    connection.execute(f"SET memory_limit = '{memory}'")


def trim(connection: duckdb.DuckDBPyConnection) -> None:
    """Let go of what was read from the file but for :data:`CACHE`; takes milliseconds.

    DuckDB keeps what it read up to the limit of its memory, and forgets it where that sinks for a
    moment. A query that runs in this moment would fail: see to it that none does.
    """
    ((held, limit),) = connection.execute(
        "SELECT sum(memory_usage_bytes), current_setting('memory_limit') FROM duckdb_memory()"
    ).fetchall()
    if held > CACHE:
        # Where more is in use than that, the limit stays as it is.
        with suppress(duckdb.OutOfMemoryException):
            connection.execute(f"SET memory_limit = '{CACHE}B'; SET memory_limit = '{limit}'")


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Allow no more changes of settings."""
    connection.execute("SET lock_configuration = true")


def reason(error: duckdb.Error) -> str:
    """What DuckDB says, on one line, without its error class, its advice and the query."""
    text = re.split(r"See also|Possible solutions|\n\s*LINE \d+:", str(error), maxsplit=1)[0]
    line = " ".join(text.split())
    return _PREFIX.sub("", line).rstrip(" .")


def write_failure(path: Path, error: duckdb.Error) -> StoreError:
    """The error for a change that DuckDB could not make."""
    said = reason(error)
    if any(sign in str(error) for sign in _FULL):
        free = shutil.disk_usage(path.parent).free / 2**20
        return StoreError(
            f"{path} can't grow: {said} ({free:,.0f} MiB free).",
            "What was stored before is safe; make room, then go on with --resume.",
        )
    return StoreError(f"{path} can't be written: {said}.", "What was stored before is safe.")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn DuckDB's errors inside the block into a StoreError that names the file."""
    try:
        yield
    except (duckdb.InterruptException, duckdb.ConnectionException) as error:
        raise StoreError(
            f"Reading {path} was cut short: it was closed or opened anew.", "Try again."
        ) from error
    except duckdb.Error as error:
        raise StoreError(f"{path} can't be read: {reason(error)}.") from error


def _check_place(path: Path, read_only: bool) -> None:
    if path.is_dir():
        raise StoreError(f"{path} is a folder, not a database.", "Name a file in it.")
    if not path.exists():
        if read_only:
            raise StoreError(
                f"There is no database {path}.", f"Make one with: logitscope run ... --db {path}"
            )
        if not path.parent.is_dir():
            raise StoreError(
                f"{path} can't be made: there is no folder {path.parent}.",
                "Make the folder first, or name another file.",
            )


def _refused(path: Path, error: duckdb.Error) -> StoreError:
    text = str(error)
    if locked := _LOCKED.search(text):
        return LockedError(
            f"{path} is in use by {Path(locked['program']).name}, process {locked['pid']}.",
            f"Close it there, or name another file; to look at a copy: logitscope {path} --copy",
            int(locked["pid"]),
        )
    if "Could not set lock" in text or "being used by another process" in text:
        return LockedError(
            f"{path} is in use by another process.",
            f"Close it there, or name another file; to look at a copy: logitscope {path} --copy",
            None,
        )
    if "not a valid DuckDB database file" in text:
        return StoreError(f"{path} is not a DuckDB database.", "Name another file.")
    if "Permission denied" in text or "Read-only file system" in text:
        return _forbidden(path)
    return StoreError(f"{path} can't be opened: {reason(error)}.")


def _forbidden(path: Path) -> StoreError:
    return StoreError(
        f"{path} can't be opened: permission denied.",
        "Open it for reading only, or copy it to a folder of yours.",
    )
