"""The text-answer ladder: what a model's reply says, in one of seven statuses.

Rules are tried in order; the first that finds something decides, and its name and the characters
it matched travel with the answer. Explicit answers come first, then refusals, then indirect
evidence: "I cannot say for sure, but I choose B" is B, and "I cannot answer; the word 'ghetto' is
offensive" is a refusal although it quotes an option.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from heapq import merge
from typing import Literal

import msgspec

from engine.answers import cues, refusals
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


_BOXED = re.compile(r"\\(?:boxed|fbox)\s?\{|<(?:answer|ans|final_answer)>", re.I)
_CLAUSE_END = re.compile(r"[\s\"')\]]{0,3}(?:$|[\n.,;!。])")
_LABEL_FORMS = frozenset({"alone", "item", "paired", "wrapped", "named"})


def _read_boxed(view: View) -> Endorsed | None:
    r"""The last ``\boxed{B}`` or ``<answer>B</answer>``."""
    for box in reversed(list(_BOXED.finditer(view.marked))):
        place = view.target(box.end())
        if place is not None and (found := view.group(place)):
            return found
    return None


def _read_declared(view: View) -> Endorsed | None:
    """The last statement of the answer: "the answer is B", "I choose option B", "答案是B".

    A statement in a question counts only where there is no other. "so", "but" and their like
    state an answer only where the clause ends after the option: "not A, but B."
    """
    stated = asked = None
    for cue, concluding in _cues(view):
        place = view.target(cue.end())
        if place is None or view.supposed(*cue.span()):
            continue
        mention, found = view.mentions[place], view.group(place)
        if found is None or view.rejected(found.start, found.end):
            continue
        if mention.form == "text" and not view.stands_out(mention):
            continue
        if concluding and not _CLAUSE_END.match(view.text, found.end):
            continue
        if view.asks(found.start):
            asked = found
        else:
            stated = found
    return stated or asked


def _cues(view: View) -> Iterator[tuple[re.Match[str], bool]]:
    """Cues of both kinds in order, with whether it is a concluding one."""
    answer = ((cue, False) for cue in cues.ANSWER_CUE.finditer(view.lower))
    concluding = ((cue, True) for cue in cues.CONCLUDING_CUE.finditer(view.lower))
    return merge(answer, concluding, key=lambda found: found[0].end())


def _read_closing(view: View) -> Endorsed | None:
    """The last line, where it is nothing but an option and no line of options goes before it."""
    text = view.text.rstrip()
    found = _answer_at(view, text.rfind("\n") + 1)
    if found is None or re.search(r"\w", text[found.end :]):
        return None
    place = view.at[found.start]
    return None if place and view.next_line(view.mentions[place - 1], found.start) else found


def _read_opening(view: View) -> Endorsed | None:
    """The reply begins with an option, perhaps after a "Sure!"."""
    interjection = cues.INTERJECTION.match(view.lower)
    return _answer_at(view, 0) or _answer_at(view, interjection.end() if interjection else 0)


def _answer_at(view: View, start: int) -> Endorsed | None:
    """The options right at a place, unless they only begin a sentence about something else."""
    place = view.target(start)
    if place is None or place in view.listing:
        return None
    mention = view.mentions[place]
    if mention.form in ("text", "bare") and not bare_ends(view.lower, mention.end):
        return None
    if mention.form == "text" and not view.stands_out(mention):
        return None
    if mention.form == "numeral" and re.search(r"\w", view.text[mention.end :]):
        return None
    found = view.group(place)
    return None if found is None or view.rejected(found.start, found.end) else found


def _read_verdict(view: View) -> Endorsed | None:
    """The last option that is called right: "B is correct", "(B) best describes", "Bが正解"."""
    last = None
    for place, mention in enumerate(view.mentions):
        if (
            cues.VERDICT_AFTER.match(view.lower, mention.end)
            and not view.supposed(mention.start, mention.start)
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
        and view.stands_out(mention)
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
        if cues.CONCLUSION.search(view.lower, view.sentence_starts[number], mentions[0].start)
    ]
    for mentions in [*concluding[-1:], *list(by_sentence.values())[:1]]:
        if only := _only(mentions):
            return only
    return None


def _read_number(view: View) -> Endorsed | None:
    """The only option that is named by its number: "option 2", "the second option"."""
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
    ("refusal", "refusal", refusals.REFUSAL),
    ("none of these", "none_of_these", refusals.NONE_OF_THESE),
    ("soft refusal", "refusal", refusals.SOFT_REFUSAL),
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
    if answer.status in ("unparsed", "truncated") and reply.turn_end < len(reply.text):
        answer = _read(View(reply, len(reply.text), index, finished=finished))
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
            label = view.index.refusal_label if status == "refusal" else None
            return Answer(status, label, rule=name, span=view.reply.span(*match.span()))
    for name, rule in INDIRECT:
        if found := rule(view):
            return _endorsing(view, name, found)
    if match := view.outside(refusals.DONT_KNOW):
        return Answer("dont_know", rule="don't know", span=view.reply.span(*match.span()))
    if not view.finished:
        return Answer("truncated", rule="token limit")
    return Answer("unparsed", rule="nothing found")


def _endorsing(view: View, rule: str, found: Endorsed) -> Answer:
    span = view.reply.span(found.start, found.end)
    hedged = any(
        view.outside(phrase)
        for phrase in (refusals.REFUSAL, refusals.SOFT_REFUSAL, refusals.DONT_KNOW)
    )
    if len(found.labels) == 1:
        return Answer("option", found.labels[0], rule=rule, span=span, hedged=hedged)
    return Answer("several", labels=found.labels, rule=rule, span=span, hedged=hedged)
