"""Asks where to save a prompt format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.actions import bindings
from tui.screens.start import PathSuggester
from tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from textual.app import ComposeResult


class SaveScreen(ModalScreen[Path | None]):
    """The path that was written to, or None."""

    ACTION_SCOPE: ClassVar[str] = "save"
    BINDINGS: ClassVar = bindings("save")
    AUTO_FOCUS = "Input"

    def __init__(self, text: str, path: Path, *, known: bool) -> None:
        """Save a text; a ``known`` path may be written over without asking."""
        super().__init__()
        self._text = text
        self._path = path
        self._may_replace = path if known else None

    def compose(self) -> ComposeResult:
        """One line for the path, one for what is wrong."""
        with Vertical(id="save"):
            yield Input(str(self._path), id="path", compact=True, suggester=PathSuggester())
            yield Static("", id="problem", markup=False)
            yield KeyLine()

    def on_mount(self) -> None:
        """Name the form."""
        form = self.query_one("#save")
        form.border_title, form.border_subtitle = "save the format", "a .toml file"

    def action_submit(self) -> None:
        """Write the file; one that is there already only when enter is pressed again."""
        path = Path(self.query_one(Input).value.strip()).expanduser()
        if path.suffix != ".toml":
            self._refuse("A format's file ends in .toml.")
        elif path.exists() and path != self._may_replace:
            self._may_replace = path
            self._refuse(f"{path} exists: enter again writes over it.")
        else:
            self._write(path)

    def _write(self, path: Path) -> None:
        try:
            path.write_text(self._text, "utf-8")
        except OSError as error:
            self._refuse(f"{path} can't be written: {error.strerror}.")
        else:
            self.dismiss(path)

    def _refuse(self, sentence: str) -> None:
        problem = self.query_one("#problem", Static)
        problem.update(sentence)
        problem.add_class("-error")

    def action_close(self) -> None:
        """Leave it unsaved."""
        self.dismiss(None)
