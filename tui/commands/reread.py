"""``logitscope reread``: every reading anew, from what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tui.commands.database import CopyOption, opened_for_reading
from tui.output import print_json


def reread(
    db: Annotated[Path, typer.Option("--db", help="The database.")],
    run: Annotated[int | None, typer.Option("--run", help="One run only.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would change.")
    ] = False,
    copy: CopyOption = True,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Read stored answers again, without the model, as this version of logitscope reads them.

    Overrides, human labels and everything that the model said stay as they are.
    """
    from engine.reread import reread as reread_store
    from engine.store import open_store

    with opened_for_reading(db, copy=copy) if dry_run else open_store(db) as store:
        done = reread_store(store, run, dry=dry_run)
    if json:
        print_json(done)
        return
    would = "would say" if dry_run else "say"
    print(f"{done.probes:,} probes read; {done.changed:,} {would} something else.")
    for counts, what in ((done.added, "new"), (done.otherwise, "says something else")):
        for name, count in sorted(counts.items()):
            print(f"  {name}: {what} in {count:,}")
