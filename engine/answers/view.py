"""A reply with its mentions, and the questions that the ladder's rules ask about it."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from engine.answers import cues
from engine.answers.mentions import Mention, OptionIndex, ends_line, starts_line
from engine.answers.reply import Reply

LINE_FORMS = frozenset({"alone", "item", "paired"})

_SENTENCE_END = re.compile(
    r"(?<!\bdr)(?<!\bmr)(?<!\bms)(?<!\bmrs)(?<!\bst)(?<!\bvs)(?<!\bprof)(?<!\be\.g)(?<!\bi\.e)"
    r"[.!?。]+(?=[\s\"')\]]|$)|(?<=[。！？!?])|\n"
)
_TICK = re.compile(r"[✓✔✅☑✗✘❌×]|\[[ xX]\]")
_CLAUSE_BREAK = re.compile(r"[.!?;\n]")
_CLAUSE_END = re.compile(r"[\"'*_)\]]{0,4}\s?(?:$|[.,;:!\n]|[-–—]\s|[\"'*])")
_MOST_FILLERS = 9
_TEXTUAL = frozenset({"text", "number", "numeral"})


class Endorsed(NamedTuple):
    """Options that one piece of evidence endorses together, and where it stands."""

    labels: tuple[str, ...]
    start: int
    end: int


class View:
    """One prepared reply with its mentions.

    Attributes:
        reply: The prepared reply.
        text: Its text, up to where the rules look.
        lower: The same in lower case, as the cues are written.
        marked: The same with its markup.
        finished: Whether the model ended the reply itself.
        index: The options.
        mentions: Every mention of an option, in order.
        at: Place in ``mentions`` of the mention that starts at a character.
    """

    def __init__(self, reply: Reply, end: int, index: OptionIndex, *, finished: bool) -> None:
        self.reply = reply
        self.text = reply.text[:end]
        self.marked = reply.marked[:end]
        self.finished = finished
        self.index = index
        self.lower = _lower(self.text)
        self.mentions = index.find(self.text, self.lower, self.marked)
        self.at = {mention.start: place for place, mention in enumerate(self.mentions)}
        self._starts = [mention.start for mention in self.mentions]

    def complete_sentences(self) -> View:
        """The same without a last sentence that was cut."""
        return View(self.reply, self.sentence_starts[-1], self.index, finished=True)

    @cached_property
    def sentence_starts(self) -> list[int]:
        """Where each sentence or line begins."""
        return [0, *(match.end() for match in _SENTENCE_END.finditer(self.lower))]

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
        return ascending and not cues.BREAKS_LISTING.search(self.lower, left.end, right.start)

    def _is_listing(self, run: Sequence[int]) -> bool:
        places = [self.index.order[self.mentions[place].label or ""] for place in run]
        consecutive = places == list(range(places[0], places[0] + len(run)))
        if consecutive and len(run) >= min(3, len(self.index.options)):
            return True
        discussed = not any(ends_line(self.text, self.mentions[place].end) for place in run)
        apart = self.chains[run[0]] != self.chains[run[-1]]
        if consecutive and places[0] == 0 and len(run) == 2 and discussed and apart:
            return True
        return starts_line(self.text, self.mentions[run[0]].start) and self._is_announced(run[0])

    def _is_announced(self, place: int) -> bool:
        """Whether the line above a mention's line announces a listing, and is no item itself."""
        start = self.mentions[place].start
        window = max(0, start - 240)
        above, line_break, _ = self.lower[window:start].rpartition("\n")
        above = above.rstrip()
        lead_start = window + above.rfind("\n") + 1
        item = place and self.mentions[place - 1]
        if not line_break or (item and item.form in LINE_FORMS and item.start >= lead_start):
            return False
        return bool(cues.LISTING_LEAD.search(self.lower, lead_start, window + len(above)))

    def target(self, position: int) -> int | None:
        """Place of the mention that follows a cue, past separators and filling words."""
        for _ in range(_MOST_FILLERS):
            separators = cues.SEPARATORS.match(self.lower, position)
            end = separators.end() if separators else position
            for start in range(position, end + 1):
                if start in self.at:
                    return self.at[start]
            filler = cues.FILLER.match(self.lower, end)
            if not filler:
                return None
            position = filler.end()
        return None

    @cached_property
    def chains(self) -> list[range]:
        """For each mention the places of the mentions that are joined with it: "A, C and D".

        A comma after an "and" joins nothing: "without A and C, D is left".
        """
        chains: list[range] = []
        first = 0
        ended = False
        for place in range(1, len(self.mentions) + 1):
            joint = self._joint(place - 1, place) if place < len(self.mentions) else None
            worded = bool(joint and re.search(r"\w", joint))
            if joint is None or (ended and joint and not worded):
                chains += [range(first, place)] * (place - first)
                first = place
            ended = worded
        return chains

    def _joint(self, left: int, right: int) -> str | None:
        """What joins two mentions, None where they are not joined."""
        one, two = self.mentions[left], self.mentions[right]
        if (
            one.label is None
            or two.label is None
            or (one.form in _TEXTUAL) != (two.form in _TEXTUAL)
        ):
            return None
        if one.form == two.form == "together" and two.start <= one.end + 1:
            return ""
        conjunction = cues.CONJUNCTION.match(self.lower, one.end)
        if conjunction is not None and conjunction.end() == two.start:
            return conjunction[0]
        lined_up = (
            self.next_line(one, two.start)
            and self.index.order[one.label] < self.index.order[two.label]
            and two.form in LINE_FORMS
            and ends_line(self.text, two.end)
        )
        return "" if lined_up else None

    def next_line(self, left: Mention, start: int) -> bool:
        """Whether a mention fills its line and the character stands on the next one."""
        between = self.text[left.end : start]
        ticked = _TICK.search(self.marked, left.end, start)
        return (
            left.form in LINE_FORMS
            and "\n" in between
            and not ticked
            and not re.search(r"\w", between)
        )

    def group(self, place: int) -> Endorsed | None:
        """The option at a mention and those joined to it.

        None where the mention fits several options equally, and where it is one of a list of all
        options, which endorses nothing.
        """
        chain = self.chains[place]
        all_joined = {mention.label for mention in self.mentions[chain.start : chain.stop]}
        joined = self.mentions[place : chain.stop]
        labels = tuple(dict.fromkeys(mention.label for mention in joined if mention.label))
        if not labels or len(self.index.options) == len(all_joined) > 2:
            return None
        return Endorsed(labels, joined[0].start, joined[-1].end)

    def rejected(self, place: int) -> bool:
        """Whether the words around a mention, or around its chain, say it is not the answer."""
        chain = self.chains[place]
        start, end = self.mentions[chain.start].start, self.mentions[chain.stop - 1].end
        return bool(
            cues.REJECTED_BEFORE.search(self.lower, max(0, start - 60), start)
            or cues.REJECTED_AFTER.match(self.lower, end)
        )

    def ticked(self, mention: Mention) -> bool:
        """Whether a tick stands right before or after a mention, or words that call it right."""
        return bool(
            cues.VERDICT_AFTER.match(self.lower, mention.end)
            or cues.TICKED_BEFORE.search(self.marked, max(0, mention.start - 9), mention.start)
            or cues.TICKED_CELL.match(self.marked, mention.end)
        )

    def names_option(self, start: int, end: int) -> bool:
        """Whether an option is named by its label within a stretch ("Option A is ...")."""
        first, last = bisect_left(self._starts, start), bisect_left(self._starts, end)
        return any(mention.form not in _TEXTUAL for mention in self.mentions[first:last])

    def supposed(self, start: int, end: int) -> bool:
        """Whether a cue is negated, only supposed, said by others, or about another answer."""
        if cues.NEGATED.search(self.lower, start, end):
            return True
        before = _CLAUSE_BREAK.split(self.lower[max(0, start - 100) : start])[-1]
        if cues.ABOUT_ANOTHER.search(before):
            return True
        cue = self.lower[start:end]
        nearest = (before + cue).rpartition(",")[2]
        return bool(
            cues.SUPPOSED.search(nearest)
            or (cues.CONDITIONAL.search(nearest) and cues.SUPPOSED.search(before))
        )

    def attributed(self, position: int) -> bool:
        """Whether the sentence says before a character that others think so: "some argue that"."""
        start = max(self.sentence_starts[self.sentence(position)], position - 200)
        return bool(cues.ATTRIBUTED.search(self.lower, start, position))

    def stands_out(self, mention: Mention) -> bool:
        """Whether an option's text is unlikely to stand in the reply by chance.

        A text of everyday words ("some", "a lot", "no") must be long, end a clause, stand in
        quotes or bold, or be demanded; one that the reply only goes on from ("some people", "a
        great deal of work") says nothing.
        """
        words = self.lower[mention.start : mention.end].split()
        if not all(word in cues.EVERYDAY_WORDS for word in words):
            return True
        before = max(0, mention.start - 12)
        if len(words) > 2 and not self.lower.startswith(" of ", mention.end):
            return True
        if words != ["no"] and cues.DEMANDED_BEFORE.search(self.lower, before, mention.start):
            return True
        return bool(_CLAUSE_END.match(self.marked, mention.end))

    def outside(self, pattern: re.Pattern[str], label: str | None = None) -> re.Match[str] | None:
        """The first match of a phrase that does not stand in an option's own text.

        A phrase that only names a label ("I cannot choose A, because") does not count either.

        Args:
            pattern: The phrase.
            label: The only option whose text counts; None for any.
        """
        return next(
            (
                match
                for match in pattern.finditer(self.lower)
                if not self._in_option_text(match, label) and not self._leads_to_option(match)
            ),
            None,
        )

    def _leads_to_option(self, match: re.Match[str]) -> bool:
        place = self.target(match.end())
        if place is None or self.mentions[place].form in _TEXTUAL:
            return False
        return not re.search(r"[.,:;!?\n]", self.text[match.end() : self.mentions[place].start])

    def _in_option_text(self, match: re.Match[str], label: str | None) -> bool:
        place = bisect_right(self._starts, match.start()) - 1
        if place < 0 or self.mentions[place].end < match.end():
            return False
        mention = self.mentions[place]
        return mention.form in ("text", "paired") and label in (None, mention.label)


def _lower(text: str) -> str:
    """Lower case, character for character: what would grow longer stays as it is."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)
