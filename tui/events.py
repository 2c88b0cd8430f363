"""What the session tells the screens. Events may be posted from any thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from engine.followups import Answered
    from engine.lab import LabEvent
    from engine.runs import RunProgress
    from tui.asking import Answer, Ask
    from tui.listing import Listing, Query


class RunsChanged(msgspec.Struct, frozen=True):
    """The runs of the store, or which of them is shown, are different now."""


class ListingChanged(msgspec.Struct, frozen=True):
    """Another list of probes is in force; ``session.listing`` is it."""

    listing: Listing


class ListingFailed(msgspec.Struct, frozen=True):
    """A query could not be carried out; the list in force stays."""

    query: Query
    sentence: str


class MarkChanged(msgspec.Struct, frozen=True):
    """A probe got a mark or lost it."""

    probe_id: int
    marked: bool


class OverrideChanged(msgspec.Struct, frozen=True):
    """What a probe's greedy text says was set by hand, or taken back; its flags may differ."""

    probe_id: int


class RunProgressed(msgspec.Struct, frozen=True):
    """The run that is going came further; at most four a second."""

    progress: RunProgress


class RunEnded(msgspec.Struct, frozen=True):
    """No run is going any more.

    Attributes:
        run_id: The run, or None when it could not even begin.
        status: finished, cancelled, failed or interrupted.
        sentence: How it ended.
        hint: What to do about it; empty where nothing is wrong.
    """

    run_id: int | None
    status: str
    sentence: str
    hint: str = ""


class AskStarted(msgspec.Struct, frozen=True):
    """The model is asked something about one probe."""

    ask: Ask


class AskSaw(msgspec.Struct, frozen=True):
    """The worker said something about what is being asked.

    ``event`` is a ``Loading``, ``FirstToken``, ``Wrote`` or ``Note`` of :mod:`engine.protocol`, or
    what :data:`engine.lab.OnLabEvent` is told.
    """

    ask: Ask
    event: LabEvent


class AskDone(msgspec.Struct, frozen=True):
    """The answer is there, and stored unless it is to an edited prompt or a format tried."""

    ask: Ask
    answer: Answer


class AskFailed(msgspec.Struct, frozen=True):
    """The model could not be asked."""

    ask: Ask
    sentence: str
    hint: str = ""


class AskCancelled(msgspec.Struct, frozen=True):
    """What was asked was taken back, or something else took its place."""

    ask: Ask


class EditKept(msgspec.Struct, frozen=True):
    """The answers to an edited prompt were stored as a run of their own."""

    edited: Answered
    run_id: int


class Noted(msgspec.Struct, frozen=True):
    """Something the user should know that is no error."""

    sentence: str


class Problem(msgspec.Struct, frozen=True):
    """Something went wrong that no other event speaks of."""

    sentence: str
    hint: str = ""


SessionEvent = (
    RunsChanged
    | ListingChanged
    | ListingFailed
    | MarkChanged
    | OverrideChanged
    | RunProgressed
    | RunEnded
    | AskStarted
    | AskSaw
    | AskDone
    | AskFailed
    | AskCancelled
    | EditKept
    | Noted
    | Problem
)
