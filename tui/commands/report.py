"""``logitscope report``: the studies as tables."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from tui.commands.database import DatabaseOption, database_or_demo
from tui.output import print_json, print_rows

if TYPE_CHECKING:
    from engine.metrics.mismatch import MismatchRow

app = typer.Typer(help="Print a study over stored results.", no_args_is_help=True)


@app.callback()
def _studies() -> None:
    """Print a study over stored results."""


@app.command()
def mismatch(
    db: DatabaseOption = None,
    run: Annotated[int | None, typer.Option("--run", help="One run only.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Count, per run, format and order, where first token and text disagree.

    Every question stays in the denominator: refused, several and unparsed answers too.
    """
    from engine.metrics.mismatch import mismatch_report
    from engine.store import open_store

    with open_store(database_or_demo(db), read_only=True) as store:
        rows = mismatch_report(store.reader(), run)
    if json:
        print_json(rows)
        return
    for run_id, of_run in groupby(rows, key=lambda row: row.run_id):
        print(f"run {run_id}")
        print_rows(_HEADINGS, [_cells(row) for row in of_run], "table")
    print(_LEGEND)


_HEADINGS = (
    *("format", "ord", "n", "mism", "95 %", "F", "S", "ref", "ref1", "sev", "unp", "cut"),
    *("none", "first", "text"),
)

_LEGEND = """\
F  likeliest token of the vocabulary is not the text's letter    ref   the text refuses
S  as F, yet the likeliest option is what the text says          ref1  the first token does
sev, unp, cut, none  the text gives several options, no answer, was cut, or says none of them
mism, first, text  per cent: disagreement (95 % Wilson), first token right, text right"""


def _cells(row: MismatchRow) -> tuple[object, ...]:
    return (
        *(row.format, row.order_index, row.n, _percent(row.mismatch_rate)),
        _interval(row.mismatch_interval),
        *(row.vocab_mismatch, row.same_but_not_first),
        *(row.refused_text, row.refused_first_token),
        *(row.several, row.unparsed, row.truncated, row.no_option),
        *(_percent(row.accuracy_first_token), _percent(row.accuracy_text)),
    )


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.1f}"


def _interval(bounds: tuple[float, float] | None) -> str | None:
    return None if bounds is None else f"{100 * bounds[0]:.0f}–{100 * bounds[1]:.0f}"
