"""Keys of prompts and prefixes that were computed before, to go on from instead of again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch

from engine.kernel import Keys
from engine.memory import free_memory

Ids = Sequence[int]
Layers = dict[int, Keys]
"""For each layer one row of keys and values."""

WORTH_SHARING = 16
"""Beginnings shorter than this are not worth a forward pass of their own."""
_MOST = 16
"""Texts kept."""
_SHARE = 1 / 8
"""Share of the free memory that the kept keys may take."""


class PrefixCache:
    """The keys of the texts used last; any text that begins like one of them can use them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, ...], Layers] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def texts(self) -> list[tuple[int, ...]]:
        """The texts whose keys are kept, the one used last at the end."""
        return list(self._kept)

    def longest(self, ids: Ids) -> tuple[Layers, int]:
        """Keys of the longest known beginning of a text, and its length; views, not copies."""
        known = max(self._kept, key=lambda text: common([text, ids], 0), default=())
        length = common([known, ids], 0)
        if length < WORTH_SHARING:
            return {}, 0
        self._kept.move_to_end(known)
        return first_keys(self._kept[known], length), length

    def keep(self, ids: Ids, layers: Layers) -> None:
        """Keep the keys of a text, in the place of those used longest ago."""
        self._kept[tuple(ids)] = layers
        self._kept.move_to_end(tuple(ids))
        device = next(iter(layers.values())).keys.device
        while len(self._kept) > 1 and (len(self._kept) > _MOST or self._too_large(device)):
            self._kept.popitem(last=False)

    def forget(self) -> None:
        """Keep nothing of what there is."""
        self._kept.clear()

    def _too_large(self, device: torch.device) -> bool:
        free = free_memory(device)
        taken = sum(
            states.numel() * states.itemsize
            for layers in self._kept.values()
            for keys in layers.values()
            for states in keys
        )
        return free is not None and taken > _SHARE * (free + taken)


def common(texts: Sequence[Ids], spare: int = 1) -> int:
    """Length of the beginning that all texts share, leaving ``spare`` tokens to each."""
    ordered = sorted(map(tuple, texts))
    first, last = ordered[0], ordered[-1]
    pairs = enumerate(zip(first, last, strict=False))
    differ = (at for at, (one, other) in pairs if one != other)
    return max(0, min(next(differ, len(first)), min(map(len, texts)) - spare))


def first_keys(layers: Layers, length: int) -> Layers:
    """The keys of a text's first tokens."""
    return {n: Keys(*(states[:, :, :length] for states in keys)) for n, keys in layers.items()}


def joined(prefix: Layers, rest: Layers) -> Layers:
    """The keys of a text from those of its beginning and those of the rest; one row each."""
    if not prefix:
        return rest
    return {
        n: Keys(*(torch.cat(pair, 2) for pair in zip(prefix[n], keys, strict=True)))
        for n, keys in rest.items()
    }
