"""Choosing a prompt format to go on from."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from engine.errors import FormatError
from engine.formats import PromptFormat, format_names, load_format
from tui.actions import bindings
from tui.screens.start import PathSuggester
from tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from textual.app import ComposeResult


class ChooseFormatScreen(ModalScreen[PromptFormat | None]):
    """A list of the formats that come with the package, and a line for a file."""

    ACTION_SCOPE: ClassVar[str] = "choose_format"
    BINDINGS: ClassVar = bindings("choose_format")
    AUTO_FOCUS = "OptionList"

    def __init__(self, current: str) -> None:
        """``current`` is the name of the format to begin at."""
        super().__init__()
        self._names = format_names()
        self._current = current

    def compose(self) -> ComposeResult:
        """The list, what the format under the cursor is, the line for a file."""
        with Vertical(id="choose-format"):
            yield OptionList(*(Option(_line(load_format(name)), name) for name in self._names))
            yield Static("", id="about", markup=False)
            yield Input(
                placeholder="or NAME:field=value, or the path of a .toml file",
                compact=True,
                suggester=PathSuggester(),
            )
            yield Static("", id="problem", markup=False)
            yield KeyLine()

    def on_mount(self) -> None:
        """Begin at the current format."""
        self.query_one("#choose-format").border_title = "prompt formats"
        if self._current in self._names:
            self.query_one(OptionList).highlighted = self._names.index(self._current)

    @on(OptionList.OptionHighlighted)
    def _explain(self, event: OptionList.OptionHighlighted) -> None:
        fmt = load_format(event.option_id or "")
        self.query_one("#about", Static).update(f"{fmt.description}\n{fmt.source}")

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(load_format(event.option_id or ""))

    @on(Input.Submitted)
    def _load(self, event: Input.Submitted) -> None:
        try:
            self.dismiss(load_format(event.value.strip()))
        except FormatError as error:
            problem = self.query_one("#problem", Static)
            problem.update(str(error))
            problem.add_class("-error")

    def action_close(self) -> None:
        """Leave the format as it is."""
        self.dismiss(None)


def _line(fmt: PromptFormat) -> Text:
    scored = fmt.scored_by.replace("_", " ")
    return Text.assemble((f"{fmt.name:<28}", "bold"), fmt.title, (f"  · scored by {scored}", "dim"))
