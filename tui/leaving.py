"""What Textual would hold on to of a screen that is closed, and a way to let go of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from textual._styles_cache import StylesCache
from textual.signal import Signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.dom import DOMNode

T = TypeVar("T")


def forget_drawn() -> None:
    """Let go of what closed parts have drawn.

    Textual remembers the colours of a thousand parts by the object that holds their drawn lines,
    and that with it: some three megabytes for each question that was opened.
    """
    StylesCache.get_inner_outer.cache_clear()


class LeavingSignal(Signal[T]):
    """A signal that forgets closed screens when the next one subscribes.

    Textual's own forgets them when it next tells something; while nothing is told, each question
    that is opened would stay in memory with all that it shows.
    """

    def subscribe(
        self, node: DOMNode, callback: Callable[[T], object], immediate: bool = False
    ) -> None:
        """As Textual's own."""
        for gone in [each for each in self._subscriptions if not each.is_running]:
            self.unsubscribe(gone)
        super().subscribe(node, callback, immediate)
