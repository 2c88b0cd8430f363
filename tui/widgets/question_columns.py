"""The columns of the list of questions."""

from __future__ import annotations

from collections.abc import Callable

from engine.browse import ListRow, RunRow
from engine.flags import FLAGS
from tui.output import NOT_RECORDED
from tui.widgets.result_grid import Cell, Column
from tui.widgets.token_text import visible
from tui.words import FLAG_LETTERS, answer, decimal, one_line, probability

_ORDER = {flag.name: place for place, flag in enumerate(FLAGS)}


def _right_or_wrong(row: ListRow, label: str | None, status: str | None = None) -> str:
    """The tone of an answer: against the gold option where there is one."""
    if status is not None and status != "option":
        return "warn"
    if row.gold is None or label is None:
        return ""
    return "good" if label == row.gold else "bad"


def _mark(row: ListRow) -> Cell:
    return Cell("●" if row.marked else "", "warn")


def _number(row: ListRow) -> Cell:
    return Cell(str(row.question_index + 1), "dim")


def _first_token(row: ListRow) -> Cell:
    if row.first_token is None:
        return Cell(NOT_RECORDED, "dim")
    share = probability(row.first_probability)
    return Cell(f"{row.first_token} {share}", _right_or_wrong(row, row.first_token))


def _vocabulary_token(row: ListRow) -> Cell:
    if row.vocab_token is None:
        return Cell(NOT_RECORDED, "dim")
    return Cell(visible(row.vocab_token))


def _continuation(row: ListRow) -> Cell:
    return Cell(row.continuation or NOT_RECORDED, _right_or_wrong(row, row.continuation))


def _text(row: ListRow) -> Cell:
    if row.text_status is None:
        return Cell(NOT_RECORDED, "dim")
    tone = _right_or_wrong(row, row.text_label, row.text_status)
    return Cell(answer(row.text_status, row.text_label), tone)


def _samples(row: ListRow) -> Cell:
    if row.majority_status is None or row.sample_agreement is None:
        return Cell(NOT_RECORDED, "dim")
    said = answer(row.majority_status, row.majority)
    tone = _right_or_wrong(row, row.majority, row.majority_status)
    if row.sample_count is None:
        return Cell(f"{said} {row.sample_agreement:.0%}", tone)
    agreeing = round(row.sample_agreement * row.sample_count)
    return Cell(f"{said} {agreeing}/{row.sample_count}", tone)


def _flags(row: ListRow) -> Cell:
    known = sorted((flag for flag in row.flags if flag in _ORDER), key=_ORDER.__getitem__)
    return Cell("".join(FLAG_LETTERS[flag] for flag in known))


def _plain(read: Callable[[ListRow], str | None], tone: str = "") -> Callable[[ListRow], Cell]:
    def cell(row: ListRow) -> Cell:
        text = read(row)
        return Cell(NOT_RECORDED, "dim") if text is None else Cell(one_line(text), tone)

    return cell


# fmt: off
COLUMNS: tuple[Column[ListRow], ...] = (
    Column("marked", "", 1, _mark, 100),
    Column("question_index", "#", 3, _number, 99, right=True),
    Column("format", "format", 6, _plain(lambda row: row.format), 60, best=13),
    Column("order_index", "ord", 3, _plain(lambda row: str(row.order_index)), 70, right=True),
    Column("gold", "gold", 4, _plain(lambda row: row.gold, "strong"), 80),
    Column("first_token", "first", 5, _first_token, 95, best=6),
    Column("vocab_token", "token", 7, _vocabulary_token, 40, best=12),
    Column("continuation", "cont", 4, _continuation, 45),
    Column("text_label", "text", 10, _text, 96),
    Column("majority", "samples", 14, _samples, 90, best=16),
    Column("margin", "margin", 6, _plain(lambda row: probability(row.margin)), 55, right=True),
    Column("entropy", "entropy", 7, _plain(lambda row: decimal(row.entropy)), 50, right=True),
    Column("flags", "flags", 6, _flags, 97, best=10),
    Column("subject", "subject", 14, _plain(lambda row: row.subject, "dim"), 30, best=24),
    Column("question", "question", 16, _plain(lambda row: row.question), 93, best=40,
           flexible=True),
)
# fmt: on
"""In the order shown; each key but ``flags`` is a column of the view ``listing`` to sort by."""

SORTABLE: tuple[str, ...] = (
    *(column.key for column in COLUMNS[2:] if column.key != "flags"),
    "marked",
)
"""What ``.`` and ``,`` step through; without a sort, rows stand in the order of the questions."""


def columns_for(run: RunRow, format_name: str | None) -> tuple[Column[ListRow], ...]:
    """The columns worth their room: no format or order where there is only one."""
    formats = len(run.formats) if format_name is None else 1
    dropped = {
        name for name, count in (("format", formats), ("order_index", run.orders)) if count < 2
    }
    questions = run.planned // max(1, len(run.formats) * run.orders)
    digits = max(3, len(str(questions)))
    return tuple(
        column._replace(width=digits) if column.key == "question_index" else column
        for column in COLUMNS
        if column.key not in dropped
    )
