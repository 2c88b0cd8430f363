"""Where generations part, which tokens surprise, and which tokens a span of the text covers."""

from __future__ import annotations

import codecs
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
        if is_surprising(positions.ranks[index], positions.logprobs[index]):
            return index
    return None


def character_spans(raw_tokens: Sequence[bytes]) -> tuple[str, list[tuple[int, int]]]:
    """Decode tokens one after the other: the whole text, and each token's characters in it.

    A token that holds a part of a character covers that whole character. Bytes that are no UTF-8
    decode to U+FFFD.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    spans: list[tuple[int, int]] = []
    pieces: list[str] = []
    length = 0
    for raw in raw_tokens:
        piece = decoder.decode(raw)
        pending = bool(decoder.getstate()[0])
        spans.append((length, length + len(piece) + pending))
        length += len(piece)
        pieces.append(piece)
    return "".join([*pieces, decoder.decode(b"", final=True)]), spans


def tokens_of_span(
    raw_tokens: Sequence[bytes], text: str, span: tuple[int, int]
) -> tuple[int, int] | None:
    """The range of tokens that ``text[span]`` covers, or None where they do not spell the text.

    The decoded text may miss what tokenizers drop (a leading space, the final stop token), so it is
    looked up in what the tokens spell.
    """
    spelled, spans = character_spans(raw_tokens)
    offset = spelled.find(text)
    if offset < 0 or span[0] >= span[1]:
        return None
    start, end = span[0] + offset, span[1] + offset
    covered = [index for index, (a, b) in enumerate(spans) if a < end and b > start]
    return (covered[0], covered[-1] + 1) if covered else None
