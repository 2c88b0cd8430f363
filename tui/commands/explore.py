"""``logitscope explore``: open the explorer."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import StoreError
from tui.output import progress_bar, say

if TYPE_CHECKING:
    from engine.database import LockedError


def explore(
    db: Annotated[
        Path | None, typer.Argument(help="A database; the recorded demo when left out.")
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Open without the right to change anything.")
    ] = False,
    copy: Annotated[
        bool,
        typer.Option("--copy", help="Open a copy made now, while another process holds it."),
    ] = False,
    copy_if_locked: Annotated[bool, typer.Option("--copy-if-locked", hidden=True)] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start at the newest run, not where you left.")
    ] = False,
) -> None:
    """Open the explorer (the default)."""
    path = database_to_explore(db)
    gc.disable()  # until the first screen is up: see tui.garbage
    from engine.database import LockedError
    from tui.app import run_explorer

    try:
        code = run_explorer(path, read_only=read_only, copy=copy, demo=db is None, fresh=fresh)
    except LockedError as error:
        if not (copy_if_locked or _copy_wanted(error)):
            raise
        code = run_explorer(path, copy=True, demo=db is None, fresh=fresh)
    raise typer.Exit(code)


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
