"""Readings at the token of the greedy text where the answer itself stands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec

from engine.questions import Question
from engine.readings.argmax import argmax
from engine.readings.reading import Reading
from engine.records import Generation, Positions, Spelling
from engine.spans import tokens_of_span


def read_answer_position(
    question: Question,
    spellings: Sequence[Spelling],
    text: Generation,
    written: Sequence[bytes],
    reading: Reading,
    place: tuple[int, int] | None,
) -> Iterator[Reading]:
    """What the model thought where it wrote its answer: over the vocabulary, and the options.

    The position is the token that holds the first character of the label, or of the option's text,
    that the answer ladder took. ``answer_position`` says the ladder's option; its confidence is the
    highest probability of the whole vocabulary there (MSP), ``logit`` the highest raw logit. The
    measure of arXiv:2402.13213, whose own ladder has three rules; a text that the ladder finds no
    option in has no position and no confidence.

    ``answer_position_options`` is the argmax over the options' labels there, in the spelling that
    was written, with the softmax over them as its confidence: None where not every label is among
    the kept tokens. Where the model reasons first, both are the probability of a letter given that
    reasoning.

    Args:
        question: In the order shown.
        spellings: Of every label, with token ids.
        text: The greedy text.
        written: Bytes of its tokens.
        reading: What the ladder reads in it.
        place: Characters of the label or option text that it took.
    """
    tokens = None if place is None else tokens_of_span(written, text.text, place)
    if place is None or tokens is None:
        lost = "option" if reading.status != "option" else "token"
        status = reading.status if reading.status != "option" else "unparsed"
        yield Reading("answer_position", status, rule=f"no {lost} to look at")
        return
    at, positions = tokens[0], text.positions
    likeliest = _likeliest(positions, at)
    yield Reading(
        "answer_position",
        "option",
        label=reading.label,
        confidence=None if likeliest is None else math.exp(likeliest),
        rule=reading.rule,
        span=place,
        position=at,
        logit=None
        if likeliest is None or positions.logsumexps is None
        else likeliest + positions.logsumexps[at],
    )
    among = _among_options(question.labels, spellings, positions, at)
    if among is not None:
        yield msgspec.structs.replace(among, span=place)


def _likeliest(positions: Positions, at: int) -> float | None:
    """The highest logprob at a position; None where neither rank nor list tells it."""
    if positions.ranks is not None and positions.ranks[at] == 1:
        return positions.logprobs[at]
    return max(positions.top_logprobs[at], default=None)


def _among_options(
    labels: Sequence[str], spellings: Sequence[Spelling], positions: Positions, at: int
) -> Reading | None:
    """Argmax over the labels, spelled as the written token spells its own."""
    wholes = [spelling for spelling in spellings if spelling.whole]
    written = next(
        (known for known in wholes if known.token_id == positions.token_ids[at]),
        None,
    )
    if written is None:
        return None
    start = written.spelling.lower().index(written.label.lower())
    end = start + len(written.label)
    lower = written.spelling[start:end] != written.label
    before, after = written.spelling[:start], written.spelling[end:]
    ids = {
        known.label: known.token_id
        for known in wholes
        if known.spelling == before + (known.label.lower() if lower else known.label) + after
    }
    kept = dict(zip(positions.top_ids[at], positions.top_logprobs[at], strict=True))
    kept.setdefault(written.token_id, positions.logprobs[at])
    scores = [kept.get(ids[label]) if label in ids else None for label in labels]
    return argmax("answer_position_options", labels, scores, position=at)
