"""The keys of what has the focus, in one line; what does not fit is left to ``?``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from textual import events
    from textual.binding import ActiveBinding
    from textual.screen import Screen


class KeyLine(Widget):
    """A footer that draws itself; a click on a key carries it out."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"keys--key"}

    def on_mount(self) -> None:
        """Follow the bindings that are active."""
        self.screen.bindings_updated_signal.subscribe(self, self._update)

    def _update(self, _: Screen[object]) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the keys that fit."""
        width = self.size.width
        key_style = self.get_component_rich_style("keys--key")
        segments = []
        for key, title, _ in self._fitting(width):
            segments.append(Segment(f" {key}", key_style))
            segments.append(Segment(f" {title} ", self.rich_style))
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    async def on_click(self, event: events.Click) -> None:
        """Carry out the key that was clicked."""
        x = 0
        for key, title, active in self._fitting(self.size.width):
            x += len(key) + len(title) + 3
            if event.x < x:
                await self.app.run_action(active.binding.action, active.node)
                return

    def _fitting(self, width: int) -> list[tuple[str, str, ActiveBinding]]:
        """Key, title and binding of what fits; the app's own keys, help first, always do."""
        shown: dict[str, tuple[str, str, ActiveBinding]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and active.enabled and binding.action not in shown:
                key = self.app.get_key_display(binding)
                shown[binding.action] = key, binding.description, active
        entries = list(shown.values())
        entries.sort(key=lambda entry: entry[2].node is not self.app)
        fitting = []
        for entry in entries:
            width -= len(entry[0]) + len(entry[1]) + 3
            if width >= 0:
                fitting.append(entry)
        return sorted(fitting, key=lambda entry: entry[2].node is self.app)
