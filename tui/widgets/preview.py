"""What the first token was going to be, for the row under the cursor."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.figures import NOT_RECORDED, bar, percent
from tui.widgets.token_text import fit, visible
from tui.widgets.tones import tone
from tui.words import one_line

if TYPE_CHECKING:
    from engine.browse import ListRow

    Line = list[tuple[str, str]]
    """Texts with the names of their tones; an empty name is the widget's own style."""

_PERCENT = 7
_TOKEN = 10
_GAP = 3
_NARROWEST = 40
_TONES = ("dim", "bar", "gold", "title")


class Preview(Widget):
    """Question, option distribution, likeliest tokens and the greedy text, in a few lines."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"preview--{name}" for name in _TONES}

    row: reactive[ListRow | None] = reactive(None, always_update=True)

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Strip] | None = None

    def watch_row(self, row: ListRow | None) -> None:
        """Name the row in the border."""
        self.border_title = _title(row) if row is not None else ""
        self._lines = None

    def on_resize(self) -> None:
        """The lines are for another width."""
        self._lines = None

    def notify_style_update(self) -> None:
        """The lines are in other colours."""
        super().notify_style_update()
        self._lines = None

    def render_line(self, y: int) -> Strip:
        """One of the lines."""
        if self._lines is None:
            self._lines = self._draw()
        return (
            self._lines[y]
            if y < len(self._lines)
            else Strip.blank(self.size.width, self.rich_style)
        )

    def _draw(self) -> list[Strip]:
        width, height = self.size
        if self.row is None or width < _NARROWEST:
            return []
        base = self.rich_style
        styles = {name: base + tone(self, f"preview--{name}") for name in _TONES} | {"": base}
        return [
            Strip([Segment(text, styles[name]) for text, name in line]).adjust_cell_length(
                width, base
            )
            for line in lines_of(self.row, width, height)
        ]


def lines_of(row: ListRow, width: int, height: int) -> list[Line]:
    """The lines of a preview: the question, the figures side by side, what was written."""
    left = (width - _GAP) // 2
    options = _options(row, left, height - 2)
    tokens = _tokens(row, width - left - _GAP, height - 2)
    nothing: Line = [(" " * left, "")]
    return [
        [(fit(one_line(row.question), width), "title")],
        *(
            [*(option or nothing), (" " * _GAP, ""), *(token or [])]
            for option, token in zip_longest(options, tokens)
        ),
        _wrote(row, width),
    ]


def _options(row: ListRow, width: int, height: int) -> list[Line]:
    """One line an option with its probability; the last line counts those left out."""
    shares = row.option_probabilities
    if not shares:
        return [[(fit(f"option distribution {NOT_RECORDED}", width), "dim")]]
    shown = shares if len(shares) <= height else shares[: height - 1]
    lines = [
        _figure(f"{label}*", share, width, "gold")
        if label == row.gold
        else _figure(f"{label} ", share, width, "bar")
        for label, share in shown
    ]
    if len(shown) < len(shares):
        lines.append([(fit(f"   {len(shares) - len(shown)} more options", width), "dim")])
    return lines


def _tokens(row: ListRow, width: int, height: int) -> list[Line]:
    if not row.top_tokens:
        return [[(fit(f"likeliest tokens {NOT_RECORDED}", width), "dim")]]
    return [
        _figure(fit(visible(text), _TOKEN), share, width, "bar")
        for text, share in row.top_tokens[:height]
    ]


def _figure(name: str, share: float, width: int, style: str) -> Line:
    room = width - cell_len(name) - _PERCENT - 2
    return [(f"{name} ", ""), (bar(share, room), style), (f" {percent(share):>{_PERCENT}}", "")]


def _wrote(row: ListRow, width: int) -> Line:
    """The greedy text; line breaks are shown, not taken."""
    name = "wrote  "
    if row.greedy_text is None:
        return [(name, "dim"), (f"greedy text {NOT_RECORDED}", "dim")]
    return [(name, "dim"), (fit(one_line(row.greedy_text), width - len(name)), "")]


def _title(row: ListRow) -> str:
    parts = [f"question {row.question_index + 1}", row.format]
    if row.order_index:
        parts.append(f"order {row.order_index}")
    if row.subject:
        parts.append(row.subject)
    parts.append(f"gold {row.gold} *" if row.gold else "no gold option")
    if row.option_mass is not None:
        parts.append(f"{percent(row.option_mass)} on the options")
    return one_line(" · ".join(parts)).replace("[", "\\[")
