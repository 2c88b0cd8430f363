"""Typos and swaps in the text of a question.

A text is changed in *places*: long words for typos and swaps of letters, pairs of neighbouring
words for swaps of words. Numbers, formulas, short words and everything that stands between words
stay as they are. Words are those of the Latin, Greek and Cyrillic scripts: a text in a script that
puts no blanks between words has no places.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, pairwise
from typing import Literal

from engine.perturb.draws import number, shuffled

WordKind = Literal["letter_typo", "letter_swap", "word_swap"]
Span = tuple[int, int]
"""First character, and the one after the last."""

_LETTER = "[A-Za-zÀ-ÖØ-öø-ɏΆΈ-ώЀ-ҁ]"
"""Written out, because what Unicode calls a letter changes with the version of Python."""
_LONG = re.compile(rf"(?<![\w\\]){_LETTER}{{4,}}(?!\w)")
"""A word with at least two letters between its first and its last; no command of LaTeX."""
_WORD = re.compile(rf"(?<![\w\\-]){_LETTER}++(?:['’-]{_LETTER}++)*+(?![\w-])")
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _neighbours() -> Mapping[str, str]:
    """The letters whose keys touch a letter's on an American keyboard.

    Rows are staggered: a key touches the keys beside it and, in the row above, the one with its
    own number and the next.
    """
    touching = defaultdict(set)
    beside = chain.from_iterable(map(pairwise, _KEYS))
    above = (
        pair
        for upper, lower in pairwise(_KEYS)
        for pair in (*zip(upper, lower, strict=False), *zip(upper[1:], lower, strict=False))
    )
    for one, other in chain(beside, above):
        touching[one].add(other)
        touching[other].add(one)
    return {letter: "".join(sorted(others)) for letter, others in touching.items()}


NEIGHBOURS = _neighbours()


def places(kind: WordKind, text: str) -> list[Span]:
    """Where a text can be changed, in order; pairs of words overlap."""
    return _PLACES[kind](text)


def change_words(kind: WordKind, text: str, rate: float, key: str) -> str:
    """A text with some of its places changed.

    - ``letter_typo``: in a word of four letters or more, one letter from a to z that is neither
      the first nor the last becomes a neighbour on an American keyboard, in the same case.
    - ``letter_swap``: in a word of four letters or more, two neighbouring letters that differ
      change places; the first and the last letter stay.
    - ``word_swap``: two neighbouring words that differ, with nothing but blanks between them,
      change places. Of pairs that overlap only one is taken.

    The kinds are those of arXiv:2404.08382; its rates and its definitions of a typo are not
    published, so these are this project's own.

    Args:
        kind: One of the above.
        text: The text.
        rate: Share of the places to change, from 0 to 1: rounded to a whole number of them, halves
            up, but at least one where it is above 0 and there are any. Of overlapping places fewer
            are changed where no more are left.
        key: What the draws depend on.
    """
    found = places(kind, text)
    pieces, done = [], 0
    for at in sorted(_taken(found, rate, key)):
        start, end = found[at]
        pieces += [text[done:start], _CHANGES[kind](text[start:end], f"{key}/{start}")]
        done = end
    return "".join([*pieces, text[done:]])


def _taken(found: Sequence[Span], rate: float, key: str) -> set[int]:
    """Which places are changed; one can overlap no others than those beside it."""
    wanted = max(1, int(rate * len(found) + 0.5)) if rate > 0 else 0
    taken: set[int] = set()
    for at in shuffled(len(found), key):
        if len(taken) >= wanted:
            break
        start, end = found[at]
        before = at - 1 in taken and found[at - 1][1] > start
        after = at + 1 in taken and found[at + 1][0] < end
        if not before and not after:
            taken.add(at)
    return taken


def _typo_places(text: str) -> list[Span]:
    return [word.span() for word in _LONG.finditer(text) if _typo_letters(word[0])]


def _typo_letters(word: str) -> list[int]:
    return [at for at in range(1, len(word) - 1) if word[at].lower() in NEIGHBOURS]


def _typo(word: str, key: str) -> str:
    letters = _typo_letters(word)
    at = letters[number(f"{key}/at", len(letters))]
    near = NEIGHBOURS[word[at].lower()]
    letter = near[number(f"{key}/letter", len(near))]
    return word[:at] + (letter.upper() if word[at].isupper() else letter) + word[at + 1 :]


def _swap_places(text: str) -> list[Span]:
    return [word.span() for word in _LONG.finditer(text) if _unequal(word[0])]


def _unequal(word: str) -> list[int]:
    """The inner letters that differ from the next one, which is an inner one too."""
    return [at for at in range(1, len(word) - 2) if word[at] != word[at + 1]]


def _swap(word: str, key: str) -> str:
    letters = _unequal(word)
    at = letters[number(f"{key}/at", len(letters))]
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _pairs(text: str) -> list[Span]:
    return [
        (first.start(), second.end())
        for first, second in pairwise(_WORD.finditer(text))
        if first[0] != second[0] and not text[first.end() : second.start()].strip(" ")
    ]


def _swap_words(pair: str, key: str) -> str:
    first, second = pair.split(" ", 1)[0], pair.rsplit(" ", 1)[1]
    return second + pair[len(first) : len(pair) - len(second)] + first


_PLACES: Mapping[WordKind, Callable[[str], list[Span]]] = {
    "letter_typo": _typo_places,
    "letter_swap": _swap_places,
    "word_swap": _pairs,
}
_CHANGES: Mapping[WordKind, Callable[[str, str], str]] = {
    "letter_typo": _typo,
    "letter_swap": _swap,
    "word_swap": _swap_words,
}
