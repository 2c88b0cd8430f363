"""The prompt lab: a format to be changed, with what that does to the prompt and to the answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import msgspec
from textual import on
from textual.app import SuspendNotSupported
from textual.containers import Container, Vertical
from textual.screen import Screen
from textual.timer import Timer

from engine.errors import FormatError, LogitscopeError
from engine.formats import PromptFormat, parse_format
from engine.formats.changing import set_value
from engine.formats.writing import format_toml
from tui.actions import bindings
from tui.asking import TryFormat
from tui.events import AskDone, AskFailed, AskSaw, AskStarted, RunEnded, SessionEvent
from tui.screens.lab_file import LabFile, run_editor
from tui.screens.lab_sweep import LabSweep
from tui.widgets.divider import Divider
from tui.widgets.figures import count
from tui.widgets.format_editor import FormatEditor
from tui.widgets.format_form import FormatForm
from tui.widgets.key_line import KeyLine
from tui.widgets.lab_results import LabResults
from tui.widgets.pinned_view import PinnedView
from tui.widgets.question_header import QuestionHeader

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult

    from engine.browse import ProbeView
    from engine.lab import Lab, Trial
    from engine.planning import RunPlan
    from tui.session import Session

PAUSE = 0.4
"""Seconds without a keystroke after which the model is asked."""
FILE_CHECK = 1.0
"""Seconds between two looks at the format's file."""
WIDE = 120
PANES = ("ComparisonView", "#rendered", "PinnedView", "FormatForm")
"""What a narrow screen shows one at a time."""
_LINE = re.compile(r"\bline (\d+)")


class LabScreen(Screen[None]):
    """An editor with the format, and its effect; nothing is stored."""

    ACTION_SCOPE: ClassVar[str] = "lab"
    HELP_TITLE = "prompt lab"
    HELP = (
        "The prompt format on the left is asked of the model whenever typing pauses: this question "
        "first, then the pinned ones, those marked in the list. The baseline is the format the "
        "question was asked in, until you take another. Nothing is stored; save the format as a "
        "file and start a run to keep what it does."
    )
    BINDINGS: ClassVar = bindings("lab")
    CSS_PATH: ClassVar = ["question.tcss", "edit.tcss", "lab_widgets.tcss", "lab.tcss"]
    AUTO_FOCUS = "FormatEditor"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012 - Textual's own type

    def __init__(
        self, session: Session, view: ProbeView, lab: Lab, text: str | None = None
    ) -> None:
        """Work on the format of a probe.

        Args:
            session: Whose worker is asked.
            view: The probe.
            lab: Of the probe; closed with the screen.
            text: What stood in the editor when it was left; None: the probe's own format.
        """
        super().__init__()
        self._session = session
        self._view = view
        self._lab = lab
        self._file = LabFile()
        self._sweep = LabSweep(session)
        self._first_text = format_toml(_named(lab.format))
        self._left_text = text or self._first_text
        self._pause: Timer | None = None
        self._ask: TryFormat | None = None
        self._baseline: PromptFormat = lab.format
        self._tried: Trial | None = None
        self._warned = False
        self._pane = 0
        self._results = LabResults(view, lab)

    def compose(self) -> ComposeResult:
        """The format above or at the left, what it does below or at the right."""
        yield QuestionHeader()
        with Container(id="lab"):
            with Vertical(id="format"):
                editor = FormatEditor(self._first_text)
                editor.border_title = "format"
                yield editor
                yield Divider("lab.editor")
                yield FormatForm()
            yield Divider("lab.format")
            yield self._results
        yield KeyLine()

    def on_mount(self) -> None:
        """Listen to the session; ask in the format that the question was asked in."""
        self._header = self.query_one(QuestionHeader)
        self._editor = self.query_one(FormatEditor)
        self._form = self.query_one(FormatForm)
        self._session.signal.subscribe(self, self._on_session)
        place = f"prompt lab · question {self._view.row.question_index + 1:,}"
        self._header.show(self._view, place)
        self._form.show(_named(self._lab.format))
        self._show_pane(0)
        self._try(self._lab.format)
        self._remember(self._view.row.probe_id, self._left_text)
        self._take(self._left_text)
        self.set_interval(FILE_CHECK, self._follow_file)

    def on_unmount(self) -> None:
        """Forget the trials."""
        self._take_back()
        self._lab.close()

    # Asking

    @on(FormatEditor.Changed)
    def _changed(self) -> None:
        """Ask once typing pauses."""
        self._remember(self._view.row.probe_id, self._editor.text)
        self._warned = False
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(PAUSE, self._ask_now)

    def _ask_now(self) -> None:
        """Ask in the format as it is now, unless it is none, or the one asked last."""
        self._pause = None
        try:
            fmt = parse_format(self._editor.text, "format.toml")
        except FormatError as error:
            if self._results.baseline is not None:  # else the baseline is still being asked
                self._take_back()
            line = _LINE.search(error.sentence)
            self._editor.show_problem(int(line[1]) if line else None, error.sentence)
            self._results.refuse_prompt(str(error))
            return
        self._editor.show_problem(None, "")
        self._form.show(fmt)
        going = self._session.asking.going is self._ask and self._ask is not None
        asked = self._ask.format if going and self._ask is not None else None
        if self._results.baseline is None:
            if not going:
                self._try(self._baseline)
        elif fmt != (asked or (self._tried.format if self._tried else _named(self._baseline))):
            self._try(fmt)
        elif not going:
            self._results.settle()

    def _try(self, fmt: PromptFormat) -> None:
        self._ask = TryFormat(self._view.row.probe_id, self._lab, fmt)
        self._session.ask(self._ask)

    def _take_back(self) -> None:
        if self._ask is not None and self._session.asking.going is self._ask:
            self._session.asking.cancel()
            self._ask = None
            self._header.say_live("")

    def _on_session(self, event: SessionEvent) -> None:
        match event:
            case AskStarted(ask) if ask is self._ask:
                self._results.begin(ask)
            case AskSaw(ask, seen) if ask is self._ask:
                self._results.see(seen)
            case AskDone(ask, trial) if ask is self._ask:
                self._adopt(trial)  # type: ignore[arg-type]
            case RunEnded() if self._sweep.going:
                self._go_on_sweeping(event)
            case AskFailed(ask, sentence, hint) if ask is self._ask:
                self._results.refuse_answer(f"{sentence} {hint}".strip())
            case _:
                return
        self._header.say_live(self._results.stage)

    def _adopt(self, trial: Trial) -> None:
        """Show a whole trial; the first one is the baseline."""
        first = self._results.baseline is None
        self._tried = trial
        self._results.conclude(trial)
        if first:
            self._ask_now()

    @on(PinnedView.Chosen)
    def _open_pinned(self, event: PinnedView.Chosen) -> None:
        """Show what is stored of a pinned question."""
        from tui.screens.question import QuestionScreen

        key = event.question.question_index, event.question.order_index
        asked = next(each for each in self._lab.asked if each.key == key)
        self.app.push_screen(QuestionScreen(self._session, asked.probe_id))

    # The text

    def _take(self, text: str) -> None:
        """Put another text into the editor, so that undo brings the old one back."""
        if text != self._editor.text:
            self._editor.replace(text, (0, 0), self._editor.document.end)

    @on(FormatForm.Changed)
    def _set(self, event: FormatForm.Changed) -> None:
        try:
            self._take(set_value(self._editor.text, event.key, event.value))
        except FormatError as error:
            self.notify(error.hint, title=error.sentence, severity="error")

    def _follow_file(self) -> None:
        """Take what somebody else saved in the format's file."""
        text = self._file.changed()
        if text is not None:
            self._take(text)
            self.notify("The file was changed outside; this is its text.")

    # Actions

    @property
    def _unsaved(self) -> bool:
        text = self._editor.text
        return text != self._first_text and not self._file.keeps(text)

    def action_close(self) -> None:
        """Go back; a format that is changed and not saved only when asked twice."""
        if self._unsaved and not self._warned:
            self._warned = True
            self.notify("The format is not saved: escape again leaves it, ctrl+s saves it.")
        else:
            self._remember(None, "")
            self.dismiss()

    def _remember(self, probe_id: int | None, text: str) -> None:
        """Have the format here again if the explorer is left, or ended, before it is saved."""
        self._session.state.lab_probe_id, self._session.state.lab_text = probe_id, text

    def action_save(self) -> None:
        """Save the format."""
        self._save(lambda path: self.notify(f"Saved. Use it anywhere as --format {path}"))

    def _save(self, then: Callable[[Path], None]) -> None:
        text = self._editor.text
        try:
            name = parse_format(text, "format.toml").name
        except FormatError as error:
            self.notify(error.hint, title=error.sentence, severity="error")
            return

        def saved(path: Path | None) -> None:
            if path is not None:
                self._file.saved(path, text)
                then(path)

        from tui.screens.save import SaveScreen

        path = self._file.path or Path(f"{name}.toml")
        screen = SaveScreen(text, path, known=self._file.path is not None)
        self.app.push_screen(screen, saved)

    def action_start_run(self) -> None:
        """Start a run in this format, from the file it is saved in."""
        path = self._file.path
        if path is not None and self._file.keeps(self._editor.text):
            self._start(path)
        else:
            self._save(self._start)

    def _start(self, path: Path) -> None:
        from tui.screens.start import StartScreen

        self.app.push_screen(StartScreen(self._session, {"formats": str(path)}))

    def action_sweep(self) -> None:
        """Change one thing about the format step by step, in a run of its own."""
        try:
            fmt = parse_format(self._editor.text, "format.toml")
        except FormatError as error:
            self.notify(error.hint, title=error.sentence, severity="error")
            return
        from tui.screens.sweep import SweepScreen

        self.app.push_screen(SweepScreen(self._lab.plan, fmt), self._start_sweep)

    def _start_sweep(self, plans: list[RunPlan] | None) -> None:
        if plans is None:
            return
        try:
            self._sweep.start(plans)
        except LogitscopeError as error:
            self.notify(error.hint, title=error.sentence, severity="error")
        else:
            probes = sum(plan.planned for plan in plans)
            self.notify(f"{count(probes, 'probe')} to make; the table opens when they are there.")

    def _go_on_sweeping(self, event: RunEnded) -> None:
        try:
            runs = self._sweep.ended(event)
        except LogitscopeError as error:
            self.notify(error.hint, title=error.sentence, severity="error")
            return
        if runs and event.status == "finished":
            from engine.studies import study
            from tui.screens.studies import StudyScreen

            self.app.push_screen(StudyScreen(self._session, study("sweep"), runs))
        elif runs is not None:
            self.notify(event.hint, title=event.sentence, severity="warning")

    def action_choose_format(self) -> None:
        """Take another format."""

        def take(fmt: PromptFormat | None) -> None:
            if fmt is not None:
                self._take(format_toml(_named(fmt)))

        from tui.screens.choose_format import ChooseFormatScreen

        self.app.push_screen(ChooseFormatScreen(self._baseline.name.partition(":")[0]), take)

    def action_rebase(self) -> None:
        """Compare with the format as it is now."""
        if self._tried is None or self._session.asking.going is self._ask:
            self.notify("The answers in this format are not all there yet.")
            return
        self._baseline = self._tried.format
        self._results.rebase(self._tried)
        self.notify(f"The baseline is {self._baseline.name} as it is now.")

    def action_reset(self) -> None:
        """Take the baseline's format again."""
        self._take(format_toml(_named(self._baseline)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A wide screen has no other pane to show."""
        return action != "next_pane" or self.has_class("-narrow")

    def action_next_pane(self) -> None:
        """Show the next pane below the editor, where there is not room for all."""
        self._show_pane(1 + self._pane)

    def _show_pane(self, number: int) -> None:
        self._pane = number % len(PANES)
        for place, selector in enumerate(PANES):
            self.query_one(selector).set_class(place == self._pane, "-shown")
        self.set_class(PANES[self._pane] == "FormatForm", "-form")

    def action_toggle_diff(self) -> None:
        """Show the prompt's differences, or its tokens."""
        self._results.toggle_diff()

    def action_toggle_tokens(self) -> None:
        """Show the prompt as text, or as tokens."""
        self._results.toggle_tokens()

    def action_open_editor(self) -> None:
        """Edit the format in the user's own editor."""
        try:
            path = self._file.prepare(self._editor.text, self._baseline.name.partition(":")[0])
            with self.app.suspend():
                run_editor(path)
        except SuspendNotSupported:
            self.notify(f"Open it yourself: {path}. The lab follows every save.")
        except LogitscopeError as error:
            self.notify(error.hint, title=error.sentence, severity="error")
        self._follow_file()


def _named(fmt: PromptFormat) -> PromptFormat:
    """The format by the name that its file has: its changes are written in it."""
    return msgspec.structs.replace(fmt, name=fmt.name.partition(":")[0])
