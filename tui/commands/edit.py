"""``logitscope edit``: the prompt of a stored probe changed by hand, and what that does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.errors import LogitscopeError
from tui.commands.database import CopyOption, DatabaseOption, database_or_demo, opened_for_reading
from tui.commands.texts import JsonOption, ProbeArgument, tell
from tui.output import print_json, print_rows, say


def edit(
    probe: ProbeArgument,
    prompt: Annotated[
        str | None, typer.Option("--prompt", help="The whole prompt, special tokens included.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="A file with the prompt, to the byte.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Store the answers as a run of kind edit.")
    ] = False,
    db: DatabaseOption = None,
    copy: CopyOption = True,
    json: JsonOption = False,
) -> None:
    """Ask a stored question with another prompt; print baseline and now.

    Nothing is stored without --keep.
    """
    from engine.browse import probe_view
    from engine.client import WorkerClient
    from engine.followups import ask_edited
    from engine.followups import keep as keep_edited
    from engine.store import open_store
    from tui.comparison import compare, probed_side, stored_side

    if (prompt is None) == (file is None):
        raise typer.BadParameter("Give either --prompt TEXT or --file FILE.")
    text = prompt if file is None else _read(file)
    path = database_or_demo(db)
    with open_store(path) if keep else opened_for_reading(path, copy=copy) as store:
        view = probe_view(store, probe)
        with WorkerClient(niceness=0) as client:
            edited = ask_edited(store, probe, text or "", client, on_event=tell)
        kept = keep_edited(store, edited) if keep else None
    before, now = stored_side(view), probed_side(edited.probe, edited.ready.vocabulary)
    if json:
        print_json({"baseline": before._asdict(), "now": now._asdict(), "kept": kept})
    else:
        lines = compare([option.text for option in view.question.options], before, now)
        print_rows(
            ("", "baseline", "now", "change"),
            [(line.name, line.before, line.now, line.change) for line in lines],
            "table",
        )
        print(f"baseline  {before.says}  {before.text}\nnow       {now.says}  {now.text}")
        for code, sentence in now.warnings:
            print(f"{code}: {sentence}")
    if kept is not None:
        say(f"Kept as probe {kept}.")


def _read(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            return stream.read()
    except OSError as error:
        raise LogitscopeError(f"{file} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise LogitscopeError(f"{file} is not UTF-8 text (byte {error.start}).") from error
