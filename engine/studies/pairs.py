"""Two sides that answered the same questions: counts, and the questions behind each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from engine.metrics.intervals import wilson_interval
from engine.metrics.paired import mcnemar
from engine.records import ReadingName
from engine.studies.report import Column, Row, Value, quoted
from engine.studies.scope import TextSource, answers_view

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Side(NamedTuple):
    """A prompt format of a run, read in one way."""

    run_id: int
    format: str
    reading: ReadingName

    @property
    def title(self) -> str:
        """What tables call it."""
        return f"{self.run_id}:{self.format}:{self.reading}"


CONDITIONS = {
    "n": "true",
    "differ": "(a.option_index IS DISTINCT FROM b.option_index "
    "OR (a.option_index IS NULL AND a.status <> b.status))",
    "both": "a.correct AND b.correct",
    "only_first": "a.correct AND NOT b.correct",
    "only_second": "NOT a.correct AND b.correct",
    "neither": "NOT a.correct AND NOT b.correct",
}
"""What is counted of the questions that both sides have, over the answers ``a`` and ``b``. Two
answers differ where they name different options, whatever their labels, or end differently
(refusal, several, ...) without naming one."""

PAIR_COLUMNS = (
    Column("n", "n", "count", "questions that both have, in the same order of the options"),
    Column("differ", "differ", "count", "they name different options, or end differently"),
    Column("differ_rate", "differ %", "percent"),
    Column("differ_interval", "95 %", "percent_interval", "Wilson interval of that share"),
    Column("both", "both", "count", "both are right"),
    Column("only_first", "only 1st", "count", "only the first is right"),
    Column("only_second", "only 2nd", "count", "only the second is right"),
    Column("neither", "neither", "count", "both are wrong"),
    Column("p_value", "p", "p_value", "McNemar's test of only 1st against only 2nd"),
)


def pair_row(
    cursor: DuckDBPyConnection,
    first: Side,
    second: Side,
    text: TextSource,
    cells: dict[str, Value],
    *,
    condition: str = "true",
) -> Row | None:
    """Set two sides against each other.

    Args:
        cursor: A cursor on a store.
        first: The one whose questions a cell leads to.
        second: The other one.
        text: Who says what greedy texts say.
        cells: What the row begins with.
        condition: SQL over ``a`` that narrows the questions, such as to one subject.

    Returns:
        The row; None where there is no question that both have.
    """
    counts = ", ".join(f"count(*) FILTER ({what})" for what in CONDITIONS.values())
    (found,) = cursor.execute(
        f"SELECT {counts} FROM {joined(first, second, text)} AND {condition}"
    ).fetchall()
    counted = dict(zip(CONDITIONS, found, strict=True))
    n, differ = counted["n"], counted["differ"]
    if n == 0:
        return None
    graded = any(counted[key] for key in ("both", "only_first", "only_second", "neither"))
    test = mcnemar(counted["only_first"], counted["only_second"]) if graded else None
    grades = {key: counted[key] if graded else None for key in list(CONDITIONS)[2:]}
    return Row(
        {
            **cells,
            "n": n,
            "differ": differ,
            "differ_rate": differ / n,
            "differ_interval": wilson_interval(differ, n),
            **grades,
            "p_value": None if test is None else test.p_value,
        },
        first.run_id,
        behind(first, second, text, condition),
        {
            key: behind(first, second, text, f"{condition} AND {what}")
            for key, what in (*CONDITIONS.items(), ("differ_rate", CONDITIONS["differ"]))
        },
    )


def behind(first: Side, second: Side, text: TextSource, condition: str) -> str:
    """The probes of the first side whose question both have, under a condition on both."""
    return f"probe_id IN (SELECT a.probe_id FROM {joined(first, second, text)} AND {condition})"


def joined(first: Side, second: Side, text: TextSource) -> str:
    """SQL after FROM: the answers ``a`` and ``b`` of both sides to the same questions."""
    view = answers_view(text)
    sides = " AND ".join(
        f"{side}.run_id = {of.run_id} AND {side}.format = {quoted(of.format)} "
        f"AND {side}.reading = {quoted(of.reading)} AND {side}.sample IS NULL "
        f"AND {side}.perturbation IS NULL"
        for side, of in (("a", first), ("b", second))
    )
    return f"{view} a JOIN {view} b USING (question_id, order_index) WHERE {sides}"
