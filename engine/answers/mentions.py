"""Where a reply mentions an option: by its label, by its text or by its number."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import starmap, takewhile
from typing import Literal, NamedTuple, TypeVar

from engine.answers import cues, ordinals
from engine.answers.reply import prepare
from engine.questions import Option, Question, refusal_label

Form = Literal[
    "alone", "item", "paired", "wrapped", "named", "bare", "together", "text", "number", "numeral"
]
"""How an option is mentioned.

``alone`` a line with nothing but the label; ``item`` label and delimiter at the start of a line;
``paired`` the label or number, then the option's text, or the text, then the label in brackets;
``wrapped`` in brackets, quotes or bold; ``named`` beside a word such as "option"; ``bare`` the
label and nothing of that; ``together`` one of the labels of "CD" or "A/B"; ``text`` the option's
text; ``number`` an ordinal ("option 2", "the second option"); ``numeral`` a number alone.
"""

MOST_MENTIONS = 4000
"""Of more mentions of one kind only the first and last half are looked at, which bounds the time
that any reply takes."""

_LETTER = "0-9A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff"
_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af"
_TOKEN = re.compile(
    rf"(?<![\w)])-\d+(?:[.,:]\d+)*|\d+(?:[.,:]\d+)*|[{_CJK}]|[^\W\d_{_CJK}]+"
    r"|[+=<>≤≥≠%€£°^/±×÷√∞π∪∩∈⊂→←∧∨¬~|&]"
)
_DELIMITER = re.compile(r"[ \t]{0,3}(?:[.):\]、。,;!]|[-–—](?=\s))")
_DELIMITER_OR_END = re.compile(_DELIMITER.pattern + r"|[ \t]{0,3}(?:\n|$)")
_ITEM_DELIMITER = re.compile(r"[ \t]{0,3}(?:[.):\]、]|[-–—](?=\s))")
_BEFORE_OWN_TEXT = re.compile(r"[\s.):\]、,;\"'(\[–—-]{0,12}")
_BARE_ENDS = re.compile(rf"[\s\"']{{0,5}}(?:$|\n|[^\w\s\"'+=*/^<>%]|[{_CJK}])")
_BARE_GOES_ON = re.compile(
    r"[\s\"']{1,5}(?:because|since|as|and|or|for|due|with|but|which|is|are|was|were|can|could|would|"
    r"should|may|might|must|seems|appears|fits|given|rather|instead|over|not|it is|i think|i guess|"
    r"i believe|und|oder|sowie|als|ist|sind|et|ou|ainsi|est|sont|y|o|como|es|son)\b"
)
_OPENS, _CLOSES = frozenset("([\"'*`{_"), frozenset(")]\"'*`}_.")

_T = TypeVar("_T")


class Mention(NamedTuple):
    """One place where an option is mentioned.

    Attributes:
        start: First character.
        end: One past the last; a paired mention includes the option's text.
        label: The option, or None where the words fit several options equally.
        form: How it is mentioned.
        name: Start and end of the label in it, or of the text or number word where that names it.
    """

    start: int
    end: int
    label: str | None
    form: Form
    name: tuple[int, int]


class OptionIndex:
    """The options of one question, ready to be found in replies.

    Attributes:
        options: Label to text, in the order shown.
        order: Label to place, from 0.
        refusal_label: Label of the option that is itself a refusal, or None.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        self.options = dict(options)
        self.order = {label: place for place, label in enumerate(self.options)}
        self.refusal_label = refusal_label(Question("", tuple(starmap(Option, options.items()))))
        self._spelled = {
            spelling: label
            for spell in (str.upper, str.lower, str)
            for label in reversed(self.options)
            for spelling in [spell(label)]
        }
        self._label_pattern = _label_pattern(self._spelled)
        self._together_pattern = _together_pattern(self.options)
        self._keys: dict[str, list[str]] = {}
        self._tails: dict[str, str] = {}
        for label, original in self.options.items():
            text = prepare(original).text
            tokens = list(_tokens(text))
            words = [token for token, _, _ in tokens]
            self._add(words, label)
            if words:
                self._tails[" ".join(words)] = text[tokens[-1][2] :].rstrip(" .")
        whole = [(key.split(), labels) for key, labels in self._keys.items()]
        known = set(self._keys)
        for words, labels in whole:
            for other in _other_words(words, [each for each, _ in whole]):
                if len(labels) == 1 and " ".join(other) not in known:
                    self._add(other, labels[0])
        self._numbered = not any(label.isdigit() for label in self.options)
        self._has_numbers = any(re.search(r"\d", text) for text in self.options.values())

    def _add(self, words: Sequence[str], label: str) -> None:
        key = " ".join(words)
        if key and key not in self._spelled:
            self._keys.setdefault(key, []).append(label)

    def find(self, text: str, lower: str, marked: str) -> list[Mention]:
        """Every mention in a prepared reply, in order; none overlaps another.

        Args:
            text: The prepared text.
            lower: The same in lower case.
            marked: The same with its markup.
        """
        texts = _disjoint(_bounded(sorted(self._texts(text))))
        labels = [*self._labels(text, lower, marked, texts), *self._together(text, texts)]
        numbers = self._numbers(text, lower, texts) if self._numbered else ()
        return _disjoint([*labels, *texts, *numbers])

    def _texts(self, text: str) -> Iterator[Mention]:
        tokens = list(_tokens(text))
        joined = " " + "".join(token + " " for token, _, _ in tokens)
        starts = []
        position = 1
        for token, _, _ in tokens:
            starts.append(position)
            position += len(token) + 1
        for key, labels in self._keys.items():
            last = key.count(" ")
            at = joined.find(f" {key} ")
            while at >= 0:
                first = bisect_left(starts, at + 1)
                label = labels[0] if len(labels) == 1 else None
                start, end = tokens[first][1], tokens[first + last][2]
                tail = self._tails.get(key, "")
                end += len(tail) * text.startswith(tail, end)
                yield Mention(start, end, label, "text", (start, end))
                at = joined.find(f" {key} ", at + 1)

    def _labels(
        self, text: str, lower: str, marked: str, texts: list[Mention]
    ) -> Iterator[Mention]:
        text_at = {mention.start: mention for mention in texts}
        starts = [mention.start for mention in texts]
        for match in _bounded(list(self._label_pattern.finditer(text))):
            start, end = match.span()
            covering = bisect_right(starts, start) - 1
            if covering >= 0 and texts[covering].end >= end:
                continue
            label = self._spelled[match[0]]
            before = texts[covering] if covering >= 0 else None
            if (
                before
                and self._is_text_of(before, label)
                and _bracketed(text, before.end, start, end)
            ):
                yield Mention(before.start, end + 1, label, "paired", (start, end))
                continue
            own = _own_text(text, end, text_at)
            article = match[0] == "a" and "a" not in self.options
            if own and article and text[end : own.start].isspace():
                continue
            if own is not None and own.start > end and self._is_text_of(own, label):
                yield Mention(start, own.end, label, "paired", (start, end))
                continue
            form = self._form(text, lower, marked, start, end)
            if form is not None:
                yield Mention(start, end, label, form, (start, end))

    def _together(self, text: str, texts: list[Mention]) -> Iterator[Mention]:
        """Labels of one capital each that are written as one word, in the order of the options."""
        starts = [mention.start for mention in texts]
        for match in _bounded(list(self._together_pattern.finditer(text))):
            covering = bisect_right(starts, match.start()) - 1
            places = [self.order[char] for char in match[0] if char in self.order]
            if places != sorted(set(places)) or (
                covering >= 0 and texts[covering].end >= match.end()
            ):
                continue
            for start, char in enumerate(match[0], match.start()):
                if char in self.order:
                    yield Mention(start, start + 1, char, "together", (start, start + 1))

    def _form(self, text: str, lower: str, marked: str, start: int, end: int) -> Form | None:
        if starts_line(text, start):
            if ends_line(text, end):
                return "alone"
            if _ITEM_DELIMITER.match(text, end):
                return "item"
        opened = start > 0 and marked[start - 1] in _OPENS
        if opened and marked[end : end + 1] in _CLOSES:
            return "wrapped"
        if cues.OPTION_NOUN_BEFORE.search(lower, max(0, start - 24), start):
            return "named"
        if cues.OPTION_NOUN_AFTER.match(lower, end):
            return "named"
        if text[start:end] not in self.options:
            ends = _DELIMITER if lower[start:end] in ("a", "i") else _DELIMITER_OR_END
            return "bare" if ends.match(text, end) else None
        if lower[start:end] in ("a", "i") and not bare_ends(lower, start, end):
            return None
        return "bare"

    def _is_text_of(self, mention: Mention, label: str) -> bool:
        if mention.label is not None:
            return mention.label == label
        return any(label in labels for labels in self._keys.values() if len(labels) > 1)

    def _numbers(self, text: str, lower: str, texts: list[Mention]) -> Iterator[Mention]:
        labels = list(self.options)
        for match in _bounded(list(ordinals.ORDINAL.finditer(lower))):
            place = ordinals.ordinal_place(match, len(labels))
            if place is not None:
                name = match.span(match.lastgroup or 0)
                yield Mention(match.start(), match.end(), labels[place], "number", name)
        if self._has_numbers:
            return
        text_at = {mention.start: mention for mention in texts}
        for match in _bounded(list(ordinals.NUMERAL.finditer(text))):
            place = int(match[1]) - 1
            if 0 <= place < len(labels):
                own = _own_text(text, match.end(), text_at)
                paired = own is not None and self._is_text_of(own, labels[place])
                form: Form = "paired" if paired else "numeral"
                end = own.end if own and paired else match.end()
                yield Mention(match.start(), end, labels[place], form, match.span(1))


def bare_ends(lower: str, start: int, end: int) -> bool:
    """Whether what follows a bare label lets it be one: an end, a mark or a word that goes on.

    Without this, "A" would be read in "A lot of people" and "I" in "I think"; nothing but an end
    or a mark makes "I" a label.
    """
    if _BARE_ENDS.match(lower, end):
        return True
    return lower[start:end] != "i" and bool(_BARE_GOES_ON.match(lower, end))


def _tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Words, numbers, single CJK characters and mathematical signs, case folded, with spans."""
    for match in _TOKEN.finditer(text):
        yield match[0].casefold(), match.start(), match.end()


def _other_words(words: Sequence[str], every: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
    """How else a reply writes an option's text: without an article, or only its beginning.

    Of a long text the reply often gives the beginning and goes on in its own words, or is cut; it
    counts where it is half of the text and no other option begins alike. A fraction may be TeX.
    """
    if len(words) == 3 and words[1] == "/":
        yield ["frac", words[0], words[2]]
    if words[0] in ("the", "a", "an") and not cues.EVERYDAY_WORDS.issuperset(words[1:]):
        yield words[1:]
    shared = max((_in_common(words, other) for other in every if other != words), default=0)
    length = max(shared + 1, 4, (len(words) + 1) // 2)
    if length < len(words):
        yield words[:length]


def _in_common(one: Sequence[str], two: Sequence[str]) -> int:
    """How many words two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, two, strict=False)))


def _label_pattern(spelled: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted(filter(None, spelled), key=len, reverse=True)
    labels = "|".join(map(re.escape, longest_first)) or "(?!)"
    return re.compile(
        rf"(?<![{_LETTER}])(?<![{_LETTER}][-'&/+.@])(?:{labels})"
        rf"(?![{_LETTER}])(?![-'&/+.@][{_LETTER}])(?!\+\+|#)"
    )


def _together_pattern(labels: Iterable[str]) -> re.Pattern[str]:
    capitals = "".join(label for label in labels if len(label) == 1 and label.isupper()) or "(?!)"
    capital = f"[{re.escape(capitals)}]" if capitals.isupper() else capitals
    return re.compile(
        rf"(?<![{_LETTER}])(?<![{_LETTER}][-'&/+.@]){capital}(?:[/&+]?{capital}){{1,25}}"
        rf"(?![{_LETTER}])(?![-'&/+.@][{_LETTER}])"
    )


def starts_line(text: str, start: int) -> bool:
    """Whether no word stands between the line's start and a character."""
    line = text[max(0, start - 40) : start].rpartition("\n")[2]
    return not re.search(r"\w", line)


def ends_line(text: str, end: int) -> bool:
    """Whether no word stands between a character and the line's end."""
    line = text[end : end + 40].partition("\n")[0]
    return not re.search(r"\w", line)


def _bracketed(text: str, before: int, start: int, end: int) -> bool:
    """Whether a label stands in brackets right after an option's text: "Paris (A)"."""
    opening = text[before:start].lstrip(" ") if start - before < 4 else ""
    return opening in ("(", "[") and text[end : end + 1] in (")", "]")


def _own_text(text: str, end: int, text_at: Mapping[int, Mention]) -> Mention | None:
    """The option text that stands after a label, past its delimiter."""
    gap = _BEFORE_OWN_TEXT.match(text, end)
    places = range(end, (gap.end() if gap else end) + 1)
    return next((text_at[place] for place in places if place in text_at), None)


def _disjoint(mentions: Iterable[Mention]) -> list[Mention]:
    """Of overlapping mentions the earliest, and of those the longest."""
    kept: list[Mention] = []
    for mention in sorted(mentions, key=lambda mention: (mention.start, -mention.end)):
        if not kept or mention.start >= kept[-1].end:
            kept.append(mention)
    return kept


def _bounded(items: list[_T]) -> list[_T]:
    half = MOST_MENTIONS // 2
    return items if len(items) <= MOST_MENTIONS else [*items[:half], *items[-half:]]
