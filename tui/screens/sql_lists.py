"""Lists of texts for the SQL editor that can be searched: those run before, those saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.text import Text
from textual import on
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from engine.sql.saved import saved_queries
from tui.actions import bindings
from tui.widgets.key_line import KeyLine
from tui.words import one_line

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.sql.history import History


class Entry(NamedTuple):
    """One text.

    Attributes:
        title: Its line.
        aside: What stands dimly beside it.
        sql: What is put into the editor.
    """

    title: str
    aside: str
    sql: str

    def holds(self, words: list[str]) -> bool:
        """Whether every word is somewhere in it."""
        text = f"{self.title}\n{self.aside}\n{self.sql}".lower()
        return all(word in text for word in words)


class TextsScreen(ModalScreen[str | None]):
    """A line to search, a list, and the text under its cursor."""

    ACTION_SCOPE: ClassVar[str] = "sql_list"
    BINDINGS: ClassVar = bindings("sql_list")
    AUTO_FOCUS = "Input"
    TITLE_WORDS = ""
    NOTHING = ""

    def __init__(self, entries: list[Entry]) -> None:
        """Offer some texts, the first one chosen."""
        super().__init__()
        self._entries = entries
        self._shown: list[Entry] = []

    def compose(self) -> ComposeResult:
        """Build the parts from top to bottom."""
        with Vertical(id="texts"):
            yield Input(placeholder="type to search", compact=True)
            yield OptionList()
            yield Static("", id="preview", markup=False)
            yield KeyLine()

    def on_mount(self) -> None:
        """Show all of them."""
        self.query_one("#texts").border_title = self.TITLE_WORDS
        self.query_one(OptionList).can_focus = False
        self._search("")

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._search(event.value)

    def _search(self, typed: str) -> None:
        words = typed.lower().split()
        self._shown = [entry for entry in self._entries if entry.holds(words)]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(
            Option(
                Text.assemble(
                    one_line(entry.title),
                    (f"  {entry.aside}", "dim"),
                    no_wrap=True,
                    overflow="ellipsis",
                )
            )
            for entry in self._shown
        )
        options.highlighted = 0 if self._shown else None
        self._explain()

    @on(OptionList.OptionHighlighted)
    def _explain(self) -> None:
        nothing = "Nothing holds these words." if self._entries else self.NOTHING
        text = nothing if self._chosen is None else self._chosen.sql
        self.query_one("#preview", Static).update(text)

    @property
    def _chosen(self) -> Entry | None:
        place = self.query_one(OptionList).highlighted
        return self._shown[place] if place is not None and place < len(self._shown) else None

    @on(OptionList.OptionSelected)
    def _picked(self) -> None:
        self.action_choose()

    def action_move(self, delta: int) -> None:
        """Choose the next or previous one."""
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            options.highlighted = (options.highlighted + delta) % len(self._shown)

    def action_choose(self) -> None:
        """Take the chosen one."""
        if self._chosen is not None:
            self.dismiss(self._chosen.sql)

    def action_close(self) -> None:
        """Take none."""
        self.dismiss(None)


class HistoryScreen(TextsScreen):
    """What was run before, the newest first."""

    TITLE_WORDS = "run before"
    NOTHING = "Nothing was run yet."

    def __init__(self, history: History) -> None:
        """Offer what is remembered, each text once."""
        newest: dict[str, Entry] = {}
        for entry in reversed(history.entries()):
            when = entry.at.replace("T", " ").removesuffix("Z")
            newest.setdefault(entry.sql, Entry(" ".join(entry.sql.split()), when, entry.sql))
        super().__init__(list(newest.values()))


class SavedScreen(TextsScreen):
    """The queries that come with logitscope, and one's own."""

    TITLE_WORDS = "saved queries"

    def __init__(self, run_id: int | None, probe_id: int | None) -> None:
        """Offer them for the run and the probe that are shown."""
        super().__init__(
            [
                Entry(
                    query.title,
                    query.name if query.shipped else f"{query.name} · yours",
                    query.aimed(run_id, probe_id).strip(),
                )
                for query in saved_queries()
            ]
        )
