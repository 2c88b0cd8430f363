"""Which database a command reads: the one named, otherwise the recorded demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.errors import StoreError

DatabaseOption = Annotated[
    Path | None, typer.Option("--db", help="A database; the recorded demo when left out.")
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
