"""The choices of the first token and of the text, side by side."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from engine.metrics.distributions import jensen_shannon, ordinal_wasserstein, total_variation
from engine.studies.report import Column, Row, Table, Value, quoted
from engine.studies.scope import TextSource, answers_view

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_CHOICES = """
SELECT a.run_id, a.format, a.reading, a.label, count(*),
       list((o.ordinal - s.low) / (s.high - s.low))
           FILTER (o.ordinal IS NOT NULL AND s.high > s.low)
FROM {view} a
JOIN questions q USING (question_id)
LEFT JOIN LATERAL (SELECT q.options[1 + a.option_index].ordinal AS ordinal) o ON true
LEFT JOIN LATERAL (
    SELECT list_min([x.ordinal FOR x IN q.options]) AS low,
           list_max([x.ordinal FOR x IN q.options]) AS high
) s ON true
WHERE a.run_id IN (SELECT unnest(?::INTEGER[])) AND a.reading IN ('first_token', 'greedy_text')
GROUP BY a.run_id, a.format, a.reading, a.label
ORDER BY list_position(?::INTEGER[], a.run_id), min(a.probe_id), a.label
"""


def said_by(expression: str, text: TextSource) -> str:
    """A SQL expression over what texts say, over what was decided or what the ladder reads."""
    return expression if text == "decided" else expression.replace("text_", "read_")


def choices_table(cursor: DuckDBPyConnection, runs: list[int], text: TextSource) -> Table:
    """How often each label is chosen by the first token and by the text, and how far apart.

    The distances are between the two readings' distributions over the labels shown. On the scale
    of survey questions, each choice is its ordinal less the question's lowest, over the length of
    the question's scale; what has no ordinal, such as a refusal, is left out and counted apart.
    """
    found = cursor.execute(_CHOICES.format(view=answers_view(text)), [runs, runs]).fetchall()
    groups: dict[tuple[int, str], dict[str, list[tuple[str | None, int, list[float]]]]] = {}
    for run_id, fmt, reading, label, count, places in found:
        sides = groups.setdefault((run_id, fmt), {"first_token": [], "greedy_text": []})
        sides[reading].append((label, count, places or []))
    labels = sorted({row[3] for row in found if row[3] is not None})
    rows = [
        row
        for (run_id, fmt), sides in groups.items()
        if all(sides.values())
        for row in _choice_rows(run_id, fmt, sides, labels, text)
    ]
    return Table(
        "choices",
        "What the two readings choose",
        (
            Column("run_id", "run", "count"),
            Column("format", "format"),
            Column("reading", "reading"),
            *(Column(label, label, "count") for label in labels),
            Column("no_option", "none", "count", "answers that name no option"),
            Column("total_variation", "TV", "number", "total variation of the two over labels"),
            Column("jensen_shannon", "JS", "number", "Jensen-Shannon divergence, nats"),
            Column("wasserstein", "W1", "number", "1-Wasserstein on the questions' own scales"),
            Column("on_scale", "on scale", "count", "choices that have a place on a scale"),
        ),
        tuple(rows),
    )


def _choice_rows(
    run_id: int,
    fmt: str,
    sides: dict[str, list[tuple[str | None, int, list[float]]]],
    labels: list[str],
    text: TextSource,
) -> list[Row]:
    """One row a reading; the distances stand in that of the text."""
    counts = {
        reading: Counter({label: count for label, count, _ in side if label is not None})
        for reading, side in sides.items()
    }
    places = {
        reading: [place for *_, found in side for place in found] for reading, side in sides.items()
    }
    first, said = counts["first_token"], counts["greedy_text"]
    distances: dict[str, Value] = {
        "total_variation": total_variation(first, said),
        "jensen_shannon": jensen_shannon(first, said),
        "wasserstein": ordinal_wasserstein(places["first_token"], places["greedy_text"]),
    }
    columns = {"first_token": "first_token", "greedy_text": said_by("text_label", text)}
    absent = {
        "first_token": "first_token IS NULL",
        "greedy_text": said_by("text_label IS NULL AND text_status IS NOT NULL", text),
    }
    return [
        Row(
            {
                "run_id": run_id,
                "format": fmt,
                "reading": reading,
                **{label: counts[reading].get(label, 0) for label in labels},
                "no_option": sum(count for label, count, _ in sides[reading] if label is None),
                "on_scale": len(places[reading]) or None,
                **(distances if reading == "greedy_text" else {}),
            },
            run_id,
            f"format = {quoted(fmt)}",
            {
                **{label: f"{columns[reading]} = {quoted(label)}" for label in labels},
                "no_option": absent[reading],
            },
        )
        for reading in ("first_token", "greedy_text")
    ]


def confusion_tables(cursor: DuckDBPyConnection, runs: list[int], text: TextSource) -> list[Table]:
    """One table a run and format: down the first token's label, across what the text says."""
    formats = cursor.execute(
        "SELECT run_id, format FROM outcomes WHERE run_id IN (SELECT unnest(?::INTEGER[])) "
        "GROUP BY run_id, format ORDER BY list_position(?::INTEGER[], run_id), min(probe_id)",
        [runs, runs],
    ).fetchall()
    return [_confusion(cursor, run_id, fmt, text) for run_id, fmt in formats]


def _confusion(cursor: DuckDBPyConnection, run_id: int, fmt: str, text: TextSource) -> Table:
    says = said_by(
        "CASE WHEN text_status IN ('option', 'refusal') AND text_label IS NOT NULL "
        "THEN text_label ELSE text_status END",
        text,
    )
    found = cursor.execute(
        f"""
        SELECT first_token, says, count(*)
        FROM (SELECT first_token, {says} AS says FROM outcomes WHERE run_id = ? AND format = ?)
        WHERE first_token IS NOT NULL AND says IS NOT NULL
        GROUP BY first_token, says ORDER BY any_value(length(says)) > 1, says
        """,
        [run_id, fmt],
    ).fetchall()
    said = list(dict.fromkeys(row[1] for row in found))
    counts = {(first, word): count for first, word, count in found}
    rows = tuple(
        Row(
            {"first_token": first, **{word: counts.get((first, word), 0) for word in said}},
            run_id,
            f"format = {quoted(fmt)} AND first_token = {quoted(first)}",
            {word: f"({says}) = {quoted(word)}" for word in said},
        )
        for first in sorted({first for first, _ in counts})
    )
    return Table(
        f"confusion_{run_id}_{fmt}",
        f"Run {run_id}, {fmt}: first token (down) against text (across)",
        (
            Column("first_token", "first token"),
            *(Column(word, word.replace("_", " "), "count") for word in said),
        ),
        rows,
    )
