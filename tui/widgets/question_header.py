"""Which question this is, how it was asked, and the flags that are up."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.widget import Widget

from engine.browse import ProbeView
from engine.flags import FLAGS
from tui import words
from tui.widgets.token_text import fit
from tui.widgets.tones import tone

_LEAST_FORMAT = 10
"""Cells that the name of the format keeps."""
_TITLES = {flag.name: flag.title for flag in FLAGS}


class QuestionHeader(Widget):
    """Two lines: the question and its place; the flags, the mark and the run."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "question-header--dim",
        "question-header--strong",
        "question-header--flag",
        "question-header--live",
    }

    def __init__(self) -> None:
        super().__init__()
        self._view: ProbeView | None = None
        self._place = ""
        self._live = ""

    def show(self, view: ProbeView, place: str) -> None:
        """Show a probe; ``place`` says where in the list it stands."""
        self._view, self._place = view, place
        self.refresh()

    def say_live(self, sentence: str) -> None:
        """Say what the model is doing for this question; nothing where it is at rest."""
        self._live = sentence
        self.refresh()

    def render(self) -> Text:
        """Draw both lines."""
        view = self._view
        if view is None:
            return Text("")
        lines = [self._question(view), self._state(view)]
        for line in lines:
            line.truncate(self.size.width, overflow="ellipsis")
        return Text("\n", no_wrap=True).join(lines)

    def _question(self, view: ProbeView) -> Text:
        row = view.row
        order = f"order {row.order_index}"
        if row.order_index or list(view.permutation) != sorted(view.permutation):
            order += " (" + "".join(_source_labels(view)) + ")"
        texts = {option.label: words.one_line(option.text) for option in view.question.options}
        gold = f"gold {row.gold} {texts.get(row.gold, '')}" if row.gold else "no gold option"
        line = self._styled(self._place, "strong")
        line.append(" · ", self._tone("dim")).append_text(self._styled(gold, "strong"))
        subject, named = words.one_line(row.subject), words.one_line(f"format {row.format}")
        # The order says which option is which: a long format gives way to it.
        others = sum(cell_len(f" · {part}") for part in (subject, order) if part)
        taken = line.cell_len + others + len(" · …")
        room = max(_LEAST_FORMAT, self.size.width - taken)
        for part in (subject, fit(named, min(cell_len(named), room)), order):
            if part:
                line.append(" · ", self._tone("dim")).append(part)
        return line.append(f" · {row.question_id}", self._tone("dim"))

    def _state(self, view: ProbeView) -> Text:
        line = Text()
        if self._live:
            line.append(f"● live: {self._live}", self._tone("live")).append("  ")
        for name in view.row.flags:
            line.append(f" ⚑ {_TITLES.get(name, name)} ", self._tone("flag")).append(" ")
        if not view.row.flags:
            line.append("no flags ", self._tone("dim"))
        if view.row.marked:
            line.append("★ marked ", self._tone("strong"))
        return line.append(f" run {words.one_line(view.run.name)}", self._tone("dim"))

    def _styled(self, text: str, name: str) -> Text:
        return Text().append(text, self._tone(name))

    def _tone(self, name: str) -> Style:
        return tone(self, f"question-header--{name}")


def _source_labels(view: ProbeView) -> list[str]:
    """The source labels of the options in the order shown."""
    return [view.question.labels[place] for place in view.permutation]
