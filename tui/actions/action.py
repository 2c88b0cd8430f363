"""One thing that the user can ask for."""

from __future__ import annotations

import msgspec
from textual.binding import Binding


class Action(msgspec.Struct, frozen=True):
    """One thing that the user can ask for.

    Attributes:
        scope: Who carries it out.
        name: Unique in its scope.
        keys: Textual key names, comma separated; empty for palette-only actions.
        title: A few words for the footer and the palette.
        help: One sentence for ``?``; empty leaves it out of the help.
        call: The Textual action, where it is not just ``name``.
        footer: Whether the footer shows it.
        palette: Whether the command palette offers it.
        priority: Whether it wins over the focused widget's own keys.
        shown_as: How help shows the keys, where that is not obvious.
    """

    scope: str
    name: str
    keys: str
    title: str
    help: str = ""
    call: str = ""
    footer: bool = False
    palette: bool = True
    priority: bool = False
    shown_as: str = ""

    @property
    def id(self) -> str:
        """What a keymap calls it, e.g. ``questions.next_flagged``."""
        return f"{self.scope}.{self.name}"

    @property
    def bindings(self) -> list[Binding]:
        """One Textual binding a key; the shared id lets a keymap change the keys.

        An action without keys is bound to a name that no key has: a keymap can give it one.
        """
        whole = Binding(
            self.keys or f"no key: {self.id}",
            self.call or self.name,
            self.title,
            show=self.footer,
            priority=self.priority,
            tooltip=self.help,
            id=self.id,
        )
        return list(Binding.make_bindings([whole]))
