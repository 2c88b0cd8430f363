from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from engine.records import ProbeSettings, SamplerSettings
from engine.reduce import forced_logprobs, ranks, reduce_logits, top_k
from engine.sampler_view import after_sampler
from engine.sampling import Sampler, _gumbel, _hash, _splitmix, key64

SIZES = (50, 3000, 40_000)
SAMPLERS = [
    SamplerSettings(),
    SamplerSettings(temperature=0.3),
    SamplerSettings(top_p=0.9),
    SamplerSettings(top_p=0.999),
    SamplerSettings(top_p=1e-6),
    SamplerSettings(top_k=1),
    SamplerSettings(top_k=40, top_p=0.8, temperature=1.7),
    SamplerSettings(top_k=100_000),
    SamplerSettings(repetition_penalty=1.4),
    SamplerSettings(repetition_penalty=0.7, top_k=12, temperature=0.6),
    SamplerSettings(repetition_penalty=1.2, top_p=0.95, temperature=1.3),
]


def logits_of(rows: int, size: int, spread: float = 3.0, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, size, generator=generator) * spread


def seen_of(rows: int, size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, min(size, 40), (rows, 12), generator=generator)


def processed(settings: SamplerSettings, seen: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """What transformers makes of the logits with the same settings, in float64."""
    steps = LogitsProcessorList()
    if settings.repetition_penalty != 1:
        steps.append(RepetitionPenaltyLogitsProcessor(settings.repetition_penalty))
    steps.append(TemperatureLogitsWarper(settings.temperature))
    if settings.top_k:
        steps.append(TopKLogitsWarper(settings.top_k))
    if settings.top_p < 1:
        steps.append(TopPLogitsWarper(settings.top_p))
    return steps(seen, logits.double())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("settings", SAMPLERS, ids=repr)
def test_the_distribution_drawn_from_is_that_of_transformers(
    settings: SamplerSettings, size: int
) -> None:
    rows = 7
    logits, seen = logits_of(rows, size), seen_of(rows, size)
    right = processed(settings, seen, logits)
    keys = torch.tensor([key64(row) for row in range(rows)])
    before = logits.clone()
    drawn = Sampler(settings).draw(
        logits, torch.arange(rows), reduce_logits(logits, 20), keys, 0, seen
    )
    assert torch.equal(logits, before)
    right_logprobs = torch.log_softmax(right, -1)
    chosen = right_logprobs.gather(1, drawn.tokens[:, None]).squeeze(1).float()
    assert torch.isfinite(chosen).all()
    assert torch.allclose(drawn.logprobs, chosen, atol=1e-4)
    assert torch.allclose(drawn.logsumexps, torch.logsumexp(right, -1).float(), atol=1e-4)
    kept = right.masked_fill(right.isinf(), math.inf).amin(-1)
    # Where a token's mass is below float32 rounding, the cut may move by a few of them.
    assert torch.allclose(drawn.cutoffs, kept.float(), atol=1e-5 if size < 10_000 else 2e-3)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("settings", SAMPLERS, ids=repr)
def test_the_token_drawn_is_the_largest_perturbed_one(settings: SamplerSettings, size: int) -> None:
    """Against noise for the whole vocabulary, which the sampler itself never computes."""
    rows = 40
    logits, seen = logits_of(rows, size, spread=0.5), seen_of(rows, size)
    keys = torch.tensor([key64("row", row) for row in range(rows)])
    drawn = Sampler(settings).draw(
        logits, torch.arange(rows), reduce_logits(logits, 20), keys, 3, seen
    )
    noise = _gumbel(_hash(keys, 3, torch.arange(size)))
    right = (processed(settings, seen, logits) + noise).argmax(-1)
    assert torch.equal(drawn.tokens, right)


def test_draws_follow_the_softmax() -> None:
    """Chi-square over many keys; everything is deterministic, so this can't flicker."""
    logits = logits_of(1, 12, spread=1.0)
    count = 20_000
    keys = torch.tensor([key64("draw", at) for at in range(count)])
    rows = torch.zeros(count, dtype=torch.long)
    reduced = reduce_logits(logits, 5).rows(rows)
    drawn = Sampler(SamplerSettings()).draw(logits, rows, reduced, keys, 0)
    expected = torch.softmax(logits[0], -1) * count
    found = torch.bincount(drawn.tokens, minlength=12)
    assert float(((found - expected) ** 2 / expected).sum()) < 31.3  # p = 0.001, 11 degrees


def test_a_draw_depends_on_its_own_row_alone() -> None:
    logits = logits_of(30, 5000)
    keys = torch.tensor([key64(row) for row in range(30)])
    sampler = Sampler(SamplerSettings(top_p=0.97))
    together = sampler.draw(logits, torch.arange(30), reduce_logits(logits, 20), keys, 2)
    for row in (0, 13, 29):
        one = logits[row : row + 1]
        alone = sampler.draw(one, torch.tensor([0]), reduce_logits(one, 20), keys[row][None], 2)
        assert int(alone.tokens) == int(together.tokens[row])
        assert float(alone.logprobs) == pytest.approx(float(together.logprobs[row]), abs=1e-6)


def test_noise_differs_by_key_step_and_token() -> None:
    keys = torch.tensor([key64(1, "q", 0, "low", 1), key64(1, "q", 0, "low", 2)])
    ids = torch.arange(1000)
    bits = torch.stack([_hash(keys, step, ids) for step in range(3)])
    assert len(bits.unique()) == bits.numel()
    assert abs(float(bits.double().mean()) / 2**63) < 0.02
    noise = _gumbel(bits)
    assert float(noise.mean()) == pytest.approx(0.5772, abs=0.05)
    assert float(noise.var()) == pytest.approx(math.pi**2 / 6, abs=0.1)


def test_splitmix64_gives_its_published_numbers() -> None:
    """The first outputs from seed 1234567, as in the reference implementation."""
    state, outputs = 1234567, []
    for _ in range(3):
        outputs.append(int(_splitmix(torch.tensor([state]))[0]) % 2**64)
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        state = state - 2**64 if state >= 2**63 else state
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_keys_keep_their_parts_apart() -> None:
    assert key64(1, "ab") != key64(1, "a", "b") != key64("1a", "b")
    assert key64(0, "q", 0, "low", 1) == key64(0, "q", 0, "low", 1)
    assert -(2**63) <= key64("x") < 2**63


def test_everything_tied_at_the_boundary_is_kept() -> None:
    logits = torch.zeros(1, 5000)
    logits[0, 7] = 4.0
    for settings in (SamplerSettings(top_k=3), SamplerSettings(top_p=0.5)):
        keys = torch.tensor([key64(at) for at in range(300)])
        rows = torch.zeros(300, dtype=torch.long)
        reduced = reduce_logits(logits, 20).rows(rows)
        drawn = Sampler(settings).draw(logits, rows, reduced, keys, 0)
        assert drawn.cutoffs.tolist() == [0.0] * 300
        assert drawn.logsumexps[0] == pytest.approx(math.log(4999 + math.exp(4)), abs=1e-4)
        assert len(drawn.tokens.unique()) > 250


@pytest.mark.parametrize("settings", SAMPLERS, ids=repr)
def test_the_view_after_the_sampler_agrees(settings: SamplerSettings) -> None:
    rows, size, kept = 9, 4000, 30
    logits, seen = logits_of(rows, size), seen_of(rows, size)
    reduced = reduce_logits(logits, kept)
    keys = torch.tensor([key64(row) for row in range(rows)])
    drawn = Sampler(settings).draw(logits, torch.arange(rows), reduced, keys, 0, seen)
    right = torch.log_softmax(processed(settings, seen, logits), -1)
    logprobs = reduced.values - reduced.logsumexp[:, None]
    for row in range(rows):
        shown = after_sampler(
            logprobs[row].tolist(),
            float(reduced.logsumexp[row]),
            reduced.ids[row].tolist(),
            set(seen[row].tolist()),
            settings,
            float(drawn.logsumexps[row]),
            float(drawn.cutoffs[row]),
        )
        for logprob, token in zip(shown, reduced.ids[row].tolist(), strict=True):
            expected = float(right[row, token])
            if expected == -math.inf:
                assert logprob is None
            else:
                assert logprob == pytest.approx(expected, abs=1e-4)


def test_the_view_needs_no_torch() -> None:
    code = "import sys, engine.sampler_view; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Temperature 0

GREEDY = [
    SamplerSettings(temperature=0),
    SamplerSettings(temperature=0, top_k=5, top_p=0.5),
    SamplerSettings(temperature=0, repetition_penalty=1.4),
    SamplerSettings(temperature=0, repetition_penalty=0.6, top_p=0.9),
]


def penalized(settings: SamplerSettings, seen: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    return RepetitionPenaltyLogitsProcessor(settings.repetition_penalty)(seen, logits.clone())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("settings", GREEDY, ids=repr)
def test_temperature_0_takes_the_largest_penalized_logit(
    settings: SamplerSettings, size: int
) -> None:
    rows = torch.tensor([0, 1, 1, 2, 3, 4, 5, 6])
    logits = logits_of(7, size).round()  # Whole numbers, so that many are tied.
    seen = seen_of(len(rows), size)
    reduced = reduce_logits(logits, 20).rows(rows)
    right = penalized(settings, seen, logits[rows])
    keys = torch.tensor([key64(row) for row in range(len(rows))])
    drawn = Sampler(settings).draw(logits, rows, reduced, keys, 0, seen)
    largest = right.amax(1)
    lowest = [int((row == most).nonzero()[0]) for row, most in zip(right, largest, strict=True)]
    assert drawn.tokens.tolist() == lowest
    assert any(int((row == most).sum()) > 1 for row, most in zip(right, largest, strict=True))
    assert drawn.logprobs.tolist() == [0.0] * len(rows)
    assert torch.equal(drawn.logsumexps, largest)
    assert torch.equal(drawn.cutoffs, largest)


@pytest.mark.parametrize("settings", GREEDY, ids=repr)
def test_the_view_at_temperature_0_keeps_one_token(settings: SamplerSettings) -> None:
    rows, size = 9, 4000
    logits, seen = logits_of(rows, size), seen_of(rows, size)
    reduced = reduce_logits(logits, 30)
    keys = torch.tensor([key64(row) for row in range(rows)])
    drawn = Sampler(settings).draw(logits, torch.arange(rows), reduced, keys, 0, seen)
    logprobs = reduced.values - reduced.logsumexp[:, None]
    shown_somewhere = 0
    for row in range(rows):
        shown = after_sampler(
            logprobs[row].tolist(),
            float(reduced.logsumexp[row]),
            reduced.ids[row].tolist(),
            set(seen[row].tolist()),
            settings,
            float(drawn.logsumexps[row]),
            float(drawn.cutoffs[row]),
        )
        kept = {
            token: logprob
            for token, logprob in zip(reduced.ids[row].tolist(), shown, strict=True)
            if logprob is not None
        }
        taken = int(drawn.tokens[row])
        assert kept == ({taken: pytest.approx(0, abs=1e-4)} if taken in reduced.ids[row] else {})
        shown_somewhere += len(kept)
    assert shown_somewhere


@pytest.mark.slow
@pytest.mark.parametrize("penalty", [1.0, 0.8, 1.3])
def test_samples_at_temperature_0_are_greedy_decoding(penalty: float) -> None:
    """The same text as transformers' own greedy search with the same penalty."""
    from engine.probe import Prober
    from tests.tiny_models import tiny_loaded, tiny_model, tiny_prompts

    sampler = SamplerSettings(temperature=0, repetition_penalty=penalty)
    settings = ProbeSettings(samples=2, max_new_tokens=12, kept=8, sampler=sampler)
    loaded = tiny_loaded()
    prompts, model = tiny_prompts(), tiny_model()
    results = dict(Prober(loaded).probe(prompts, settings))
    penalty_mattered = False
    for index, prompt in enumerate(prompts):
        greedy, *samples = results[index].generations
        ids = torch.tensor([prompt.token_ids])
        written = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            repetition_penalty=penalty,
            max_new_tokens=settings.max_new_tokens,
            eos_token_id=loaded.info.stop_ids,
            pad_token_id=0,
        )[0, ids.shape[1] :].tolist()
        for sample in samples:
            assert sample.positions.token_ids == written
            assert sample.positions.sampler_logprobs == [0.0] * len(written)
            assert all(map(math.isfinite, sample.positions.sampler_logsumexps))
        penalty_mattered |= greedy.positions.token_ids != written
    assert penalty_mattered == (penalty != 1)


@pytest.mark.parametrize("size", [1, 20, 63, 64, 700, 5000, 150_001])
@pytest.mark.parametrize("levels", [3, 10**9])
def test_top_k_is_exact_with_ties_by_lower_id(size: int, levels: int) -> None:
    generator = np.random.default_rng(size)
    array = generator.integers(0, levels, (6, size)).astype(np.float32) - 1
    array[0] = -0.0 if levels == 3 else array[0]
    array[0, ::2] = 0.0 if levels == 3 else array[0, ::2]
    order = np.lexsort((np.broadcast_to(np.arange(size), array.shape), -array), axis=-1)
    for k in (1, 5, 20, 256):
        values, ids = top_k(torch.from_numpy(array), k)
        assert np.array_equal(ids.numpy(), order[:, :k])
        assert np.array_equal(values.numpy(), np.take_along_axis(array, order[:, :k], 1))


@pytest.mark.parametrize("size", SIZES)
def test_reduction_equals_a_float64_softmax(size: int) -> None:
    logits = logits_of(11, size)
    logits[3] *= 8
    logits[4, 1] = 60.0
    right = torch.log_softmax(logits.double(), -1)
    reduced = reduce_logits(logits, 20)
    logprobs = reduced.values - reduced.logsumexp[:, None]
    assert torch.allclose(logprobs.double(), right.gather(1, reduced.ids), atol=2e-5)
    entropy = -(right.exp() * right).sum(-1)
    assert torch.allclose(reduced.entropy.double(), entropy, atol=2e-5)
    unseen = right.exp().scatter(1, reduced.ids, 0).sum(-1)
    assert torch.allclose(reduced.unseen.double(), unseen, rtol=1e-4, atol=0)
    assert (reduced.unseen >= 0).all()
    best = logits.topk(2).values
    assert torch.equal(reduced.margin, best[:, 0] - best[:, 1])
    tokens = torch.arange(11) * (size // 12)
    rows = torch.arange(11)
    found = ranks(logits, rows, reduced, tokens)
    order = right.argsort(dim=-1, descending=True, stable=True)
    assert found.tolist() == [
        order[row].tolist().index(token) + 1 for row, token in enumerate(tokens.tolist())
    ]
    logprob, greedy = forced_logprobs(logits, tokens)
    assert torch.allclose(logprob.double(), right.gather(1, tokens[:, None]).squeeze(1), atol=2e-5)
    assert greedy.tolist() == [rank == 1 for rank in found.tolist()]


@pytest.mark.parametrize("kept", [1, 2, 20])
def test_the_margin_needs_no_second_kept_token(kept: int) -> None:
    logits = logits_of(5, 3000)
    logits[1, 7] = logits[1, 2000] = 50.0
    logits[2] = -math.inf
    logits[2, 4] = 1.0
    reduced = reduce_logits(logits, kept)
    assert reduced.ids.shape == reduced.values.shape == (5, kept)
    best = logits.sort(descending=True).values
    assert torch.equal(reduced.margin, best[:, 0] - best[:, 1])
    assert (float(reduced.margin[1]), float(reduced.margin[2])) == (0.0, math.inf)
    right = 1 - torch.softmax(logits.double(), -1).gather(1, reduced.ids).sum(1)
    assert torch.allclose(reduced.unseen.double(), right, atol=1e-6)
    again = reduced.rows(torch.tensor([3, 1, 1]))
    assert torch.equal(again.margin, reduced.margin[[3, 1, 1]])


def test_rank_of_a_tied_token_counts_lower_ids() -> None:
    logits = torch.zeros(1, 100)
    reduced = reduce_logits(logits, 4)
    rows, tokens = torch.zeros(3, dtype=torch.long), torch.tensor([2, 50, 99])
    assert ranks(logits, rows, reduced.rows(rows), tokens).tolist() == [3, 51, 100]
