"""An editor for SQL: highlighting, completion, and the place of an error marked."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.content import Content
from textual.message import Message
from textual.widgets import TextArea
from textual.widgets.text_area import Document

from tui.actions import bindings
from tui.widgets.marked_editor import PROBLEM_MARK, MarkedEditor

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.widgets.text_area import EditResult, Location

    from engine.sql.completion import Suggestion
    from tui.widgets.completion_list import CompletionList

MOST_LINES = 300
"""Lines that are highlighted; in longer texts every key would be waited for."""
KINDS = ("keyword", "string", "number", "comment", "function", "type")
_COMPLETED_FROM = 2
"""Letters of a word from which suggestions are offered unasked."""
_INDENT = "  "
_KEYWORDS = """
    all and any as asc between by case cast cross delete desc distinct drop else end except
    exists explain false from full group having if in inner insert intersect into is join left
    like limit natural not null nulls offset on or order outer over partition pivot replace right
    select set some table then true union unique unpivot update using values view when where
    window with create temporary
"""
"""Coloured as keywords; words that are columns here, such as ``format``, are not among them."""


@cache
def _sql() -> tuple[Any, str]:
    """The grammar and the query that says what is what in it."""
    import tree_sitter_sql
    from tree_sitter import Language

    language = Language(tree_sitter_sql.language())
    kinds = {language.node_kind_for_id(each) for each in range(language.node_kind_count)}
    keywords = " ".join(
        f"({name})" for word in _KEYWORDS.split() if (name := f"keyword_{word}") in kinds
    )
    query = f"""
        [{keywords}] @keyword
        [(comment) (marginalia)] @comment
        (invocation (object_reference name: (identifier) @function))
        (cast (_) @type .)
        ((literal) @number (#match? @number "^[-+.]?[0-9]"))
        ((literal) @string (#match? @string "^'"))
    """
    return language, query


class SqlEditor(MarkedEditor):
    """The text of one or several statements."""

    ACTION_SCOPE: ClassVar[str] = "sql_editor"
    HELP_TITLE = "The editor"
    HELP = (
        "SQL over everything stored, one or several statements with ; between them. Names are "
        "offered as you type: tab takes the first, up and down choose, escape closes the list. "
        "CREATE VIEW makes views of your own; they stay, apart from the results. ✗ marks the line "
        "of an error."
    )
    BINDINGS: ClassVar = bindings("sql_editor")
    CLASSES = "sql-editor"
    KINDS = KINDS
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"sql-editor--{name}" for name in (*KINDS, "problem")}

    class Stepped(Message):
        """An older (-1) or newer (1) text is wanted."""

        def __init__(self, delta: int) -> None:
            super().__init__()
            self.delta = delta

    def __init__(
        self, text: str, popup: CompletionList, suggest: Callable[[str, int], list[Suggestion]]
    ) -> None:
        """Edit a text.

        Args:
            text: What stands there at first.
            popup: Where suggestions are shown.
            suggest: What may stand at a place of a text; called in a thread.
        """
        self._popup = popup
        self._suggest = suggest
        super().__init__(text)
        self.register_language("sql", *_sql())
        self._suit_language()

    # The text

    def take(self, text: str) -> None:
        """Put another text in the place of the whole, so that undo brings the old one back."""
        if text != self.text:
            self.history.checkpoint()
            self.replace(text, (0, 0), self.document.end)
            self.history.checkpoint()
            self.move_cursor(self.document.end)
        self._popup.close()

    def place_of(self, location: Location) -> int:
        """A location as a number of characters from the beginning."""
        assert isinstance(self.document, Document)
        return self.document.get_index_from_location(location)

    def location_of(self, place: int) -> Location:
        """The location after a number of characters."""
        assert isinstance(self.document, Document)
        return self.document.get_location_from_index(place)

    @property
    def place(self) -> int:
        """The cursor, in characters from the beginning."""
        return self.place_of(self.cursor_location)

    def edit(self, edit: Any) -> EditResult:
        """Carry out an edit; what was wrong may not be any more."""
        self._problem = None
        return super().edit(edit)

    @on(TextArea.Changed)
    def _suit_language(self) -> None:
        """Highlight texts that are not too long for it."""
        wanted = "sql" if self.document.line_count <= MOST_LINES else None
        if wanted != self.language:
            selection = self.selection
            self.language = wanted
            self.selection = selection

    # Errors

    def show_problem(self, location: Location | None, sentence: str) -> None:
        """Mark where a statement is wrong and go there, or mark nothing.

        Args:
            location: The line and column, from 0; None where no place is to blame.
            sentence: What is wrong; empty for nothing.
        """
        self._problem = location if sentence else None
        self.border_subtitle = Content(f"{PROBLEM_MARK} error") if sentence else None
        self.set_class(bool(sentence), "-problem")
        self._build_highlight_map()
        if self._problem is not None:
            self.move_cursor(self._problem)
        self.refresh()

    def _build_highlight_map(self) -> None:
        super()._build_highlight_map()
        if self._problem is not None and self._problem[0] < self.document.line_count:
            row, column = self._problem
            line = self.document.get_line(row)
            end = column + 1
            while end < len(line) and (line[end].isalnum() or line[end] == "_"):
                end += 1
            # TextArea counts in bytes, as tree-sitter does.
            start, stop = (len(line[:each].encode()) for each in (column, end))
            self._highlights[row].append((start, stop or None, "problem"))

    # Completion

    def _replace_via_keyboard(
        self, insert: str, start: Location, end: Location
    ) -> EditResult | None:
        result = super()._replace_via_keyboard(insert, start, end)
        self._offer_after(insert)
        return result

    def _delete_via_keyboard(self, start: Location, end: Location) -> EditResult | None:
        result = super()._delete_via_keyboard(start, end)
        if self._popup.chosen is not None:
            self._offer()
        return result

    def _offer_after(self, typed: str) -> None:
        row, column = self.cursor_location
        before = self.document.get_line(row)[:column]
        word = len(before) - len(before.rstrip("_" + _letters(before)))
        if typed in (".", "'") or word >= _COMPLETED_FROM:
            self._offer()
        else:
            self._popup.close()

    def _offer(self, *, asked: bool = False) -> None:
        # What is shown stays until its successor is there: the list must not flicker.
        self._popup.place = self.place
        self.run_worker(self._find_suggestions(asked), group="complete", exclusive=True)

    async def _find_suggestions(self, asked: bool) -> None:
        text, place = self.text, self.place
        found = await asyncio.to_thread(self._suggest, text, place)
        if text != self.text or place != self.place or not self.has_focus:
            return
        typed = text[found[0].start : place] if found else ""
        if not found or (not asked and found[0].text.lower() == typed.lower()):
            self._popup.close()
        elif asked and len(found) == 1:
            self._take_suggestion(found[0], place)
        else:
            self._popup.open(found, place, self.cursor_screen_offset, asked=asked)

    def take_chosen(self) -> None:
        """Put the chosen suggestion into the text."""
        chosen = self._popup.chosen
        if chosen is not None:
            self._take_suggestion(chosen, self._popup.place)

    def _take_suggestion(self, suggestion: Suggestion, place: int) -> None:
        self._popup.close()
        start, end = self.location_of(suggestion.start), self.location_of(place)
        self.replace(suggestion.text, start, end, maintain_selection_offset=False)

    @on(TextArea.SelectionChanged)
    def _moved_away(self) -> None:
        if self._popup.chosen is not None and self.place != self._popup.place:
            self._popup.close()

    def on_blur(self) -> None:
        """Close the list of suggestions, unless it is about to be clicked."""
        if not self._popup.is_mouse_over:
            self._popup.close()

    def on_key(self, event: events.Key) -> None:
        """While suggestions are shown, enter takes one that was chosen, and escape closes them."""
        if self._popup.chosen is None:
            return
        if event.key == "escape" or (event.key == "enter" and self._popup.moved):
            event.stop()
            event.prevent_default()
            self.take_chosen() if event.key == "enter" else self._popup.close()

    # Actions

    def action_cursor_up(self, select: bool = False) -> None:
        """Go a line up, or to the suggestion above."""
        if self._popup.chosen is None or select:
            super().action_cursor_up(select)
        else:
            self._popup.move(-1)

    def action_cursor_down(self, select: bool = False) -> None:
        """Go a line down, or to the suggestion below."""
        if self._popup.chosen is None or select:
            super().action_cursor_down(select)
        else:
            self._popup.move(1)

    def action_complete(self) -> None:
        """Take the suggestion, ask for some where a name begins, or indent."""
        row, column = self.cursor_location
        if self._popup.chosen is not None:
            self.take_chosen()
        elif self.document.get_line(row)[:column].strip():
            self._offer(asked=True)
        else:
            self.insert(_INDENT)

    def action_suggest(self) -> None:
        """Show what may stand at the cursor."""
        self._offer(asked=True)

    def action_step_history(self, delta: int) -> None:
        """Show an older (-1) or newer (1) text."""
        self.post_message(self.Stepped(delta))


def _letters(text: str) -> str:
    """The letters and digits of a text: what may belong to a name."""
    return "".join(each for each in set(text) if each.isalnum())
