"""The line between two panes: it moves with the mouse and with keys, and is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from textual import events
    from textual.dom import DOMNode

LEAST_WIDTH, LEAST_HEIGHT = 16, 3
"""Cells that either pane keeps, whatever is asked for."""
LARGEST_SHARE = 80
"""Per cent of both panes that one of them takes at most, also when the terminal shrinks."""
_STEPS = {"width": 4, "height": 1}
_GRIP = "┄┄┄"


class Divider(Widget):
    """One cell between two panes of a container, the pane before it and the pane after it.

    It divides columns in a container that lays out horizontally and rows in any other. A pane has
    the size that the stylesheet gives it until the line is moved; from then on the pane that is
    sized keeps its number of cells and the other one, which needs a size in ``fr``, takes the rest.
    On low terminals a line between rows takes no room and moves by keys alone.

    Use it between its panes in ``compose``::

        with Horizontal():
            yield Editor()
            yield Divider("sql.editor")
            yield Results()
    """

    ALLOW_SELECT = False
    SCOPED_CSS = False  # whether it shows depends on what is around it
    COMPONENT_CLASSES: ClassVar[set[str]] = {"divider--line"}
    DEFAULT_CSS = """
    Divider {
        display: none;
        width: 100%;
        height: 1;
        pointer: ns-resize;
        & > .divider--line { color: $foreground 25%; }
        &:hover > .divider--line, &.-moving > .divider--line { color: $accent; text-style: bold; }
    }
    .-high Divider { display: block; }
    Horizontal > Divider, .-high Horizontal > Divider {
        display: block;
        width: 1;
        height: 100%;
        pointer: ew-resize;
    }
    Divider.-idle { display: none !important; }
    """

    moving: reactive[bool] = reactive(default=False)

    def __init__(self, name: str, *, sizes_after: bool = False) -> None:
        """Divide the two panes around it.

        Args:
            name: Under which the size is remembered, e.g. ``question.prompt``; one a divider.
            sizes_after: Size the pane after the line, not the one before it: for a pane of fixed
                size beside one that takes the rest.
        """
        super().__init__(name=name)
        self._sizes_after = sizes_after
        self._given: tuple[Widget, str, int] | None = None

    # What it divides

    @property
    def dimension(self) -> str:
        """``width`` between columns, ``height`` between rows."""
        parent = self.parent
        assert isinstance(parent, Widget)
        across = parent.styles.layout is not None and parent.styles.layout.name == "horizontal"
        return "width" if across else "height"

    @property
    def panes(self) -> tuple[Widget, Widget] | None:
        """The pane that is sized and the other one, while both are shown."""
        parent = self.parent
        if not isinstance(parent, Widget):
            return None
        panes = [
            child
            for child in parent.children
            if child is self or (child.display and self._is_pane(child))
        ]
        place = panes.index(self)
        if not 0 < place < len(panes) - 1:
            return None
        before, after = panes[place - 1], panes[place + 1]
        return (after, before) if self._sizes_after else (before, after)

    def _is_pane(self, child: Widget) -> bool:
        """Whether it has a size to be changed: not what is one line, or as large as its words."""
        size = getattr(child.styles, self.dimension)
        return size is None or not (size.is_auto or size.cells == 1)

    @property
    def _key(self) -> str:
        return f"{self.name}.{self.dimension}"

    # Sizes

    def on_mount(self) -> None:
        """Follow every change of the layout: panes come and go, and rows become columns."""
        self.screen.screen_layout_refresh_signal.subscribe(self, self._laid_out)
        self.restore()

    def _laid_out(self, _: object) -> None:
        self.restore()

    def restore(self) -> None:
        """Give the pane the size that is remembered for this layout, or the stylesheet's."""
        panes = self.panes
        self.set_class(panes is None, "-idle")
        size = self._sizes.get(self._key)
        wanted = (panes[0], self.dimension, size) if panes and size is not None else None
        if wanted == self._given:
            return
        if self._given is not None:
            pane, dimension, _ = self._given
            pane.styles.clear_rule(dimension)
            pane.styles.clear_rule(f"max_{dimension}")
        if wanted is not None:
            pane, dimension, cells = wanted
            setattr(pane.styles, dimension, cells)
            setattr(pane.styles, f"max_{dimension}", f"{LARGEST_SHARE}%")
        if panes is not None:
            panes[0].refresh(layout=True)
        self._given = wanted

    @property
    def _sizes(self) -> dict[str, int]:
        """What the explorer remembers; nothing in an app without a session."""
        state = getattr(getattr(self.app, "session", None), "state", None)
        return state.sizes if state is not None else {}

    def resize(self, size: int) -> None:
        """Give the pane a size in cells, as far as both panes keep room, and remember it."""
        panes = self.panes
        if panes is None:
            return
        dimension = self.dimension
        whole = sum(getattr(pane.outer_size, dimension) for pane in panes)
        least = LEAST_WIDTH if dimension == "width" else LEAST_HEIGHT
        most = min(whole - least, whole * LARGEST_SHARE // 100)
        if most >= least:
            self._sizes[self._key] = min(max(size, least), most)
            self.restore()

    def move(self, steps: int) -> None:
        """Move the line by steps, to the right or down; to the left or up where negative."""
        panes = self.panes
        if panes is not None:
            size = getattr(panes[0].outer_size, self.dimension)
            cells = steps * _STEPS[self.dimension]
            self.resize(size - cells if self._sizes_after else size + cells)

    def reset(self) -> None:
        """Give both panes the stylesheet's sizes again."""
        self._sizes.pop(self._key, None)
        self.restore()

    # The mouse

    def watch_moving(self, moving: bool) -> None:
        """Look as if it was held."""
        self.set_class(moving, "-moving")

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of the line."""
        event.stop()
        self.moving = True
        self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Put the line where the mouse is."""
        panes = self.panes
        if not self.moving or panes is None:
            return
        region = panes[0].region
        across = self.dimension == "width"
        place = event.screen_x if across else event.screen_y
        start, end = (region.x, region.right) if across else (region.y, region.bottom)
        self.resize(end - place - 1 if self._sizes_after else place - start)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Let go of it."""
        event.stop()
        self.moving = False
        self.release_mouse()

    def on_click(self, event: events.Click) -> None:
        """Take the stylesheet's sizes again after a double click."""
        event.stop()
        if event.chain == 2:
            self.reset()

    def render_line(self, y: int) -> Strip:
        """A line between columns; between rows, whose titles have lines, a grip."""
        style = self.get_component_rich_style("divider--line")
        width = self.size.width
        text = "│" if self.dimension == "width" else _GRIP.center(width)
        return Strip([Segment(text, style)]).adjust_cell_length(width, self.rich_style)


def dividers_of(node: DOMNode) -> Iterator[Divider]:
    """The dividers beside a node, the nearest first."""
    for inner in node.ancestors_with_self:
        around = inner.parent
        for each in around.children if isinstance(around, Widget) else ():
            if isinstance(each, Divider) and inner in (each.panes or ()):
                yield each
