"""Baseline and now: what a changed prompt does to the options, the top tokens and the text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from engine.prompt_diff import first_difference
from tui.comparison import Line, Side, compare
from tui.widgets.figures import bar
from tui.widgets.line_view import LineView
from tui.widgets.token_text import fit

CHANGE_CELLS = 7
FIGURE_CELLS = 7
LONGEST_BAR = 16
DIFFERENCE = "▸"
"""Stands where the text leaves that of the baseline."""


class ComparisonView(LineView):
    """A line a figure with its value before and now; then both texts and what to know."""

    HELP_TITLE = "baseline → now"
    HELP = (
        "The baseline's answers beside those to the prompt that is being changed: "
        "the probability of each option's label as the first token, in per cent, and by how many "
        "points it moved; the entropy of the first token; its likeliest tokens; what the greedy "
        f"text says and the text itself, {DIFFERENCE} where it leaves the baseline's. The prompt's "
        "last tokens tell a blank that can't be seen."
    )
    BORDER_TITLE = "baseline → now"

    def __init__(self, texts: Sequence[str], before: Side) -> None:
        """Compare the answers to a question with these option texts with a baseline."""
        super().__init__(id="comparison")
        self._texts = texts
        self._before = before
        self._now: Side | None = None
        self._problem = ""

    def rebase(self, before: Side) -> None:
        """Compare with another baseline."""
        self._before = before
        self.remake()

    def show(self, now: Side | None, problem: str = "") -> None:
        """Show what is known of the changed prompt, or why nothing is."""
        self._now, self._problem = now, problem
        self.remake()

    def make_lines(self, columns: int) -> list[Text]:
        """The codes of new warnings, the figures, the texts, what the warnings say."""
        lines = []
        if self._problem:
            problem = Text(f"⚠ {self._problem}", self.tone("bad"))
            lines += list(problem.wrap(self.app.console, columns))
        warnings = self._new_warnings()
        if warnings:
            codes = "  ".join(code for code, _ in warnings)
            lines.append(Text(fit(f"⚠ {codes}", columns), self.tone("warn")))
        lines += self._table(columns)
        lines += self._text("baseline", self._before, None, columns)
        if self._now is not None:
            same = first_difference(self._before.text, self._now.text)
            lines += self._text("now     ", self._now, same, columns)
        for code, sentence in warnings:
            warning = Text.assemble((f"⚠ {code}: ", self.tone("warn")), sentence)
            lines += warning.wrap(self.app.console, columns)
        return lines

    def _table(self, columns: int) -> list[Text]:
        figures = compare(self._texts, self._before, self._now)
        side = max(FIGURE_CELLS, (columns - CHANGE_CELLS) // 3)
        name = columns - CHANGE_CELLS - 2 * side
        header = (
            f"{fit('', name)}{fit('baseline', side)}{fit('now', side)}{'change':>{CHANGE_CELLS}}"
        )
        lines = [Text(fit(header, columns), self.tone("dim"))]
        for each in figures:
            line = Text(fit(each.name, name - 1) + " ")
            line.append_text(self._figure(each, 0, side))
            line.append_text(self._figure(each, 1, side))
            line.append(f"{each.change:>{CHANGE_CELLS}}", self.tone("strong"))
            lines.append(line)
        return lines

    def _figure(self, line: Line, now: int, cells: int) -> Text:
        """One value with its bar, if it is a share."""
        written, share = (line.before, line.now)[now], line.shares[now]
        if share is None:
            return Text(fit(written, cells - 1) + " ")
        bars = min(LONGEST_BAR, cells - FIGURE_CELLS - 1)
        figure = Text(f"{written:>{FIGURE_CELLS - 1}} ")
        if bars > 0:
            figure.append(bar(share, bars), self.tone("accent"))
        figure.append(" " * (cells - figure.cell_len))
        return figure

    def _text(self, name: str, side: Side, same: int | None, columns: int) -> list[Text]:
        """What the greedy text says, and the text; what it shares with the baseline is dim."""
        whole = Text.assemble((f"{name}  ", self.tone("dim")))
        if side.says:
            whole.append(f"{side.says}  ", self.tone("strong"))
        unfinished = not side.says
        if same is None or (unfinished and same == len(side.text)):
            whole.append(side.text)
        else:
            whole.append(side.text[:same], self.tone("dim"))
            whole.append(DIFFERENCE, self.tone("accent"))
            whole.append(side.text[same:])
        return list(whole.wrap(self.app.console, columns))

    def _new_warnings(self) -> list[tuple[str, str]]:
        """What is to be known about the changed prompt and was not true of the stored one."""
        known = {code for code, _ in self._before.warnings}
        now = () if self._now is None else self._now.warnings
        return [(code, sentence) for code, sentence in now if code not in known]
