"""What a run remembers of the sweep that it is, or is a part of."""

from __future__ import annotations

import msgspec


class SweptPoint(msgspec.Struct, frozen=True):
    """One point of a sweep: which probes of its runs belong to it.

    Attributes:
        label: What tables and bars call it.
        format: Name of the prompt format that is asked.
        order: Number of the option order; None where the point has all orders of its run.
        setting: A setting of the sampler and its value in the point's run; None where the sweep
            is over something else.
    """

    label: str
    format: str
    order: int | None = None
    setting: tuple[str, float] | None = None


class Swept(msgspec.Struct, frozen=True):
    """A sweep, the same in every run that is a part of it.

    Attributes:
        axis: What is swept over; a name in :data:`engine.sweeps.AXES`.
        points: In the order shown; the first is what the others are compared with.
    """

    axis: str
    points: tuple[SweptPoint, ...]
