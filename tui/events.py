"""What the session tells the screens. Events may be posted from any thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from engine import protocol
    from engine.runs import RunProgress
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


class RerunStarted(msgspec.Struct, frozen=True):
    """A question is being asked again."""

    probe_id: int


class RerunSaw(msgspec.Struct, frozen=True):
    """The worker said something about the question being asked again.

    ``event`` is a ``Loading``, ``FirstToken``, ``Wrote`` or ``Note`` of :mod:`engine.protocol`.
    """

    probe_id: int
    event: protocol.Event


class RerunDone(msgspec.Struct, frozen=True):
    """The new probe is stored."""

    probe_id: int
    new_probe_id: int


class RerunFailed(msgspec.Struct, frozen=True):
    """The question could not be asked again, or was cancelled."""

    probe_id: int
    sentence: str
    hint: str = ""


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
    | RerunStarted
    | RerunSaw
    | RerunDone
    | RerunFailed
    | Noted
    | Problem
)
