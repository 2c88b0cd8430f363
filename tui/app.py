"""The explorer: the app around the screens."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import events, work
from textual.app import App
from textual.binding import BindingType
from textual.notifications import SeverityLevel

from tui.actions import bindings
from tui.events import Problem, RunEnded, SessionEvent
from tui.palette import RegistryCommands
from tui.screens.questions import QuestionsScreen
from tui.screens.too_small import TooSmallScreen, too_small
from tui.session import Session

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

    def get_default_screen(self) -> QuestionsScreen:
        """Start on the list of questions."""
        return QuestionsScreen(self.session)

    def on_mount(self) -> None:
        """Read the runs once the first frame is out."""
        self.session.signal.subscribe(self, self._on_session)
        self.call_after_refresh(self._read_runs)

    @work(thread=True)
    def _read_runs(self) -> None:
        self.session.load_runs()

    def _on_session(self, event: SessionEvent) -> None:
        if isinstance(event, Problem):
            self.notify(f"{event.sentence} {event.hint}", severity="error", markup=False)
        elif isinstance(event, RunEnded):
            severity = _SEVERITIES.get(event.status, "warning")
            self.notify(f"{event.sentence} {event.hint}", severity=severity, markup=False)

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

        self.push_screen(HelpScreen(self.focused or self.screen))

    def action_save_screen(self) -> None:
        """Save the screen as a picture and say where."""
        try:
            path = Path(self.save_screenshot(path=str(Path.cwd())))
        except OSError as error:
            self.notify(f"The picture can't be saved: {error}", severity="error", markup=False)
        else:
            self.notify(f"Saved {path}", markup=False)

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
        return ExplorerApp(session).run() or 0
    finally:
        session.close()
