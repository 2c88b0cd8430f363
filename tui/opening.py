"""Opening the explorer on a database: the one named, or the demo."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import StoreError
from tui.output import progress_bar, say

if TYPE_CHECKING:
    from engine.database import LockedError


def open_explorer(
    db: Path | None,
    *,
    read_only: bool = False,
    copy: bool = False,
    copy_if_locked: bool = False,
    fresh: bool = False,
) -> int:
    """Open the explorer and stay until it is left.

    Args:
        db: The database; None: the recorded demo.
        read_only: Change nothing.
        copy: Open a copy made now, whoever holds the database.
        copy_if_locked: Do so only where another process holds it; else whoever sits there is asked.
        fresh: Start at the newest run, wherever the last session stopped.

    Returns:
        The exit code.

    Raises:
        StoreError: The database can't be opened, or there is none.
    """
    path = database_to_explore(db)
    gc.disable()  # until the first screen is up: see tui.garbage
    from engine.database import LockedError
    from tui.app import run_explorer

    try:
        return run_explorer(path, read_only=read_only, copy=copy, demo=db is None, fresh=fresh)
    except LockedError as error:
        if not (copy_if_locked or _copy_wanted(error)):
            raise
        return run_explorer(path, copy=True, demo=db is None, fresh=fresh)
    finally:
        gc.enable()  # also where there never was a first screen


def database_to_explore(db: Path | None) -> Path:
    """The database named, or the demo, which is recorded first where it is not there yet.

    Raises:
        StoreError: There is no such database.
    """
    if db is None:
        return _recorded_demo()
    if db.exists():
        return db
    raise StoreError(f"There is no database {db}.", f"Make one with: logitscope run ... --db {db}")


def _copy_wanted(error: LockedError) -> bool:
    """Ask whoever sits there whether a copy will do."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    import typer

    question = f"{error.sentence} Open a copy made now, for reading only?"
    return typer.confirm(question, default=True, err=True)


def _recorded_demo() -> Path:
    """The demo database, recorded first where it is not there yet."""
    from engine.demo import demo_path, demo_ready

    path = demo_path()
    if demo_ready():
        return path
    from engine.client import WorkerClient
    from engine.demo import record_demo

    say("Recording the demo once: the embedded teaching model answers the sample questions.")
    with WorkerClient(niceness=0) as client, progress_bar() as bar:
        task = bar.add_task("starting", total=None, detail="")
        record_demo(
            client,
            on_progress=lambda progress: bar.update(
                task,
                description=progress.stage,
                completed=progress.done,
                total=progress.planned,
                detail=f"{progress.done:,}/{progress.planned:,}",
            ),
        )
    return path
