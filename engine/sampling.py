"""Drawing tokens: penalty, temperature, top-k, top-p, and noise that depends on nothing else.

A token is drawn by adding Gumbel noise to the scaled logits and taking the largest sum (the
Gumbel-max trick), which samples exactly from their softmax. The noise is no random stream but a
hash of (seed, question, order, format, sample; step; token id), so a sample is the same alone, in
any batch, after a resume and on any device, up to the rounding of the logits themselves.

The order is that of transformers: repetition penalty, temperature, top-k, top-p. Where several
tokens are tied at the top-k or top-p boundary all of them are kept, so that the cut does not
depend on how a sort breaks ties.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from engine.records import SamplerSettings
from engine.reduce import Reduced, row_blocks, top_k

_GOLDEN = 0x9E3779B97F4A7C15
_ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, None))
"""Shifts and multipliers of splitmix64 (Steele, Lea and Flood 2014)."""
_CANDIDATES = 256
"""Candidates that a nucleus is looked for in before the whole vocabulary is."""
_DEPTH = 24.0
"""How many nats deep :func:`_nucleus_cutoff` tells tokens apart by bins."""
_GROUP = 64
"""Neighbouring tokens whose noise is looked at together."""
_HASHED = 1 << 16
"""Tokens whose noise is computed at once; the temporaries fit the second-level cache."""
_HALF = 2**52
"""Half of the 2**53 values that a float64 between 0 and 1 can take in even steps."""


def key64(*parts: object) -> int:
    """A signed 64-bit key from any values with a stable text form."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little", signed=True)


def _signed(value: int) -> int:
    """The int64 with the same low 64 bits."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value


def _splitmix(state: Tensor) -> Tensor:
    """The splitmix64 output for each state, int64 read as unsigned; works in place."""
    state += _signed(_GOLDEN)
    shifted = torch.empty_like(state)
    for shift, factor in _ROUNDS:
        torch.bitwise_right_shift(state, shift, out=shifted)
        shifted &= (1 << (64 - shift)) - 1
        state ^= shifted
        if factor is not None:
            state *= _signed(factor)
    return state


def _hash(keys: Tensor, step: int, ids: Tensor) -> Tensor:
    """64 random bits, as an int64, for each (key, step, token id).

    Args:
        keys: [rows] int64.
        step: Number of the generated token, from 0.
        ids: Token ids, broadcastable to [rows, n].
    """
    base = _splitmix(keys + _signed(step * _GOLDEN)).unsqueeze(1)
    return _splitmix(base ^ ids)


def _gumbel(bits: Tensor) -> Tensor:
    """Standard Gumbel noise in float64, rising with the upper 53 of 64 random bits."""
    uniform = ((bits >> 11).double() + (_HALF + 0.5)) / (2 * _HALF)
    return -torch.log(-torch.log(uniform))


@dataclass(frozen=True)
class Drawn:
    """One drawn token a row; fields as the ``sampler_*`` columns of ``records.Positions``.

    Attributes:
        tokens: [rows] token ids.
        logprobs: [rows] logprob after the sampler.
        logsumexps: [rows] logsumexp of the kept scaled logits.
        cutoffs: [rows] smallest kept scaled logit.
    """

    tokens: Tensor
    logprobs: Tensor
    logsumexps: Tensor
    cutoffs: Tensor


class Sampler:
    """Draws tokens under fixed settings."""

    def __init__(self, settings: SamplerSettings) -> None:
        self.settings = settings

    @property
    def penalizes(self) -> bool:
        """Whether :meth:`draw` needs the tokens seen so far."""
        return self.settings.repetition_penalty != 1.0

    def draw(
        self,
        logits: Tensor,
        rows: Tensor,
        reduced: Reduced,
        keys: Tensor,
        step: int,
        seen: Tensor | None = None,
    ) -> Drawn:
        """Draw one token for each of some rows.

        Args:
            logits: Raw float32 logits, as wide as the vocabulary; unchanged.
            rows: [draws] the row of ``logits`` to draw from, repeated at will.
            reduced: The reduction of ``logits[rows]``.
            keys: [draws] int64, see :func:`key64`.
            step: Number of the generated token, from 0.
            seen: [draws, n] token ids of prompt and text so far, in any order and repeated at
                will; needed where :attr:`penalizes`.
        """
        tokens = torch.empty_like(rows)
        values = logits.new_empty(3, len(rows))
        for block in row_blocks(len(rows), logits):
            scaled = logits.index_select(0, rows[block])
            best, ids = reduced.values[block], reduced.ids[block]
            if self.penalizes and seen is not None:
                scaled = penalize(scaled, seen[block], self.settings.repetition_penalty)
                best, ids = top_k(scaled, ids.shape[1])
            if self.settings.temperature != 1.0:
                scaled, best = scaled / self.settings.temperature, best / self.settings.temperature
            tokens[block], values[:, block] = self._draw(scaled, best, ids, keys[block], step)
        logprobs, logsumexps, cutoffs = values
        return Drawn(tokens, logprobs, logsumexps, cutoffs)

    def _draw(
        self, scaled: Tensor, best: Tensor, ids: Tensor, keys: Tensor, step: int
    ) -> tuple[Tensor, Tensor]:
        """Tokens [rows] and (logprob, logsumexp, cutoff) [3, rows] of one block."""
        if self.settings.top_k == 0 and self.settings.top_p >= 1.0:
            return _draw_from_all(scaled, scaled.amin(-1), best, ids, keys, step)
        cutoff, certain = self._cutoff(scaled, best)
        kept = best >= cutoff.unsqueeze(1)
        scores = (best + _gumbel(_hash(keys, step, ids))).masked_fill_(~kept, -torch.inf)
        winner = scores.argmax(1, keepdim=True)
        tokens = ids.gather(1, winner).squeeze(1)
        logsumexp = torch.logsumexp(best.masked_fill(~kept, -torch.inf), -1)
        logprob = best.gather(1, winner).squeeze(1) - logsumexp
        values = torch.stack([logprob, logsumexp, cutoff])
        more = (~certain).nonzero().squeeze(1)
        if more.numel():
            tokens[more], values[:, more] = self._draw_with_more(
                scaled[more], best[more], ids[more], keys[more], step
            )
        return tokens, values

    def _draw_with_more(
        self, scaled: Tensor, best: Tensor, ids: Tensor, keys: Tensor, step: int
    ) -> tuple[Tensor, Tensor]:
        """As :meth:`_draw` where the candidates were too few: with more, or without any."""
        if self.settings.top_k or best.shape[1] < _CANDIDATES:
            best, ids = top_k(scaled, max(_CANDIDATES, 8 * best.shape[1]))
            return self._draw(scaled, best, ids, keys, step)
        cutoff = _nucleus_cutoff(scaled, self.settings.top_p)
        nucleus = scaled.masked_fill(scaled < cutoff.unsqueeze(1), -torch.inf)
        return _draw_from_all(nucleus, cutoff, best, ids, keys, step)

    def _cutoff(self, scaled: Tensor, best: Tensor) -> tuple[Tensor, Tensor]:
        """Smallest kept scaled logit of each row, judged by its largest ``best``.

        Returns:
            Cutoffs [rows], and whether ``best`` was enough to be certain: everything at or above
            the cutoff, ties included, is among it.
        """
        if best.shape[1] == scaled.shape[1]:
            edge = torch.full_like(best[:, 0], -torch.inf)
        else:
            edge = best[:, -1]
        if self.settings.top_k:
            last = min(self.settings.top_k, best.shape[1]) - 1
            floor = best[:, last]
            total = torch.logsumexp(best.masked_fill(best < floor.unsqueeze(1), -torch.inf), -1)
            certain = floor > edge
        else:
            floor = best[:, -1]
            total = torch.logsumexp(scaled, -1)
            certain = torch.ones_like(floor, dtype=torch.bool)
        if self.settings.top_p < 1.0:
            weights = (best - total.unsqueeze(1)).double().exp()
            before = weights.cumsum(1) - weights
            inside = (before < self.settings.top_p) & (best >= floor.unsqueeze(1))
            inside[:, 0] = True
            floor = best.gather(1, inside.sum(1, keepdim=True) - 1).squeeze(1)
        return floor, certain & (floor > edge)


def penalize(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Logits with the repetition penalty of Keskar et al. 2019, as transformers applies it.

    The penalty depends on the sign: a seen token's logit is divided where positive and multiplied
    where negative. Prompt tokens count as seen, the option labels in the prompt among them.

    Args:
        logits: [rows, vocabulary]; unchanged.
        seen: [rows, n] token ids, repeated at will.
        penalty: Above 1 discourages, below 1 encourages repetition.
    """
    values = logits.gather(1, seen)
    penalized = torch.where(values > 0, values / penalty, values * penalty)
    return logits.scatter(1, seen, penalized)


def _nucleus_cutoff(scaled: Tensor, top_p: float) -> Tensor:
    """Smallest logit of each row's nucleus, without sorting the vocabulary.

    The mass is summed up in bins of the distance from the largest logit; only the tokens of the
    bin in which it reaches ``top_p`` are put in order.
    """
    weights = torch.softmax(scaled, 1).double()
    count = max(64, scaled.shape[1] // 4)
    depth = scaled.amax(1, keepdim=True) - scaled
    bins = (depth * (count / _DEPTH)).clamp_(max=count - 1).long()
    mass = weights.new_zeros(len(scaled), count).scatter_add_(1, bins, weights)
    reached = mass.cumsum(1)
    edge = (reached < top_p).sum(1).minimum(bins.amax(1)).unsqueeze(1)
    at_edge = bins == edge
    most = int(at_edge.sum(1).max())
    values, ids = top_k(scaled.masked_fill(~at_edge, -torch.inf), most)
    inside = weights.gather(1, ids).masked_fill_(values == -torch.inf, 1.0)
    before = (reached - mass).gather(1, edge) + inside.cumsum(1) - inside
    last = (before < top_p).sum(1, keepdim=True).clamp_(min=1) - 1
    return values.gather(1, last).squeeze(1)


def _draw_from_all(
    scaled: Tensor, cutoff: Tensor, best: Tensor, ids: Tensor, keys: Tensor, step: int
) -> tuple[Tensor, Tensor]:
    """Gumbel-max over every token that is not minus infinity, as :meth:`Sampler._draw`.

    The best perturbed candidate among the most likely tokens sets a bar. Any other token has at
    most the last candidate's logit, so it can only win with noise above the difference, and
    noise is above it exactly where its bits are above a number: comparing integers is enough for
    nearly all tokens, and logarithms are left to the few others.
    """
    scores = best + _gumbel(_hash(keys, step, ids))
    bar, winner = scores.max(1)
    tokens = ids.gather(1, winner.unsqueeze(1)).squeeze(1)
    if best.shape[1] < scaled.shape[1]:
        least_uniform = torch.exp(-torch.exp(best[:, -1] - bar))
        slack = 64
        least = (least_uniform * (2 * _HALF)).long() - _HALF - slack
        rows, rivals, bits = _above(least.clamp_(min=-_HALF) << 11, scaled.shape[1], keys, step)
        rival_scores = scaled[rows, rivals] + _gumbel(bits)
        won = rival_scores >= bar.scatter_reduce(0, rows, rival_scores, "amax")[rows]
        tokens[rows[won]] = rivals[won]
    logsumexp = torch.logsumexp(scaled, -1)
    logprob = scaled.gather(1, tokens.unsqueeze(1)).squeeze(1) - logsumexp
    return tokens, torch.stack([logprob, logsumexp, cutoff])


def _above(least: Tensor, size: int, keys: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """The tokens whose random bits are at least some number, few as a rule.

    Args:
        least: [rows] smallest bits wanted, as an int64.
        size: Length of the vocabulary.
        keys: [rows] int64, see :func:`key64`.
        step: Number of the generated token.

    Returns:
        For each such token its row, its id and its bits.
    """
    found = []
    for ids in _id_blocks(size, keys.device):
        bits = _hash(keys, step, ids).view(len(keys), -1, _GROUP)
        rows, groups = (bits.amax(-1) >= least.unsqueeze(1)).nonzero(as_tuple=True)
        members, member_ids = bits[rows, groups], ids.view(-1, _GROUP)[groups]
        wanted = (members >= least[rows].unsqueeze(1)) & (member_ids < size)
        which, at = wanted.nonzero(as_tuple=True)
        found.append((rows[which], member_ids[which, at], members[which, at]))
    rows, tokens, bits = (torch.cat(parts) for parts in zip(*found, strict=True))
    return rows, tokens, bits


@lru_cache(maxsize=4)
def _id_blocks(size: int, device: torch.device) -> tuple[Tensor, ...]:
    """All token ids, and a few more to fill the last group, in blocks."""
    whole = torch.arange(-(-size // _GROUP) * _GROUP, device=device)
    return torch.split(whole, _HASHED)
