"""Where jump mode can go: every part of a screen that takes the focus, and what lies inside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from textual.geometry import Offset
from textual.widget import Widget

if TYPE_CHECKING:
    from textual.screen import Screen

LETTERS = "asdfjklghqwertyuiopzxcvbnmASDFJKLGHQWERTYUIOPZXCVBNM"
"""What parts are called, those under the fingers first."""


class Target(NamedTuple):
    """A place to jump to.

    Attributes:
        offset: Where its letter stands on the screen.
        go: What jumping there does.
        cells: How wide its letter is drawn.
    """

    offset: Offset
    go: Callable[[], object]
    cells: int = 3


@runtime_checkable
class HasTargets(Protocol):
    """A widget with places of its own, e.g. tabs; offsets are its own, from its top left."""

    def jump_targets(self) -> Iterable[Target]:
        """The places, in the order of their letters."""
        ...


def targets(screen: Screen[object]) -> dict[str, Target]:
    """The places of a screen that can be seen, by their letters, from top to bottom."""
    found = sorted(_seen(screen), key=lambda target: (target.offset.y, target.offset.x))
    return dict(zip(LETTERS, found, strict=False))


def _seen(screen: Screen[object]) -> Iterator[Target]:
    for widget in screen.walk_children(Widget):
        if not widget.is_on_screen:
            continue
        found = screen.find_widget(widget).visible_region
        if not found:
            continue
        if isinstance(widget, HasTargets):
            for target in widget.jump_targets():
                offset = target.offset + widget.region.offset
                if found.contains_point(offset):
                    yield target._replace(offset=offset)
        if widget.focusable:
            yield Target(found.offset, widget.focus)
