"""The compare study: two runs, question by question."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, cast

from engine.errors import LogitscopeError
from engine.metrics.intervals import wilson_interval
from engine.metrics.paired import cohen_kappa
from engine.records import ReadingName
from engine.studies.pairs import PAIR_COLUMNS, Side, behind, joined, pair_row
from engine.studies.report import Column, Report, Row, Table, Value, quoted
from engine.studies.scope import RunFacts, Scope, runs_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

READINGS: tuple[ReadingName, ...] = ("first_token", "continuation", "greedy_text")

_SAYS = "coalesce({side}.source_label, {side}.status)"


def compare_report(cursor: DuckDBPyConnection, scope: Scope) -> Report:
    """Set two runs against each other: agreement, flips, and whether the difference is chance.

    Formats of the same name are compared; where each run has one only, these two. Two answers
    agree where they name the same option of the source, whatever its label was.

    Args:
        cursor: A cursor on a store.
        scope: The runs, two or more; ``readings`` are those to be compared.

    Raises:
        LogitscopeError: There are not two runs, or they have no question in common.
    """
    runs = runs_of(cursor, scope)
    if len(runs) < 2:
        raise LogitscopeError(
            "Two runs are needed to compare them.",
            "Name them with --run ID --run ID; logitscope sql 'FROM runs' lists them.",
        )
    readings = scope.readings or READINGS
    sides = [
        (Side(one.run_id, left, reading), Side(other.run_id, right, reading))
        for one, other in combinations(runs, 2)
        for left, right in _formats(cursor, one, other)
        for reading in readings
    ]
    summary: list[Row] = []
    subjects: list[Row] = []
    matrices: list[Table] = []
    for first, second in sides:
        row = pair_row(cursor, first, second, scope.text, _cells(first, second))
        if row is None:
            continue
        counts = _matrix(cursor, first, second, scope)
        summary.append(_with_agreement(row, counts))
        subjects += _by_subject(cursor, first, second, scope)
        matrices.append(_matrix_table(first, second, counts, scope))
    if not summary:
        raise LogitscopeError(
            "The runs have no question in common that was read the same way.",
            "Compare runs over the same questions and option orders.",
        )
    names = (Column("first", "first"), Column("second", "second"))
    agreement = (
        Column("accuracy_first", "1st %", "percent", "the first is right"),
        Column("accuracy_second", "2nd %", "percent", "the second is right"),
        Column("agreement", "agree %", "percent", "both name the same option, or end alike"),
        Column("kappa", "kappa", "number", "Cohen's kappa of their answers"),
    )
    return Report(
        "compare",
        "Two runs, question by question",
        (
            Table("summary", "Agreement and flips", (*names, *agreement, *PAIR_COLUMNS),
                  tuple(summary)),
            *matrices,
            Table("subjects", "By subject", (*names, Column("subject", "subject"), *PAIR_COLUMNS),
                  tuple(subjects)),
        ),
    )  # fmt: skip


def _cells(first: Side, second: Side) -> dict[str, Value]:
    return {"first": first.title, "second": second.title}


def _formats(cursor: DuckDBPyConnection, one: RunFacts, other: RunFacts) -> list[tuple[str, str]]:
    """Pairs of formats that belong together."""
    left, right = (
        [
            name
            for (name,) in cursor.execute(
                "SELECT format FROM probes WHERE run_id = ? GROUP BY 1 ORDER BY min(probe_id)",
                [run.run_id],
            ).fetchall()
        ]
        for run in (one, other)
    )
    if len(left) == len(right) == 1:
        return [(left[0], right[0])]
    return [(name, name) for name in left if name in right]


def _matrix(
    cursor: DuckDBPyConnection, first: Side, second: Side, scope: Scope
) -> dict[tuple[str, str], int]:
    """How often the sides said each pair of things."""
    one, other = _SAYS.format(side="a"), _SAYS.format(side="b")
    found = cursor.execute(
        f"SELECT {one}, {other}, count(*) FROM {joined(first, second, scope.text)} GROUP BY 1, 2"
    ).fetchall()
    return {(one, other): count for one, other, count in found}


def _with_agreement(row: Row, counts: dict[tuple[str, str], int]) -> Row:
    cells = dict(row.cells)
    n = cast(int, cells["n"])
    both, only_first, only_second = (
        cast("int | None", cells[key]) for key in ("both", "only_first", "only_second")
    )
    graded = n if both is not None else 0
    if both is not None and only_first is not None and only_second is not None:
        neither = cast(int, cells["neither"])
        graded = both + only_first + only_second + neither
        cells["accuracy_first"] = (both + only_first) / graded
        cells["accuracy_second"] = (both + only_second) / graded
        cells["accuracy_first_interval"] = wilson_interval(both + only_first, graded)
        cells["accuracy_second_interval"] = wilson_interval(both + only_second, graded)
    cells["agreement"] = 1 - cast(int, cells["differ"]) / n
    cells["kappa"] = cohen_kappa(counts)
    return Row(cells, row.run_id, row.condition, row.narrower)


def _by_subject(
    cursor: DuckDBPyConnection, first: Side, second: Side, scope: Scope
) -> Sequence[Row]:
    subjects = cursor.execute(
        "SELECT DISTINCT subject FROM outcomes WHERE run_id = ? ORDER BY 1", [first.run_id]
    ).fetchall()
    rows = [
        pair_row(
            cursor,
            first,
            second,
            scope.text,
            {**_cells(first, second), "subject": subject},
            condition=f"a.subject = {quoted(subject)}",
        )
        for (subject,) in subjects
    ]
    return [row for row in rows if row is not None] if len(subjects) > 1 else []


def _matrix_table(
    first: Side, second: Side, counts: dict[tuple[str, str], int], scope: Scope
) -> Table:
    down = sorted({one for one, _ in counts}, key=lambda said: (len(said) > 1, said))
    across = sorted({other for _, other in counts}, key=lambda said: (len(said) > 1, said))
    one, other = _SAYS.format(side="a"), _SAYS.format(side="b")
    rows = tuple(
        Row(
            {"said": said, **{column: counts.get((said, column), 0) for column in across}},
            first.run_id,
            behind(first, second, scope.text, f"{one} = {quoted(said)}"),
            {
                column: behind(
                    first,
                    second,
                    scope.text,
                    f"{one} = {quoted(said)} AND {other} = {quoted(column)}",
                )
                for column in across
            },
        )
        for said in down
    )
    return Table(
        f"matrix_{first.run_id}_{second.run_id}_{first.format}_{first.reading}",
        f"{first.title} (down) against {second.title} (across)",
        (
            Column("said", first.title),
            *(Column(column, column.replace("_", " "), "count") for column in across),
        ),
        rows,
        "Options by their labels in the source.",
    )
