"""Asks for the name of a query of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from engine.errors import StoreError
from engine.sql.saved import queries_folder, save_query, saved_queries
from tui.actions import bindings
from tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from textual.app import ComposeResult


class SaveQueryScreen(ModalScreen[None]):
    """A name, and what the query answers."""

    ACTION_SCOPE: ClassVar[str] = "save_query"
    BINDINGS: ClassVar = bindings("save_query")
    AUTO_FOCUS = "#name"

    def __init__(self, sql: str) -> None:
        """Save a text."""
        super().__init__()
        self._sql = sql
        self._may_replace = ""

    def compose(self) -> ComposeResult:
        """A line for each, and one for what is wrong."""
        with Vertical(id="save-query"):
            with Horizontal():
                yield Static("name", classes="label")
                yield Input(id="name", compact=True, placeholder="small letters, digits, - and _")
            with Horizontal():
                yield Static("answers", classes="label")
                yield Input(id="title", compact=True, placeholder="its question, in a line")
            yield Static("", id="problem", markup=False)
            yield KeyLine()

    def on_mount(self) -> None:
        """Name the form."""
        form = self.query_one("#save-query")
        form.border_title, form.border_subtitle = "save the query", str(queries_folder())

    def action_submit(self) -> None:
        """Save it; over one of the same name only when enter is pressed again."""
        name = self.query_one("#name", Input).value.strip()
        title = self.query_one("#title", Input).value.strip()
        own = {query.name for query in saved_queries() if not query.shipped}
        if name in own and name != self._may_replace:
            self._may_replace = name
            self._refuse(f"There is a query {name} already: enter again writes over it.")
            return
        try:
            save_query(name, self._sql, title=title, replace=name == self._may_replace)
        except StoreError as error:
            self._refuse(str(error))
        else:
            self.notify(f"Saved. ctrl+o lists it, and logitscope sql --saved {name} runs it.")
            self.dismiss()

    def _refuse(self, sentence: str) -> None:
        problem = self.query_one("#problem", Static)
        problem.update(sentence)
        problem.add_class("-error")

    def action_close(self) -> None:
        """Leave it unsaved."""
        self.dismiss()
