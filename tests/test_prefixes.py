"""Keys that are kept: which are found again, which make room; going on from them is exact."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from engine import prefixes
from engine.kernel import Keys
from engine.model import LoadedModel
from engine.plans import SharedPlan
from engine.prefixes import WORTH_SHARING, PrefixCache, common, first_keys, joined
from engine.probe import Prober
from engine.records import ProbeSettings
from tests.test_extend import feeds
from tests.test_probe import assert_exact, without_stops
from tests.tiny_models import made_up_ids, tiny_loaded, tiny_model, tiny_prompt

LAYERS = 2
SETTINGS = ProbeSettings(samples=2, max_new_tokens=12, kept=8)
WINDOWED = ("mistral", "gemma2", "gemma3_text", "cohere2", "gpt_oss")


def keys_of(ids: Sequence[int]) -> prefixes.Layers:
    """Keys by which every token is known again; values are their negatives."""
    states = torch.tensor(ids, dtype=torch.float32)[None, None, :, None]
    return {layer: Keys(states + 1000 * layer, -states) for layer in range(LAYERS)}


def assert_keys(layers: prefixes.Layers, ids: Sequence[int]) -> None:
    assert sorted(layers) == list(range(LAYERS))
    for layer, right in keys_of(ids).items():
        assert torch.equal(layers[layer].keys, right.keys)
        assert torch.equal(layers[layer].values, right.values)


def kept(*texts: Sequence[int]) -> PrefixCache:
    cache = PrefixCache()
    for text in texts:
        cache.keep(text, keys_of(text))
    return cache


ONE = list(range(100, 140))
LIKE_ONE = [*ONE[:30], *range(200, 220)]
OTHER = list(range(300, 340))


def test_nothing_is_known_at_first() -> None:
    assert PrefixCache().longest(ONE) == ({}, 0)
    assert len(PrefixCache()) == 0


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        (ONE, 40),
        ([*ONE, 1, 2], 40),
        (ONE[:25], 25),
        ([*ONE[:35], 7, 8], 35),
        (LIKE_ONE, 50),
        ([*LIKE_ONE[:31], 9], 31),
        (OTHER[:WORTH_SHARING], WORTH_SHARING),
        (OTHER[: WORTH_SHARING - 1], 0),
        ([*OTHER[: WORTH_SHARING - 1], 1, 2, 3], 0),
        ([1, *ONE], 0),
    ],
)
def test_the_longest_known_beginning_is_found(asked: list[int], known: int) -> None:
    cache = kept(ONE, LIKE_ONE, OTHER)
    layers, length = cache.longest(asked)
    assert length == known
    if known:
        assert_keys(layers, asked[:known])
    else:
        assert layers == {}


def test_what_is_found_is_no_copy() -> None:
    layers = keys_of(ONE)
    cache = PrefixCache()
    cache.keep(ONE, layers)
    found, _ = cache.longest([*ONE[:20], 1])
    for layer, keys in found.items():
        for view, whole in zip(keys, layers[layer], strict=True):
            assert view.shape[2] == 20
            assert view.data_ptr() == whole.data_ptr()


def numbered(number: int) -> list[int]:
    """Texts that have nothing in common."""
    return list(range(1000 * number, 1000 * number + 20))


def test_the_text_used_longest_ago_makes_room_for_the_next() -> None:
    most = prefixes._MOST
    cache = kept(*map(numbered, range(most)))
    assert len(cache) == most
    assert cache.longest([*numbered(0), 5])[1] == 20
    cache.keep(numbered(most), keys_of(numbered(most)))
    assert len(cache) == most
    assert cache.longest(numbered(1)) == ({}, 0)
    for number in (0, *range(2, most + 1)):
        assert cache.longest(numbered(number))[1] == 20


def test_a_text_is_kept_once() -> None:
    cache = kept(ONE, OTHER, ONE)
    assert cache.texts == [tuple(OTHER), tuple(ONE)]
    cache.forget()
    assert (len(cache), cache.texts, cache.longest(ONE)) == (0, [], ({}, 0))


def test_kept_keys_leave_most_of_the_memory_free(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 20 * LAYERS * 2 * 4
    monkeypatch.setattr(prefixes, "free_memory", lambda device: 100 * size - len(cache) * size)
    cache = PrefixCache()
    for number in range(15):
        cache.keep(numbered(number), keys_of(numbered(number)))
    # An eighth of 100, whatever is free beside them.
    assert len(cache) == 12
    assert cache.texts[0] == tuple(numbered(3))


def test_the_newest_text_is_kept_however_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefixes, "free_memory", lambda device: 0)
    assert kept(ONE, OTHER).texts == [tuple(OTHER)]


def test_unknown_free_memory_costs_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefixes, "free_memory", lambda device: None)
    assert len(kept(*map(numbered, range(9)))) == 9


@pytest.mark.parametrize(
    ("texts", "spare", "length"),
    [
        ([[1, 2, 3], [1, 2, 4]], 0, 2),
        ([[1, 2, 3], [1, 2, 3]], 0, 3),
        ([[1, 2, 3], [1, 2, 3]], 1, 2),
        ([[1, 2], [1, 2, 3, 4]], 0, 2),
        ([[1, 2], [1, 2, 3, 4]], 1, 1),
        ([[5], [6]], 0, 0),
        ([[5]], 1, 0),
        ([[]], 1, 0),
        ([[], [1]], 0, 0),
        ([[1, 2, 9], [1, 3, 9], [1, 2, 8, 7]], 0, 1),
    ],
)
def test_the_common_beginning(texts: list[list[int]], spare: int, length: int) -> None:
    assert common(texts, spare) == length
    assert common(texts[::-1], spare) == length


def test_keys_are_cut_and_joined_in_order() -> None:
    beginning = first_keys(keys_of(ONE), 30)
    assert_keys(beginning, ONE[:30])
    assert_keys(joined(beginning, keys_of([1, 2])), [*ONE[:30], 1, 2])
    assert_keys(joined({}, keys_of(ONE)), ONE)


# With models


def ask(loaded: LoadedModel, ids: Sequence[int], family: str) -> list[int]:
    """Probe one prompt, keep its keys, compare all of it with plain forward passes.

    Returns:
        Tokens fed to the model in each forward pass.
    """
    prompt = tiny_prompt(ids, question_id=str(hash(tuple(ids))))
    with feeds(loaded) as fed:
        ((_, result),) = Prober(loaded).probe([prompt], SETTINGS, keep=True)
    assert_exact(tiny_model(family), prompt, result)
    return fed


@pytest.mark.parametrize("family", ["llama", "gpt2", *WINDOWED])
def test_an_edited_prompt_is_exact_and_feeds_what_changed(family: str) -> None:
    """Prompts that share more than, as much as and less than a sliding window with each other."""
    loaded = without_stops(tiny_loaded(family))
    ids = made_up_ids(60, 1)
    assert ask(loaded, ids, family)[0] == 60
    assert ask(loaded, (*ids[:40], *made_up_ids(10, 2)), family)[0] == 10
    assert ask(loaded, (*ids[:57], *made_up_ids(7, 3)), family)[0] == 7
    assert ask(loaded, (*ids, *made_up_ids(25, 4)), family)[0] == 25
    assert ask(loaded, ids[:30], family)[0] == 1
    assert ask(loaded, ids, family)[0] == 1
    assert ask(loaded, (*ids[:10], *made_up_ids(30, 5)), family)[0] == 40


@pytest.mark.parametrize("family", ["llama", *WINDOWED])
def test_prefixes_of_prefixes_of_prefixes_stay_exact(family: str) -> None:
    loaded = without_stops(tiny_loaded(family))
    ids: tuple[int, ...] = made_up_ids(20, 1)
    ask(loaded, ids, family)
    for round_ in range(4):
        ids = (*ids[:-2], *made_up_ids(6, 10 + round_))
        assert ask(loaded, ids, family)[0] == 6


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_a_batch_goes_on_from_a_prompt_that_was_kept(family: str) -> None:
    """Prompts after a live question have their common beginning already."""
    loaded = without_stops(tiny_loaded(family))
    start = made_up_ids(40, 1)
    ask(loaded, (*start, *made_up_ids(8, 2)), family)
    prompts = [
        tiny_prompt((*start, *made_up_ids(length, length)), question_id=f"q{length}")
        for length in (5, 11)
    ]
    with feeds(loaded) as fed:
        results = dict(Prober(loaded).probe(prompts, SETTINGS))
    assert fed[0] == 5 + 11
    for at, prompt in enumerate(prompts):
        assert_exact(tiny_model(family), prompt, results[at])


def test_nothing_but_a_prompt_alone_is_kept() -> None:
    loaded = tiny_loaded()
    shared = loaded.plans.shared
    assert isinstance(shared, SharedPlan)
    prompts = [tiny_prompt(made_up_ids(20, seed), question_id=f"q{seed}") for seed in (1, 2)]
    list(Prober(loaded).probe(prompts, SETTINGS, keep=True))
    list(Prober(loaded).probe(prompts[:1], SETTINGS))
    assert shared.prefixes.texts == []
    list(Prober(loaded).probe(prompts[:1], SETTINGS, keep=True))
    assert shared.prefixes.texts == [prompts[0].token_ids]
    loaded.plans.forget()
    assert shared.prefixes.texts == []


def test_the_plain_plan_keeps_nothing_and_says_the_same() -> None:
    loaded = without_stops(tiny_loaded("mamba"))
    ids = made_up_ids(30, 1)
    assert ask(loaded, ids, "mamba")[0] == 30
    assert ask(loaded, ids, "mamba")[0] == 30
