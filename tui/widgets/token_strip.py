"""One generation as a strip of tokens, drawn line by line, with a cursor on one token.

Each token is shaded by its probability: the less likely, the stronger. Under the tokens a second
line can say the same without colour, one glyph from ▁ to █ a token.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from engine.records import Generation
from tui.actions import bindings
from tui.widgets.figures import gauge
from tui.widgets.flow import ENDING, MARK, Flow, Piece
from tui.widgets.scrolling import set_content_size
from tui.widgets.token_text import TokenEntry, visible, visible_token

SHADES = (0.9, 0.6, 0.3, 0.1)
"""Probabilities under which a token gets the next stronger shade."""
DIVERGENCE_MARK = "◆"
LONG_STEP = 10
"""Tokens that ctrl+left and ctrl+right move by."""

ENDINGS = {"stop": " ■ stop", "length": " ✂ length limit", "cancelled": " ✂ cancelled"}
WRITING = " … writing"
_WORDS = re.compile(r"[^ ]+ ?| ")


@dataclass(frozen=True)
class StripContent:
    """What a strip shows.

    Attributes:
        texts: The tokens made visible; words of the text where the tokens were not recorded.
        special: Numbers of the special tokens.
        logprobs: Raw logprob of each token; empty while they are not known.
        ending: What stands behind the last token.
        recorded: Whether ``texts`` are tokens, so that a cursor can stand on them.
    """

    texts: tuple[str, ...] = ()
    special: frozenset[int] = frozenset()
    logprobs: tuple[float, ...] = ()
    ending: str = ""
    recorded: bool = True

    @classmethod
    def of(cls, generation: Generation, tokens: Mapping[int, TokenEntry]) -> StripContent:
        """The content for a stored generation; its text alone where it has no positions."""
        ending = ENDINGS.get(generation.finish_reason or "", "")
        ids = generation.positions.token_ids
        if not ids:
            words = tuple(map(visible, words_of(generation.text)))
            return cls(words, ending=ending, recorded=False)
        return cls.of_ids(ids, tokens, tuple(generation.positions.logprobs), ending)

    @classmethod
    def of_ids(
        cls,
        ids: list[int],
        tokens: Mapping[int, TokenEntry],
        logprobs: tuple[float, ...] = (),
        ending: str = "",
    ) -> StripContent:
        """The content for token ids, with what is known of them."""
        return cls(
            tuple(visible_token(token_id, tokens.get(token_id)) for token_id in ids),
            frozenset(
                place
                for place, token_id in enumerate(ids)
                if (entry := tokens.get(token_id)) is not None and entry[2]
            ),
            logprobs,
            ending,
        )


def words_of(text: str) -> list[str]:
    """A text cut behind its blanks: what a strip shows where the tokens were not recorded."""
    return _WORDS.findall(text)


@dataclass
class _Look:
    """Styles of the current theme, each computed once."""

    base: Style
    parts: dict[str, Style] = field(default_factory=dict)
    tokens: dict[tuple[int, bool, bool], Style] = field(default_factory=dict)


class TokenStrip(ScrollView, can_focus=True, inherit_bindings=False):
    """Tokens in lines, one of them under the cursor."""

    ACTION_SCOPE: ClassVar[str] = "strip"
    ALLOW_SELECT = False
    HELP_TITLE = "token strip"
    HELP = (
        "Every token the model wrote, blanks and special tokens too: · is a space, ↵ a "
        "newline, ⟨e4 bd⟩ the bytes of half a character, ⟨ZWSP⟩ one that can't be seen. The "
        "less likely a token was, the stronger its shade; v shows the same as a line of bars. "
        "◆ stands before the first token at which greedy text and sample differ. Right-to-left "
        "text too stands in the order in which it was written, the first token on the left."
    )
    BINDINGS: ClassVar = bindings("strip")
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"token-strip--shade{number}" for number in range(len(SHADES) + 1)),
        "token-strip--special",
        "token-strip--span",
        "token-strip--cursor",
        "token-strip--twin",
        "token-strip--mark",
        "token-strip--ending",
        "token-strip--gauge",
    }

    class Moved(Message):
        """The user put the cursor on another token."""

        def __init__(self, strip: TokenStrip, token: int) -> None:
            super().__init__()
            self.strip = strip
            self.token = token

        @property
        def control(self) -> TokenStrip:
            """The strip."""
            return self.strip

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self.content = StripContent()
        self.cursor = 0
        self.leading = False
        self.gauges = False
        self._divergence: int | None = None
        self._span: tuple[int, int] | None = None
        self._flow = Flow((), 1)
        self._drawn: dict[tuple[int, bool], Strip] = {}
        self._look: _Look | None = None

    # What it shows

    def show(
        self,
        content: StripContent,
        *,
        divergence: int | None = None,
        span: tuple[int, int] | None = None,
    ) -> None:
        """Show a generation.

        Args:
            content: Its tokens.
            divergence: The first token that differs from the other strip.
            span: The range of tokens that the selected reading matched.
        """
        same = content is self.content and divergence == self._divergence
        self.content, self._divergence, self._span = content, divergence, span
        if same:
            self._resize_content()
        else:
            self._lay_out()

    def show_gauges(self, gauges: bool) -> None:
        """Switch the line of bars under the tokens on or off."""
        if gauges != self.gauges:
            self.gauges = gauges
            self._resize_content()

    def lead(self, leading: bool) -> None:
        """Draw the cursor as the one that moves, or as its twin."""
        if leading != self.leading:
            self.leading = leading
            self._refresh_token(self.cursor)

    def put_cursor(self, token: int) -> None:
        """Put the cursor on a token and scroll to it; tells nobody.

        A token past the end leaves the strip without a cursor.
        """
        if token != self.cursor:
            before, self.cursor = self.cursor, token
            self._refresh_token(before)
            self._refresh_token(token)
        self._show_cursor()

    def token_at(self, x: int, y: int) -> int | None:
        """The token at a cell of the visible content; None where there is none."""
        if not self.content.recorded:
            return None
        return self._flow.token_at((y + round(self.scroll_y)) // self._rows, x)

    # Moving

    def action_line(self, delta: int) -> None:
        """Go to the token above or below."""
        if not self._has_cursor:
            return
        line, column = self._flow.first_lines[self.cursor], self._flow.column_of(self.cursor)
        target = line + delta
        while 0 <= target < len(self._flow.lines):
            token = self._flow.token_at(target, column)
            if token is not None and token != self.cursor:
                self._move_to(token)
                return
            target += delta

    def action_page(self, pages: int) -> None:
        """Go up or down by what is visible."""
        if not self._has_cursor:
            return
        step = pages * max(1, self.size.height // self._rows - 1)
        line = self._flow.first_lines[self.cursor] + step
        line = max(0, min(line, len(self._flow.lines) - 1))
        token = self._flow.token_at(line, self._flow.column_of(self.cursor))
        if token is not None:
            self._move_to(token)

    def on_click(self, event: events.Click) -> None:
        """The token clicked takes the cursor."""
        offset = event.get_content_offset(self)
        token = None if offset is None else self.token_at(*offset)
        if token is not None:
            self._move_to(token)

    def _move_to(self, token: int) -> None:
        self.put_cursor(token)
        self.post_message(self.Moved(self, token))

    def _show_cursor(self) -> None:
        if not self._has_cursor or not self.size.height:
            return
        first = self._flow.first_lines[self.cursor] * self._rows
        last = first + self._rows - 1
        top, height = round(self.scroll_y), self.size.height
        if first < top:
            self.scroll_to(y=first, animate=False, force=True)
        elif last >= top + height:
            self.scroll_to(y=last - height + 1, animate=False, force=True)

    # Layout

    @property
    def _rows(self) -> int:
        """Screen lines a line of tokens takes."""
        return 2 if self.gauges else 1

    @property
    def _has_cursor(self) -> bool:
        return self.content.recorded and 0 <= self.cursor < len(self._flow.first_lines)

    def on_resize(self) -> None:
        """Flow the tokens again where the width is another one."""
        if self.scrollable_content_region.width != self._flow.columns:
            self._lay_out()
        self._show_cursor()

    def _lay_out(self) -> None:
        columns = self.scrollable_content_region.width
        if columns <= 0:
            return
        marks = {} if self._divergence is None else {self._divergence: DIVERGENCE_MARK}
        self._flow = Flow(self.content.texts, columns, marks, self.content.ending)
        self._resize_content()

    def _resize_content(self) -> None:
        self._drawn.clear()
        set_content_size(self, Size(self._flow.columns, len(self._flow.lines) * self._rows))
        self._show_cursor()

    def _refresh_token(self, token: int) -> None:
        if not 0 <= token < len(self._flow.first_lines):
            return
        lines = self._flow.line_range(token)
        for line in lines:
            self._drawn.pop((line, False), None)
        self.refresh_lines(lines.start * self._rows, len(lines) * self._rows)

    # Drawing

    def notify_style_update(self) -> None:
        """The theme changed, or the focus."""
        super().notify_style_update()
        self._look = None
        self._drawn.clear()

    def render_line(self, y: int) -> Strip:
        """Draw one screen line: tokens, or the bars under them."""
        line, under = divmod(y + round(self.scroll_y), self._rows)
        if line >= len(self._flow.lines):
            return Strip.blank(self.size.width, self.rich_style)
        key = (line, bool(under))
        strip = self._drawn.get(key)
        if strip is None:
            draw = self._draw_gauges if under else self._draw_tokens
            strip = self._drawn[key] = draw(self._flow.lines[line])
        return strip

    def _draw_tokens(self, pieces: list[Piece]) -> Strip:
        segments = [Segment(piece.text, self._style_of(piece.token)) for piece in pieces]
        return self._filled(segments)

    def _draw_gauges(self, pieces: list[Piece]) -> Strip:
        style = self._part("gauge")
        logprobs = self.content.logprobs
        return self._filled(
            [
                Segment(
                    (
                        gauge(math.exp(logprobs[piece.token]))
                        if 0 <= piece.token < len(logprobs)
                        else " "
                    )
                    * piece.cells,
                    style,
                )
                for piece in pieces
            ]
        )

    def _filled(self, segments: list[Segment]) -> Strip:
        return Strip(segments).adjust_cell_length(self.size.width, self._styles.base)

    @property
    def _styles(self) -> _Look:
        if self._look is None:
            self._look = _Look(self.rich_style)
        return self._look

    def _part(self, name: str) -> Style:
        parts = self._styles.parts
        if name not in parts:
            parts[name] = self.get_component_rich_style(f"token-strip--{name}")
        return parts[name]

    def _style_of(self, token: int) -> Style:
        if token == MARK:
            return self._part("mark")
        if token == ENDING:
            return self._part("ending")
        if self._has_cursor and token == self.cursor:
            return self._part("cursor" if self.leading else "twin")
        in_span = self._span is not None and self._span[0] <= token < self._span[1]
        return self._token_style(self._shade(token), token in self.content.special, in_span)

    def _shade(self, token: int) -> int:
        if token >= len(self.content.logprobs):
            return 0
        probability = math.exp(self.content.logprobs[token])
        return sum(probability < bound for bound in SHADES)

    def _token_style(self, shade: int, special: bool, in_span: bool) -> Style:
        key = (shade, special, in_span)
        styles = self._styles.tokens
        if key not in styles:
            style = self._part(f"shade{shade}")
            for name, wanted in (("special", special), ("span", in_span)):
                if wanted:
                    style += self.get_component_rich_style(f"token-strip--{name}", partial=True)
            styles[key] = style
        return styles[key]
