"""The choices of the first token and of the text, side by side."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from engine.flags import of_reading
from engine.metrics.distributions import jensen_shannon, ordinal_wasserstein, total_variation
from engine.studies.report import Column, Row, Table, Value, quoted
from engine.studies.scope import TextSource

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_CHOICES = """
SELECT run_id, format, {label} AS label, count(*)
FROM outcomes
WHERE run_id IN (SELECT unnest(?::INTEGER[])) AND {recorded}
GROUP BY run_id, format, label
ORDER BY list_position(?::INTEGER[], run_id), min(probe_id), label
"""

_PLACES = """
WITH scales AS (
    SELECT question_id, options, list_min([x.ordinal FOR x IN options]) AS low,
           list_max([x.ordinal FOR x IN options]) AS high
    FROM questions
    WHERE list_count([x.ordinal FOR x IN options]) > 1
), chosen AS (
    SELECT o.run_id, o.format, (
        s.options[1 + p.permutation[list_position(p.labels, o.{label})]].ordinal - s.low
    ) / (s.high - s.low) AS place
    FROM outcomes o JOIN scales s USING (question_id) JOIN probes p USING (probe_id)
    WHERE o.run_id IN (SELECT unnest(?::INTEGER[])) AND s.high > s.low
)
SELECT run_id, format, place, count(*) FROM chosen WHERE place IS NOT NULL GROUP BY ALL
"""
"""Only questions with a scale are looked at: a knowledge question has none."""

Counts = dict[tuple[int, str], Counter[str | None]]
Places = dict[tuple[int, str], Counter[float]]


def said_by(expression: str, text: TextSource) -> str:
    """A SQL expression over what texts say, over what was decided or what the ladder reads."""
    return expression if text == "decided" else of_reading(expression)


def choices_table(cursor: DuckDBPyConnection, runs: list[int], text: TextSource) -> Table:
    """How often each label is chosen by the first token and by the text, and how far apart.

    The distances are between the two readings' distributions over the labels shown. On the scale
    of survey questions, each choice is its ordinal less the question's lowest, over the length of
    the question's scale; what has no ordinal, such as a refusal, is left out and counted apart.
    """
    columns = {"first_token": "first_token", "greedy_text": said_by("text_label", text)}
    recorded = {
        "first_token": "first_token IS NOT NULL",
        "greedy_text": said_by("text_status IS NOT NULL", text),
    }
    chosen = {name: _chosen(cursor, runs, columns[name], recorded[name]) for name in columns}
    places = {name: _places(cursor, runs, columns[name]) for name in columns}
    labels = sorted(
        {
            label
            for counts in chosen.values()
            for counter in counts.values()
            for label in counter
            if label is not None
        }
    )
    rows = [
        row
        for group in chosen["first_token"]
        if group in chosen["greedy_text"]
        for row in _choice_rows(
            group,
            {name: chosen[name][group] for name in columns},
            {name: places[name].get(group, Counter()) for name in columns},
            labels,
            text,
        )
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


def _chosen(cursor: DuckDBPyConnection, runs: list[int], label: str, recorded: str) -> Counts:
    """How often each label was chosen, by run and format; None where no option was."""
    query = _CHOICES.format(label=label, recorded=recorded)
    found: Counts = {}
    for run_id, fmt, said, count in cursor.execute(query, [runs, runs]).fetchall():
        found.setdefault((run_id, fmt), Counter())[said] = count
    return found


def _places(cursor: DuckDBPyConnection, runs: list[int], label: str) -> Places:
    """How often each place on its question's scale was chosen, by run and format."""
    found: Places = {}
    for run_id, fmt, place, count in cursor.execute(_PLACES.format(label=label), [runs]).fetchall():
        found.setdefault((run_id, fmt), Counter())[place] = count
    return found


def _choice_rows(
    group: tuple[int, str],
    chosen: dict[str, Counter[str | None]],
    places: dict[str, Counter[float]],
    labels: list[str],
    text: TextSource,
) -> list[Row]:
    """One row a reading; the distances stand in that of the text."""
    run_id, fmt = group
    options = {name: Counter({k: n for k, n in c.items() if k}) for name, c in chosen.items()}
    distances: dict[str, Value] = {
        "total_variation": total_variation(options["first_token"], options["greedy_text"]),
        "jensen_shannon": jensen_shannon(options["first_token"], options["greedy_text"]),
        "wasserstein": ordinal_wasserstein(places["first_token"], places["greedy_text"]),
    }
    columns = {"first_token": "first_token", "greedy_text": said_by("text_label", text)}
    absent = {
        "first_token": "false",
        "greedy_text": said_by("text_label IS NULL AND text_status IS NOT NULL", text),
    }
    return [
        Row(
            {
                "run_id": run_id,
                "format": fmt,
                "reading": reading,
                **{label: chosen[reading][label] for label in labels},
                "no_option": chosen[reading][None],
                "on_scale": sum(places[reading].values()) or None,
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
