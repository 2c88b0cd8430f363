"""The pinned set: how often its answers are right, refused or at odds; and every answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.style import Style
from rich.text import Text

from engine.metrics.intervals import wilson_interval
from tui.output import NOT_RECORDED
from tui.pinned import PinnedRow, Said
from tui.widgets.figures import count, percent
from tui.widgets.line_view import RowView
from tui.widgets.token_text import ELLIPSIS, fit, width

if TYPE_CHECKING:
    from engine.lab_figures import Delta

FLIP = "≠"
RIGHT = "✓"
ARROW = "→"

_NUMBER, _GOLD, _FIRST, _TEXT, _WIDEST_TEXT = 5, 4, 10, 20, 30
_CHANGE = 7
_WIDE = 96
"""Columns from which rates carry their interval."""
_PROBLEMS = 2
"""Questions that could not be asked whose reason is told; most have the same."""
_LEAST_ROWS = 6
"""Rows that the figures leave room for; with less they share lines."""
_LEAST_LINES = 3
"""Lines for the names of the columns and two rows, whatever the figures need."""


class PinnedView(RowView):
    """The figures of the pinned set, then one row a question."""

    HELP_TITLE = "pinned questions"
    HELP = (
        "The marked questions, or the run's first ones where none are marked, asked in the "
        "baseline's prompt format and in the changed one. On top "
        "how often each is so, over the questions that tell in both, and by how many percentage "
        "points it moved; on wide screens with the 95 % interval of each rate. Below every "
        f"question: {FLIP} marks an answer that is another one now, {RIGHT} one that is the gold "
        f"option, {ELLIPSIS} one that is still to come. Enter opens the question."
    )
    BORDER_TITLE = "pinned: baseline → now"

    class Chosen(RowView.Chosen):
        """A question was chosen."""

        @property
        def question(self) -> PinnedRow:
            """The row of that question."""
            view = self.view
            assert isinstance(view, PinnedView)
            return view.questions[self.row]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self.questions: Sequence[PinnedRow] = ()
        self._figures: Sequence[Delta] = ()
        self._problems: Sequence[str] = ()

    def show(
        self,
        questions: Sequence[PinnedRow],
        figures: Sequence[Delta],
        problems: Sequence[str] = (),
    ) -> None:
        """Show the questions and what they count up to; the cursor stays on its row.

        Args:
            questions: The questions.
            figures: What they count up to.
            problems: Why some could not be asked, a sentence each.
        """
        self.questions, self._figures, self._problems = questions, figures, problems
        self.border_title = self._title()
        self.show_rows(len(questions), self.cursor)

    def on_resize(self) -> None:
        """Lay the figures out for the room there is."""
        self.remake()

    def _title(self) -> str:
        waiting = sum(row.waiting for row in self.questions)
        flips = sum(any(row.flipped) for row in self.questions)
        parts = [self.BORDER_TITLE, count(len(self.questions), "question")]
        parts.append(count(flips, "flip") if flips else "")
        parts.append(f"{waiting} to come {ELLIPSIS}" if waiting else "")
        return " · ".join(filter(None, parts))

    # The figures

    def make_header(self, columns: int) -> list[Text]:
        """The figures, then the names of the columns below."""
        if not self.questions:
            return [Text("No question is pinned.", self.tone("dim"))]
        tall = self.size.height >= len(self._figures) + 2 + _LEAST_ROWS
        figures = self._table(columns) if tall else self._run_on(columns)
        problems = [Text(fit(f"⚠ {each}", columns), self.tone("warn")) for each in self._problems]
        return [*problems[:_PROBLEMS], *figures, *self._names(columns)]

    def _table(self, columns: int) -> list[Text]:
        if not self._figures:
            return []
        wide = columns >= _WIDE
        cells = max(len("baseline"), *(width(each) for figure in self._figures
                                       for each in self._rates(figure, wide)))  # fmt: skip
        name = max(width(figure.name) for figure in self._figures) + 2
        header = f"{'':<{name}}{'baseline':>{cells}}  {'now':>{cells}}{'change':>{_CHANGE + 2}}"
        lines = [Text(fit(header, columns), self.tone("dim"))]
        for figure in self._figures:
            before, now = self._rates(figure, wide)
            line = Text(f"{figure.name:<{name}}")
            line.append(f"{before:>{cells}}", self.tone("dim"))
            line.append(f"  {now:>{cells}}", self.tone("strong"))
            line.append(f"{_change(figure):>{_CHANGE + 2}}")
            line.truncate(columns, overflow="ellipsis")
            lines.append(line)
        return lines

    def _rates(self, figure: Delta, wide: bool) -> tuple[str, str]:
        before = "" if figure.before is None else _rate(figure.before, figure.of, wide)
        return before, _rate(figure.now, figure.of, wide)

    def _run_on(self, columns: int) -> list[Text]:
        """The figures one behind the other."""
        lines: list[Text] = []
        for figure in self._figures:
            item = Text.assemble((f"{figure.name} ", self.tone("dim")))
            if figure.before is not None:
                item.append(f"{figure.before}{ARROW}")
            item.append(f"{figure.now}", self.tone("strong")).append(f"/{figure.of}")
            if _change(figure):
                item.append(f" {_change(figure)}", self.tone("strong"))
            if lines and lines[-1].cell_len + 3 + item.cell_len <= columns:
                lines[-1].append(" · ", self.tone("dim")).append_text(item)
            else:
                lines.append(item)
        return lines[: max(1, self.size.height - _LEAST_LINES)]

    # The questions

    def _names(self, columns: int) -> list[Text]:
        text, words = self._cells(columns)
        line = f"    {'#':>{_NUMBER}} {fit('question', text)} {fit('gold', _GOLD)} "
        line += f"{fit('first token', _FIRST + 2)}{fit('greedy text', words)}"
        return [Text(fit(line, columns), self.tone("dim"))]

    def _cells(self, columns: int) -> tuple[int, int]:
        """Cells of a question and of what its texts say."""
        room = columns - (4 + _NUMBER + 1) - (1 + _GOLD + 1) - (_FIRST + 2)
        words = max(_TEXT, min(_WIDEST_TEXT, room // 3))
        longest = max((width(question.question) for question in self.questions), default=0)
        return max(len("question"), min(longest, room - words)), words

    def make_row(self, row: int, columns: int, *, current: bool) -> list[Text]:
        """One question."""
        question = self.questions[row]
        text, words = self._cells(columns)
        quiet = Style.null() if current else self.tone("dim")
        line = Text("▸ " if current else "  ")
        line.append(f"{FLIP if any(question.flipped) else ' '} ", self.tone("warn"))
        line.append(f"{question.question_index + 1:>{_NUMBER},} ", quiet)
        line.append(f"{fit(question.question, text)} ")
        line.append(f"{fit(question.gold or NOT_RECORDED, _GOLD)} ")
        for place, cells in enumerate((_FIRST + 2, words)):
            answers = self._answers(question, place, quiet)
            answers.truncate(cells, overflow="ellipsis", pad=True)
            line.append_text(answers)
        line.truncate(columns, overflow="ellipsis")
        return [line]

    def _answers(self, question: PinnedRow, place: int, quiet: Style) -> Text:
        """An answer before and now: of the first token (0) or the text (1)."""
        before = _answer(question, question.before, place)
        if question.waiting:
            return Text.assemble((f"{before} {ARROW} {ELLIPSIS}", quiet))
        now = _answer(question, question.now, place)
        if not question.flipped[place]:
            return Text(now if question.now else f"{before} {ARROW} {now}", quiet)
        return Text.assemble((f"{before} {ARROW} ", quiet), (now, self.tone("strong")))


def _answer(question: PinnedRow, said: Said | None, place: int) -> str:
    if said is None:
        return NOT_RECORDED
    return f"{said[place]}{RIGHT if said[place] == question.gold else ''}"


def _rate(number: int, of: int, wide: bool) -> str:
    """How often, with the share and, where there is room, its interval."""
    interval = wilson_interval(number, of)
    if interval is None:
        return NOT_RECORDED
    low, high = (round(100 * bound) for bound in interval)
    return f"{number}/{of} {percent(number / of):>6}" + (f" [{low:>2}–{high:>3}]" if wide else "")


def _change(figure: Delta) -> str:
    """By how many percentage points a rate moved."""
    if figure.before is None or not figure.of:
        return ""
    points = 100 * (figure.now - figure.before) / figure.of
    return "±0" if not points else f"{'+' if points > 0 else '−'}{abs(points):.1f}"
