"""SQL in pieces, however unfinished it is.

Completion reads what somebody is still typing, and layout must give back every character that is
not a blank. DuckDB's own tokenizer tells neither where a token ends nor where a comment is, and a
parser wants whole statements, so the few lines of lexing that both need stand here.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, get_args

TokenKind = Literal["word", "quoted", "string", "comment", "number", "symbol", "blank"]

_KINDS: dict[str | None, TokenKind] = {kind: kind for kind in get_args(TokenKind)}

_TOKEN = re.compile(
    r"""
    (?P<blank>\s+)
    | (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
    | (?P<string>[eExX]?'(?:[^']|'')*(?:'|\Z)|\$(?P<tag>[^\W\d]\w*|)\$.*?(?:\$(?P=tag)\$|\Z))
    | (?P<quoted>"(?:[^"]|"")*(?:"|\Z))
    | (?P<number>(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)?)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<symbol>->>|::|<=>|<>|<=|>=|!=|==|\|\||->|=>|:=|\*\*|//|<<|>>|\^@|!?~~\*?|.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """One piece of a text.

    Attributes:
        kind: What it is; ``quoted`` is a name in double quotes.
        text: Its characters.
        start: Place of the first, from 0.
    """

    kind: TokenKind
    text: str
    start: int

    @property
    def end(self) -> int:
        """Place after the last character."""
        return self.start + len(self.text)

    @property
    def key(self) -> str:
        """What it is compared by: words do not care about case, quoted names lose their quotes."""
        if self.kind == "quoted":
            return self.text.strip('"').replace('""', '"').lower()
        return self.text.lower()

    @property
    def is_name(self) -> bool:
        """Whether it can name something."""
        return self.kind in ("word", "quoted")

    @property
    def unclosed(self) -> bool:
        """Whether a string, quoted name or block comment lacks its end."""
        if self.kind == "comment":
            return self.text.startswith("/*") and not self.text.endswith("*/")
        if self.kind == "string" and self.text.startswith("$"):
            tag = self.text[: self.text.index("$", 1) + 1]
            return len(self.text) < 2 * len(tag) or not self.text.endswith(tag)
        quote = {"string": "'", "quoted": '"'}.get(self.kind)
        # An even number of quotes is a whole string: a doubled one stands for itself.
        return quote is not None and self.text.count(quote) % 2 == 1


def lex(text: str, start: int = 0) -> list[Token]:
    """Every piece of a text, blanks included; joined together they are the text again.

    Args:
        text: SQL, whole or not.
        start: Added to every place.
    """
    return [
        Token(_KINDS[found.lastgroup], found.group(), start + found.start())
        for found in _TOKEN.finditer(text)
    ]
