"""Two prompts and what is between them, to the character."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest

from rich.style import Style
from rich.text import Text

from engine.prompt_diff import Change, ChangeKind
from tui.prompt_sides import Block, blocks, folded
from tui.widgets.figures import count
from tui.widgets.line_view import LineView
from tui.widgets.token_text import fit, visible, width

BESIDE = 72
"""Columns from which the prompts stand side by side."""
SIGNS = {"removed": ("{-", "-}"), "added": ("{+", "+}")}
_CLOSING = tuple(closing for _, closing in SIGNS.values())
_BETWEEN = " │ "
_WORD = re.compile(r"[^ \n]+ ?| |\n")


class PromptDiffView(LineView):
    """Side by side where there is room, else the one in the other."""

    HELP_TITLE = "two prompts"
    HELP = (
        "Where two prompts differ, to the character: {-…-} is only in the first one, {+…+} only in "
        "the second. · is a space, ↵ a newline. Lines far from any change are left out; ⋯ says "
        "how many."
    )

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._names = ("", "")
        self._changes: Sequence[Change] = ()
        self._shown: list[Block | int] = []
        self._folded = True

    def show(self, one: str, other: str, changes: Sequence[Change]) -> None:
        """Show a comparison.

        Args:
            one: What the first prompt is called.
            other: What the second one is called.
            changes: Of :func:`engine.prompt_diff.diff`.
        """
        self._names, self._changes = (one, other), changes
        self.border_title = Text(self._title())
        self._fold()

    def toggle(self) -> None:
        """Show what is the same too, or leave it out."""
        self._folded = not self._folded
        self._fold()

    def _fold(self) -> None:
        made = blocks(self._changes)
        self._shown = folded(made) if self._folded else list(made)
        self.remake()

    def copied(self) -> str:
        """Both prompts in one text, changes in their signs."""
        pieces = []
        for change in self._changes:
            opening, closing = SIGNS.get(change.kind, ("", ""))
            pieces.append(f"{opening}{change.text}{closing}")
        return "".join(pieces)

    def _title(self) -> str:
        one, other = self._names
        removed, added = (
            sum(len(change.text) for change in self._changes if change.kind == kind)
            for kind in SIGNS
        )
        if not removed and not added:
            return f"{one} → {other} · the same prompt"
        return f"{one} → {other} · −{removed:,} +{added:,} characters"

    def make_lines(self, columns: int) -> list[Text]:
        """Names, then the blocks."""
        if not self._changes:
            return []
        beside = columns >= BESIDE
        self.sticky = 1 if beside else 0
        lines = [self._heads(columns)] if beside else []
        for block in self._shown:
            if isinstance(block, int):
                sentence = f"⋯ {count(block, 'line')} the same"
                lines.append(Text(fit(sentence, columns), self.tone("dim")))
            elif beside:
                lines += self._beside(block, columns)
            else:
                lines += self._laid(block.changes, columns)
        return lines

    def _heads(self, columns: int) -> Text:
        cells = (columns - len(_BETWEEN)) // 2
        return Text(_BETWEEN.join(fit(name, cells) for name in self._names), self.tone("dim"))

    def _beside(self, block: Block, columns: int) -> list[Text]:
        """One prompt's lines beside the other's."""
        cells = (columns - len(_BETWEEN)) // 2
        left = self._laid(block.side("added"), cells)
        right = self._laid(block.side("removed"), cells)
        lines = []
        for one, other in zip_longest(left, right, fillvalue=Text()):
            line = one.copy()
            line.append(" " * (cells - one.cell_len))
            line.append(_BETWEEN, self.tone("dim")).append_text(other)
            lines.append(line)
        return lines

    def _laid(self, changes: Sequence[Change], columns: int) -> list[Text]:
        """The changes as lines; a line ends behind a newline and the sign that follows it."""
        lines = [Text()]
        ended = False
        for change in changes:
            style = self._style(change.kind)
            for word in _words(change):
                closing = word in _CLOSING
                text = visible(word)
                full = lines[-1].cell_len + width(text) > columns
                if lines[-1] and (full or (ended and not closing)):
                    lines.append(Text())
                while width(text) > columns:
                    head = _head(text, columns)
                    lines[-1].append(head, style)
                    text = text[len(head) :]
                    lines.append(Text())
                lines[-1].append(text, style)
                ended = word.endswith("\n") or (ended and closing)
        return lines if lines[-1] else lines[:-1]

    def _style(self, kind: ChangeKind) -> Style:
        if kind == "same":
            return Style.null()
        return self.tone("bad" if kind == "removed" else "good") + self.tone("strong")


def _words(change: Change) -> list[str]:
    """The words of a change, and its signs where only one prompt has it."""
    words = _WORD.findall(change.text)
    if change.kind == "same":
        return words
    opening, closing = SIGNS[change.kind]
    return [opening + words[0], *words[1:], closing]


def _head(text: str, columns: int) -> str:
    """As many characters as fit."""
    for place in range(1, len(text)):
        if width(text[: place + 1]) > columns:
            return text[:place]
    return text
