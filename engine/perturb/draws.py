"""Chance that depends on nothing but a key: the same on every machine and version of Python."""

from __future__ import annotations

import hashlib


def number(key: str, below: int) -> int:
    """A whole number from 0, uniform by one 64-bit hash; the modulo's bias is below 1e-17."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % below


def shuffled(count: int, key: str) -> tuple[int, ...]:
    """The numbers 0 to ``count - 1`` in random order: Fisher-Yates, one draw a step."""
    items = list(range(count))
    for last in range(count - 1, 0, -1):
        chosen = number(f"{key}/{last}", last + 1)
        items[last], items[chosen] = items[chosen], items[last]
    return tuple(items)
