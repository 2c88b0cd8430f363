"""The mismatch study: where the first token and the written text disagree (arXiv:2402.14499)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from engine.flags import FLAGS, of_reading
from engine.metrics.intervals import wilson_interval
from engine.studies.both import choices_table, confusion_tables, said_by
from engine.studies.report import Column, Plot, Report, Row, Table, Value, quoted
from engine.studies.scope import Grouping, Scope, TextSource, runs_of
from engine.studies.series import drawn

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_GROUPS: dict[Grouping, tuple[str, ...]] = {
    "order": ("run_id", "format", "order_index", "perturbation"),
    "format": ("run_id", "format"),
    "subject": ("run_id", "format", "subject"),
    "model": ("run_id",),
}

COUNTED = {
    "mismatch": "mismatch",
    "vocab_mismatch": "vocab_mismatch",
    "same_but_not_first": "same_but_not_first",
    "refused_text": "refusal",
    "refused_first_token": "first_refusal",
    "several": "several",
    "unparsed": "unparsed",
    "truncated": "truncated",
    "no_option": "no_option",
}
"""Counters and the flags that they count."""

_RIGHT = {
    "accuracy_first_token": "first_token = gold",
    "accuracy_text": "text_label IS NOT DISTINCT FROM gold",
}
_GRADED = {
    "accuracy_first_token": "gold IS NOT NULL AND first_token IS NOT NULL",
    "accuracy_text": "gold IS NOT NULL AND text_status IS NOT NULL",
}


def mismatch_report(cursor: DuckDBPyConnection, scope: Scope) -> Report:
    """Count mismatches, refusals and unread texts, and set the choices of both readings in a table.

    Refused, several, unparsed and truncated texts stay in every count, as in the published ones.
    A count is None where nothing of what it needs was recorded.

    Args:
        cursor: A cursor on a store.
        scope: Which runs; ``text`` says whose word counts, ``by`` what is counted apart.

    Raises:
        LogitscopeError: There is no such run.
    """
    runs = runs_of(cursor, scope)
    ids = [run.run_id for run in runs]
    counts = Table(
        "counts",
        "First token against text",
        _columns(scope.by),
        tuple(_counts(cursor, ids, scope)),
        "Every question stays in the denominator: refused, several and unparsed answers too.",
    )
    both = [choices_table(cursor, ids, scope.text)]
    both += confusion_tables(cursor, ids, scope.text)
    return Report(
        "mismatch",
        "First token against text",
        (counts, *(table for table in both if table.rows)),
        tuple(_plots(counts.rows)),
        _notes(cursor, ids, scope.text),
    )


def _columns(by: Grouping) -> tuple[Column, ...]:
    groups = {
        "run_id": Column("run_id", "run", "count"),
        "format": Column("format", "format"),
        "order_index": Column("order_index", "ord", "count", "number of the option order"),
        "subject": Column("subject", "subject"),
        "perturbation": Column("perturbation", "changed", about="how the question was changed"),
    }
    return (
        *(groups[key] for key in _GROUPS[by]),
        Column("model", "model"),
        Column("n", "n", "count", "stored probes"),
        Column("mismatch", "M", "count", "the first token's option is not what the text says"),
        Column("mismatch_rate", "M %", "percent", "M over the probes with both"),
        Column("mismatch_interval", "95 %", "percent_interval", "Wilson interval of that rate"),
        Column("vocab_mismatch", "F", "count", "likeliest token of all is not the text's letter"),
        Column("same_but_not_first", "S", "count", "as F, yet the likeliest option is"),
        Column("refused_text", "ref", "count", "the text refuses"),
        Column("refused_first_token", "ref1", "count", "the first token chooses to refuse"),
        Column("several", "sev", "count", "the text endorses several options"),
        Column("unparsed", "unp", "count", "no rule finds an answer in the text"),
        Column("truncated", "cut", "count", "the text was cut before an answer"),
        Column("no_option", "none", "count", "the text says none of them, or does not know"),
        Column("accuracy_first_token", "first %", "percent", "the first token is right"),
        Column("accuracy_first_token_interval", "95 %", "percent_interval"),
        Column("accuracy_text", "text %", "percent", "the text is right"),
        Column("accuracy_text_interval", "95 %", "percent_interval"),
    )


def flag_expressions(text: TextSource) -> dict[str, str]:
    """Every flag's SQL by name, over what was decided or over what the ladder reads."""
    return {
        flag.name: flag.name if text == "decided" else f"({of_reading(flag.expression)})"
        for flag in FLAGS
    }


def _counts(cursor: DuckDBPyConnection, runs: list[int], scope: Scope) -> list[Row]:
    groups = _GROUPS[scope.by]
    flags = flag_expressions(scope.text)
    sums = [f"sum({flags[flag]}::INTEGER) AS {name}" for name, flag in COUNTED.items()]
    graded = {name: said_by(condition, scope.text) for name, condition in _GRADED.items()}
    right = {name: said_by(condition, scope.text) for name, condition in _RIGHT.items()}
    for name in graded:
        sums.append(f"count(*) FILTER ({graded[name]}) AS {name}_of")
        sums.append(f"count(*) FILTER ({graded[name]} AND {right[name]}) AS {name}_right")
    keys = ", ".join(groups)
    cursor.execute(
        f"""
        SELECT {keys}, any_value(model) AS model, count(*) AS n,
               count({flags["mismatch"]}) AS compared, {", ".join(sums)}
        FROM outcomes JOIN runs USING (run_id)
        WHERE run_id IN (SELECT unnest(?::INTEGER[]))
        GROUP BY {keys}
        ORDER BY list_position(?::INTEGER[], run_id), min(probe_id)
        """,
        [runs, runs],
    )
    names = [column[0] for column in cursor.description or ()]
    rows = []
    for values in cursor.fetchall():
        found = dict(zip(names, values, strict=True))
        narrower = {name: flags[flag] for name, flag in COUNTED.items()}
        narrower |= {"mismatch_rate": flags["mismatch"]}
        narrower |= {name: f"{graded[name]} AND {right[name]}" for name in graded}
        rows.append(Row(_cells(found), found["run_id"], _condition(found, groups), narrower))
    return rows


def _cells(found: dict[str, int | str | None]) -> dict[str, Value]:
    compared = found.pop("compared")
    cells: dict[str, Value] = {
        key: value for key, value in found.items() if not key.endswith(("_of", "_right"))
    }
    # A folder is known by its last part; what is before it says where it lay on one machine.
    cells["model"] = PurePath(str(found["model"])).name if _is_folder(found) else found["model"]
    rate, interval = _rate(found["mismatch"], compared)
    cells |= {"mismatch_rate": rate, "mismatch_interval": interval}
    for name in _GRADED:
        rate, interval = _rate(found[f"{name}_right"], found[f"{name}_of"])
        cells |= {name: rate, f"{name}_interval": interval}
    return cells


def _is_folder(found: dict[str, int | str | None]) -> bool:
    return PurePath(str(found["model"])).is_absolute()


def _rate(successes: object, total: object) -> tuple[float | None, tuple[float, float] | None]:
    if not isinstance(successes, int) or not isinstance(total, int) or total == 0:
        return None, None
    return successes / total, wilson_interval(successes, total)


def _condition(found: dict[str, int | str | None], groups: tuple[str, ...]) -> str:
    """The questions of a group; its run aside, which lists take by itself."""
    return " AND ".join(
        f"{key} IS NULL"
        if found[key] is None
        else f"{key} = {quoted(str(found[key])) if isinstance(found[key], str) else found[key]}"
        for key in groups
        if key != "run_id"
    )


def _plots(rows: Sequence[Row]) -> Iterator[Plot]:
    """Rates of mismatch and refusal, one bar a row of the counts."""
    bars = []
    for row in rows:
        keys = ("run_id", "format", "order_index", "subject")
        name = " ".join(str(row.cells[key]) for key in keys if row.cells.get(key) is not None)
        refusal, interval = _rate(row.cells["refused_text"], row.cells["n"])
        bars.append(
            Row({**row.cells, "name": name, "refusal": refusal, "refusal_interval": interval})
        )
    series = (
        drawn("mismatch", bars, "name", "mismatch_rate", "mismatch_interval"),
        drawn("text refuses", bars, "name", "refusal", "refusal_interval"),
    )
    recorded = tuple(each for each in series if any(rate is not None for rate in each.y))
    if recorded:
        yield Plot("Mismatch and refusal", "bars", "", "share of the questions", recorded)


def _notes(cursor: DuckDBPyConnection, runs: list[int], text: TextSource) -> tuple[str, ...]:
    """Whose word counts, where people have labelled texts."""
    sources = cursor.execute(
        """
        SELECT count(*) FILTER (text_source = 'human label'),
               count(*) FILTER (text_source = 'override'),
               count(*) FILTER (text_source IN ('human label', 'override')
                                AND read_status IS NOT NULL
                                AND (text_label IS DISTINCT FROM read_label
                                     OR (text_label IS NULL AND text_status <> read_status)))
        FROM outcomes WHERE run_id IN (SELECT unnest(?::INTEGER[]))
        """,
        [runs],
    ).fetchall()
    ((labels, overrides, otherwise),) = sources
    if not labels + overrides:
        return ()
    who = "people" if text == "decided" else "the answer ladder"
    return (
        f"What texts say is taken from {who}: {labels} have a released human label, {overrides} an "
        f"override by hand; of these the ladder reads {otherwise} otherwise.",
    )
