"""The consistency study: whether an answer stays when the question is asked another way.

Entropies as in arXiv:2402.14499 and arXiv:2404.08382, R_StD as in arXiv:2309.03882.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from engine.metrics.choices import LabelRecall, agreement, choice_entropy, r_std
from engine.metrics.intervals import bootstrap_interval, bootstrap_mean_interval, wilson_interval
from engine.records import ReadingName
from engine.studies.positions import POSITION_COLUMNS, POSITION_NOTE, letters_plot, position_rows
from engine.studies.report import Column, Plot, Report, Row, Series, Table, Value
from engine.studies.scope import Scope, runs_of
from engine.studies.variants import Answered, Variants, answered, variants_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

READINGS: tuple[ReadingName, ...] = ("first_token", "greedy_text")
"""What is shown where no reading is asked for."""

MOST_CHANGING = 20
"""Questions in the table of those that change most."""

STATUSES = ("refusal", "several", "none_of_these", "dont_know", "truncated", "unparsed")

ORDERS = "order"
"""What tables call variants that differ in the order of the options alone."""

Group = tuple[Variants, list[Answered]]


def consistency_report(cursor: DuckDBPyConnection, scope: Scope) -> Report:
    """Say how steadily each reading answers the variants of a question.

    Variants are the option orders of a question, or, for each kind of perturbation, the changed
    questions and the one in the source. A question with one variant alone is left out. What names
    no option is a choice of its own: its status.

    Args:
        cursor: A cursor on a store.
        scope: Which runs and readings; ``text`` says whose word counts, ``resamples`` and ``seed``
            how intervals are drawn.

    Raises:
        LogitscopeError: There is no such run.
    """
    readings = scope.readings or READINGS
    every = [
        variants
        for run in runs_of(cursor, scope)
        for variants in variants_of(cursor, run.run_id, readings, scope.text)
    ]
    groups = [(variants, found) for variants in every if (found := answered(cursor, variants))]
    positions = [
        row for each in every if each.perturbation is None for row in position_rows(cursor, each)
    ]
    tables = (
        Table(
            "consistency",
            "How steadily questions are answered",
            (*_NAMES, *_CONSISTENCY_COLUMNS),
            tuple(_consistency(variants, found, scope) for variants, found in groups),
            "Means over questions. An answer that names no option is a choice of its own, its "
            "status; to refuse is the same choice as the option that is itself a refusal. "
            "Intervals: bootstrap over questions, Wilson for the share that never changes. That of "
            "R_StD lies too high where labels are seldom gold.",
        ),
        Table(
            "changes",
            "Against the question as it is in the source",
            (*_NAMES, *_CHANGE_COLUMNS),
            tuple(_changes(variants, found) for variants, found in groups),
            "Wilson intervals, as if the variants of one question were independent.",
        ),
        Table(
            "positions", "Labels that are preferred", POSITION_COLUMNS, tuple(positions),
            POSITION_NOTE,
        ),
        Table(
            "questions",
            f"The {MOST_CHANGING} questions that change most",
            (*_NAMES, *_QUESTION_COLUMNS),
            _most_changing(groups),
        ),
    )  # fmt: skip
    plots = [letters_plot(positions), _entropies_plot(groups)]
    return Report(
        "consistency",
        "The same question in other orders",
        tables,
        tuple(plot for plot in plots if plot.series),
        () if groups else ("No question has answers to two variants. Ask with: --orders 10",),
    )


_NAMES = (
    Column("run_id", "run", "count"),
    Column("format", "format"),
    Column("variants", "variants", about="what the variants differ in; order: options alone"),
    Column("reading", "reading"),
)
_CONSISTENCY_COLUMNS = (
    Column("questions", "questions", "count", "questions with at least two variants"),
    Column("answers", "answers", "count", "to all their variants"),
    Column("entropy_content", "H nats", "number", "entropy of the chosen content, a question"),
    Column("entropy_content_interval", "95 %", "interval"),
    Column("entropy_content_bits", "H bits", "number", "the same in bits"),
    Column("entropy_letters", "H letter", "number", "entropy of the chosen label, nats"),
    Column("entropy_letters_interval", "95 %", "interval"),
    Column("entropy_letters_bits", "bits", "number", "the same in bits"),
    Column("agreement", "agree %", "percent", "share of a question's commonest content"),
    Column("agreement_interval", "95 %", "percent_interval"),
    Column("stable", "same", "count", "questions whose content never changes"),
    Column("stable_rate", "same %", "percent"),
    Column("stable_interval", "95 %", "percent_interval"),
    Column("r_std", "R_StD", "number", "population std of the labels' recalls; needs gold options"),
    Column("r_std_interval", "95 %", "interval"),
)
_CHANGE_COLUMNS = (
    Column("compared", "n", "count", "answers to variants other than the source's"),
    Column("changed", "changed", "count", "of them not what the source's variant is answered with"),
    Column("changed_rate", "changed %", "percent"),
    Column("changed_interval", "95 %", "percent_interval"),
    Column("no_option", "no option", "count", "answers to any variant that name no option"),
    Column("no_option_rate", "no option %", "percent"),
    Column("no_option_interval", "95 %", "percent_interval"),
    *(Column(status, status.replace("_", " "), "count") for status in STATUSES),
)
_QUESTION_COLUMNS = (
    Column("question_index", "question", "count", "its place in the source, from 0"),
    Column("subject", "subject"),
    Column("answers", "answers", "count"),
    Column("entropy_content", "H nats", "number", "entropy of the chosen content"),
    Column("entropy_content_bits", "H bits", "number"),
    Column("entropy_letters", "H letter", "number", "entropy of the chosen label, nats"),
    Column("agreement", "agree %", "percent"),
    Column("choices", "choices", about="options by their labels in the source, and how often"),
)


def _names(variants: Variants) -> dict[str, Value]:
    return {
        "run_id": variants.run_id,
        "format": variants.format,
        "variants": variants.perturbation or ORDERS,
        "reading": variants.reading,
    }


def _consistency(variants: Variants, found: Sequence[Answered], scope: Scope) -> Row:
    cells = _names(variants)
    cells["questions"] = len(found)
    cells["answers"] = sum(len(each.contents) for each in found)
    means: dict[str, Callable[[Answered], float]] = {
        "entropy_content": lambda each: choice_entropy(each.contents),
        "entropy_letters": lambda each: choice_entropy(each.letters),
        "agreement": lambda each: agreement(each.contents),
    }
    for key, measure in means.items():
        cells |= _mean(key, [measure(each) for each in found], scope)
    for key in ("entropy_content", "entropy_letters"):
        nats = cells[key]
        assert isinstance(nats, float)
        cells[f"{key}_bits"] = nats / math.log(2)
    stable = sum(each.stable for each in found)
    cells |= {"stable": stable, "stable_rate": stable / len(found)}
    cells["stable_interval"] = wilson_interval(stable, len(found))
    cells["r_std"], cells["r_std_interval"] = _r_std(found, scope)
    stays = variants.with_stable_questions
    return Row(
        cells,
        variants.run_id,
        variants.condition,
        {
            "stable": stays,
            "stable_rate": stays,
            **dict.fromkeys(("entropy_content", "agreement"), f"NOT {stays}"),
        },
    )


def _mean(key: str, values: Sequence[float], scope: Scope) -> dict[str, Value]:
    import numpy as np

    array = np.array(values)
    interval = bootstrap_mean_interval(array, resamples=scope.resamples, seed=scope.seed)
    return {key: float(array.mean()), f"{key}_interval": interval}


def _r_std(
    found: Sequence[Answered], scope: Scope
) -> tuple[float | None, tuple[float, float] | None]:
    """R_StD over all answers to questions with a gold option, resampled by question."""
    import numpy as np

    graded = [each for each in found if None not in each.golds]
    labels = sorted({label for each in graded for label in (*each.golds, *each.labels) if label})
    place = {label: number for number, label in enumerate(labels)}
    # Questions by labels: how often each was gold, chosen, and chosen where it was gold.
    counts = np.zeros((3, len(graded), len(labels)))
    for number, each in enumerate(graded):
        for gold, label in zip(each.golds, each.labels, strict=True):
            assert gold is not None
            counts[0, number, place[gold]] += 1
            if label is not None:
                counts[1, number, place[label]] += 1
            if label == gold:
                counts[2, number, place[gold]] += 1

    def of(drawn: NDArray[Any]) -> float:
        times = np.bincount(drawn, minlength=len(graded)).astype(float)
        value = r_std(_recalls(labels, times @ counts))
        return math.nan if value is None else value

    every = np.arange(len(graded))
    value = of(every) if graded else math.nan
    if math.isnan(value):
        return None, None
    interval = bootstrap_interval(of, len(graded), resamples=scope.resamples, seed=scope.seed)
    return value, interval


def _recalls(labels: Sequence[str], counts: NDArray[Any]) -> list[LabelRecall]:
    return [
        LabelRecall(label, int(gold), int(chosen), float(right / gold) if gold else None)
        for label, gold, chosen, right in zip(labels, *counts, strict=True)
    ]


def _changes(variants: Variants, found: Sequence[Answered]) -> Row:
    changes = [changed for each in found for changed in each.changes]
    answers = sum(len(each.labels) for each in found)
    statuses = Counter(
        status
        for each in found
        for status, label in zip(each.letters, each.labels, strict=True)
        if label is None
    )
    nameless = statuses.total()
    cells = _names(variants)
    cells |= {
        "compared": len(changes),
        "changed": sum(changes) if changes else None,
        "changed_rate": sum(changes) / len(changes) if changes else None,
        "changed_interval": wilson_interval(sum(changes), len(changes)),
        "no_option": nameless,
        "no_option_rate": nameless / answers,
        "no_option_interval": wilson_interval(nameless, answers),
        **{status: statuses[status] for status in STATUSES},
    }
    no_option = variants.with_answer("label IS NULL")
    return Row(
        cells,
        variants.run_id,
        variants.condition,
        {
            "compared": variants.compared_answer,
            **dict.fromkeys(("changed", "changed_rate"), variants.changed_answer),
            **dict.fromkeys(("no_option", "no_option_rate"), no_option),
            **{
                status: variants.with_answer(f"label IS NULL AND status = '{status}'")
                for status in STATUSES
            },
        },
    )


def _most_changing(groups: Sequence[Group]) -> tuple[Row, ...]:
    """The questions of all groups with the highest entropy of content; of equals, the first."""
    measured = [
        (choice_entropy(each.contents), variants, each)
        for variants, found in groups
        for each in found
        if not each.stable
    ]
    measured.sort(key=lambda one: -one[0])
    return tuple(_question(*one) for one in measured[:MOST_CHANGING])


def _question(nats: float, variants: Variants, each: Answered) -> Row:
    cells = _names(variants)
    cells |= {
        "question_index": each.question_index,
        "subject": each.subject,
        "question": each.question,
        "answers": len(each.contents),
        "entropy_content": nats,
        "entropy_content_bits": nats / math.log(2),
        "entropy_letters": choice_entropy(each.letters),
        "agreement": agreement(each.contents),
        "choices": ", ".join(
            f"{said} ×{times}" for said, times in Counter(each.contents).most_common()
        ),
    }
    return Row(
        cells,
        variants.run_id,
        f"{variants.with_answer('true')} AND question_index = {each.question_index}",
    )


def _entropies_plot(groups: Sequence[Group]) -> Plot:
    """For every entropy that occurs, the share of questions with at most that, in steps.

    Of option orders, and of perturbations only where there are no orders.
    """
    orders = [group for group in groups if group[0].perturbation is None]
    series = []
    for variants, found in orders or groups:
        counts = Counter(choice_entropy(each.contents) for each in found)
        x, y = [], [0.0]
        for nats in sorted(counts):
            x += [nats, nats]
            y += [y[-1], y[-1] + counts[nats] / len(found)]
        series.append(Series(variants.title, tuple(x), tuple(y[1:])))
    return Plot(
        "How many questions change how much",
        "lines",
        "entropy of the chosen content, nats",
        "share of questions with at most that",
        tuple(series),
    )
