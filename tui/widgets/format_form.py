"""The settings of a prompt format, a row each, to be changed in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from rich.text import Text
from textual import on
from textual.containers import Container
from textual.message import Message
from textual.widgets import Input

from tui.actions import bindings
from tui.format_settings import Setting, Value, read, settings, typed
from tui.widgets.line_view import RowView
from tui.widgets.token_text import fit, visible, width

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.formats import PromptFormat

CURSOR = "▸"
VALUE_CELLS = 20
"""Cells that a value needs at least."""


class SettingRows(RowView):
    """One row a setting; the row under the cursor says what it is for."""

    HELP_TITLE = "settings of the format"
    HELP = (
        "The simple settings of the format and its own fields; the templates are in the editor. "
        "Enter changes a value: yes and no and what has a few values at once, the others as text, "
        "in which \\n is a line break. · is a space."
    )
    BORDER_TITLE = "settings"

    def __init__(self) -> None:
        super().__init__()
        self.settings: list[Setting] = []

    @property
    def current(self) -> Setting | None:
        """The setting under the cursor."""
        return self.settings[self.cursor] if self.settings else None

    def show(self, shown: list[Setting]) -> None:
        """Show these settings, with the cursor on the one it was on."""
        key = self.current.key if self.current else ""
        self.settings = shown
        places = (place for place, setting in enumerate(shown) if setting.key == key)
        self.show_rows(len(shown), next(places, self.cursor))

    @property
    def value_column(self) -> int:
        """Where values begin."""
        longest = max((width(setting.key) for setting in self.settings), default=0)
        return min(longest, max(8, self.scrollable_content_region.width - VALUE_CELLS)) + 4

    @property
    def line_of_cursor(self) -> int:
        """The line of the pane that the cursor's row begins on."""
        return self._row_of_line.index(self.cursor) - round(self.scroll_y)

    def make_row(self, row: int, columns: int, *, current: bool) -> list[Text]:
        """The name and value of a setting, and what it is for."""
        setting = self.settings[row]
        quiet = Style.null() if current else self.tone("dim")
        line = Text(f"{CURSOR} " if current else "  ")
        line.append(fit(setting.key, self.value_column - 4) + "  ", quiet)
        line.append_text(self._value(setting, quiet))
        line.truncate(columns, overflow="ellipsis")
        if not (current and setting.about):
            return [line]
        about = Text(setting.about).wrap(self.app.console, max(VALUE_CELLS, columns - 4))
        return [line, *(Text("    ").append_text(each) for each in about)]

    def _value(self, setting: Setting, quiet: Style) -> Text:
        value, strong = visible(str(setting.value)), self.tone("strong")
        if setting.kind == "toggle":
            return Text("[x] yes" if setting.value else "[ ] no", strong)
        if setting.kind == "choice":
            return Text.assemble(("‹ ", quiet), (value, strong), (" ›", quiet))
        return Text(value, strong) if value else Text("empty", quiet)


class FormatForm(Container):
    """Rows of settings; what is changed is told and shown, and nothing else is done about it."""

    ACTION_SCOPE: ClassVar[str] = "form"
    HELP_TITLE = "changing a setting"
    BINDINGS: ClassVar = bindings("form")

    class Changed(Message):
        """A setting has another value; ``key`` as in :class:`tui.format_settings.Setting`."""

        def __init__(self, form: FormatForm, key: str, value: Value) -> None:
            super().__init__()
            self.form = form
            self.key = key
            self.value = value

        @property
        def control(self) -> FormatForm:
            """The form."""
            return self.form

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._typing: Setting | None = None

    def compose(self) -> ComposeResult:
        """The rows, and over them the line to type in."""
        yield SettingRows()
        yield Input(compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        """Know the parts."""
        self._rows = self.query_one(SettingRows)
        self._input = self.query_one(Input)
        self._input.display = False
        self.watch(self._rows, "scroll_y", self._follow_row, init=False)

    def show(self, fmt: PromptFormat) -> None:
        """Show a format's settings; not while a value is being typed."""
        if self._typing is None:
            self._rows.show(settings(fmt))

    @on(SettingRows.Chosen)
    def _choose(self, event: SettingRows.Chosen) -> None:
        event.stop()
        setting = self._rows.current
        if setting is None:
            return
        if setting.kind in ("toggle", "choice"):
            self.action_step(1)
        else:
            self._type(setting)

    def action_step(self, delta: int) -> None:
        """Take the next value of the setting under the cursor, or the one before."""
        setting = self._rows.current
        value = None if setting is None else setting.step(delta)
        if value is not None:
            self._change(value)

    def _type(self, setting: Setting) -> None:
        """Put the line to type in over the value."""
        self._typing = setting
        self._place_input()
        line = self._input
        line.type = "integer" if setting.kind == "number" else "text"
        line.value = typed(setting.value)
        line.cursor_position = len(line.value)
        line.display = True
        line.focus()

    def _place_input(self) -> None:
        rows, line = self._rows, self._input
        corner = rows.content_region.offset - self.content_region.offset
        left = corner.x + rows.value_column
        line.styles.offset = (left, corner.y + rows.line_of_cursor)
        line.styles.width = max(VALUE_CELLS, corner.x + rows.content_region.width - left)

    def on_resize(self) -> None:
        """Keep what is being typed over its row."""
        self.call_after_refresh(self._follow_row)

    def _follow_row(self) -> None:
        if self._typing is not None:
            self._place_input()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool:
        """Keys mean something else while a value is being typed."""
        typing = self._typing is not None
        return {"step": not typing, "leave": typing}.get(action, True)

    def action_leave(self) -> None:
        """Leave the value that is being typed as it was."""
        self._close()

    @on(Input.Submitted)
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        self._take(event.value)

    @on(Input.Blurred)
    def _blur(self, event: Input.Blurred) -> None:
        event.stop()
        self._take(event.value)

    def _take(self, text: str) -> None:
        """Change the setting to what was typed, if it can be that."""
        setting = self._typing
        if setting is None:
            return
        self._close()
        value = read(text, setting.kind)
        if value is not None and value != setting.value:
            self._change(value)

    def _close(self) -> None:
        self._typing = None
        if self._input.has_focus:
            self._rows.focus()
        self._input.display = False

    def _change(self, value: Value) -> None:
        """Show the new value and tell of it."""
        rows = self._rows
        changed = list(rows.settings)
        changed[rows.cursor] = changed[rows.cursor]._replace(value=value)
        rows.show(changed)
        self.post_message(self.Changed(self, changed[rows.cursor].key, value))
