"""``logitscope explore``: open the explorer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.errors import StoreError
from tui.output import progress_bar, say


def explore(
    db: Annotated[
        Path | None, typer.Argument(help="A database; the recorded demo when left out.")
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Open without the right to change anything.")
    ] = False,
) -> None:
    """Open the explorer (the default)."""
    if db is None:
        path = _recorded_demo()
    elif db.exists():
        path = db
    else:
        raise StoreError(
            f"There is no database {db}.", f"Make one with: logitscope run ... --db {db}"
        )
    from tui.app import run_explorer

    raise typer.Exit(run_explorer(path, read_only=read_only, demo=db is None))


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
