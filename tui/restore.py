"""Going on where the last session stopped, and remembering where this one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tui.events import ListingChanged, SessionEvent
from tui.places import go_to, place_of
from tui.screens.lab_opening import open_lab
from tui.state import save_state

if TYPE_CHECKING:
    from textual.screen import Screen

    from tui.app import ExplorerApp

QUIET = 1.0
"""Seconds after a change until it is written down, so that a kill costs no more."""


class Restorer:
    """Opens the screen that was left, then writes down where the user is.

    The run, the filter and the question are the session's to restore; what no longer exists is left
    out without a word.
    """

    def __init__(self, app: ExplorerApp) -> None:
        self._app = app
        self._session = app.session
        self._wanted = msgspec.structs.replace(app.session.state)
        self._begun = False
        self._written = b""

    def begin(self) -> None:
        """Listen, and look once in a while whether anything is to be written down."""
        self._session.signal.subscribe(self._app, self._on_session)
        self._app.screen_change_signal.subscribe(self._app, self._screen_changed)
        self._app.set_interval(QUIET, self._write)

    def _on_session(self, event: SessionEvent) -> None:
        if isinstance(event, ListingChanged) and not self._begun:
            self._begun = True
            if len(self._app.screen_stack) == 1:
                self._open(self._wanted.screen)

    def _open(self, place: str) -> None:
        """Open what was left above the list of questions; a question only where it is the same."""
        session, left = self._session, self._wanted
        run_id = session.query.run_id if session.query is not None else None
        same = (run_id, session.probe_id) == (left.run_id, left.probe_id)
        if place == "lab":
            probe_id, listing = left.lab_probe_id, session.listing
            if probe_id is not None and listing is not None and listing.place(probe_id) is not None:
                opening = open_lab(self._app.screen, session, probe_id, left.lab_text)
                self._app.run_worker(opening)
        elif place != "questions" and (place != "question" or same):
            self._app.run_worker(go_to(self._app, place))

    def _screen_changed(self, _: Screen[object]) -> None:
        if self._begun:
            self._session.state.screen = place_of(self._app)

    def _write(self) -> None:
        """Write down what changed; a small file, written whole in a thread."""
        if not self._begun:
            return
        self._session.remember()
        state = self._session.state
        encoded = msgspec.json.encode(state)
        if encoded != self._written:
            self._written = encoded
            path = self._session.store.path
            copy = msgspec.json.decode(encoded, type=type(state))
            self._app.run_worker(lambda: save_state(path, copy), thread=True, group="state")
