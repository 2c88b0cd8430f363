"""``logitscope show``, ``samples`` and ``branch``: one stored probe, its texts, more of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tui.commands.database import CopyOption, DatabaseOption, database_or_demo, opened_for_reading
from tui.output import print_json, print_rows, say

if TYPE_CHECKING:
    from engine.browse import ProbeView
    from engine.records import Generation
    from engine.store import Store

ProbeArgument = Annotated[int, typer.Argument(help="Number of a stored probe.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def show(
    probe: ProbeArgument,
    db: DatabaseOption = None,
    copy: CopyOption = True,
    json: JsonOption = False,
) -> None:
    """Print one stored probe: question, readings, and its texts as a tree.

    Branches stand under the text they leave. Position is the place of their first token, from 0.
    """
    with opened_for_reading(database_or_demo(db), copy=copy) as store:
        view = _view(store, probe)
    if json:
        print_json(_whole(view))
        return
    _print_heading(view)
    print_rows(("reading", "says", "confidence", "rule"), _reading_rows(view), "table")
    _print_tree(view)


def samples(
    probe: ProbeArgument,
    db: DatabaseOption = None,
    more: Annotated[int, typer.Option("--more", help="Draw so many extra samples first.")] = 0,
    copy: CopyOption = True,
    json: JsonOption = False,
) -> None:
    """List the samples of one stored probe, after drawing more of them if asked to.

    Extra samples are those the run would have drawn next; no reading of the run counts them.
    """
    from engine.store import open_store

    path = database_or_demo(db)
    with open_store(path) if more else opened_for_reading(path, copy=copy) as store:
        if more:
            from engine.client import WorkerClient
            from engine.followups import more_samples

            with WorkerClient(niceness=0) as client:
                numbers = more_samples(store, probe, more, client, on_event=tell)
            say(f"Drew samples {numbers[0]} to {numbers[-1]}.")
        view = _view(store, probe)
    if json:
        print_json([_text(view, text) for text in view.generations if text.index > 0])
    else:
        _print_samples(view)


def branch(
    probe: ProbeArgument,
    position: Annotated[int, typer.Option("--position", help="The token replaced, from 0.")],
    sample: Annotated[
        int, typer.Option("--sample", help="The text: 0 greedy, 1 ... samples, -1 ... branches.")
    ] = 0,
    token: Annotated[int | None, typer.Option("--token", help="Id of the token taken.")] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="The token taken as text, blanks included.")
    ] = None,
    db: DatabaseOption = None,
    json: JsonOption = False,
) -> None:
    """Take another token at one place of a stored text; let the model go on greedily.

    The branch is stored with the probe.
    """
    from engine.client import WorkerClient
    from engine.followups import branch as branch_off
    from engine.followups import token_called
    from engine.store import open_store

    if (token is None) == (text is None):
        raise typer.BadParameter("Give either --token ID or --text TEXT.")
    with open_store(database_or_demo(db)) as store:
        taken = token if token is not None else token_called(store, probe, text or "")
        with WorkerClient(niceness=0) as client:
            index = branch_off(store, probe, sample, position, taken, client, on_event=tell)
        view = _view(store, probe)
    made = next(each for each in view.generations if each.index == index)
    if json:
        print_json(_text(view, made))
    else:
        _print_tree(view, only=index)


def tell(event: object) -> None:
    """Say what the worker is doing, as far as it is news."""
    from engine.protocol import Loading, Note

    if isinstance(event, Loading):
        say(event.stage)
    elif isinstance(event, Note):
        say(event.sentence)


def _view(store: Store, probe: int) -> ProbeView:
    from engine.browse import probe_view

    return probe_view(store, probe)


def _print_heading(view: ProbeView) -> None:
    row = view.row
    parts = (
        f"probe {row.probe_id}",
        f"run {view.run.run_id} ({view.run.kind})",
        f"question {row.question_index + 1}",
        f"format {row.format}",
        f"order {row.order_index}",
        f"gold {row.gold}" if row.gold else "no gold option",
    )
    print(" · ".join(parts))
    print(view.question.text)
    for option in view.question.options:
        print(f"  {option.label}  {option.text}")
    flags = ", ".join(row.flags) or "none"
    print(f"flags: {flags}\n")


def _reading_rows(view: ProbeView) -> list[tuple[object, ...]]:
    from tui.widgets.readings_table import name_of, says

    return [
        (name_of(reading), says(reading, view), reading.confidence, reading.rule)
        for reading in view.readings
    ]


def _print_tree(view: ProbeView, only: int | None = None) -> None:
    """The texts as a tree, or one of them; ``--sample`` and ``--position`` as ``branch`` takes."""
    from tui.texts import Texts

    rows = [
        (row.rail + row.name, row.text.index, row.text.fork, row.says, row.words)
        for row in Texts(view).tree()
        if only is None or row.text.index == only
    ]
    print_rows(("text", "sample", "position", "says", "goes on"), rows, "table")


def _print_samples(view: ProbeView) -> None:
    from tui.texts import Texts
    from tui.widgets.token_text import visible

    texts = Texts(view)
    print_rows(
        ("sample", "kind", "says", "parts at position", "text"),
        [
            (each.index, each.kind, texts.says(each), texts.divergence(each), visible(each.text))
            for each in texts.samples
        ],
        "table",
    )


def _whole(view: ProbeView) -> dict[str, Any]:
    return {
        "probe_id": view.row.probe_id,
        "run_id": view.run.run_id,
        "run_kind": view.run.kind,
        "question_id": view.row.question_id,
        "question": view.question,
        "format": view.row.format,
        "order": view.row.order_index,
        "flags": view.row.flags,
        "prompt": view.prompt,
        "prompt_ids": view.prompt_ids,
        "readings": view.readings,
        "texts": [_text(view, each) for each in view.generations],
    }


def _text(view: ProbeView, text: Generation) -> dict[str, Any]:
    """One text with what it says and its tokens, without the distributions."""
    from tui.texts import Texts

    reading = Texts(view).reading(text)
    return {
        "sample": text.index,
        "kind": text.kind,
        "parent": text.parent,
        "position": text.fork,
        "status": reading and reading.status,
        "label": reading and reading.label,
        "text": text.text,
        "finish_reason": text.finish_reason,
        "token_ids": text.positions.token_ids,
        "logprobs": text.positions.logprobs,
    }
