"""A consistent copy of a database that some process may be writing.

DuckDB lets nobody else open a file that a process has open for writing, and inside that process
nobody else may as much as open and close the file: that would drop its lock. So the file itself is
copied, by a process of its own, and DuckDB's recovery from a crash makes one database of the copy.
For that, the copy has to be a state that a crash could have left behind: header and logs are read
before the database is copied and again after it. Blocks that either points to are only overwritten
after a checkpoint, which writes a new header and new logs; if that happened in between, the copy is
thrown away and made again.

    python -m engine.snapshot FILE COPY
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from engine.database import connect
from engine.errors import StoreError

HEADER_BYTES = 3 * 4096
"""The main header and the two that checkpoints write in turn."""

LOG_SUFFIXES = (".wal", ".wal.checkpoint")
"""Of DuckDB's write-ahead logs; the second one is there during a checkpoint only."""

ATTEMPTS = 20
PATIENCE = 0.1
"""Seconds between attempts."""

FICLONE = 0x40049409
"""Linux's request for a file that shares another's blocks until one of the two is changed."""


def snapshot_copy(path: str | Path, to: str | Path) -> None:
    """Copy a database that this process does not have open, whoever else does.

    The copy holds everything that was committed when the copying began.

    Args:
        path: The database.
        to: The new file.

    Raises:
        StoreError: There is no such database, the copy can't be made, or its file exists.
    """
    source, target = Path(path), Path(to)
    if not source.is_file():
        raise StoreError(f"There is no database {source}.")
    if target.exists():
        raise StoreError(f"{target} is there already.", "Name a new file for the copy.")
    draft = target.with_name(f".{target.name}.part")
    try:
        _copy_whole(source, draft)
        draft.rename(target)
    except OSError as error:
        raise StoreError(f"{target} can't be written: {error.strerror}.") from error
    finally:
        _remove(draft)


def snapshot_open_file(path: Path, to: str | Path) -> None:
    """Copy a database that this very process has open.

    Raises:
        StoreError: The copy can't be made, or its file exists.
    """
    done = subprocess.run(
        [sys.executable, "-m", "engine.snapshot", str(path.resolve()), str(Path(to).resolve())],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StoreError(done.stderr.strip() or f"The copy of {path} could not be made.")


def _copy_whole(source: Path, draft: Path) -> None:
    failure = "it was checkpointed again and again"
    for _ in range(ATTEMPTS):
        header, logs = _header(source), _logs(source)
        _copy_bytes(source, draft)
        if _header(source) == header and _continue(logs, _logs(source)):
            for suffix, log in logs.items():
                draft.with_name(draft.name + suffix).write_bytes(log)
            try:
                connect(draft, read_only=False).close()
                return
            except StoreError as error:
                failure = error.sentence
        _remove(draft)
        time.sleep(PATIENCE)
    raise StoreError(f"{source} could not be copied: {failure}.", "Try again when it is quiet.")


def _copy_bytes(source: Path, draft: Path) -> None:
    """Copy a file; where the file system can, without taking the space twice."""
    if _cloned(source, draft):
        return
    size, free = source.stat().st_size, shutil.disk_usage(draft.parent).free
    if size > free:
        raise StoreError(
            f"There is no room for a copy of {source}: it takes {size / 1e6:,.0f} MB, and "
            f"{draft.parent} has {free / 1e6:,.0f} MB left.",
            "Make room there, or close the program that holds the database.",
        )
    shutil.copyfile(source, draft)


def _cloned(source: Path, draft: Path) -> bool:
    try:
        from fcntl import ioctl

        with source.open("rb") as original, draft.open("wb") as copy:
            ioctl(copy, FICLONE, original.fileno())
    except (ImportError, OSError):
        return False
    return True


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEADER_BYTES)


def _logs(path: Path) -> dict[str, bytes]:
    """What was committed since the last checkpoint, and during one that is going on."""
    logs = {}
    for suffix in LOG_SUFFIXES:
        with suppress(FileNotFoundError):
            logs[suffix] = path.with_name(path.name + suffix).read_bytes()
    return logs


def _continue(before: dict[str, bytes], after: dict[str, bytes]) -> bool:
    """Whether logs have at most grown."""
    return all(after.get(suffix, b"").startswith(log) for suffix, log in before.items())


def _remove(path: Path) -> None:
    for suffix in ("", *LOG_SUFFIXES):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def main() -> int:
    """Copy; a problem is one line on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m engine.snapshot", description="Copy a database, even one in use."
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("copy", type=Path)
    options = parser.parse_args()
    try:
        snapshot_copy(options.file, options.copy)
    except StoreError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
