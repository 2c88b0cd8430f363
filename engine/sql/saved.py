"""Saved queries: those that ship with logitscope, and one's own in files.

A query is a file ``NAME.sql``. The comment lines that it begins with are its header: the first is
its title, the others say what it is about.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import msgspec

from engine.errors import StoreError
from engine.paths import home

NEWEST_RUN = "(SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))"
"""How the shipped queries write the run that they look at; a number may stand in its place."""

FIRST_PROBE = "(SELECT min(probe_id) FROM probes)"
"""How they write the one probe that they look at."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


class SavedQuery(msgspec.Struct, frozen=True):
    """One saved query.

    Attributes:
        name: What it is called by; the file's name without its ending.
        title: The question that it answers.
        about: What its rows are and what it counts; may be empty.
        sql: The whole file, header included.
        shipped: Whether it came with logitscope.
    """

    name: str
    title: str
    about: str
    sql: str
    shipped: bool = False

    def aimed(self, run_id: int | None = None, probe_id: int | None = None) -> str:
        """Its SQL for a given run or probe in the place of the newest run or the first probe.

        A query over all runs, and one of one's own that names its runs in another way, stays as
        it is.
        """
        sql = self.sql
        if run_id is not None:
            sql = sql.replace(NEWEST_RUN, str(run_id))
        if probe_id is not None:
            sql = sql.replace(FIRST_PROBE, str(probe_id))
        return sql


def queries_folder() -> Path:
    """Where one's own queries are."""
    return home() / "queries"


def saved_queries(folder: Path | None = None) -> list[SavedQuery]:
    """One's own queries and then the shipped ones, each by name.

    An own query has a name of its own, so both can be told apart by it. A file that can't be read
    as text, or whose name is no query's name, is left out.

    Args:
        folder: Where one's own are; None for the usual place.
    """
    return [*_own(folder or queries_folder()), *_shipped()]


def find_query(name: str, folder: Path | None = None) -> SavedQuery:
    """The saved query of a name.

    Raises:
        StoreError: There is none.
    """
    for query in saved_queries(folder):
        if query.name == name:
            return query
    raise StoreError(
        f"There is no saved query {name}.", "logitscope sql --list names those that there are."
    )


def save_query(
    name: str,
    sql: str,
    *,
    title: str = "",
    about: str = "",
    folder: Path | None = None,
    replace: bool = False,
) -> SavedQuery:
    """Save a query of one's own.

    Args:
        name: Small letters, digits, ``-`` and ``_``.
        sql: What is saved.
        title: The first line of a new header; empty keeps the header that the text has.
        about: The rest of the new header.
        folder: Where to; None for the usual place.
        replace: Whether one of that name may be written over.

    Raises:
        StoreError: The name can't be one, is taken, or the file can't be written.
    """
    if not _NAME.fullmatch(name):
        raise StoreError(
            f"{name!r} can't be the name of a query.",
            "Use small letters, digits, - and _, 60 at most.",
        )
    if any(query.name == name for query in _shipped()):
        raise StoreError(f"A query that comes with logitscope is called {name}.", "Take another.")
    path = (folder or queries_folder()) / f"{name}.sql"
    text = f"{_header(title, about)}{_without_header(sql)}" if title else sql
    text = text.strip() + "\n"
    try:
        _write(path, text, replace=replace)
    except FileExistsError:
        raise StoreError(
            f"There is a query {name} already.", "Take another name, or replace it."
        ) from None
    except OSError as error:
        raise StoreError(f"{path} can't be written: {error.strerror}.") from error
    return _parsed(name, text, shipped=False)


def _write(path: Path, text: str, *, replace: bool) -> None:
    """Write a file whole or not at all; without ``replace`` only where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.part")
    try:
        draft.write_text(text, encoding="utf-8")
        if not replace:
            # Unlike a look beforehand, this fails where another process was quicker.
            path.touch(exist_ok=False)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _own(folder: Path) -> Iterator[SavedQuery]:
    taken = {query.name for query in _shipped()}
    for path in sorted(folder.glob("*.sql")):
        if _NAME.fullmatch(path.stem) and path.stem not in taken:
            try:
                yield _parsed(path.stem, path.read_text(encoding="utf-8"), shipped=False)
            except (OSError, UnicodeDecodeError):
                continue


def _shipped() -> Iterator[SavedQuery]:
    folder = files("engine.sql").joinpath("queries")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".sql"):
            name = file.name.removesuffix(".sql")
            yield _parsed(name, file.read_text(encoding="utf-8"), shipped=True)


def _parsed(name: str, sql: str, *, shipped: bool) -> SavedQuery:
    header = [line.removeprefix("--").strip() for line in _header_lines(sql)]
    title, *about = header or [name]
    return SavedQuery(name, title or name, " ".join(about), sql, shipped)


def _header_lines(sql: str) -> list[str]:
    lines = []
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line)
    return lines


def _header(title: str, about: str) -> str:
    lines = [title, *about.splitlines()]
    return "".join(f"-- {' '.join(line.split())}\n" for line in lines)


def _without_header(sql: str) -> str:
    return "\n".join(sql.splitlines()[len(_header_lines(sql)) :])
