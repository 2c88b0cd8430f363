"""Which labels a reading prefers, whatever option stands behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.metrics.intervals import wilson_interval
from engine.studies.report import Column, Plot, Row, Value, quoted
from engine.studies.series import drawn
from engine.studies.variants import Variants

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

POSITION_COLUMNS = (
    Column("run_id", "run", "count"),
    Column("format", "format"),
    Column("reading", "reading"),
    Column("label", "label"),
    Column("named", "n", "count", "answers that name an option"),
    Column("chosen", "chosen", "count", "of them that name this label"),
    Column("chosen_share", "chosen %", "percent"),
    Column("chosen_interval", "95 %", "percent_interval", "Wilson interval of that share"),
    Column("uniform_share", "uniform %", "percent", "if every label shown were as likely"),
    Column("difference", "- uniform", "percent", "chosen minus uniform"),
    Column("gold", "gold", "count", "of n whose gold option has this label"),
    Column("gold_share", "gold %", "percent", "of those with a gold option"),
    Column("gold_difference", "- gold", "percent", "chosen minus gold, where there is a gold"),
    Column(
        "recall", "recall %", "percent", "chosen where it is gold; of all answers, named or not"
    ),
)
POSITION_NOTE = (
    "Over all option orders, questions with one order included; perturbed questions are left out."
)


def position_rows(cursor: DuckDBPyConnection, variants: Variants) -> list[Row]:
    """One row a label; none where no answer names an option."""
    found = cursor.execute(
        f"""
        WITH shown AS (
            SELECT label, gold, labels, unnest(labels) AS letter
            FROM (SELECT probe_id, label, gold {variants.answers})
            JOIN (SELECT probe_id, labels FROM probes) USING (probe_id)
        )
        SELECT letter,
               count(*) FILTER (label = letter),
               sum(1 / len(labels)) FILTER (label IS NOT NULL),
               count(*) FILTER (label = letter AND gold IS NOT NULL),
               count(*) FILTER (label IS NOT NULL AND gold = letter),
               count(*) FILTER (gold = letter),
               count(*) FILTER (label = letter AND gold = letter)
        FROM shown GROUP BY letter ORDER BY min(list_position(labels, letter))
        """
    ).fetchall()
    named, graded = (sum(row[column] for row in found) for column in (1, 3))
    if not named:
        return []
    rows = []
    for letter, chosen, expected, chosen_graded, gold, gold_all, right in found:
        uniform = (expected or 0) / named
        cells: dict[str, Value] = {
            "run_id": variants.run_id,
            "format": variants.format,
            "reading": variants.reading,
            "label": letter,
            "named": named,
            "chosen": chosen,
            "chosen_share": chosen / named,
            "chosen_interval": wilson_interval(chosen, named),
            "uniform_share": uniform,
            "difference": chosen / named - uniform,
            "gold": gold if graded else None,
            "gold_share": gold / graded if graded else None,
            "gold_difference": (chosen_graded - gold) / graded if graded else None,
            "recall": right / gold_all if gold_all else None,
            "recall_interval": wilson_interval(right, gold_all),
        }
        choice = variants.with_answer(f"label = {quoted(letter)}")
        rows.append(
            Row(
                cells,
                variants.run_id,
                variants.with_answer("label IS NOT NULL"),
                {
                    **dict.fromkeys(("chosen", "chosen_share"), choice),
                    **dict.fromkeys(("gold", "gold_share"), f"gold = {quoted(letter)}"),
                },
            )
        )
    return rows


def letters_plot(rows: Sequence[Row]) -> Plot:
    """How often each label is chosen, one series a format and reading."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        cells = row.cells
        groups.setdefault(f"{cells['run_id']}:{cells['format']}:{cells['reading']}", []).append(row)
    return Plot(
        "Labels that are chosen",
        "bars",
        "label",
        "share of the answers that name an option",
        tuple(
            drawn(name, group, "label", "chosen_share", "chosen_interval")
            for name, group in groups.items()
        ),
    )
