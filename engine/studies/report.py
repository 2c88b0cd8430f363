"""What a study returns: tables whose cells lead to questions, plots, and words about both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa

Value = str | int | float | bool | tuple[float, float] | None
"""Of a cell; None is "not recorded" or "not defined here", a pair is an interval."""

Form = Literal[
    "text",
    "count",
    "percent",
    "points",
    "number",
    "interval",
    "percent_interval",
    "points_interval",
    "p_value",
]
"""How people read a value. Values themselves are never scaled: ``percent`` is a share in 0..1, and
``points`` a difference of two, read in percentage points."""


class Column(msgspec.Struct, frozen=True):
    """One column of a table.

    Attributes:
        key: Name of the value in JSON.
        title: Header for people; short.
        form: How people read it.
        about: Its definition in one line, for legends.
    """

    key: str
    title: str
    form: Form = "text"
    about: str = ""


class Row(msgspec.Struct, frozen=True):
    """One row, and the questions behind it.

    Attributes:
        cells: Values by column key; more than the columns show may be here, JSON prints all.
        run_id: The run that the questions belong to; None where they belong to no single one.
        condition: SQL over the view ``listing`` that the row's questions fulfil; empty for all of
            the run.
        narrower: By column key, the further condition for the questions that a cell counts.
    """

    cells: dict[str, Value]
    run_id: int | None = None
    condition: str = ""
    narrower: dict[str, str] = {}

    def behind(self, key: str) -> str:
        """The condition for the questions behind a cell: the row's, narrowed by the cell's."""
        parts = [part for part in (self.condition, self.narrower.get(key, "")) if part]
        return " AND ".join(parts if len(parts) < 2 else (f"({part})" for part in parts))


class Table(msgspec.Struct, frozen=True):
    """One table.

    Attributes:
        name: Its key in JSON.
        title: What it shows.
        columns: In the order shown.
        rows: In the order shown.
        note: What a reader must know besides the columns' definitions.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""

    def to_arrow(self) -> pa.Table:
        """The table for programs: every value whole, one typed column a key.

        Shares and differences are numbers, never percentages. An interval is two columns, its
        key with ``_low`` and ``_high``. Values that people are not shown come last.
        """
        import pyarrow as pa

        forms = {column.key: column.form for column in self.columns}
        keys = dict.fromkeys([*forms, *(key for row in self.rows for key in row.cells)])
        arrays = {}
        for key in keys:
            values = [row.cells.get(key) for row in self.rows]
            if _is_interval(values, forms.get(key)):
                ends = [value if isinstance(value, tuple) else (None, None) for value in values]
                for place, end in enumerate(("low", "high")):
                    arrays[f"{key}_{end}"] = pa.array([pair[place] for pair in ends], pa.float64())
            else:
                arrays[key] = _typed(values, forms.get(key))
        return pa.table(arrays)


class Series(msgspec.Struct, frozen=True):
    """Points of a plot that belong together.

    Attributes:
        name: What the legend says.
        x: Numbers, or names of bars.
        y: As many numbers; None where there is nothing to draw.
        low: Lower ends of the intervals around ``y``; empty for none.
        high: Upper ends.
    """

    name: str
    x: tuple[float, ...] | tuple[str, ...]
    y: tuple[float | None, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()


class Plot(msgspec.Struct, frozen=True):
    """A picture of a table.

    Attributes:
        title: What it shows.
        kind: ``bars`` beside each other, ``lines`` through points, or ``points``.
        x_label: What runs to the right, with its unit.
        y_label: What runs up, with its unit.
        series: What is drawn.
        diagonal: Whether the line y = x is drawn for comparison, as in a reliability diagram.
        unit_square: Whether both axes run from 0 to 1.
    """

    title: str
    kind: Literal["bars", "lines", "points"]
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    diagonal: bool = False
    unit_square: bool = False


class Report(msgspec.Struct, frozen=True):
    """What a study found.

    Attributes:
        study: Its name.
        title: One line.
        tables: The most important first.
        plots: The most important first.
        notes: Whole sentences about what was left out, or how to read it.
    """

    study: str
    title: str
    tables: tuple[Table, ...]
    plots: tuple[Plot, ...] = ()
    notes: tuple[str, ...] = ()

    def to_arrow(self) -> dict[str, pa.Table]:
        """Every table by its name (see :meth:`Table.to_arrow`)."""
        return {table.name: table.to_arrow() for table in self.tables}


def _is_interval(values: list[Value], form: Form | None) -> bool:
    found = [value for value in values if value is not None]
    if found:
        return all(isinstance(value, tuple) for value in found)
    return form is not None and "interval" in form


def _typed(values: list[Value], form: Form | None) -> pa.Array:
    """Values as the narrowest of flags, whole numbers, numbers and texts that holds them all."""
    import pyarrow as pa

    found = [value for value in values if value is not None]
    if form == "text" and not found:
        return pa.array(values, pa.string())
    if found and all(isinstance(value, bool) for value in found):
        return pa.array(values, pa.bool_())
    if form in ("count", None) and all(isinstance(value, int) for value in found):
        return pa.array(values, pa.int64())
    if all(isinstance(value, int | float) for value in found):
        whole = form == "text" and all(isinstance(value, int) for value in found)
        return pa.array(values, pa.int64() if whole else pa.float64())
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def quoted(text: str) -> str:
    """A SQL string."""
    return "'" + text.replace("'", "''") + "'"
