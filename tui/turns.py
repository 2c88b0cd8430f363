"""Where the turns of a chat begin in the tokens of a prompt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tui.widgets.token_text import TokenEntry, token_bytes

_ROLES = "system|developer|user|human|assistant|model|bot|tool"
_NAMED = re.compile(rf"\W*(?:start_of_|begin_of_)?({_ROLES})\W*", re.IGNORECASE)
_SPELLED = re.compile(rf"\s*({_ROLES})(?:\s*\n.*|\Z)", re.IGNORECASE | re.DOTALL)
_INSTRUCTION = {"[INST]": "user", "[/INST]": "assistant"}
_LONGEST = 3
"""Tokens that may spell the role behind a special token."""


class Turn(NamedTuple):
    """A turn and the token that it begins with."""

    role: str
    token: int


def turns(token_ids: Sequence[int], tokens: Mapping[int, TokenEntry]) -> list[Turn]:
    """The turns of a prompt, in order; none in a prompt without special tokens that open any.

    A turn begins with a special token that names a role (``<|user|>``) or stands before one
    (``<|im_start|>user``).
    """
    found = []
    for place, token_id in enumerate(token_ids):
        entry = tokens.get(token_id)
        if entry is None or not entry[2]:
            continue
        role = _role(entry[0] or "", token_ids[place + 1 : place + 1 + _LONGEST], tokens)
        if role:
            found.append(Turn(role, place))
    return found


def _role(name: str, behind: Sequence[int], tokens: Mapping[int, TokenEntry]) -> str:
    """The role that a special token begins the turn of; empty for none."""
    if name in _INSTRUCTION:
        return _INSTRUCTION[name]
    if named := _NAMED.fullmatch(name):
        return named[1].lower()
    if "end" in name.lower() or name.startswith("</"):
        return ""
    text = b""
    for token_id in behind:
        entry = tokens.get(token_id)
        if entry is None or entry[2] or b"\n" in text:
            break
        text += token_bytes(entry)
    else:
        text += b" "  # goes on, so that it has to be a line of its own
    spelled = _SPELLED.match(text.decode(errors="replace"))
    return spelled[1].lower() if spelled else ""
