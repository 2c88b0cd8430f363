"""The graded answers with a confidence, as the calibration study looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.records import ReadingName
from engine.studies.report import Column, quoted
from engine.studies.scope import Scope, answers_view

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

SIDE = (Column("run_id", "run", "count"), Column("reading", "reading"))

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


def graded_answers(
    cursor: DuckDBPyConnection, runs: Sequence[int], scope: Scope
) -> Iterator[Graded]:
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


def places_of(graded: Graded) -> dict[tuple[str, str], NDArray[Any]]:
    """The answers of each group."""
    import numpy as np

    found: dict[tuple[str, str], list[int]] = {}
    for place, group in enumerate(graded.groups):
        found.setdefault(group, []).append(place)
    return {group: np.array(places) for group, places in found.items()}


def logits_of(graded: Graded) -> NDArray[Any] | None:
    """Raw logits with 0 where the answer was not located; None where the log has none."""
    import numpy as np

    if np.isnan(graded.logits).all():
        return None
    return np.where(np.isnan(graded.logits), 0.0, graded.logits)


def behind(graded: Graded, scope: Scope, condition: str = "", *, right: bool = False) -> str:
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


def mean(values: Sequence[float]) -> float | None:
    """The mean; None of nothing."""
    return float(sum(values) / len(values)) if values else None
