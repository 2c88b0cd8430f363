"""The command palette: whatever the registry offers and can be done right now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.markup import escape

from tui.actions import in_scope


class Command(NamedTuple):
    """One entry: what it is called, what it does, how it is carried out, and by which keys."""

    title: str
    help: str
    run: Callable[[], Any]
    keys: str = ""

    @property
    def shown_help(self) -> str:
        """The sentence with the keys, which a search does not look into: f12 is no 12."""
        return escape(f"{self.help} ({self.keys})") if self.keys else self.help


class Commands(Provider):
    """Some commands, all shown at first, then those whose name or sentence matches."""

    def commands(self) -> Iterable[Command]:
        """Every command there is now."""
        raise NotImplementedError

    def first(self) -> Iterable[Command]:
        """Those shown before anything is typed."""
        return self.commands()

    async def discover(self) -> Hits:
        """What there is."""
        for command in self.first():
            yield DiscoveryHit(command.title, command.run, help=command.shown_help)

    async def search(self, query: str) -> Hits:
        """What matches."""
        matcher = self.matcher(query)
        for command in self.commands():
            title, sentence = matcher.match(command.title), matcher.match(command.help)
            if score := max(title, sentence / 2):
                shown = matcher.highlight(command.title)
                yield Hit(score, shown, command.run, text=command.title, help=command.shown_help)


class RegistryCommands(Commands):
    """The actions of everything between the focused widget and the app."""

    def commands(self) -> Iterator[Command]:
        """The actions that can be done now."""
        from tui.keymap import key_display

        start = self.screen.focused or self.screen
        for node in start.ancestors_with_self:
            for action in in_scope(getattr(node, "ACTION_SCOPE", "")):
                call = action.call or action.name
                if action.palette and node.check_action(call.partition("(")[0], ()):
                    yield Command(
                        _sentence(action.title),
                        action.help,
                        partial(self.app.run_action, call, node),
                        key_display(self.app, action),
                    )


def _sentence(title: str) -> str:
    return title[:1].upper() + title[1:]
