"""What a query can name: tables and views with their columns, and what each is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static, Tree

from tui.actions import bindings

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.sql.catalog import Catalog, Column, Table


class SchemaTree(Tree["Table | Column | None"], inherit_bindings=False):
    """Tables and views; their columns below them."""

    ACTION_SCOPE: ClassVar[str] = "schema"
    HELP_TITLE = "The schema"
    HELP = "Every table and view, your own last, with the columns of each. Enter takes the name."
    BINDINGS: ClassVar = bindings("schema")

    class Inserted(Message):
        """A name was taken."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self) -> None:
        super().__init__("schema", None)
        self.show_root = False
        self.guide_depth = 2
        self._catalog: Catalog | None = None

    def show(self, catalog: Catalog) -> None:
        """Show what a catalog holds; tables that were open stay so."""
        opened = {node.data.name for node in self.root.children if node.is_expanded and node.data}
        self._catalog = catalog
        self.clear()
        for table in catalog.tables:
            aside = "" if table.kind == "table" else f" {table.kind}"
            node = self.root.add(
                Text.assemble(table.name, (aside, "dim")), table, expand=table.name in opened
            )
            for column in table.columns:
                node.add_leaf(Text.assemble(column.name, (f" {column.type}", "dim")), column)

    def action_insert(self) -> None:
        """Take the name under the cursor."""
        node = self.cursor_node
        if self._catalog is not None and node is not None and node.data is not None:
            self.post_message(self.Inserted(self._catalog.name(node.data.name)))


class SchemaPane(Vertical):
    """The tree, and the documentation of what is under its cursor."""

    def compose(self) -> ComposeResult:
        """Build both."""
        yield SchemaTree()
        yield Static("", id="schema-about", markup=False)

    def on_mount(self) -> None:
        """Stay away until asked for."""
        self.display = False
        self.border_title = "schema"

    def show(self, catalog: Catalog) -> None:
        """Show what a catalog holds."""
        self.query_one(SchemaTree).show(catalog)

    @on(Tree.NodeHighlighted)
    def _explain(self, event: Tree.NodeHighlighted[Table | Column | None]) -> None:
        data = event.node.data
        words = "" if data is None else data.about or "no documentation"
        self.query_one("#schema-about", Static).update(words)
