"""The prompt exactly as the model got it: as text with visible blanks, or token by token."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from engine.browse import ProbeView
from engine.spans import character_spans
from tui.characters import RIGHT_TO_LEFT_NOTE, is_right_to_left
from tui.widgets.figures import NOT_RECORDED, count
from tui.widgets.flow import ENDING, Flow
from tui.widgets.line_view import LineView
from tui.widgets.token_text import NEWLINE, fit, token_bytes, visible, visible_token, width
from tui.words import one_line

END_OF_PROMPT = "▏"
_WORD = re.compile(r"[^ \n]+ ?| |\n")
_BLANKS = re.compile(f"[·⇥{NEWLINE}]")


class PromptView(LineView):
    """The rendered prompt, its warnings on top, scrolled to the question."""

    HELP_TITLE = "prompt"
    HELP = (
        "The prompt as the model received it, chat template and special tokens included. · is a "
        "space, ↵ a newline, ▏ the end, where the model goes on. p switches between the "
        "text and the tokens with their ids."
    )

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._view: ProbeView | None = None
        self._question_line = 0
        self._goes_to_question = False
        self.as_tokens = False

    def show(self, view: ProbeView) -> None:
        """Show a probe's prompt."""
        self._view = view
        self._goes_to_question = True
        self.remake()

    def toggle(self) -> None:
        """Switch between text and tokens."""
        self.as_tokens = not self.as_tokens
        self._goes_to_question = True
        self.remake()

    def copied(self) -> str:
        """The prompt's text, or its token ids while these are shown."""
        if self._view is None:
            return ""
        if self.as_tokens:
            return " ".join(map(str, self._view.prompt_ids))
        return self._view.prompt or ""

    def make_lines(self, columns: int) -> Sequence[Text]:
        """The codes of the warnings, their sentences, the prompt."""
        view = self._view
        if view is None:
            return ()
        lines = self._warnings(view, columns)
        self.sticky = min(1, len(lines))
        self._question_line = len(lines)
        body = self._tokens(view, columns) if self.as_tokens else self._text(view, columns)
        return [*lines, *body]

    def remake(self) -> None:
        """Make the lines anew; the first time for a prompt, go to its question."""
        super().remake()
        if self._view is None or not self._lines:
            return
        self.border_title = self._title(self._view)
        if self._goes_to_question:
            self._goes_to_question = False
            self.scroll_to(y=self._question_line - self.sticky, animate=False, force=True)

    def _title(self, view: ProbeView) -> str:
        parts = ["prompt as tokens" if self.as_tokens else "prompt"]
        parts.append(count(len(view.prompt_ids), "token") if view.prompt_ids else "")
        if view.chat is not None:
            parts.append("chat template" if view.chat else "raw text")
        parts.append(count(view.shots, "shot") if view.shots else "")
        parts.append(f"{count(view.dropped_tokens, 'token')} cut" if view.dropped_tokens else "")
        parts.append(f"⚠ {count(len(view.warnings), 'warning')}" if view.warnings else "")
        parts.append(RIGHT_TO_LEFT_NOTE if is_right_to_left(view.prompt or "") else "")
        return " · ".join(filter(None, parts))

    def _warnings(self, view: ProbeView, columns: int) -> list[Text]:
        if not view.warnings:
            return []
        warnings = [(one_line(code), one_line(message)) for code, message in view.warnings]
        codes = "  ".join(code for code, _ in warnings)
        lines = [Text(fit(f"⚠ {codes}", columns), self.tone("warn"))]
        for code, message in warnings:
            sentence = Text.assemble((f"{code}: ", self.tone("warn")), message)
            lines += sentence.wrap(self.app.console, columns)
        return lines

    def _text(self, view: ProbeView, columns: int) -> list[Text]:
        words, special, starts = _words(view)
        flow = Flow([visible(word) for word in words], columns, ending=END_OF_PROMPT)
        self._note_question(view, starts, flow.first_lines)
        lines = []
        for pieces in flow.lines:
            line = Text()
            for piece in pieces:
                style = Style.null()
                if piece.token in special:
                    style = self.tone("special")
                elif piece.token == ENDING:
                    style = self.tone("accent")
                line.append(piece.text, style)
            line.highlight_regex(_BLANKS, self.tone("dim"))
            lines.append(line)
        return lines

    def _tokens(self, view: ProbeView, columns: int) -> list[Text]:
        if not view.prompt_ids:
            return [Text(f"Prompt tokens {NOT_RECORDED}.", self.tone("dim"))]
        lines = [Text(), Text()]
        first_lines = []
        column = 0
        for token_id in view.prompt_ids:
            entry = view.tokens.get(token_id)
            text, number = visible_token(token_id, entry), str(token_id)
            cells = min(columns, max(width(text), len(number)))
            if column and column + cells > columns:
                lines += [Text(), Text()]
                column = 0
            first_lines.append(len(lines) - 2)
            special = entry is not None and entry[2]
            shown = fit(text, min(cells, width(text)))
            lines[-2].append(shown, self.tone("special" if special else "chip"))
            lines[-2].append(" " * (cells - width(shown) + 1))
            lines[-1].append(f"{number:<{cells}} ", self.tone("dim"))
            column += cells + 1
            if text.endswith(NEWLINE):
                column = columns
        lines[-2].append(END_OF_PROMPT, self.tone("accent"))
        _, spans = character_spans([token_bytes(view.tokens.get(i)) for i in view.prompt_ids])
        self._note_question(view, [start for start, _ in spans], first_lines)
        return lines

    def _note_question(
        self, view: ProbeView, starts: Sequence[int], first_lines: Sequence[int]
    ) -> None:
        """Remember the line that the question starts on: the last place its text occurs at."""
        offset = (view.prompt or "").rfind(view.question.text)
        before = [line for start, line in zip(starts, first_lines, strict=True) if start <= offset]
        if before:
            self._question_line += before[-1]


def _words(view: ProbeView) -> tuple[list[str], set[int], list[int]]:
    """The prompt cut at blanks and special tokens: pieces, which are special, where they start."""
    names = {piece for piece, _, special in view.tokens.values() if special and piece}
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    prompt = NOT_RECORDED if view.prompt is None else view.prompt
    parts = re.split(f"({pattern})", prompt) if names else [prompt]
    words: list[str] = []
    special: set[int] = set()
    starts: list[int] = []
    offset = 0
    for part in parts:
        if part in names:
            special.add(len(words))
        for word in [part] if part in names else _WORD.findall(part):
            words.append(word)
            starts.append(offset)
            offset += len(word)
    return words, special, starts
