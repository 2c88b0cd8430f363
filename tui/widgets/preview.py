"""What the first token was going to be, for the row under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from tui.widgets.figures import NOT_RECORDED, bar, percent
from tui.widgets.token_text import fit, visible
from tui.widgets.tones import tone
from tui.words import one_line

if TYPE_CHECKING:
    from rich.style import Style

    from engine.browse import ListRow

_PERCENT = 7
_GAP = 3


class Preview(Widget):
    """Question, option distribution, likeliest tokens and the greedy text, in a few lines."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "preview--dim",
        "preview--bar",
        "preview--gold",
        "preview--title",
    }

    row: reactive[ListRow | None] = reactive(None, always_update=True)

    def watch_row(self, row: ListRow | None) -> None:
        """Name the row in the border."""
        self.border_title = _title(row) if row is not None else ""

    def render(self) -> Text:
        """Draw the row."""
        row = self.row
        width, height = self.size
        if row is None or width < 20:
            return Text("")
        lines = [Text(fit(one_line(row.question), width), self._style("title"))]
        figures = max(1, height - 2)
        half = (width - _GAP) // 2
        options = self._options(row, half, figures)
        tokens = self._tokens(row, width - half - _GAP, figures)
        for option, token in zip(options, tokens, strict=True):
            lines.append(Text.assemble(option, " " * _GAP, token))
        lines.append(self._wrote(row, width))
        return Text("\n", no_wrap=True).join(lines)

    def _style(self, name: str) -> Style:
        return tone(self, f"preview--{name}")

    def _options(self, row: ListRow, width: int, height: int) -> list[Text]:
        """One line an option with its probability; the last line counts those left out."""
        if not row.option_probabilities:
            return self._padded([Text(f"option distribution {NOT_RECORDED}")], width, height)
        shown = row.option_probabilities
        if len(shown) > height:
            shown = shown[: height - 1]
        lines = [
            self._figure(
                f"{label}{'*' if label == row.gold else ' '}",
                probability,
                width,
                "gold" if label == row.gold else "bar",
            )
            for label, probability in shown
        ]
        left_out = len(row.option_probabilities) - len(shown)
        if left_out:
            lines.append(Text(f"   {left_out} more options", self._style("dim")))
        return self._padded(lines, width, height)

    def _tokens(self, row: ListRow, width: int, height: int) -> list[Text]:
        if not row.top_tokens:
            return self._padded([Text(f"likeliest tokens {NOT_RECORDED}")], width, height)
        lines = [
            self._figure(fit(visible(text), 10), probability, width, "bar")
            for text, probability in row.top_tokens[:height]
        ]
        return self._padded(lines, width, height)

    def _figure(self, name: str, probability: float, width: int, style: str) -> Text:
        room = max(1, width - len(name) - _PERCENT - 2)
        return Text.assemble(
            f"{name} ",
            (bar(probability, room), self._style(style)),
            f" {percent(probability):>{_PERCENT}}",
        )

    def _padded(self, lines: list[Text], width: int, height: int) -> list[Text]:
        for line in lines:
            line.truncate(width, overflow="ellipsis", pad=True)
        return [*lines, *(Text(" " * width) for _ in range(height - len(lines)))]

    def _wrote(self, row: ListRow, width: int) -> Text:
        """The greedy text; line breaks are shown, not taken."""
        name = "wrote  "
        if row.greedy_text is None:
            return Text.assemble((name, self._style("dim")), f"greedy text {NOT_RECORDED}")
        text = fit(one_line(row.greedy_text), width - len(name))
        return Text.assemble((name, self._style("dim")), text)


def _title(row: ListRow) -> str:
    parts = [f"question {row.question_index + 1}", row.format]
    if row.order_index:
        parts.append(f"order {row.order_index}")
    if row.subject:
        parts.append(row.subject)
    parts.append(f"gold {row.gold} *" if row.gold else "no gold option")
    if row.option_probabilities:
        mass = sum(probability for _, probability in row.option_probabilities)
        parts.append(f"{percent(mass)} on the options")
    return one_line(" · ".join(parts)).replace("[", "\\[")
