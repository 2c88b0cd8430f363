"""Where two prompts differ, to the character, in pieces that people can read.

Lines that both have once are the anchors (as in patience diff), what lies between them is compared
word by word, and two words that are nearly the same show only the characters that differ.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from typing import Literal, NamedTuple

ChangeKind = Literal["same", "removed", "added"]

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_WORD = re.compile(r"\w+|\W")

_ALIKE = 0.5
"""Share of the longer text that its common ends must exceed to be shown as one text changed.
Otherwise "London" and "Lisbon" would be cut up into syllables."""


class Change(NamedTuple):
    """A stretch of two prompts: in both, in the first alone, or in the other alone."""

    kind: ChangeKind
    text: str


def diff(one: str, other: str) -> list[Change]:
    """Compare two prompts.

    Returns:
        The stretches in order, none of them empty, no two of a kind in a row, and what is removed
        before what is added in its place. All that is same or removed makes ``one``, all that is
        same or added makes ``other``.
    """
    return list(_tidy(_by_line(_LINE.findall(one), _LINE.findall(other))))


def first_difference(one: str, other: str) -> int | None:
    """Index of the first character in which two texts differ; None where they are the same.

    Where one text begins with the whole of the other, this is the length of the shorter one.
    """
    return None if one == other else _common(one, other)


def _by_line(one: Sequence[str], other: Sequence[str]) -> Iterator[Change]:
    """Compare what lies between the lines that only occur once in each, and are in order."""
    once = {line for line, count in Counter(one).items() if count == 1}
    once &= {line for line, count in Counter(other).items() if count == 1}
    places = [index for index, line in enumerate(one) if line in once]
    others = [index for index, line in enumerate(other) if line in once]
    anchors = SequenceMatcher(
        None, [one[index] for index in places], [other[index] for index in others], autojunk=False
    )
    begin = other_begin = 0
    for start, other_start, size in anchors.get_matching_blocks():
        for step in range(size):
            end, other_end = places[start + step], others[other_start + step]
            yield from _by_word("".join(one[begin:end]), "".join(other[other_begin:other_end]))
            yield Change("same", one[end])
            begin, other_begin = end + 1, other_end + 1
    yield from _by_word("".join(one[begin:]), "".join(other[other_begin:]))


class _Edit(NamedTuple):
    """What was removed and added at one place, and what is the same behind it."""

    removed: str
    added: str
    same: str

    @property
    def size(self) -> int:
        return max(len(self.removed), len(self.added))


def _by_word(one: str, other: str) -> Iterator[Change]:
    words, others = _WORD.findall(one), _WORD.findall(other)
    head, tail = _common_ends(words, others)
    yield Change("same", "".join(words[:head]))
    changed, other_changed = words[head : len(words) - tail], others[head : len(others) - tail]
    for edit in _merged(list(_edits(changed, other_changed))):
        yield from _by_character(edit.removed, edit.added)
        yield Change("same", edit.same)
    yield Change("same", "".join(words[len(words) - tail :]))


def _edits(words: Sequence[str], others: Sequence[str]) -> Iterator[_Edit]:
    # Among many words difflib takes none that is everywhere for an anchor, which keeps it quick.
    begin = other_begin = 0
    for start, other_start, size in SequenceMatcher(None, words, others).get_matching_blocks():
        removed, added = words[begin:start], others[other_begin:other_start]
        begin, other_begin = start + size, other_start + size
        yield _Edit("".join(removed), "".join(added), "".join(words[start:begin]))


def _merged(edits: list[_Edit]) -> list[_Edit]:
    """Take a match for changed that is no longer than what changes on either side of it.

    Two texts that say different things still share a "the" here and a comma there.
    """
    merged = edits[:1]
    for edit in edits[1:]:
        removed, added, same = merged[-1]
        if len(same) <= min(merged[-1].size, edit.size):
            merged[-1] = _Edit(removed + same + edit.removed, added + same + edit.added, edit.same)
        else:
            merged.append(edit)
    return merged if len(merged) == len(edits) else _merged(merged)


def _by_character(removed: str, added: str) -> Iterator[Change]:
    """Show what differs within two texts that are nearly the same, or both as they are."""
    head, tail = _common_ends(removed, added)
    if head + tail <= _ALIKE * max(len(removed), len(added)):
        head = tail = 0
    yield Change("same", removed[:head])
    yield Change("removed", removed[head : len(removed) - tail])
    yield Change("added", added[head : len(added) - tail])
    yield Change("same", removed[len(removed) - tail :])


def _common_ends(one: Sequence[str], other: Sequence[str]) -> tuple[int, int]:
    """How many items two sequences have in common at the head, and at the tail of the rest."""
    head = _common(one, other)
    return head, _common(one[head:][::-1], other[head:][::-1])


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))


def _tidy(changes: Iterator[Change]) -> Iterator[Change]:
    """Join stretches of a kind, and put what is removed before what is added in its place."""
    written = (change for change in changes if change.text)
    for same, group in groupby(written, key=lambda change: change.kind == "same"):
        stretch = list(group)
        kinds: tuple[ChangeKind, ...] = ("same",) if same else ("removed", "added")
        for kind in kinds:
            text = "".join(change.text for change in stretch if change.kind == kind)
            if text:
                yield Change(kind, text)
