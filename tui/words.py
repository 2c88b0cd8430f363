"""How lists write things in a few cells: flags in one letter, statuses in a word, numbers.

Colour is never the only sign, so everything here is text.
"""

from __future__ import annotations

import math
import unicodedata
from functools import lru_cache

from tui.output import NOT_RECORDED

FLAG_LETTERS = {
    "mismatch": "M",
    "vocab_mismatch": "V",
    "same_but_not_first": "S",
    "refusal": "R",
    "first_refusal": "F",
    "several": "+",
    "unparsed": "?",
    "no_option": "0",
    "truncated": "T",
    "greedy_vs_samples": "G",
    "off_option_top": "O",
    "other_spelling": "L",
    "tie": "=",
    "near_tie": "≈",
    "low_margin": "~",
    "wrong": "W",
}
"""One letter a flag, for narrow columns; the tabs above the list are their legend."""

STATUS_WORDS = {
    "several": "several",
    "none_of_these": "none",
    "refusal": "refusal",
    "dont_know": "don't know",
    "truncated": "truncated",
    "unparsed": "unparsed",
}
"""What lists say where a text names no single option."""

ASIDE = {"rerun": "re-run", "edit": "edited prompt"}
"""Kinds of runs that are one question asked anew, and what the question is called then; no list
of questions opens on them."""


def answer(status: str | None, label: str | None) -> str:
    """What a reading says: the option's label, or the word for its status."""
    if status is None or status == "option":
        return label or NOT_RECORDED
    return STATUS_WORDS.get(status, status)


def decimal(value: float | None) -> str:
    """Two decimals, e.g. ``1.24``."""
    return NOT_RECORDED if value is None or math.isnan(value) else f"{value:.2f}"


def probability(value: float | None) -> str:
    """A probability in 0..1 in three cells, e.g. ``.93``; what is below 1 is never shown as 1."""
    if value is None or math.isnan(value):
        return NOT_RECORDED
    return "1.0" if value >= 1 else f"{min(value, 0.99):.2f}"[1:]


def duration(seconds: float) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


_PICTURES = {code: chr(0x2400 + code) for code in range(32)} | {0x7F: "␡", 0x0A: "↵", 0x09: "⇥"}
_JOINERS = "\u200c\u200d"
_UNSHOWN = frozenset({"Cf", "Cc", "Cs", "Zl", "Zp"})


@lru_cache(maxsize=8192)
def one_line(text: str) -> str:
    """The same text with every line break, tab and control character as one visible cell.

    Bidirectional and other invisible format characters would move what stands beside the text;
    they are shown as ``‥``. Joiners, which belong to the characters around them, stay.
    """
    if text.isprintable():
        return text
    return "".join("‥" if _moves_others(each) else each for each in text.translate(_PICTURES))


def _moves_others(character: str) -> bool:
    return character not in _JOINERS and unicodedata.category(character) in _UNSHOWN
