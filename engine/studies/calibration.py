"""The calibration study: what each reading's confidence is worth (arXiv:2402.13213)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from engine.metrics.intervals import bootstrap_interval, wilson_interval
from engine.metrics.ranking import auroc_of_drawn, ranking
from engine.metrics.reliability import DEFINITIONS, Reliability, reliability
from engine.studies.abstaining import abstention_table, coverage_plot, selective_table
from engine.studies.graded import SIDE, Graded, behind, graded_answers, logits_of, mean, places_of
from engine.studies.report import Column, Plot, Report, Row, Series, Table, Value, quoted
from engine.studies.scope import Scope, runs_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

SIGNIFICANT = 1e-4
"""Of a Mann-Whitney test, in the paper's count of significant groups."""


def calibration_report(cursor: DuckDBPyConnection, scope: Scope) -> Report:
    """Calibration, ranking and abstention of every reading that has a confidence.

    An answer that is not located or names no option is wrong with confidence 0, as in the paper,
    and stays in every figure. ECE pools all answers of a run and reading; AUROC is taken in each
    group of one format and data set, and averaged over the groups without weights.

    Args:
        cursor: A cursor on a store.
        scope: Which runs and readings; ``labelled`` questions of each data set choose a threshold.

    Raises:
        LogitscopeError: There is no such run.
    """
    runs = [run.run_id for run in runs_of(cursor, scope)]
    graded = list(graded_answers(cursor, runs, scope))
    tables = [
        Table("summary", "Calibration and ranking", _SUMMARY, tuple(_summary(graded, scope))),
        Table("groups", "By format and data set", _GROUPS, tuple(_groups(graded, scope))),
        abstention_table(graded, scope),
        selective_table(graded),
        Table("reliability", "Reliability", _RELIABILITY, tuple(_reliability(graded, scope))),
    ]  # fmt: skip
    notes = [f"ECE {name}: {words}." for name, words in DEFINITIONS.items()]
    if not graded:
        notes = ["No graded answer has a confidence, so there is nothing to calibrate."]
    return Report(
        "calibration",
        "What confidence is worth",
        tuple(tables),
        (_diagram(graded), coverage_plot(graded)) if graded else (),
        tuple(notes),
    )


_SUMMARY = (
    *SIDE,
    Column("n", "n", "count", "graded answers"),
    Column("accuracy", "right %", "percent"),
    Column("macro_accuracy", "macro %", "percent", "mean over the groups"),
    Column("ece_published", "ECE pub.", "number", "ECE as published"),
    Column("ece_corrected", "ECE corr.", "number", "ECE corrected"),
    Column("ece_corrected_interval", "95 %", "interval", "bootstrap interval of ECE corr."),
    Column("ece_equal_width", "ECE eq.", "number", "ECE over bins of equal width"),
    Column("auroc", "AUROC", "number", "mean over the groups"),
    Column("auroc_interval", "95 %", "interval", "bootstrap interval of that mean"),
    Column("logit_auroc", "logit", "number", "the same of the highest raw logit"),
    Column("significant", "p<1e-4", "count", "groups with such a Mann-Whitney test"),
    Column("logit_significant", "logit p<", "count", "the same of the highest raw logit"),
    Column("groups", "groups", "count", "of one format and data set"),
    Column("lost", "lost", "count", "answers in no bin of ECE pub."),
    Column("unlocated", "conf. 0", "count", "answers without a confidence, counted as 0"),
)
_GROUPS = (
    *SIDE,
    Column("format", "format"),
    Column("dataset", "data set"),
    Column("n", "n", "count", "graded answers"),
    Column("accuracy", "right %", "percent"),
    Column("accuracy_interval", "95 %", "percent_interval", "Wilson interval"),
    Column("auroc", "AUROC", "number"),
    Column("auroc_interval", "95 %", "interval", "bootstrap interval"),
    Column("u", "U", "number", "Mann-Whitney U of right against wrong"),
    Column("p_value", "p", "p_value", "two-sided"),
    Column("logit_auroc", "logit", "number", "AUROC of the highest raw logit"),
    Column("logit_p_value", "p", "p_value"),
    Column("ece_equal_width", "ECE eq.", "number", "ECE over bins of equal width"),
)
_RELIABILITY = (
    *SIDE,
    Column("definition", "bins"),
    Column("low", "from", "number"),
    Column("high", "to", "number"),
    Column("n", "n", "count", "answers in the bin"),
    Column("confidence", "conf.", "number", "their mean confidence"),
    Column("accuracy", "right", "number", "share of them that are right"),
    Column("interval", "95 %", "interval", "Wilson interval"),
)


def _summary(found: Sequence[Graded], scope: Scope) -> Iterator[Row]:
    for graded in found:
        places = places_of(graded)
        tables = {name: _table(graded, name) for name in DEFINITIONS}
        logits = logits_of(graded)
        tests = [ranking(graded.confidences[at], graded.correct[at]) for at in places.values()]
        cells: dict[str, Value] = {
            "run_id": graded.run_id,
            "reading": graded.reading,
            "n": len(graded.correct),
            "accuracy": float(graded.correct.mean()),
            "macro_accuracy": mean([graded.correct[at].mean() for at in places.values()]),
            **{f"ece_{name}": table.ece for name, table in tables.items()},
            "ece_corrected_interval": _ece_interval(graded, scope),
            "auroc": mean([test.auroc for test in tests if test is not None]),
            "auroc_interval": _mean_auroc_interval(graded, list(places.values()), scope),
            "significant": sum(test is not None and test.p_value < SIGNIFICANT for test in tests),
            "groups": len(places),
            "lost": tables["published"].lost,
            "unlocated": int((graded.confidences == 0).sum()),
        }
        if logits is not None:
            tests = [ranking(logits[at], graded.correct[at]) for at in places.values()]
            cells["logit_auroc"] = mean([test.auroc for test in tests if test is not None])
            cells["logit_significant"] = sum(
                test is not None and test.p_value < SIGNIFICANT for test in tests
            )
        yield Row(
            cells,
            graded.run_id,
            behind(graded, scope),
            {
                "accuracy": behind(graded, scope, right=True),
                "unlocated": behind(graded, scope, "coalesce(confidence, 0) = 0"),
            },
        )


def _groups(found: Sequence[Graded], scope: Scope) -> Iterator[Row]:
    for graded in found:
        logits = logits_of(graded)
        for (fmt, dataset), at in places_of(graded).items():
            right, confidences = graded.correct[at], graded.confidences[at]
            test = ranking(confidences, right)
            by_logit = None if logits is None else ranking(logits[at], right)
            yield Row(
                {
                    "run_id": graded.run_id,
                    "reading": graded.reading,
                    "format": fmt,
                    "dataset": dataset,
                    "n": len(at),
                    "accuracy": float(right.mean()),
                    "accuracy_interval": wilson_interval(int(right.sum()), len(at)),
                    "auroc": None if test is None else test.auroc,
                    "auroc_interval": _auroc_interval(confidences, right, scope),
                    "u": None if test is None else test.u,
                    "p_value": None if test is None else test.p_value,
                    "logit_auroc": None if by_logit is None else by_logit.auroc,
                    "logit_p_value": None if by_logit is None else by_logit.p_value,
                    "ece_equal_width": reliability(confidences, right, "equal_width").ece,
                },
                graded.run_id,
                f"format = {quoted(fmt)} AND dataset = {quoted(dataset)} "
                f"AND {behind(graded, scope)}",
                {"accuracy": behind(graded, scope, right=True)},
            )


def _reliability(found: Sequence[Graded], scope: Scope) -> Iterator[Row]:
    for graded in found:
        for name in DEFINITIONS:
            table = _table(graded, name)
            for each in table.bins:
                closed = name != "published" and each is table.bins[-1]
                upper = f"confidence <{'=' if closed else ''} {each.high!r}"
                yield Row(
                    {
                        "run_id": graded.run_id,
                        "reading": graded.reading,
                        "definition": name,
                        "low": each.low,
                        "high": each.high,
                        "n": each.n,
                        "confidence": each.confidence,
                        "accuracy": each.accuracy,
                        "interval": each.interval,
                    },
                    graded.run_id,
                    behind(graded, scope, f"coalesce(confidence, 0) >= {each.low!r} "
                                           f"AND coalesce({upper}, true)"),
                )  # fmt: skip


def _table(graded: Graded, name: Any) -> Reliability:
    return reliability(graded.confidences, graded.correct, name)


def _ece_interval(graded: Graded, scope: Scope) -> tuple[float, float] | None:
    def ece(drawn: NDArray[Any]) -> float:
        found = reliability(graded.confidences[drawn], graded.correct[drawn], "corrected").ece
        return float("nan") if found is None else found

    return bootstrap_interval(ece, len(graded.correct), resamples=scope.resamples, seed=scope.seed)


def _auroc_interval(
    confidences: NDArray[Any], correct: NDArray[Any], scope: Scope
) -> tuple[float, float] | None:
    return bootstrap_interval(
        auroc_of_drawn(confidences, correct),
        len(correct),
        resamples=scope.resamples,
        seed=scope.seed,
    )


def _mean_auroc_interval(
    graded: Graded, places: Sequence[NDArray[Any]], scope: Scope
) -> tuple[float, float] | None:
    """Resampled within each group, so that the groups keep their weight."""
    import numpy as np

    generator = np.random.default_rng(scope.seed)
    areas = [auroc_of_drawn(graded.confidences[at], graded.correct[at]) for at in places]

    def mean(_: NDArray[Any]) -> float:
        values = [
            area(generator.integers(len(at), size=len(at)))
            for area, at in zip(areas, places, strict=True)
        ]
        known = [value for value in values if not np.isnan(value)]
        return float(np.mean(known)) if known else float("nan")

    return bootstrap_interval(mean, len(graded.correct), resamples=scope.resamples, seed=scope.seed)


def _diagram(found: Sequence[Graded]) -> Plot:
    tables = [(graded, _table(graded, "corrected")) for graded in found]
    return Plot(
        "Reliability",
        "lines",
        "mean confidence",
        "share right",
        tuple(
            Series(
                f"{graded.run_id}:{graded.reading}",
                tuple(each.confidence for each in table.bins),
                tuple(each.accuracy for each in table.bins),
                tuple(each.interval[0] for each in table.bins),
                tuple(each.interval[1] for each in table.bins),
            )
            for graded, table in tables
        ),
        diagonal=True,
        unit_square=True,
    )
