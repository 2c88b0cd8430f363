"""The state behind all screens: one store, the runs in it, the list of probes, the place in it.

Nothing here knows a widget. What changes is told through :meth:`Session.post`, which any thread
may call; screens subscribe to ``session.signal``.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from engine import browse
from engine.errors import LogitscopeError, StoreError
from engine.flags import FLAGS
from tui import words
from tui.asking import Ask, Asking, EditPrompt, Rerun, TryFormat
from tui.events import (
    AskDone,
    AskFailed,
    EditKept,
    ListingChanged,
    ListingFailed,
    MarkChanged,
    OverrideChanged,
    Problem,
    RunEnded,
    RunProgressed,
    RunsChanged,
    SessionEvent,
)
from tui.listing import Listing, Query, materialise, visited
from tui.live import Live
from tui.state import load_state, save_state
from tui.studying import Studying
from tui.views import Views

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import App
    from textual.signal import Signal

    from engine.browse import ListRow, ProbeView, RunRow
    from engine.client import WorkerClient
    from engine.followups import Answered
    from engine.lab import Lab
    from engine.questions import Question
    from engine.readings import Status
    from engine.runs import RunPlan, RunProgress
    from engine.store import Store

T = TypeVar("T")

DEFAULT_SOUGHT = "mismatch"
IDLE_SHARE = 3.0
LONGEST_REST = 2.0
"""While a run goes its list is made again and again: so many times what it takes, seconds at most,
lie between, because a million probes are not listed in passing."""
QUIET = 0.3
"""Seconds without a reading after which memory is given back."""
CLOSING_PATIENCE = 0.5
"""Seconds that leaving waits for the thread that asks, once its worker is gone."""
_CHANGES = (MarkChanged, OverrideChanged, AskDone, EditKept)
"""What is told after stored probes were changed."""
_READ_ONLY = "This database is open for reading only.", "Open it without --read-only."
_COPY = "This is a copy, for reading only.", "Change the database in the program that holds it."


class Session:
    """One opened database and what the user is looking at.

    Attributes:
        store: The database.
        read_only: Whether nothing may be changed.
        demo: Whether this is the recorded demo of the embedded teaching model.
        live: The run that is going, and the worker process.
        asking: What the model is asked about a single probe, run or no run.
        studying: What is asked of whole runs.
        runs: Every run, newest first.
        query: What was asked for last; ``listing.query`` is what is shown.
        listing: The probes shown; None until the first list is there.
        position: Place of the cursor in the listing.
        loaded: Whether the runs have been read.
        state: What is remembered of this database until the next session.
    """

    def __init__(
        self,
        store: Store,
        *,
        read_only: bool = False,
        demo: bool = False,
        make_client: Callable[[], WorkerClient] | None = None,
    ) -> None:
        self.store = store
        self.read_only = read_only
        self.demo = demo
        self.live = Live(self, make_client)
        self.asking = Asking(self)
        self.studying = Studying(self)
        self.state = load_state(store.path)
        self.runs: list[RunRow] = []
        self.query: Query | None = None
        self.listing: Listing | None = None
        self.position = 0
        self.signal: Signal[SessionEvent]
        self._app: App[Any] | None = None
        self._sought = DEFAULT_SOUGHT
        self._sought_probe: int | None = None
        self.loaded = False
        self._queries = 0
        self._again = False
        self._visiting = False
        self._follows = False
        self._listed: Query | None = None
        self._listing_took = 0.0
        self._overtaken = threading.Event()
        self._readers = ThreadPoolExecutor(2, "read")
        self._lister = ThreadPoolExecutor(1, "list")
        self._writer = ThreadPoolExecutor(1, "write")
        self._views = Views(partial(self._undisturbed, self.view), self._readers)
        self._reading = 0
        self._trim_due = False
        self._memory_safe = threading.Event()
        self._memory_safe.set()

    def attach(self, app: App[Any]) -> None:
        """Tell events through this app from now on."""
        from tui.leaving import LeavingSignal

        self._app = app
        self.signal = LeavingSignal(app, "session")

    def post(self, event: SessionEvent) -> None:
        """Tell every subscriber, in the app's own thread, whichever thread calls."""
        self._in_app(self._publish, event)

    def _publish(self, event: SessionEvent) -> None:
        if isinstance(event, _CHANGES):
            self._views.forget()
        self.signal.publish(event)

    def close(self) -> None:
        """End the worker, the threads and the store, in this order."""
        self.remember()
        self.asking.close()
        self.live.close()
        self.asking.wait(CLOSING_PATIENCE)
        self.studying.close()
        self._overtaken.set()
        self._memory_safe.set()
        for pool in (self._readers, self._lister, self._writer):
            pool.shutdown(wait=False, cancel_futures=True)
        self.store.close()
        save_state(self.store.path, self.state)

    # Runs

    @property
    def run(self) -> RunRow | None:
        """The run that is shown."""
        if self.query is None:
            return None
        return next((run for run in self.runs if run.run_id == self.query.run_id), None)

    def load_runs(self) -> None:
        """Read the runs again; where none is shown yet, show the newest. Blocks."""
        self.runs = browse.runs(self.store)
        self._in_app(self._show_first)

    def _show_first(self) -> None:
        self.loaded = True
        runs = [run for run in self.runs if run.kind not in words.ASIDE] or self.runs
        if self.query is None and runs:
            self.show(self._remembered() or Query(runs[0].run_id))
        self.signal.publish(RunsChanged())

    def _remembered(self) -> Query | None:
        """What was asked for last time, where its run is still there."""
        state = self.state
        run = next((run for run in self.runs if run.run_id == state.run_id), None)
        if run is None:
            return None
        self._sought_probe = state.probe_id
        shown = state.format if state.format in run.formats else None
        flag = next((flag.name for flag in FLAGS if flag.name == state.flag), None)
        return Query(run.run_id, state.filter, shown, flag, state.sort, descending=state.descending)

    def remember(self) -> None:
        """Put the run, the list and the place in it into the state."""
        if self.listing is None:
            return
        query, state = self.listing.query, self.state
        state.run_id, state.probe_id = query.run_id, self.probe_id
        state.filter, state.format, state.flag = query.filter, query.format, query.flag
        state.sort, state.descending = query.sort, query.descending

    def run_defaults(self) -> dict[str, str]:
        """What the form for a new run starts with: the settings of the run that is shown."""
        run = self.run
        if run is None:
            return {}
        known = {"source": run.source, "model": run.model, "formats": ",".join(run.formats)}
        from engine.runs import stored_plan

        try:
            plan = stored_plan(self.store, run.run_id)
        except LogitscopeError:
            return known
        return known | {
            "samples": str(plan.settings.samples),
            "temperature": f"{plan.settings.sampler.temperature:g}",
            "max_new_tokens": str(plan.settings.max_new_tokens),
            "limit": "" if plan.limit is None else str(plan.limit),
        }

    def start_run(self, plan: RunPlan) -> None:
        """Carry out a plan in the background and show its results as they come.

        Raises:
            LogitscopeError: The database is read-only, or the model is busy.
        """
        self._start(lambda: plan, resume=False)

    def resume(self, run_id: int) -> None:
        """Go on with a run that stopped, and show it.

        Raises:
            LogitscopeError: The database is read-only, or the model is busy.
        """
        from engine.runs import plan_to_resume

        self._start(lambda: plan_to_resume(self.store, run_id), resume=True)

    def _start(self, make_plan: Callable[[], RunPlan], *, resume: bool) -> None:
        self._check_writable()
        self.live.start_run(make_plan, resume=resume)
        self._follows = True
        self.post(RunsChanged())

    def run_moved(self, progress: RunProgress) -> None:
        """The run that is going stored something; from its own thread."""
        self.runs = browse.runs(self.store)
        self._in_app(self._follow, progress)

    def _follow(self, progress: RunProgress) -> None:
        """Show the run that is going once it is in the store, then what it stores."""
        shown = self.query.run_id if self.query is not None else None
        if self._follows and progress.run_id is not None:
            self._follows = False
            if shown != progress.run_id:
                self.open_run(progress.run_id)
        elif shown is not None and shown == progress.run_id:
            self.refresh()
        self.signal.publish(RunProgressed(progress))

    def run_ended(self, ended: RunEnded) -> None:
        """The run is over; from its own thread."""
        self.runs = browse.runs(self.store)
        self._in_app(self._conclude, ended)

    def _conclude(self, ended: RunEnded) -> None:
        if self._follows and ended.run_id is not None:
            self.open_run(ended.run_id)
        self._follows = False
        self.refresh()
        self.signal.publish(ended)

    def open_run(self, run_id: int, condition: str = "") -> None:
        """Show a run from its first question: all of it, or what fulfils a condition."""
        self.show(Query(run_id, condition))
        self.post(RunsChanged())

    # The list

    def show(self, query: Query) -> None:
        """Carry out a query in the background; the listing changes when it is done."""
        if query.flag is not None:
            self._sought = query.flag
        self.query, self._listed = query, None
        self._overtaken.set()
        self._submit(query)

    def place(self) -> Callable[[], None]:
        """Remember the list that is shown and the place in it; calling the result goes back."""
        query, listing, position = self.query, self.listing, self.position

        def go_back() -> None:
            if listing is None:
                return
            self.query, self.listing, self.position = query, listing, position
            self.signal.publish(ListingChanged(listing))
            self.signal.publish(RunsChanged())
            self.refresh()

        return go_back

    async def visit(self, ids: Sequence[int], position: int) -> Callable[[], None]:
        """Step through these probes instead of the list; calling the result goes back to it."""
        flagged = await self.off_loop(lambda: browse.with_flag(self.store, ids, self.sought))
        listed, go_back = self.listing, self.place()
        self.listing = visited(self.query, ids, self.sought, flagged)
        self.position, self._visiting = position, True

        def leave() -> None:
            self._visiting = False
            self.listing = listed
            go_back()

        return leave

    def refresh(self) -> None:
        """Carry out the query in force again in the background: rows were stored."""
        if self._visiting:
            return
        if self._queries:
            self._again = True
        elif self.query is not None:
            self._overtaken.clear()
            self._submit(self.query)

    def _submit(self, query: Query) -> None:
        self._queries += 1
        self._lister.submit(self._list, query)

    def _list(self, query: Query) -> None:
        if query == self._listed:  # again, while a run goes: it is due only now and then
            self._overtaken.wait(min(LONGEST_REST, IDLE_SHARE * self._listing_took))
        if query != self.query:
            self._in_app(self._queried)
            return
        began = time.monotonic()
        try:
            listing = materialise(self.store, query, self._sought)
        except StoreError as error:
            self._in_app(self._reject, query, error.sentence)
        else:
            self._in_app(self._adopt, listing)
            self._listed, self._listing_took = query, time.monotonic() - began

    def _in_app(self, change: Callable[..., None], *args: object) -> None:
        """Carry out a change of the state in the app's own thread."""
        if self._app is not None:
            self._app.call_later(change, *args)

    def _queried(self) -> None:
        """A query was carried out, or overtaken by a newer one."""
        self._queries -= 1
        if self._again and not self._queries:
            self._again = False
            self.refresh()
        self._trim_when_quiet()

    def _reject(self, query: Query, sentence: str) -> None:
        """Keep the listing in force and say why; what was remembered goes without a word."""
        self._queried()
        if self.listing is None and query != Query(query.run_id) and query == self.query:
            self.show(Query(query.run_id))
            return
        if query == self.query and self.listing is not None:
            self.query = self.listing.query
        self.signal.publish(ListingFailed(query, sentence))

    def _adopt(self, listing: Listing) -> None:
        """Put a listing in force, keeping the cursor on its probe where it is still there."""
        self._queried()
        if listing.query != self.query:
            return
        before, current = self.listing, self.probe_id or self._sought_probe
        self._sought_probe = None
        self.listing = listing
        place = listing.place(current) if current is not None else None
        if place is None:
            refreshed = before is not None and before.query == listing.query
            place = min(self.position, max(len(listing) - 1, 0)) if refreshed else 0
        self.position = place
        self.signal.publish(ListingChanged(listing))

    async def rows(self, ids: Sequence[int]) -> list[ListRow]:
        """The rows of some probes, read off the event loop."""
        return await self.off_loop(lambda: browse.list_rows(self.store, ids))

    async def question(self, probe_id: int) -> Question:
        """The question of a probe as it was shown, read off the event loop."""
        return await self.off_loop(lambda: browse.shown_question(self.store, probe_id))

    def view(self, probe_id: int) -> ProbeView:
        """One probe, whole. Blocks; ``await view_async`` does not."""
        return browse.probe_view(self.store, probe_id)

    async def view_async(self, probe_id: int) -> ProbeView:
        """One probe, whole, read off the event loop unless it was read ahead."""
        if self.store.unlocked:
            self._views.forget()  # Any query may have changed it.
        asked = self._views.ask(probe_id)
        self._trim_when_quiet()
        return await asyncio.shield(asyncio.wrap_future(asked))

    def read_ahead(self, *, around: bool = False) -> None:
        """Read the probe under the cursor, and those ``around`` it that a key leads to."""
        listing, here = self.listing, self.position
        if listing is None or not len(listing):
            return
        places = [here]
        if around:
            flagged = (listing.next_flagged(here, delta) for delta in (1, -1))
            near = (here + 1, here - 1, *(place for place in flagged if place is not None))
            places += [place for place in dict.fromkeys(near) if 0 <= place < len(listing)]
        self._views.read_ahead([int(listing.ids[place]) for place in places])

    async def tokens(
        self, run_id: int, token_ids: Sequence[int]
    ) -> dict[int, tuple[str | None, bytes, bool]]:
        """What token ids of a run stand for, as in :class:`engine.browse.ProbeView`."""
        return await self.off_loop(lambda: browse.token_entries(self.store, run_id, token_ids))

    async def off_loop(self, read: Callable[[], T]) -> T:
        """What a function reads, without keeping the screen waiting."""
        self._reading += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._readers, self._undisturbed, read
            )
        finally:
            self._reading -= 1
            self._trim_when_quiet()

    # Memory

    def _undisturbed(self, read: Callable[..., T], *args: object) -> T:
        """Read once no memory is being given back."""
        self._memory_safe.wait()
        return read(*args)

    def _trim_when_quiet(self) -> None:
        """Give back the memory that reading took, once nothing is read for a moment."""
        if not self._trim_due and self._app is not None:
            self._trim_due = True
            self._app.set_timer(QUIET, self._trim)

    def _trim(self) -> None:
        self._trim_due = False
        if self._reading or self._queries or self._views.reading or self._at_work:
            self._trim_when_quiet()
            return
        self._memory_safe.clear()
        try:
            trimming = self._lister.submit(self.store.trim)
        except RuntimeError:  # closed
            self._memory_safe.set()
        else:
            trimming.add_done_callback(lambda _: self._memory_safe.set())

    @property
    def _at_work(self) -> bool:
        """Whether a run, a question to the model or a study reads and writes as it likes."""
        return self.live.busy or self.asking.going is not None or self.studying.going

    # The place in it

    @property
    def probe_id(self) -> int | None:
        """The probe under the cursor."""
        if self.listing is None or not len(self.listing):
            return None
        return int(self.listing.ids[self.position])

    @property
    def sought(self) -> str:
        """The flag that next/previous flagged look for: the last tab's, at first mismatch."""
        return self.listing.sought if self.listing is not None else self._sought

    def move_to(self, position: int) -> int | None:
        """Put the cursor on a place of the list; returns the probe there."""
        if self.listing is None or not 0 <= position < len(self.listing):
            return None
        self.position = position
        return self.probe_id

    def step(self, delta: int) -> int | None:
        """Go to the next (1) or previous (-1) probe of the list; None where there is none."""
        return self.move_to(self.position + delta)

    def step_flagged(self, delta: int) -> int | None:
        """Go to the next (1) or previous (-1) probe with the flag that is looked for."""
        if self.listing is None:
            return None
        place = self.listing.next_flagged(self.position, delta)
        return self.move_to(place) if place is not None else None

    # Changes

    def toggle_mark(self, probe_id: int) -> None:
        """Mark a probe or take its mark away; told as :class:`MarkChanged`."""
        self._write(lambda: self.post(MarkChanged(probe_id, self.store.toggle_mark(probe_id))))

    def decide(self, probe_id: int, status: Status | None, label: str | None = None) -> None:
        """Set by hand what a greedy text says; ``status`` None takes that back.

        Told as :class:`OverrideChanged`.
        """

        def change() -> None:
            if status is None:
                self.store.clear_override(probe_id)
            else:
                self.store.set_override(probe_id, status, label)
            self.post(OverrideChanged(probe_id))

        self._write(change)

    def _write(self, change: Callable[[], None]) -> None:
        """Change the store in the background; what goes wrong is told as :class:`Problem`."""

        def attempt() -> None:
            try:
                change()
            except LogitscopeError as error:
                self.post(Problem(error.sentence, error.hint))

        self._writer.submit(attempt)

    @property
    def _unchangeable(self) -> tuple[str, str]:
        return _READ_ONLY if self.store.copied_at is None else _COPY

    def _check_writable(self) -> None:
        if self.read_only:
            raise StoreError(*self._unchangeable)

    # What the model is asked about one probe

    def rerun(self, probe_id: int) -> None:
        """Ask the model again, live; told as ``Ask...`` events."""
        self.ask(Rerun(probe_id))

    def ask(self, ask: Ask) -> None:
        """Ask the model something about a probe, live, instead of what is being asked.

        Told as ``Ask...`` events.
        """
        if self.read_only and not isinstance(ask, EditPrompt | TryFormat):
            self.post(AskFailed(ask, *self._unchangeable))
        else:
            self.asking.ask(ask)

    async def check_askable(self, probe_id: int) -> None:
        """Look up, off the event loop, whether anything can be asked of a probe.

        Raises:
            LogitscopeError: Nothing says how it was made.
        """
        from engine.followups import model_of

        await self.off_loop(lambda: model_of(self.store, probe_id))

    async def lab(self, probe_id: int) -> Lab:
        """A prompt lab of a probe and its pinned set.

        Raises:
            LogitscopeError: Nothing says how the probe was made, or too much is marked.
        """
        from engine.lab import Lab, pinned_probes

        return await self.off_loop(
            lambda: Lab(self.store, probe_id, pinned_probes(self.store, probe_id))
        )

    def keep(self, edited: Answered) -> None:
        """Store the answers to an edited prompt in the background; told as :class:`EditKept`."""

        def change() -> None:
            from engine.followups import keep

            self._check_writable()
            probe_id = keep(self.store, edited)
            self.post(EditKept(edited, self.view(probe_id).run.run_id))
            self.load_runs()

        self._write(change)
