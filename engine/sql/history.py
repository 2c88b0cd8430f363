"""What was asked before: one JSON line a query, shared by every explorer and command.

Lines are added at the end, under a lock, so that two processes neither mix their lines nor lose
one while the file is made short, which happens when it holds twice of what is kept. A line that
can't be read is passed over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from engine.paths import state_folder

MOST = 1000
"""Entries that are kept."""

_ROOM = 2
"""How many times of that the file may hold before it is made short."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One text that was run.

    Attributes:
        sql: The text.
        at: When, in UTC, as in ``2026-01-31T12:00:00Z``.
        database: The file that it was asked of.
    """

    sql: str
    at: str = ""
    database: str = ""


class History:
    """The texts that were run, oldest first.

    Where the file can't be read or written, nothing is remembered and nothing fails: a query is
    worth more than its memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Use a file.

        Args:
            path: Made with the first entry; None for the usual place.
        """
        self.path = path or state_folder() / "sql_history.jsonl"

    def entries(self) -> list[Entry]:
        """What is remembered, newest last, without repeats in a row; other processes' too."""
        kept: list[Entry] = []
        for line in self._lines():
            with suppress(msgspec.DecodeError, UnicodeDecodeError):
                entry = msgspec.json.decode(line, type=Entry)
                if kept and kept[-1].sql == entry.sql:
                    kept.pop()
                kept.append(entry)
        return kept[-MOST:]

    def add(self, sql: str, database: Path | str = "") -> None:
        """Remember a text; blanks around it do not count, and an empty one is nothing."""
        if not (text := sql.strip()):
            return
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        line = msgspec.json.encode(Entry(text, at, str(database))) + b"\n"
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(self.path.with_suffix(".lock")):
                self._append(line)
                if len(self._lines()) > _ROOM * MOST:
                    self._shorten()

    def _append(self, line: bytes) -> None:
        with self.path.open("ab+") as file:
            # What a process that was killed left half-written must not spoil this line too.
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    line = b"\n" + line
            file.write(line)

    def _shorten(self) -> None:
        draft = self.path.with_suffix(".part")
        draft.write_bytes(b"".join(msgspec.json.encode(entry) + b"\n" for entry in self.entries()))
        draft.replace(self.path)

    def _lines(self) -> list[bytes]:
        try:
            return self.path.read_bytes().splitlines()
        except OSError:
            return []


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes and threads away; where the system has no such locks, hope."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
