"""The protocols study: one model under every format and reading, and where two of them disagree."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from engine.metrics.intervals import wilson_interval
from engine.records import ReadingName
from engine.studies.pairs import PAIR_COLUMNS, Side, pair_row
from engine.studies.report import Column, Plot, Report, Row, Table, quoted
from engine.studies.scope import Scope, TextSource, answers_view, runs_of
from engine.studies.series import drawn

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

READINGS: tuple[ReadingName, ...] = (
    "first_token",
    "first_token_spellings",
    "vocab_argmax",
    "label_continuation",
    "continuation",
    "continuation_per_token",
    "continuation_per_character",
    "continuation_per_byte",
    "continuation_unconditional",
    "exact_match",
    "quasi_exact_match",
    "label_match",
    "greedy_text",
    "majority",
)
"""What is shown where no reading is asked for: those that papers and harnesses score by."""

MOST_COMPARED = 13
"""Protocols that are compared pair by pair; more make no table that anybody reads."""


_ACCURACY = """
WITH graded AS (
    SELECT run_id, format, reading, subject, status, correct, probe_id
    FROM {view}
    WHERE run_id IN (SELECT unnest($runs::INTEGER[])) AND perturbation IS NULL AND sample IS NULL
      AND reading IN (SELECT unnest($readings::VARCHAR[])) AND correct IS NOT NULL
), by_subject AS (
    SELECT run_id, format, reading, subject, count(*) AS n, sum(correct::INTEGER) AS correct,
           count(*) FILTER (status = 'option') AS answered, min(probe_id) AS first_probe
    FROM graded GROUP BY ALL
)
SELECT run_id, format, reading, sum(n)::INTEGER, sum(correct)::INTEGER, sum(answered)::INTEGER,
       avg(correct / n), count(*)
FROM by_subject
GROUP BY run_id, format, reading
ORDER BY list_position($runs, run_id),
         min(min(first_probe)) OVER (PARTITION BY run_id, format),
         list_position($readings, reading)
"""


def protocols_report(cursor: DuckDBPyConnection, scope: Scope) -> Report:
    """Accuracy of every format and reading, and where two protocols say different things.

    A protocol is a format with the reading that it is scored by. ``micro`` is the share of
    questions answered right, ``macro`` the mean of the subjects' shares: the original MMLU code
    averages the first way, HELM the second (HELM#1328). Answers that name no option are wrong.

    Args:
        cursor: A cursor on a store.
        scope: Which runs; ``readings`` are those to be shown and compared.

    Raises:
        LogitscopeError: There is no such run.
    """
    runs = [run.run_id for run in runs_of(cursor, scope)]
    accuracy = _accuracy(cursor, runs, scope)
    found = _present(cursor, runs, scope)
    compared = _compared(cursor, found, scope)
    pairs = _pairs(cursor, compared[:MOST_COMPARED], scope.text)
    notes = []
    if len(compared) > MOST_COMPARED:
        notes.append(
            f"{len(compared)} protocols were found; the first {MOST_COMPARED} are compared. "
            "Name runs or readings to choose others."
        )
    if not accuracy:
        notes.append("No question has a gold option, so nothing can be scored.")
    return Report(
        "protocols",
        "The same model under every protocol",
        (
            Table("accuracy", "Accuracy of every format and reading", _ACCURACY_COLUMNS, accuracy),
            Table(
                "pairs",
                "Where two protocols disagree",
                _PAIR_COLUMNS,
                pairs,
            ),
        ),
        (_plot(accuracy),) if accuracy else (),
        tuple(notes),
    )


_ACCURACY_COLUMNS = (
    Column("run_id", "run", "count"),
    Column("format", "format"),
    Column("reading", "reading"),
    Column("own", "own", about="yes: the reading that the format's protocol is scored by"),
    Column("n", "n", "count", "questions with a gold option"),
    Column("correct", "right", "count", "of them answered right"),
    Column("micro", "micro %", "percent", "share of questions answered right"),
    Column("micro_interval", "95 %", "percent_interval", "Wilson interval of the micro average"),
    Column("macro", "macro %", "percent", "mean of the subjects' shares"),
    Column("subjects", "subjects", "count", "subjects that the macro average is over"),
    Column("answered", "named", "count", "answers that name an option"),
)
_PAIR_COLUMNS = (Column("first", "protocol"), Column("second", "against"), *PAIR_COLUMNS)


def _accuracy(cursor: DuckDBPyConnection, runs: Sequence[int], scope: Scope) -> tuple[Row, ...]:
    readings = list(scope.readings or READINGS)
    view = answers_view(scope.text)
    own = _scored_by(cursor, runs)
    rows = []
    found = cursor.execute(
        _ACCURACY.format(view=view), {"runs": list(runs), "readings": readings}
    ).fetchall()
    for run_id, fmt, reading, n, correct, answered, macro, subjects in found:
        said = f"SELECT probe_id FROM {view} WHERE reading = {quoted(reading)} AND sample IS NULL "
        rows.append(
            Row(
                {
                    "run_id": run_id,
                    "format": fmt,
                    "reading": reading,
                    "own": "yes" if own.get((run_id, fmt)) == reading else "",
                    "n": n,
                    "correct": correct,
                    "micro": correct / n,
                    "micro_interval": wilson_interval(correct, n),
                    "macro": macro,
                    "subjects": subjects,
                    "answered": answered,
                },
                run_id,
                f"format = {quoted(fmt)} AND perturbation IS NULL "
                f"AND probe_id IN ({said} AND correct IS NOT NULL)",
                {
                    "correct": f"probe_id IN ({said} AND correct)",
                    "micro": f"probe_id IN ({said} AND NOT correct)",
                    "answered": f"probe_id IN ({said} AND status = 'option')",
                },
            )
        )
    return tuple(rows)


def _scored_by(cursor: DuckDBPyConnection, runs: Sequence[int]) -> dict[tuple[int, str], str]:
    """The reading that each format of each run is scored by, where the run's settings say it."""
    found = cursor.execute(
        """
        SELECT run_id, fmt->>'name', coalesce(fmt->>'scored_by', 'first_token')
        FROM (SELECT run_id, unnest(json_extract(settings, '$.formats[*]')) AS fmt FROM runs
              WHERE run_id IN (SELECT unnest(?::INTEGER[])))
        """,
        [list(runs)],
    ).fetchall()
    return {(run_id, name): reading for run_id, name, reading in found}


def _present(cursor: DuckDBPyConnection, runs: Sequence[int], scope: Scope) -> list[Side]:
    """Every format and reading that there are answers of, graded or not."""
    found = cursor.execute(
        f"""
        SELECT run_id, format, reading FROM {answers_view(scope.text)}
        WHERE run_id IN (SELECT unnest($runs::INTEGER[])) AND sample IS NULL
          AND reading IN (SELECT unnest($readings::VARCHAR[]))
        GROUP BY run_id, format, reading
        ORDER BY list_position($runs, run_id),
                 min(min(probe_id)) OVER (PARTITION BY run_id, format),
                 list_position($readings, reading)
        """,
        {"runs": list(runs), "readings": list(scope.readings or READINGS)},
    ).fetchall()
    return [Side(*row) for row in found]


def _compared(cursor: DuckDBPyConnection, found: Sequence[Side], scope: Scope) -> Sequence[Side]:
    """The protocols to set against each other: those asked for, else every format's own.

    Where a format has not said its reading (an imported log), its first one counts; where there is
    a single format, all its readings are compared.
    """
    if scope.readings:
        return found
    own = _scored_by(cursor, [protocol.run_id for protocol in found])
    chosen: dict[tuple[int, str], Side] = {}
    for protocol in found:
        key = (protocol.run_id, protocol.format)
        if key not in chosen or own.get(key) == protocol.reading:
            chosen[key] = protocol
    return list(chosen.values()) if len(chosen) > 1 else found


def _pairs(
    cursor: DuckDBPyConnection, protocols: Sequence[Side], text: TextSource
) -> tuple[Row, ...]:
    rows = [
        pair_row(cursor, first, second, text, {"first": first.title, "second": second.title})
        for first, second in combinations(protocols, 2)
    ]
    return tuple(row for row in rows if row is not None)


def _plot(accuracy: Sequence[Row]) -> Plot:
    """Micro averages by reading, one series a format."""
    formats: dict[str, list[Row]] = {}
    for row in accuracy:
        formats.setdefault(f"{row.cells['run_id']}:{row.cells['format']}", []).append(row)
    return Plot(
        "Accuracy by reading",
        "bars",
        "reading",
        "questions answered right (micro)",
        tuple(
            drawn(name, rows, "reading", "micro", "micro_interval")
            for name, rows in formats.items()
        ),
    )
