"""Telling somebody who is in another window that long work has ended."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tui.config import DEFAULTS, Settings

if TYPE_CHECKING:
    from textual.app import App

_LONGEST = 200
"""Characters of a notification; some terminals drop longer ones."""
_OSC_777 = ("rxvt", "foot")
"""Terminals that know no notification but OSC 777."""


def announce(app: App[Any], title: str, body: str, seconds: float) -> bool:
    """Ring the bell or send a desktop notification, where it is wanted and nobody looks.

    Args:
        app: Whose terminal; its ``settings`` say whether, how, and from which duration on.
        title: What ended.
        body: How.
        seconds: How long it took.

    Returns:
        Whether anything was sent.
    """
    settings: Settings = getattr(app, "settings", DEFAULTS)
    if app.app_focus or settings.notify == "off" or seconds < settings.notify_after:
        return False
    app.bell()
    if settings.notify == "desktop" and app._driver is not None:
        app._driver.write(notification(title, body))
        app._driver.flush()
    return True


def notification(title: str, body: str) -> str:
    """The escape sequence that this terminal takes for a desktop notification."""
    title, body = (_plain(text) for text in (title, body))
    if os.environ.get("TERM", "").startswith(_OSC_777):
        sequence = f"\x1b]777;notify;{title.replace(';', ',')};{body}\x07"
    else:
        sequence = f"\x1b]9;{title}: {body}\x07"
    if "TMUX" in os.environ:
        escaped = sequence.replace("\x1b", "\x1b\x1b")
        return f"\x1bPtmux;{escaped}\x1b\\"
    return sequence


def _plain(text: str) -> str:
    """A text without anything that a terminal could take for a command."""
    return "".join(char if char.isprintable() else " " for char in text)[:_LONGEST]
