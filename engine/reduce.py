"""What is kept of logits: most likely tokens, entropy, unseen mass, ranks, forced logprobs.

Everything is computed from float32 logits, a block of rows at a time so that temporaries stay in
cache: with a vocabulary of 150,000 that is several times faster than whole-matrix passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.errors import ModelError

_CACHED = 1 << 16
"""Elements of a block on the CPU: a block and its temporaries fit the second-level cache."""
_VECTOR = 64
"""Elements that vector instructions take at once, at most."""
_RESIDENT = 1 << 26
"""Elements of a block on other devices."""
_GROUP = 64
"""Neighbouring tokens that :func:`top_k` looks at together in a large vocabulary."""


@dataclass(frozen=True)
class Reduced:
    """What is kept of each row of logits.

    Attributes:
        values: [rows, kept] largest logits, largest first.
        ids: [rows, kept] their token ids; ties by lower id.
        logsumexp: [rows].
        entropy: [rows] entropy of the softmax, nats.
        unseen: [rows] probability outside ``ids``.
        margin: [rows] distance of the two largest logits.
    """

    values: Tensor
    ids: Tensor
    logsumexp: Tensor
    entropy: Tensor
    unseen: Tensor
    margin: Tensor

    def rows(self, index: Tensor) -> Reduced:
        """The rows at ``index``, in its order, repeated where it repeats."""
        return Reduced(
            self.values.index_select(0, index),
            self.ids.index_select(0, index),
            self.logsumexp.index_select(0, index),
            self.entropy.index_select(0, index),
            self.unseen.index_select(0, index),
            self.margin.index_select(0, index),
        )


def rows_at_once(logits: Tensor) -> int:
    """How many rows as wide as ``logits`` are best computed together."""
    if logits.device.type != "cpu":
        return max(1, _RESIDENT // logits.shape[1])
    if logits.shape[1] % _VECTOR:
        return 1  # What is left over at the end is rounded otherwise: at each row's end, then.
    return max(1, _CACHED // logits.shape[1])


def row_blocks(rows: int, logits: Tensor) -> Iterator[slice]:
    """Slices that cover ``rows`` rows as wide as ``logits``, a few at a time."""
    step = rows_at_once(logits)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def reduce_logits(logits: Tensor, kept: int) -> Reduced:
    """Reduce float32 logits [rows, vocabulary] to what a probe stores of them.

    The unseen mass is summed over the unseen tokens themselves, so it is exact where it is small.

    Raises:
        ModelError: A row has no finite logsumexp (NaN or infinite logits).
    """
    values, ids = top_k(logits, max(kept, 2))
    margin = values[:, 0] - values[:, 1]
    values, ids = values[:, :kept], ids[:, :kept]
    rows = logits.shape[0]
    logsumexp, entropy, unseen = (logits.new_empty(rows) for _ in range(3))
    for block in row_blocks(len(logits), logits):
        largest = values[block, :1]
        shifted = (logits[block] - largest).clamp_(min=-1e4)
        weights = shifted.exp()
        total = weights.sum(-1)
        expected = torch.linalg.vecdot(weights, shifted) / total
        log_total = total.double().log().float()
        logsumexp[block] = largest.squeeze(1) + log_total
        entropy[block] = (log_total - expected).clamp_(min=0)
        unseen[block] = weights.scatter_(1, ids[block], 0.0).sum(-1) / total
    if not bool(torch.isfinite(logsumexp).all()):
        raise ModelError(
            "The model's logits are not finite numbers.",
            "Half precision overflowed or the weights are broken; try --dtype float32.",
        )
    return Reduced(values, ids, logsumexp, entropy, unseen, margin)


def top_k(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The ``k`` largest logits of each row and their ids, largest first, ties by lower id.

    Args:
        logits: [rows, vocabulary] float32.
        k: How many; all where the vocabulary is smaller.

    Returns:
        Values and ids, [rows, k] each.
    """
    k = min(k, logits.shape[1])
    values, ids = _top_any_tie(logits, min(k + 1, logits.shape[1]))
    tied = (values[:, 1:] == values[:, :-1]).any(1).nonzero().squeeze(1)
    values, ids = values[:, :k].contiguous(), ids[:, :k].contiguous()
    if tied.numel():
        values[tied], ids[tied] = _top_by_key(logits[tied], k)
    return values, ids


@dataclass(frozen=True)
class Likely:
    """The most likely tokens of some rows.

    Attributes:
        values: [rows, n] logits, largest first; minus infinity behind the last of a row.
        ids: [rows, n] their token ids.
        edge: [rows] every token with a larger logit is among them.
    """

    values: Tensor
    ids: Tensor
    edge: Tensor

    def rows(self, index: Tensor) -> Likely:
        """The rows at ``index``, in its order, repeated where it repeats."""
        return Likely(*(part.index_select(0, index) for part in (self.values, self.ids, self.edge)))


def likely_of(reduced: Reduced, vocabulary: int) -> Likely:
    """The tokens that a reduction has kept."""
    everything = reduced.values.shape[1] == vocabulary
    edge = torch.full_like(reduced.margin, -torch.inf) if everything else reduced.values[:, -1]
    return Likely(reduced.values, reduced.ids, edge)


def about_top(logits: Tensor, wanted: int) -> Likely:
    """About as many of the most likely tokens of each row as wanted.

    On a CPU nothing is sorted but what is returned: the tokens are those that reach one of the
    largest maxima of groups of tokens, which takes a fraction of the time of a top k.

    Args:
        logits: [rows, vocabulary] float32.
        wanted: How many; where the vocabulary is not much larger, all of it.
    """
    rows, vocabulary = logits.shape
    if logits.device.type != "cpu" or vocabulary <= 4 * wanted:
        values, ids = torch.topk(logits, min(wanted, vocabulary))
        everything = wanted >= vocabulary
        edge = values.new_full((rows,), -torch.inf) if everything else values[:, -1]
        return Likely(values, ids, edge)
    maxima = _group_maxima(logits)
    groups = maxima.shape[1]
    reaching = round(groups * (1 - (1 - wanted / vocabulary) ** _GROUP))
    floor = maxima.kthvalue(groups + 1 - max(1, min(reaching, groups))).values
    array, bounds = logits.numpy(), floor.numpy()[:, None]
    # Rows that fit the cache, one after the other: the comparison never leaves it.
    found = [
        np.flatnonzero(array[block] >= bounds[block]) + block.start * vocabulary
        for block in row_blocks(rows, logits)
    ]
    reached = np.concatenate(found)
    owners = reached // vocabulary
    counts = np.bincount(owners, minlength=rows)
    width = int(counts.max())
    at = np.arange(len(reached)) + np.repeat(
        np.arange(rows) * width - counts.cumsum() + counts, counts
    )
    padded = np.full(rows * width, -np.inf, dtype=np.float32)
    numbers = np.zeros(rows * width, dtype=np.int64)
    padded[at] = array.ravel()[reached]
    numbers[at] = reached - owners * vocabulary
    order = np.argsort(-padded.reshape(rows, width), axis=1)
    values, ids = (
        torch.from_numpy(np.take_along_axis(flat.reshape(rows, width), order, 1))
        for flat in (padded, numbers)
    )
    just_below = torch.nextafter(floor, torch.full_like(floor, -torch.inf))
    return Likely(values, ids, just_below)


def _top_any_tie(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Top k with ties in any order: the k largest lie in the k groups with the largest maxima."""
    if _groups(logits) <= 2 * k:
        return torch.topk(logits, k)
    groups = _group_maxima(logits).topk(k, sorted=False).indices
    candidates = _members(logits, groups)
    values, where = logits.gather(1, candidates).topk(k)
    return values, candidates.gather(1, where)


def _top_by_key(logits: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Top k with ties by lower id: as above over integers that order by value, then by id."""
    if _groups(logits) <= 2 * k:
        candidates = torch.arange(logits.shape[1], device=logits.device).expand_as(logits)
    else:
        maxima = _group_maxima(logits)
        numbers = torch.arange(maxima.shape[1], device=logits.device).expand_as(maxima)
        candidates = _members(logits, _keys(maxima, numbers).topk(k).indices)
    where = _keys(logits.gather(1, candidates), candidates).topk(k).indices
    ids = candidates.gather(1, where)
    return logits.gather(1, ids), ids


def _groups(logits: Tensor) -> int:
    return logits.shape[1] // _GROUP


def _group_maxima(logits: Tensor) -> Tensor:
    whole = _groups(logits) * _GROUP
    return logits[:, :whole].reshape(len(logits), -1, _GROUP).amax(-1)


def _members(logits: Tensor, groups: Tensor) -> Tensor:
    """Ids of every token in the groups, and of those after the last whole group."""
    within = torch.arange(_GROUP, device=logits.device)
    members = (groups.unsqueeze(-1) * _GROUP + within).flatten(1)
    rest = torch.arange(_groups(logits) * _GROUP, logits.shape[1], device=logits.device)
    return torch.cat([members, rest.expand(logits.shape[0], -1)], 1)


def _keys(values: Tensor, ids: Tensor) -> Tensor:
    """int64 keys that sort like (value, -id). Adding zero makes the two float zeros equal."""
    bits = (values + 0.0).view(torch.int32)
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    return (ordered.long() << 32) | (0xFFFFFFFF - ids)


def ranks(logits: Tensor, rows: Tensor, reduced: Reduced, tokens: Tensor) -> Tensor:
    """Rank of one token a row, 1 for the most likely, ties by lower id.

    Args:
        logits: As wide as the vocabulary.
        rows: [tokens] the row of ``logits`` of each token.
        reduced: The reduction of ``logits[rows]``; a token among its ids needs no further pass.
        tokens: Token ids.

    Returns:
        [tokens] int64.
    """
    found = reduced.ids == tokens.unsqueeze(1)
    result = found.int().argmax(1) + 1
    missing = (~found.any(1)).nonzero().squeeze(1)
    ids = torch.arange(logits.shape[1], device=logits.device)
    for block in row_blocks(len(missing), logits):
        which = missing[block]
        token = tokens[which].unsqueeze(1)
        others = logits[rows[which]]
        value = others.gather(1, token)
        before = (others > value) | ((others == value) & (ids < token))
        result[which] = before.count_nonzero(1) + 1
    return result


def forced_logprobs(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Logprob of one given token a row, and whether it is the most likely one (lowest id).

    Args:
        logits: [rows, vocabulary] float32.
        targets: [rows] token ids.

    Returns:
        Logprobs [rows] float32 and booleans [rows].
    """
    logprobs = logits.new_empty(len(targets))
    most_likely = torch.empty(len(targets), dtype=torch.bool, device=logits.device)
    for block in row_blocks(len(logits), logits):
        value = logits[block].gather(1, targets[block, None]).squeeze(1)
        logprobs[block] = value - torch.logsumexp(logits[block], -1)
        most_likely[block] = logits[block].argmax(-1) == targets[block]
    return logprobs, most_likely
