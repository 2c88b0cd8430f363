"""Shapes that depend on a prompt alone, so that its numbers do too, to the bit, on a CPU.

Three things let a token's numbers depend on what it is computed with: sums over padding of another
width; matrix products of a single row, which take another path; and the last elements of a buffer,
which elementwise functions compute without vector instructions, that is with other roundings.
Here every grid has a width of its prompts' own, prompts of one width make a batch, nothing is
shared between prompts, a few made-up tokens end every pass, and one thread does it all, because
several would cut buffers at places that depend on their length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from engine.attention import Prompts
from engine.plans import CausalModel, SharedSession, compute_prompts
from engine.prefixes import Ids

WIDTH = 64
"""The width of every grid is a multiple of this."""
_LAST = 16
"""Made-up tokens at the end of every pass: more than what vector instructions leave over."""


_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
"""What configs call the number of experts."""


class CanonicalPlan:
    """Each prompt is computed whole; a made-up prompt and its branches end every pass.

    With a mixture of experts each is computed alone: how many tokens an expert gets depends on all
    that are computed together.
    """

    def __init__(self, model: CausalModel) -> None:
        self._model = model
        config = model.model.config.get_text_config()
        self.prompts_at_once = 1 if any(getattr(config, name, None) for name in _EXPERTS) else None

    def prepare(self, prompts: Sequence[Ids]) -> None:
        """Nothing is shared."""

    def prefill(self, prompts: Sequence[Ids], *, keep: bool = False) -> CanonicalSession:
        """Compute the prompts, which must have the same :func:`width`; none is kept."""
        texts = [*prompts, [prompts[0][0]] * _LAST]
        batch = Prompts(self._model.tensor([len(text) for text in texts]), multiple=WIDTH)
        first = compute_prompts(self._model, batch, texts)
        return CanonicalSession(self._model, batch, [len(text) for text in texts], first[:-1])


class CanonicalSession(SharedSession):
    """Branches over canonical prompts."""

    _open: int

    def follow(self, forced: Sequence[Sequence[Ids]]) -> Iterator[Tensor]:
        """See :class:`engine.plans.Session`."""
        made_up = [[0] * (_LAST + 1)]
        for row, of_prompt in enumerate(forced):
            if any(len(ids) > 1 for ids in of_prompt):
                rows = self._prompts.rows(self._model.tensor([row, len(forced)]))
                lengths = [self._lengths[row], _LAST]
                yield self._follow(rows, lengths, [of_prompt, made_up])[:-_LAST]

    def branch(self, owners: Tensor) -> None:
        """See :class:`engine.plans.Session`."""
        last = owners.new_full((_LAST,), len(self.first))
        self._open = len(owners)
        super().branch(torch.cat([owners, last]))

    def step(self, tokens: Tensor) -> Tensor:
        """See :class:`engine.plans.Session`."""
        return super().step(torch.cat([tokens, tokens.new_zeros(_LAST)]))[:-_LAST]

    def select(self, branches: Tensor) -> None:
        """See :class:`engine.plans.Session`."""
        last = torch.arange(self._open, self._open + _LAST, device=branches.device)
        self._open = len(branches)
        super().select(torch.cat([branches, last]))


def width(tokens: int) -> int:
    """The width of the grid that so many tokens of a prompt lie in."""
    return -(-tokens // WIDTH) * WIDTH


@contextmanager
def one_thread(wanted: bool) -> Iterator[None]:
    """Compute with one thread, if wanted."""
    threads = torch.get_num_threads()
    if wanted:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
