"""More of a prompt that was probed: samples are those of a larger probe, branches are exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from engine.errors import ModelError, OutOfMemory
from engine.extend import branch, draw_samples
from engine.model import LoadedModel
from engine.plans import Session
from engine.probe import Prober
from engine.records import Generation, Positions, ProbeSettings, SamplerSettings
from engine.rendered import RenderedPrompt
from tests.test_probe import CLOSE, Full, after, assert_positions, without_stops
from tests.tiny_models import PLAIN, made_up_ids, tiny_loaded, tiny_model, tiny_prompt

FAMILIES = ("llama", "mistral", "gemma3_text", "gpt2", "mamba")
"""Full and sliding attention, learned positions, and a model that the plain plan serves."""

SETTINGS = ProbeSettings(samples=8, max_new_tokens=12, kept=8)
PROMPT = tiny_prompt(made_up_ids(30, 1))


@contextmanager
def feeds(loaded: LoadedModel) -> Iterator[list[int]]:
    """Tokens fed to a model in each forward pass."""
    fed: list[int] = []
    hook = loaded.model.register_forward_pre_hook(
        lambda module, args, kwargs: fed.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    try:
        yield fed
    finally:
        hook.remove()


def stopping_at(loaded: LoadedModel, *ids: int) -> LoadedModel:
    return replace(loaded, info=msgspec.structs.replace(loaded.info, stop_ids=list(ids)))


def ask(
    loaded: LoadedModel, settings: ProbeSettings = SETTINGS, prompt: RenderedPrompt = PROMPT
) -> list[Generation]:
    """The texts of a probe whose prompt is kept."""
    ((_, result),) = Prober(loaded).probe([prompt], settings, keep=True)
    return result.generations


def branched(
    loaded: LoadedModel, beginning: Sequence[int], settings: ProbeSettings = SETTINGS
) -> Generation:
    text = branch(loaded, PROMPT, settings, beginning)
    assert text is not None
    return text


def alternative(text: Generation, position: int, rank: int = 3) -> list[int]:
    """A beginning that leaves a text at a position, for the token of a rank there."""
    written, nearly = text.positions.token_ids, text.positions.top_ids[position]
    return [*written[:position], next(i for i in nearly[rank - 1 :] if i != written[position])]


def assert_branch(family: str, text: Generation, beginning: Sequence[int], fork_rank: int) -> None:
    """Compare every position with forward passes of an untouched model over the whole text."""
    positions = text.positions
    assert positions.token_ids[: len(beginning)] == list(beginning)
    right = after(tiny_model(family), PROMPT, positions.token_ids)
    assert_positions(right, positions, CLOSE)
    best = right.topk(2).values
    assert positions.margins == pytest.approx((best[:, 0] - best[:, 1]).tolist(), abs=2 * CLOSE)
    assert positions.ranks[len(beginning) - 1] == fork_rank
    assert set(positions.ranks[len(beginning) :]) <= {1}
    assert positions.sampler_logprobs is None


def assert_same_nuclei(one: Positions, other: Positions) -> None:
    """Compare what samples were drawn from, position by position.

    A batch of another size moves logits by float32's last digits. Where the mass up to a token is
    top_p to within these, one nucleus ends with the token and the other before it; then the wider
    one must be the other and just the token at its cut.
    """
    if one.sampler_logprobs is None or other.sampler_logprobs is None:
        assert one.sampler_logprobs is other.sampler_logprobs
        return
    assert one.sampler_logsumexps is not None
    assert other.sampler_logsumexps is not None
    assert one.sampler_cutoffs is not None
    assert other.sampler_cutoffs is not None
    for nuclei in zip(
        zip(one.sampler_logprobs, one.sampler_logsumexps, one.sampler_cutoffs, strict=True),
        zip(other.sampler_logprobs, other.sampler_logsumexps, other.sampler_cutoffs, strict=True),
        strict=True,
    ):
        (drawn, total, cut), (other_drawn, other_total, other_cut) = sorted(nuclei, reverse=True)
        assert drawn + total == pytest.approx(other_drawn + other_total, abs=CLOSE)
        if other_total != pytest.approx(total, abs=CLOSE):
            assert other_cut < cut
            assert np.logaddexp(total, other_cut) == pytest.approx(other_total, abs=CLOSE)


# Samples


@pytest.mark.parametrize("penalty", [1.0, 1.3])
@pytest.mark.parametrize("family", FAMILIES)
def test_further_samples_are_those_of_a_larger_probe(family: str, penalty: float) -> None:
    sampler = SamplerSettings(temperature=0.9, top_p=0.95, repetition_penalty=penalty)
    settings = msgspec.structs.replace(SETTINGS, sampler=sampler, seed=3)
    loaded = stopping_at(tiny_loaded(family), *range(2, 30))
    assert loaded.info.plan == ("plain" if family in PLAIN else "shared")
    whole = ask(loaded, msgspec.structs.replace(settings, samples=16))
    loaded.plans.forget()
    few = ask(loaded, settings)
    more = draw_samples(loaded, PROMPT, settings, range(9, 17))
    assert [text.index for text in more] == list(range(9, 17))
    assert len({text.finish_reason for text in whole[9:]}) == 2
    for one, other in zip(whole, [*few, *more], strict=True):
        assert (one.kind, one.index, one.text, one.finish_reason) == (
            (other.kind, other.index, other.text, other.finish_reason)
        )
        assert one.positions.token_ids == other.positions.token_ids
        assert one.positions.ranks == other.positions.ranks
        for column in ("logprobs", "entropies", "margins"):
            expected = getattr(one.positions, column)
            assert getattr(other.positions, column) == pytest.approx(expected, abs=CLOSE)
        assert_same_nuclei(one.positions, other.positions)


def test_any_samples_may_be_drawn_in_any_company() -> None:
    loaded = tiny_loaded()
    whole = ask(loaded)
    for numbers in ([3], [2, 5, 8], range(1, 9)):
        drawn = draw_samples(loaded, PROMPT, SETTINGS, numbers)
        assert [text.index for text in drawn] == list(numbers)
        for text in drawn:
            assert text.positions.token_ids == whole[text.index].positions.token_ids


def test_no_sample_prefills_again() -> None:
    loaded = without_stops(tiny_loaded())
    ask(loaded)
    with feeds(loaded) as fed:
        draw_samples(loaded, PROMPT, SETTINGS, range(9, 17))
        draw_samples(loaded, PROMPT, SETTINGS, range(17, 19))
    steps = SETTINGS.max_new_tokens
    assert len(fed) == 2 * steps
    assert (fed[0], fed[steps]) == (1, 1)
    assert max(fed[:steps]) <= 8
    assert max(fed[steps:]) <= 2


def test_a_prompt_that_nobody_kept_is_computed_once() -> None:
    loaded = tiny_loaded()
    with feeds(loaded) as fed:
        draw_samples(loaded, PROMPT, SETTINGS, [1])
        first = len(fed)
        draw_samples(loaded, PROMPT, SETTINGS, [2])
    assert (fed[0], fed[first]) == (30, 1)


def test_every_token_is_told() -> None:
    loaded = stopping_at(tiny_loaded(), *range(2, 30))
    told: list[list[int | None]] = []

    def on_step(step: int, tokens: list[int | None]) -> None:
        assert step == len(told)
        told.append(tokens)

    drawn = draw_samples(loaded, PROMPT, SETTINGS, range(1, 9), on_step=on_step)
    assert len({len(text.positions) for text in drawn}) > 1
    for row, text in enumerate(drawn):
        written = [tokens[row] for tokens in told]
        ids = text.positions.token_ids
        assert written == ids + [None] * (len(told) - len(ids))


# Branches


@pytest.mark.parametrize("sample", [0, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_branch_equals_plain_forward_passes(family: str, sample: int) -> None:
    loaded = without_stops(tiny_loaded(family))
    parent = ask(loaded)[sample]
    for position in (0, 1, 5, len(parent.positions) - 1):
        beginning = alternative(parent, position)
        text = branched(loaded, beginning)
        rank = parent.positions.top_ids[position].index(beginning[-1]) + 1
        assert_branch(family, text, beginning, rank)
        assert (text.kind, text.finish_reason) == ("branch", "length")
        assert len(text.positions) == position + 1 + SETTINGS.max_new_tokens
        assert text.text == loaded.tokenizer.decode(text.positions.token_ids)
        before = slice(0, position)
        for column in ("ranks", "top_ids"):
            same = getattr(parent.positions, column)[before]
            assert getattr(text.positions, column)[before] == same


def test_a_token_of_any_rank_may_be_taken() -> None:
    loaded = without_stops(tiny_loaded())
    greedy = ask(loaded)[0].positions
    right = after(tiny_model(), PROMPT, greedy.token_ids)[3]
    order = right.argsort(descending=True).tolist()
    for rank in (2, 9, 150, 300):
        beginning = [*greedy.token_ids[:3], order[rank - 1]]
        assert_branch("llama", branched(loaded, beginning), beginning, rank)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_branch_of_a_branch_is_exact(family: str) -> None:
    loaded = without_stops(tiny_loaded(family))
    text = ask(loaded)[0]
    for position in (4, 7, 2):
        beginning = alternative(text, position)
        rank = text.positions.top_ids[position].index(beginning[-1]) + 1
        text = branched(loaded, beginning)
        assert_branch(family, text, beginning, rank)


def test_a_branch_feeds_what_is_new() -> None:
    loaded = without_stops(tiny_loaded())
    greedy = ask(loaded)[0]
    steps = [1] * (SETTINGS.max_new_tokens - 1)
    beginning = alternative(greedy, 4)
    with feeds(loaded) as fed:
        first = branched(loaded, beginning)
    # The prompt's last token, the beginning's logits, the beginning's keys, the steps.
    assert fed == [1, 4, 5, *steps]
    with feeds(loaded) as fed:
        branched(loaded, alternative(first, 8))
    assert fed == [1, 8, 9 - 5, *steps]


def test_a_branch_from_the_first_token_needs_no_logits_but_the_prompts() -> None:
    loaded = without_stops(tiny_loaded())
    greedy = ask(loaded)[0]
    with feeds(loaded) as fed:
        branched(loaded, alternative(greedy, 0))
    assert fed[:2] == [1, 1]


@pytest.mark.parametrize("family", ["llama", "mamba"])
def test_an_alternative_that_ends_the_text_ends_it(family: str) -> None:
    loaded = without_stops(tiny_loaded(family))
    greedy = ask(loaded)[0]
    beginning = alternative(greedy, 5)
    told: list[list[int | None]] = []
    text = branch(
        stopping_at(loaded, beginning[-1]),
        PROMPT,
        SETTINGS,
        beginning,
        on_step=lambda step, tokens: told.append(tokens),
    )
    assert text is not None
    assert text.finish_reason == "stop"
    assert text.positions.token_ids == beginning
    assert text.text == loaded.tokenizer.decode(beginning[:-1])
    assert told == []
    rank = greedy.positions.top_ids[5].index(beginning[-1]) + 1
    assert_branch(family, text, beginning, rank)


def test_a_branch_ends_at_a_stop_token() -> None:
    loaded = without_stops(tiny_loaded())
    greedy = ask(loaded)[0]
    free = branched(loaded, alternative(greedy, 2)).positions.token_ids
    end = next(at for at in range(5, len(free)) if free[at] not in free[:at])
    text = branched(stopping_at(loaded, free[end]), free[:3])
    assert text.positions.token_ids == free[: end + 1]
    assert text.finish_reason == "stop"
    assert text.text == loaded.tokenizer.decode(free[:end])


def test_every_token_of_a_branch_is_told_from_the_fork_on() -> None:
    loaded = without_stops(tiny_loaded())
    beginning = alternative(ask(loaded)[0], 3)
    told: list[tuple[int, list[int | None]]] = []
    text = branch(
        loaded, PROMPT, SETTINGS, beginning, on_step=lambda step, new: told.append((step, new))
    )
    assert text is not None
    ids = text.positions.token_ids
    assert told == [(step, [ids[step]]) for step in range(len(beginning), len(ids))]


def test_a_prompt_too_short_to_be_kept_can_be_extended_too() -> None:
    loaded = without_stops(tiny_loaded())
    prompt = tiny_prompt(made_up_ids(5, 1))
    whole = ask(loaded, prompt=prompt)
    again = draw_samples(loaded, prompt, SETTINGS, [7])
    assert again[0].positions.token_ids == whole[7].positions.token_ids
    text = branch(loaded, prompt, SETTINGS, alternative(whole[0], 1))
    assert text is not None
    right = after(tiny_model(), prompt, text.positions.token_ids)
    assert_positions(right, text.positions, CLOSE)


# Stopping and failing


@pytest.mark.parametrize("family", ["llama", "mamba"])
@pytest.mark.parametrize("allowed", range(6))
def test_what_is_cancelled_returns_nothing(family: str, allowed: int) -> None:
    """After any number of forward passes, and without one more."""
    loaded = without_stops(tiny_loaded(family))
    beginning = alternative(ask(loaded)[0], 4)
    with feeds(loaded) as fed:
        drawn = draw_samples(loaded, PROMPT, SETTINGS, [1], cancelled=lambda: len(fed) >= allowed)
    assert (drawn, len(fed)) == ([], allowed)
    with feeds(loaded) as fed_too:
        text = branch(
            loaded, PROMPT, SETTINGS, beginning, cancelled=lambda: len(fed_too) >= allowed
        )
    assert (text, len(fed_too)) == (None, allowed)
    assert draw_samples(loaded, PROMPT, SETTINGS, [1])


def test_too_little_memory_is_said() -> None:
    loaded = tiny_loaded()
    cramped = replace(loaded, plans=replace(loaded.plans, shared=Full(loaded.plans.shared, 0)))
    with pytest.raises(OutOfMemory, match="Memory ran out"):
        draw_samples(cramped, PROMPT, SETTINGS, [1])
    with pytest.raises(OutOfMemory, match="Memory ran out"):
        branch(cramped, PROMPT, SETTINGS, [70])


def test_other_errors_are_not_taken_for_memory() -> None:
    class Broken(Full):
        def prefill(self, prompts, *, keep=False, canonical=False) -> Session:
            raise RuntimeError("sizes must match")

    loaded = tiny_loaded()
    broken = replace(loaded, plans=replace(loaded.plans, shared=Broken(loaded.plans.shared, 9)))
    with pytest.raises(RuntimeError, match="sizes must match"):
        draw_samples(broken, PROMPT, SETTINGS, [1])


def test_a_branch_longer_than_the_learned_positions_is_refused() -> None:
    loaded = without_stops(tiny_loaded("gpt2"))
    prompt = tiny_prompt(made_up_ids(240, 3))
    assert ask(loaded, prompt=prompt)
    with pytest.raises(ModelError, match="positions for 256"):
        branch(loaded, prompt, SETTINGS, made_up_ids(6, 4))
    assert branch(loaded, prompt, SETTINGS, made_up_ids(5, 4)) is not None
