"""The sweep study: what moves when one thing about the prompt or the sampler is changed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from engine.errors import LogitscopeError
from engine.metrics.intervals import wilson_interval
from engine.studies.both import said_by
from engine.studies.drawn_mass import DRAWN_COLUMNS, drawn_plots, drawn_rows
from engine.studies.mismatch import flag_expressions
from engine.studies.report import Column, Plot, Report, Row, Table, Value
from engine.studies.sampled import question_interval
from engine.studies.scope import Scope, runs_of
from engine.studies.series import drawn
from engine.studies.swept_points import (
    Key,
    Measured,
    StoredPoint,
    flipped,
    flips,
    measured,
    stored_sweeps,
    warning_notes,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FLAGS = {"mismatch": "mismatch", "refusal": "refusal", "off_option": "off_option_top"}
"""Rates and the flags that they count."""
_FIRST_RIGHT = "first_token_right"
_TEXT_RIGHT = (
    "CASE WHEN gold IS NOT NULL AND text_status IS NOT NULL "
    "THEN text_label IS NOT DISTINCT FROM gold END"
)
_FLIPS = {"flips_first_token": "first_token", "flips_text": "greedy_text"}
_MEANS = ("option_mass", "entropy", "sample_right", "agreement")

_POINT = (
    Column("run_id", "run", "count"),
    Column("axis", "sweep"),
    Column("point", "point"),
)
_COLUMNS = (
    *_POINT,
    Column("n", "n", "count", "stored probes"),
    Column("accuracy_first_token", "first %", "percent", "the first token is right"),
    Column("accuracy_first_token_interval", "95 %", "percent_interval"),
    Column("accuracy_text", "text %", "percent", "the text is right"),
    Column("accuracy_text_interval", "95 %", "percent_interval"),
    Column("sample_right", "samples %", "percent", "share of a prompt's samples that are right"),
    Column("sample_right_interval", "95 %", "percent_interval"),
    Column("agreement", "agree %", "percent", "share of a prompt's samples that say what most say"),
    Column("agreement_interval", "95 %", "percent_interval"),
    Column("mismatch_rate", "M %", "percent", "the first token's option is not what the text says"),
    Column("mismatch_interval", "95 %", "percent_interval"),
    Column("refusal_rate", "ref %", "percent", "the text refuses"),
    Column("refusal_interval", "95 %", "percent_interval"),
    Column("off_option_rate", "off %", "percent", "the likeliest first token is no label"),
    Column("off_option_interval", "95 %", "percent_interval"),
    Column("flips_first_token_rate", "flips %", "percent", "first tokens that name another option "
           "than at the sweep's first point"),
    Column("flips_first_token_interval", "95 %", "percent_interval"),
    Column("flips_text_rate", "text flips %", "percent", "the same of texts"),
    Column("flips_text_interval", "95 %", "percent_interval"),
    Column("entropy", "H nats", "number", "mean entropy of the first token"),
    Column("entropy_interval", "95 %", "interval"),
)  # fmt: skip
_NOTE = (
    "Every question stays in the denominator: refused, several and unparsed answers too. "
    "Intervals: Wilson for shares of probes, bootstrap over questions for means."
)
_LETTERS_NOTE = (
    "Labels by their place, named as at the sweep's first point. Means over the questions that "
    "have the label."
)
_SHIFTS_NOTE = (
    "Against the sweep's first point, on the same questions, in percentage points. Intervals by "
    "bootstrap over questions."
)

Probes = Mapping[Key, Measured]


def sweep_report(cursor: DuckDBPyConnection, scope: Scope) -> Report:
    """Set the points of every sweep beside each other, and against the first of them.

    Perturbed questions are left out. A point's option orders count one by one.

    Args:
        cursor: A cursor on a store.
        scope: Which runs; those that are no sweep are left out. ``text`` says whose word on
            greedy texts counts, ``resamples`` and ``seed`` how bootstrap intervals are drawn.

    Raises:
        LogitscopeError: There is no such run, or none of them is a sweep.
    """
    stored = stored_sweeps(cursor, [run.run_id for run in runs_of(cursor, scope)])
    parts = [part for sweep in stored if (part := _part(cursor, sweep, scope)) is not None]
    if not parts:
        raise LogitscopeError(
            "None of these runs is a sweep.", "Make one with: logitscope sweep AXIS QUESTIONS"
        )
    labels = {label: None for part in parts for label in part.labels}
    tables = (
        Table("points", "The points of a sweep", _COLUMNS,
              tuple(row for part in parts for row in part.points), _NOTE),
        Table("letters", "Probability of each label as the first token", _letter_columns(labels),
              tuple(row for part in parts for row in part.letters), _LETTERS_NOTE),
        Table("shifts", "Shift of each label's probability", _shift_columns(labels),
              tuple(row for part in parts for row in part.shifts), _SHIFTS_NOTE),
        Table("drawn", "What the letters of the example draw", (*_POINT, *DRAWN_COLUMNS),
              tuple(row for part in parts for row in part.drawn)),
    )  # fmt: skip
    return Report(
        "sweep",
        "One thing changed, point by point",
        tuple(table for table in tables if table.rows),
        tuple(plot for part in parts for plot in part.plots),
        tuple(note for part in parts for note in part.notes),
    )


class _Part(NamedTuple):
    """What one sweep adds to the report; rows by point."""

    labels: tuple[str, ...]
    points: list[Row]
    letters: list[Row]
    shifts: list[Row]
    drawn: list[Row]
    plots: list[Plot]
    notes: list[str]


def _part(cursor: DuckDBPyConnection, sweep: Sequence[StoredPoint], scope: Scope) -> _Part | None:
    """One sweep; None where no probe of it is stored. The sampler moves no first token."""
    probes = {each: found for each in sweep if (found := measured(cursor, each))}
    if not probes:
        return None
    first = next(iter(probes))
    points = [_point(cursor, each, first, probes[each], scope) for each in probes]
    labels: tuple[str, ...] = ()
    letters: list[Row] = []
    if first.point.setting is None:
        labels = _labels(cursor, first)
        letters = [_letters(each, probes[each], labels, scope) for each in probes]
    drawing = list(drawn_rows(probes, labels, scope))
    return _Part(
        labels,
        points,
        letters,
        [
            _shifts(each, probes[each], probes[first], labels, scope)
            for each in probes
            if labels and each != first
        ],
        drawing,
        [*drawn_plots(drawing), *_plots(points, letters, labels)],
        list(warning_notes(cursor, list(probes))),
    )


def _names(stored: StoredPoint) -> dict[str, Value]:
    return {
        "run_id": stored.run_id,
        "axis": stored.title,
        "point": stored.point.label,
        "format": stored.point.format,
    }


def _labels(cursor: DuckDBPyConnection, stored: StoredPoint) -> tuple[str, ...]:
    """The labels of a point's question with the most options."""
    ((labels,),) = cursor.execute(
        f"SELECT arg_max(labels, len(labels)) FROM probes WHERE run_id = ? AND {stored.condition}",
        [stored.run_id],
    ).fetchall()
    return tuple(labels)


def _point(
    cursor: DuckDBPyConnection,
    stored: StoredPoint,
    first: StoredPoint,
    probes: Probes,
    scope: Scope,
) -> Row:
    cells = _names(stored) | {"n": len(probes)}
    counted, conditions = _shares(cursor, stored, scope)
    flipping, flip_conditions = _flipping(cursor, stored, first, scope)
    cells |= counted | flipping
    for name in _MEANS:
        cells |= _mean(name, {at: getattr(each, name) for at, each in probes.items()}, scope)
    return Row(cells, stored.run_id, stored.condition, conditions | flip_conditions)


def _shares(
    cursor: DuckDBPyConnection, stored: StoredPoint, scope: Scope
) -> tuple[dict[str, Value], dict[str, str]]:
    """Shares of a point's probes, and the condition that each counts."""
    flags = flag_expressions(scope.text)
    conditions = {f"{name}_rate": flags[flag] for name, flag in _FLAGS.items()}
    conditions |= {
        "accuracy_first_token": _FIRST_RIGHT,
        "accuracy_text": said_by(_TEXT_RIGHT, scope.text),
    }
    counts = ", ".join(f"count(*) FILTER ({what}), count({what})" for what in conditions.values())
    (found,) = cursor.execute(
        f"SELECT {counts} FROM outcomes WHERE run_id = ? AND {stored.condition}", [stored.run_id]
    ).fetchall()
    cells: dict[str, Value] = {}
    for key, right, total in zip(conditions, found[::2], found[1::2], strict=True):
        cells |= _rate(key, right, total)
    return cells, conditions


def _flipping(
    cursor: DuckDBPyConnection, stored: StoredPoint, first: StoredPoint, scope: Scope
) -> tuple[dict[str, Value], dict[str, str]]:
    """How many answers are other ones than at the first point, and the condition for each."""
    cells: dict[str, Value] = {}
    conditions: dict[str, str] = {}
    moves = stored != first and stored.point.setting is None
    for name, reading in _FLIPS.items() if moves else ():
        differ, both = flips(cursor, stored, first, reading, scope.text)
        cells |= {name: differ if both else None} | _rate(f"{name}_rate", differ, both)
        rule = flipped(stored, first, reading, scope.text)
        conditions |= dict.fromkeys((name, f"{name}_rate"), rule)
    return cells, conditions


def _rate(key: str, successes: int, total: int) -> dict[str, Value]:
    """A share and its interval; None without a trial."""
    interval = f"{key.removesuffix('_rate')}_interval"
    return {
        key: successes / total if total else None,
        interval: wilson_interval(successes, total),
    }


def _mean(key: str, values: Mapping[Key, float | None], scope: Scope) -> dict[str, Value]:
    """A mean over the probes that have the value, and its interval."""
    held = {at: value for at, value in values.items() if value is not None}
    if not held:
        return {key: None, f"{key}_interval": None}
    interval = question_interval(list(held.values()), [at[0] for at in held], scope)
    return {key: math.fsum(held.values()) / len(held), f"{key}_interval": interval}


def _letter_columns(labels: Mapping[str, None]) -> tuple[Column, ...]:
    return (
        *_POINT,
        Column("n", "n", "count", "stored probes"),
        Column("option_mass", "options %", "percent", "mean probability of all labels' tokens"),
        Column("option_mass_interval", "95 %", "percent_interval"),
        *(Column(label, f"{label} %", "percent") for label in labels),
    )


def _shift_columns(labels: Mapping[str, None]) -> tuple[Column, ...]:
    shifts = (
        (Column(label, label, "points"), Column(f"{label}_interval", "95 %", "points_interval"))
        for label in labels
    )
    return (*_POINT, *(column for pair in shifts for column in pair))


def _letters(stored: StoredPoint, probes: Probes, labels: Sequence[str], scope: Scope) -> Row:
    """The mean probability of every label."""
    cells = _names(stored) | {"n": len(probes)}
    cells |= _mean("option_mass", {at: each.option_mass for at, each in probes.items()}, scope)
    for place, label in enumerate(labels):
        masses = _masses(probes, place)
        cells[label] = math.fsum(masses.values()) / len(masses) if masses else None
    return Row(cells, stored.run_id, stored.condition)


def _shifts(
    stored: StoredPoint, probes: Probes, first: Probes, labels: Sequence[str], scope: Scope
) -> Row:
    """How far the mean probability of every label is from that at the first point."""
    cells = _names(stored)
    for place, label in enumerate(labels):
        here, there = _masses(probes, place), _masses(first, place)
        cells |= _mean(label, {at: here[at] - there[at] for at in here if at in there}, scope)
    return Row(cells, stored.run_id, stored.condition)


def _masses(probes: Probes, place: int) -> dict[Key, float]:
    """The probability of the label at one place, where there is such a label."""
    return {
        at: each.masses[place]
        for at, each in probes.items()
        if each.masses is not None and place < len(each.masses)
    }


def _plots(rows: Sequence[Row], letters: Sequence[Row], labels: Sequence[str]) -> Iterator[Plot]:
    axis = rows[0].cells["axis"]
    bars = {
        f"Probability of each label over {axis}": (
            "mean probability as the first token",
            [drawn(label, letters, "point", label) for label in labels],
        ),
        f"Right answers over {axis}": (
            "share of the questions",
            [
                drawn(name, rows, "point", key, f"{key}_interval")
                for name, key in (
                    ("first token", "accuracy_first_token"),
                    ("text", "accuracy_text"),
                    ("samples", "sample_right"),
                )
            ],
        ),
    }
    for title, (unit, series) in bars.items():
        recorded = tuple(each for each in series if any(y is not None for y in each.y))
        if recorded:
            yield Plot(title, "bars", "", unit, recorded)
