"""A generation exactly as it is: its text, and its bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import TextArea
from textual.widgets.text_area import Document, Selection

from tui import clipboard
from tui.actions import bindings
from tui.texts import name_of
from tui.widgets.figures import count
from tui.widgets.key_line import KeyLine
from tui.widgets.line_view import LineView
from tui.widgets.token_text import token_bytes

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.browse import ProbeView
    from engine.readings import Reading
    from engine.records import Generation

_PER_LINE = (8, 16)


class HexDump(LineView):
    """Bytes as offset, hexadecimal and ASCII, 8 or 16 a line."""

    HELP_TITLE = "bytes"
    HELP = "The bytes of the generation's tokens: offset, hexadecimal, and ASCII where it is any."

    def __init__(self, raw: bytes) -> None:
        super().__init__(id="bytes")
        self._raw = raw

    def make_lines(self, columns: int) -> Sequence[Text]:
        """As many bytes a line as the width allows."""
        return [
            Text.assemble(
                (f"{offset:06x}  ", self.tone("dim")),
                f"{shown:<{3 * size}} ",
                (ascii_text, self.tone("code")),
            )
            for size in [max((n for n in _PER_LINE if 4 * n + 10 <= columns), default=_PER_LINE[0])]
            for offset, shown, ascii_text in hex_lines(self._raw, size)
        ]


def hex_lines(raw: bytes, size: int) -> list[tuple[int, str, str]]:
    """Offset, hexadecimal and ASCII (``.`` for anything else) of each ``size`` bytes."""
    return [
        (
            offset,
            raw[offset : offset + size].hex(" "),
            "".join(
                chr(byte) if 0x20 <= byte < 0x7F else "." for byte in raw[offset : offset + size]
            ),
        )
        for offset in range(0, len(raw), size)
    ]


class RawScreen(ModalScreen[None]):
    """Text above, bytes below; what the selected reading matched is selected in the text."""

    ACTION_SCOPE: ClassVar[str] = "raw"
    BINDINGS: ClassVar = bindings("raw")
    CSS_PATH = "question.tcss"

    def __init__(self, view: ProbeView, generation: Generation, reading: Reading | None) -> None:
        """Show a text of a probe; ``reading`` is one of it, if one is selected."""
        super().__init__()
        ids = generation.positions.token_ids
        raw = b"".join(token_bytes(view.tokens.get(token_id)) for token_id in ids)
        self._title = name_of(generation)
        self._text = generation.text
        self._raw = raw if ids else generation.text.encode()
        self._span = None if reading is None else reading.span

    def compose(self) -> ComposeResult:
        """Lay out text and bytes."""
        with Vertical(id="raw"):
            area = TextArea(self._text, read_only=True, id="raw-text", show_cursor=False)
            area.border_title = f"{self._title}: {count(len(self._text), 'character')}"
            yield area
            dump = HexDump(self._raw)
            dump.border_title = count(len(self._raw), "byte")
            yield dump
            yield KeyLine()

    def on_mount(self) -> None:
        """Select what the reading matched."""
        area = self.query_one(TextArea)
        if self._span is not None and isinstance(area.document, Document):
            start, end = map(area.document.get_location_from_index, self._span)
            area.selection = Selection(start, end)

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()

    def action_copy(self) -> None:
        """Copy the text exactly as it is."""
        self.notify(f"Copied the text to {clipboard.copy(self.app, self._text)}.")
