"""The text-answer ladder: what a model's reply says, in one of seven statuses.

Rules are tried in order; the first that finds something decides, and its name and the characters
it matched travel with the answer. Explicit answers come first, then refusals, then indirect
evidence: "I cannot say for sure, but I choose B" is B, and "I cannot answer; the word 'ghetto' is
offensive" is a refusal although it quotes an option.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import msgspec

from engine.answers import refusals
from engine.answers.mentions import OptionIndex
from engine.answers.reply import prepare
from engine.answers.rules import DECLINING, EXPLICIT, INDIRECT, LEAVING_OPEN, Phrase, Rule
from engine.answers.view import Endorsed, View
from engine.questions import Option
from engine.records import Status

_TURNS = re.compile(r"[,;:–—]|\b(?:but|maybe|perhaps|though|however|probably|possibly)\b")


class Answer(msgspec.Struct, frozen=True):
    """What one reply says.

    Attributes:
        status: Whether it names an option, and if not, what it does instead.
        label: The option it names. A refusal carries the label of the option that is itself a
            refusal, where the question has one.
        labels: The options it endorses where it endorses several.
        rule: Name of the rule that decided.
        span: Start and end in characters of the original reply, None where nothing was found.
        hedged: Whether the reply also declines or doubts while it names an option.
        place: Start and end of the label inside the span, or of the option's text or number word
            where only that names it; None unless one option is named.
    """

    status: Status
    label: str | None = None
    labels: tuple[str, ...] = ()
    rule: str = ""
    span: tuple[int, int] | None = None
    hedged: bool = False
    place: tuple[int, int] | None = None


def read_answer(
    text: str,
    options: Mapping[str, str] | Sequence[Option],
    *,
    finished: bool = True,
    thinking: bool = False,
) -> Answer:
    """Read what a reply answers.

    Args:
        text: The reply, exactly as the model wrote it.
        options: Label to text, or the question's options.
        finished: Whether the model ended the reply itself; False where a token limit cut it.
        thinking: Whether the prompt ends in a think tag, so that the reply begins inside a block.

    Returns:
        The answer; its labels are always among the options.
    """
    if not isinstance(options, Mapping):
        options = {option.label: option.text for option in options}
    index = _index(tuple(options.items()))
    reply = prepare(text, thinking=thinking)
    if reply.open_think:
        tag = reply.open_think if any(reply.open_think) else None
        return Answer("truncated", rule="open think block", span=tag)
    answer = _read(View(reply, reply.turn_end, index, finished=finished))
    if answer.status in ("unparsed", "truncated") and reply.turn_end < len(reply.text):
        answer = _read(View(reply, len(reply.text), index, finished=finished))
    return answer


@lru_cache(maxsize=256)
def _index(options: tuple[tuple[str, str], ...]) -> OptionIndex:
    return OptionIndex(dict(options))


def _read(view: View) -> Answer:
    if explicit := _first(view, EXPLICIT):
        return _endorsing(view, view, *explicit)
    if declined := _phrased(view, DECLINING):
        return declined
    whole = view if view.finished else view.complete_sentences()
    indirect = _first(whole, INDIRECT)
    doubt = view.outside(refusals.DONT_KNOW)
    if indirect and not (doubt and _is_doubted(view, doubt.end(), indirect[1].start)):
        return _endorsing(view, whole, *indirect)
    # "That depends on" may go on to an answer where the text was cut.
    open_ended = (phrase for phrase in LEAVING_OPEN if view.finished or phrase[1] != "refusal")
    if left_open := _phrased(view, open_ended):
        return left_open
    if not view.finished:
        return Answer("truncated", rule="token limit")
    return Answer("unparsed", rule="nothing found")


def _phrased(view: View, phrases: Iterable[Phrase]) -> Answer | None:
    """What the first phrase that the reply has makes of it."""
    for name, status, phrase in phrases:
        if match := view.outside(phrase):
            label = view.index.refusal_label if status == "refusal" else None
            return Answer(status, label, rule=name, span=view.reply.span(*match.span()))
    return None


def _first(view: View, rules: Iterable[tuple[str, Rule]]) -> tuple[str, Endorsed] | None:
    return next(((name, found) for name, rule in rules if (found := rule(view))), None)


def _is_doubted(view: View, doubt_end: int, option_start: int) -> bool:
    """Whether a doubt is about an option: "I don't know if it's B", not "I don't know, maybe B"."""
    between = view.lower[doubt_end:option_start]
    same_sentence = view.sentence(doubt_end - 1) == view.sentence(option_start)
    return option_start >= doubt_end and same_sentence and not _TURNS.search(between)


def _endorsing(view: View, read: View, rule: str, found: Endorsed) -> Answer:
    """The answer that options found in what was read of a reply make of the whole."""
    span = view.reply.span(found.start, found.end)
    only = found.labels[0] if len(found.labels) == 1 else None
    hedged = any(view.outside(phrase, only) for phrase in refusals.HEDGES)
    if only is not None:
        place = view.reply.span(*read.mentions[read.at[found.start]].name)
        return Answer("option", only, rule=rule, span=span, hedged=hedged, place=place)
    return Answer("several", labels=found.labels, rule=rule, span=span, hedged=hedged)
