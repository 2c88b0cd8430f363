from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
import torch

from engine import static_decode
from engine.kernel import Kernel, Keys, additive
from engine.model import LoadedModel
from engine.plans import SharedPlan
from engine.records import ProbeSettings, SamplerSettings
from engine.static_decode import StaticSession
from tests.test_probe import assert_exact, probe, same_choices, without_stops
from tests.tiny_models import FAMILIES, PLAIN, tiny_loaded, tiny_model, tiny_prompts

SETTINGS = ProbeSettings(
    samples=3, max_new_tokens=14, kept=8, sampler=SamplerSettings(temperature=0.9, top_p=0.95)
)


def fixed(loaded: LoadedModel) -> LoadedModel:
    """The same model with decode steps of fixed shapes, as on a GPU."""
    assert loaded.plans.shared is not None
    plan = SharedPlan(loaded.plans.shared._model, StaticSession)
    return replace(loaded, plans=replace(loaded.plans, shared=plan))


@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in PLAIN])
def test_fixed_shapes_equal_plain_forward_passes(monkeypatch, family: str) -> None:
    monkeypatch.setattr(static_decode, "_ROOM", 4)  # So that the room is doubled, twice.
    loaded = without_stops(fixed(tiny_loaded(family)))
    prompts = tiny_prompts()
    for prompt, result in zip(prompts, probe(loaded, prompts, SETTINGS), strict=True):
        assert_exact(tiny_model(family), prompt, result)


@pytest.mark.parametrize("family", ["llama", "mistral", "gpt2"])
def test_rows_are_dropped_once_half_have_ended(family: str) -> None:
    loaded = tiny_loaded(family)
    found = probe(loaded, tiny_prompts(), SETTINGS)
    first = [text.positions.token_ids[1] for result in found for text in result.generations]
    stops = sorted(set(first[: len(first) * 2 // 3]))
    info = loaded.info
    stopping = replace(loaded, info=msgspec.structs.replace(info, stop_ids=stops))
    plain = probe(stopping, tiny_prompts(), SETTINGS)
    sessions: list[StaticSession] = []
    select = StaticSession.select

    def spy(session: StaticSession, branches: torch.Tensor) -> None:
        sessions.append(session)
        select(session, branches)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StaticSession, "select", spy)
        kept = probe(fixed(stopping), tiny_prompts(), SETTINGS)
    assert sessions
    for one, two in zip(plain, kept, strict=True):
        assert same_choices(one, two)


def test_a_step_that_cannot_be_recorded_is_computed(monkeypatch) -> None:
    """On a machine without a GPU recording fails, which must cost nothing but the try."""
    loaded = fixed(tiny_loaded())
    model = loaded.plans.shared._model
    model.captures = True
    tries = []

    class Refuses:
        def __init__(self, compute) -> None:
            tries.append(compute)
            raise RuntimeError("CUDA graphs need a GPU")

    monkeypatch.setattr(static_decode, "_Recording", Refuses)
    recorded = probe(loaded, tiny_prompts(), SETTINGS)
    assert len(tries) == 1
    assert model.captures is False
    for one, two in zip(recorded, probe(tiny_loaded(), tiny_prompts(), SETTINGS), strict=True):
        assert same_choices(one, two)


def test_a_replayed_step_reads_what_the_buffers_hold_now(monkeypatch) -> None:
    """A recording is told nothing: it must find tokens, positions and masks in its buffers."""

    class Replays:
        def __init__(self, compute) -> None:
            self._compute = compute

        def __call__(self) -> torch.Tensor:
            return self._compute()

    monkeypatch.setattr(static_decode, "_Recording", Replays)
    for family in ("llama", "mistral", "gemma2", "gpt_oss"):
        loaded = without_stops(fixed(tiny_loaded(family)))
        loaded.plans.shared._model.captures = True
        for prompt, result in zip(
            tiny_prompts(), probe(loaded, tiny_prompts(), SETTINGS), strict=True
        ):
            assert_exact(tiny_model(family), prompt, result)


def test_a_step_moves_no_buffer(monkeypatch) -> None:
    """What a recording read and wrote must be where the next replay reads and writes."""
    loaded = without_stops(fixed(tiny_loaded("mistral")))
    seen: dict[int, set[tuple[int, ...]]] = {}
    step = StaticSession.step

    def spy(session: StaticSession, tokens: torch.Tensor) -> torch.Tensor:
        logits = step(session, tokens)
        now = session._step
        buffers = [now.positions, now._at, session._ids, *now._masks.values()]
        buffers += [states for tail in now._tails.values() for states in tail]
        seen.setdefault(id(now), set()).add(tuple(each.data_ptr() for each in buffers))
        return logits

    monkeypatch.setattr(StaticSession, "step", spy)
    probe(loaded, tiny_prompts(), SETTINGS)
    assert seen
    assert all(len(places) == 1 for places in seen.values())


@pytest.mark.parametrize("masked", ["no", "keys", "both", "causal"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_gpu_kernels_are_called_as_torch_declares_them(masked: str, dtype) -> None:
    """Shapes and dtypes only, on torch's device without data: there is no GPU here."""
    rows, heads, kv_heads, tokens, keys, size = 3, 6, 2, 5, 37, 64

    def states(*shape: int) -> torch.Tensor:
        return torch.empty(*shape, dtype=dtype, device="meta")

    shape = {"keys": (rows, 1, 1, keys), "both": (rows, 1, tokens, keys)}.get(masked)
    mask = None if shape is None else additive(torch.ones(shape, dtype=torch.bool), dtype)
    kv = Keys(states(rows, kv_heads, keys, size), states(rows, kv_heads, keys, size))
    query = states(rows, heads, tokens, size)
    if mask is not None:
        mask = mask.to("meta")
    part = Kernel(0.1)._attend_on_gpu(query, kv, mask, masked == "causal")
    assert part.output.shape == (rows, heads, tokens, size)
    assert part.output.dtype == dtype
    assert part.logsumexp.shape == (rows, heads, tokens)
