"""The rules by which the ladder finds the options that a reply endorses.

Each takes a view of the reply and returns the options with the place they stand at, or None. Rules
that read what a reply says is its answer are explicit, those that read what it merely mentions
indirect; phrases of declining come between the two.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import takewhile

from engine.answers import cues, refusals
from engine.answers.mentions import Mention, bare_ends, starts_line
from engine.answers.view import LINE_FORMS, Endorsed, View
from engine.records import Status

_BOXED = re.compile(
    r"\\(?:boxed|fbox)\s?\{|[<\[](?:answer|ans|final_answer|final|choice|option)[>\]]", re.I
)
_CLAUSE_END = re.compile(r"[\s\"')\]]{0,3}(?:$|[\n.,;:!。)]|[-–—]\s|(?:because|since|as|given)\b)")
_SENTENCE_END = re.compile(r"[\s\"')\]]{0,3}(?:$|[.!。]|\n)|\)\s(?=[A-Z])")
_BOLD_END = re.compile(r"[.\"')\]]{0,2}(?:\*\*|__)")
_LETTER = re.compile(r"[^\W\d_]")
_WORD_CHARACTER = re.compile(r"\w")
_BREAK = re.compile(r"(?<!\b\w)[.!?:]\s")
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
    if mention.form == "text" and not _LETTER.search(view.text, mention.start, mention.end):
        return view.group(place) if _CLAUSE_END.match(view.text, mention.end) else None
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
    if mention.form in ("text", "together") and not _CLAUSE_END.match(view.lower, found.end):
        return None
    if view.text.startswith("?", found.end) and _WORD_CHARACTER.search(view.text, found.end):
        return None
    if mention.form == "numeral" and _WORD_CHARACTER.search(view.text, mention.end):
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
    """The only option whose label is mentioned, with a delimiter or a word such as "option".

    Options that are joined together count as well, where no other is mentioned.
    """
    places = [
        place
        for place, mention in enumerate(view.mentions)
        if mention.form in _LABEL_FORMS and place not in view.listing and not view.rejected(place)
    ]
    if only := _only(view.mentions[place] for place in places):
        return only
    chains = {view.chains[place].start for place in places}
    return view.group(chains.pop()) if len(chains) == 1 else None


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
        and not view.attributed(mention.start)
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
Phrase = tuple[str, Status, re.Pattern[str]]
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
DECLINING: tuple[Phrase, ...] = (
    ("refusal", "refusal", refusals.REFUSAL),
    ("none of these", "none_of_these", refusals.NONE_OF_THESE),
    ("soft refusal", "refusal", refusals.SOFT_REFUSAL),
    ("soft refusal", "refusal", refusals.IDENTITY),
)
"""Phrases by which a reply without an explicit answer declines, strongest first."""
INDIRECT: tuple[tuple[str, Rule], ...] = (
    ("tentative", _read_tentative),
    ("mentioned", _read_mentioned),
    ("text", _read_text),
    ("number", _read_number),
)
"""Rules for a reply that only mentions an option."""
LEAVING_OPEN: tuple[Phrase, ...] = (
    ("evasion", "refusal", refusals.EVASION),
    ("evasion", "refusal", refusals.DEPENDS),
    ("don't know", "dont_know", refusals.DONT_KNOW),
)
"""Phrases by which a reply that mentions no option leaves the answer open, strongest first."""
