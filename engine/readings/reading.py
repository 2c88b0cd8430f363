"""What a reading is."""

from __future__ import annotations

import msgspec

from engine.records import ReadingName, Status

__all__ = ["Reading", "ReadingName"]


class Reading(msgspec.Struct, frozen=True):
    """What one way of reading says about one probe.

    Attributes:
        name: Which way of reading.
        sample: Index of the generation for ``sample_text``, ``extra_text`` and ``branch_text``,
            otherwise None.
        status: Whether it found an option, and if not, what it found.
        label: The option it says, in this order's labels. A refusal where the question has an
            option that is itself a refusal ("Refused") carries that option's label.
        labels: Every endorsed option where status is ``several``.
        confidence: In 0..1 where the reading has one, otherwise None.
        margin: Distance to the runner-up in the same unit as confidence, otherwise None.
        rule: Name of the rule that decided.
        span: Start and end, in characters of the generation's text, of what the rule matched.
        hedged: Whether the text also declines or doubts while endorsing an option.
        position: Number of the written token that was read, from 0, where it is one token.
        logit: The highest raw logit at that position, where recorded.
    """

    name: ReadingName
    status: Status
    sample: int | None = None
    label: str | None = None
    labels: tuple[str, ...] = ()
    confidence: float | None = None
    margin: float | None = None
    rule: str = ""
    span: tuple[int, int] | None = None
    hedged: bool = False
    position: int | None = None
    logit: float | None = None
