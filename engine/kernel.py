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


_FLASH_SIZE = 256
"""Largest head size of flash attention."""
_ALIGNED = 16
"""Elements between the rows of a mask are a multiple of this."""


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
        fused: Whether the device's fused kernels may be used.
    """

    scale: float
    window: int | None = None
    softcap: float | None = None
    sinks: Tensor | None = None
    fused: bool = True

    def attend(self, query: Tensor, kv: Keys, mask: Tensor | None, *, causal: bool = False) -> Part:
        """Attend from query [rows, heads, n, size] to one part.

        Args:
            query: The queries; heads may be a multiple of the heads of ``kv``.
            kv: The part's keys and values.
            mask: Added to the scores; broadcasts to [rows, 1, n, keys].
            causal: Whether query i sees keys 0 to i only; excludes ``mask``.
        """
        if self.fused and self.softcap is None:
            # A single query gains nothing from a fused kernel on a CPU.
            single = query.shape[2] == 1 and mask is None and query.dtype == torch.float32
            if query.device.type == "cpu" and not single:
                return self._attend_on_cpu(query, kv, mask, causal)
            if query.device.type == "cuda":
                return self._attend_on_gpu(query, kv, mask, causal)
        if causal:
            mask = additive(causal_mask(query.shape[2], None, query.device), query.dtype)
        return self._attend_by_products(query, kv, mask)

    def _attend_on_cpu(self, query: Tensor, kv: Keys, mask: Tensor | None, causal: bool) -> Part:
        """Attend on a CPU with the kernel of torch that also returns logsumexps."""
        rows, heads, tokens, _ = query.shape
        packed = _packed(query, kv) if _packs(mask, causal) else query
        output, logsumexp = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            packed, kv.keys, kv.values, 0.0, causal, attn_mask=mask, scale=self.scale
        )
        return Part(output.reshape(rows, heads, tokens, -1), logsumexp.reshape(rows, heads, tokens))

    def _attend_on_gpu(self, query: Tensor, kv: Keys, mask: Tensor | None, causal: bool) -> Part:
        """Attend on a GPU with flash attention, or with the memory-efficient kernel.

        Flash takes no masks, no float32 and only some head sizes.
        """
        rows, heads, tokens, size = query.shape
        packs = _packs(mask, causal)
        packed = _packed(query, kv) if packs else query
        keys, values = kv if packs else (_repeated(states, heads) for states in kv)
        half = query.dtype in (torch.float16, torch.bfloat16)
        if mask is None and half and size % 8 == 0 and size <= _FLASH_SIZE:
            output, logsumexp, *_ = torch.ops.aten._scaled_dot_product_flash_attention(
                packed, keys, values, 0.0, causal, scale=self.scale
            )
        else:
            bias = None if mask is None else _aligned(mask, packed.shape[:3], keys.shape[2])
            output, logsumexp, *_ = torch.ops.aten._scaled_dot_product_efficient_attention(
                packed, keys, values, bias, True, 0.0, causal, scale=self.scale
            )
            logsumexp = logsumexp[:, :, : packed.shape[2]]
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


def _packs(mask: Tensor | None, causal: bool) -> bool:
    """Whether every query of a row sees the same keys."""
    return not causal and (mask is None or mask.shape[2] == 1)


def _packed(query: Tensor, kv: Keys) -> Tensor:
    """Query heads that share keys as queries of one head."""
    return query.reshape(query.shape[0], kv.keys.shape[1], -1, query.shape[3])


def _repeated(states: Tensor, heads: int) -> Tensor:
    """Keys or values once for every query head."""
    return states.repeat_interleave(heads // states.shape[1], 1)


def _aligned(mask: Tensor, queries: Sequence[int], keys: int) -> Tensor:
    """A mask for every query, its rows beginning where the memory-efficient kernel wants them."""
    padded = torch.nn.functional.pad(mask, (0, -keys % _ALIGNED))[..., :keys]
    return padded.expand(*queries, keys)


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
