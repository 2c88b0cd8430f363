"""The greedy strip above, a sample or a branch below, and one cursor for both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events, on
from textual.containers import Vertical
from textual.message import Message

from engine.spans import tokens_of_span
from tui.alignment import next_surprising
from tui.asking import Branch, Rerun
from tui.characters import RIGHT_TO_LEFT_NOTE, is_right_to_left
from tui.texts import TEXT_READINGS, Texts, name_of
from tui.widgets.distribution import PositionData
from tui.widgets.figures import NOT_RECORDED, count
from tui.widgets.line_view import RowView
from tui.widgets.sample_list import SampleList
from tui.widgets.token_strip import DIVERGENCE_MARK, WRITING, StripContent, TokenStrip, words_of
from tui.widgets.token_text import token_bytes

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.browse import ProbeView
    from engine.readings import Reading
    from engine.records import Generation
    from tui.live_probe import LiveProbe

NO_SAMPLES = "No samples were drawn."
NO_DIVERGENCE = "No sample differs from the greedy text."
NO_SURPRISE = "No surprising token here."


class StripPair(Vertical):
    """Two strips: a text below and the one it is compared with above; the one with the focus leads.

    Below is a sample or a branch, above the greedy text or the text that the branch leaves.

    Attributes:
        cursor: Number of the token under the cursor, the same in both strips.
        texts: The texts of the probe.
    """

    class Moved(Message):
        """Another token, or another generation, is under the cursor."""

    class TextShown(Message):
        """Another text is in the lower strip."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index
            """The text's index, as in :class:`engine.records.Generation`."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self.cursor = 0
        self.texts = Texts()
        self._view: ProbeView | None = None
        self._contents: dict[int, StripContent] = {}
        self._index = 1
        self._selected: Reading | None = None
        self._below_leads = False

    def compose(self) -> ComposeResult:
        """Greedy above; below one sample, or the list of all."""
        yield TokenStrip(id="greedy")
        yield TokenStrip(id="sample")
        yield SampleList(id="samples")

    def on_mount(self) -> None:
        """Find the parts."""
        self._upper = self.query_one("#greedy", TokenStrip)
        self._lower = self.query_one("#sample", TokenStrip)
        self._list = self.query_one(SampleList)
        self._list.display = False
        self._upper.lead(True)

    # What is shown

    @property
    def below(self) -> Generation | None:
        """The text in the lower strip."""
        return self.texts.get(self._index) if self._index else None

    @property
    def above(self) -> Generation | None:
        """The text in the upper strip."""
        below = self.below
        return self.texts.greedy if below is None else self.texts.parent(below)

    @property
    def leading(self) -> Generation | None:
        """The text that the distribution follows."""
        return self.below if self._below_leads else self.above

    @property
    def lists_samples(self) -> bool:
        """Whether all samples are listed in the place of the lower strip."""
        return self._list.display

    def show(self, view: ProbeView) -> None:
        """Show a probe; the text's index and the cursor stay where they can."""
        self._view = view
        self.texts = Texts(view)
        self._contents.clear()
        self._index = self._nearest(self._index)
        self.cursor = max(0, min(self.cursor, self._length - 1))
        self._list.show(self.texts, self._place)
        self._show_strips()

    def _nearest(self, index: int) -> int:
        """The index itself where there is such a text below, otherwise the nearest sample's."""
        if index and self.texts.get(index) is not None:
            return index
        numbers = [sample.index for sample in self.texts.samples]
        return min(numbers, key=lambda number: abs(number - index), default=1)

    @property
    def _place(self) -> int:
        """The place of the lower text among the samples; that of the first for a branch."""
        numbers = [sample.index for sample in self.texts.samples]
        return numbers.index(self._index) if self._index in numbers else 0

    def show_live(self, live: LiveProbe) -> None:
        """Show what the model has written so far; the cursor follows the pen."""
        if isinstance(live.ask, Rerun):
            samples = max(0, len(live.token_ids) - 1)
            below = min(self._place + 1, samples)
            _write(self._upper, "greedy", 0, live)
            name = f"sample {below} of {samples}" if samples else "samples"
            _write(self._lower, name, below if samples else None, live)
            return
        left = self.texts.greedy
        name = count(len(live.token_ids) or 1, "extra sample")
        if isinstance(live.ask, Branch):
            left = self.texts.get(live.ask.sample)
            name = f"branch at {len(live.ask.beginning)}"
        if left is not None:
            self._show_above(left)
        _write(self._lower, name, 0, live)

    def _show_above(self, text: Generation) -> None:
        """Show a text in the upper strip while the lower one is being written."""
        self._upper.show(self._content(text))
        self._upper.border_title = self._title(text)

    def select(self, reading: Reading | None) -> None:
        """Underline what a reading matched; the reading of a text below brings it up."""
        self._selected = reading
        if reading is not None and reading.name in TEXT_READINGS:
            self._show_below(reading.sample or 0)
        self._show_strips()

    def show_text(self, index: int) -> None:
        """Show a text and what it is compared with, the cursor where they part, if they do.

        The greedy text is compared with nothing: it is shown above a sample.
        """
        if index < 0 and self.lists_samples:
            self.toggle_list()  # Samples are all that is listed there.
        on_strip = self._upper.has_focus or self._lower.has_focus
        self._show_below(index or self._nearest(1))
        self._lead(below=bool(index))
        if on_strip:
            self.focus_leading()
        below = self.below
        divergence = None if below is None else self.texts.divergence(below)
        if index and divergence is not None:
            self._put_cursor(divergence)

    def go_to_selected(self) -> None:
        """Put the cursor on what the selected reading is about."""
        reading, view = self._selected, self._view
        if reading is None or view is None:
            return
        on_sample = reading.name in TEXT_READINGS
        if not on_sample and self.above is not self.texts.greedy:
            self.show_text(0)
        generation = self.below if on_sample else self.above
        span = self._span(generation) if generation is not None else None
        (self._lower if on_sample and not self.lists_samples else self._upper).focus()
        self._put_cursor(span[0] if span is not None else 0)

    def focus_leading(self) -> None:
        """Give the focus to the strip that leads, where it can be seen."""
        below = self._below_leads
        (self._upper if not below else self._list if self.lists_samples else self._lower).focus()

    def position(self) -> tuple[PositionData | None, str]:
        """The distribution under the cursor, or None and the reason."""
        view, generation = self._view, self.leading
        if view is None:
            return None, ""
        if generation is None or not generation.positions.token_ids:
            if view.first is None:
                return None, f"Distributions {NOT_RECORDED}."
            return PositionData.of_first(view.first, view.tokens, view.vocab_size), ""
        data = PositionData.at(view, generation, self.cursor)
        return data, "" if data is not None else "It ended before this token."

    @property
    def gauges(self) -> bool:
        """Whether bars stand under the tokens."""
        return self._upper.gauges

    def show_gauges(self, gauges: bool) -> None:
        """Switch the bars under the tokens on or off."""
        self._upper.show_gauges(gauges)
        self._lower.show_gauges(gauges)

    def _show_strips(self) -> None:
        below, above = self.below, self.above
        divergence = None if below is None else self.texts.divergence(below)
        for strip, generation in ((self._upper, above), (self._lower, below)):
            if generation is None:
                strip.show(StripContent(recorded=False))
            else:
                strip.show(
                    self._content(generation),
                    divergence=divergence,
                    span=self._span(generation),
                )
        self._upper.border_title = f"greedy {NOT_RECORDED}" if above is None else self._title(above)
        self._lower.border_title = self._title_below(divergence)
        self._show_cursor()

    def _content(self, generation: Generation) -> StripContent:
        if generation.index not in self._contents:
            tokens = self._view.tokens if self._view is not None else {}
            self._contents[generation.index] = StripContent.of(generation, tokens)
        return self._contents[generation.index]

    def _title(self, text: Generation) -> str:
        parts = (self.texts.title(text), self._says(text), _length(text), *_note(text))
        return " · ".join(parts)

    def _title_below(self, divergence: int | None) -> str:
        below, above = self.below, self.above
        if below is None:
            return f"samples {NOT_RECORDED}"
        parts = [self.texts.title(below), self._says(below)]
        if above is not None and below.positions.token_ids:
            parts.append(
                f"same as {name_of(above)}"
                if divergence is None
                else f"{DIVERGENCE_MARK} at {divergence + 1}"
            )
        return " · ".join([*parts, _length(below), *_note(below)])

    def _says(self, text: Generation) -> str:
        known = self.texts.reading(text) is not None
        return f"says {self.texts.says(text)}" if known else NOT_RECORDED

    def selected_reading_of(self, generation: Generation) -> Reading | None:
        """The selected reading, if it reads this generation."""
        reading = self._selected
        if reading is None or reading.name not in {"greedy_text", *TEXT_READINGS}:
            return None
        return reading if (reading.sample or 0) == generation.index else None

    def _span(self, generation: Generation) -> tuple[int, int] | None:
        """The tokens of a generation that the selected reading matched."""
        reading, view = self.selected_reading_of(generation), self._view
        if reading is None or view is None or reading.span is None:
            return None
        ids = generation.positions.token_ids
        raw = [token_bytes(view.tokens.get(each)) for each in ids]
        if not ids:
            raw = [word.encode() for word in words_of(generation.text)]
        return tokens_of_span(raw, generation.text, reading.span)

    # One cursor

    @property
    def _length(self) -> int:
        """Tokens of the longer of the two strips."""
        shown = (self.above, self.below)
        return max((len(each.positions) for each in shown if each is not None), default=0)

    def move_cursor(self, delta: int) -> None:
        """Move the cursor by tokens."""
        self._put_cursor(self.cursor + delta)

    def cursor_to_edge(self, edge: int) -> None:
        """Put the cursor on the first (0) or last (-1) token of the leading strip."""
        leading = self.leading
        self._put_cursor(0 if edge == 0 or leading is None else len(leading.positions) - 1)

    def _put_cursor(self, token: int) -> None:
        self.cursor = max(0, min(token, self._length - 1))
        self._show_cursor()

    def _show_cursor(self) -> None:
        self._upper.put_cursor(self.cursor)
        self._lower.put_cursor(self.cursor)
        self.post_message(self.Moved())

    @on(TokenStrip.Moved)
    def _strip_moved(self, event: TokenStrip.Moved) -> None:
        event.stop()
        self._put_cursor(event.token)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The strip with the focus leads."""
        self._lead(below=event.widget is not self._upper)

    def _lead(self, *, below: bool) -> None:
        if below != self._below_leads:
            self._below_leads = below
            self._upper.lead(not below)
            self._lower.lead(below)
            self.post_message(self.Moved())

    # Samples

    def step_sample(self, delta: int) -> None:
        """Show the next or previous sample, round and round; from a branch the first or last."""
        samples = self.texts.samples
        if not samples:
            self.notify(NO_SAMPLES)
        elif self._index < 0:
            self._show_below(samples[0 if delta > 0 else -1].index)
        else:
            self._show_below(samples[(self._place + delta) % len(samples)].index)

    def toggle_list(self) -> None:
        """Switch between the list of all samples and the strip of one."""
        listed = not self._list.display
        self._list.display = listed
        self._lower.display = not listed
        (self._list if listed else self._lower).focus()

    @on(RowView.Moved, "#samples")
    def _sample_row(self, event: RowView.Moved) -> None:
        event.stop()
        self._show_below(self.texts.samples[event.row].index)

    @on(RowView.Chosen, "#samples")
    def _sample_chosen(self, event: RowView.Chosen) -> None:
        event.stop()
        self.toggle_list()

    def _show_below(self, index: int) -> None:
        if index == self._index or not index or self.texts.get(index) is None:
            return
        self._index = index
        self._list.show_rows(len(self.texts.samples), self._place)
        self.cursor = max(0, min(self.cursor, self._length - 1))
        self._show_strips()
        self.post_message(self.TextShown(index))

    # Jumps

    def next_divergence(self) -> None:
        """Go to where this text parts from the one above; when there, to the next text's."""
        compared = self.texts.compared
        below = self.below
        place = next((n for n, each in enumerate(compared) if each is below), 0)
        here = below is not None and self.texts.divergence(below) == self.cursor
        for step in range(len(compared)):
            text = compared[(place + here + step) % len(compared)]
            divergence = self.texts.divergence(text)
            if divergence is not None:
                self._show_below(text.index)
                self._put_cursor(divergence)
                return
        self.notify(NO_DIVERGENCE if compared else NO_SAMPLES)

    def next_surprising(self) -> None:
        """Go to the next surprising token of the leading strip."""
        leading = self.leading
        index = None if leading is None else next_surprising(leading.positions, self.cursor)
        if index is None:
            self.notify(NO_SURPRISE)
        else:
            self._put_cursor(index)


def _write(strip: TokenStrip, name: str, place: int | None, live: LiveProbe) -> None:
    ids = live.token_ids[place] if place is not None and live.token_ids else []
    ending = "" if place in live.ended else WRITING
    strip.show(StripContent.of_ids(ids, live.tokens, ending=ending))
    strip.put_cursor(len(ids) - 1)
    strip.border_title = f"{name} · live · {count(len(ids), 'token')}"


def _length(generation: Generation) -> str:
    if not generation.positions.token_ids:
        return f"tokens {NOT_RECORDED}"
    return count(len(generation.positions), "token")


def _note(generation: Generation) -> tuple[str, ...]:
    return (RIGHT_TO_LEFT_NOTE,) if is_right_to_left(generation.text) else ()
