"""Cascade attention: many branches over one prompt, without ever copying the prompt's keys.

The tokens of a forward pass, whatever prompts and branches they belong to, lie in one flat row;
position ids say where each stands in its own text. What a token may attend to is split into parts:

* the *prefix*, tokens that all prompts of a batch begin with: one row of keys for everybody;
* the *prompt*, what is left of each prompt: one row of keys a prompt, shared by its branches;
* the *own* part: the tokens of the same prompt before it (:class:`PromptPass`), of the same forced
  continuation (:class:`ForcedPass`), or of the same generated branch (:class:`DecodePass`).

The parts are merged exactly (:mod:`engine.kernel`). The passes plug into stock transformers models
through ``AttentionInterface``: the model is called with ``cascade=<pass>`` and each of its layers
calls :func:`cascade_attention`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor
from transformers import AttentionInterface

from engine.kernel import Kernel, Keys, Part, additive, causal_mask

NAME = "logitscope_cascade"

_HARMLESS = ("is_causal", "position_ids", "use_cache", "output_")
"""How arguments begin that layers pass to attention and that change nothing here."""

_ROOM = 16
"""Tokens that a generated branch has room for at first; doubled whenever it is full."""


class Grid:
    """Where the tokens of a flat row lie in a padded grid [rows, width].

    Args:
        counts: Tokens of each grid row; a flat row holds them one row after the other.
        device: Where the indices live.
        multiple: The width is a multiple of this.
    """

    def __init__(self, counts: Sequence[int], device: torch.device, multiple: int = 1) -> None:
        self.rows = len(counts)
        self.width = -(-max(counts) // multiple) * multiple
        self.even = min(counts) == self.width
        self.counts = torch.tensor(counts, device=device)
        filled = torch.arange(self.width, device=device) < self.counts[:, None]
        self._flat = filled.reshape(-1).nonzero().squeeze(1)
        starts = self.counts.cumsum(0) - self.counts
        offsets = torch.arange(self.width, device=device).expand(self.rows, -1)
        self._source = (starts[:, None] + offsets * filled).reshape(-1).clamp_(max=sum(counts) - 1)

    def spread(self, flat: Tensor) -> Tensor:
        """[1, heads, tokens, size] to [rows, heads, width, size]; padding repeats real tokens."""
        tokens = flat[0].transpose(0, 1)
        if not self.even:
            tokens = tokens.index_select(0, self._source)
        return tokens.reshape(self.rows, self.width, *tokens.shape[1:]).transpose(1, 2)

    def spread_ids(self, flat: Tensor) -> Tensor:
        """[tokens] to [rows, width]."""
        return flat.index_select(0, self._source).view(self.rows, self.width)

    def gather(self, part: Part) -> Part:
        """The inverse of :meth:`spread` for what attention returned."""
        output = part.output.transpose(1, 2).flatten(0, 1)
        logsumexp = part.logsumexp.transpose(1, 2).flatten(0, 1)
        if not self.even:
            output = output.index_select(0, self._flat)
            logsumexp = logsumexp.index_select(0, self._flat)
        return Part(output.transpose(0, 1).unsqueeze(0), logsumexp.transpose(0, 1).unsqueeze(0))


@dataclass
class Prompts:
    """The keys of a batch of prompts: a shared prefix and what follows it in each.

    Attributes:
        lengths: Tokens of each prompt after the prefix.
        prefix: For each layer the prefix's keys, one row; empty without a prefix.
        prefix_length: Tokens of the prefix.
        suffix: For each layer the prompts' own keys, padded on the right.
        multiple: The width of every grid is a multiple of this.
    """

    lengths: Tensor
    prefix: dict[int, Keys] = field(default_factory=dict)
    prefix_length: int = 0
    suffix: dict[int, Keys] = field(default_factory=dict)
    multiple: int = 1

    @property
    def width(self) -> int:
        """Tokens of the longest prompt after the prefix, padding included."""
        return -(-int(self.lengths.max()) // self.multiple) * self.multiple

    def rows(self, index: slice | Tensor) -> Prompts:
        """Some of the prompts; a slice shares the keys, indices copy them."""
        some = replace(self, lengths=self.lengths[index], suffix={})
        width = some.width
        some.suffix = {
            layer: Keys(*(states[index][:, :, :width] for states in kv))
            for layer, kv in self.suffix.items()
        }
        return some


class Pass(Protocol):
    """One forward pass over a flat row of tokens."""

    def attend(self, layer: int, query: Tensor, new: Keys, kernel: Kernel) -> Tensor:
        """Attention of one layer: query and new keys are [1, heads, tokens, size].

        Returns:
            [1, tokens, heads, size].
        """


class PromptPass:
    """The prefill: computes the keys of prompts (or of a prefix, as a batch of one prompt).

    Args:
        prompts: Receives the keys; its prefix, where it has one, is attended to.
        positions: Position of every token of the flat row.
    """

    def __init__(self, prompts: Prompts, positions: Tensor) -> None:
        self._prompts = prompts
        self._grid = Grid(prompts.lengths.tolist(), positions.device, prompts.multiple)
        self._parts = SharedParts(prompts, self._grid, positions)

    def attend(self, layer: int, query: Tensor, new: Keys, kernel: Kernel) -> Tensor:
        """Attention of one layer; keeps the layer's keys."""
        kv = Keys(*(self._grid.spread(states).contiguous() for states in new))
        self._prompts.suffix[layer] = kv
        width, window = self._grid.width, kernel.window
        mask = None
        if window is not None and window < width:
            mask = additive(causal_mask(width, window, query.device), query.dtype)
        own = kernel.attend(self._grid.spread(query), kv, mask, causal=mask is None)
        return kernel.merge([self._grid.gather(own), *self._parts.prefix(layer, query, kernel)])


class ForcedPass:
    """Forced continuations: each prompt's continuations lie in its grid row one after the other.

    Args:
        prompts: The prompts, already computed.
        counts: Forced tokens of each prompt; at least one prompt has some.
        branches: Number of the continuation that each token of the flat row belongs to.
        positions: Position of every token of the flat row.
    """

    def __init__(
        self, prompts: Prompts, counts: Sequence[int], branches: Tensor, positions: Tensor
    ) -> None:
        self._grid = Grid(counts, positions.device, prompts.multiple)
        self._parts = SharedParts(prompts, self._grid, positions)
        self._branches = self._grid.spread_ids(branches)
        self._masks: dict[int | None, Tensor] = {}

    def attend(self, layer: int, query: Tensor, new: Keys, kernel: Kernel) -> Tensor:
        """Attention of one layer."""
        if kernel.window not in self._masks:
            same = self._branches[:, :, None] == self._branches[:, None, :]
            causal = causal_mask(self._grid.width, kernel.window, query.device)
            self._masks[kernel.window] = additive(causal & same[:, None], query.dtype)
        kv = Keys(*(self._grid.spread(states) for states in new))
        own = kernel.attend(self._grid.spread(query), kv, self._masks[kernel.window])
        return kernel.merge([self._grid.gather(own), *self._parts.all(layer, query, kernel)])


class DecodePass:
    """One step of generated branches: a flat row with the newest token of every branch.

    Args:
        prompts: The prompts, already computed.
        owners: Number of the prompt that each branch belongs to, ascending.
    """

    def __init__(self, prompts: Prompts, owners: Tensor) -> None:
        self._prompts = prompts
        self._owners = owners
        self._tails: dict[int, Keys] = {}
        self._length = 0
        self._arrange()

    def _arrange(self) -> None:
        counts = torch.bincount(self._owners, minlength=len(self._prompts.lengths))
        self._grid = Grid(counts.tolist(), self._owners.device, self._prompts.multiple)
        self._ends = self._prompts.lengths[self._owners] + self._prompts.prefix_length

    def advance(self) -> Tensor:
        """Begin the next step; returns the position of each branch's newest token."""
        positions = self._ends + self._length
        self._length += 1
        self._parts = SharedParts(self._prompts, self._grid, positions)
        return positions

    def select(self, branches: Tensor) -> None:
        """Go on with these branches (ascending); one that is named several times splits."""
        alive, self._owners = torch.unique(self._owners[branches], return_inverse=True)
        if len(alive) < len(self._prompts.lengths):
            self._prompts = self._prompts.rows(alive)
        self._tails = {
            layer: Keys(*(states.index_select(0, branches) for states in tail))
            for layer, tail in self._tails.items()
        }
        self._arrange()

    def attend(self, layer: int, query: Tensor, new: Keys, kernel: Kernel) -> Tensor:
        """Attention of one layer; appends the newest tokens' keys to the branches."""
        tail = self._append(layer, Keys(*(states[0].transpose(0, 1) for states in new)))
        if kernel.window is not None and kernel.window < self._length:
            tail = Keys(*(states[:, :, -kernel.window :] for states in tail))
        flat = attend_apart(query, tail, kernel, None)
        return kernel.merge([flat, *self._parts.all(layer, query, kernel)])

    def _append(self, layer: int, new: Keys) -> Keys:
        """Write [branches, heads, size] at the end of the layer's tails, doubled when full."""
        at = self._length - 1
        if layer not in self._tails:
            self._tails[layer] = Keys(
                *(_with_room(states[:, :, None], _ROOM - 1) for states in new)
            )
        elif self._tails[layer].keys.shape[2] == at:
            self._tails[layer] = Keys(*(_with_room(states, at) for states in self._tails[layer]))
        tail = self._tails[layer]
        tail.keys[:, :, at] = new.keys
        tail.values[:, :, at] = new.values
        return Keys(*(states[:, :, : self._length] for states in tail))


def attend_apart(query: Tensor, tails: Keys, kernel: Kernel, mask: Tensor | None) -> Part:
    """Attention of each token of a flat row [1, heads, tokens, size] to its own row of keys."""
    own = kernel.attend(query[0].transpose(0, 1).unsqueeze(2), tails, mask)
    return Part(
        own.output.squeeze(2).transpose(0, 1).unsqueeze(0),
        own.logsumexp.squeeze(2).transpose(0, 1).unsqueeze(0),
    )


def _with_room(states: Tensor, more: int) -> Tensor:
    """A copy of [rows, heads, tokens, size] with room for more tokens."""
    rows, heads, tokens, size = states.shape
    roomy = states.new_empty(rows, heads, tokens + more, size)
    roomy[:, :, :tokens] = states
    return roomy


class SharedParts:
    """Attention to what branches share: prefix and prompt. Masks are made once for a pass.

    Args:
        prompts: The prompts.
        grid: Where the tokens of the pass lie, a grid row a prompt.
        positions: Position of every token.
        last: The largest position that they will have; that of ``positions`` when left out.
    """

    def __init__(
        self, prompts: Prompts, grid: Grid, positions: Tensor, last: int | None = None
    ) -> None:
        self._prompts = prompts
        self._grid = grid
        self._positions = positions
        self._last = int(positions.max()) if last is None else last
        self._masks: dict[tuple[str, int | None], Tensor | None] = {}

    def all(self, layer: int, query: Tensor, kernel: Kernel) -> list[Part]:
        """Prompt and prefix."""
        mask = self._mask("prompt", kernel, query.dtype, self._prompt_mask)
        part = kernel.attend(self._grid.spread(query), self._prompts.suffix[layer], mask)
        return [self._grid.gather(part), *self.prefix(layer, query, kernel)]

    def prefix(self, layer: int, query: Tensor, kernel: Kernel) -> list[Part]:
        """The prefix alone; empty where there is none."""
        if not self._prompts.prefix_length:
            return []
        mask = self._mask("prefix", kernel, query.dtype, self._prefix_mask)
        return [kernel.attend(query, self._prompts.prefix[layer], mask)]

    def _mask(
        self,
        part: str,
        kernel: Kernel,
        dtype: torch.dtype,
        make: Callable[[int | None], Tensor | None],
    ) -> Tensor | None:
        window = kernel.window if kernel.window and kernel.window <= self._last else None
        if (part, window) not in self._masks:
            allowed = make(window)
            self._masks[part, window] = None if allowed is None else additive(allowed, dtype)
        return self._masks[part, window]

    def _prompt_mask(self, window: int | None) -> Tensor | None:
        lengths, width = self._prompts.lengths, self._prompts.width
        if window is None and int(lengths.min()) == width:
            return None
        at = torch.arange(width, device=lengths.device)
        allowed = (at < lengths[:, None])[:, None, None]
        if window is not None:
            queries = self._grid.spread_ids(self._positions)[:, None, :, None]
            allowed = allowed & (queries - (at + self._prompts.prefix_length) < window)
        return allowed

    def _prefix_mask(self, window: int | None) -> Tensor | None:
        if window is None:
            return None
        at = torch.arange(self._prompts.prefix_length, device=self._positions.device)
        return (self._positions[:, None] - at < window)[None, None]


def cascade_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    *,
    cascade: Pass,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    fused: bool = True,
    **kwargs: object,
) -> tuple[Tensor, None]:
    """The attention function transformers calls in every layer (see ``AttentionInterface``).

    ``attention_mask`` and ``dropout`` are part of that interface and unused: the pass knows what
    each token sees, and nothing is trained here.

    Raises:
        TypeError: The layer asks for something this attention doesn't know.
    """
    unknown = [
        name
        for name, value in kwargs.items()
        if value is not None and not name.startswith(_HARMLESS)
    ]
    if unknown:
        raise TypeError(f"unknown attention arguments: {', '.join(unknown)}")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    kernel = Kernel(scale, sliding_window, softcap, s_aux, fused)
    layer: int = module.layer_idx  # type: ignore[assignment]
    return cascade.attend(layer, query, Keys(key, value), kernel), None


AttentionInterface.register(NAME, cascade_attention)
