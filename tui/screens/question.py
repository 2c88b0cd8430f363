"""Screen 2: one probe whole, with every token the model wrote and every one it nearly wrote."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.containers import Container, Horizontal, Vertical
from textual.screen import Screen

from engine.errors import LogitscopeError
from tui import clipboard, words
from tui.actions import bindings
from tui.asking import Ask, Branch, EditPrompt, MoreSamples, Rerun
from tui.events import (
    AskCancelled,
    AskDone,
    AskFailed,
    AskSaw,
    AskStarted,
    MarkChanged,
    OverrideChanged,
    SessionEvent,
)
from tui.leaving import forget_drawn
from tui.live_probe import LIVE_INTERVAL, LiveProbe
from tui.screens.override import Decision, OverrideScreen
from tui.screens.raw import RawScreen
from tui.texts import name_of
from tui.widgets.distribution import DistributionView, PositionData
from tui.widgets.divider import Divider
from tui.widgets.figures import count
from tui.widgets.key_line import KeyLine
from tui.widgets.line_view import LineView, RowView
from tui.widgets.options_panel import OptionsPanel
from tui.widgets.prompt_view import PromptView
from tui.widgets.question_header import QuestionHeader
from tui.widgets.readings_table import ReadingsTable
from tui.widgets.strip_pair import StripPair
from tui.widgets.text_tree import TextTree

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.browse import ProbeView
    from tui.asking import Answer
    from tui.session import Session

WIDE = 120
"""Columns from which distribution and options stand side by side and bars are on."""
READINGS_MEANWHILE = "readings of the stored answer"
MORE_SAMPLES = 8
"""Extra samples that a key asks for."""
_ASKING = frozenset({"rerun", "branch", "more_samples", "edit"})
"""Actions that need the model."""


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
        self._rest_due = False
        self._position_shown: tuple[int, int] | None = None
        self._wanted_text: int | None = None

    def compose(self) -> ComposeResult:
        """Prompt beside readings; strips beside the distribution."""
        yield QuestionHeader()
        with Vertical(id="panes"):
            with Horizontal(id="upper"):
                yield PromptView(id="prompt")
                yield Divider("question.prompt")
                yield ReadingsTable(id="readings")
                yield TextTree(id="tree")
            yield Divider("question.upper")
            with Horizontal(id="lower"):
                yield StripPair(id="strips")
                yield Divider("question.side", sizes_after=True)
                with Container(id="side"):
                    yield DistributionView(id="distribution")
                    yield OptionsPanel(id="options")
        yield KeyLine()

    def on_mount(self) -> None:
        """Listen to the session and fetch the probe."""
        self._header = self.query_one(QuestionHeader)
        self._prompt = self.query_one(PromptView)
        self._readings = self.query_one(ReadingsTable)
        self._tree = self.query_one(TextTree)
        self._strips = self.query_one(StripPair)
        self._distribution = self.query_one(DistributionView)
        self._options = self.query_one(OptionsPanel)
        self._session.signal.subscribe(self, self._on_session)
        going = self._session.asking.going
        if going is not None and not isinstance(going, EditPrompt):
            self._live = LiveProbe(going)
        self._fetch(self._probe_id)

    def on_unmount(self) -> None:
        """Leave nothing behind: many questions are opened in a session."""
        forget_drawn()

    def on_resize(self, _: events.Resize) -> None:
        """Bars need room; they are on all the same where there are no shades to say it."""
        self._show_bars()

    # What is shown

    def _fetch(self, probe_id: int, text: int | None = None) -> None:
        """Show a probe as it is stored now, and if asked to, one of its texts."""
        self._probe_id, self._wanted_text = probe_id, text
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
        before, self._view = self._view, view
        self._probe_id = view.row.probe_id
        self._header.show(view, self._place(view))
        self._readings.show(view)
        self._readings.border_title = ReadingsTable.BORDER_TITLE
        self._strips.show(view)
        self._strips.select(self._readings.selected)
        if self._wanted_text is not None:
            self._strips.show_text(self._wanted_text)
            self._wanted_text = None
        if before is None or before.run.kind != view.run.kind:
            self.refresh_bindings()
        if self._live is not None and self._live.probe_id == self._probe_id:
            self._show_rest()
            self._draw_live()
        else:
            self._header.say_live("")
            if not self._rest_due:
                self._rest_due = True
                self.call_after_refresh(self._show_rest)

    def _show_rest(self) -> None:
        """Draw what is read last; while a key is held, not every question needs it."""
        self._rest_due = False
        view = self._view
        assert view is not None
        self._prompt.show(view)
        self._tree.show(self._strips.texts, self._shown_text)
        self._options.show(view)
        self.call_after_refresh(self._session.read_ahead, around=True)

    def _place(self, view: ProbeView) -> str:
        question = f"question {view.row.question_index + 1:,}"
        aside = words.ASIDE.get(view.run.kind)
        if aside is not None:
            return f"{aside} of {question}"
        listing = self._session.listing
        if listing is None or self._session.probe_id != view.row.probe_id:
            return question
        return f"{question} · row {self._session.position + 1:,} of {len(listing):,}"

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
        leading = self._strips.leading
        self._position_shown = None if leading is None else (leading.index, self._strips.cursor)
        live = self._live
        if live is None or live.probe_id != self._probe_id or live.first is None:
            self._distribution.show(*self._strips.position())

    @on(StripPair.TextShown)
    def _text_shown(self, event: StripPair.TextShown) -> None:
        self._readings.follow_text(event.index)
        self._tree.follow(event.index)

    @property
    def _shown_text(self) -> int | None:
        leading = self._strips.leading
        return None if leading is None else leading.index

    @on(RowView.Moved, "#tree")
    def _tree_moved(self) -> None:
        if self._tree.text is not None:
            self._strips.show_text(self._tree.text.index)

    @on(RowView.Chosen, "#tree")
    def _tree_chosen(self) -> None:
        self._tree_moved()
        self._strips.focus_leading()

    @on(RowView.Chosen, "#distribution")
    def _alternative_chosen(self) -> None:
        self.action_branch()

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
            case AskStarted(ask) if not isinstance(ask, EditPrompt):
                self._live = LiveProbe(ask)
                self._draw_live()
            case AskSaw(ask, seen) if self._live is not None and ask is self._live.ask:
                self._live.see(seen)
                self._draw_live_soon()
            case AskDone(ask, answer):
                self._conclude(ask, answer)
            case AskFailed(ask, sentence, hint) if not isinstance(ask, EditPrompt):
                self.notify(hint, title=sentence, severity="error")
                self._end_live(ask)
            case AskCancelled(ask):
                self._end_live(ask)
            case _:
                pass

    def _conclude(self, ask: Ask, answer: Answer) -> None:
        """Show what the answer brought, where its probe is still shown."""
        if self._live is not None and ask is self._live.ask:
            self._live = None
        if ask.probe_id != self._probe_id:
            return
        if isinstance(ask, Rerun) and isinstance(answer, int):
            self._fetch(answer)
        elif isinstance(ask, Branch) and isinstance(answer, int):
            self._fetch(ask.probe_id, answer)
        elif isinstance(answer, list):
            self._fetch(ask.probe_id, answer[0])

    def _end_live(self, ask: Ask) -> None:
        """Show what is stored again."""
        if self._live is not None and ask is self._live.ask:
            self._live = None
            if ask.probe_id == self._probe_id:
                self._fetch(ask.probe_id)

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
        if view is not None:
            await live.look_up(self._session, view.run.run_id)
        live.drawing = False
        if view is None or live is not self._live or live.probe_id != self._probe_id:
            return
        self._header.say_live(f"{live.stage} (escape cancels)")
        if isinstance(live.ask, Rerun):
            self._show_rerun(view, live)
        elif any(live.token_ids):
            self._strips.show_live(live)

    def _show_rerun(self, view: ProbeView, live: LiveProbe) -> None:
        """What is known takes the place of what is stored, from the first token on."""
        if live.first is None:
            return
        self._strips.show_live(live)
        self._distribution.show(PositionData.of_first(live.first, live.tokens, view.vocab_size))
        chances = map(math.exp, live.label_logprobs)
        self._options.show(view, list(zip(view.question.labels, chances, strict=False)))
        self._readings.border_title = READINGS_MEANWHILE

    # Actions

    def action_close(self) -> None:
        """Take back what is being asked; otherwise close the tree, or go back to the list."""
        if self._live is not None and self._live.probe_id == self._probe_id:
            self._session.asking.cancel()
        elif self._tree.has_focus:
            self.action_toggle_tree()
        else:
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

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The model of an imported log is not here to be asked."""
        imported = self._view is not None and self._view.run.kind == "import"
        return not (imported and action in _ASKING)

    def action_rerun(self) -> None:
        """Ask the model again, live."""
        self._session.rerun(self._probe_id)

    def action_more_samples(self) -> None:
        """Draw more samples."""
        self._session.ask(MoreSamples(self._probe_id, MORE_SAMPLES))

    def action_branch(self) -> None:
        """Take the chosen alternative at the cursor and let the model go on from there."""
        text, position = self._strips.leading, self._strips.cursor
        if text is None or position >= len(text.positions):
            self.notify("There is no token here to branch off at.")
            return
        if self._position_shown != (text.index, position):
            self._show_position()  # Keys may come faster than distributions are drawn.
        taken = self._distribution.alternative
        if taken is None:
            self.notify("No other token is known here.")
            return
        text = self._strips.texts.origin(text, position)
        written = text.positions.token_ids
        known = self._strips.texts.branch_at(text, position, taken)
        if known is not None:
            self._strips.show_text(known.index)
            self.notify("This branch is there already.")
        elif written[position] == taken:
            self._strips.show_text(text.index)
            self.notify(f"That is what {name_of(text)} has there.")
        else:
            beginning = (*written[:position], taken)
            self._session.ask(Branch(self._probe_id, text.index, beginning))

    def action_toggle_tree(self) -> None:
        """Show all texts as a tree in the place of prompt and readings, or put it away."""
        upper = self.query_one("#upper")
        upper.toggle_class("-tree")
        if upper.has_class("-tree"):
            self._tree.focus()
        else:
            self._strips.focus_leading()

    async def action_edit(self) -> None:
        """Change the prompt and watch the answer move."""
        view = self._view
        if view is None:
            return
        if not view.prompt_ids:
            self.notify("The tokens of this prompt were not recorded: it can't be asked again.")
            return
        try:
            await self._session.check_askable(view.row.probe_id)
        except LogitscopeError as error:
            self.notify(error.hint, title=error.sentence, severity="error")
            return
        from tui.screens.edit import EditScreen

        self.app.push_screen(EditScreen(self._session, view))

    async def action_lab(self) -> None:
        """Change the prompt format, and watch this question and a pinned set."""
        if self._view is not None:
            from tui.screens.lab_opening import open_lab

            await open_lab(self, self._session, self._view.row.probe_id)

    def action_raw(self) -> None:
        """Show text and bytes of the leading generation."""
        view, generation = self._view, self._strips.leading
        if view is None or generation is None:
            self.notify("There is no generation to show.")
            return
        reading = self._strips.selected_reading_of(generation)
        self.app.push_screen(RawScreen(view, generation, reading))

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
