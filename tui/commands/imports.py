"""``logitscope import``: logs of other tools and released data of papers, as runs of a database."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tui.output import print_json, progress_bar

if TYPE_CHECKING:
    from engine.importers import Imported


def import_(
    kind: Annotated[
        str,
        typer.Argument(
            help="lm-eval, inspect, helm, mcq-mismatch, mcq-robustness, msp or logitscope.",
            show_default=False,
        ),
    ],
    paths: Annotated[list[str], typer.Argument(help="Files or folders.", show_default=False)],
    db: Annotated[Path, typer.Option("--db", help="The database; made where it is not there.")],
    name: Annotated[
        str | None, typer.Option("--name", help="What lists call the runs, if not what logs say.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="What the model is called, if not what logs say.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Store once more what is stored already.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Store logs as runs: all of them, or nothing. What a log does not hold is not recorded.

    lm-eval reads samples_*.jsonl, inspect .eval and .json logs, helm the folder of a run; the
    others read the data released with arXiv:2402.14499, 2404.08382 and 2402.13213. logitscope reads
    the folder that logitscope export made, with everything in it as it was.
    """
    from engine.importers import read_logs, store_logs
    from engine.store import open_store
    from engine.transfer import KIND, read_exports, store_exports
    from tui.widgets.figures import count

    store_all: Callable[..., list[Imported]]
    if kind == KIND:
        store_all, unit = partial(store_exports, exports=read_exports(paths)), "rows"
    else:
        store_all, unit = partial(store_logs, kind=kind, logs=read_logs(kind, paths)), "probes"
    with progress_bar() as bar, open_store(db) as store:
        task = bar.add_task("importing", total=None, detail="")

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, detail=f"{done:,} of {total:,} {unit}")

        runs = store_all(store, name=name, model=model, again=again, on_progress=tell)
    if json:
        print_json(runs)
        return
    for run in runs:
        print(f"run {run.run_id}  {run.name}  ({run.model})")
        print(f"  {count(run.questions, 'question')}, {count(run.probes, 'probe')}")
        for note in run.notes:
            print(f"  {note}")
    print(f"\nLook at them with: logitscope {db}")
