"""Which database a command reads: the one named, otherwise the recorded demo; and how."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import StoreError
from tui.output import say

if TYPE_CHECKING:
    from engine.store import Store

DatabaseOption = Annotated[
    Path | None, typer.Option("--db", help="A database; the recorded demo when left out.")
]

CopyOption = Annotated[
    bool,
    typer.Option("--copy/--no-copy", help="Whether a copy will do while another process holds it."),
]


def database_or_demo(db: Path | None) -> Path:
    """The database named, or the demo.

    Raises:
        StoreError: None is named and the demo is not recorded yet.
    """
    if db is not None:
        return db
    from engine.demo import demo_path, demo_ready

    if not demo_ready():
        raise StoreError(
            "No database is named and the demo is not recorded yet.",
            "Name one with --db, or run logitscope once to record the demo.",
        )
    return demo_path()


def opened_for_reading(path: Path, *, copy: bool = True) -> Store:
    """Open a database for reading; where another process holds it, a copy of it.

    That a copy answers is said on standard error.

    Args:
        path: The database.
        copy: Whether a copy will do.

    Raises:
        LockedError: Another process holds the file, and a copy won't do.
        StoreError: It can't be opened or copied.
    """
    from engine.copies import open_to_read

    return open_to_read(path, copy=copy, tell=say)
