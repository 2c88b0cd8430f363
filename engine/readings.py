"""The named readings: every way to get an answer out of one probe.

Each reading is one function below, whose docstring is its definition. A reading whose input was
not recorded is absent: never a zero, never a guess. ``docs/readings.md`` lists them with sources.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec

from engine.questions import Question
from engine.records import Generation, GenerationKind, ProbeResult, Status

__all__ = ["Reading", "ReadingName", "Status", "read_probe"]

ReadingName = Literal[
    "first_token",
    "vocab_argmax",
    "continuation",
    "greedy_text",
    "sample_text",
    "majority",
    "extra_text",
    "branch_text",
]

_TEXTS: dict[GenerationKind, ReadingName] = {
    "greedy": "greedy_text",
    "sample": "sample_text",
    "extra": "extra_text",
    "branch": "branch_text",
}


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


def read_probe(
    question: Question,
    result: ProbeResult,
    token_text: Callable[[int], str],
    *,
    thinking: bool = False,
) -> list[Reading]:
    """Every reading that a probe's result allows.

    Args:
        question: The question in the order shown; its labels are those of the prompt.
        result: What the probe found.
        token_text: Text of a token id, as the tokenizer decodes it.
        thinking: Whether the prompt ends in a think tag, so that the texts begin inside a block.

    Returns:
        At most one reading of each name, and one ``sample_text`` a sample, in a fixed order.
    """
    labels = question.labels
    samples = [
        read_text(question, generation, thinking=thinking)
        for generation in result.generations
        if generation.kind == "sample"
    ]
    greedy = [
        read_text(question, generation, thinking=thinking)
        for generation in result.generations
        if generation.kind == "greedy"
    ]
    return [
        *read_first_token(labels, result.label_logprobs),
        *read_vocab_argmax(labels, result.first.top_ids, token_text),
        *read_continuation(labels, result),
        *greedy,
        *samples,
        *read_majority(samples),
    ]


def read_first_token(labels: Sequence[str], label_logprobs: Sequence[float]) -> Iterator[Reading]:
    """The likeliest option label as the first token, whatever else is likelier.

    Argmax over the logprobs of the labels' tokens; of equals the first option, as ``np.argmax``
    does, with the rule ``tie``. Confidence is the softmax over the labels alone, margin its
    distance to the runner-up. ``choice_letter`` of arXiv:2402.14499, and the classic MMLU score.

    Args:
        labels: Option labels in the order shown.
        label_logprobs: Logprob of each label's token; empty where not recorded.
    """
    if len(label_logprobs) == len(labels) > 0:
        yield _argmax("first_token", labels, label_logprobs)


def read_vocab_argmax(
    labels: Sequence[str], top_ids: Sequence[int], token_text: Callable[[int], str]
) -> Iterator[Reading]:
    """The likeliest first token of the whole vocabulary, where it is an option label.

    Blanks around the token are ignored, nothing else is: ``" A"`` is A, ``"(A"`` and ``"Sure"``
    are unparsed, with the token in the rule. ``max_first_token`` of arXiv:2402.14499.

    Args:
        labels: Option labels in the order shown.
        top_ids: Likeliest token ids, likeliest first; empty where not recorded.
        token_text: Text of a token id.
    """
    if not top_ids:
        return
    text = token_text(top_ids[0])
    label = text.strip()
    if label in labels:
        yield Reading("vocab_argmax", "option", label=label, rule="argmax")
    else:
        yield Reading("vocab_argmax", "unparsed", rule=f"token {text!r}")


def read_continuation(labels: Sequence[str], result: ProbeResult) -> Iterator[Reading]:
    """The option whose text is the likeliest continuation of the prompt.

    Argmax over the options of the summed token logprobs of the option's text; of equals the first
    option. Confidence is the softmax over these sums. ``acc`` of lm-evaluation-harness, without
    any normalisation by length.

    Args:
        labels: Option labels in the order shown.
        result: The probe; nothing is read unless every option's text was scored.
    """
    totals = {
        continuation.label: continuation.total
        for continuation in result.continuations
        if continuation.kind == "text"
    }
    if labels and all(label in totals for label in labels):
        yield _argmax("continuation", labels, [totals[label] for label in labels])


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
    # Compiling the ladder's rules takes a tenth of a second, which no screen should wait for.
    from engine.answers import read_answer

    answer = read_answer(
        generation.text,
        question.options,
        finished=generation.finish_reason == "stop",
        thinking=thinking,
    )
    return Reading(
        name=_TEXTS[generation.kind],
        sample=None if generation.kind == "greedy" else generation.index,
        status=answer.status,
        label=answer.label,
        labels=answer.labels,
        rule=answer.rule,
        span=answer.span,
        hedged=answer.hedged,
    )


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


def _argmax(name: ReadingName, labels: Sequence[str], logprobs: Sequence[float]) -> Reading:
    """The first of the highest logprobs, with its softmax among them and the runner-up's distance.

    The softmax is shifted by the maximum, so that it neither overflows nor underflows to zeros.
    """
    highest = max(logprobs)
    best = logprobs.index(highest)
    weights = [math.exp(logprob - highest) for logprob in logprobs]
    total = math.fsum(weights)
    runner_up = max((w for place, w in enumerate(weights) if place != best), default=0.0)
    return Reading(
        name,
        "option",
        label=labels[best],
        confidence=weights[best] / total,
        margin=(weights[best] - runner_up) / total,
        rule="tie" if list(logprobs).count(highest) > 1 else "argmax",
    )
