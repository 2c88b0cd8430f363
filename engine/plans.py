"""Two ways to compute everything a probe asks of a model.

:class:`SharedPlan` computes a batch of prompts once and lets every continuation and generation
branch off it (:mod:`engine.attention`). :class:`PlainPlan` takes one prompt at a time through the
model as it is; it is slower and right for every causal model, recurrent ones included. Both leave
out padding and attention masks wherever a model could treat them in its own way.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from engine import attention
from engine.attention import DecodePass, ForcedPass, Pass, PromptPass, Prompts
from engine.prefixes import WORTH_SHARING, Ids, PrefixCache, common, joined

_LOGITS = 1 << 26
"""Logits held at once while continuations are scored (256 MiB of float32)."""
_KNOWN_ENOUGH = 0.9
"""Share of a common prefix that has to be known already for it not to be computed."""


class Session(Protocol):
    """A batch of computed prompts and the branches that go on from them.

    Attributes:
        fixed: Whether rows should stay as they are, where there is no need to change them.
    """

    fixed: bool

    @property
    def first(self) -> Tensor:
        """Logits after each prompt, [prompts, vocabulary] float32."""

    def follow(self, forced: Sequence[Sequence[Ids]]) -> Iterator[Tensor]:
        """Score forced continuations.

        Args:
            forced: For each prompt its continuations' token ids.

        Yields:
            Logits [tokens, vocabulary] float32 after every token but the last of every
            continuation, in order, over one or several pieces; one forward pass a piece.
        """

    def branch(self, owners: Tensor) -> None:
        """Open generated branches, once; ``owners`` [branches] names their prompts, ascending."""

    def step(self, tokens: Tensor) -> Tensor:
        """Append one token [branches] to every open branch; logits after it, float32."""

    def select(self, branches: Tensor) -> None:
        """Go on with these open branches (ascending); one named several times splits."""


class Plan(Protocol):
    """How prompts and branches are computed."""

    prompts_at_once: int | None
    """Most prompts that :meth:`prefill` takes; None for any number."""

    def prepare(self, prompts: Sequence[Ids]) -> None:
        """Compute what the prompts share, where there is something; one forward pass at most."""

    def prefill(self, prompts: Sequence[Ids], *, keep: bool = False) -> Session:
        """Compute the prompts; one forward pass.

        Args:
            prompts: Token ids of each.
            keep: Whether one prompt alone is remembered, so that whatever begins like it can
                go on from it; a plan that can't do that computes it again.
        """


class CausalModel:
    """A transformers model called the same way whatever its family.

    Attributes:
        model: It.
        device: Where token ids go.
        stock_attention: The attention that it came with.
        captures: Whether decode steps of fixed shapes are recorded and replayed.
        fused: Whether attention may use the device's fused kernels (:mod:`engine.kernel`).
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device: torch.device = model.device
        self.stock_attention: str = model.config._attn_implementation
        accepted = inspect.signature(model.forward).parameters
        self._positions = "position_ids" in accepted
        self._selects = "logits_to_keep" in accepted
        caches = ("past_key_values", "cache_params")
        self._cache = next((name for name in caches if name in accepted), None)
        self.captures = self.device.type == "cuda"
        self.fused = True

    def tensor(self, values: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        """Integers on the model's device."""
        return torch.tensor(values, dtype=torch.long, device=self.device)

    def flat(self, ids: Tensor, positions: Tensor, wanted: Tensor, cascade: Pass) -> Tensor:
        """One cascade pass over a flat row; float32 logits at the ``wanted`` tokens."""
        self._attend_by(attention.NAME)
        extra = {"use_cache": False, "cascade": cascade, "fused": self.fused}
        output = self._call(ids[None], positions[None], wanted, **extra)
        return self._logits(output, wanted)[0]

    def plain(self, ids: Tensor, wanted: Tensor) -> Tensor:
        """A forward pass over whole texts [rows, tokens] without a cache.

        Texts are padded on the right, where a causal model can't see it.

        Returns:
            Logits [rows, wanted, vocabulary] float32 at the ``wanted`` positions.
        """
        self._attend_by(self.stock_attention)
        positions = torch.arange(ids.shape[1], device=self.device).expand_as(ids)
        return self._logits(self._call(ids, positions, wanted, use_cache=False), wanted)

    def cached(self, ids: Tensor, start: int, cache: Any) -> tuple[Tensor, Any]:
        """A forward pass over texts [rows, tokens] that go on from ``cache`` at ``start``.

        Returns:
            Logits after the last token, [rows, vocabulary] float32, and the new cache; None
            instead of a cache where the model has none.
        """
        self._attend_by(self.stock_attention)
        positions = torch.arange(start, start + ids.shape[1], device=self.device).expand_as(ids)
        known = {} if self._cache is None or cache is None else {self._cache: cache}
        wanted = self.tensor([ids.shape[1] - 1])
        output = self._call(ids, positions, wanted, use_cache=True, **known)
        new = None if self._cache is None else getattr(output, self._cache, None)
        return self._logits(output, wanted)[:, 0], new

    def _attend_by(self, name: str) -> None:
        if self.model.config._attn_implementation != name:
            self.model.set_attn_implementation(name)

    def _call(self, ids: Tensor, positions: Tensor, wanted: Tensor, **extra: Any) -> Any:
        if self._positions:
            extra["position_ids"] = positions
        if self._selects:
            extra["logits_to_keep"] = wanted
        return self.model(input_ids=ids, **extra)

    def _logits(self, output: Any, wanted: Tensor) -> Tensor:
        logits: Tensor = output.logits if self._selects else output.logits[:, wanted]
        return logits.float()


class SharedPlan:
    """Prompts are computed once, in batches; branches share their keys.

    Args:
        model: The model.
        session: The kind of session; those of :mod:`engine.static_decode` are for GPUs.
    """

    prompts_at_once: int | None = None

    def __init__(self, model: CausalModel, session: type[SharedSession] | None = None) -> None:
        self._model = model
        self._session = session or SharedSession
        self.prefixes = PrefixCache()

    def prepare(self, prompts: Sequence[Ids]) -> None:
        """Compute the prefix that all prompts share, unless (most of) it is known already."""
        shared = common(prompts)
        if len(prompts) < 2 or shared < WORTH_SHARING:
            return
        beginning = prompts[0][:shared]
        if self.prefixes.longest(beginning)[1] < _KNOWN_ENOUGH * shared:
            self._keep(beginning, self._compute([beginning])[0])

    def prefill(self, prompts: Sequence[Ids], *, keep: bool = False) -> SharedSession:
        """Compute the prompts, from the longest known prefix on."""
        batch, first = self._compute(prompts)
        if keep and len(prompts) == 1:
            self._keep(prompts[0], batch)
        return self._session(self._model, batch, [len(prompt) for prompt in prompts], first)

    def _keep(self, ids: Ids, alone: Prompts) -> None:
        """Keep the keys of a batch of one text."""
        self.prefixes.keep(ids, joined(alone.prefix, alone.suffix))

    def _compute(self, prompts: Sequence[Ids]) -> tuple[Prompts, Tensor]:
        """The keys of some prompts, and the logits after each."""
        prefix, start = self.prefixes.longest(prompts[0][: common(prompts)])
        lengths = self._model.tensor([len(prompt) - start for prompt in prompts])
        batch = Prompts(lengths, prefix, start)
        return batch, compute_prompts(self._model, batch, prompts)


def compute_prompts(model: CausalModel, batch: Prompts, prompts: Sequence[Ids]) -> Tensor:
    """Compute the keys of prompts behind their prefix; returns the logits after each."""
    start = batch.prefix_length
    positions = model.tensor(_chain([range(start, len(prompt)) for prompt in prompts]))
    ids = model.tensor(_chain([prompt[start:] for prompt in prompts]))
    last = batch.lengths.cumsum(0) - 1
    return model.flat(ids, positions, last, PromptPass(batch, positions))


class SharedSession:
    """Branches over a batch of prompts whose keys are shared."""

    fixed = False

    def __init__(
        self, model: CausalModel, prompts: Prompts, lengths: Sequence[int], first: Tensor
    ) -> None:
        self._model = model
        self._prompts = prompts
        self._lengths = lengths
        self.first = first
        self._decode: DecodePass

    def follow(self, forced: Sequence[Sequence[Ids]]) -> Iterator[Tensor]:
        """See :class:`Session`."""
        counts = [sum(len(ids) - 1 for ids in of_prompt) for of_prompt in forced]
        for piece in _pieces(counts, _LOGITS // self.first.shape[1]):
            if sum(counts[piece]):
                lengths = self._lengths[piece]
                yield self._follow(self._prompts.rows(piece), lengths, forced[piece])

    def _follow(
        self, prompts: Prompts, lengths: Sequence[int], forced: Sequence[Sequence[Ids]]
    ) -> Tensor:
        """One forward pass over the continuations of some prompts of these lengths."""
        ids: list[int] = []
        positions: list[int] = []
        branches: list[int] = []
        for length, of_prompt in zip(lengths, forced, strict=True):
            for number, continuation in enumerate(of_prompt):
                fed = continuation[:-1]
                ids += fed
                positions += range(length, length + len(fed))
                branches += [number] * len(fed)
        at = self._model.tensor(positions)
        counts = [sum(len(ids) - 1 for ids in of_prompt) for of_prompt in forced]
        cascade = ForcedPass(prompts, counts, self._model.tensor(branches), at)
        wanted = torch.arange(len(ids), device=at.device)
        return self._model.flat(self._model.tensor(ids), at, wanted, cascade)

    def branch(self, owners: Tensor) -> None:
        """See :class:`Session`."""
        self._decode = DecodePass(self._prompts, owners)

    def step(self, tokens: Tensor) -> Tensor:
        """See :class:`Session`."""
        positions = self._decode.advance()
        wanted = torch.arange(len(tokens), device=tokens.device)
        return self._model.flat(tokens, positions, wanted, self._decode)

    def select(self, branches: Tensor) -> None:
        """See :class:`Session`."""
        self._decode.select(branches)


class PlainPlan:
    """One prompt at a time, through the model as it is.

    Args:
        model: The model.
        trust_cache: Whether branches go on from the model's own cache; otherwise every step
            computes the whole text again.
    """

    prompts_at_once: int | None = 1

    def __init__(self, model: CausalModel, *, trust_cache: bool = True) -> None:
        self._model = model
        self._trust_cache = trust_cache

    def prepare(self, prompts: Sequence[Ids]) -> None:
        """Nothing is shared."""

    def prefill(self, prompts: Sequence[Ids], *, keep: bool = False) -> PlainSession:
        """Compute the one prompt."""
        (prompt,) = prompts
        return PlainSession(self._model, prompt, trust_cache=self._trust_cache)


class PlainSession:
    """Branches over one prompt, as ordinary batches."""

    fixed = False

    def __init__(self, model: CausalModel, prompt: Ids, *, trust_cache: bool) -> None:
        self._model = model
        self._prompt = prompt
        self._texts = model.tensor([prompt])
        self._cache: Any = None
        if trust_cache:
            self.first, self._cache = model.cached(self._texts, 0, None)
        else:
            self.first = self._after_texts()

    def follow(self, forced: Sequence[Sequence[Ids]]) -> Iterator[Tensor]:
        """See :class:`Session`."""
        texts = [[*self._prompt, *ids[:-1]] for ids in forced[0] if len(ids) > 1]
        longest = max(map(len, texts), default=0)
        if longest == 0:
            return
        start = len(self._prompt)
        padded = [text + [text[-1]] * (longest - len(text)) for text in texts]
        wanted = torch.arange(start, longest, device=self._model.device)
        room = max(1, _LOGITS // (len(wanted) * self.first.shape[1]))
        for row in range(0, len(texts), room):
            logits = self._model.plain(self._model.tensor(padded[row : row + room]), wanted)
            lengths = [len(text) - start for text in texts[row : row + room]]
            yield torch.cat([of[:length] for of, length in zip(logits, lengths, strict=True)])

    def branch(self, owners: Tensor) -> None:
        """See :class:`Session`."""
        self.select(torch.zeros_like(owners))

    def step(self, tokens: Tensor) -> Tensor:
        """See :class:`Session`."""
        start = self._texts.shape[1]
        self._texts = torch.cat([self._texts, tokens[:, None]], 1)
        if self._cache is None:
            return self._after_texts()
        logits, self._cache = self._model.cached(tokens[:, None], start, self._cache)
        return logits

    def select(self, branches: Tensor) -> None:
        """See :class:`Session`."""
        self._texts = self._texts[branches]
        if self._cache is not None:
            self._cache.reorder_cache(branches)

    def _after_texts(self) -> Tensor:
        last = self._model.tensor([self._texts.shape[1] - 1])
        return self._model.plain(self._texts, last)[:, 0]


def _chain(texts: Sequence[Ids]) -> list[int]:
    return [token for text in texts for token in text]


def _pieces(counts: Sequence[int], limit: int) -> Iterator[slice]:
    """Slices of consecutive prompts whose counts add up to at most ``limit`` (or one prompt)."""
    start = total = 0
    for at, count in enumerate(counts):
        if at > start and total + count > limit:
            yield slice(start, at)
            start, total = at, 0
        total += count
    if counts:
        yield slice(start, len(counts))
