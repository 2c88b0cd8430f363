"""What the letters of a prompt's example draw to themselves (arXiv:2402.14499, figure 3)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from engine.studies.report import Column, Plot, Row
from engine.studies.sampled import question_interval
from engine.studies.scope import Scope
from engine.studies.series import drawn
from engine.studies.swept_points import Key, Measured, StoredPoint

DRAWN_COLUMNS = (
    Column("n", "n", "count", "probes that have all letters of the example as labels"),
    Column("shown", "here %", "percent", "mean probability of the letters that the example shows"),
    Column("elsewhere", "else %", "percent", "of the same letters on the same questions, mean over "
           "the points whose example shows other ones"),
    Column("drawn", "drawn", "points", "here minus else, in percentage points"),
    Column("drawn_interval", "95 %", "points_interval", "by bootstrap over questions"),
)  # fmt: skip


def drawn_rows(
    probes: Mapping[StoredPoint, Mapping[Key, Measured]], labels: Sequence[str], scope: Scope
) -> Iterator[Row]:
    """Mass of the letters that an example shows against their mass where it shows others.

    Args:
        probes: What was measured at the points of one sweep; nothing comes of one that is not over
            the example's letter.
        labels: The questions' labels by place.
        scope: How intervals are drawn.
    """
    shown = {
        stored: {labels.index(letter) for letter in _letters(stored) if letter in labels}
        for stored in probes
    }
    for stored, places in shown.items():
        if not places:
            continue
        others = [other for other in shown if shown[other] and not shown[other] & places]
        here = _mass(probes[stored], places)
        there = [_mass(probes[other], places) for other in others]
        both = [at for at in here if all(at in mass for mass in there)]
        if not others or not both:
            continue
        elsewhere = [math.fsum(mass[at] for mass in there) / len(there) for at in both]
        moved = [here[at] - mass for at, mass in zip(both, elsewhere, strict=True)]
        yield Row(
            {
                "run_id": stored.run_id,
                "axis": stored.title,
                "point": stored.point.label,
                "format": stored.point.format,
                "n": len(both),
                "shown": math.fsum(here[at] for at in both) / len(both),
                "elsewhere": math.fsum(elsewhere) / len(both),
                "drawn": math.fsum(moved) / len(both),
                "drawn_interval": question_interval(moved, [at[0] for at in both], scope),
            },
            stored.run_id,
            stored.condition,
        )


def drawn_plots(rows: Sequence[Row]) -> Iterator[Plot]:
    """The two masses beside each other, a pair of bars for each point."""
    if rows:
        series = (
            drawn("where shown", rows, "point", "shown"),
            drawn("where others are", rows, "point", "elsewhere"),
        )
        unit = "mean probability of the letters shown"
        yield Plot("What the letters of the example draw", "bars", "", unit, series)


def _letters(stored: StoredPoint) -> list[str]:
    """The letters that a point's example shows."""
    return stored.point.label.split("/") if stored.axis == "example-letter" else []


def _mass(probes: Mapping[Key, Measured], places: set[int]) -> dict[Key, float]:
    """The probability of the labels at some places together, where there are all of them."""
    return {
        at: math.fsum(each.masses[place] for place in places)
        for at, each in probes.items()
        if each.masses is not None and max(places) < len(each.masses)
    }
