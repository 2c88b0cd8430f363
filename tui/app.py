"""The explorer: the app around the screens."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import events, work
from textual.app import App
from textual.binding import BindingType
from textual.notifications import SeverityLevel
from textual.theme import BUILTIN_THEMES, Theme

from engine.errors import StoreError
from tui.actions import bindings
from tui.events import Noted, Problem, RunEnded, SessionEvent
from tui.palette import RegistryCommands
from tui.screens.questions import QuestionsScreen
from tui.screens.too_small import TooSmallScreen, too_small
from tui.session import Session

NOTIFICATION_TIMEOUT = 6.0
"""Seconds; errors stay twice as long."""
_SEVERITIES: dict[str, SeverityLevel] = {"finished": "information", "failed": "error"}


class ExplorerApp(App[int], inherit_bindings=False):
    """One session, one screen for its list of questions, others on top of it."""

    TITLE = "logitscope"
    CSS_PATH = "logitscope.tcss"
    ACTION_SCOPE: ClassVar[str] = "app"
    HELP_TITLE = "Everywhere"
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")
    COMMANDS: ClassVar = {RegistryCommands}

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        session.attach(self)

    def get_theme(self, theme_name: str) -> Theme | None:
        """A theme by its name, without copying all of them: every line that is drawn asks."""
        return BUILTIN_THEMES.get(theme_name) or super().get_theme(theme_name)

    def get_default_screen(self) -> QuestionsScreen:
        """Start on the list of questions."""
        return QuestionsScreen(self.session)

    def on_mount(self) -> None:
        """Read the runs once the first frame is out."""
        self.session.signal.subscribe(self, self._on_session)
        self.call_after_refresh(self._read_runs)

    @work(thread=True)
    def _read_runs(self) -> None:
        try:
            self.session.load_runs()
        except StoreError as error:
            self.session.post(Problem(error.sentence, error.hint))

    def _on_session(self, event: SessionEvent) -> None:
        if isinstance(event, Problem):
            self._tell(f"{event.sentence} {event.hint}", "error")
        elif isinstance(event, Noted):
            self._tell(event.sentence)
        elif isinstance(event, RunEnded):
            severity = _SEVERITIES.get(event.status, "warning")
            self._tell(f"{event.sentence} {event.hint}", severity)

    def _tell(self, words: str, severity: SeverityLevel = "information") -> None:
        timeout = NOTIFICATION_TIMEOUT * (2 if severity == "error" else 1)
        self.notify(words, severity=severity, timeout=timeout, markup=False)

    def on_resize(self, event: events.Resize) -> None:
        """Where there is no room for a screen, say so, and go on when there is."""
        top = self.screen_stack[-1]
        if too_small(event.size):
            if not isinstance(top, TooSmallScreen):
                self.push_screen(top := TooSmallScreen())
            self.call_after_refresh(top.tell, event.size)
        elif isinstance(top, TooSmallScreen):
            top.dismiss()

    def action_help(self) -> None:
        """Explain what has the focus."""
        from tui.screens.help import HelpScreen

        if isinstance(self.screen, HelpScreen):
            self.screen.dismiss()
        else:
            self.push_screen(HelpScreen(self.focused or self.screen))

    def action_save_screen(self) -> None:
        """Save the screen as a picture and say where."""
        try:
            path = Path(self.save_screenshot(path=str(Path.cwd())))
        except OSError as error:
            self._tell(f"The picture can't be saved: {error}", "error")
        else:
            self._tell(f"Saved {path}")

    def action_leave(self) -> None:
        """Leave; ask first while a run is going."""
        if not self.session.live.run_going:
            self.exit(0)
            return
        from tui.screens.leave import LeaveScreen

        if not isinstance(self.screen, LeaveScreen):
            self.push_screen(LeaveScreen(), lambda sure: self.exit(0) if sure else None)


def run_explorer(path: Path, *, read_only: bool = False, demo: bool = False) -> int:
    """Open the explorer on a database and stay until it is left.

    Returns:
        The exit code.

    Raises:
        StoreError: The database can't be opened: it is locked, newer, damaged or not there.
    """
    from engine.store import open_store

    session = Session(open_store(path, read_only=read_only), read_only=read_only, demo=demo)
    try:
        app = ExplorerApp(session)
        app.run()
        return app.return_code or 0
    finally:
        session.close()
