"""What abstaining earns: thresholds chosen on labelled questions, and selective accuracy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from engine.metrics.intervals import wilson_interval
from engine.metrics.selective import PAYOFFS, abstention, selective_accuracy
from engine.studies.graded import SIDE, Graded, behind, logits_of, mean
from engine.studies.report import Column, Plot, Row, Series, Table, Value, quoted
from engine.studies.scope import Scope

if TYPE_CHECKING:
    from numpy.typing import NDArray

COVERAGES = tuple(step / 10 for step in range(1, 11))

_ABSTENTION = (
    *SIDE,
    Column("format", "format"),
    Column("confidence", "by", about="what is compared with the threshold"),
    Column("payoff", "payoff"),
    Column("threshold", "threshold", "number"),
    Column("tested", "n", "count", "questions it was tried on"),
    Column("base", "always", "number", "score of always answering, mean over the data sets"),
    Column("score", "score", "number", "score with the threshold, mean over the data sets"),
    Column("abstained", "abst. %", "percent", "questions not answered"),
    Column("abstained_interval", "95 %", "percent_interval", "Wilson interval"),
)
_SELECTIVE = (
    *SIDE,
    *(Column(f"at_{step:.0%}", f"{step:.0%}", "percent") for step in COVERAGES),
)


def abstention_table(found: Sequence[Graded], scope: Scope) -> Table:
    """The score of always answering, and of answering above a chosen threshold only."""
    return Table(
        "abstention",
        f"Abstaining below a threshold chosen on {scope.labelled} labelled questions "
        "of each data set",
        _ABSTENTION,
        tuple(_abstention(found, scope)),
        "Per 100 questions; balanced: a wrong answer costs 1, conservative: 2.",
    )


def selective_table(found: Sequence[Graded]) -> Table:
    """Accuracy of the most confident answers."""
    return Table(
        "selective",
        "Accuracy of the most confident answers",
        _SELECTIVE,
        tuple(_selective(found)),
    )


def _abstention(found: Sequence[Graded], scope: Scope) -> Iterator[Row]:
    for graded in found:
        for by, values in (("confidence", graded.confidences), ("logit", logits_of(graded))):
            if values is None:
                continue
            for payoff in PAYOFFS:
                rows = list(_of_formats(graded, by, values, payoff, scope))
                yield from rows
                if len(rows) > 1:
                    yield _mean_of_formats(rows)


def _of_formats(
    graded: Graded, by: str, values: NDArray[Any], payoff: str, scope: Scope
) -> Iterator[Row]:
    """One threshold a format, as in the paper one a prompt."""
    import numpy as np

    for fmt in dict.fromkeys(fmt for fmt, _ in graded.groups):
        at = np.array([place for place, (own, _) in enumerate(graded.groups) if own == fmt])
        done = abstention(
            values[at],
            graded.correct[at],
            [graded.groups[place][1] for place in at],
            cost=PAYOFFS[payoff],
            labelled=scope.labelled,
            seed=scope.seed,
        )
        if done is None:
            continue
        below = f"coalesce({by}, 0) < {done.threshold!r}"
        yield Row(
            {
                "run_id": graded.run_id,
                "reading": graded.reading,
                "format": fmt,
                "confidence": by,
                "payoff": payoff,
                "threshold": done.threshold,
                "labelled": done.labelled,
                "tested": done.tested,
                "base": done.base,
                "score": done.score,
                "abstained": done.abstained,
                "abstained_interval": wilson_interval(
                    round(done.abstained * done.tested), done.tested
                ),
            },
            graded.run_id,
            f"format = {quoted(fmt)} AND {behind(graded, scope)}",
            {"abstained": behind(graded, scope, below)},
        )


def _mean_of_formats(rows: Sequence[Row]) -> Row:
    cells: dict[str, Value] = {**rows[0].cells, "format": "mean", "threshold": None}
    cells["abstained_interval"] = None
    for key in ("base", "score", "abstained"):
        cells[key] = mean([value for row in rows if isinstance(value := row.cells[key], float)])
    for key in ("labelled", "tested"):
        cells[key] = sum(value for row in rows if isinstance(value := row.cells[key], int))
    return Row(cells)


def _selective(found: Sequence[Graded]) -> Iterator[Row]:
    for graded in found:
        cells: dict[str, Value] = {"run_id": graded.run_id, "reading": graded.reading}
        for selected in selective_accuracy(graded.confidences, graded.correct, COVERAGES):
            cells[f"at_{selected.coverage:.0%}"] = selected.accuracy
            cells[f"at_{selected.coverage:.0%}_interval"] = wilson_interval(
                round(selected.accuracy * selected.n), selected.n
            )
        yield Row(cells, graded.run_id)


def coverage_plot(found: Sequence[Graded]) -> Plot:
    """Selective accuracy over coverage, one line a reading."""
    return Plot(
        "Accuracy of the most confident",
        "lines",
        "share answered",
        "share right",
        tuple(
            Series(
                f"{graded.run_id}:{graded.reading}",
                tuple(selected.coverage for selected in chosen),
                tuple(selected.accuracy for selected in chosen),
            )
            for graded in found
            for chosen in [selective_accuracy(graded.confidences, graded.correct, COVERAGES)]
        ),
    )
