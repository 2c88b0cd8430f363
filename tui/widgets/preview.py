"""What the first token was going to be, for the row under the cursor."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.figures import NOT_RECORDED, bar, percent
from tui.widgets.token_text import fit, visible
from tui.widgets.tones import tone
from tui.words import one_line

if TYPE_CHECKING:
    from rich.style import Style

    from engine.browse import ListRow
    from engine.questions import Question

    Line = list[tuple[str, str]]
    """Texts with the names of their tones; an empty name is the widget's own style."""

_PERCENT = 7
_TOKEN = 10
_GAP = 3
_NARROWEST = 40
_TALL = 9
_TONES = ("dim", "bar", "gold", "title")


class Preview(Widget):
    """Question, option distribution, likeliest tokens and the greedy text, in a few lines."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"preview--{name}" for name in _TONES}

    row: reactive[ListRow | None] = reactive(None, always_update=True)
    question: reactive[Question | None] = reactive(None)
    """The question of the row, once it is read; until then the options have labels only."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Strip] | None = None
        self._styles: dict[str, Style] = {}

    def watch_row(self, row: ListRow | None) -> None:
        """Name the row in the border."""
        self.border_title = _title(row) if row is not None else ""
        self.question = None
        self._lines = None

    def watch_question(self) -> None:
        """The options have texts now, or have none any more."""
        self._lines = None

    def on_resize(self) -> None:
        """The lines are for another width."""
        self._lines = None

    def notify_style_update(self) -> None:
        """The lines are in other colours."""
        super().notify_style_update()
        self._lines = None
        self._styles.clear()

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
        if not self._styles:
            base = self._styles[""] = self.rich_style
            self._styles |= {name: base + tone(self, f"preview--{name}") for name in _TONES}
        styles, base = self._styles, self._styles[""]
        return [
            Strip([Segment(text, styles[name]) for text, name in line]).adjust_cell_length(
                width, base
            )
            for line in lines_of(self.row, self.question, width, height)
        ]


def lines_of(row: ListRow, question: Question | None, width: int, height: int) -> list[Line]:
    """The lines of a preview: the question, the figures side by side, what was written."""
    asked, wrote = (2, 2) if height >= _TALL else (1, 1)
    figures = height - asked - wrote
    left = (width - _GAP) // 2
    options = _options(row, question, left, figures)
    tokens = _tokens(row, width - left - _GAP, figures)
    nothing: Line = [(" " * left, "")]
    return [
        *([(line, "title")] for line in _folded(row.question, width, asked)),
        *(
            [*(option or nothing), (" " * _GAP, ""), *(token or [])]
            for option, token in zip_longest(options, tokens)
        ),
        *[[]] * (figures - max(len(options), len(tokens))),
        *_wrote(row, width, wrote),
    ]


def _folded(text: str, width: int, height: int) -> list[str]:
    """A text in exactly ``height`` lines, its own line breaks shown, the rest cut off."""
    lines = chop_cells(one_line(text), width) or [""]
    if len(lines) > height:
        lines[height - 1] = fit(lines[height - 1] + lines[height], width)
    return [fit(line, width) for line in [*lines, *[""] * height][:height]]


def _options(row: ListRow, question: Question | None, width: int, height: int) -> list[Line]:
    """One line an option with its probability; the last line counts those left out."""
    shares = row.option_probabilities
    if not shares:
        return [[(fit(f"option distribution {NOT_RECORDED}", width), "dim")]]
    shown = shares if len(shares) <= height else _likeliest(row, height - 1)
    texts = {option.label: option.text for option in question.options} if question else {}
    lines = []
    for label, share in shown:
        gold = label == row.gold
        name = f"{label}{'*' if gold else ' '} {one_line(texts.get(label, ''))}"
        lines.append(_figure(fit(name, width // 2), share, width, "gold" if gold else "bar"))
    if len(shown) < len(shares):
        lines.append([(fit(f"   {len(shares) - len(shown)} more options", width), "dim")])
    return lines


def _likeliest(row: ListRow, count: int) -> list[tuple[str, float]]:
    """The gold option and the likeliest others, in the order of the labels."""
    ranked = sorted(row.option_probabilities, key=lambda each: (each[0] != row.gold, -each[1]))
    kept = ranked[:count]
    return [each for each in row.option_probabilities if each in kept]


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


def _wrote(row: ListRow, width: int, height: int) -> list[Line]:
    """The greedy text."""
    name, text = "wrote  ", row.greedy_text
    if text is None:
        return [[(name, "dim"), (f"greedy text {NOT_RECORDED}", "dim")]]
    lines = _folded(text, width - len(name), height)
    return [
        [(name if place == 0 else " " * len(name), "dim"), (line, "")]
        for place, line in enumerate(lines)
    ]


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
