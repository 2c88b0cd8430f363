from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec
import pytest
import torch
from torch import Tensor

from engine.demo import EMBEDDED_MODEL, QUESTIONS
from engine.errors import ModelError, OutOfMemory
from engine.formats import load_format
from engine.model import LoadedModel, load_model
from engine.plans import Session, SharedPlan
from engine.probe import Prober
from engine.prompt import render
from engine.protocol import Load
from engine.questions import load_questions
from engine.records import Positions, ProbeResult, ProbeSettings, SamplerSettings
from engine.rendered import RenderedPrompt
from engine.selfcheck import Plans
from tests.tiny_models import (
    FAMILIES,
    PLAIN,
    made_up_ids,
    plain_logprobs,
    tiny_loaded,
    tiny_model,
    tiny_prompt,
    tiny_prompts,
)

CLOSE = 1e-4
CLOSE_ALONE = 2e-5
"""Random weights make larger logits, and larger rounding, than trained ones."""
SETTINGS = ProbeSettings(
    samples=3, max_new_tokens=12, kept=8, sampler=SamplerSettings(temperature=0.9, top_p=0.95)
)


def probe(
    loaded: LoadedModel,
    prompts: Sequence[RenderedPrompt],
    settings: ProbeSettings = SETTINGS,
    batch_size: int = 0,
) -> list[ProbeResult]:
    found = dict(Prober(loaded).probe(prompts, settings, batch_size=batch_size))
    assert sorted(found) == list(range(len(prompts)))
    return [found[index] for index in range(len(prompts))]


def without_stops(loaded: LoadedModel) -> LoadedModel:
    return replace(loaded, info=_with(loaded, stop_ids=[]))


def _with(loaded: LoadedModel, **changes: object):
    return msgspec.structs.replace(loaded.info, **changes)


def plain_only(loaded: LoadedModel) -> LoadedModel:
    return replace(loaded, plans=Plans(None, loaded.plans.plain, None, "asked for"))


def assert_exact(model, prompt: RenderedPrompt, result: ProbeResult, close: float = CLOSE) -> None:
    """Compare everything in a result with forward passes of an untouched model over whole texts."""
    first = plain_logprobs(model, prompt.token_ids)[-1]
    assert result.first.top_logprobs == pytest.approx(first.topk(8).values.tolist(), abs=close)
    assert result.first.top_ids == first.topk(8).indices.tolist()
    assert result.first.entropy == pytest.approx(float(-(first.exp() * first).sum()), abs=close)
    seen = sum(torch.exp(first[i]).item() for i in result.first.top_ids)
    assert result.first.unseen == pytest.approx(1 - seen, abs=1e-5)
    assert result.label_logprobs == pytest.approx(first[list(prompt.label_ids)].tolist(), abs=close)
    for spelling in result.spellings:
        assert spelling.logprob == pytest.approx(float(first[spelling.token_id]), abs=close)
    for asked, scored in zip(prompt.continuations, result.continuations, strict=True):
        assert (scored.label, scored.kind, scored.text) == (asked.label, asked.kind, asked.text)
        assert tuple(scored.token_ids) == asked.token_ids
        right = after(model, prompt, asked.token_ids)
        chosen = [float(row[token]) for row, token in zip(right, asked.token_ids, strict=True)]
        assert scored.logprobs == pytest.approx(chosen, abs=close)
        assert scored.total == pytest.approx(sum(chosen), abs=close)
        greedy = [int(row.argmax()) for row in right]
        assert scored.is_greedy == (greedy == list(asked.token_ids))
    for generation in result.generations:
        assert_positions(
            after(model, prompt, generation.positions.token_ids), generation.positions, close
        )
    if result.generations:
        assert result.generations[0].positions.ranks == [1] * len(result.generations[0].positions)


def assert_positions(right: Tensor, positions: Positions, close: float) -> None:
    for at, (row, token) in enumerate(zip(right, positions.token_ids, strict=True)):
        assert positions.logprobs[at] == pytest.approx(float(row[token]), abs=close)
        assert positions.entropies[at] == pytest.approx(float(-(row.exp() * row).sum()), abs=close)
        best = row.topk(8)
        assert positions.top_logprobs[at] == pytest.approx(best.values.tolist(), abs=close)
        if best.values.diff().abs().min() > 2 * close:
            assert positions.top_ids[at] == best.indices.tolist()
            near = int(((row - row[token]).abs() < 2 * close).sum())
            assert near > 1 or positions.ranks[at] == int((row > row[token]).sum()) + 1


def after(model, prompt: RenderedPrompt, ids: Sequence[int]) -> Tensor:
    """Logprobs before each of ``ids`` when they follow the prompt."""
    text = [*prompt.token_ids, *ids]
    return plain_logprobs(model, text)[len(prompt.token_ids) - 1 : -1]


def same_choices(a: ProbeResult, b: ProbeResult) -> bool:
    return [(g.positions.token_ids, g.text) for g in a.generations] == [
        (g.positions.token_ids, g.text) for g in b.generations
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_equals_plain_forward_passes(family: str) -> None:
    loaded = without_stops(tiny_loaded(family))
    assert loaded.info.plan == ("plain" if family in PLAIN else "shared")
    prompts = tiny_prompts()
    reference = tiny_model(family)
    close = 1e-3 if family == "qwen3_next" else CLOSE  # its recurrent step rounds otherwise
    for prompt, result in zip(prompts, probe(loaded, prompts), strict=True):
        assert_exact(reference, prompt, result, close)


@pytest.mark.parametrize("kept", [1, 2, 8])
@pytest.mark.parametrize("family", ["llama", "gemma2", "mamba"])
def test_margins_are_the_distance_of_the_two_likeliest_tokens(family: str, kept: int) -> None:
    """Of the raw logits, whatever the sampler made of them and however few are kept."""
    loaded = without_stops(tiny_loaded(family))
    prompts = tiny_prompts()[:2]
    results = probe(loaded, prompts, replace_settings(kept=kept))
    for prompt, result in zip(prompts, results, strict=True):
        for generation in result.generations:
            positions = generation.positions
            assert positions.margins is not None
            assert len(positions.top_ids[0]) == kept
            best = after(tiny_model(family), prompt, positions.token_ids).topk(2).values
            right = (best[:, 0] - best[:, 1]).tolist()
            assert positions.margins == pytest.approx(right, abs=2 * CLOSE)
            assert min(positions.margins) >= 0


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma2", "gemma3_text", "gpt2"])
def test_the_plain_plan_says_the_same(family: str) -> None:
    loaded = without_stops(tiny_loaded(family))
    prompts = tiny_prompts()
    plain = probe(plain_only(loaded), prompts)
    for prompt, one, other in zip(prompts, probe(loaded, prompts), plain, strict=True):
        assert_exact(tiny_model(family), prompt, other)
        assert same_choices(one, other)


def test_the_plain_plan_without_a_cache_says_the_same() -> None:
    from engine.plans import CausalModel, PlainPlan

    loaded = without_stops(tiny_loaded("mamba"))
    slow = PlainPlan(CausalModel(loaded.model), trust_cache=False)
    recomputed = replace(loaded, plans=Plans(None, slow, None, "asked for"))
    prompts = tiny_prompts()[:2]
    for one, other in zip(probe(loaded, prompts), probe(recomputed, prompts), strict=True):
        assert same_choices(one, other)


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2"])
@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_alone_and_in_any_batch_the_same(family: str, penalty: float) -> None:
    sampler = SamplerSettings(temperature=0.8, top_p=0.9, repetition_penalty=penalty)
    settings = ProbeSettings(samples=4, max_new_tokens=10, kept=8, sampler=sampler)
    loaded = tiny_loaded(family)
    prompts = tiny_prompts()
    together = probe(loaded, prompts, settings)
    loaded.plans.shared.prefixes.forget()
    alone = [probe(loaded, [prompt], settings)[0] for prompt in prompts]
    assert not loaded.plans.shared.prefixes.texts
    reverse = probe(loaded, prompts[::-1], settings, batch_size=2)[::-1]
    for other in (reverse, alone):
        for one, two in zip(together, other, strict=True):
            assert same_choices(one, two)
            assert one.label_logprobs == pytest.approx(two.label_logprobs, abs=CLOSE_ALONE)
            for a, b in zip(one.continuations, two.continuations, strict=True):
                assert a.logprobs == pytest.approx(b.logprobs, abs=CLOSE_ALONE)
            for g, h in zip(one.generations, two.generations, strict=True):
                assert g.positions.logprobs == pytest.approx(h.positions.logprobs, abs=CLOSE_ALONE)
                assert g.positions.sampler_logprobs == pytest.approx(
                    h.positions.sampler_logprobs, abs=1e-4
                )


@pytest.mark.slow
def test_the_embedded_model_says_the_same_alone_and_in_any_batch() -> None:
    loaded = load_model(Load(0, str(EMBEDDED_MODEL)))
    fmt = load_format("low")
    prompts = [
        render(question, question.id, 0, fmt, loaded.tokenizer)
        for question in load_questions(str(QUESTIONS[-1][1]))[:24]
    ]
    settings = ProbeSettings(samples=2, max_new_tokens=16)
    together = probe(loaded, prompts, settings)
    loaded.plans.forget()
    for prompt, one in zip(prompts, together, strict=True):
        two = probe(loaded, [prompt], settings)[0]
        assert same_choices(one, two)
        assert one.label_logprobs == pytest.approx(two.label_logprobs, abs=1e-5)
        for a, b in zip(one.continuations, two.continuations, strict=True):
            assert a.logprobs == pytest.approx(b.logprobs, abs=1e-5)
        for g, h in zip(one.generations, two.generations, strict=True):
            assert g.positions.logprobs == pytest.approx(h.positions.logprobs, abs=1e-5)


def test_a_known_prefix_is_used_again_and_changes_nothing() -> None:
    loaded = tiny_loaded()
    prompts = tiny_prompts()
    shared = loaded.plans.shared
    assert isinstance(shared, SharedPlan)
    cold = probe(loaded, prompts)
    assert [len(prefix) for prefix in shared.prefixes.texts] == [20]
    warm = probe(loaded, prompts[:1])
    assert [len(prefix) for prefix in shared.prefixes.texts] == [20]
    assert same_choices(cold[0], warm[0])
    assert_exact(tiny_model(), prompts[0], warm[0])


def test_samples_depend_on_seed_question_order_and_format_only() -> None:
    loaded = without_stops(tiny_loaded())
    ids = made_up_ids(15, 1)
    settings = ProbeSettings(samples=2, max_new_tokens=8, continuations=False)

    def samples(settings: ProbeSettings = settings, **name) -> list[list[int]]:
        (result,) = probe(loaded, [tiny_prompt(ids, **name)], settings)
        return [generation.positions.token_ids for generation in result.generations[1:]]

    first = samples()
    assert first == samples()
    assert first[0] != first[1]
    others = [samples(question_id="r"), samples(order=1), samples(fmt="high")]
    others.append(samples(ProbeSettings(samples=2, max_new_tokens=8, seed=1)))
    assert all(other != first for other in others)


def test_a_generation_ends_at_a_stop_token() -> None:
    loaded = tiny_loaded()
    prompts = tiny_prompts()
    settings = ProbeSettings(samples=6, max_new_tokens=20, kept=4)
    free = probe(without_stops(loaded), prompts, settings)
    tokens = [g.positions.token_ids for result in free for g in result.generations]
    counts = torch.bincount(torch.tensor([t for ids in tokens for t in ids]))
    stops = counts.topk(6).indices.tolist()
    stopped = probe(replace(loaded, info=_with(loaded, stop_ids=stops)), prompts, settings)
    endings = set()
    for one, two in zip(free, stopped, strict=True):
        for whole, cut in zip(one.generations, two.generations, strict=True):
            ids = whole.positions.token_ids
            end = next((at + 1 for at, token in enumerate(ids) if token in stops), len(ids))
            assert cut.positions.token_ids == ids[:end]
            assert len(cut.positions.top_ids) == len(cut.positions) == end
            reason = "stop" if any(token in stops for token in ids) else "length"
            assert cut.finish_reason == reason
            visible = ids[: end - 1] if reason == "stop" else ids[:end]
            assert cut.text == loaded.tokenizer.decode(visible)
            endings.add((reason, end))
    assert len(endings) > 5


def test_only_what_is_asked_for() -> None:
    loaded = tiny_loaded()
    prompts = tiny_prompts()[:2]
    (scored, _) = probe(loaded, prompts, ProbeSettings(generations=False))
    assert scored.generations == []
    assert len(scored.continuations) == 8
    (written, _) = probe(loaded, prompts, ProbeSettings(samples=0, continuations=False))
    assert written.continuations == []
    assert [(g.kind, g.index) for g in written.generations] == [("greedy", 0)]
    assert written.generations[0].positions.sampler_logprobs is None


def test_more_kept_than_there_are_tokens() -> None:
    loaded = tiny_loaded()
    (result,) = probe(loaded, tiny_prompts()[:1], ProbeSettings(samples=1, kept=1000))
    assert sorted(result.first.top_ids) == list(range(300))
    assert result.first.unseen == 0
    assert sum(torch.tensor(result.first.top_logprobs).exp().tolist()) == pytest.approx(1)


def test_progress_is_reported_as_it_happens() -> None:
    loaded = tiny_loaded()
    prompts = tiny_prompts()
    events: list[tuple[str, int]] = []
    firsts, steps = {}, {}

    def on_first(index, first, labels) -> None:
        firsts[index] = (first, labels)
        events.append(("first", index))

    def on_step(index, step, tokens) -> None:
        steps.setdefault(index, []).append(tokens)
        assert len(steps[index]) == step + 1
        events.append(("step", index))

    for index, result in Prober(loaded).probe(
        prompts, SETTINGS, on_first=on_first, on_step=on_step
    ):
        assert firsts[index] == (result.first, result.label_logprobs)
        for branch, generation in enumerate(result.generations):
            told = [tokens[branch] for tokens in steps[index]]
            ids = generation.positions.token_ids
            assert told == ids + [None] * (len(told) - len(ids))
        events.append(("result", index))
    assert [kind for kind, _ in events[:6]] == ["first"] * 5 + ["step"]


@pytest.mark.parametrize("family", ["llama", "mamba"])
def test_a_cancel_stops_before_the_next_forward_pass(family: str) -> None:
    loaded = without_stops(tiny_loaded(family))
    forwards = []
    hook = loaded.model.register_forward_hook(lambda *_: forwards.append(1))
    all_of_it = len(list(Prober(loaded).probe(tiny_prompts(), SETTINGS)))
    total = len(forwards)
    assert all_of_it == 5
    for allowed in (0, 1, 2, 3, total // 2, total - 2, total):
        forwards.clear()
        done = list(
            Prober(loaded).probe(
                tiny_prompts(), SETTINGS, cancelled=lambda limit=allowed: len(forwards) >= limit
            )
        )
        assert len(forwards) <= allowed
        assert len(done) < 5 or allowed >= total - 1
    hook.remove()


class Full:
    """A plan that runs out of memory where more than some prompts come at once."""

    prompts_at_once = None

    def __init__(self, plan: SharedPlan, room: int) -> None:
        self._plan, self._room = plan, room

    def prepare(self, prompts) -> None:
        self._plan.prepare(prompts)

    def prefill(self, prompts, *, keep=False, canonical=False) -> Session:
        if len(prompts) > self._room:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")
        return self._plan.prefill(prompts)


def test_too_large_a_batch_is_halved_and_said_so() -> None:
    loaded = tiny_loaded()
    cramped = replace(loaded, plans=replace(loaded.plans, shared=Full(loaded.plans.shared, 2)))
    notes: list[str] = []
    found = dict(Prober(cramped).probe(tiny_prompts(), SETTINGS, on_note=notes.append))
    assert sorted(found) == [0, 1, 2, 3, 4]
    assert notes == ["Memory ran out with 5 questions at once; going on with 2."]
    for one, two in zip(probe(loaded, tiny_prompts()), (found[i] for i in range(5)), strict=True):
        assert same_choices(one, two)


def test_not_even_one_prompt_fits() -> None:
    loaded = tiny_loaded()
    cramped = replace(loaded, plans=replace(loaded.plans, shared=Full(loaded.plans.shared, 0)))
    with pytest.raises(OutOfMemory, match="single question"):
        list(Prober(cramped).probe(tiny_prompts(), SETTINGS))


def test_other_errors_are_not_taken_for_memory() -> None:
    class Broken(Full):
        def prefill(self, prompts, *, keep=False, canonical=False) -> Session:
            raise RuntimeError("sizes must match")

    loaded = tiny_loaded()
    broken = replace(loaded, plans=replace(loaded.plans, shared=Broken(loaded.plans.shared, 9)))
    with pytest.raises(RuntimeError, match="sizes must match"):
        list(Prober(broken).probe(tiny_prompts(), SETTINGS))


def test_ties_go_to_the_lowest_id() -> None:
    model_of = tiny_loaded()
    with torch.no_grad():
        best = plain_logprobs(model_of.model, tiny_prompts()[0].token_ids)[-1].topk(3).indices
        head = model_of.model.lm_head.weight
        head[290] = head[best[0]]
        head[295] = head[best[0]]
        head[5] = head[best[2]]
    (result,) = probe(without_stops(model_of), tiny_prompts()[:1])
    tied = sorted([int(best[0]), 290, 295])
    assert result.first.top_ids[:3] == tied
    assert len(set(result.first.top_logprobs[:3])) == 1
    greedy = result.generations[0].positions
    assert greedy.token_ids[0] == tied[0]
    assert greedy.ranks[0] == 1


def test_logits_that_are_no_numbers_are_refused() -> None:
    loaded = tiny_loaded()
    with torch.no_grad():
        loaded.model.lm_head.weight[7] = float("nan")
    with pytest.raises(ModelError, match="not finite"):
        probe(loaded, tiny_prompts())


def test_a_masked_out_id_is_no_problem() -> None:
    """Some models give ids of theirs a logit of minus infinity."""
    loaded = tiny_loaded()

    def mask(module, args, output):
        output.logits[..., 200:] = float("-inf")
        return output

    loaded.model.register_forward_hook(mask)
    (result,) = probe(loaded, tiny_prompts()[:1], replace_settings(kept=220))
    assert result.first.top_logprobs[-1] == float("-inf")
    assert result.first.unseen == 0
    assert all(token < 200 for g in result.generations for token in g.positions.token_ids)


def replace_settings(**changes: object) -> ProbeSettings:
    return msgspec.structs.replace(SETTINGS, **changes)


def test_a_text_longer_than_the_learned_positions_is_refused() -> None:
    loaded = tiny_loaded("gpt2")
    long = tiny_prompt(made_up_ids(250, 3), question_id="long-one")
    with pytest.raises(ModelError, match=r"long-one .* needs 261 tokens, .* positions for 256"):
        list(Prober(loaded).probe([long], SETTINGS))
    fits = tiny_prompt(made_up_ids(244, 3))
    assert_exact(tiny_model("gpt2"), fits, probe(without_stops(loaded), [fits])[0])


def test_beyond_a_changing_rotary_scale_the_plain_plan_takes_over() -> None:
    loaded = without_stops(tiny_loaded())
    limited = replace(loaded, plans=replace(loaded.plans, limit=40))
    used: list[int] = []

    class Spy:
        prompts_at_once = 1

        def prepare(self, prompts) -> None:
            used.append(len(prompts[0]))

        def prefill(self, prompts, *, keep=False, canonical=False) -> Session:
            return loaded.plans.plain.prefill(prompts)

    spied = replace(limited, plans=replace(limited.plans, plain=Spy()))
    for one, two in zip(probe(loaded, tiny_prompts()), probe(spied, tiny_prompts()), strict=True):
        assert same_choices(one, two)
    lengths = [len(prompt.token_ids) for prompt in tiny_prompts()]
    assert sorted(used) == sorted(length for length in lengths if length + 11 > 40)
    assert 0 < len(used) < len(lengths)


def test_an_iterator_can_be_left_early() -> None:
    results: Iterator[tuple[int, ProbeResult]] = Prober(tiny_loaded()).probe(
        tiny_prompts(), SETTINGS, batch_size=1
    )
    next(results)
    results.close()
