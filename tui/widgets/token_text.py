"""Making tokens visible: every character of a token, blanks and control codes too, as glyphs.

A glyph that stands for something else (``·`` for a space) never stands for itself: where a text
really holds that glyph, its code point is shown instead, so that what is read is what was written.
"""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len

from tui import characters

SPACE = "·"
NEWLINE = characters.NEWLINE
ELLIPSIS = "…"

_GLYPHS = {**characters.PICTURES, " ": SPACE}
_TAKEN = frozenset(_GLYPHS.values()) | {"⟨", "⟩", characters.CARRIER}

TokenEntry = tuple[str | None, bytes, bool]
"""Piece, raw bytes and special, as in :attr:`engine.browse.ProbeView.tokens`."""


def visible(text: str) -> str:
    """The text with every blank, control and invisible character shown as a glyph.

    Spaces become ``·``, newlines ``↵``, tabs ``⇥``, other control characters their Unicode control
    picture; what has no picture becomes its name or code point (``⟨ZWJ⟩``, ``⟨U+E000⟩``), and so
    does what terminals draw in different widths (skin tones, halves of flags). A combining mark
    with no letter before it gets a dotted circle.
    """
    if text.isascii() and text.isprintable():
        return text.replace(" ", SPACE)
    shown: list[str] = []
    bare = True
    for character in text:
        glyph = _glyph(character, bare=bare)
        bare = glyph != character and not glyph.startswith(characters.CARRIER)
        shown.append(glyph)
    return "".join(shown)


def visible_bytes(raw: bytes) -> str:
    """As :func:`visible` for bytes; what is no whole UTF-8 character is shown as ``⟨e4 bd⟩``."""
    shown: list[str] = []
    while raw:
        try:
            return "".join([*shown, visible(raw.decode())])
        except UnicodeDecodeError as error:
            whole, broken = raw[: error.start], raw[error.start : error.end]
            shown += [visible(whole.decode()), f"⟨{broken.hex(' ')}⟩"]
            raw = raw[error.end :]
    return "".join(shown)


def visible_token(token_id: int, entry: TokenEntry | None) -> str:
    """One token as it is shown everywhere; special tokens by their name, unknown ids by number."""
    if entry is None:
        return f"⟨id {token_id}⟩"
    piece, raw, special = entry
    if special and piece:
        return visible(piece)
    if raw:
        return visible_bytes(raw)
    return f"⟨id {token_id}⟩" if piece is None else f"⟨empty {visible(piece)}⟩"


def token_bytes(entry: TokenEntry | None) -> bytes:
    """What the token contributes to a text that keeps special tokens visible."""
    if entry is None:
        return b""
    piece, raw, special = entry
    return piece.encode() if special and piece else raw


@lru_cache(maxsize=65536)
def width(text: str) -> int:
    """Terminal cells that the text takes."""
    return cell_len(text)


def fit(text: str, cells: int) -> str:
    """The text in exactly this many cells: padded, or cut with an ellipsis."""
    missing = cells - width(text)
    if missing >= 0:
        return text + " " * missing
    if cells <= 0:
        return ""
    kept, room = "", cells - 1
    for character in text:
        room -= width(character)
        if room < 0:
            break
        kept += character
    return kept + ELLIPSIS + " " * (cells - 1 - width(kept))


@lru_cache(maxsize=16384)
def _glyph(character: str, *, bare: bool) -> str:
    """How one character is shown; ``bare`` where no letter stands before it."""
    if character in _GLYPHS:
        return _GLYPHS[character]
    if character in _TAKEN or characters.has_no_glyph(character):
        return f"⟨{characters.name(character)}⟩"
    if bare and characters.takes_no_cell(character):
        return f"{characters.CARRIER}{character}"
    return character
