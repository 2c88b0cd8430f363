"""The greedy strip above, a sample strip below, and one cursor for both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events, on
from textual.containers import Vertical
from textual.message import Message

from tui import words
from tui.alignment import first_divergence, next_surprising, tokens_of_span
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
    """Two strips that show a probe's generations; the strip with the focus leads.

    Attributes:
        cursor: Number of the token under the cursor, the same in both strips.
    """

    class Moved(Message):
        """Another token, or another generation, is under the cursor."""

    class SampleShown(Message):
        """Another sample is in the lower strip."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index
            """The sample's number, from 1."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self.cursor = 0
        self._view: ProbeView | None = None
        self._greedy: Generation | None = None
        self._samples: list[Generation] = []
        self._divergences: list[int | None] = []
        self._contents: dict[int, StripContent] = {}
        self._place = 0
        self._selected: Reading | None = None
        self._sample_leads = False

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
    def sample(self) -> Generation | None:
        """The sample in the lower strip."""
        return self._samples[self._place] if self._samples else None

    @property
    def leading(self) -> Generation | None:
        """The generation that the distribution follows."""
        return self.sample if self._sample_leads else self._greedy

    @property
    def lists_samples(self) -> bool:
        """Whether all samples are listed in the place of the lower strip."""
        return self._list.display

    def show(self, view: ProbeView) -> None:
        """Show a probe; the sample's number and the cursor stay where they can."""
        self._view = view
        self._contents.clear()
        self._greedy = next((each for each in view.generations if each.kind == "greedy"), None)
        self._samples = [each for each in view.generations if each.kind == "sample"]
        self._divergences = [self._divergence(each) for each in self._samples]
        self._place = max(0, min(self._place, len(self._samples) - 1))
        self.cursor = max(0, min(self.cursor, self._length - 1))
        self._list.show(view, self._place)
        self._show_strips()

    def show_live(self, live: LiveProbe) -> None:
        """Show what the model has written so far; the cursor follows the pen."""
        samples = max(0, len(live.token_ids) - 1)
        below = min(self._place + 1, samples)
        _write(self._upper, "greedy", 0, live)
        name = f"sample {below} of {samples}" if samples else "samples"
        _write(self._lower, name, below if samples else None, live)

    def select(self, reading: Reading | None) -> None:
        """Underline what a reading matched; a sample's reading brings its sample up."""
        self._selected = reading
        if reading is not None and reading.name == "sample_text":
            self._show_sample(reading.sample or 0)
        self._show_strips()

    def go_to_selected(self) -> None:
        """Put the cursor on what the selected reading is about."""
        reading, view = self._selected, self._view
        if reading is None or view is None:
            return
        on_sample = reading.name == "sample_text"
        generation = self.sample if on_sample else self._greedy
        span = self._span(generation) if generation is not None else None
        (self._lower if on_sample and not self.lists_samples else self._upper).focus()
        self._put_cursor(span[0] if span is not None else 0)

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
        sample = self.sample
        divergence = self._divergences[self._place] if self._samples else None
        for strip, generation in ((self._upper, self._greedy), (self._lower, sample)):
            if generation is None:
                strip.show(StripContent(recorded=False))
            else:
                strip.show(
                    self._content(generation),
                    divergence=divergence,
                    span=self._span(generation),
                )
        self._upper.border_title = self._greedy_title()
        self._lower.border_title = self._sample_title(divergence)
        self._show_cursor()

    def _content(self, generation: Generation) -> StripContent:
        if generation.index not in self._contents:
            tokens = self._view.tokens if self._view is not None else {}
            self._contents[generation.index] = StripContent.of(generation, tokens)
        return self._contents[generation.index]

    def _greedy_title(self) -> str:
        if self._greedy is None:
            return f"greedy {NOT_RECORDED}"
        return f"greedy · {self._says('greedy_text', None)} · {_length(self._greedy)}"

    def _sample_title(self, divergence: int | None) -> str:
        sample = self.sample
        if sample is None:
            return f"samples {NOT_RECORDED}"
        parts = [f"sample {sample.index} of {len(self._samples)}"]
        parts.append(self._says("sample_text", sample.index))
        if self._greedy is not None and sample.positions.token_ids:
            parts.append(
                "same as greedy" if divergence is None else f"{DIVERGENCE_MARK} at {divergence + 1}"
            )
        return " · ".join([*parts, _length(sample)])

    def _says(self, name: str, sample: int | None) -> str:
        readings = self._view.readings if self._view is not None else ()
        reading = next((r for r in readings if r.name == name and r.sample == sample), None)
        if reading is None:
            return NOT_RECORDED
        return f"says {words.answer(reading.status, reading.label)}"

    def _divergence(self, sample: Generation) -> int | None:
        if self._greedy is None:
            return None
        return first_divergence(self._greedy.positions.token_ids, sample.positions.token_ids)

    def selected_reading_of(self, generation: Generation) -> Reading | None:
        """The selected reading, if it reads this generation."""
        reading = self._selected
        if reading is None or reading.name not in ("greedy_text", "sample_text"):
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
        shown = (self._greedy, self.sample)
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
        sample_leads = event.widget is not self._upper
        if sample_leads != self._sample_leads:
            self._sample_leads = sample_leads
            self._upper.lead(not sample_leads)
            self._lower.lead(sample_leads)
            self.post_message(self.Moved())

    # Samples

    def step_sample(self, delta: int) -> None:
        """Show the next or previous sample, round and round."""
        if self._samples:
            self._show_sample(self._samples[(self._place + delta) % len(self._samples)].index)
        else:
            self.notify(NO_SAMPLES)

    def toggle_list(self) -> None:
        """Switch between the list of all samples and the strip of one."""
        listed = not self._list.display
        self._list.display = listed
        self._lower.display = not listed
        (self._list if listed else self._lower).focus()

    @on(RowView.Moved, "#samples")
    def _sample_row(self, event: RowView.Moved) -> None:
        event.stop()
        self._show_sample(self._samples[event.row].index)

    @on(RowView.Chosen, "#samples")
    def _sample_chosen(self, event: RowView.Chosen) -> None:
        event.stop()
        self.toggle_list()

    def _show_sample(self, index: int) -> None:
        place = next((n for n, each in enumerate(self._samples) if each.index == index), None)
        if place is None or place == self._place:
            return
        self._place = place
        self._list.show_rows(len(self._samples), place)
        self.cursor = max(0, min(self.cursor, self._length - 1))
        self._show_strips()
        self.post_message(self.SampleShown(index))

    # Jumps

    def next_divergence(self) -> None:
        """Go to where this sample parts from the greedy text; when there, to the next one's."""
        order = range(len(self._samples))
        start = self._place if self._off_divergence else self._place + 1
        for step in order:
            place = (start + step) % len(order)
            divergence = self._divergences[place]
            if divergence is not None:
                self._show_sample(self._samples[place].index)
                self._put_cursor(divergence)
                return
        self.notify(NO_DIVERGENCE if self._samples else NO_SAMPLES)

    @property
    def _off_divergence(self) -> bool:
        return bool(self._samples) and self._divergences[self._place] != self.cursor

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
