"""Characters that a terminal can't be trusted with, and what is shown in their place.

Some can't be seen, some reorder what stands beside them, and of some terminals disagree how many
cells they take beside which neighbour. What is left after these are replaced takes in every place
as many cells as its characters do one by one.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from rich.cells import get_character_cell_size

NEWLINE = "↵"
PICTURES = {chr(code): chr(0x2400 + code) for code in range(0x20)} | {
    "\n": NEWLINE,
    "\t": "⇥",
    "\x7f": "␡",
}
"""Control characters and the signs for them."""
UNSEEN = "‥"
"""What reading text shows for a character that can't be seen, or changes its neighbours."""
CARRIER = "◌"
"""What carries a combining mark that has no letter before it."""

RIGHT_TO_LEFT_NOTE = "RTL as written"
"""Where right-to-left text is shown from left to right: in the order in which it was written."""

KEEP_ORDER, REORDER = "\x1b[8l", "\x1b[8h"
"""Tell a terminal that draws right-to-left text itself (VTE) to leave every character
in its cell, and to stop doing so (ECMA-48, bi-directional support mode); others ignore it.
"""

_NAMES = {
    0xA0: "NBSP", 0xAD: "SHY", 0x34F: "CGJ", 0x61C: "ALM",
    0x200B: "ZWSP", 0x200C: "ZWNJ", 0x200D: "ZWJ", 0x200E: "LRM", 0x200F: "RLM",
    0x2028: "LSEP", 0x2029: "PSEP",
    0x202A: "LRE", 0x202B: "RLE", 0x202C: "PDF", 0x202D: "LRO", 0x202E: "RLO", 0x202F: "NNBSP",
    0x2060: "WJ", 0x2066: "LRI", 0x2067: "RLI", 0x2068: "FSI", 0x2069: "PDI", 0xFEFF: "BOM",
    **{0xFE00 + number: f"VS{number + 1}" for number in range(16)},
    **{0x1F1E6 + number: f"RI {chr(ord('A') + number)}" for number in range(26)},
}  # fmt: skip
"""Abbreviations of the Unicode standard; regional indicators (two make a flag) by their letter."""

# What Unicode calls default ignorable and no category tells: they are drawn as nothing at all.
_IGNORABLE = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164"
    "\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff"
)
_JOINING = "\u200d\U0001f3fb-\U0001f3ff"
"""Joiner and skin tones: whether they take cells depends on the terminal and the neighbours."""
_UNSETTLED = re.compile(f"[{_IGNORABLE}{_JOINING}]")
_SPECIAL_IN_TOKENS = re.compile(f"[{_IGNORABLE}{_JOINING}\u2800\U0001f1e6-\U0001f1ff]")
_UNSEEN_CATEGORIES = frozenset({"Cf", "Cc", "Cs", "Zl", "Zp"})
_NO_GLYPH_CATEGORIES = _UNSEEN_CATEGORIES | {"Cn", "Co", "Zs"}
_NON_JOINER = "\u200c"
"""Persian is full of it; it takes no cell anywhere and changes no other character's cells."""
_RIGHT_TO_LEFT = frozenset({"R", "AL"})


def has_no_glyph(character: str) -> bool:
    """Whether one can't see which character this is: every blank, control and unseen one."""
    return (
        unicodedata.category(character) in _NO_GLYPH_CATEGORIES
        or _SPECIAL_IN_TOKENS.match(character) is not None
    )


def name(character: str) -> str:
    """What a character without a glyph is called, e.g. ``ZWJ`` or ``U+E000``."""
    return _NAMES.get(ord(character)) or f"U+{ord(character):02X}"


def takes_no_cell(character: str) -> bool:
    """Whether a character is drawn over the one before it."""
    return get_character_cell_size(character) == 0


@lru_cache(maxsize=8192)
def shown(character: str) -> str:
    """A character as it stands in reading text: itself, its picture, or :data:`UNSEEN`."""
    if character in PICTURES:
        return PICTURES[character]
    if character == _NON_JOINER:
        return character
    category = unicodedata.category(character)
    hidden = category in _UNSEEN_CATEGORIES or _UNSETTLED.match(character) is not None
    return UNSEEN if hidden else character


def plain(text: str) -> bool:
    """Whether every character of a text is shown as it is, in reading text."""
    return text.isascii() and text.isprintable()


def is_right_to_left(text: str) -> bool:
    """Whether a text has letters of a script that is written from right to left."""
    return not text.isascii() and any(
        unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in set(text)
    )
