"""``logitscope lab``: a stored question and a pinned set in another prompt format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tui.commands.database import CopyOption, DatabaseOption, database_or_demo, opened_for_reading
from tui.commands.texts import JsonOption, ProbeArgument, tell
from tui.output import print_json, print_rows, say

if TYPE_CHECKING:
    from engine.lab import Lab, Trial


def lab(
    probe: ProbeArgument,
    format: Annotated[  # noqa: A002 - the option's name
        str, typer.Option("--format", "-f", help="A format's name or a .toml file.")
    ],
    baseline: Annotated[
        str | None,
        typer.Option(help="What to compare with; the format of the stored probe when left out."),
    ] = None,
    pinned: Annotated[bool, typer.Option(help="Whether to ask the pinned questions too.")] = True,
    db: DatabaseOption = None,
    copy: CopyOption = True,
    json: JsonOption = False,
) -> None:
    """Try a format on a stored question and on the pinned ones; print baseline and now.

    Pinned are the questions of the run that are marked, or else its first ones. Nothing is stored.
    """
    from engine.client import WorkerClient
    from engine.formats import load_format
    from engine.lab import Lab, pinned_probes

    changed = load_format(format)
    other = None if baseline is None else load_format(baseline)
    with opened_for_reading(database_or_demo(db), copy=copy) as store:
        bench = Lab(store, probe, pinned_probes(store, probe) if pinned else ())
        with WorkerClient(niceness=0) as client:
            before = bench.try_format(other or bench.format, client, on_event=tell)
            now = bench.try_format(changed, client)
        bench.close()
    if json:
        print_json(_whole(before, now))
    else:
        _print(bench, before, now)


def _print(bench: Lab, before: Trial, now: Trial) -> None:
    from engine.lab_figures import deltas
    from tui.comparison import compare, probed_side
    from tui.pinned import pinned_rows

    sides = [probed_side(each.probe, each.ready.vocabulary, each.found) for each in (before, now)]
    texts = [option.text for option in now.probe.question.options]
    print_rows(
        ("", before.format.name, now.format.name, "change"),
        [(line.name, line.before, line.now, line.change) for line in compare(texts, *sides)],
        "table",
    )
    for name, side in zip(("baseline", "now"), sides, strict=True):
        print(f"{name:<9} {side.says}  {side.text}")
    for code, sentence in sides[1].warnings:
        print(f"{code}: {sentence}")
    if len(bench.asked) > 1:
        print()
        counted = deltas(before.answers, now.answers)
        print_rows(
            ("pinned", "baseline", "now", "of"),
            [(each.name, each.before, each.now, each.of) for each in counted],
            "table",
        )
        print()
        print_rows(
            ("question", "gold", "first token", "greedy text"),
            [
                (f"{row.question_index} {row.question}", row.gold, *row.both)
                for row in pinned_rows(before.answers, now.answers)
            ],
            "table",
        )
    for problem in now.problems:
        say(problem)


def _whole(before: Trial, now: Trial) -> dict[str, Any]:
    from engine.lab_figures import deltas

    return {
        name: {
            "format": trial.format,
            "prompt": trial.probe.prompt,
            "result": trial.probe.result,
            "readings": trial.probe.readings,
            "found": trial.found,
            "answers": trial.answers,
            "problems": trial.problems,
        }
        for name, trial in (("baseline", before), ("now", now))
    } | {"deltas": deltas(before.answers, now.answers)}
