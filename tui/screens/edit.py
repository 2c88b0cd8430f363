"""The prompt of one probe to be changed by hand, with what that does to the answer beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.containers import Container
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import TextArea

from engine.protocol import FirstToken
from tui.actions import bindings
from tui.asking import EditPrompt
from tui.comparison import live_side, probed_side, stored_side
from tui.events import (
    AskDone,
    AskFailed,
    AskSaw,
    AskStarted,
    EditKept,
    SessionEvent,
)
from tui.live_probe import LiveProbe
from tui.widgets.comparison_view import ComparisonView
from tui.widgets.key_line import KeyLine
from tui.widgets.question_header import QuestionHeader

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.browse import ProbeView
    from engine.followups import Answered
    from tui.session import Session

PAUSE = 0.3
"""Seconds without a keystroke after which the model is asked."""
WIDE = 120


class EditScreen(Screen[None]):
    """An editor with the whole prompt; nothing is stored until it is asked for."""

    ACTION_SCOPE: ClassVar[str] = "edit"
    HELP_TITLE = "edit the prompt"
    HELP = (
        "The whole prompt, special tokens as text. The model is asked whenever typing pauses; "
        "nothing is stored until you keep it, and then as a run of its own."
    )
    BINDINGS: ClassVar = bindings("edit")
    CSS_PATH: ClassVar = ["question.tcss", "edit.tcss"]
    AUTO_FOCUS = "TextArea"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012 - Textual's own type

    def __init__(self, session: Session, view: ProbeView) -> None:
        """Change the prompt of this probe."""
        super().__init__()
        self._session = session
        self._view = view
        self._pause: Timer | None = None
        self._ask: EditPrompt | None = None
        self._live: LiveProbe | None = None
        self._edited: Answered | None = None
        self._kept: tuple[Answered, int] | None = None

    def compose(self) -> ComposeResult:
        """Prompt above or at the left, the comparison below or at the right."""
        yield QuestionHeader()
        with Container(id="editing"):
            area = TextArea(self._view.prompt or "", id="prompt-text", show_line_numbers=False)
            area.border_title = "prompt"
            yield area
            texts = [option.text for option in self._view.question.options]
            yield ComparisonView(texts, stored_side(self._view))
        yield KeyLine()

    def on_mount(self) -> None:
        """Listen to the session; start where the model goes on."""
        self._header = self.query_one(QuestionHeader)
        self._area = self.query_one(TextArea)
        self._comparison = self.query_one(ComparisonView)
        self._stored_text = self._area.text
        self._session.signal.subscribe(self, self._on_session)
        self._header.show(self._view, f"prompt of question {self._view.row.question_index + 1:,}")
        self._area.move_cursor(self._area.document.end)

    def on_resize(self, _: events.Resize) -> None:
        """Keep the end of the prompt in view."""
        self.call_after_refresh(self._area.scroll_cursor_visible)

    # Asking

    @on(TextArea.Changed)
    def _changed(self) -> None:
        """Ask once typing pauses; what was asked before is of no use any more."""
        if self._pause is not None:
            self._pause.stop()
        self._edited = None
        if self._area.text == self._stored_text:
            self._forget()
        else:
            self._pause = self.set_timer(PAUSE, self._ask_now)

    def _ask_now(self) -> None:
        self._ask = EditPrompt(self._view.row.probe_id, self._area.text)
        self._session.ask(self._ask)

    def _forget(self) -> None:
        """Show the stored prompt's answers alone."""
        self._take_back()
        self._ask = self._live = None
        self._header.say_live("")
        self._comparison.show(None)

    def _take_back(self) -> None:
        if self._ask is not None and self._session.asking.going is self._ask:
            self._session.asking.cancel()

    def _on_session(self, event: SessionEvent) -> None:
        match event:
            case AskStarted(ask) if ask is self._ask:
                self._live = LiveProbe(ask)
                self._header.say_live(self._live.stage)
            case AskSaw(ask, seen) if ask is self._ask and self._live is not None:
                self._live.see(seen)
                self._live.draw_soon(self, self._draw, at_once=isinstance(seen, FirstToken))
            case AskDone(ask, answer) if ask is self._ask:
                self._conclude(answer)  # type: ignore[arg-type]
            case AskFailed(ask, sentence, hint) if ask is self._ask:
                self._live = None
                self._header.say_live("")
                self._comparison.show(None, f"{sentence} {hint}")
            case EditKept(edited, run_id):
                self._kept = edited, run_id
                self.notify(f"Kept as run {run_id}, of kind edit.")
            case _:
                pass

    def _conclude(self, edited: Answered) -> None:
        self._live = None
        self._header.say_live("")
        if self._area.text == edited.probe.prompt.text:
            self._edited = edited
        self._comparison.show(probed_side(edited.probe, edited.ready.vocabulary))

    async def _draw(self) -> None:
        live = self._live
        if live is None:
            return
        await live.look_up(self._session, self._view.run.run_id)
        live.drawing = False
        if live is self._live:
            self._header.say_live(live.stage)
            if live.first is not None:
                self._comparison.show(live_side(self._view.question.labels, live))

    # Actions

    def action_close(self) -> None:
        """Go back to the question."""
        self._take_back()
        self.dismiss()

    def action_reset(self) -> None:
        """Take the stored prompt again."""
        self._area.text = self._stored_text
        self._area.move_cursor(self._area.document.end)

    def action_keep(self) -> None:
        """Store the answers to the changed prompt."""
        if self._area.text == self._stored_text:
            self.notify("This is the stored prompt: there is nothing to keep.")
        elif self._edited is None:
            self.notify("The answer to this prompt is not there yet.")
        elif self._kept is not None and self._kept[0] is self._edited:
            self.notify(f"It is kept already, as run {self._kept[1]}.")
        else:
            self._session.keep(self._edited)
