"""What the focused part does and its keys, made from the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.table import Table
from rich.text import Text
from textual import on
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from engine.flags import FLAGS
from tui.actions import Action, bindings, in_scope
from tui.keymap import keys_display, keys_of
from tui.widgets.key_line import KeyLine
from tui.widgets.tones import tone
from tui.words import FLAG_LETTERS

if TYPE_CHECKING:
    from textual.app import App, ComposeResult
    from textual.dom import DOMNode

_KEYS = 14
_EVERYWHERE = """\
Keys are those in force; your own go into a file: logitscope config path says which.
A name that a person can find anything by: the palette. The mouse works on tabs, headers, rows, \
keys at the bottom, and on the lines between panes.
More to read: the tutorial, a how-to for each task and every key are in the docs folder."""


class Section(NamedTuple):
    """The help of one part of the screen."""

    title: str
    words: str
    keys: list[tuple[str, str]]


def sections(node: DOMNode) -> list[Section]:
    """The help of a node and of everything around it, the innermost first; then the flags.

    A part takes part by naming its scope in ``ACTION_SCOPE`` and saying what it is in ``HELP``.
    """
    found = []
    for part in node.ancestors_with_self:
        scope = getattr(part, "ACTION_SCOPE", "")
        if scope:
            keymap = part.app._keymap
            keys = [
                (shown_keys(action, part.app), action.help)
                for action in in_scope(scope)
                if action.help and keys_of(action, keymap)
            ]
            title = getattr(part, "HELP_TITLE", scope)
            words = _EVERYWHERE if scope == "app" else getattr(part, "HELP", "") or ""
            found.append(Section(title, words.strip(), keys))
    flags = [(FLAG_LETTERS[flag.name], flag.description) for flag in FLAGS]
    return [*found, Section("Flags", "", flags)]


def shown_keys(action: Action, app: App[object]) -> str:
    """The keys of an action as people write them."""
    return keys_display(app, action)


def matching(section: Section, words: str) -> Section | None:
    """What of a section holds all the words that are looked for; None where nothing does."""
    sought = words.casefold().split()

    def holds(*texts: str) -> bool:
        text = " ".join(texts).casefold()
        return all(word in text for word in sought)

    if holds(section.title):
        return section
    keys = [entry for entry in section.keys if holds(*entry)]
    said = section.words if holds(section.words) else ""
    return Section(section.title, said, keys) if keys or said else None


class HelpScreen(ModalScreen[None]):
    """The help, over the screen it is about."""

    ACTION_SCOPE: ClassVar[str] = "help"
    BINDINGS: ClassVar = bindings("help")
    COMPONENT_CLASSES: ClassVar[set[str]] = {"help--title", "help--words"}
    AUTO_FOCUS = "#help"

    def __init__(self, node: DOMNode) -> None:
        super().__init__()
        self._sections = sections(node)

    def compose(self) -> ComposeResult:
        """Build one block a section."""
        with VerticalScroll(id="help"):
            yield Input(placeholder="words to look for", id="help-search", compact=True)
            yield Static(id="help-text")
        yield KeyLine()

    def on_mount(self) -> None:
        """Show everything."""
        self._search = self.query_one("#help-search", Input)
        self._search.display = False
        self._show("")

    @on(Input.Changed)
    def _searched(self, event: Input.Changed) -> None:
        self._show(event.value)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.query_one("#help").focus()

    def _show(self, words: str) -> None:
        table = Table.grid()
        found = [part for each in self._sections if (part := matching(each, words)) is not None]
        for section in found:
            table.add_row(Text(f"\n{section.title}", tone(self, "help--title")))
            if section.words:
                table.add_row(Text(section.words, tone(self, "help--words")))
            if section.keys:
                table.add_row(_table(section.keys))
        if not found:
            table.add_row(Text("\nNothing here holds these words."))
        self.query_one("#help-text", Static).update(table)

    def action_search(self) -> None:
        """Type words to look for."""
        self._search.display = True
        self._search.focus()

    def action_tour(self) -> None:
        """Close the help and begin the tour, where it can begin."""
        self.dismiss()
        self.app.call_later(self.app.run_action, "app.tour")

    def action_close(self) -> None:
        """Back to where the help was asked for; from a search, back to everything first."""
        if self._search.display:
            self._search.value = ""
            self._search.display = False
            self.query_one("#help").focus()
        else:
            self.dismiss()


def _table(keys: list[tuple[str, str]]) -> Table:
    """Keys and sentences in two columns."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", min_width=_KEYS, no_wrap=True)
    table.add_column()
    for shown, sentence in keys:
        table.add_row(Text(shown), Text(sentence))
    return table
