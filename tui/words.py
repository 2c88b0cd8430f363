"""How lists write things in a few cells: flags in one letter, statuses in a word, numbers.

Colour is never the only sign, so everything here is text.
"""

from __future__ import annotations

import math
from functools import lru_cache

from tui import characters
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


@lru_cache(maxsize=8192)
def one_line(text: str) -> str:
    """The same text with every line break, tab and control character as one visible cell.

    Bidirectional and other unseen characters would move what stands beside the text, joiners,
    skin tones and variation selectors take other cells in other terminals; they are shown as
    ``‥``. The rest stands in the order in which it was written, right-to-left text too.
    """
    if characters.plain(text):
        return text
    line = "".join(map(characters.shown, text))
    return characters.CARRIER + line if line and characters.takes_no_cell(line[0]) else line
