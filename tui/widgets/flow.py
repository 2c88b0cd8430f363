"""Flowing tokens into lines: which part of which token stands where."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tui.widgets.token_text import NEWLINE, width

MARK = -1
"""Token number of a piece that is a mark put before a token."""
ENDING = -2
"""Token number of the piece behind the last token."""

_LINE_PARTS = re.compile(f"[^{NEWLINE}]*{NEWLINE}|[^{NEWLINE}]+")


class Piece(NamedTuple):
    """A part of one token on one line; ``column`` and ``cells`` in terminal cells."""

    token: int
    text: str
    column: int
    cells: int


class Flow:
    """Tokens laid out in lines of a fixed width.

    A token that doesn't fit goes to the next line; one wider than a line is cut into pieces; a line
    ends behind every newline glyph, so that the text keeps its shape.

    Attributes:
        lines: The pieces of each line, left to right.
        first_lines: For each token, the line it starts on.
    """

    def __init__(
        self,
        texts: Sequence[str],
        columns: int,
        marks: Mapping[int, str] | None = None,
        ending: str = "",
    ) -> None:
        """Lay out ``texts``, with ``marks[i]`` before token ``i`` and ``ending`` behind the last.

        A mark for one past the last token stands before the ending.
        """
        self.columns = max(2, columns)
        self.lines: list[list[Piece]] = [[]]
        self.first_lines: list[int] = []
        self._last_lines: list[int] = []
        self._column = 0
        marks = marks or {}
        for token, text in enumerate(texts):
            if token in marks:
                self._place_mark(marks[token], width(text))
            self._place_token(token, text)
        if len(texts) in marks:
            self._place_mark(marks[len(texts)], width(ending))
        if ending:
            self._place(ENDING, ending)
        elif len(self.lines) > 1 and not self.lines[-1]:
            self.lines.pop()

    def line_range(self, token: int) -> range:
        """The lines that hold a part of the token."""
        return range(self.first_lines[token], self._last_lines[token] + 1)

    def token_at(self, line: int, column: int) -> int | None:
        """The token at a cell; the nearest of its line where the cell itself holds none."""
        if not 0 <= line < len(self.lines):
            return None
        pieces = [piece for piece in self.lines[line] if piece.token >= 0]
        if not pieces:
            return None
        place = bisect_right([piece.column for piece in pieces], column) - 1
        return pieces[max(0, place)].token

    def column_of(self, token: int) -> int:
        """The column the token starts at."""
        line = self.lines[self.first_lines[token]]
        return next(piece.column for piece in line if piece.token == token)

    def _place_mark(self, mark: str, beside: int) -> None:
        # A mark that would end a line moves on with the token it belongs to.
        if self._column + width(mark) + min(beside, self.columns // 2) > self.columns:
            self._new_line()
        self._place(MARK, mark)

    def _place_token(self, token: int, text: str) -> None:
        placed: list[range] = []
        for part in _LINE_PARTS.findall(text) or [text]:
            placed.append(self._place(token, part))
            if part.endswith(NEWLINE):
                self._new_line()
        self.first_lines.append(placed[0].start)
        self._last_lines.append(placed[-1].stop - 1)

    def _place(self, token: int, text: str) -> range:
        """Put a text on the current line and as many more as it needs; returns these lines."""
        cells = width(text)
        if self._column and self._column + cells > self.columns:
            self._new_line()
        first = len(self.lines) - 1
        while cells > self.columns - self._column:
            head = _head(text, self.columns - self._column)
            self._add(token, head, width(head))
            text = text[len(head) :]
            cells = width(text)
            self._new_line()
        self._add(token, text, cells)
        return range(first, len(self.lines))

    def _add(self, token: int, text: str, cells: int) -> None:
        self.lines[-1].append(Piece(token, text, self._column, cells))
        self._column += cells

    def _new_line(self) -> None:
        self.lines.append([])
        self._column = 0


def _head(text: str, cells: int) -> str:
    """As many characters as fit, at least one."""
    for place, character in enumerate(text):
        cells -= width(character)
        if cells < 0:
            return text[: max(1, place)]
    return text
