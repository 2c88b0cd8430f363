"""A rendered prompt: its tokens and their boundaries, where its turns begin, what may follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from rich.style import Style
from rich.text import Text

from engine.rendered import PromptWarning, RenderedPrompt
from tui.turns import turns
from tui.widgets.figures import count
from tui.widgets.flow import ENDING, MARK, Flow
from tui.widgets.line_view import LineView
from tui.widgets.token_text import TokenEntry, fit, visible, visible_token

END_OF_PROMPT = "▏"
BOUNDARY = "│"
STICKY_SHARE = 0.5
"""Part of the pane that warnings may keep to themselves while the prompt is scrolled."""


class _Shown(NamedTuple):
    prompt: RenderedPrompt
    tokens: Mapping[int, TokenEntry]
    warnings: Sequence[PromptWarning]


class RenderedPromptView(LineView):
    """Warnings, the prompt, and the tokens that each label would have behind it."""

    HELP_TITLE = "rendered prompt"
    HELP = (
        "The prompt as the model receives it, token by token: │ stands between two tokens, · is a "
        "space, ↵ a newline, a rule stands before every turn of the chat, and ▏ is where the "
        "model goes on. Below that stands the token that each option's label has there. What "
        "may distort the answer is said on top, with what to do about it."
    )

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._shown: _Shown | None = None
        self._problem = ""
        self._goes_to_end = False
        self.as_text = False

    def show(
        self,
        prompt: RenderedPrompt,
        tokens: Mapping[int, TokenEntry],
        warnings: Sequence[PromptWarning],
    ) -> None:
        """Show a prompt; a problem that was shown is gone.

        The first one is shown from its end; the others too, unless another place was gone to.

        Args:
            prompt: The prompt.
            tokens: What its tokens and those of its labels are.
            warnings: What to know about it.
        """
        at_end = round(self.scroll_y) >= self.max_scroll_y
        self._goes_to_end |= self._shown is None or at_end
        self._shown = _Shown(prompt, tokens, warnings)
        self._problem = ""
        self.remake()

    def show_problem(self, sentence: str) -> None:
        """Say why there is no prompt; the last one stays below, dimmed."""
        self._problem = sentence
        self.remake()

    def toggle(self) -> None:
        """Switch between tokens and text."""
        self.as_text = not self.as_text
        self._goes_to_end = True
        self.remake()

    def copied(self) -> str:
        """The prompt's text."""
        return "" if self._shown is None else self._shown.prompt.text

    def on_resize(self) -> None:
        """Lay warnings and prompt out for the room there is."""
        self.remake()

    def remake(self) -> None:
        """Make the lines anew, and go to the end of the prompt where that is due."""
        super().remake()
        if not self._lines:
            return
        self.border_title = self._title()
        if self._goes_to_end:
            self._goes_to_end = False
            self.scroll_end(animate=False, force=True, immediate=True, x_axis=False)

    def make_lines(self, columns: int) -> Sequence[Text]:
        """What is wrong or to be known, then the prompt, then the labels."""
        notes = self._notes(columns)
        self.sticky = self._how_sticky(notes)
        if self._shown is None:
            return notes
        body = [
            *self._cut_off(self._shown.prompt),
            *self._body(self._shown, columns),
            *self._labels(self._shown, columns),
        ]
        if self._problem:
            rule = self._rule("the last prompt that could be made", columns, "dim")
            body = [rule, *(Text(line.plain, self.tone("dim")) for line in body)]
        return [*notes, *body]

    def _title(self) -> str:
        if self._shown is None:
            return "prompt"
        prompt = self._shown.prompt
        parts = [
            "prompt as text" if self.as_text else "prompt",
            count(len(prompt.token_ids), "token"),
            "chat template" if prompt.chat else "raw text",
            count(prompt.shots, "shot") if prompt.shots else "",
            f"{count(prompt.dropped_tokens, 'token')} cut" if prompt.dropped_tokens else "",
            f"⚠ {count(len(self._shown.warnings), 'warning')}" if self._shown.warnings else "",
        ]
        return " · ".join(filter(None, parts))

    # What to know

    def _notes(self, columns: int) -> list[Text]:
        if self._problem:
            problem = Text(f"✗ {self._problem}", self.tone("bad"))
            return list(problem.wrap(self.app.console, columns))
        if self._shown is None:
            return []
        lines: list[Text] = []
        for code, sentence in ((each.code, each.message) for each in self._shown.warnings):
            warning = Text.assemble((f"⚠ {code}: ", self.tone("warn")), sentence)
            lines += warning.wrap(self.app.console, columns)
        return lines

    def _how_sticky(self, notes: Sequence[Text]) -> int:
        """How many lines stay while the prompt is scrolled."""
        room = round(self.size.height * STICKY_SHARE)
        return len(notes) if len(notes) <= room else room

    def _cut_off(self, prompt: RenderedPrompt) -> list[Text]:
        if not prompt.dropped_tokens:
            return []
        sentence = f"✂ {count(prompt.dropped_tokens, 'token')} cut to fit the window"
        return [Text(sentence, self.tone("warn"))]

    # The prompt

    def _body(self, shown: _Shown, columns: int) -> list[Text]:
        """Every turn under its rule."""
        ids, tokens = shown.prompt.token_ids, shown.tokens
        texts = [visible_token(each, tokens.get(each)) for each in ids]
        special = [(tokens.get(each) or ("", b"", False))[2] for each in ids]
        opened = turns(ids, tokens)
        lines: list[Text] = []
        starts = [0, *(turn.token for turn in opened if turn.token), len(ids)]
        roles = {turn.token: turn.role for turn in opened}
        for start, stop in pairwise(starts):
            if start in roles:
                lines.append(self._rule(roles[start], columns, "accent"))
            lines += self._tokens(texts[start:stop], special[start:stop], columns, stop == len(ids))
        return lines

    def _tokens(
        self, texts: Sequence[str], special: Sequence[bool], columns: int, last: bool
    ) -> list[Text]:
        marks = {} if self.as_text else dict.fromkeys(range(1, len(texts)), BOUNDARY)
        flow = Flow(texts, columns, marks, END_OF_PROMPT if last else "")
        null, dim, chip = Style.null(), self.tone("dim"), self.tone("chip")
        styles = {ENDING: self.tone("accent"), MARK: dim}
        lines = []
        for pieces in flow.lines:
            line = Text()
            for piece in pieces:
                style = styles.get(piece.token)
                if style is None and special[piece.token]:
                    style = self.tone("special")
                if style is None:
                    style = chip if piece.token % 2 and not self.as_text else null
                line.append(piece.text, style)
            lines.append(line)
        return lines

    def _rule(self, name: str, columns: int, tone: str) -> Text:
        return Text(fit(f"── {name} ".ljust(columns, "─"), columns), self.tone(tone))

    # What may follow

    def _labels(self, shown: _Shown, columns: int) -> list[Text]:
        """The token that every label has behind this prompt, and what is scored as the label."""
        prompt = shown.prompt
        spelled = {each.label: each for each in prompt.continuations if each.kind == "label"}
        items = []
        for label, token_id in zip(prompt.labels, prompt.label_ids, strict=True):
            text = visible_token(token_id, shown.tokens.get(token_id))
            item = Text(f"{label} ")
            item.append(f"“{text}”", self.tone("strong")).append(f" {token_id}", self.tone("dim"))
            whole = spelled.get(label)
            if whole is not None and visible(whole.text) != text:
                item.append(f" begins “{visible(whole.text)}”", self.tone("warn"))
            items.append(item)
        return [self._rule("next", columns, "accent"), *_in_lines(items, columns)]


def _in_lines(items: Sequence[Text], columns: int) -> list[Text]:
    """Items beside each other, as many on a line as fit."""
    lines: list[Text] = []
    for item in items:
        if not lines or lines[-1].cell_len + 3 + item.cell_len > columns:
            lines.append(item)
        else:
            lines[-1].append("   ").append_text(item)
    return lines
