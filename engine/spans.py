"""Which characters of a text its tokens cover."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


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
