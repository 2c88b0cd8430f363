"""The colours: which themes there are, and which one was picked."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec
from textual.theme import BUILTIN_THEMES, Theme

from engine.paths import state_folder

LIGHT = Theme(
    name="logitscope-light",
    primary="#004578",
    secondary="#0063b1",
    accent="#8a4b00",
    warning="#c77700",
    error="#b3304f",
    success="#1f6e3a",
    foreground="#1c1c1c",
    background="#f4f4f4",
    surface="#ececec",
    panel="#e2e2e2",
    dark=False,
    text_alpha=0.95,
    variables={
        "text-muted": "#4d4d4d",
        "text-disabled": "#606060",
        "text-accent": "#7d4400",
        "text-warning": "#7d4400",
        "text-error": "#96203c",
        "text-success": "#1a5c31",
        "footer-key-foreground": "#0063b1",
    },
)
"""Textual's own light theme draws what is flagged, right or going too pale to read."""
HIGH_CONTRAST = Theme(
    name="high-contrast",
    primary="#7cc4ff",
    secondary="#8fd3ff",
    accent="#ffd75f",
    warning="#b8860b",
    error="#c03030",
    success="#7dff9b",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    boost="#262626",
    text_alpha=1.0,
    variables={
        "text-muted": "#d0d0d0",
        "text-disabled": "#b8b8b8",
        "text-primary": "#9fd4ff",
        "text-secondary": "#a8dcff",
        "text-accent": "#ffe08a",
        "text-warning": "#ffe08a",
        "text-error": "#ffb3b3",
        "text-success": "#9dffb3",
        "secondary-muted": "#003a5c",
        "block-cursor-background": "#ffd75f",
        "block-cursor-foreground": "#000000",
        "block-cursor-blurred-background": "#5c4a00",
        "block-cursor-blurred-foreground": "#ffffff",
        "input-selection-background": "#005a9c",
        "border": "#ffffff",
    },
)
HIGH_CONTRAST_LIGHT = Theme(
    name="high-contrast-light",
    primary="#003a70",
    secondary="#00406b",
    accent="#5b3000",
    warning="#a87800",
    error="#d94a5a",
    success="#00471b",
    foreground="#000000",
    background="#ffffff",
    surface="#ffffff",
    panel="#ececec",
    boost="#e0e0e0",
    dark=False,
    text_alpha=1.0,
    variables={
        "text-muted": "#333333",
        "text-disabled": "#444444",
        "text-primary": "#003a70",
        "text-secondary": "#00406b",
        "text-accent": "#5b3000",
        "text-warning": "#5b3c00",
        "text-error": "#7a0012",
        "text-success": "#00471b",
        "secondary-muted": "#cfe6ff",
        "block-cursor-background": "#003a70",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-blurred-background": "#c9dcf0",
        "block-cursor-blurred-foreground": "#000000",
        "input-selection-background": "#a9d1ff",
        "border": "#000000",
    },
)
OWN_THEMES = (LIGHT, HIGH_CONTRAST, HIGH_CONTRAST_LIGHT)

SHORT_NAMES = {"dark": "textual-dark", "light": LIGHT.name, "ansi": "ansi-dark"}
"""What the settings may call some themes."""


def theme_names() -> list[str]:
    """Every name that the settings may use."""
    own = [theme.name for theme in OWN_THEMES]
    return [*SHORT_NAMES, *own, *sorted(BUILTIN_THEMES)]


def full_name(name: str) -> str:
    """The name by which the app knows a theme of the settings."""
    return SHORT_NAMES.get(name, name)


class Picked(msgspec.Struct):
    """A theme picked in the explorer.

    Attributes:
        theme: Its name.
        instead_of: What the settings said then: once they say something else, they win.
    """

    theme: str
    instead_of: str


def picked_path() -> Path:
    """Where the pick is remembered, for all databases."""
    return state_folder() / "theme.json"


def picked(configured: str) -> str | None:
    """The theme picked in the explorer, while the settings still say what they said then."""
    try:
        known = msgspec.json.decode(picked_path().read_bytes(), type=Picked)
    except (OSError, msgspec.DecodeError):
        return None
    usable = known.instead_of == configured and known.theme in theme_names()
    return known.theme if usable else None


def remember_pick(theme: str, configured: str) -> None:
    """Remember a pick; where that can't be written, it holds for this session only."""
    path = picked_path()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(Picked(theme, configured)))
