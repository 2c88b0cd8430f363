"""``logitscope export``: runs as a folder of parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tui.commands.database import CopyOption, DatabaseOption, database_or_demo, opened_for_reading
from tui.output import print_json, progress_bar


def export(
    to: Annotated[Path, typer.Option("--to", help="The folder; made.")],
    runs: Annotated[
        list[int] | None, typer.Argument(help="Numbers of runs.", show_default=False)
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every run, question and vocabulary.")
    ] = False,
    db: DatabaseOption = None,
    copy: CopyOption = True,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an export that is there.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write runs as a folder of parquet files, one a table, with a README of every column.

    It comes back, to the bit, with: logitscope import logitscope FOLDER --db FILE
    """
    from engine.transfer import export_runs
    from tui.widgets.figures import count

    if bool(runs) == everything:
        raise typer.BadParameter("Name the runs, or all of them with --all.")
    path = database_or_demo(db)
    with opened_for_reading(path, copy=copy) as store, progress_bar() as bar:
        task = bar.add_task("exporting", total=None, detail="")

        def tell(table: str, done: int, total: int) -> None:
            bar.update(task, description=table, completed=done, total=total, detail="")

        exported = export_runs(
            store, to, None if everything else runs, force=force, on_progress=tell
        )
    if json:
        print_json(exported)
        return
    for run in exported.manifest.runs:
        print(f"run {run.run_id}  {run.name}  ({run.model})  {count(run.probes, 'probe')}")
    print(f"\n{to}: {len(exported.manifest.tables)} tables, {exported.size / 1e6:,.1f} MB")
