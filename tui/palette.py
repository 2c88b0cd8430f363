"""The command palette: whatever the registry offers and can be done right now."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any, NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.markup import escape

from tui.actions import Action, in_scope


class Command(NamedTuple):
    """One entry: what it is called, what it does, how it is carried out."""

    title: str
    help: str
    run: Callable[[], Coroutine[Any, Any, bool]]


class RegistryCommands(Provider):
    """The actions of everything between the focused widget and the app."""

    async def discover(self) -> Hits:
        """Every command."""
        for command in self._commands():
            yield DiscoveryHit(command.title, command.run, help=command.help)

    async def search(self, query: str) -> Hits:
        """The commands whose name or sentence matches."""
        matcher = self.matcher(query)
        for command in self._commands():
            title, sentence = matcher.match(command.title), matcher.match(command.help)
            if score := max(title, sentence / 2):
                shown = matcher.highlight(command.title)
                yield Hit(score, shown, command.run, text=command.title, help=command.help)

    def _commands(self) -> Iterator[Command]:
        start = self.screen.focused or self.screen
        for node in start.ancestors_with_self:
            for action in in_scope(getattr(node, "ACTION_SCOPE", "")):
                call = action.call or action.name
                if action.palette and node.check_action(call.partition("(")[0], ()):
                    yield Command(
                        _sentence(action.title),
                        self._help(action),
                        partial(self.app.run_action, call, node),
                    )

    def _help(self, action: Action) -> str:
        key = f" ({self.app.get_key_display(action.bindings[0])})" if action.keys else ""
        return escape(f"{action.help}{key}")


def _sentence(title: str) -> str:
    return title[:1].upper() + title[1:]
