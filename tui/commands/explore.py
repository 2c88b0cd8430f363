"""``logitscope explore``: open the explorer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tui.opening import open_explorer


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
    raise typer.Exit(
        open_explorer(
            db, read_only=read_only, copy=copy, copy_if_locked=copy_if_locked, fresh=fresh
        )
    )
