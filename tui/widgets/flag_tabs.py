"""One tab per flag with its count; drawn in one line, scrolled so that the active tab shows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from textual import events
from textual.geometry import Offset
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from engine.flags import FLAGS
from tui.jump import Target
from tui.output import NOT_RECORDED
from tui.words import FLAG_LETTERS


class Tab(NamedTuple):
    """One tab: the flag it stands for (None for all rows), what it says, and its number key."""

    flag: str | None
    text: str
    key: str


NUMBERED = 10
"""Tabs with a number key: 1 to 9, then 0."""

TABS: tuple[Tab, ...] = tuple(
    Tab(flag, text, str((place + 1) % NUMBERED) if place < NUMBERED else "")
    for place, (flag, text) in enumerate(
        [(None, "all"), *((flag.name, f"{FLAG_LETTERS[flag.name]} {flag.title}") for flag in FLAGS)]
    )
)


class FlagTabs(Widget):
    """The tabs. ``counts`` maps flags, and ``all``, to numbers of rows; others are not recorded."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"tabs--{name}" for name in ("active", "empty", "count", "key")
    }

    active: reactive[str | None] = reactive(None)
    counts: reactive[dict[str, int]] = reactive(dict)

    class Picked(Message):
        """A tab was asked for."""

        def __init__(self, flag: str | None) -> None:
            super().__init__()
            self.flag = flag

    def count(self, flag: str | None) -> int:
        """How many rows a tab has."""
        return self.counts.get(flag or "all", 0)

    def neighbour(self, delta: int) -> str | None:
        """The flag of the next tab (1) or the previous one (-1) that has rows, round and round."""
        place = [tab.flag for tab in TABS].index(self.active)
        for distance in range(1, len(TABS)):
            flag = TABS[(place + delta * distance) % len(TABS)].flag
            if flag is None or self.count(flag):
                return flag
        return self.active

    def render_line(self, y: int) -> Strip:
        """Draw the tabs, with arrows where some are out of view."""
        if y > 0 or not self.counts:
            return Strip.blank(self.size.width, self.rich_style)
        whole = Strip(
            [segment for _, _, segments in self._placed() for segment in segments]
        ).adjust_cell_length(max(self.size.width, self._length()), self.rich_style)
        start = self._scrolled()
        line = whole.crop(start, start + self.size.width)
        arrow = self.get_component_rich_style("tabs--count")
        if start + self.size.width < self._length():
            line = Strip([*line.crop(0, self.size.width - 1), Segment("›", arrow)])
        if start:
            line = Strip([Segment("‹", arrow), *line.crop(1)])
        return line

    def on_click(self, event: events.Click) -> None:
        """Ask for the tab that was clicked."""
        x = event.x + self._scrolled()
        for tab, (start, end) in zip(TABS, self._spans(), strict=True):
            if start <= x < end:
                self.post_message(self.Picked(tab.flag))

    def jump_targets(self) -> Iterator[Target]:
        """The tabs that have rows, for jump mode."""
        scrolled = self._scrolled()
        for tab, (start, _) in zip(TABS, self._spans(), strict=True):
            if tab.flag is None or self.count(tab.flag):
                pick = partial(self.post_message, self.Picked(tab.flag))
                yield Target(Offset(start - scrolled, 0), pick, cells=1)

    def _placed(self) -> list[tuple[int, int, list[Segment]]]:
        """Start, end and segments of each tab."""
        placed = []
        x = 0
        for tab in TABS:
            segments = self._tab(tab)
            end = x + sum(segment.cell_length for segment in segments)
            placed.append((x, end, segments))
            x = end
        return placed

    def _tab(self, tab: Tab) -> list[Segment]:
        key = Segment(tab.key, self.get_component_rich_style("tabs--key"))
        return [key, *self._titled(tab)]

    def _titled(self, tab: Tab) -> list[Segment]:
        count = self.count(tab.flag)
        if tab.flag == self.active:
            style = self.get_component_rich_style("tabs--active")
            shown = f"{count:,}" if tab.flag is None or tab.flag in self.counts else NOT_RECORDED
            return [Segment(f" {tab.text} {shown} ", style), Segment(" ", self.rich_style)]
        if not count and tab.flag is not None:
            empty = self.get_component_rich_style("tabs--empty")
            shown = "0" if tab.flag in self.counts else NOT_RECORDED
            return [Segment(f" {tab.text} {shown}  ", empty)]
        return [
            Segment(f" {tab.text} ", self.rich_style),
            Segment(f"{count:,}  ", self.get_component_rich_style("tabs--count")),
        ]

    def _spans(self) -> list[tuple[int, int]]:
        return [(start, end) for start, end, _ in self._placed()]

    def _length(self) -> int:
        return self._spans()[-1][1]

    def _scrolled(self) -> int:
        """How far the line is scrolled to show the active tab and its neighbours."""
        start, end = self._spans()[[tab.flag for tab in TABS].index(self.active)]
        middle = (start + end - self.size.width) // 2
        return max(0, min(middle, self._length() - self.size.width))
