"""Readings of the log-likelihoods of whole options as continuations of the prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from engine.questions import Option, Question
from engine.readings.argmax import argmax
from engine.readings.reading import Reading, ReadingName
from engine.records import Continuation

Score = Callable[[Continuation, Option], float | None]


def _total(scored: Continuation, option: Option) -> float | None:
    """Sum of the token logprobs: ``acc`` of lm-evaluation-harness."""
    return scored.total


def _per_token(scored: Continuation, option: Option) -> float | None:
    """The sum over the number of tokens: HELM's ``multiple_choice_separate_original``."""
    return scored.total / len(scored.token_ids) if scored.token_ids else None


def _per_character(scored: Continuation, option: Option) -> float | None:
    """The sum over the characters of the option's text: ``acc_norm`` of lm-evaluation-harness.

    Characters of the text, neither tokens nor bytes (lm-evaluation-harness#3278).
    """
    return scored.total / len(option.text) if option.text else None


def _per_byte(scored: Continuation, option: Option) -> float | None:
    """The sum over the UTF-8 bytes of the option's text: ``acc_bytes`` of newer harnesses."""
    return scored.total / len(option.text.encode("utf-8", "replace")) if option.text else None


def _beyond_unconditional(scored: Continuation, option: Option) -> float | None:
    """The sum minus that after the answer cue alone, without the question.

    HELM's ``multiple_choice_separate_calibrated``; with a bare cue, ``acc_mutual_info`` of
    lm-evaluation-harness.
    """
    return None if scored.unconditional is None else scored.total - scored.unconditional


SCORES: dict[ReadingName, Score] = {
    "continuation": _total,
    "continuation_per_token": _per_token,
    "continuation_per_character": _per_character,
    "continuation_per_byte": _per_byte,
    "continuation_unconditional": _beyond_unconditional,
}


def read_label_continuation(
    labels: Sequence[str], continuations: Sequence[Continuation]
) -> Iterator[Reading]:
    """The option whose label is the likeliest continuation of the prompt, to its last token.

    Argmax over the summed token logprobs of the labels. Where every label is one token this is
    ``first_token``; of longer labels ("10", "(A)") only this is a probability of the whole. What
    lm-evaluation-harness scores in ``mmlu``.

    Args:
        labels: Option labels in the order shown.
        continuations: What was scored; nothing is read unless every label was.
    """
    totals = {scored.label: scored.total for scored in continuations if scored.kind == "label"}
    if labels and all(label in totals for label in labels):
        yield argmax("label_continuation", labels, [totals[label] for label in labels])


def read_continuations(
    question: Question, continuations: Sequence[Continuation]
) -> Iterator[Reading]:
    """The option whose text is the likeliest continuation of the prompt, under each score.

    Argmax over the options; of equals the first. Each entry of :data:`SCORES` is one reading.
    Confidence is the softmax over the scores, which is a probability for the plain sum only.

    Args:
        question: In the order shown.
        continuations: What was scored; nothing is read unless every option's text was.
    """
    scored = {known.label: known for known in continuations if known.kind == "text"}
    if not all(label in scored for label in question.labels):
        return
    for name, score in SCORES.items():
        values = [score(scored[option.label], option) for option in question.options]
        if values and None not in values:
            yield argmax(name, question.labels, values)
