"""Reading a database that another process holds: from a copy of this moment.

DuckDB lets nobody else open a file that a process has open for writing, not even to read it. What
is read instead is a copy of everything that was committed, in a folder of logitscope's own. The
copy has no name any more once it is open: the system frees it when the process that reads it ends,
however it ends.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

import psutil

from engine import schema
from engine.database import MEMORY, LockedError, connect, readable
from engine.errors import StoreError
from engine.paths import home
from engine.snapshot import snapshot_open_file
from engine.store import Store, open_store


def copies_folder() -> Path:
    """Where copies lie while they are made, and where queries on them spill to."""
    return home() / "copies"


def open_copy(path: str | Path, *, memory: str = MEMORY) -> Store:
    """Open a copy of a database as it is now, for reading only, whoever holds the database.

    The store goes by the name of the database; ``copied_at`` says when the copy was made. A copy
    of an older schema is brought up to date, its original is not.

    Args:
        path: The database.
        memory: As for :func:`engine.store.open_store`.

    Raises:
        StoreError: There is no such database, no room for the copy, or it can't be read.
    """
    place, copied_at = Path(path), schema.utc_now()
    with _copied(place) as copy:
        _bring_up(copy, place)
        store = open_store(copy, read_only=True, memory=memory)
    store.path = place
    store.copied_at = copied_at
    return store


def open_to_read(
    path: str | Path, *, copy: bool = True, tell: Callable[[str], None] = lambda sentence: None
) -> Store:
    """Open a database for reading only; where another process holds it, a copy of it.

    Args:
        path: The database.
        copy: Whether a copy will do.
        tell: Told in a sentence that a copy is about to be made.

    Raises:
        LockedError: Another process holds the file, and a copy won't do.
        StoreError: It can't be opened or copied.
    """
    try:
        return open_store(path, read_only=True)
    except LockedError as error:
        if not copy:
            raise
        size = Path(path).stat().st_size / 1e6
        tell(f"{error.sentence.rstrip('.')}: answering from a copy made now ({size:,.0f} MB).")
        return open_copy(path)


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    """A copy of a database, which loses its name at the end of the block."""
    copy = _swept_folder() / f"{_host()}-{os.getpid()}-{token_hex(4)}.duckdb"
    try:
        snapshot_open_file(path, copy)
        yield copy
    finally:
        # Where an open file can't be taken away, the next copy that is made takes it away.
        with suppress(OSError):
            copy.unlink(missing_ok=True)


def _bring_up(copy: Path, path: Path) -> None:
    """Give a copy the schema of this logitscope; what is said about it names the original."""
    connection = connect(copy, read_only=False)
    with connection, readable(path):
        schema.prepare(connection, str(path), read_only=False)


def _swept_folder() -> Path:
    """The folder for copies, without what killed processes left in it."""
    folder = copies_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        left = [*folder.iterdir()]
    except OSError as error:
        raise StoreError(
            f"No copy can be made in {folder}: {error.strerror}.",
            "Let LOGITSCOPE_HOME name a folder of yours.",
        ) from error
    name = re.compile(rf"\.?{re.escape(_host())}-(\d+)-")
    for place in left:
        if (found := name.match(place.name)) and not psutil.pid_exists(int(found[1])):
            _remove(place)
    return folder


def _remove(place: Path) -> None:
    """Take away a file, or the folder that queries spilled to; another process may be faster."""
    if place.is_dir():
        shutil.rmtree(place, ignore_errors=True)
    else:
        with suppress(OSError):
            place.unlink()


def _host() -> str:
    """The machine: several may share a home."""
    return platform.node() or "here"
