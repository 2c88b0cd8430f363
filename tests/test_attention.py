from __future__ import annotations

import pytest
import torch

from engine import attention
from engine.attention import Grid
from engine.kernel import Kernel, Keys, Part, additive, causal_mask

SCALE = 0.3


def states(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def right(query, kv: Keys, mask=None, softcap=None) -> torch.Tensor:
    """Attention as the textbook has it, keys repeated for every query head."""
    repeats = query.shape[1] // kv.keys.shape[1]
    keys, values = (part.repeat_interleave(repeats, 1) for part in kv)
    scores = query @ keys.transpose(-1, -2) * SCALE
    if softcap:
        scores = torch.tanh(scores / softcap) * softcap
    if mask is not None:
        scores = scores + mask
    return torch.softmax(scores, -1) @ values


@pytest.mark.parametrize("scores", [1, 50, 1 << 26])
@pytest.mark.parametrize("heads", [(4, 4), (6, 2)])
@pytest.mark.parametrize("masked", ["no", "keys", "both", "causal"])
def test_both_ways_to_attend_are_attention(monkeypatch, scores: int, heads, masked: str) -> None:
    monkeypatch.setattr("engine.kernel._SCORES", scores)
    query, kv = (
        states(3, heads[0], 7, 8),
        Keys(states(3, heads[1], 7, 8), states(3, heads[1], 7, 8)),
    )
    shape = {"no": None, "keys": (3, 1, 1, 7), "both": (3, 1, 7, 7)}
    if masked == "causal":
        mask = additive(causal_mask(7, None, query.device), query.dtype)
    elif masked == "no":
        mask = None
    else:
        allowed = states(*shape[masked]) > -0.5
        allowed[..., 2] = True
        mask = additive(allowed, query.dtype)
    kernel, expected = Kernel(SCALE), right(query, kv, mask)
    causal = masked == "causal"
    fast = kernel.attend(query, kv, None if causal else mask, causal=causal)
    slow = kernel._attend_by_products(query, kv, mask)
    for part in (fast, slow):
        assert torch.allclose(part.output, expected, atol=1e-5)
    assert torch.allclose(fast.logsumexp, slow.logsumexp, atol=1e-5)


def test_parts_merge_into_the_whole() -> None:
    query, kv = states(1, 4, 5, 8), Keys(states(1, 2, 9, 8), states(1, 2, 9, 8))
    kernel = Kernel(SCALE)
    halves = [Keys(*(half[:, :, cut] for half in kv)) for cut in (slice(0, 3), slice(3, 9))]
    merged = kernel.merge([kernel.attend(query, half, None) for half in halves])
    assert torch.allclose(merged, right(query, kv).transpose(1, 2), atol=1e-5)


def test_a_part_nobody_sees_counts_for_nothing() -> None:
    query, kv = states(1, 4, 5, 8), Keys(states(1, 4, 9, 8), states(1, 4, 9, 8))
    hidden = additive(torch.zeros(1, 1, 1, 9, dtype=torch.bool), query.dtype)
    kernel = Kernel(SCALE)
    seen = kernel.attend(query, kv, None)
    merged = kernel.merge([kernel.attend(query, kv, hidden), seen])
    assert torch.allclose(merged, seen.output.transpose(1, 2), atol=1e-6)


def test_a_sink_takes_weight_and_adds_nothing() -> None:
    query, kv = states(1, 4, 5, 8), Keys(states(1, 4, 9, 8), states(1, 4, 9, 8))
    sinks = states(4)
    merged = Kernel(SCALE, sinks=sinks).merge([Kernel(SCALE).attend(query, kv, None)])
    scores = query @ kv.keys.transpose(-1, -2) * SCALE
    with_sink = torch.cat([scores, sinks.view(1, 4, 1, 1).expand(1, 4, 5, 1)], -1)
    expected = torch.softmax(with_sink, -1)[..., :-1] @ kv.values
    assert torch.allclose(merged, expected.transpose(1, 2), atol=1e-5)


@pytest.mark.parametrize("counts", [[3, 3], [2, 5, 1], [4], [2, 0, 3, 0]])
def test_a_grid_holds_every_token_once(counts: list[int]) -> None:
    total = sum(counts)
    grid = Grid(counts, torch.device("cpu"))
    flat = states(1, 2, total, 4)
    spread = grid.spread(flat)
    assert spread.shape == (len(counts), 2, max(counts), 4)
    start = 0
    for row, count in enumerate(counts):
        assert torch.equal(spread[row, :, :count], flat[0, :, start : start + count])
        start += count
    back = grid.gather(Part(spread, spread[..., 0]))
    assert torch.equal(back.output, flat)
    assert torch.equal(back.logsumexp, flat[..., 0])


def test_unknown_wishes_of_a_layer_are_refused() -> None:
    layer = torch.nn.Module()
    query = states(1, 2, 3, 4)
    with pytest.raises(TypeError, match="unknown attention arguments: position_bias"):
        attention.cascade_attention(
            layer, query, query, query, None, cascade=None, position_bias=query, is_causal=True
        )
