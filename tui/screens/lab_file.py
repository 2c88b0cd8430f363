"""The file that a prompt format of the lab is kept in, and an editor of the user's own for it."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from engine.errors import LogitscopeError


class LabFile:
    """Where a format was saved, and what the file held when it was last looked at.

    Attributes:
        path: The file; None while the format has none of its own.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        self._watched: Path | None = None
        self._text = ""
        self._written_at = 0

    def keeps(self, text: str) -> bool:
        """Whether the file that the format was saved in holds this text."""
        return self.path is not None and self.path == self._watched and text == self._text

    def saved(self, path: Path, text: str) -> None:
        """The format was saved here; from now on the file is watched."""
        self.path = path
        self._watch(path, text)

    def changed(self) -> str | None:
        """The file's text where somebody else wrote to it since it was last looked at."""
        path = self._watched
        if path is None:
            return None
        try:
            written_at = path.stat().st_mtime_ns
            if written_at == self._written_at:
                return None
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):  # gone, or half written: there will be another look
            return None
        changed = text != self._text
        self._text, self._written_at = text, written_at
        return text if changed else None

    def prepare(self, text: str, name: str) -> Path:
        """Write a text where an editor can open it: its own file, else one that lasts a while.

        Raises:
            LogitscopeError: It can't be written.
        """
        path = self.path or self._watched or Path(tempfile.mkdtemp("-logitscope")) / f"{name}.toml"
        try:
            path.write_text(text, "utf-8")
        except OSError as error:
            raise LogitscopeError(f"{path} can't be written: {error.strerror}.") from error
        self._watch(path, text)
        return path

    def _watch(self, path: Path, text: str) -> None:
        self._watched, self._text = path, text
        self._written_at = path.stat().st_mtime_ns


def run_editor(path: Path) -> None:
    """Open the user's editor on a file and wait until it ends (or has opened a window).

    The editor is ``$VISUAL``, else ``$EDITOR``, else vi.

    Raises:
        LogitscopeError: There is no such program.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        subprocess.run([*shlex.split(command), str(path)], check=False)
    except (OSError, ValueError) as error:
        raise LogitscopeError(
            f"The editor {command!r} can't be started.", "Set EDITOR to one that is there."
        ) from error
