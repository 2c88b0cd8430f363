"""Drawing tokens: penalty, temperature, top-k, top-p, and noise that depends on nothing else.

A token is drawn by adding Gumbel noise to the scaled logits and taking the largest sum (the
Gumbel-max trick), which samples exactly from their softmax. The noise is no random stream but a
hash of (seed, question, order, format, sample; step; token id), so a sample is the same alone, in
any batch, after a resume and on any device, up to the rounding of the logits themselves.

The order is that of transformers: repetition penalty, temperature, top-k, top-p. Where several
tokens are tied at the top-k or top-p boundary all of them are kept, so that the cut does not
depend on how a sort breaks ties.

Temperature 0 is greedy decoding after the penalty: no noise, the largest logit, of equal ones that
of the lower id. Nothing is divided by it. What it keeps is that one token, with logprob 0, and the
scaled logits are the penalized ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from engine.records import SamplerSettings
from engine.reduce import Likely, Reduced, about_top, likely_of, row_blocks, top_k

_GOLDEN = 0x9E3779B97F4A7C15
_ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, None))
"""Shifts and multipliers of splitmix64 (Steele, Lea and Flood 2014)."""
_CANDIDATES = 512
"""About how many tokens a nucleus is looked for in before the whole vocabulary is."""
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

    def put(self, rows: Tensor, drawn: Drawn) -> None:
        """Write draws over those of some rows."""
        for mine, new in zip(vars(self).values(), vars(drawn).values(), strict=True):
            mine[rows] = new


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
        if self.settings.temperature == 0:
            return self._take_largest(logits, rows, reduced, seen)
        if not self.penalizes or seen is None:
            return self._draw(logits, rows, likely_of(reduced, logits.shape[1]), keys, step)
        drawn = []
        for some in row_blocks(len(rows), logits):
            penalized = penalize(logits[rows[some]], seen[some], self.settings.repetition_penalty)
            likely = about_top(penalized, reduced.ids.shape[1])
            every = torch.arange(len(penalized), device=rows.device)
            drawn.append(self._draw(penalized, every, likely, keys[some], step))
        return _joined(drawn)

    def _take_largest(
        self, logits: Tensor, rows: Tensor, reduced: Reduced, seen: Tensor | None
    ) -> Drawn:
        """As :meth:`draw` at temperature 0."""
        values, ids = reduced.values[:, 0].clone(), reduced.ids[:, 0].clone()
        if self.penalizes and seen is not None:
            for some in row_blocks(len(rows), logits):
                penalty = self.settings.repetition_penalty
                best = top_k(penalize(logits[rows[some]], seen[some], penalty), 1)
                values[some], ids[some] = (part.squeeze(1) for part in best)
        return Drawn(ids, torch.zeros_like(values), values, values.clone())

    def _draw(self, logits: Tensor, rows: Tensor, likely: Likely, keys: Tensor, step: int) -> Drawn:
        """As :meth:`draw`, from logits that no penalty changes any more.

        Args:
            logits: [rows, vocabulary].
            rows: [draws].
            likely: For each draw likely tokens of its row.
            keys: [draws].
            step: Number of the generated token.
        """
        if self.settings.top_k == 0 and self.settings.top_p >= 1.0:
            return self._draw_from_all(logits, rows, likely, keys, step)
        # Top k sets its own total: that of what it keeps.
        totals = likely.edge if self.settings.top_k else self._totals(logits, rows, likely)
        drawn, certain = self._draw_from_kept(likely, totals, keys, step)
        more = (~certain).nonzero().squeeze(1)
        if more.numel():
            drawn.put(
                more, self._draw_with_more(logits, rows[more], totals[more], keys[more], step)
            )
        return drawn

    def _draw_with_more(
        self, logits: Tensor, rows: Tensor, totals: Tensor, keys: Tensor, step: int
    ) -> Drawn:
        """As :meth:`_draw` where the likely tokens were too few: with more, then with all."""
        wanted = max(_CANDIDATES, 2 * self.settings.top_k)
        likely = _about_top_of(logits, rows, wanted)
        drawn, certain = self._draw_from_kept(likely, totals, keys, step)
        more = (~certain).nonzero().squeeze(1)
        if not more.numel():
            return drawn
        rest = likely.rows(more)
        if self.settings.top_k:
            everything = Likely(*torch.sort(logits[rows[more]], descending=True), rest.edge)
            everything.edge.fill_(-torch.inf)
            drawn.put(more, self._draw_from_kept(everything, totals[more], keys[more], step)[0])
        else:
            drawn.put(more, self._draw_from_all(logits, rows[more], rest, keys[more], step))
        return drawn

    def _draw_from_kept(
        self, likely: Likely, totals: Tensor, keys: Tensor, step: int
    ) -> tuple[Drawn, Tensor]:
        """Draw from what the sampler keeps of some likely tokens.

        Returns:
            What is drawn, and for each draw whether the sampler keeps no other tokens, without
            which the draw means nothing.
        """
        best, edge = likely.values / self.settings.temperature, likely.edge
        cutoff, certain = self._cutoff(best, edge / self.settings.temperature, totals)
        width = int((best >= cutoff.unsqueeze(1)).sum(1).max())
        best, ids = best[:, :width], likely.ids[:, :width]
        kept = best >= cutoff.unsqueeze(1)
        scores = (best + _gumbel(_hash(keys, step, ids))).masked_fill_(~kept, -torch.inf)
        winner = scores.argmax(1, keepdim=True)
        # In float64 a sum does not depend on how many cut tokens stand behind the kept ones.
        shifted = (best - best[:, :1]).masked_fill_(~kept, -torch.inf)
        logsumexp = best[:, 0] + shifted.double().exp_().sum(1).log_().float()
        logprob = best.gather(1, winner).squeeze(1) - logsumexp
        return Drawn(ids.gather(1, winner).squeeze(1), logprob, logsumexp, cutoff), certain

    def _cutoff(self, best: Tensor, edge: Tensor, totals: Tensor) -> tuple[Tensor, Tensor]:
        """Smallest kept scaled logit of each draw, judged by its likely tokens.

        Args:
            best: [draws, n] scaled logits, largest first.
            edge: [draws] every token with a larger scaled logit is among them.
            totals: [draws] logsumexp of all scaled logits; unused with a top k.

        Returns:
            Cutoffs [draws], and whether ``best`` was enough to be certain: everything at or above
            the cutoff, ties included, is among it.
        """
        if self.settings.top_k:
            floor = best[:, min(self.settings.top_k, best.shape[1]) - 1]
            totals = torch.logsumexp(best.masked_fill(best < floor.unsqueeze(1), -torch.inf), -1)
            certain = floor > edge
        else:
            floor = best[:, -1]
            certain = torch.ones_like(floor, dtype=torch.bool)
        if self.settings.top_p < 1.0:
            weights = (best - totals.unsqueeze(1)).double().exp()
            reached = weights.cumsum(1)
            before = reached - weights
            if not self.settings.top_k:
                certain = (reached[:, -1] >= self.settings.top_p) | edge.isneginf()
            inside = (before < self.settings.top_p) & (best >= floor.unsqueeze(1))
            inside[:, 0] = True
            floor = best.gather(1, inside.sum(1, keepdim=True) - 1).squeeze(1)
        return floor, certain & (floor > edge)

    def _totals(self, logits: Tensor, rows: Tensor, likely: Likely) -> Tensor:
        """Logsumexp of all scaled logits, [draws]."""
        largest = logits.new_zeros(len(logits))
        largest[rows] = likely.values[:, 0]
        largest /= self.settings.temperature
        totals = torch.empty_like(largest)
        for block in row_blocks(len(logits), logits):
            most = largest[block].unsqueeze(1)
            shifted = torch.add(-most, logits[block], alpha=1 / self.settings.temperature)
            totals[block] = shifted.exp_().sum(1).log_()
        return (totals + largest)[rows]

    def _draw_from_all(
        self, logits: Tensor, rows: Tensor, likely: Likely, keys: Tensor, step: int
    ) -> Drawn:
        """Draw where the whole vocabulary matters; [draws] likely tokens are where to begin."""
        drawn = []
        for some in row_blocks(len(rows), logits):
            scaled = logits[rows[some]] / self.settings.temperature
            best = likely.values[some] / self.settings.temperature
            edge = likely.edge[some] / self.settings.temperature
            cutoff = scaled.amin(1)
            if self.settings.top_p < 1.0:
                cutoff = _nucleus_cutoff(scaled, self.settings.top_p)
                scaled.masked_fill_(scaled < cutoff.unsqueeze(1), -torch.inf)
            ids, some_keys = likely.ids[some], keys[some]
            drawn.append(_draw_from_all(scaled, cutoff, best, ids, edge, some_keys, step))
        return _joined(drawn)


def _about_top_of(logits: Tensor, rows: Tensor, wanted: int) -> Likely:
    """Likely tokens of some rows, repeated at will; most of them are not copied first."""
    used, which = torch.unique(rows, return_inverse=True)
    if 2 * len(used) > len(logits):
        return about_top(logits, wanted).rows(rows)
    return about_top(logits[used], wanted).rows(which)


def _joined(drawn: Sequence[Drawn]) -> Drawn:
    """Draws one after the other."""
    parts = zip(*(vars(each).values() for each in drawn), strict=True)
    return Drawn(*(torch.cat(part) for part in parts))


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
    # The total of the float32 softmax misses 1 by its rounding, which differs between CPUs.
    weights /= weights.sum(1, keepdim=True)
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
    scaled: Tensor,
    cutoff: Tensor,
    best: Tensor,
    ids: Tensor,
    edge: Tensor,
    keys: Tensor,
    step: int,
) -> Drawn:
    """Gumbel-max over every token that is not minus infinity.

    The best perturbed candidate among the most likely tokens sets a bar. Any other token has at
    most the logit ``edge``, so it can only win with noise above the difference, and noise is above
    it exactly where its bits are above a number: comparing integers is enough for nearly all
    tokens, and logarithms are left to the few others.
    """
    scores = best + _gumbel(_hash(keys, step, ids))
    bar, winner = scores.max(1)
    tokens = ids.gather(1, winner.unsqueeze(1)).squeeze(1)
    if best.shape[1] < scaled.shape[1]:
        least_uniform = torch.exp(-torch.exp(edge - bar))
        slack = 64
        least = (least_uniform * (2 * _HALF)).long() - _HALF - slack
        rows, rivals, bits = _above(least.clamp_(min=-_HALF) << 11, scaled.shape[1], keys, step)
        rival_scores = scaled[rows, rivals] + _gumbel(bits)
        won = rival_scores >= bar.scatter_reduce(0, rows, rival_scores, "amax")[rows]
        tokens[rows[won]] = rivals[won]
    logsumexp = torch.logsumexp(scaled, -1)
    logprob = scaled.gather(1, tokens.unsqueeze(1)).squeeze(1) - logsumexp
    return Drawn(tokens, logprob, logsumexp, cutoff)


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
