"""What the editors share: colours from the stylesheet, and a mark beside the line that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Offset
from textual.strip import Strip
from textual.widgets import TextArea
from textual.widgets.text_area import TextAreaTheme

from tui.widgets.tones import tone

if TYPE_CHECKING:
    from textual.widgets.text_area import Location

PROBLEM_MARK = "✗"


class MarkedEditor(TextArea):
    """A text with numbered lines; its kinds of words and its problem have component classes.

    A subclass names ``CLASSES``, how those begin, and ``KINDS``, and lists them in
    ``COMPONENT_CLASSES`` together with ``problem``; its highlights are of these kinds.
    """

    CLASSES: ClassVar[str]
    KINDS: ClassVar[tuple[str, ...]]

    def __init__(self, text: str = "", *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        """Edit a text."""
        self._problem: Location | None = None
        self._styles: dict[str, Style] = {}
        super().__init__(text, id=id, show_line_numbers=True, tab_behavior="focus")
        self.register_theme(TextAreaTheme(self.CLASSES, syntax_styles=self._styles))
        self.theme = self.CLASSES

    def on_mount(self) -> None:
        """Take the colours of the theme."""
        self._take_styles()

    def notify_style_update(self) -> None:
        """The theme changed, and with it every colour."""
        super().notify_style_update()
        self.call_after_refresh(self._take_styles)

    def _take_styles(self) -> None:
        if not self.is_attached:  # the screen was left meanwhile
            return
        for kind in (*self.KINDS, "problem"):
            self._styles[kind] = tone(self, f"{self.CLASSES}--{kind}")
        self._line_cache.clear()
        self.refresh()

    def _recompute_cursor_offset(self) -> None:
        # While an undo takes lines away, TextArea asks where the cursor is before it is moved.
        if self.cursor_location[0] < self.document.line_count:
            super()._recompute_cursor_offset()  # type: ignore[no-untyped-call]

    def render_line(self, y: int) -> Strip:
        """Draw a line, with a mark beside its number if it is wrong."""
        strip = super().render_line(y)
        if self._problem is None or self._row_at(y + self.scroll_offset.y) != self._problem[0]:
            return strip
        style = (self._theme.gutter_style or Style()) + self._styles["problem"]
        at = self.gutter_width - 2
        return Strip.join(
            [strip.crop(0, at), Strip([Segment(PROBLEM_MARK, style)]), strip.crop(at + 1)]
        )

    def _row_at(self, y: int) -> int | None:
        """The line of the text that a drawn line is of; None below the last."""
        if y >= self.wrapped_document.height:
            return None
        return self.wrapped_document.offset_to_location(Offset(0, y))[0]
