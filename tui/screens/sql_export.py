"""Asks where a result is to be written, and writes all of its rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from engine.errors import CancelledError, LogitscopeError
from engine.sql.exporting import ENDINGS, Exported, ExportFormat, export
from engine.sql.result import Result
from tui.actions import bindings
from tui.querying import Querying
from tui.screens.start import PathSuggester
from tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.store import Store

_OFFERED: tuple[ExportFormat, ...] = ("csv", "parquet", "jsonl", "markdown")
_HINT = "All rows of the statement are written, not only those that are fetched."


class ExportScreen(ModalScreen[None]):
    """A path and a format."""

    ACTION_SCOPE: ClassVar[str] = "export"
    HELP_TITLE = "Exporting"
    HELP = (
        "Writes every row of the statement: one that is not all fetched is run anew. The file is "
        "there whole or not at all; escape stops the writing."
    )
    BINDINGS: ClassVar = bindings("export")
    AUTO_FOCUS = "Input"

    def __init__(self, store: Store, result: Result, sorted_by: tuple[int, bool] | None) -> None:
        """Write what a statement gives; the console of its screen is left alone.

        Args:
            store: The store.
            result: Its rows, as far as they are fetched.
            sorted_by: Column and whether it descends, where they were sorted.
        """
        super().__init__()
        self._result, self._sorted_by = result, sorted_by
        self._querying = Querying(store)
        self._may_replace: Path | None = None
        self._writing = False

    def compose(self) -> ComposeResult:
        """A line for each, and one for what happens."""
        with Vertical(id="export"):
            with Horizontal():
                yield Static("file", classes="label")
                yield Input("result.csv", compact=True, suggester=PathSuggester())
            with Horizontal():
                yield Static("format", classes="label")
                yield Static(id="format", markup=False)
            yield Static(_HINT, id="problem", markup=False)
            yield KeyLine()

    def on_mount(self) -> None:
        """Name the form."""
        self.query_one("#export").border_title = "export the result"

    def on_unmount(self) -> None:
        """Stop what is being written."""
        self._querying.close()

    @on(Input.Changed)
    def _show_format(self) -> None:
        """Say what the file's ending stands for."""
        words = self._format or "the ending says nothing; down takes one"
        self.query_one("#format", Static).update(words)

    @property
    def _path(self) -> Path:
        return Path(self.query_one(Input).value.strip()).expanduser()

    @property
    def _format(self) -> ExportFormat | None:
        return ENDINGS.get(self._path.suffix.lower())

    def action_next_format(self) -> None:
        """Take the next format: the file gets its ending."""
        known = self._format
        place = _OFFERED.index(known) + 1 if known in _OFFERED else 0
        after = _OFFERED[place % len(_OFFERED)]
        ending = next(each for each, form in ENDINGS.items() if form == after)
        if self._path.name:
            self.query_one(Input).value = str(self._path.with_suffix(ending))

    def action_submit(self) -> None:
        """Write the file; one that is there already only when enter is pressed again."""
        path, form = self._path, self._format
        if self._writing:
            return
        if path.exists() and path != self._may_replace:
            self._may_replace = path
            self._say(f"{path} is there already: enter again writes over it.", wrong=True)
            return
        if form is None:
            self._say(f"End the file's name with {', '.join(ENDINGS)}.", wrong=True)
            return
        self._writing = True
        self._say(f"Writing {path} · escape stops")
        self.run_worker(self._write(path, form, path == self._may_replace))

    async def _write(self, path: Path, form: ExportFormat, replace: bool) -> None:
        try:
            done = await self._querying.ask(lambda: self._exported(path, form, replace))
        except CancelledError:
            self._say("Nothing was written.", wrong=True)
        except LogitscopeError as error:
            self._say(str(error), wrong=True)
        else:
            self.notify(done.sentence())
            self.dismiss()
        finally:
            self._writing = False

    def _exported(self, path: Path, form: ExportFormat, replace: bool) -> Exported:
        """Write what is fetched where that is all, else run the statement anew."""
        if self._result.complete:
            return export(self._result, path, form, replace=replace)
        console = self._querying.console
        (made,) = console.run(self._result.statement)
        assert isinstance(made, Result)
        if self._sorted_by is not None:
            made = console.sorted(made, *self._sorted_by)
        return export(made, path, form, replace=replace)

    def _say(self, sentence: str, *, wrong: bool = False) -> None:
        problem = self.query_one("#problem", Static)
        problem.update(sentence)
        problem.set_class(wrong, "-error")

    def action_close(self) -> None:
        """Stop the writing, or leave."""
        if self._writing:
            self._querying.cancel()
        else:
            self.dismiss()
