"""Screen 2: one probe whole, with every token the model wrote and every one it nearly wrote."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.containers import Container, Horizontal, Vertical
from textual.screen import Screen

from engine.errors import LogitscopeError
from tui import clipboard
from tui.actions import bindings
from tui.events import (
    MarkChanged,
    OverrideChanged,
    RerunDone,
    RerunFailed,
    RerunSaw,
    RerunStarted,
    SessionEvent,
)
from tui.live_probe import LiveProbe
from tui.screens.override import Decision, OverrideScreen
from tui.screens.raw import RawScreen
from tui.widgets.distribution import DistributionView, PositionData
from tui.widgets.figures import count
from tui.widgets.key_line import KeyLine
from tui.widgets.line_view import LineView, RowView
from tui.widgets.options_panel import OptionsPanel
from tui.widgets.prompt_view import PromptView
from tui.widgets.question_header import QuestionHeader
from tui.widgets.readings_table import ReadingsTable
from tui.widgets.strip_pair import StripPair
from tui.widgets.token_text import token_bytes

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.browse import ProbeView
    from engine.records import Distribution
    from tui.session import Session

WIDE = 120
"""Columns from which distribution and options stand side by side and bars are on."""
READINGS_MEANWHILE = "readings of the stored answer"
LIVE_INTERVAL = 1 / 15
"""Seconds between two drawings of what the model writes."""


class QuestionScreen(Screen[None]):
    """Prompt, readings, greedy and sample strip with one cursor, and what stands behind it."""

    ACTION_SCOPE: ClassVar[str] = "question"
    HELP = "One question, one prompt format, one order of its options: everything known of it."
    BINDINGS: ClassVar = bindings("question")
    CSS_PATH = "question.tcss"
    AUTO_FOCUS = "#greedy"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012 - Textual's own type

    def __init__(self, session: Session, probe_id: int) -> None:
        """Show a probe of the session's store."""
        super().__init__()
        self._session = session
        self._probe_id = probe_id
        self._view: ProbeView | None = None
        self._bars: bool | None = None
        self._live: LiveProbe | None = None
        self._position_due = False

    def compose(self) -> ComposeResult:
        """Prompt beside readings; strips beside the distribution."""
        yield QuestionHeader()
        with Vertical(id="panes"):
            with Horizontal(id="upper"):
                yield PromptView(id="prompt")
                yield ReadingsTable(id="readings")
            with Horizontal(id="lower"):
                yield StripPair(id="strips")
                with Container(id="side"):
                    yield DistributionView(id="distribution")
                    yield OptionsPanel(id="options")
        yield KeyLine()

    def on_mount(self) -> None:
        """Listen to the session and fetch the probe."""
        self._header = self.query_one(QuestionHeader)
        self._prompt = self.query_one(PromptView)
        self._readings = self.query_one(ReadingsTable)
        self._strips = self.query_one(StripPair)
        self._distribution = self.query_one(DistributionView)
        self._options = self.query_one(OptionsPanel)
        self._session.signal.subscribe(self, self._on_session)
        self._fetch(self._probe_id)

    def on_resize(self, _: events.Resize) -> None:
        """Bars need room; they are on all the same where there are no shades to say it."""
        self._show_bars()

    # What is shown

    def _fetch(self, probe_id: int | None) -> None:
        if probe_id is not None:
            self._probe_id = probe_id
            self.run_worker(self._load(probe_id), group="probe", exclusive=True)

    async def _load(self, probe_id: int) -> None:
        try:
            view = await self._session.view_async(probe_id)
        except LogitscopeError as error:
            self.notify(str(error), title="Can't show the question", severity="error")
        else:
            self.show_probe(view)

    def show_probe(self, view: ProbeView) -> None:
        """Show a probe; sample, cursor and what is switched on stay where they can."""
        self._view, self._probe_id = view, view.row.probe_id
        self._header.show(view, self._place(view))
        self._prompt.show(view)
        self._readings.show(view)
        self._readings.border_title = ReadingsTable.BORDER_TITLE
        self._strips.show(view)
        self._strips.select(self._readings.selected)
        self._options.show(view)
        if self._live is not None and self._live.probe_id == self._probe_id:
            self._draw_live()
        else:
            self._header.say_live("")

    def _place(self, view: ProbeView) -> str:
        if view.run.kind == "rerun":
            return f"re-run of question {view.row.question_index + 1:,}"
        listing = self._session.listing
        if listing is None:
            return f"question {view.row.question_index + 1:,}"
        return f"question {self._session.position + 1:,} of {len(listing):,}"

    def _show_bars(self) -> None:
        shades = not self.app.no_color and not self.app.native_ansi_color
        automatic = self.size.width >= WIDE or not shades
        self._strips.show_gauges(automatic if self._bars is None else self._bars)

    @on(StripPair.Moved)
    def _moved(self) -> None:
        """Draw the cursor first: while a key is held, not every distribution needs drawing."""
        if not self._position_due:
            self._position_due = True
            self.call_after_refresh(self._show_position)

    def _show_position(self) -> None:
        self._position_due = False
        live = self._live
        if live is None or live.probe_id != self._probe_id or live.first is None:
            self._distribution.show(*self._strips.position())

    @on(StripPair.SampleShown)
    def _sample_shown(self, event: StripPair.SampleShown) -> None:
        self._readings.follow_sample(event.index)

    @on(RowView.Moved, "#readings")
    def _reading_selected(self) -> None:
        self._strips.select(self._readings.selected)

    @on(RowView.Chosen, "#readings")
    def _reading_chosen(self) -> None:
        self._strips.go_to_selected()

    # The session's news

    def _on_session(self, event: SessionEvent) -> None:
        match event:
            case MarkChanged(probe_id) | OverrideChanged(probe_id) if probe_id == self._probe_id:
                self._fetch(probe_id)
            case RerunStarted(probe_id):
                self._live = LiveProbe(probe_id)
                self._draw_live()
            case RerunSaw(probe_id, seen) if self._live is not None:
                self._live.see(seen)
                self._draw_live_soon()
            case RerunDone(probe_id, new_probe_id):
                self._end_live(new_probe_id if probe_id == self._probe_id else None)
            case RerunFailed(probe_id, sentence, hint):
                self.notify(hint, title=sentence, severity="error")
                self._end_live(probe_id if probe_id == self._probe_id else None)
            case _:
                pass

    def _end_live(self, show: int | None) -> None:
        self._live = None
        self._fetch(show)

    def _draw_live_soon(self) -> None:
        """Draw what is there at most 15 times a second."""
        if self._live is not None and not self._live.drawing:
            self._live.drawing = True
            self.set_timer(LIVE_INTERVAL, self._draw_live)

    def _draw_live(self) -> None:
        if self._live is not None:
            self.run_worker(self._draw(self._live), group="live")

    async def _draw(self, live: LiveProbe) -> None:
        view = self._view
        # The model writes on while token ids are looked up.
        while view is not None and (unknown := live.unknown()):
            live.learn(await self._session.tokens(view.run.run_id, unknown), unknown)
        live.drawing = False
        if view is None or live is not self._live or live.probe_id != self._probe_id:
            return
        self._header.say_live(live.stage)
        if live.first is not None:
            self._show_live(view, live, live.first)

    def _show_live(self, view: ProbeView, live: LiveProbe, first: Distribution) -> None:
        """What is known takes the place of what is stored, from the first token on."""
        self._strips.show_live(live)
        self._distribution.show(PositionData.of_first(first, live.tokens, view.vocab_size))
        chances = map(math.exp, live.label_logprobs)
        self._options.show(view, list(zip(view.question.labels, chances, strict=False)))
        self._readings.border_title = READINGS_MEANWHILE

    # Actions

    def action_close(self) -> None:
        """Go back to the list."""
        self.dismiss()

    def action_step(self, delta: int) -> None:
        """Go to the next or previous question of the list."""
        edge = "last" if delta > 0 else "first"
        self._go(self._session.step(delta), f"This is the {edge} question of the list.")

    def action_step_flagged(self, delta: int) -> None:
        """Go to the next or previous question with the flag that is looked for."""
        where = "after" if delta > 0 else "before"
        probe_id = self._session.step_flagged(delta)
        self._go(probe_id, f"No question {where} this one is flagged {self._session.sought}.")

    def _go(self, probe_id: int | None, otherwise: str) -> None:
        if probe_id is None:
            self.notify(otherwise)
        else:
            self._fetch(probe_id)

    def action_move_cursor(self, delta: int) -> None:
        """Move the cursor of both strips by tokens."""
        self._strips.move_cursor(delta)

    def action_cursor_to_edge(self, edge: int) -> None:
        """Put the cursor on the first (0) or last (-1) token."""
        self._strips.cursor_to_edge(edge)

    def action_next_divergence(self) -> None:
        """Go to where a sample parts from the greedy text, sample after sample."""
        self._strips.next_divergence()

    def action_next_surprising(self) -> None:
        """Go to the next surprising token."""
        self._strips.next_surprising()

    def action_step_sample(self, delta: int) -> None:
        """Show the next or previous sample."""
        self._strips.step_sample(delta)

    def action_all_samples(self) -> None:
        """Switch between the list of all samples and the strip of one."""
        self._strips.toggle_list()

    def action_toggle_options(self) -> None:
        """Show the options in the place of the distribution, or go to them where both fit."""
        if self.size.width >= WIDE:
            (self._distribution if self._options.has_focus else self._options).focus()
        else:
            self.query_one("#side").toggle_class("-options")

    def action_toggle_prompt(self) -> None:
        """Show the prompt as text or as tokens."""
        self._prompt.toggle()

    def action_toggle_bars(self) -> None:
        """Switch the bars under the tokens."""
        self._bars = not self._strips.gauges
        self._show_bars()

    def action_mark(self) -> None:
        """Mark the question, or take the mark away."""
        self._session.toggle_mark(self._probe_id)

    def action_rerun(self) -> None:
        """Ask the model again, live."""
        if self._live is None:
            self._session.rerun(self._probe_id)
        else:
            self.notify("The model is still answering.")

    def action_raw(self) -> None:
        """Show text and bytes of the leading generation."""
        view, generation = self._view, self._strips.leading
        if view is None or generation is None:
            self.notify("There is no generation to show.")
            return
        reading = self._strips.selected_reading_of(generation)
        ids = generation.positions.token_ids
        raw = b"".join(token_bytes(view.tokens.get(token_id)) for token_id in ids)
        self.app.push_screen(
            RawScreen(
                "greedy" if generation.kind == "greedy" else f"sample {generation.index}",
                generation.text,
                raw if ids else generation.text.encode(),
                None if reading is None else reading.span,
            )
        )

    def action_override(self) -> None:
        """Decide by hand what the greedy text says."""
        if self._view is not None:
            self.app.push_screen(OverrideScreen(self._view), self._decide)

    def _decide(self, decision: Decision | None) -> None:
        if decision is not None:
            self._session.decide(self._probe_id, decision.status, decision.label)

    def action_copy(self) -> None:
        """Copy what the part with the focus shows."""
        focused = self.focused
        if isinstance(focused, LineView):
            text = focused.copied()
        else:
            generation = self._strips.leading
            text = "" if generation is None else generation.text
        if not text:
            self.notify("There is nothing to copy here.")
            return
        self.notify(f"Copied {count(len(text), 'character')} to {clipboard.copy(self.app, text)}.")
