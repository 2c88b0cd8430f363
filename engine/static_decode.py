"""Decode steps whose shapes never change, so that a GPU can replay one instead of being told anew.

At a few rows a step on a GPU costs less than launching its hundreds of kernels from Python. A CUDA
graph launches them all at once, but it only repeats what it recorded: the same buffers, the same
shapes. So branches keep their rows while others end, their keys have room for tokens to come, and
what has not been written yet is masked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from engine.attention import Grid, Prompts, SharedParts, attend_apart
from engine.kernel import Kernel, Keys, additive
from engine.plans import SharedSession

_ROOM = 64
"""Tokens that a branch has room for at first; doubled whenever it is full."""


class StaticDecodePass:
    """One step of generated branches; everything that changes is a buffer changed in place.

    Args:
        prompts: The prompts, already computed.
        owners: Number of the prompt that each branch belongs to, ascending.
        room: Tokens that a branch has room for.
    """

    def __init__(self, prompts: Prompts, owners: Tensor, room: int) -> None:
        self._prompts = prompts
        self._owners = owners
        self.room = room
        self.length = 0
        ends = prompts.lengths[owners] + prompts.prefix_length
        self.positions = ends - 1
        """Position of each branch's newest token."""
        self._at = torch.full((1,), -1, dtype=torch.long, device=owners.device)
        self._places = torch.arange(room, device=owners.device)
        self._tails: dict[int, Keys] = {}
        self._masks: dict[tuple[int | None, torch.dtype], Tensor] = {}
        counts = torch.bincount(owners, minlength=len(prompts.lengths))
        self._grid = Grid(counts.tolist(), owners.device, prompts.multiple)
        last = int(ends.max()) + room
        self._parts = _MovingParts(prompts, self._grid, self.positions, last)

    @property
    def branches(self) -> int:
        """Number of branches."""
        return len(self._owners)

    def advance(self) -> None:
        """Begin the next step."""
        self.length += 1
        self._at += 1
        self.positions += 1
        for (window, dtype), mask in self._masks.items():
            mask.copy_(self._own_mask(window, dtype))

    def rearranged(self, branches: Tensor, room: int) -> StaticDecodePass:
        """A pass that goes on with some of the branches (ascending), in buffers of its own."""
        alive, owners = torch.unique(self._owners[branches], return_inverse=True)
        prompts = self._prompts
        if len(alive) < len(prompts.lengths):
            prompts = prompts.rows(alive)
        other = StaticDecodePass(prompts, owners, room)
        other.length = self.length
        other._at.copy_(self._at)
        other.positions.copy_(self.positions[branches])
        kept = min(room, self.room)
        for layer, tail in self._tails.items():
            other._tails[layer] = Keys(*(other._roomy(states[branches], kept) for states in tail))
        return other

    def attend(self, layer: int, query: Tensor, new: Keys, kernel: Kernel) -> Tensor:
        """Attention of one layer; writes the newest tokens' keys into their place."""
        states = [each[0].transpose(0, 1).unsqueeze(2) for each in new]
        if layer not in self._tails:
            self._tails[layer] = Keys(*(self._roomy(each, 0) for each in states))
        tail = self._tails[layer]
        for kept, each in zip(tail, states, strict=True):
            kept.index_copy_(2, self._at, each)
        key = (kernel.window, query.dtype)
        if key not in self._masks:
            self._masks[key] = self._own_mask(*key)
        flat = attend_apart(query, tail, kernel, self._masks[key])
        return kernel.merge([flat, *self._parts.all(layer, query, kernel)])

    def _own_mask(self, window: int | None, dtype: torch.dtype) -> Tensor:
        """[1, 1, 1, room]: which of its own tokens a branch sees."""
        back = self._at - self._places
        allowed = back >= 0
        if window is not None:
            allowed &= back < window
        return additive(allowed[None, None, None], dtype)

    def _roomy(self, states: Tensor, kept: int) -> Tensor:
        """[branches, heads, room, size] with the first tokens of ``states``; the rest is zeros."""
        rows, heads, _, size = states.shape
        roomy = states.new_zeros(rows, heads, self.room, size)
        roomy[:, :, :kept] = states[:, :, :kept]
        return roomy


class _MovingParts(SharedParts):
    """The shared parts while positions move on: masks of windows are made anew every time."""

    def _mask(
        self,
        part: str,
        kernel: Kernel,
        dtype: torch.dtype,
        make: Callable[[int | None], Tensor | None],
    ) -> Tensor | None:
        if kernel.window is not None:
            self._masks.clear()
        return super()._mask(part, kernel, dtype, make)


class StaticSession(SharedSession):
    """Branches whose steps have fixed shapes; on a GPU they are recorded once and replayed."""

    fixed = True
    _step: StaticDecodePass
    _ids: Tensor
    _replay: _Recording | None = None
    _ready = False

    def branch(self, owners: Tensor) -> None:
        """See :class:`engine.plans.Session`."""
        self._arrange(StaticDecodePass(self._prompts, owners, _ROOM))

    def select(self, branches: Tensor) -> None:
        """See :class:`engine.plans.Session`."""
        self._arrange(self._step.rearranged(branches, self._step.room))

    def step(self, tokens: Tensor) -> Tensor:
        """See :class:`engine.plans.Session`; the logits are good until the next step."""
        if self._step.length == self._step.room:
            everyone = torch.arange(self._step.branches, device=tokens.device)
            self._arrange(self._step.rearranged(everyone, 2 * self._step.room))
        self._step.advance()
        self._ids.copy_(tokens)
        if self._replay is not None:
            return self._replay()
        if self._ready and self._model.captures:
            self._replay = self._record()
        if self._replay is not None:
            return self._replay()
        self._ready = True
        return self._compute()

    def _arrange(self, step: StaticDecodePass) -> None:
        self._step = step
        self._ids = torch.zeros(step.branches, dtype=torch.long, device=step.positions.device)
        self._wanted = torch.arange(step.branches, device=self._ids.device)
        self._replay, self._ready = None, False

    def _compute(self) -> Tensor:
        return self._model.flat(self._ids, self._step.positions, self._wanted, self._step)

    def _record(self) -> _Recording | None:
        """Record a step; None, and never again with this model, where that can't be done."""
        try:
            return _Recording(self._compute)
        except RuntimeError:
            self._model.captures = False
            return None


class _Recording:
    """A CUDA graph of one step."""

    def __init__(self, compute: Callable[[], Tensor]) -> None:
        # Libraries set themselves up for a stream the first time they run on it.
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            compute()
        torch.cuda.current_stream().wait_stream(stream)
        self._graph: Any = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._logits = compute()

    def __call__(self) -> Tensor:
        """Replay it on what the buffers hold now."""
        self._graph.replay()
        return self._logits
