"""Reports as text: tables for terminals, papers and programs; and the command that prints one."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.studies import Scope
from engine.studies.report import Column, Form, Report, Table, Value
from tui.output import NOT_RECORDED

RIGHT_FORMS: frozenset[Form] = frozenset({"count", "percent", "points", "number", "p_value"})
"""What stands at the right of its column."""

_LATEX = str.maketrans(
    {
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "–": "--",
        "→": r"$\rightarrow$",
    }
)


def shown(value: Value, form: Form) -> str:
    """A cell as people read it."""
    if value is None:
        return NOT_RECORDED
    if isinstance(value, tuple) and form == "points_interval":
        return " to ".join(shown(bound, "points") for bound in value)
    if isinstance(value, tuple):
        scale, digits = (100, 0) if form == "percent_interval" else (1, 3)
        # Adding zero makes a rounded -0 one without a sign.
        low, high = (round(scale * bound, digits) + 0.0 for bound in value)
        return f"{low:.{digits}f}–{high:.{digits}f}"
    if isinstance(value, bool | str):
        return str(value)
    if form == "percent":
        return f"{round(100 * value, 1) + 0.0:.1f}"
    if form == "points":
        points = round(100 * value, 1)
        return f"{points:+.1f}" if points else "0.0"
    if form == "p_value":
        return "<1e-300" if value == 0 else f"{value:.2g}"
    if isinstance(value, int) or form == "count":
        return f"{value:,}"
    return f"{round(value, 3) + 0.0:.3f}" if abs(value) < 1000 else f"{value:,.1f}"


def filled(table: Table) -> tuple[list[Column], list[list[str]]]:
    """Header and cells of a table, without the columns in which nothing was recorded."""
    columns = [
        column
        for column in table.columns
        if not table.rows or any(row.cells.get(column.key) is not None for row in table.rows)
    ]
    cells = [
        [shown(row.cells.get(column.key), column.form) for column in columns] for row in table.rows
    ]
    return columns, cells


def legend(columns: Sequence[Column]) -> list[str]:
    """What headers mean, one line each."""
    return [f"{column.title}: {column.about}" for column in columns if column.about]


def as_json(report: Report) -> dict[str, object]:
    """Every table by its name, its rows as objects; nothing is rounded or left out."""
    return {
        "study": report.study,
        "title": report.title,
        **{table.name: [row.cells for row in table.rows] for table in report.tables},
        "notes": report.notes,
    }


def as_tsv(table: Table) -> str:
    """A table as people read it, with tabs between its cells, for a spreadsheet."""
    columns, cells = filled(table)
    lines = [[column.title for column in columns], *cells]
    return "\n".join("\t".join(" ".join(cell.split()) for cell in line) for line in lines)


def as_markdown(report: Report) -> str:
    """Every table as Markdown."""
    return "\n".join(_document(report, "# {}", "## {}", _markdown_table))


def as_latex(report: Report) -> str:
    """Every table as a LaTeX table (booktabs)."""
    return "\n".join(_document(report, "% {}", "% {}", _latex_table))


def options_of(name: str) -> frozenset[str]:
    """Names of the settings that the command of a study takes."""
    from inspect import signature

    from tui.commands import report

    return frozenset(signature(getattr(report, name)).parameters)


def command_of(name: str, scope: Scope, database: Path | None) -> str:
    """The command line that prints a study.

    Args:
        name: Of the study.
        scope: What it looks at; settings that are as they are without being asked for are left out.
        database: The file; None for the recorded demo.
    """
    words = ["logitscope", "report", name]
    if database is not None:
        words += ["--db", str(database)]
    for run_id in scope.runs:
        words += ["--run", str(run_id)]
    for option in ("by", "text"):
        value = getattr(scope, option)
        if option in options_of(name) and value != getattr(Scope(), option):
            words += [f"--{option}", value]
    return shlex.join(words)


def _document(report: Report, heading: str, subheading: str, lay_out: object) -> Iterator[str]:
    assert callable(lay_out)
    yield heading.format(report.title)
    for table in report.tables:
        yield ""
        yield subheading.format(table.title)
        yield ""
        yield from lay_out(table)
    comment = "% " if heading.startswith("%") else ""
    for note in report.notes:
        yield ""
        yield comment + note


def _markdown_table(table: Table) -> Iterator[str]:
    columns, cells = filled(table)
    yield "| " + " | ".join(column.title.replace("|", r"\|") for column in columns) + " |"
    yield "|" + "|".join(" --: " if c.form in RIGHT_FORMS else " --- " for c in columns) + "|"
    for row in cells:
        yield "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |"
    if words := [*legend(columns), *([table.note] if table.note else [])]:
        yield ""
        yield " · ".join(words)


def _latex_table(table: Table) -> Iterator[str]:
    columns, cells = filled(table)
    alignment = "".join("r" if column.form in RIGHT_FORMS else "l" for column in columns)
    yield r"\begin{table}"
    yield r"\centering"
    yield rf"\begin{{tabular}}{{{alignment}}}"
    yield r"\toprule"
    yield " & ".join(column.title.translate(_LATEX) for column in columns) + r" \\"
    yield r"\midrule"
    for row in cells:
        yield " & ".join(cell.translate(_LATEX) for cell in row) + r" \\"
    yield r"\bottomrule"
    yield r"\end{tabular}"
    words = [table.title, *legend(columns), *([table.note] if table.note else [])]
    yield rf"\caption{{{'. '.join(words).translate(_LATEX)}.}}"
    yield rf"\label{{tab:{table.name.replace('_', '-')}}}"
    yield r"\end{table}"
