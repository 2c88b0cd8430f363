"""An editor for the text of a prompt format."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import ClassVar

from rich.text import Text
from textual.cache import LRUCache
from textual.content import Content
from textual.geometry import Offset
from textual.strip import Strip

from tui.actions import bindings
from tui.format_text import KINDS, parts
from tui.widgets.marked_editor import PROBLEM_MARK, MarkedEditor
from tui.widgets.token_text import SPACE
from tui.words import one_line


class FormatEditor(MarkedEditor):
    """The TOML of a format, its templates highlighted, and the line that is wrong marked.

    Spaces that end a line or a string are shown as ``·``; the text has spaces all the same.
    """

    ACTION_SCOPE: ClassVar[str] = "format_editor"
    HELP_TITLE = "the format"
    HELP = (
        "The prompt format as the file it can be saved as. In templates {{ … }} puts in a value "
        "and {% … %} decides and repeats; · is a space that ends a line or a string. ✗ marks the "
        "line that is wrong."
    )
    BINDINGS: ClassVar = bindings("format_editor")
    CLASSES = "format-editor"
    KINDS = KINDS
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"format-editor--{name}" for name in (*KINDS, "problem")
    }

    def __init__(self, text: str = "", *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        self._blanks: dict[int, list[tuple[int, int]]] = {}
        self._drawn: LRUCache[tuple[object, ...], Strip] = LRUCache(1024)
        super().__init__(text, id=id)

    def show_problem(self, line: int | None, sentence: str) -> None:
        """Say what is wrong with the text, or nothing.

        Args:
            line: The line that is wrong, from 1; None where no line is to blame.
            sentence: What is wrong; empty for nothing.
        """
        self._problem = None if line is None or not sentence else (line - 1, 0)
        words = Content(f"{PROBLEM_MARK} {one_line(sentence)}") if sentence else None
        self.border_subtitle = words
        self.set_class(bool(sentence), "-problem")
        self._build_highlight_map()
        self.refresh()

    def _take_styles(self) -> None:
        self._drawn.clear()
        super()._take_styles()

    # TextArea asks tree-sitter what is what, whose TOML knows nothing of the templates in strings.

    def _build_highlight_map(self) -> None:
        self._line_cache.clear()
        self._highlights.clear()
        self._blanks.clear()
        for kind, row, start, end in self._stretches():
            if kind == "blank":
                self._blanks.setdefault(row, []).append((start, end))
            self._highlights[row].append((start, end, kind))
        if self._problem is not None and self._problem[0] < self.document.line_count:
            self._highlights[self._problem[0]].append((0, None, "problem"))
        for row, highlights in self._highlights.items():
            shown = self._shown(row)
            if not shown.isascii():
                # TextArea counts in bytes, as tree-sitter does.
                self._highlights[row] = [
                    (len(shown[:start].encode()), end and len(shown[:end].encode()), kind)
                    for start, end, kind in highlights
                ]

    def _stretches(self) -> list[tuple[str, int, int, int]]:
        """The parts of the text cut into lines: kind, line, first and last column."""
        lines = self.document.lines
        starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
        stretches = []
        for kind, start, end in parts("\n".join(lines)):
            first, last = bisect_right(starts, start) - 1, bisect_right(starts, end - 1) - 1
            for row in range(first, last + 1):
                left = max(0, start - starts[row])
                right = min(end - starts[row], len(lines[row]))
                if left < right:
                    stretches.append((kind, row, left, right))
        return stretches

    def _shown(self, row: int) -> str:
        line = str(self.document[row])
        for start, end in self._blanks.get(row, ()):
            line = line[:start] + SPACE * (end - start) + line[end:]
        return line

    def get_line(self, line_index: int) -> Text:
        """A line as it is shown."""
        return Text(self._shown(line_index), end="", no_wrap=True)

    def _render_line(self, y: int) -> Strip:
        # TextArea forgets every line at every key; those away from the cursor look as before.
        look = self._look(y + self.scroll_offset.y)
        if look is None:
            return super()._render_line(y)
        drawn = self._drawn.get(look)
        if drawn is None:
            drawn = self._drawn[look] = super()._render_line(y)
        return drawn

    def _look(self, y: int) -> tuple[object, ...] | None:
        """All that a line's look depends on; None for a line that is not to be kept."""
        start, end = self.selection
        if y >= self.wrapped_document.height or start != end:
            return None
        row, column = self.wrapped_document.offset_to_location(Offset(0, y))
        bracket = self.matching_bracket_location
        if row == end[0] or (bracket is not None and row == bracket[0]):
            return None
        highlights = tuple(self._highlights.get(row, ()))
        # While a pane gets another size, lines are drawn before they are wrapped anew.
        wrapped = tuple(self.wrapped_document.get_offsets(row))
        size = self.size.width, self.gutter_width
        return row, column, wrapped, self._shown(row), highlights, *size, self.has_focus
