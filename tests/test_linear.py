"""Packed weights: the same products, faster; everything else as it was."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from engine import linear
from engine.linear import pack_linears
from engine.model import describe
from tests.tiny_models import made_up_ids, plain_logprobs, tiny_model, tiny_tokenizer

FLOAT32 = linear._gains(torch.zeros(1))
BFLOAT16 = linear._gains(torch.zeros(1, dtype=torch.bfloat16))
SHAPES = [(1, 1, 96), (1, 7, 96), (64, 96), (5, 3, 96), (1, 200, 96)]

packs = pytest.mark.skipif(not FLOAT32, reason="nothing is packed on this processor")


def layer(*, bias: bool = True, dtype: torch.dtype = torch.float32) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(96, 130, bias=bias).to(dtype)


def rows(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)


def assert_same(found: torch.Tensor, right: torch.Tensor, relative: float = 1e-5) -> None:
    assert found.shape == right.shape
    assert found.dtype == right.dtype
    assert found.is_contiguous()
    assert float((found - right).norm()) <= relative * float(right.norm())


@packs
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@torch.no_grad()
def test_products_are_those_of_the_layer(shape: tuple[int, ...], bias: bool) -> None:
    plain, packed = layer(bias=bias), nn.Sequential(layer(bias=bias))
    assert pack_linears(packed)
    assert_same(packed(rows(*shape)), plain(rows(*shape)))


@packs
@torch.no_grad()
def test_rows_may_lie_anywhere_in_memory() -> None:
    packed = nn.Sequential(layer())
    pack_linears(packed)
    for view in (rows(96, 7).T, rows(4, 2, 192)[:, :, ::2], rows(3, 1, 96).expand(3, 5, 96)):
        assert not view.is_contiguous()
        assert_same(packed(view), layer()(view))


@packs
@torch.no_grad()
def test_no_rows_have_no_products() -> None:
    packed = nn.Sequential(layer())
    pack_linears(packed)
    assert packed(rows(0, 96)).shape == (0, 130)


@pytest.mark.skipif(not BFLOAT16, reason="no bfloat16 products on this processor")
@torch.no_grad()
def test_products_in_bfloat16() -> None:
    packed = nn.Sequential(layer(dtype=torch.bfloat16))
    assert pack_linears(packed)
    for shape in SHAPES:
        given = rows(*shape, dtype=torch.bfloat16)
        right = layer(dtype=torch.bfloat16).float()(given.float())
        assert packed(given).dtype == torch.bfloat16
        assert_same(packed(given).float(), right, relative=1e-2)


@packs
@torch.no_grad()
def test_changed_weights_are_packed_again() -> None:
    plain, packed = layer(), nn.Sequential(layer())
    pack_linears(packed)
    for change in (
        lambda of: of.weight.mul_(2),
        lambda of: of.weight.copy_(rows(130, 96)),
        lambda of: of.bias.add_(1),
    ):
        change(plain)
        change(packed[0])
        assert_same(packed(rows(5, 96)), plain(rows(5, 96)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_other_number_formats_are_left_alone(dtype: torch.dtype) -> None:
    model = nn.Sequential(layer(dtype=dtype))
    assert not pack_linears(model)
    assert "forward" not in vars(model[0])


def test_other_devices_are_left_alone() -> None:
    model = nn.Sequential(layer()).to("meta")
    assert not pack_linears(model)
    assert "forward" not in vars(model[0])


def test_other_processors_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear.platform, "machine", lambda: "arm64")
    model = nn.Sequential(layer())
    assert not pack_linears(model)
    assert "forward" not in vars(model[0])


def test_one_layer_that_gains_nothing_leaves_the_model_alone() -> None:
    model = nn.Sequential(layer(), layer(dtype=torch.float64))
    assert not pack_linears(model)
    assert not any("forward" in vars(each) for each in model)


def test_a_model_without_linear_layers_is_left_alone() -> None:
    assert not pack_linears(nn.Sequential(nn.Embedding(3, 4)))


@packs
def test_layers_of_another_kind_are_left_alone() -> None:
    class Quantized(nn.Linear):
        pass

    model = nn.Sequential(layer(), Quantized(130, 4))
    assert pack_linears(model)
    assert "forward" in vars(model[0])
    assert "forward" not in vars(model[1])


@packs
def test_packed_weights_leave_most_of_the_memory_free(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = 2 * 130 * 96 * 4
    model = nn.Sequential(layer(), layer())
    for free, packed in ((2.4 * needed, False), (2.6 * needed, True)):
        monkeypatch.setattr(linear, "free_memory", lambda device, free=free: int(free))
        assert pack_linears(model) is packed
        assert ("forward" in vars(model[0])) is packed
    monkeypatch.setattr(linear, "free_memory", lambda device: None)
    assert pack_linears(nn.Sequential(layer()))


@packs
@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt_neox", "opt", "mixtral", "mamba"])
def test_a_packed_model_says_the_same(family: str) -> None:
    ids = made_up_ids(40, 1)
    model = tiny_model(family)
    right = plain_logprobs(model, ids)
    assert pack_linears(model)
    assert (plain_logprobs(model, ids) - right).abs().max() < 1e-4


def tied_model() -> Any:
    model = copy.deepcopy(tiny_model())
    model.config.tie_word_embeddings = True
    model.tie_weights()
    assert model.lm_head.weight is model.model.embed_tokens.weight
    return model


@packs
@torch.no_grad()
def test_tied_embeddings_stay_tied_and_as_they_were() -> None:
    ids = made_up_ids(40, 1)
    right = plain_logprobs(tied_model(), ids)
    model = tied_model()
    before = model.model.embed_tokens.weight.clone()
    pack_linears(model)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert torch.equal(model.model.embed_tokens.weight, before)
    assert torch.equal(model.model.embed_tokens(torch.tensor([7])), before[7:8])
    assert (plain_logprobs(model, ids) - right).abs().max() < 1e-4
    model.model.embed_tokens.weight[50] += 1
    other = tied_model()
    other.lm_head.weight[50] += 1
    assert (plain_logprobs(model, ids) - plain_logprobs(other, ids)).abs().max() < 1e-4


@pytest.mark.parametrize(("dtype", "packed"), [("float32", FLOAT32), ("float16", False)])
def test_a_loaded_model_says_whether_it_is_packed(dtype: str, packed: bool) -> None:
    model = tiny_model().to(getattr(torch, dtype))
    loaded = describe(model, tiny_tokenizer(), name="tiny")
    assert loaded.info.packed is packed
    assert ("forward" in vars(loaded.model.lm_head)) is packed
