"""The text-answer ladder: what a model's reply says, in one of seven statuses.

Rules are tried in order; the first that finds something decides, and its name and the characters
it matched travel with the answer. Explicit answers come first, then refusals, then indirect
evidence: "I cannot say for sure, but I choose B" is B, and "I cannot answer; the word 'ghetto' is
offensive" is a refusal although it quotes an option.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import takewhile

import msgspec

from engine.answers import cues, refusals
from engine.answers.mentions import Mention, OptionIndex, bare_ends, starts_line
from engine.answers.reply import prepare
from engine.answers.view import LINE_FORMS, Endorsed, View
from engine.questions import Option
from engine.records import Status


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
        place: Start and end of the label itself inside the span, or of the option's text or number
            where that is what names it; None unless one option is named.
    """

    status: Status
    label: str | None = None
    labels: tuple[str, ...] = ()
    rule: str = ""
    span: tuple[int, int] | None = None
    hedged: bool = False
    place: tuple[int, int] | None = None


_BOXED = re.compile(
    r"\\(?:boxed|fbox)\s?\{|[<\[](?:answer|ans|final_answer|final|choice|option)[>\]]", re.I
)
_CLAUSE_END = re.compile(r"[\s\"')\]]{0,3}(?:$|[\n.,;:!。)]|[-–—]\s|(?:because|since|as|given)\b)")
_SENTENCE_END = re.compile(r"[\s\"')\]]{0,3}(?:$|[.!。]|\n)|\)\s(?=[A-Z])")
_BOLD_END = re.compile(r"[.\"')\]]{0,2}(?:\*\*|__)")
_BREAK = re.compile(r"(?<!\b\w)[.!?:]\s")
_TURNS = re.compile(r"[,;:–—]|\b(?:but|maybe|perhaps|though|however|probably|possibly)\b")
_LABEL_FORMS = frozenset({"alone", "item", "paired", "wrapped", "named"})


def _read_boxed(view: View) -> Endorsed | None:
    r"""The last ``\boxed{B}`` or ``<answer>B</answer>``."""
    for box in reversed(list(_BOXED.finditer(view.marked))):
        place = view.target(box.end())
        if place is not None and (found := view.group(place) or _only([view.mentions[place]])):
            return found
    return None


def _read_declared(view: View) -> Endorsed | None:
    """The last statement of the answer: "the answer is B", "I choose option B", "答案是B".

    "so", "but" and their like state an answer only before a label that ends the clause: "not A,
    but B." A statement in a question counts only where there is no other.
    """
    answers = (_stated(view, cue) for cue in cues.ANSWER_CUE.finditer(view.lower))
    concluding = (_stated(view, cue) for cue in cues.CONCLUDING_CUE.finditer(view.lower))
    stated = [
        *filter(None, answers),
        *(found for found in concluding if found and _concludes(view, found, of_text=False)),
    ]
    stated.sort(key=lambda found: (not view.asks(found.start), found.start))
    return stated[-1] if stated else None


def _read_concluded(view: View) -> Endorsed | None:
    """The last conclusion of a less explicit kind: "so it's London.", "The one that fits is B."."""
    concluding = (_stated(view, cue) for cue in cues.CONCLUDING_CUE.finditer(view.lower))
    copulas = (_stated(view, cue) for cue in cues.COPULA.finditer(view.lower))
    concluded = [
        *(found for found in concluding if found and _concludes(view, found, of_text=True)),
        *(found for found in copulas if found and _concludes(view, found, of_text=False)),
    ]
    unlisted = (found for found in concluded if view.at[found.start] not in view.listing)
    return max(unlisted, key=lambda found: found.start, default=None)


def _stated(view: View, cue: re.Match[str]) -> Endorsed | None:
    """The options that a cue states; a cue that is itself about an option states none."""
    place = view.target(cue.end())
    if place is None or view.names_option(*cue.span()) or view.supposed(*cue.span()):
        return None
    mention = view.mentions[place]
    if view.rejected(place) or (mention.form == "text" and not view.stands_out(mention)):
        return None
    return view.group(place)


def _concludes(view: View, found: Endorsed, *, of_text: bool) -> bool:
    """Whether a clause ends after the options, and whether their texts are what stands there."""
    is_text = view.mentions[view.at[found.start]].form == "text"
    return is_text == of_text and bool(_CLAUSE_END.match(view.text, found.end))


def _read_closing(view: View) -> Endorsed | None:
    """The last line, sentence or words after a colon, where they are nothing but an option.

    A line that goes with a line of options before it is none, nor is one that was cut.
    """
    if not view.finished:
        return None
    end = len(view.text.rstrip())
    line = view.text.rfind("\n", 0, end) + 1
    breaks = [found.end() for found in _BREAK.finditer(view.text, max(line, end - 400), end)]
    for start in [line, *breaks[-3:]]:
        found = _answer_at(view, start)
        if found and not re.search(r"\w", view.text[found.end : end]):
            place = view.at[found.start]
            lined_up = place and view.next_line(view.mentions[place - 1], found.start)
            return None if lined_up else found
    return None


def _read_opening(view: View) -> Endorsed | None:
    """The reply begins with one option, perhaps after a "Sure!"."""
    found = _opening(view)
    return found if found and len(found.labels) == 1 else None


def _read_sentence(view: View) -> Endorsed | None:
    """The first sentence that is nothing but options: "Here is my answer. Option B."."""
    for start in view.sentence_starts:
        found = _answer_at(view, start)
        if found and (
            _SENTENCE_END.match(view.text, found.end) or _BOLD_END.match(view.marked, found.end)
        ):
            return found
    return None


def _opening(view: View) -> Endorsed | None:
    """The reply begins with options joined together, none of which it singles out later."""
    interjection = cues.INTERJECTION.match(view.lower)
    return _answer_at(view, 0) or _answer_at(view, interjection.end() if interjection else 0)


def _answer_at(view: View, start: int) -> Endorsed | None:
    """The options right at a place, unless they only begin a sentence about something else."""
    place = view.target(start)
    if place is None or place in view.listing:
        return None
    mention = view.mentions[place]
    found = view.group(place)
    if found is None or view.rejected(place):
        return None
    if mention.form == "bare" and not bare_ends(view.lower, mention.start, mention.end):
        return None
    if mention.form == "text" and not _CLAUSE_END.match(view.lower, found.end):
        return None
    if mention.form == "numeral" and re.search(r"\w", view.text[mention.end :]):
        return None
    return found


def _read_verdict(view: View) -> Endorsed | None:
    """The last options that are called right: "B is correct", "(B) best describes", "Bが正解"."""
    last = None
    for place, mention in enumerate(view.mentions):
        if (
            view.ticked(mention)
            and not view.supposed(mention.start, mention.start)
            and not view.rejected(place)
        ):
            last = view.group(view.chains[place].start) or last
    return last


def _read_lines(view: View) -> Endorsed | None:
    """The options at line starts that are no listing of the options."""
    return _together(
        mention
        for place, mention in enumerate(view.mentions)
        if mention.form in LINE_FORMS
        and place not in view.listing
        and starts_line(view.text, mention.start)
        and not view.rejected(place)
    )


def _read_emphasised(view: View) -> Endorsed | None:
    """The only option in bold in a listing of the options."""
    return _only(
        mention
        for place, mention in enumerate(view.mentions)
        if place in view.listing
        and view.marked[max(0, mention.start - 2) : mention.start] in ("**", "__")
    )


def _read_mentioned(view: View) -> Endorsed | None:
    """The only option whose label is mentioned, with a delimiter or a word such as "option"."""
    return _only(
        mention
        for place, mention in enumerate(view.mentions)
        if mention.form in _LABEL_FORMS and place not in view.listing and not view.rejected(place)
    )


def _read_tentative(view: View) -> Endorsed | None:
    """The last options that are held possible: "it could be A or C", "maybe B"."""
    last = None
    for cue in cues.TENTATIVE_CUE.finditer(view.lower):
        place = view.target(cue.end())
        if place is None or view.rejected(place) or view.supposed(*cue.span()):
            continue
        if view.mentions[place].form != "text" or view.stands_out(view.mentions[place]):
            last = view.group(place) or last
    return last


def _read_text(view: View) -> Endorsed | None:
    """The only option whose text stands in the reply.

    Where several stand in it, the only one after the last "therefore" or its like, else the only
    one in the first sentence that has any; two that come equally early are not told apart.
    """
    found = [
        mention
        for place, mention in enumerate(view.mentions)
        if mention.form == "text"
        and view.stands_out(mention)
        and view.group(place)
        and not view.rejected(place)
    ]
    if only := _only(found):
        return only
    return _only(_after_conclusion(view, found)) or _only(_of_sentence(view, found, 0))


def _after_conclusion(view: View, mentions: list[Mention]) -> list[Mention]:
    """Those after the last "therefore" or its like that has any after it in its sentence."""
    starts = [mention.start for mention in mentions]
    for conclusion in reversed(list(cues.CONCLUSION.finditer(view.lower))):
        place = bisect_left(starts, conclusion.end())
        sentence = view.sentence(conclusion.start())
        if place < len(mentions) and view.sentence(starts[place]) == sentence:
            return _of_sentence(view, mentions, place)
    return []


def _of_sentence(view: View, mentions: list[Mention], place: int) -> list[Mention]:
    """The mentions from a place on that stand in the same sentence."""
    rest = mentions[place:]
    return list(takewhile(lambda m: view.sentence(m.start) == view.sentence(rest[0].start), rest))


def _read_number(view: View) -> Endorsed | None:
    """The only option that is named by its number: "option 2", "the second option"."""
    return _only(
        mention
        for place, mention in enumerate(view.mentions)
        if mention.form == "number" and not view.rejected(place)
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
    ("sentence", _read_sentence),
    ("opening several", _opening),
    ("concluded", _read_concluded),
    ("lines", _read_lines),
    ("emphasised", _read_emphasised),
)
"""Rules for a reply that says what its answer is, strongest first."""
DECLINING: tuple[tuple[str, Status, re.Pattern[str]], ...] = (
    ("refusal", "refusal", refusals.REFUSAL),
    ("none of these", "none_of_these", refusals.NONE_OF_THESE),
    ("soft refusal", "refusal", refusals.SOFT_REFUSAL),
)
"""Phrases by which a reply without an explicit answer declines, strongest first."""
INDIRECT: tuple[tuple[str, Rule], ...] = (
    ("tentative", _read_tentative),
    ("mentioned", _read_mentioned),
    ("text", _read_text),
    ("number", _read_number),
)
"""Rules for a reply that only mentions an option."""


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
        return _endorsing(view, *explicit)
    for name, status, phrase in DECLINING:
        if match := view.outside(phrase):
            label = view.index.refusal_label if status == "refusal" else None
            return Answer(status, label, rule=name, span=view.reply.span(*match.span()))
    indirect = _first(view if view.finished else view.complete_sentences(), INDIRECT)
    doubt = view.outside(refusals.DONT_KNOW)
    if indirect and not (doubt and _is_doubted(view, doubt.end(), indirect[1].start)):
        return _endorsing(view, *indirect)
    if doubt:
        return Answer("dont_know", rule="don't know", span=view.reply.span(*doubt.span()))
    if not view.finished:
        return Answer("truncated", rule="token limit")
    return Answer("unparsed", rule="nothing found")


def _first(view: View, rules: Iterable[tuple[str, Rule]]) -> tuple[str, Endorsed] | None:
    return next(((name, found) for name, rule in rules if (found := rule(view))), None)


def _is_doubted(view: View, doubt_end: int, option_start: int) -> bool:
    """Whether a doubt is about an option: "I don't know if it's B", not "I don't know, maybe B"."""
    between = view.lower[doubt_end:option_start]
    same_sentence = view.sentence(doubt_end - 1) == view.sentence(option_start)
    return option_start >= doubt_end and same_sentence and not _TURNS.search(between)


def _endorsing(view: View, rule: str, found: Endorsed) -> Answer:
    span = view.reply.span(found.start, found.end)
    hedged = any(
        view.outside(phrase)
        for phrase in (refusals.REFUSAL, refusals.SOFT_REFUSAL, refusals.DONT_KNOW)
    )
    if len(found.labels) == 1:
        place = view.reply.span(*_place(view, found))
        return Answer("option", found.labels[0], rule=rule, span=span, hedged=hedged, place=place)
    return Answer("several", labels=found.labels, rule=rule, span=span, hedged=hedged)


def _place(view: View, found: Endorsed) -> tuple[int, int]:
    """Where the label of the only option endorsed stands, or else what names it."""
    mention = next((each for each in view.mentions if each.start == found.start), None)
    if mention is None or mention.form not in _LABEL_FORMS:
        return found.start, found.end
    label = re.escape(found.labels[0])
    alone = re.compile(rf"(?<!\w){label}(?!\w)|{label}", re.IGNORECASE)
    written = alone.search(view.text, mention.start, mention.end)
    return written.span() if written else (found.start, found.end)
