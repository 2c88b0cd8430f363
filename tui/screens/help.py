"""What the focused part does and its keys, made from the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.table import Table
from rich.text import Text
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from engine.flags import FLAGS
from tui.actions import Action, bindings, in_scope
from tui.widgets.key_line import KeyLine
from tui.words import FLAG_LETTERS

if TYPE_CHECKING:
    from textual.app import App, ComposeResult
    from textual.dom import DOMNode

_KEYS = 14


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
            keys = [
                (shown_keys(action, part.app), action.help)
                for action in in_scope(scope)
                if action.help and action.keys
            ]
            title = getattr(part, "HELP_TITLE", scope)
            found.append(Section(title, (getattr(part, "HELP", "") or "").strip(), keys))
    flags = [(FLAG_LETTERS[flag.name], flag.description) for flag in FLAGS]
    return [*found, Section("Flags", "", flags)]


def shown_keys(action: Action, app: App[object]) -> str:
    """The keys of an action as people write them."""
    return action.shown_as or " ".join(app.get_key_display(binding) for binding in action.bindings)


class HelpScreen(ModalScreen[None]):
    """The help, over the screen it is about."""

    ACTION_SCOPE: ClassVar[str] = "help"
    BINDINGS: ClassVar = bindings("help")

    def __init__(self, node: DOMNode) -> None:
        super().__init__()
        self._sections = sections(node)

    def compose(self) -> ComposeResult:
        """Build one block a section."""
        with VerticalScroll(id="help"):
            for section in self._sections:
                yield Static(section.title, classes="help--title", markup=False)
                if section.words:
                    yield Static(section.words, classes="help--words", markup=False)
                if section.keys:
                    yield Static(_table(section.keys))
        yield KeyLine()

    def action_close(self) -> None:
        """Back to where the help was asked for."""
        self.dismiss()


def _table(keys: list[tuple[str, str]]) -> Table:
    """Keys and sentences in two columns."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", min_width=_KEYS, no_wrap=True)
    table.add_column()
    for shown, sentence in keys:
        table.add_row(Text(shown), Text(sentence))
    return table
