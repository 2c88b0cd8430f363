"""Where generations part, and which tokens surprise."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.records import Positions

SURPRISING_PROBABILITY = 0.2
"""A token whose raw probability is below this is surprising even when it is the likeliest."""

_SURPRISING_LOGPROB = math.log(SURPRISING_PROBABILITY)


def first_divergence(left: Sequence[int], right: Sequence[int]) -> int | None:
    """Index of the first token that differs; the shorter one's length where it is a prefix.

    None where both are the same.
    """
    for index, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return index
    return None if len(left) == len(right) else min(len(left), len(right))


def is_surprising(rank: int, logprob: float) -> bool:
    """Whether another token was likelier, or this one was unlikely though it led."""
    return rank > 1 or logprob < _SURPRISING_LOGPROB


def next_surprising(positions: Positions, after: int) -> int | None:
    """The next surprising position behind ``after``, from the start again at the end, or None."""
    length = len(positions)
    for step in range(1, length + 1):
        index = (after + step) % length
        rank = 1 if positions.ranks is None else positions.ranks[index]
        if is_surprising(rank, positions.logprobs[index]):
            return index
    return None
