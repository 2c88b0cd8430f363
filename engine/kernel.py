"""Attention over parts of a text: each part apart, then merged exactly.

Attention over one part yields an output and the logsumexp of its scores. Weighting the outputs of
several parts by the softmax of their logsumexps gives attention over all of them at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

_SCORES = 1 << 26
"""Attention scores held at once where they are materialised."""


class Keys(NamedTuple):
    """Keys and values of one layer, each [rows, heads, tokens, head size]."""

    keys: Tensor
    values: Tensor


class Part(NamedTuple):
    """Attention over one part: output [1, heads, tokens, size] and logsumexp [1, heads, tokens]."""

    output: Tensor
    logsumexp: Tensor


@dataclass(frozen=True)
class Kernel:
    """How one layer turns scores into weights.

    Attributes:
        scale: Multiplies the dot products.
        window: A token sees this many tokens back, itself included; None for all.
        softcap: Scores are squashed to plus or minus this; None for not at all.
        sinks: One extra score a head that takes weight and adds no value; None for none.
    """

    scale: float
    window: int | None = None
    softcap: float | None = None
    sinks: Tensor | None = None

    def attend(self, query: Tensor, kv: Keys, mask: Tensor | None, *, causal: bool = False) -> Part:
        """Attend from query [rows, heads, n, size] to one part.

        Args:
            query: The queries; heads may be a multiple of the heads of ``kv``.
            kv: The part's keys and values.
            mask: Added to the scores; broadcasts to [rows, 1, n, keys].
            causal: Whether query i sees keys 0 to i only; excludes ``mask``.
        """
        if query.device.type == "cpu" and self.softcap is None:
            if query.shape[2] == 1 and mask is None and query.dtype == torch.float32:
                return self._attend_by_products(query, kv, mask)
            return self._attend_by_flash(query, kv, mask, causal)
        if causal:
            mask = additive(causal_mask(query.shape[2], None, query.device), query.dtype)
        return self._attend_by_products(query, kv, mask)

    def _attend_by_flash(self, query: Tensor, kv: Keys, mask: Tensor | None, causal: bool) -> Part:
        """Attend on a CPU with the kernel of torch that also returns logsumexps.

        Heads that share keys are queries of one head where every query sees the same keys.
        """
        rows, heads, tokens, size = query.shape
        shared = not causal and (mask is None or mask.shape[2] == 1)
        packed = query.reshape(rows, kv.keys.shape[1], -1, size) if shared else query
        output, logsumexp = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            packed, kv.keys, kv.values, 0.0, causal, attn_mask=mask, scale=self.scale
        )
        return Part(output.reshape(rows, heads, tokens, -1), logsumexp.reshape(rows, heads, tokens))

    def _attend_by_products(self, query: Tensor, kv: Keys, mask: Tensor | None) -> Part:
        """Attend on any device with matrix products in float32, some queries at a time."""
        rows, heads, tokens, size = query.shape
        grouped = query.reshape(rows, kv.keys.shape[1], -1, tokens, size).float() * self.scale
        keys, values = kv.keys.float().transpose(-1, -2), kv.values.float()
        step = max(1, _SCORES // (rows * heads * keys.shape[3]))
        outputs, sums = [], []
        for start in range(0, tokens, step):
            part = grouped[:, :, :, start : start + step]
            scores = (part.flatten(2, 3) @ keys).view(*part.shape[:-1], -1)
            if self.softcap is not None:
                scores = torch.tanh(scores / self.softcap) * self.softcap
            if mask is not None:
                some = mask[:, :, start : start + step] if mask.shape[2] > 1 else mask
                scores += some.unsqueeze(2)
            logsumexp = torch.logsumexp(scores, -1)
            weights = torch.exp(scores - logsumexp.unsqueeze(-1))
            outputs.append((weights.flatten(2, 3) @ values).view(rows, heads, part.shape[3], -1))
            sums.append(logsumexp.flatten(1, 2))
        return Part(torch.cat(outputs, 2).to(query.dtype), torch.cat(sums, 2))

    def merge(self, parts: Sequence[Part]) -> Tensor:
        """Combine attention over parts into one over all of them, [1, tokens, heads, size]."""
        sums = [part.logsumexp.float() for part in parts]
        if self.sinks is not None:
            sums.append(self.sinks.float().view(1, -1, 1).expand_as(sums[0]))
        if len(sums) == 1:
            return parts[0].output.transpose(1, 2).contiguous()
        weights = torch.softmax(torch.stack(sums, -1), -1).movedim(-1, 0).unsqueeze(-1)
        merged = parts[0].output * weights[0]
        for part, weight in zip(parts[1:], weights[1:], strict=False):
            merged += part.output * weight
        return merged.transpose(1, 2).to(parts[0].output.dtype).contiguous()


def additive(allowed: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask to add to scores. Finite, so that a part nobody may see merges with weight zero."""
    floor = torch.finfo(dtype).min / 2
    return torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill_(
        ~allowed, floor
    )


def causal_mask(size: int, window: int | None, device: torch.device) -> Tensor:
    """[1, 1, size, size] booleans: which of a row's own tokens each of its tokens sees."""
    at = torch.arange(size, device=device)
    back = at[:, None] - at
    allowed = back >= 0
    if window is not None:
        allowed &= back < window
    return allowed[None, None]
