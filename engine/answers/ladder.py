"""The text-answer ladder: what a model's reply says, in one of seven statuses.

Rules are tried in order; the first that finds something decides, and its name and the characters
it matched travel with the answer. Explicit answers come first, then refusals, then indirect
evidence: "I cannot say for sure, but I choose B" is B, and "I cannot answer; the word 'ghetto' is
offensive" is a refusal although it quotes an option.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Literal

import msgspec

from engine.answers import phrases
from engine.answers.mentions import Mention, OptionIndex, bare_ends, starts_line
from engine.answers.reply import prepare
from engine.answers.view import LINE_FORMS, Endorsed, View
from engine.questions import Option

LADDER_VERSION = 1
"""Goes up with every change that can read a reply differently."""

Status = Literal[
    "option",
    "several",
    "none_of_these",
    "refusal",
    "dont_know",
    "truncated",
    "unparsed",
]


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
    """

    status: Status
    label: str | None = None
    labels: tuple[str, ...] = ()
    rule: str = ""
    span: tuple[int, int] | None = None
    hedged: bool = False


_INTERJECTION = re.compile(
    r"\s{0,20}(?:(?:sure|certainly|of course|absolutely|okay|ok|yes|well|thank you|thanks|"
    r"great question|good question)[!,.:]{0,3}\s{0,3}){0,2}",
    re.I,
)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s?\{|<(?:answer|ans|final_answer)>", re.I)
_CONCLUSION = re.compile(r"\b(?:therefore|thus|so|hence|overall|in conclusion|in summary)\b", re.I)
_LABEL_FORMS = frozenset({"item", "paired", "wrapped", "named", "alone"})
_REFUSAL_OPTION = re.compile(
    r"(?:i )?(?:refuse[ds]?|declined?|prefer not)(?: to (?:say|answer|respond|state))?|no answer",
    re.I,
)


def _read_boxed(view: View) -> Endorsed | None:
    r"""The last ``\boxed{B}`` or ``<answer>B</answer>``."""
    for box in reversed(list(_BOXED.finditer(view.marked))):
        place = view.target(box.end())
        if place is not None and (found := view.group(place)):
            return found
    return None


def _read_declared(view: View) -> Endorsed | None:
    """The last statement of the answer: "the answer is B", "I choose option B", "答案是B"."""
    stated = asked = None
    for cue in phrases.ANSWER_CUE.finditer(view.text):
        place = view.target(cue.end())
        if place is None or view.hypothetical(*cue.span()):
            continue
        found = view.group(place)
        if found is None or view.rejected(found.start, found.end):
            continue
        if view.asks(found.start):
            asked = found
        else:
            stated = found
    return stated or asked


def _read_closing(view: View) -> Endorsed | None:
    """The last line, where it is nothing but an option."""
    text = view.text.rstrip()
    return _line_answer(view, text.rfind("\n") + 1, len(text))


def _read_opening(view: View) -> Endorsed | None:
    """The reply begins with an option."""
    interjection = _INTERJECTION.match(view.text)
    return _line_answer(view, interjection.end() if interjection else 0, None)


def _line_answer(view: View, start: int, end: int | None) -> Endorsed | None:
    """The options right at a place, followed by a mark or, with ``end``, by nothing else."""
    place = view.target(start)
    if place is None or place in view.listing:
        return None
    mention = view.mentions[place]
    if mention.form in ("text", "bare") and not bare_ends(view.text, mention.end):
        return None
    found = view.group(place)
    if found is None or view.rejected(found.start, found.end):
        return None
    return found if end is None or not re.search(r"\w", view.text[found.end : end]) else None


def _read_verdict(view: View) -> Endorsed | None:
    """The last option that is called right: "B is correct", "(B) best describes", "Bが正解"."""
    last = None
    for place, mention in enumerate(view.mentions):
        if (
            phrases.VERDICT_AFTER.match(view.text, mention.end)
            and not view.hypothetical(mention.start, mention.start)
            and not view.rejected(mention.start, mention.end)
        ):
            last = view.group(place) or last
    return last


def _read_lines(view: View) -> Endorsed | None:
    """The options at line starts that are no listing of the options."""
    return _together(
        mention
        for place, mention in enumerate(view.mentions)
        if mention.form in LINE_FORMS
        and place not in view.listing
        and starts_line(view.text, mention.start)
        and not view.rejected(mention.start, mention.end)
    )


def _read_mentioned(view: View) -> Endorsed | None:
    """The only option whose label is mentioned, with a delimiter or a word such as "option"."""
    return _only(
        mention
        for place, mention in enumerate(view.mentions)
        if mention.form in _LABEL_FORMS
        and place not in view.listing
        and not view.rejected(mention.start, mention.end)
    )


def _read_text(view: View) -> Endorsed | None:
    """The only option whose text stands in the reply.

    Where several stand in it, the only one in the last concluding sentence, else the only one in
    the first sentence that has any; two that come equally early are not told apart.
    """
    found = [
        mention
        for mention in view.mentions
        if mention.form == "text"
        and _is_distinctive(view, mention)
        and not view.rejected(mention.start, mention.end)
    ]
    if only := _only(found):
        return only
    by_sentence: dict[int, list[Mention]] = {}
    for mention in found:
        by_sentence.setdefault(view.sentence(mention.start), []).append(mention)
    concluding = [
        mentions
        for number, mentions in by_sentence.items()
        if _CONCLUSION.search(view.text, view.sentence_starts[number], mentions[0].start)
    ]
    for mentions in [*concluding[-1:], *list(by_sentence.values())[:1]]:
        if only := _only(mentions):
            return only
    return None


def _is_distinctive(view: View, mention: Mention) -> bool:
    """Whether a text is unlikely to stand in a reply by chance.

    One short or everyday word ("some", "no") must be a sentence's end or stand in quotes or bold.
    """
    words = view.text[mention.start : mention.end]
    if len(words.split()) > 1 or words[0].isdigit() or not words.isascii():
        return True
    if words.casefold() in phrases.EVERYDAY_WORDS or len(words) < 4:
        return bool(
            re.match(r"[\"'*]{0,3}\s?(?:[.!]|$)", view.marked[mention.end : mention.end + 6])
        )
    return True


def _read_number(view: View) -> Endorsed | None:
    """The only option that is named by its number: "option 2", "the second option", "2."."""
    alone = phrases.ONLY_NUMBER.fullmatch(view.text.strip()[:60])
    if alone and len(view.text.strip()) <= 60:
        labels = list(view.index.options)
        place = int(alone[1]) - 1
        start = view.text.index(alone[1])
        if 0 <= place < len(labels) and not any(label.isdigit() for label in labels):
            return Endorsed((labels[place],), start, start + len(alone[1]))
    return _only(
        mention
        for mention in view.mentions
        if mention.form == "number" and not view.rejected(mention.start, mention.end)
    )


def _together(mentions: Iterable[Mention]) -> Endorsed | None:
    listed = [mention for mention in mentions if mention.label is not None]
    if not listed:
        return None
    labels = tuple(dict.fromkeys(mention.label for mention in listed if mention.label))
    return Endorsed(labels, listed[0].start, listed[0].end if len(labels) == 1 else listed[-1].end)


def _only(mentions: Iterable[Mention]) -> Endorsed | None:
    found = _together(mentions)
    return found if found and len(found.labels) == 1 else None


Rule = Callable[[View], Endorsed | None]
EXPLICIT: tuple[tuple[str, Rule], ...] = (
    ("boxed", _read_boxed),
    ("declared", _read_declared),
    ("closing", _read_closing),
    ("opening", _read_opening),
    ("verdict", _read_verdict),
    ("lines", _read_lines),
)
"""Rules for a reply that says what its answer is, strongest first."""
DECLINING: tuple[tuple[str, Status, re.Pattern[str]], ...] = (
    ("refusal", "refusal", phrases.REFUSAL),
    ("none of these", "none_of_these", phrases.NONE_OF_THESE),
    ("soft refusal", "refusal", phrases.SOFT_REFUSAL),
)
"""Phrases by which a reply without an explicit answer declines, strongest first."""
INDIRECT: tuple[tuple[str, Rule], ...] = (
    ("mentioned", _read_mentioned),
    ("text", _read_text),
    ("number", _read_number),
)
"""Rules for a reply that only mentions an option."""


def read_answer(
    text: str, options: Mapping[str, str] | Sequence[Option], *, finished: bool = True
) -> Answer:
    """Read what a reply answers.

    Args:
        text: The reply, exactly as the model wrote it.
        options: Label to text, or the question's options.
        finished: Whether the model ended the reply itself; False where a token limit cut it.

    Returns:
        The answer; its labels are always among the options.
    """
    if not isinstance(options, Mapping):
        options = {option.label: option.text for option in options}
    index = _index(tuple(options.items()))
    reply = prepare(text)
    if reply.open_think:
        return Answer("truncated", rule="open think block", span=reply.open_think)
    answer = _read(View(reply, reply.turn_end, index, finished=finished))
    if answer.status in ("unparsed", "truncated") and reply.turn_end < len(text):
        answer = _read(View(reply, len(text), index, finished=finished))
    return answer


@lru_cache(maxsize=256)
def _index(options: tuple[tuple[str, str], ...]) -> OptionIndex:
    return OptionIndex(dict(options))


def _read(view: View) -> Answer:
    for name, rule in EXPLICIT:
        if found := rule(view):
            return _endorsing(view, name, found)
    for name, status, phrase in DECLINING:
        if match := view.outside(phrase):
            label = _refusal_label(view.index) if status == "refusal" else None
            return Answer(status, label, rule=name, span=match.span())
    for name, rule in INDIRECT:
        if found := rule(view):
            return _endorsing(view, name, found)
    if match := view.outside(phrases.DONT_KNOW):
        return Answer("dont_know", rule="don't know", span=match.span())
    if not view.finished:
        return Answer("truncated", rule="token limit")
    return Answer("unparsed", rule="nothing found")


def _endorsing(view: View, rule: str, found: Endorsed) -> Answer:
    span = (found.start, found.end)
    hedged = any(
        view.outside(phrase)
        for phrase in (phrases.REFUSAL, phrases.SOFT_REFUSAL, phrases.DONT_KNOW)
    )
    if len(found.labels) == 1:
        return Answer("option", found.labels[0], rule=rule, span=span, hedged=hedged)
    return Answer("several", labels=found.labels, rule=rule, span=span, hedged=hedged)


def _refusal_label(index: OptionIndex) -> str | None:
    for label, text in index.options.items():
        if _REFUSAL_OPTION.fullmatch(text.strip(" .\"'")):
            return label
    return None
