from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
import torch

from engine.canonical import one_thread, width
from engine.extend import draw_samples
from engine.model import LoadedModel, describe
from engine.probe import Prober
from engine.records import ProbeResult, ProbeSettings, SamplerSettings
from tests.test_probe import assert_exact, probe, without_stops
from tests.tiny_models import PLAIN, made_up_ids, tiny_model, tiny_prompt, tiny_tokenizer

SETTINGS = ProbeSettings(
    samples=3,
    max_new_tokens=10,
    kept=8,
    canonical=True,
    sampler=SamplerSettings(temperature=0.9, top_p=0.95),
)
PROMPTS = [
    tiny_prompt((*made_up_ids(20, 1), *made_up_ids(length, 10 + at)), question_id=f"q{at}")
    for at, length in enumerate((5, 23, 1, 12, 50, 60, 90))
]
"""Of two widths."""


def loaded(family: str, dtype: torch.dtype = torch.float32) -> LoadedModel:
    model = tiny_model(family).to(dtype)
    return without_stops(describe(model, tiny_tokenizer(), name=family))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    "family", ["llama", "qwen3", "mistral", "gemma2", "gpt2", "gpt_neox", "phi3", "mixtral"]
)
def test_alone_and_in_any_batch_the_same_to_the_bit(family: str, dtype: torch.dtype) -> None:
    model = loaded(family, dtype)
    assert model.plans.shared is not None
    together = probe(model, PROMPTS, SETTINGS)
    in_pairs = probe(model, PROMPTS[::-1], SETTINGS, batch_size=2)[::-1]
    alone = [probe(model, [prompt], SETTINGS)[0] for prompt in PROMPTS]
    for one, two, three in zip(together, in_pairs, alone, strict=True):
        assert timeless(one) == timeless(two) == timeless(three)


def timeless(result: ProbeResult) -> ProbeResult:
    return msgspec.structs.replace(result, seconds=0.0)


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2", *PLAIN])
def test_canonical_shapes_are_exact(family: str) -> None:
    model = loaded(family)
    for prompt, result in zip(PROMPTS[:4], probe(model, PROMPTS[:4], SETTINGS), strict=True):
        close = 1e-3 if family == "qwen3_next" else 1e-4
        assert_exact(tiny_model(family), prompt, result, close)


def test_without_them_numbers_depend_on_the_batch() -> None:
    """What canonical shapes are for; where this fails they are no longer needed."""
    free = msgspec.structs.replace(SETTINGS, canonical=False)
    model = loaded("llama", torch.bfloat16)
    together = probe(model, PROMPTS, free)
    model.plans.forget()
    alone = [probe(model, [prompt], free)[0] for prompt in PROMPTS]
    assert any(
        one.first.top_logprobs != two.first.top_logprobs
        for one, two in zip(together, alone, strict=True)
    )


def test_samples_drawn_later_are_the_same_to_the_bit() -> None:
    model = loaded("llama", torch.bfloat16)
    more = msgspec.structs.replace(SETTINGS, samples=5)
    whole = probe(model, PROMPTS, more)[0]
    later = draw_samples(model, PROMPTS[0], SETTINGS, [4, 5])
    assert [text.positions for text in later] == [
        text.positions for text in whole.generations if text.index > 3
    ]


def test_batches_are_of_one_width() -> None:
    model = loaded("llama")
    seen: list[set[int]] = []
    plan = model.plans.canonical
    assert plan is not None

    class Spy:
        prompts_at_once = None

        def prepare(self, prompts) -> None:
            seen.append({width(len(prompt)) for prompt in prompts})

        def prefill(self, prompts, *, keep=False):
            return plan.prefill(prompts, keep=keep)

    spied = replace(model, plans=replace(model.plans, canonical=Spy()))
    assert len(dict(Prober(spied).probe(PROMPTS, SETTINGS))) == len(PROMPTS)
    assert sorted(map(len, seen)) == [1, 1]


def test_one_thread_is_given_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with one_thread(True):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with one_thread(False):
        assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
