"""A reply with its mentions, and the questions that the ladder's rules ask about it."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from engine.answers import phrases
from engine.answers.mentions import Mention, OptionIndex
from engine.answers.reply import Reply

LINE_FORMS = frozenset({"alone", "item", "paired"})

_SENTENCE_END = re.compile(r"[.!?。]+(?=[\s\"')\]]|$)|(?<=[。！？!?])|\n")
_CLAUSE_BREAK = re.compile(r"[.!?;\n]")
_BREAKS_LISTING = re.compile(
    r"\b(?:explanation|other|others|remaining|incorrect|wrong|reason)\b", re.I
)
_ABOUT_ANOTHER = re.compile(
    r"\b(?:not|incorrect|wrong|other|second|worst|another)\s+(?:the\s+|an?\s+)?$", re.I
)
_CONDITIONAL = re.compile(r"\b(?:would|could|might)\b", re.I)
_LONGEST_GROUP = 26


class Endorsed(NamedTuple):
    """Options that one piece of evidence endorses together, and where it stands."""

    labels: tuple[str, ...]
    start: int
    end: int


class View:
    """One prepared reply with its mentions.

    Attributes:
        text: The prepared text.
        marked: The same with its markup.
        finished: Whether the model ended the reply itself.
        index: The options.
        mentions: Every mention of an option, in order.
        at: Place in ``mentions`` of the mention that starts at a character.
    """

    def __init__(self, reply: Reply, end: int, index: OptionIndex, *, finished: bool) -> None:
        self.text = reply.text[:end]
        self.marked = reply.marked[:end]
        self.finished = finished
        self.index = index
        self.mentions = index.find(self.text, self.marked)
        self.at = {mention.start: place for place, mention in enumerate(self.mentions)}
        self._starts = [mention.start for mention in self.mentions]

    @cached_property
    def sentence_starts(self) -> list[int]:
        """Where each sentence or line begins."""
        return [0, *(match.end() for match in _SENTENCE_END.finditer(self.text))]

    def sentence(self, position: int) -> int:
        """Number of the sentence that holds a character."""
        return bisect_right(self.sentence_starts, position) - 1

    def asks(self, position: int) -> bool:
        """Whether the sentence that holds a character is a question."""
        following = self.sentence(position) + 1
        starts = self.sentence_starts
        end = starts[following] if following < len(starts) else len(self.text)
        return self.text[max(0, end - 4) : end].rstrip().endswith("?")

    @cached_property
    def listing(self) -> frozenset[int]:
        """Places of mentions that only list or discuss the options one after another."""
        listed: set[int] = set()
        run: list[int] = []
        for place, mention in enumerate(self.mentions):
            if mention.form not in LINE_FORMS or mention.label is None:
                continue
            if run and not self._continues(self.mentions[run[-1]], mention):
                listed.update(run if self._is_listing(run) else ())
                run = []
            run.append(place)
        listed.update(run if run and self._is_listing(run) else ())
        return frozenset(listed)

    def _continues(self, left: Mention, right: Mention) -> bool:
        order = self.index.order
        ascending = order[left.label or ""] < order[right.label or ""]
        return ascending and not _BREAKS_LISTING.search(self.text, left.end, right.start)

    def _is_listing(self, run: Sequence[int]) -> bool:
        if len(run) >= min(3, len(self.index.options)):
            return True
        start = self.mentions[run[0]].start
        above, newline, own_line = self.text[max(0, start - 200) : start].rpartition("\n")
        lead = above.rstrip().rpartition("\n")[2].rstrip()
        return bool(
            newline and not own_line.strip(" \t\"'([-") and phrases.LISTING_LEAD.search(lead)
        )

    def target(self, position: int) -> int | None:
        """Place of the mention that follows a cue, past separators and filling words."""
        for _ in range(9):
            separators = phrases.SEPARATORS.match(self.text, position)
            position = separators.end() if separators else position
            if position in self.at:
                return self.at[position]
            filler = phrases.FILLER.match(self.text, position)
            if not filler:
                return None
            position = filler.end()
        return None

    def group(self, place: int) -> Endorsed | None:
        """The option at a mention and those joined to it.

        None where the mention fits several options equally, and where it is one of a list of all
        options, which endorses nothing.
        """
        first = self.mentions[place]
        if first.label is None:
            return None
        labels, end = [first.label], first.end
        for mention in self.mentions[place + 1 : place + _LONGEST_GROUP]:
            joined = phrases.CONJUNCTION.match(self.text, end)
            if not joined or joined.end() != mention.start or mention.label is None:
                break
            if (mention.form in ("text", "number")) != (first.form in ("text", "number")):
                break
            labels.append(mention.label)
            end = mention.end
        distinct = tuple(dict.fromkeys(labels))
        if len(distinct) > 2 and len(distinct) == len(self.index.options):
            return None
        return Endorsed(distinct, first.start, end)

    def rejected(self, start: int, end: int) -> bool:
        """Whether the words around a mention say that it is not the answer."""
        return bool(
            phrases.REJECTED_BEFORE.search(self.text, max(0, start - 60), start)
            or phrases.REJECTED_AFTER.match(self.text, end)
        )

    def hypothetical(self, start: int, end: int) -> bool:
        """Whether a cue is negated, only supposed, or about another answer."""
        if phrases.NEGATED.search(self.text, start, end):
            return True
        before = _CLAUSE_BREAK.split(self.text[max(0, start - 100) : start])[-1]
        if _ABOUT_ANOTHER.search(before):
            return True
        clause = before + self.text[start:end]
        supposed = [match.end() for match in phrases.HYPOTHETICAL.finditer(clause)]
        return bool(supposed) and bool(
            "," not in clause[supposed[-1] :] or _CONDITIONAL.search(clause)
        )

    def outside(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The first match of a phrase that is not part of an option's own text."""
        for match in pattern.finditer(self.text):
            place = bisect_left(self._starts, match.end()) - 1
            mention = self.mentions[place] if place >= 0 else None
            if (
                mention is None
                or mention.end <= match.start()
                or mention.form not in ("text", "paired")
            ):
                return match
        return None
