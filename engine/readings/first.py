"""Readings of the first tokens after the prompt."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from engine.readings.argmax import argmax
from engine.readings.reading import Reading
from engine.records import Positions, ProbeResult, Spelling


def read_first_token(labels: Sequence[str], scores: Sequence[float | None]) -> Iterator[Reading]:
    """The likeliest option label as the first token, whatever else is likelier.

    Argmax over the logprobs of the labels' tokens; of equals the first option, as ``np.argmax``
    does, with the rule ``tie``. Confidence is the softmax over the labels alone, margin its
    distance to the runner-up. ``choice_letter`` of arXiv:2402.14499, and the classic MMLU score.

    Args:
        labels: Option labels in the order shown.
        scores: Logprob of each label's token, or its raw logit, which differs from it by the same
            number for all; empty where not recorded.
    """
    if len(scores) == len(labels) and any(score is not None for score in scores):
        yield argmax("first_token", labels, scores)


def read_first_token_spellings(
    labels: Sequence[str], spellings: Sequence[Spelling]
) -> Iterator[Reading]:
    """The option whose label is likeliest as the first token, all its spellings taken together.

    A label's probability is the sum over the different tokens that spell it whole ("A", " A",
    "(A", ...); argmax, confidence and margin as for ``first_token``. It shows whether an answer
    hangs on the one spelling that is scored (lm-evaluation-harness#614, open-instruct#62).

    Args:
        labels: Option labels in the order shown.
        spellings: Every spelling with its logprob; empty where not recorded.
    """
    sums = [
        math.fsum(
            math.exp(logprob)
            for logprob in {
                spelling.token_id: spelling.logprob
                for spelling in spellings
                if spelling.whole and spelling.label == label
            }.values()
        )
        for label in labels
    ]
    if labels and all(total > 0 for total in sums):
        yield argmax("first_token_spellings", labels, [math.log(total) for total in sums])


def read_vocab_argmax(
    labels: Sequence[str], top_ids: Sequence[int], token_bytes: Callable[[int], bytes]
) -> Iterator[Reading]:
    """The likeliest first token of the whole vocabulary, where it is an option label.

    Blanks around the token are ignored, nothing else is: ``" A"`` is A, ``"(A"`` and ``"Sure"``
    are unparsed, with the token in the rule. ``max_first_token`` of arXiv:2402.14499; with one
    greedy token also what HELM's ``multiple_choice_joint`` reads.

    Args:
        labels: Option labels in the order shown.
        top_ids: Likeliest token ids, likeliest first; empty where not recorded.
        token_bytes: The bytes of a token id.
    """
    if not top_ids:
        return
    text = token_bytes(top_ids[0]).decode("utf-8", "replace")
    label = text.strip()
    if label in labels:
        yield Reading("vocab_argmax", "option", label=label, rule="argmax")
    else:
        yield Reading("vocab_argmax", "unparsed", rule=f"token {text!r}")


def read_first_nonblank(
    labels: Sequence[str], result: ProbeResult, positions: Positions, written: Sequence[bytes]
) -> Iterator[Reading]:
    """The likeliest option label at the first token of the greedy text that is not blank.

    Where the text begins with a label or a word this is ``first_token``. Where it begins with
    blank tokens, a label's score is the logprob of its likeliest spelling among the tokens kept at
    the position; confidence is the softmax over the labels, None where not every label is among
    them, and the status is ``unparsed`` where none is. The released first tokens of
    arXiv:2402.14499 skip the blank that Llama-2 begins with.

    Args:
        labels: Option labels in the order shown.
        result: The probe.
        positions: Of the greedy text.
        written: Bytes of its tokens.
    """
    place = next((place for place, raw in enumerate(written) if raw.strip()), None)
    if place is None:
        yield Reading("first_nonblank", "unparsed", rule="only blanks")
        return
    if place == 0:
        scores: Sequence[float | None] = result.label_logprobs
    else:
        kept = dict(zip(positions.top_ids[place], positions.top_logprobs[place], strict=True))
        scores = [_likeliest_spelling(label, result.spellings, kept) for label in labels]
    if len(scores) != len(labels):
        return
    if all(score is None for score in scores):
        rule = f"no label among the {len(positions.top_ids[place])} likeliest tokens"
        yield Reading("first_nonblank", "unparsed", rule=rule, position=place)
    else:
        yield argmax("first_nonblank", labels, scores, position=place)


def _likeliest_spelling(
    label: str, spellings: Sequence[Spelling], kept: dict[int, float]
) -> float | None:
    found = [
        kept[spelling.token_id]
        for spelling in spellings
        if spelling.whole and spelling.label == label and spelling.token_id in kept
    ]
    return max(found, default=None)
