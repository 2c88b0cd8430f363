"""Runs that differ in nothing but the sampler's temperature or repetition penalty."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from engine.studies.report import Column, Plot, Row, Series
from engine.studies.series import drawn

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SWEPT = {"temperature": "temperature", "repetition_penalty": "repetition penalty"}
"""Settings that a sweep varies, and what people call them."""

SWEEP_NOTE = (
    "Runs with the same model, questions and settings otherwise. The sampler decides samples only: "
    "greedy texts are the model's own, without penalty. At temperature 0 samples are greedy too, "
    "with the penalty."
)
_SHOWN = (
    *("greedy", "runs", "mean", "mean_interval", "std", "best", "worst", "delta"),
    *("majority", "oracle", "agreement", "entropy", "differs_rate"),
    *("sample_tokens", "sample_characters", "sample_cut_rate"),
)
_INCIDENTAL = ("name", "source", "limit", "batch_size", "device", "sweep")
"""Of a plan: what does not decide what is asked, as in its fingerprint."""

_PLOTTED = {
    "mean": "mean of runs",
    "majority": "majority",
    "oracle": "oracle",
    "agreement": "agreement",
}


def sweep_columns(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The values swept over and those of the study's columns that a sweep shows."""
    known = {column.key: column for column in columns}
    swept = (Column(key, title, "number") for key, title in SWEPT.items())
    return (Column("sweep", "sweep", "count"), *swept, *(known[key] for key in _SHOWN))


def sweep_rows(cursor: DuckDBPyConnection, *tables: Sequence[Row]) -> list[Row]:
    """Every sweep among the runs, in the order of the values swept over.

    Args:
        cursor: A cursor on a store.
        tables: Rows of the study by run and format; those of one run and format are joined.
    """
    joined: dict[tuple[Any, Any], Row] = {}
    for row in (row for rows in tables for row in rows):
        key = (row.cells["run_id"], row.cells["format"])
        known = joined.get(key, Row({}, row.run_id, row.condition))
        joined[key] = Row(
            known.cells | row.cells, known.run_id, known.condition, known.narrower | row.narrower
        )
    settings = _settings(cursor, sorted({run_id for run_id, _ in joined}))
    sweeps: dict[str, list[Row]] = defaultdict(list)
    for key, row in joined.items():
        if key in settings:
            fixed, swept = settings[key]
            cells = {**row.cells, **swept}
            sweeps[fixed].append(Row(cells, row.run_id, row.condition, row.narrower))
    found = [rows for rows in sweeps.values() if len({_values(row) for row in rows}) > 1]
    return [
        Row({**row.cells, "sweep": number}, row.run_id, row.condition, row.narrower)
        for number, rows in enumerate(found, 1)
        for row in sorted(rows, key=_values)
    ]


def sweep_plots(rows: Sequence[Row]) -> Iterator[Plot]:
    """One plot a sweep over a setting, for every value of the other setting."""
    for key, title in SWEPT.items():
        (other,) = SWEPT.keys() - {key}
        lines: dict[tuple[Any, Any], list[Row]] = defaultdict(list)
        for row in rows:
            lines[row.cells["sweep"], row.cells[other]].append(row)
        for (_, fixed), line in lines.items():
            if len({row.cells[key] for row in line}) > 1:
                about = f"{line[0].cells['format']}, {SWEPT[other]} {fixed:g}"
                yield Plot(
                    f"Samples over {title} ({about})", "lines", title, "share", _lines(line, key)
                )


def _lines(rows: Sequence[Row], key: str) -> tuple[Series, ...]:
    return tuple(
        drawn(name, rows, key, measure, f"{measure}_interval")
        for measure, name in _PLOTTED.items()
        if any(row.cells.get(measure) is not None for row in rows)
    )


def _values(row: Row) -> tuple[Any, ...]:
    return tuple(row.cells[key] for key in SWEPT)


def _settings(
    cursor: DuckDBPyConnection, runs: Sequence[int]
) -> dict[tuple[int, str], tuple[str, dict[str, float]]]:
    """By run and format: all that a sweep keeps, and the values that it varies.

    Imported runs whose log has no sampler are left out.
    """
    found = cursor.execute(
        """
        SELECT run_id, format, settings, sum(hash(question_id, order_index)::HUGEINT)
        FROM probes JOIN runs USING (run_id)
        WHERE run_id IN (SELECT unnest(?::INTEGER[])) AND perturbation IS NULL
        GROUP BY run_id, format, settings
        """,
        [list(runs)],
    ).fetchall()
    settings = {}
    for run_id, fmt, stored, questions in found:
        plan = json.loads(stored)
        sampler = (plan.get("settings") or {}).get("sampler") or {}
        if not SWEPT.keys() <= sampler.keys():
            continue
        swept = {key: float(sampler.pop(key)) for key in SWEPT}
        if plan.get("weights"):
            plan.pop("model")
        kept = {key: value for key, value in plan.items() if key not in _INCIDENTAL}
        fixed = json.dumps([fmt, str(questions), kept], sort_keys=True)
        settings[run_id, fmt] = fixed, swept
    return settings
