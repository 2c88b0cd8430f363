"""How long greedy and sampled texts are, and how many a token limit cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.metrics.intervals import wilson_interval
from engine.studies.report import Column, Row, Value, quoted
from engine.studies.sampled import Sampled

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MEASURES = ("tokens", "characters", "words")
LENGTH_COLUMNS = (
    *(
        Column(f"{kind}_{measure}", f"{kind} {measure}", "number")
        for measure in _MEASURES
        for kind in ("greedy", "sample")
    ),
    Column("greedy_cut", "cut", "count", "greedy texts that the token limit cut"),
    Column("greedy_cut_rate", "cut %", "percent"),
    Column("greedy_cut_interval", "95 %", "percent_interval"),
    Column("sample_cut_rate", "sample cut %", "percent", "samples that the token limit cut"),
    Column("sample_cut_interval", "95 %", "percent_interval"),
)
LENGTH_NOTE = (
    "Means over prompts, of samples over the runs. Tokens are the model's own, the stop token "
    "included; characters and words (between blanks) can be compared between models. Wilson "
    "intervals."
)


def length_row(cursor: DuckDBPyConnection, each: Sampled) -> Row:
    """Mean lengths of a format's texts; of samples the mean of the runs' means."""
    asked = each.asked
    found = cursor.execute(
        r"""
        WITH texts AS (
            SELECT kind, sample, tokens, length(text) AS characters,
                   len(regexp_extract_all(text, '\S+')) AS words, finish_reason
            FROM generations JOIN probes USING (probe_id)
            WHERE run_id = ? AND format = ? AND perturbation IS NULL
              AND kind IN ('greedy', 'sample') AND sample <= ?
        ), by_run AS (
            SELECT kind, avg(tokens) AS tokens, avg(characters) AS characters, avg(words) AS words,
                   count(*) FILTER (finish_reason = 'length') AS cut, count(finish_reason) AS ended
            FROM texts GROUP BY kind, sample
        )
        SELECT kind, avg(tokens), avg(characters), avg(words), sum(cut)::INTEGER,
               sum(ended)::INTEGER
        FROM by_run GROUP BY kind
        """,
        [asked.run_id, asked.format, each.runs],
    ).fetchall()
    cells: dict[str, Value] = {"run_id": asked.run_id, "format": asked.format}
    cells |= dict.fromkeys(column.key for column in LENGTH_COLUMNS)
    for kind, tokens, characters, words, cut, ended in found:
        lengths = zip(_MEASURES, (tokens, characters, words), strict=True)
        cells |= {f"{kind}_{measure}": length for measure, length in lengths}
        if ended:
            cells |= {
                f"{kind}_cut": cut,
                f"{kind}_cut_rate": cut / ended,
                f"{kind}_cut_interval": wilson_interval(cut, ended),
            }
    greedy, sample = (_cut(kind, each.runs) for kind in ("greedy", "sample"))
    return Row(
        cells,
        asked.run_id,
        asked.condition,
        {"greedy_cut": greedy, "greedy_cut_rate": greedy, "sample_cut_rate": sample},
    )


def _cut(kind: str, runs: int) -> str:
    """The probes with a text of a kind that was cut."""
    return (
        f"probe_id IN (SELECT probe_id FROM generations WHERE kind = {quoted(kind)} "
        f"AND sample <= {runs} AND finish_reason = 'length')"
    )
