"""The text of the SQL screen: the statement at a place, and the whole in the user's own editor."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from engine.errors import LogitscopeError
from engine.sql.lexing import lex
from tui.screens.lab_file import run_editor

if TYPE_CHECKING:
    from textual.app import App


def statement_at(text: str, place: int) -> tuple[str, int]:
    """The statement that a place stands in, and where that begins, both in characters.

    After the last semicolon, where nothing follows, it is the statement before.
    """
    pieces, start = [], 0
    for token in lex(text):
        if token.text == ";":
            pieces.append((start, token.end))
            start = token.end
    if text[start:].strip():
        pieces.append((start, len(text)))
    if not pieces:
        return text, 0
    start, end = next((piece for piece in pieces if place <= piece[1]), pieces[-1])
    start += len(text[start:end]) - len(text[start:end].lstrip())
    return text[start:end], start


def edited(app: App[object], text: str) -> str:
    """The text after the user's own editor had it.

    Raises:
        LogitscopeError: There is no editor, or no terminal for it.
    """
    with tempfile.TemporaryDirectory(prefix="logitscope-") as folder:
        path = Path(folder) / "query.sql"
        try:
            path.write_text(text, "utf-8")
            with app.suspend():
                run_editor(path)
            return path.read_text("utf-8").rstrip("\n")
        except SuspendNotSupported:
            raise LogitscopeError(
                "An editor can't be opened from here.", "Start the explorer in a terminal."
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise LogitscopeError(f"{path} can't be read or written: {error}.") from error
