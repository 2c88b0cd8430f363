"""Readings of the texts that a model wrote, by the answer ladder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from engine.questions import Question
from engine.readings.reading import Reading, ReadingName
from engine.records import Generation, GenerationKind

_TEXTS: dict[GenerationKind, ReadingName] = {
    "greedy": "greedy_text",
    "sample": "sample_text",
    "extra": "extra_text",
    "branch": "branch_text",
}


def read_text(question: Question, generation: Generation, *, thinking: bool = False) -> Reading:
    """What a generated text says, by the answer ladder of :mod:`engine.answers`.

    ``greedy_text`` reads the greedy text, ``sample_text`` one sample of the run, ``extra_text`` a
    sample drawn later by hand, ``branch_text`` a branch. A text that a token limit or a
    cancellation cut is not finished. arXiv:2402.14499 reads texts with a trained classifier,
    arXiv:2402.13213 with a ladder of three rules; this ladder is logitscope's own.

    Args:
        question: The question in the order shown.
        generation: The greedy text or a sample.
        thinking: Whether the prompt ends in a think tag, so that the text begins inside a block.
    """
    reading, _ = locate_text(question, generation, thinking=thinking)
    return reading


def locate_text(
    question: Question, generation: Generation, *, thinking: bool = False
) -> tuple[Reading, tuple[int, int] | None]:
    """As :func:`read_text`, with the characters of the label or option text that was taken."""
    # Compiling the ladder's rules takes a tenth of a second, which no screen should wait for.
    from engine.answers import read_answer

    answer = read_answer(
        generation.text,
        question.options,
        finished=generation.finish_reason in ("stop", None),
        thinking=thinking,
    )
    reading = Reading(
        name=_TEXTS[generation.kind],
        sample=None if generation.kind == "greedy" else generation.index,
        status=answer.status,
        label=answer.label,
        labels=answer.labels,
        rule=answer.rule,
        span=answer.span,
        hedged=answer.hedged,
    )
    return reading, answer.place


def read_majority(samples: Sequence[Reading]) -> Iterator[Reading]:
    """What most samples say: the commonest pair of status and label.

    Of equally common pairs the one that an earlier sample says wins, with the rule ``tie``.
    Confidence is its share of the samples, margin the distance to the runner-up's share. Refusals
    and unread texts vote like any other. Self-consistency (arXiv:2203.11171) over answers that
    need not be options.

    Args:
        samples: The ``sample_text`` readings in the order of the samples; none, no reading.
    """
    votes = Counter((sample.status, sample.label) for sample in samples)
    if not votes:
        return
    (winner, most), *others = votes.most_common()
    runner_up = others[0][1] if others else 0
    first = next(sample for sample in samples if (sample.status, sample.label) == winner)
    yield Reading(
        "majority",
        first.status,
        label=first.label,
        labels=first.labels,
        confidence=most / len(samples),
        margin=(most - runner_up) / len(samples),
        rule="tie" if most == runner_up else "mode",
    )
