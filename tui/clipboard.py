"""Copying: through the system's own tool where there is one, else through the terminal."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.app import App

_TIMEOUT = 2.0


def copy(app: App[object], text: str) -> str:
    """Put a text on the clipboard; returns where it went, in words.

    OSC 52 comes last: some terminals drop it without a word, and nothing can tell.
    """
    for tool in _tools():
        if shutil.which(tool[0]) is None:
            continue
        try:
            subprocess.run(
                tool,
                input=text.encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_TIMEOUT,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return f"the clipboard ({tool[0]})"
    app.copy_to_clipboard(text)
    return "the terminal's clipboard (OSC 52), if it takes it"


def _tools() -> list[list[str]]:
    """The tools that fit the session, best first."""
    tools = [["pbcopy"]]
    if os.environ.get("WAYLAND_DISPLAY"):
        tools.append(["wl-copy"])
    if os.environ.get("DISPLAY"):
        tools.append(["xclip", "-selection", "clipboard"])
    return tools
