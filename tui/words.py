"""How the screens write things: flags in one letter, statuses in a word, numbers, cells.

Colour is never the only sign, so everything here is text.
"""

from __future__ import annotations

import math
import unicodedata
from functools import lru_cache

from rich.cells import cell_len, set_cell_size

NOT_RECORDED = "–"
"""Stands where a value was not recorded."""

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
    "tie": "=",
    "low_margin": "~",
    "wrong": "W",
}
"""One letter a flag, for narrow columns; the tabs above the list are their legend."""

STATUS_WORDS = {
    "option": "option",
    "several": "several",
    "none_of_these": "none",
    "refusal": "refusal",
    "dont_know": "don't know",
    "truncated": "truncated",
    "unparsed": "unparsed",
}
"""What lists say where a text names no single option."""


def answer(status: str | None, label: str | None) -> str:
    """What a reading says: the option's label, or the word for its status."""
    if status is None:
        return label or NOT_RECORDED
    if status == "option":
        return label or NOT_RECORDED
    return STATUS_WORDS.get(status, status)


def probability(value: float | None, places: int = 2) -> str:
    """A probability in 0..1 without its leading zero, e.g. ``.93``; never rounded up to 1."""
    if value is None or math.isnan(value):
        return NOT_RECORDED
    rounded = f"{value:.{places}f}"
    if rounded.startswith("1") and value < 1:
        rounded = f"{1 - 10**-places:.{places}f}"
        return ">" + rounded[1:]
    return rounded if rounded.startswith("1") else rounded[1:]


def percent(value: float | None) -> str:
    """A probability in 0..1 as percent with one decimal, e.g. ``93.1 %``."""
    if value is None or math.isnan(value):
        return NOT_RECORDED
    if 0 < value < 0.0005:
        return "<0.1 %"
    return f"{value * 100:.1f} %"


def nats(value: float | None) -> str:
    """An entropy in nats with two decimals."""
    return NOT_RECORDED if value is None or math.isnan(value) else f"{value:.2f}"


def duration(seconds: float) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


_VISIBLE = {code: chr(0x2400 + code) for code in range(32)} | {0x7F: "␡", 0x0A: "⏎", 0x09: "⇥"}


@lru_cache(maxsize=8192)
def one_line(text: str) -> str:
    """The same text with line breaks, tabs and control characters as one visible cell each.

    Bidirectional and other invisible format characters would move what stands beside the text;
    they are shown as ``‥``. Joiners and variation selectors, which belong to what they stand
    in, stay.
    """
    if text.isascii() and text.isprintable():
        return text
    shown = text.translate(_VISIBLE)
    if shown.isprintable():
        return shown
    return "".join(
        character
        if character in "\u200c\u200d"
        or unicodedata.category(character) not in {"Cf", "Cc", "Zl", "Zp"}
        else "‥"
        for character in shown
    )


@lru_cache(maxsize=8192)
def token(text: str) -> str:
    """A token's text with every blank visible: ``␣The``, ``⏎``."""
    return one_line(text).replace(" ", "␣")


def fit(text: str, width: int, *, right: bool = False) -> str:
    """A text in exactly ``width`` cells: padded, or cut with an ellipsis; wide characters right."""
    length = len(text) if text.isascii() else cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…" if width > 1 else "…"[:width]
    blanks = " " * (width - length)
    return blanks + text if right else text + blanks


_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int) -> str:
    """A horizontal bar of ``share`` in 0..1 of ``width`` cells, drawn in eighths of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    if share > 0 and eighths == 0:
        eighths = 1
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)
