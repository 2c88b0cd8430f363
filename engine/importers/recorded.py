"""Texts and tokens as logs have them, as the store's records: what is absent stays absent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from engine.importers.files import malformed
from engine.importers.imported import TokenNumbers
from engine.questions import Option
from engine.records import NOTHING_SEEN, Distribution, FinishReason, Generation, Positions

NOTHING_WRITTEN = Positions([], [], None, None, None, None, [], [])
"""Of a text whose tokens a log does not hold."""


class Text(NamedTuple):
    """One text of a log.

    Attributes:
        number: Which of the texts for the same prompt it is, from 1.
        text: The text.
        finish_reason: How it ended, where the log says it.
        positions: Its tokens.
    """

    number: int
    text: str
    finish_reason: FinishReason | None = None
    positions: Positions = NOTHING_WRITTEN


class Token(NamedTuple):
    """One written token of a log.

    Attributes:
        raw: Its bytes.
        logprob: Its logprob.
        top: Bytes and logprob of the likeliest tokens there; empty where not recorded.
    """

    raw: bytes
    logprob: float
    top: Sequence[tuple[bytes, float]] = ()


def generations(texts: Sequence[Text], *, greedy: bool) -> list[Generation]:
    """The texts for one prompt: where they are greedy the first is the greedy text, else a sample.

    Every other text is a sample, with its number.
    """
    return [
        Generation(
            kind="greedy" if greedy and place == 0 else "sample",
            index=0 if greedy and place == 0 else each.number,
            text=each.text,
            finish_reason=each.finish_reason,
            positions=each.positions,
        )
        for place, each in enumerate(texts)
    ]


def positions_of(written: Sequence[Token], numbers: TokenNumbers) -> Positions:
    """The tokens of one text. Ranks are known only where every token is in the list at its place.

    Args:
        written: The tokens.
        numbers: What gives ids to them.
    """
    ids = [numbers.number(token.raw) for token in written]
    lists = [sorted(token.top, key=lambda entry: -entry[1]) for token in written]
    top_ids = [[numbers.number(raw) for raw, _ in likeliest] for likeliest in lists]
    listed = all(token in kept for token, kept in zip(ids, top_ids, strict=True))
    return Positions(
        token_ids=ids,
        logprobs=[token.logprob for token in written],
        ranks=[kept.index(token) + 1 for token, kept in zip(ids, top_ids, strict=True)]
        if listed and ids
        else None,
        entropies=None,
        logsumexps=None,
        unseen=None,
        top_ids=top_ids,
        top_logprobs=[[logprob for _, logprob in likeliest] for likeliest in lists],
    )


def first_distribution(positions: Positions, *, greedy: bool) -> Distribution:
    """What is known of the first position: its list, or of a greedy text the token it begins with.

    A greedy text begins with the likeliest token of the vocabulary.
    """
    if not positions.token_ids:
        return NOTHING_SEEN
    if positions.top_ids[0]:
        return Distribution(positions.top_ids[0], positions.top_logprobs[0], None, None, None)
    if greedy:
        return Distribution(positions.token_ids[:1], positions.logprobs[:1], None, None, None)
    return NOTHING_SEEN


def label_logprobs(
    labels: Sequence[str], first: Distribution, numbers: TokenNumbers
) -> list[float | None]:
    """Logprob of each label as the first token, None where it is not among those recorded.

    All labels are taken in one spelling, bare or after a blank: the one with more probability.

    Returns:
        One entry a label, or nothing where no label is recorded.
    """
    known = {
        numbers.raw(token): logprob
        for token, logprob in zip(first.top_ids, first.top_logprobs, strict=False)
    }
    spelled = [[known.get(f"{blank}{label}".encode()) for label in labels] for blank in ("", " ")]
    likelier = max(spelled, key=_mass)
    return likelier if any(logprob is not None for logprob in likelier) else []


def _mass(logprobs: Sequence[float | None]) -> float:
    return math.fsum(math.exp(logprob) for logprob in logprobs if logprob is not None)


def named_option(target: str, options: Sequence[Option]) -> str | None:
    """Label of the option whose label or text a log's answer key is; None where it is neither."""
    bare = target.strip(" ().")
    return next(
        (option.label for option in options if option.label == bare),
        next((option.label for option in options if option.text.strip() == target.strip()), None),
    )


@contextmanager
def laid_out(place: str, kind: str) -> Iterator[None]:
    """Say of what is read inside that it is not laid out as its kind, where that is so.

    Raises:
        LogError: Something is missing or of another type; the sentence names the place.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        malformed(place, kind, error)


def whole(value: object) -> int | None:
    """A count as a number; None where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number_of(value: object) -> float | None:
    """A score as a number; None where it is none."""
    if isinstance(value, int | float) and not math.isnan(value):
        return float(value)
    return None


def several(count: int, one: str, more: str) -> str:
    """A sentence about a number of things: ``{}`` stands for the number."""
    return one if count == 1 else more.format(f"{count:,}")
