"""The filter: a line that is the SQL condition it stands for, and a line that answers it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input, Static

from engine.browse import ListRow
from engine.flags import FLAGS
from tui.actions import bindings
from tui.words import one_line

if TYPE_CHECKING:
    from textual.app import ComposeResult

_NO_CONDITION = {"flags", "option_probabilities", "top_tokens"}
COLUMNS: tuple[str, ...] = (
    *(name for name in ListRow.__struct_fields__ if name not in _NO_CONDITION),
    *(flag.name for flag in FLAGS),
    "question_number",
)
"""What a condition can speak of, besides everything else in the view ``listing``."""

_KEYWORDS = {"and", "between", "false", "ilike", "in", "is", "like", "not", "null", "or", "true"}
_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")


def text_search(typed: str) -> str | None:
    """The condition that searches the questions for plain words; None for what may be SQL.

    Plain words hold no operator, quote or bracket, and at least one of them is neither a column
    nor a keyword. Case matters only where the words hold a capital letter.
    """
    typed = typed.strip()
    if not typed or re.search(r"[=<>()\"%*/+|:;]|'[^']*'", typed):
        return None
    words = _WORD.findall(typed.lower())
    if words and all(word in _KEYWORDS or word in COLUMNS for word in words):
        return None
    column = "question" if typed != typed.lower() else "lower(question)"
    return "contains({}, '{}')".format(column, typed.replace("'", "''"))


class ColumnSuggester(Suggester):
    """Completes the name of a column at the end of what was typed."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The value with its last word completed."""
        match = re.search(r"[A-Za-z_]+$", value)
        if match is None or value.count("'") % 2:
            return None
        beginning = match.group()
        for column in COLUMNS:
            if column.startswith(beginning) and column != beginning:
                return value + column[len(beginning) :]
        return None


class FilterInput(Input):
    """The line itself, with its history."""

    ACTION_SCOPE: ClassVar[str] = "filter"
    HELP_TITLE = "The filter"
    HELP = (
        "A SQL condition over the columns of the list: "
        "`format = 'low' and entropy > 2`, `mismatch and not refusal`, `marked`, "
        "`contains(greedy_text, 'sorry')`. Plain words search the questions. "
        "Enter applies it; an empty line shows every row.\n\n"
        "Columns: " + ", ".join(COLUMNS)
    )
    BINDINGS: ClassVar = bindings("filter")

    class Left(Message):
        """The line was left without applying it."""

    def __init__(self) -> None:
        super().__init__(
            placeholder="/ to filter: entropy > 2 and not refusal",
            suggester=ColumnSuggester(),
            compact=True,
            select_on_focus=False,
        )
        self._history: list[str] = []
        self._place = 0

    def remember(self, condition: str) -> None:
        """Keep a condition for the up key."""
        if condition and condition not in self._history[-1:]:
            self._history.append(condition)
        self._place = len(self._history)

    def action_leave(self) -> None:
        """Go back to the list."""
        self.post_message(self.Left())

    def action_complete(self) -> None:
        """Take the suggestion."""
        self.action_end()
        self.action_cursor_right()

    def action_recall(self, delta: int) -> None:
        """Show an older (-1) or newer (1) filter."""
        self._place = max(0, min(self._place + delta, len(self._history)))
        self.value = self._history[self._place] if self._place < len(self._history) else ""
        self.action_end()


class FilterBar(Vertical):
    """The filter and its answer."""

    class Submitted(Message):
        """A condition is to be applied; empty for none."""

        def __init__(self, condition: str) -> None:
            super().__init__()
            self.condition = condition

    class Left(Message):
        """The bar was left."""

    def compose(self) -> ComposeResult:
        """Build the two lines."""
        with Horizontal():
            yield Static("where", id="where")
            yield FilterInput()
        yield Static("", id="answer", markup=False)

    @property
    def input(self) -> FilterInput:
        """The line to type in."""
        return self.query_one(FilterInput)

    def show(self, condition: str, format_name: str | None) -> None:
        """Show the condition that is in force."""
        where = "where" if format_name is None else f"where format = '{format_name}' and"
        self.query_one("#where", Static).update(where)
        self.input.value = condition
        self.input.remember(condition)
        self._answer("")

    def refuse(self, sentence: str) -> None:
        """Show why a condition was not applied; what was typed stays."""
        first = next((line for line in sentence.splitlines() if line.strip()), sentence)
        self._answer(one_line(first), "error")

    def _answer(self, text: str, kind: str = "") -> None:
        answer = self.query_one("#answer", Static)
        answer.update(text)
        answer.set_class(bool(text), "-shown")
        answer.set_class(kind == "error", "-error")

    @on(Input.Changed)
    def _offer(self, event: Input.Changed) -> None:
        """Say what enter will do where that is not what was typed."""
        search = text_search(event.value) if self.input.has_focus else None
        self._answer(f"enter: {search}" if search else "")

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        typed = event.value.strip()
        condition = text_search(typed) or typed
        self.input.value = condition
        self.post_message(self.Submitted(condition))

    @on(FilterInput.Left)
    def _leave(self) -> None:
        self.post_message(self.Left())
