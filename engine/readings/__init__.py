"""The named readings: every way to get an answer out of one probe.

Each reading is one function of this package, whose docstring is its definition. A reading whose
input was not recorded is absent: never a zero, never a guess. ``docs/readings.md`` lists them with
their sources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.questions import Question
from engine.readings.continuations import read_continuations, read_label_continuation
from engine.readings.first import (
    read_first_nonblank,
    read_first_token,
    read_first_token_spellings,
    read_vocab_argmax,
)
from engine.readings.located import read_answer_position
from engine.readings.matches import read_matches
from engine.readings.reading import Reading, ReadingName
from engine.readings.texts import locate_text, read_majority, read_text
from engine.records import Generation, ProbeResult, Status

__all__ = ["Reading", "ReadingName", "Status", "read_probe", "read_text"]


def read_probe(
    question: Question,
    result: ProbeResult,
    token_bytes: Callable[[int], bytes],
    *,
    thinking: bool = False,
) -> list[Reading]:
    """Every reading that a probe's result allows.

    Args:
        question: The question in the order shown; its labels are those of the prompt.
        result: What the probe found.
        token_bytes: The bytes that a token id stands for.
        thinking: Whether the prompt ends in a think tag, so that the texts begin inside a block.

    Returns:
        At most one reading of each name, and one ``sample_text`` a sample, in a fixed order; none
        of a question without options, which only an imported log can have.
    """
    if not question.options:
        return []
    of_texts = list(_texts(question, result, token_bytes, thinking=thinking))
    return [
        *read_first_token(question.labels, result.label_logprobs or result.label_logits),
        *read_first_token_spellings(question.labels, result.spellings),
        *read_vocab_argmax(question.labels, result.first.top_ids, token_bytes),
        *read_label_continuation(question.labels, result.continuations),
        *read_continuations(question, result.continuations),
        *of_texts,
        *read_majority([reading for reading in of_texts if reading.name == "sample_text"]),
    ]


def _texts(
    question: Question,
    result: ProbeResult,
    token_bytes: Callable[[int], bytes],
    *,
    thinking: bool,
) -> Iterator[Reading]:
    """The readings of the greedy text, then those of the samples."""
    written = [text for text in result.generations if text.kind in ("greedy", "sample")]
    for text in sorted(written, key=lambda text: text.kind == "sample"):
        reading, place = locate_text(question, text, thinking=thinking)
        if text.kind == "greedy":
            yield from _of_greedy_tokens(question, result, text, reading, place, token_bytes)
            yield from read_matches(question, text)
        yield reading


def _of_greedy_tokens(
    question: Question,
    result: ProbeResult,
    text: Generation,
    reading: Reading,
    place: tuple[int, int] | None,
    token_bytes: Callable[[int], bytes],
) -> Iterator[Reading]:
    if text.positions.token_ids:
        written = [token_bytes(token_id) for token_id in text.positions.token_ids]
        yield from read_first_nonblank(question.labels, result, text.positions, written)
        yield from read_answer_position(question, result.spellings, text, written, reading, place)
