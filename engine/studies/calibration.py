"""The calibration study: what each reading's confidence is worth (arXiv:2402.13213)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.metrics.intervals import bootstrap_interval, wilson_interval
from engine.metrics.ranking import auroc_of_drawn, ranking
from engine.metrics.reliability import DEFINITIONS, Reliability, reliability
from engine.metrics.selective import PAYOFFS, abstention, selective_accuracy
from engine.records import ReadingName
from engine.studies.report import Column, Plot, Report, Row, Series, Table, Value, quoted
from engine.studies.scope import Scope, answers_view, runs_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

READINGS: tuple[ReadingName, ...] = (
    "answer_position",
    "first_token",
    "first_token_spellings",
    "answer_position_options",
    "label_continuation",
    "continuation",
    "majority",
)
"""Those whose confidence is a probability."""

COVERAGES = tuple(step / 10 for step in range(1, 11))

SIGNIFICANT = 1e-4
"""Of a Mann-Whitney test, in the paper's count of significant groups."""


class Graded(NamedTuple):
    """The graded answers of one run and reading, in the order they were stored.

    Attributes:
        run_id: The run.
        reading: The way of reading.
        groups: Format and data set of each answer.
        correct: Whether it is right.
        confidences: In 0..1; 0 where the answer was not located.
        logits: Highest raw logit at the answer; NaN where not recorded.
    """

    run_id: int
    reading: ReadingName
    groups: list[tuple[str, str]]
    correct: NDArray[Any]
    confidences: NDArray[Any]
    logits: NDArray[Any]


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
    graded = list(_graded(cursor, runs, scope))
    tables = [
        Table("summary", "Calibration and ranking", _SUMMARY, tuple(_summary(graded, scope))),
        Table("groups", "By format and data set", _GROUPS, tuple(_groups(graded, scope))),
        Table(
            "abstention",
            f"Abstaining below a threshold chosen on {scope.labelled} labelled questions "
            "of each data set",
            _ABSTENTION,
            tuple(_abstention(graded, scope)),
            "Per 100 questions; balanced: a wrong answer costs 1, conservative: 2.",
        ),
        Table("selective", "Accuracy of the most confident answers", _SELECTIVE,
              tuple(_selective(graded))),
        Table("reliability", "Reliability", _RELIABILITY, tuple(_reliability(graded, scope))),
    ]  # fmt: skip
    notes = [f"ECE {name}: {words}." for name, words in DEFINITIONS.items()]
    if not graded:
        notes = ["No graded answer has a confidence, so there is nothing to calibrate."]
    return Report(
        "calibration",
        "What confidence is worth",
        tuple(tables),
        (_diagram(graded), _coverage_plot(graded)) if graded else (),
        tuple(notes),
    )


_SIDE = (Column("run_id", "run", "count"), Column("reading", "reading"))
_SUMMARY = (
    *_SIDE,
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
    *_SIDE,
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
_ABSTENTION = (
    *_SIDE,
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
    *_SIDE,
    *(Column(f"at_{step:.0%}", f"{step:.0%}", "percent") for step in COVERAGES),
)
_RELIABILITY = (
    *_SIDE,
    Column("definition", "bins"),
    Column("low", "from", "number"),
    Column("high", "to", "number"),
    Column("n", "n", "count", "answers in the bin"),
    Column("confidence", "conf.", "number", "their mean confidence"),
    Column("accuracy", "right", "number", "share of them that are right"),
    Column("interval", "95 %", "interval", "Wilson interval"),
)


def _graded(cursor: DuckDBPyConnection, runs: Sequence[int], scope: Scope) -> Iterator[Graded]:
    """The answers that can be graded: by the gold option, or by the log's own grade."""
    import numpy as np

    for run_id in runs:
        for reading in scope.readings or READINGS:
            rows = cursor.execute(
                f"""
                SELECT a.format, q.dataset, coalesce(a.correct, s.value = 1), a.status,
                       a.confidence, a.logit
                FROM {answers_view(scope.text)} a
                JOIN questions q USING (question_id)
                LEFT JOIN scores s ON s.probe_id = a.probe_id AND s.name = 'grade'
                WHERE a.run_id = ? AND a.reading = ? AND a.sample IS NULL
                  AND a.perturbation IS NULL
                  AND (a.correct IS NOT NULL OR s.value IS NOT NULL)
                ORDER BY a.probe_id
                """,
                [run_id, reading],
            ).fetchall()
            if not any(row[4] is not None for row in rows):
                continue
            yield Graded(
                run_id,
                reading,
                [(row[0], row[1]) for row in rows],
                np.array([row[2] for row in rows], dtype=bool),
                np.array([row[4] or 0.0 for row in rows], dtype=np.float64),
                np.array([np.nan if row[5] is None else row[5] for row in rows], dtype=np.float64),
            )


def _places(graded: Graded) -> dict[tuple[str, str], NDArray[Any]]:
    """The answers of each group."""
    import numpy as np

    found: dict[tuple[str, str], list[int]] = {}
    for place, group in enumerate(graded.groups):
        found.setdefault(group, []).append(place)
    return {group: np.array(places) for group, places in found.items()}


def _logits(graded: Graded) -> NDArray[Any] | None:
    """Raw logits with 0 where the answer was not located; None where the log has none."""
    import numpy as np

    if np.isnan(graded.logits).all():
        return None
    return np.where(np.isnan(graded.logits), 0.0, graded.logits)


def _summary(found: Sequence[Graded], scope: Scope) -> Iterator[Row]:
    for graded in found:
        places = _places(graded)
        tables = {name: _table(graded, name) for name in DEFINITIONS}
        logits = _logits(graded)
        tests = [ranking(graded.confidences[at], graded.correct[at]) for at in places.values()]
        cells: dict[str, Value] = {
            "run_id": graded.run_id,
            "reading": graded.reading,
            "n": len(graded.correct),
            "accuracy": float(graded.correct.mean()),
            "macro_accuracy": _mean([graded.correct[at].mean() for at in places.values()]),
            **{f"ece_{name}": table.ece for name, table in tables.items()},
            "ece_corrected_interval": _ece_interval(graded, scope),
            "auroc": _mean([test.auroc for test in tests if test is not None]),
            "auroc_interval": _mean_auroc_interval(graded, list(places.values()), scope),
            "significant": sum(test is not None and test.p_value < SIGNIFICANT for test in tests),
            "groups": len(places),
            "lost": tables["published"].lost,
            "unlocated": int((graded.confidences == 0).sum()),
        }
        if logits is not None:
            tests = [ranking(logits[at], graded.correct[at]) for at in places.values()]
            cells["logit_auroc"] = _mean([test.auroc for test in tests if test is not None])
            cells["logit_significant"] = sum(
                test is not None and test.p_value < SIGNIFICANT for test in tests
            )
        yield Row(
            cells,
            graded.run_id,
            _behind(graded, scope),
            {
                "accuracy": _behind(graded, scope, right=True),
                "unlocated": _behind(graded, scope, "coalesce(confidence, 0) = 0"),
            },
        )


def _groups(found: Sequence[Graded], scope: Scope) -> Iterator[Row]:
    for graded in found:
        logits = _logits(graded)
        for (fmt, dataset), at in _places(graded).items():
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
                f"AND {_behind(graded, scope)}",
                {"accuracy": _behind(graded, scope, right=True)},
            )


def _abstention(found: Sequence[Graded], scope: Scope) -> Iterator[Row]:
    for graded in found:
        for by, values in (("confidence", graded.confidences), ("logit", _logits(graded))):
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
            f"format = {quoted(fmt)} AND {_behind(graded, scope)}",
            {"abstained": _behind(graded, scope, below)},
        )


def _mean_of_formats(rows: Sequence[Row]) -> Row:
    cells: dict[str, Value] = {**rows[0].cells, "format": "mean", "threshold": None}
    cells["abstained_interval"] = None
    for key in ("base", "score", "abstained"):
        cells[key] = _mean([value for row in rows if isinstance(value := row.cells[key], float)])
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
                    _behind(graded, scope, f"coalesce(confidence, 0) >= {each.low!r} "
                                           f"AND coalesce({upper}, true)"),
                )  # fmt: skip


def _table(graded: Graded, name: Any) -> Reliability:
    return reliability(graded.confidences, graded.correct, name)


def _behind(graded: Graded, scope: Scope, condition: str = "", *, right: bool = False) -> str:
    """The probes whose answer is graded here, under a further condition on the answer."""
    parts = [f"run_id = {graded.run_id}", f"reading = {quoted(graded.reading)}", "sample IS NULL"]
    grades = "SELECT probe_id FROM scores WHERE name = 'grade' AND value"
    if right:
        parts.append(f"(correct OR (correct IS NULL AND probe_id IN ({grades} = 1)))")
    else:
        parts.append(f"(correct IS NOT NULL OR probe_id IN ({grades} IS NOT NULL))")
    parts += ["perturbation IS NULL", *([condition] if condition else [])]
    view = answers_view(scope.text)
    return f"probe_id IN (SELECT probe_id FROM {view} WHERE {' AND '.join(parts)})"


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


def _mean(values: Sequence[float]) -> float | None:
    return float(sum(values) / len(values)) if values else None


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


def _coverage_plot(found: Sequence[Graded]) -> Plot:
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
