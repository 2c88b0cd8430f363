"""The explorer: the app around the screens."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from textual import events, work
from textual.app import App
from textual.binding import BindingType
from textual.command import CommandPalette
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.theme import BUILTIN_THEMES, Theme

from engine.errors import StoreError
from tui import garbage, themes
from tui.actions import bindings
from tui.announce import announce
from tui.characters import KEEP_ORDER, REORDER
from tui.config import Config, read_config
from tui.events import ListingChanged, Noted, Problem, RunEnded, RunProgressed, SessionEvent
from tui.palette import RegistryCommands
from tui.palette_places import PickTheme, PlaceCommands, ThemeCommands, ThemesByWord
from tui.restore import Restorer
from tui.screens.questions import QuestionsScreen
from tui.screens.too_small import TooSmallScreen, too_small
from tui.session import Session
from tui.state import State, tour_seen
from tui.widgets.divider import Divider, dividers_of

LEAVING_PATIENCE = 4.0
"""Seconds after a signal to leave at which the process ends, whatever it waits for."""
SWITCH_INTERVAL = 0.001
"""Seconds after which a thread that computes lets the one that draws go on."""
NOTIFICATION_TIMEOUT = 6.0
"""Seconds; errors stay twice as long."""
LOW, HIGH = 0, 30
"""Lines from which a line between rows of panes takes a line of the screen."""
_SEVERITIES: dict[str, SeverityLevel] = {"finished": "information", "failed": "error"}


def _end_for_certain(code: int) -> None:
    """End the process soon, whatever it waits for.

    Textual waits for ever for a terminal that is gone, and the database would stay locked. What was
    stored is safe, and the worker ends with its owner.
    """
    last = threading.Timer(LEAVING_PATIENCE, os._exit, [code])
    last.daemon = True
    last.start()


class ExplorerApp(App[int], inherit_bindings=False):
    """One session, one screen for its list of questions, others on top of it.

    Attributes:
        alone: Whether the process is for this app alone and may be ended by it.
    """

    TITLE = "logitscope"
    CSS_PATH = "logitscope.tcss"
    ACTION_SCOPE: ClassVar[str] = "app"
    HELP_TITLE = "Everywhere"
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")
    COMMANDS: ClassVar = {RegistryCommands, PlaceCommands, ThemesByWord}
    VERTICAL_BREAKPOINTS = [(LOW, "-low"), (HIGH, "-high")]  # noqa: RUF012 - Textual's own type

    def __init__(
        self, session: Session, config: Config | None = None, *, tour: bool = False
    ) -> None:
        """Show a session under the user's settings, or under none; begin with a guided tour."""
        super().__init__()
        self.session = session
        self.config = config or Config()
        self.settings = self.config.settings
        self._restorer = Restorer(self)
        self._run_began: float | None = None
        self._tour_due = tour
        self.alone = False
        self._collector: garbage.QuietCollector | None = None
        self._handlers: dict[signal.Signals, Any] = {}
        for theme in themes.OWN_THEMES:
            self.register_theme(theme)
        picked = themes.picked(self.settings.theme)
        self._theme_in_force = themes.full_name(picked or self.settings.theme)
        if not self.settings.animation:
            self.animation_level = "none"
        self.set_keymap(self.settings.keys)
        session.attach(self)

    # Themes

    def get_theme(self, theme_name: str) -> Theme | None:
        """A theme by its name, without copying all of them: every line that is drawn asks."""
        return BUILTIN_THEMES.get(theme_name) or super().get_theme(theme_name)

    def on_load(self) -> None:
        """Have the colours before anything is drawn."""
        self.theme = self._theme_in_force

    def search_themes(self) -> None:
        """Pick a theme; the one under the cursor is shown."""
        self.push_screen(CommandPalette([ThemeCommands], placeholder="Search for themes…"))

    def pick_theme(self, name: str) -> None:
        """Take a theme, this time and the next."""
        self.theme = self._theme_in_force = name
        themes.remember_pick(name, self.settings.theme)

    def on_command_palette_option_highlighted(
        self, event: CommandPalette.OptionHighlighted
    ) -> None:
        """Show the theme under the cursor of the palette."""
        hit = getattr(event.highlighted_event.option, "hit", None)
        command = getattr(hit, "command", None)
        looked_at = command.name if isinstance(command, PickTheme) else self._theme_in_force
        if isinstance(self.screen, CommandPalette):
            self.theme = looked_at

    def on_command_palette_closed(self, event: CommandPalette.Closed) -> None:
        """A theme that was only looked at goes again."""
        if not event.option_selected:
            self.theme = self._theme_in_force

    # The session

    def get_default_screen(self) -> QuestionsScreen:
        """Start on the list of questions."""
        return QuestionsScreen(self.session)

    def on_mount(self) -> None:
        """Read the runs once the first frame is out."""
        self._tell_terminal(KEEP_ORDER)
        self.session.signal.subscribe(self, self._on_session)
        self._restorer.begin()
        self._leave_on_signals()
        self.call_after_refresh(self._read_runs)
        if self.alone:
            self.call_after_refresh(self._begin_collecting)
        if self.config.troubles:
            self.call_after_refresh(self._tell_troubles)

    def _begin_collecting(self) -> None:
        self._collector = garbage.QuietCollector()
        self.set_interval(garbage.INTERVAL, self._collector.collect_when_quiet)

    async def on_event(self, event: events.Event) -> None:
        """Note that somebody is there."""
        if self._collector is not None and isinstance(event, events.InputEvent):
            self._collector.touch()
        await super().on_event(event)

    def on_unmount(self) -> None:
        """Leave the terminal and the process as they were."""
        self._tell_terminal(REORDER)
        if not self.alone:
            for each, before in self._handlers.items():
                signal.signal(each, before)

    def _tell_terminal(self, sequence: str) -> None:
        if self._driver is not None:
            self._driver.write(sequence)

    def _leave_on_signals(self) -> None:
        """A closed window or a kill leaves as ``q`` does: what is remembered is written."""
        loop = asyncio.get_running_loop()

        def leave(number: int, _: object) -> None:
            loop.call_soon_threadsafe(self.exit, 128 + number, 128 + number)
            if self.alone:
                _end_for_certain(128 + number)

        with suppress(ValueError):  # only the main thread is told of signals
            for each in (signal.SIGTERM, signal.SIGHUP):
                self._handlers[each] = signal.signal(each, leave)

    def _tell_troubles(self) -> None:
        """Say what is wrong with the settings; everything else in them is in force."""
        first, *others = self.config.troubles
        more = f" And {len(others)} more:" if others else " More:"
        self._tell(f"{self.config.path.name}, {first}{more} logitscope config check", "error")

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
        elif isinstance(event, ListingChanged) and self._tour_due:
            self._tour_due = False
            if len(self.screen_stack) == 1:
                self.call_after_refresh(self.action_tour)
        elif isinstance(event, RunProgressed):
            self._run_began = self._run_began or time.monotonic()
        elif isinstance(event, RunEnded):
            began, self._run_began = self._run_began, None
            seconds = 0.0 if began is None else time.monotonic() - began
            self.announce(f"Run {event.status}", event.sentence, seconds)
            severity = _SEVERITIES.get(event.status, "warning")
            self._tell(f"{event.sentence} {event.hint}", severity)

    def announce(self, title: str, body: str, seconds: float) -> None:
        """Tell that work of so many seconds ended, where nobody looks and the settings say so."""
        announce(self, title, body, seconds)

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

    def action_sql(self) -> None:
        """Ask everything stored in SQL."""
        from tui.screens.sql_questions import open_sql

        open_sql(self, self.session)

    def action_tour(self) -> None:
        """Be shown the screens."""
        from tui.screens.tour import tour

        self.run_worker(tour(self), group="tour")

    def _can_tour(self) -> bool:
        from tui.screens.tour import can_begin

        over = [each for each in self.screen_stack if not isinstance(each, CommandPalette)]
        return bool(self.session.listing) and can_begin(over)

    def action_jump(self) -> None:
        """Put letters on the parts of the screen."""
        from tui.jump import targets
        from tui.screens.jump import JumpScreen

        if isinstance(self.screen, JumpScreen):
            self.screen.dismiss()
        elif places := targets(self.screen):
            self.push_screen(JumpScreen(places))
        else:
            self._tell("There is nothing to jump to here.")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Lines move where there are some."""
        if action == "move_line":
            outwards = parameters[0] if parameters else 0
            return len(self._lines()) > int(str(outwards))
        if action == "tour":
            return self._can_tour()
        if action == "reset_lines":
            return bool(self._below_palette.query(Divider))
        return True

    def action_move_line(self, outwards: int, steps: int) -> None:
        """Move the nearest line between panes, or one further out."""
        lines = self._lines()
        if outwards < len(lines):
            lines[outwards].move(steps)

    def action_reset_lines(self) -> None:
        """Give the panes of the screen the stylesheet's sizes."""
        for line in self.screen.query(Divider):
            line.reset()

    @property
    def _below_palette(self) -> Screen[object]:
        """The screen that commands are about, also while the palette lies over it."""
        screens = (each for each in self.screen_stack if not isinstance(each, CommandPalette))
        return [*screens][-1]

    def _lines(self) -> list[Divider]:
        focused = self._below_palette.focused
        return list(dividers_of(focused)) if focused is not None else []

    def action_save_screen(self) -> None:
        """Save the screen as a picture and say where."""
        try:
            path = Path(self.save_screenshot(path=str(Path.cwd())))
        except OSError as error:
            self._tell(f"The picture can't be saved: {error}", "error")
        else:
            self._tell(f"Saved {path}")

    def action_help_quit(self) -> None:
        """Say how to leave, as ctrl+c does not."""
        bound = (active.binding for active in self.active_bindings.values())
        keys = [self.get_key_display(each) for each in bound if each.action == "leave"]
        self._tell(f"{' or '.join(keys)} leaves the explorer.")

    def action_leave(self) -> None:
        """Leave; ask first while a run is going."""
        if not self.session.live.run_going:
            self.exit(0)
            return
        from tui.screens.leave import LeaveScreen

        if not isinstance(self.screen, LeaveScreen):
            self.push_screen(LeaveScreen(), lambda sure: self.exit(0) if sure else None)


def run_explorer(
    path: Path,
    *,
    read_only: bool = False,
    copy: bool = False,
    demo: bool = False,
    fresh: bool = False,
) -> int:
    """Open the explorer on a database and stay until it is left.

    Args:
        path: The database.
        read_only: Change nothing.
        copy: Open a copy made now, for reading only, whoever holds the database.
        demo: Whether this is the recorded demo.
        fresh: Start at the newest run, wherever the last session stopped.

    Returns:
        The exit code.

    Raises:
        StoreError: The database can't be opened: it is locked, newer, damaged or not there.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    if copy:
        from engine.copies import open_copy

        store = open_copy(path)
    else:
        from engine.store import open_store

        store = open_store(path, read_only=read_only)
    session = Session(store, read_only=store.read_only, demo=demo)
    config = read_config()
    if fresh or not config.settings.restore:
        session.state = State(sql_text=session.state.sql_text, sizes=session.state.sizes)
    try:
        app = ExplorerApp(session, config, tour=demo and not tour_seen())
        app.alone = True
        app.run()
        return app.return_code or 0
    finally:
        session.close()
