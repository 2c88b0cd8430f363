"""The guided tour: one part of the screen after the other in a frame, and what it is beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.containers import Vertical
from textual.geometry import Offset, Region, Size
from textual.renderables.background_screen import BackgroundScreen
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Static

from tui.actions import bindings
from tui.listing import Query
from tui.places import go_to, place_of
from tui.state import mark_tour_seen
from tui.tour import Stop, choose, stops
from tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from textual import events
    from textual.app import ComposeResult
    from textual.color import Color
    from textual.screen import Screen

    from tui.app import ExplorerApp

WIDEST = 74
"""Cells of the box."""
_PADDING = 4
_BESIDE_WORDS = 4
"""Lines of the box besides its words: borders, a blank, the keys."""
PATIENCE = 0.02
"""Seconds between two looks at whether the list is there."""
TOURED = frozenset({"questions", "question", "runs", "study", "sql"})
"""Screens, alone over the list, that lose nothing when the tour closes them."""


def can_begin(screens: Iterable[Screen[object]]) -> bool:
    """Whether the tour can begin over these screens, from the bottom up."""
    scopes = [getattr(screen, "ACTION_SCOPE", "") for screen in screens]
    return len(scopes) <= 2 and TOURED.issuperset(scopes)


async def tour(app: ExplorerApp) -> None:
    """Go from stop to stop until it is left, then back to where it began. Runs in a worker."""
    session = app.session
    if session.run is None:
        return
    mark_tour_seen()
    began_at, go_back = place_of(app), session.place()
    await go_to(app, "questions")
    await _show_all(app)
    if not session.listing:
        return
    shown = await session.off_loop(lambda: choose(session))
    session.move_to(shown.place)
    number, planned = 0, stops(app, shown)
    while number < len(planned):
        stop = planned[number]
        if place_of(app) != stop.place:
            await go_to(app, "questions")
            await go_to(app, stop.place)
        stop.prepare(app.screen)
        step = await app.push_screen_wait(TourScreen(stop, number, len(planned)))
        number = len(planned) if step is None else max(0, number + step)
    await go_to(app, "questions")
    go_back()
    await go_to(app, began_at)


async def _show_all(app: ExplorerApp) -> None:
    """Show every row of the run, whatever was filtered or sorted."""
    session = app.session
    assert session.run is not None
    query = Query(session.run.run_id)
    if session.query != query:
        session.show(query)
    while session.query == query and (session.listing is None or session.listing.query != query):
        await asyncio.sleep(PATIENCE)


class TourScreen(ModalScreen[int | None]):
    """One stop; gives back how many stops to go on, or None to leave the tour."""

    ACTION_SCOPE: ClassVar[str] = "tour"
    BINDINGS: ClassVar = bindings("tour")
    COMPONENT_CLASSES: ClassVar[set[str]] = {"tour--frame"}

    def __init__(self, stop: Stop, number: int, total: int) -> None:
        """Show one of so many stops, the first being 0."""
        super().__init__()
        self._stop = stop
        self._number, self._total = number, total
        self._placed: tuple[Size, Region] | None = None

    def compose(self) -> ComposeResult:
        """The words and the keys."""
        with Vertical(id="tour"):
            yield Static(self._stop.words(), id="tour-words", markup=False)
            yield KeyLine()

    def on_mount(self) -> None:
        """Name the stop."""
        self._box = self.query_one("#tour")
        self._box.border_title = f"Tour {self._number + 1} of {self._total} · {self._stop.title}"
        self._place(self.size, self._spot)

    def on_resize(self, event: events.Resize) -> None:
        """Find another place for the box."""
        self._place(event.size, self._spot)

    @property
    def _spot(self) -> Region:
        """What the stop is about, on the screen below."""
        below = self.app.screen_stack[self.app.screen_stack.index(self) - 1]
        return self._stop.region(below).intersection(below.region)

    def render(self) -> RenderableType:
        """The screen below, all but the spot dimmed, and the spot framed."""
        below = super().render()
        if not isinstance(below, BackgroundScreen):
            return below
        spot = self._stop.region(below.screen).intersection(below.screen.region)
        if self._placed != (self.size, spot):
            self.call_later(self._place, self.size, spot)
        frame = self.get_component_rich_style("tour--frame")
        return _Spotlight(below.screen, below.color, spot, frame)

    def _place(self, size: Size, spot: Region) -> None:
        if not size.area:
            return
        self._placed = size, spot
        width = min(WIDEST, size.width)
        words = Text(self._stop.words()).wrap(self.app.console, width - _PADDING)
        box = Size(width, len(words) + _BESIDE_WORDS)
        self._box.styles.width, self._box.styles.height = box
        self._box.styles.offset = beside(spot.grow((1, 1, 1, 1)), box, size)

    async def on_click(self, event: events.Click) -> None:
        """Go on; the line of keys carries out what was clicked there."""
        if not isinstance(event.widget, KeyLine):
            self.dismiss(1)

    def action_step(self, stops: int) -> None:
        """Go to another stop; before the first there is none."""
        if self._number + stops >= 0:
            self.dismiss(stops)

    def action_close(self) -> None:
        """Leave the tour."""
        self.dismiss(None)


def beside(spot: Region, box: Size, screen: Size) -> Offset:
    """Where a box covers nothing of a spot, or as little of it as can be; best below it.

    Args:
        spot: What should stay to be seen.
        box: Its size.
        screen: The size of the screen.
    """
    most_x, most_y = max(0, screen.width - box.width), max(0, screen.height - box.height)
    middle = min(max(0, spot.x + (spot.width - box.width) // 2), most_x)
    level = min(max(0, spot.y), most_y)
    offers = (
        Offset(middle, spot.bottom),
        Offset(middle, spot.y - box.height),
        Offset(spot.right, level),
        Offset(spot.x - box.width, level),
    )
    kept = [Offset(min(max(0, x), most_x), min(max(0, y), most_y)) for x, y in offers]
    return min(kept, key=lambda offset: Region.from_offset(offset, box).intersection(spot).area)


class _Spotlight:
    """A screen with a tint over everything but one region, and a frame round that."""

    def __init__(self, screen: Screen[object], tint: Color, spot: Region, frame: Style) -> None:
        self._screen = screen
        self._tint = tint
        self._spot = spot
        self._frame = frame

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        spot = self._spot
        for y, line in enumerate(self._screen._compositor.render_strips()):
            yield from self._line(line, y) if spot else self._dimmed(line)
            yield Segment.line()

    def _line(self, line: Strip, y: int) -> Iterable[Segment]:
        spot = self._spot
        left, right = max(0, spot.x - 1), min(spot.right + 1, line.cell_length)
        if not spot.y - 1 <= y <= spot.bottom:
            yield from self._dimmed(line)
            return
        yield from self._dimmed(line.crop(0, left))
        if spot.y <= y < spot.bottom:
            if left < spot.x:
                yield Segment("┃", self._frame)
            yield from BackgroundScreen.process_segments(
                line.crop(spot.x, spot.right), self._tint.with_alpha(0)
            )
            if spot.right < right:
                yield Segment("┃", self._frame)
        else:
            begin, end = "┏┓" if y < spot.y else "┗┛"
            begin, end = begin * (spot.x - left), end * (right - spot.right)
            yield Segment(f"{begin}{'━' * spot.width}{end}", self._frame)
        yield from self._dimmed(line.crop(right))

    def _dimmed(self, line: Strip) -> Iterable[Segment]:
        return BackgroundScreen.process_segments(line, self._tint)
