"""The known ways to measure something else than intended, each with the tests that would notice.

``PITFALLS`` maps the number of a pitfall to every test that holds the right behaviour; those that
no other file has are here. Left out is what is about judges, which do not exist here (39).
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GenerationConfig,
    RepetitionPenaltyLogitsProcessor,
)

from engine.answers import read_answer
from engine.errors import LogitscopeError
from engine.formats import PromptFormat
from engine.model import LoadedModel, describe
from engine.plans import CausalModel, SharedPlan
from engine.probe import Prober
from engine.prompt import render, render_text
from engine.questions import Option, Question
from engine.readings import Reading, read_probe
from engine.records import (
    Distribution,
    FinishReason,
    Generation,
    GenerationKind,
    Positions,
    ProbeResult,
    ProbeSettings,
    SamplerSettings,
)
from engine.reduce import forced_logprobs, reduce_logits
from engine.rendered import RenderedPrompt
from engine.runs import check_same_model
from engine.sampling import Sampler, key64
from engine.store import open_store
from tests.sample_store import MODEL
from tests.tiny_models import (
    BOS,
    EOS,
    FAMILIES,
    made_up_ids,
    plain_logprobs,
    tiny_loaded,
    tiny_model,
    tiny_prompt,
    tiny_prompts,
    tiny_tokenizer,
)
from tests.tiny_tokenizers import CHATML, byte_level, llama_like, metaspace

REPO = Path(__file__).resolve().parents[1]
CLOSE = 1e-4

PITFALLS: dict[int, tuple[str, ...]] = {
    1: (
        "tests/test_flags.py::test_flag",
        "tests/test_pitfalls.py::test_both_variants_of_a_letter_are_scored_apart",
        "tests/test_prompt.py::test_label_after_raw_text_carries_its_space_and_after_a_template_none",
        "tests/test_prompt.py::test_continuations_are_those_of_the_whole_text",
        "tests/test_lm_eval.py::test_the_probe_says_what_the_harness_said",
    ),
    2: (
        "tests/test_pitfalls.py::test_an_answer_is_never_tokenised_alone",
        "tests/test_pitfalls.py::test_alone_an_answer_would_be_other_tokens",
        "tests/test_prompt.py::test_label_after_raw_sentencepiece_text_is_one_spaced_token",
        "tests/test_prompt.py::test_continuations_are_those_of_the_whole_text",
    ),
    3: (
        "tests/test_prompt.py::test_trailing_space_moves_to_the_answer",
        "tests/test_prompt.py::test_trailing_space_stays_under_a_delimiter_of_its_own",
        "tests/test_pitfalls.py::test_a_trailing_space_changes_no_number",
    ),
    4: (
        "tests/test_prompt.py::test_label_after_raw_text_carries_its_space_and_after_a_template_none",
        "tests/test_pitfalls.py::test_the_letter_after_a_template_is_bare",
    ),
    5: ("tests/test_pitfalls.py::test_half_precision_logits_are_reduced_in_float32",),
    6: (
        "tests/test_pitfalls.py::test_huge_logits_do_not_overflow",
        "tests/test_readings.py::test_first_token_survives_probabilities_that_underflow",
    ),
    7: (
        "tests/test_pitfalls.py::test_there_is_exactly_one_begin_token",
        "tests/test_prompt.py::test_begin_token_comes_once_before_raw_text",
        "tests/test_prompt.py::test_two_begin_tokens_and_none_are_told",
    ),
    8: (
        "tests/test_pitfalls.py::test_there_is_exactly_one_begin_token",
        "tests/test_prompt.py::test_begin_token_comes_once_before_raw_text",
        "tests/test_prompt.py::test_two_begin_tokens_and_none_are_told",
        "tests/test_prompt.py::test_an_over_long_prompt_without_shots_is_cut_from_the_left",
    ),
    9: (
        "tests/test_pitfalls.py::test_a_first_token_that_is_no_letter_is_recorded_as_it_is",
        "tests/test_readings.py::test_vocab_argmax_that_is_no_label_is_unparsed_and_shows_the_token",
        "tests/test_readings_tokens.py::test_first_nonblank_looks_behind_blanks",
        "tests/test_readings_tokens.py::test_the_answer_is_found_at_its_token",
        "tests/test_flags.py::test_flag",
    ),
    10: (
        "tests/test_pitfalls.py::test_a_first_token_that_is_no_letter_is_recorded_as_it_is",
        "tests/test_readings_tokens.py::test_first_nonblank_looks_behind_blanks",
        "tests/test_readings.py::test_vocab_argmax_ignores_blanks",
    ),
    11: (
        "tests/test_pitfalls.py::test_no_letter_is_read_from_thinking",
        "tests/test_pitfalls.py::test_thinking_that_the_prompt_opens_is_thinking",
        "tests/test_prompt.py::test_thinking_is_switched_off",
        "tests/test_answers.py::test_an_open_think_block_is_truncated_whatever_it_says",
        "tests/test_answers.py::test_only_what_follows_the_last_end_tag_is_read",
    ),
    12: (
        "tests/test_pitfalls.py::test_a_label_of_several_tokens_is_scored_whole",
        "tests/test_prompt.py::test_labels_that_begin_with_one_token_are_told",
        "tests/test_lm_eval.py::test_the_probe_says_what_the_harness_said",
    ),
    13: (
        "tests/test_pitfalls.py::test_option_texts_that_hold_other_labels_are_texts",
        "tests/test_answers.py::test_the_longest_text_wins",
        "tests/test_questions.py::test_thirty_options_name_the_limit",
    ),
    14: (
        "tests/test_pitfalls.py::test_lengths_in_a_batch_never_matter",
        "tests/test_probe.py::test_every_family_equals_plain_forward_passes",
        "tests/test_probe.py::test_alone_and_in_any_batch_the_same",
        "tests/test_lm_eval.py::test_the_probe_says_what_the_harness_said",
    ),
    15: (
        "tests/test_pitfalls.py::test_bfloat16_texts_part_at_near_ties_only",
        "tests/test_probe.py::test_alone_and_in_any_batch_the_same",
        "tests/test_readings.py::test_first_token_is_the_restricted_argmax",
        "tests/test_flags.py::test_flag",
        "tests/test_model.py::test_loads_in_the_dtype_asked_for",
    ),
    16: (
        "tests/test_pitfalls.py::test_a_pad_id_inside_a_prompt_is_a_token_like_any_other",
        "tests/test_pitfalls.py::test_a_real_end_token_is_kept_although_it_pads",
        "tests/test_probe.py::test_a_generation_ends_at_a_stop_token",
    ),
    17: ("tests/test_pitfalls.py::test_pure_sampling_cuts_nothing",),
    18: (
        "tests/test_pitfalls.py::test_the_generation_config_changes_no_number",
        "tests/test_pitfalls.py::test_every_configured_end_token_ends_a_generation",
        "tests/test_model.py::test_the_models_own_generation_config_is_told_and_not_applied",
    ),
    19: (
        "tests/test_pitfalls.py::test_probabilities_are_raw_and_the_samplers_stand_apart",
        "tests/test_sampling.py::test_the_view_after_the_sampler_agrees",
    ),
    20: (
        "tests/test_runs.py::test_a_repetition_penalty_comes_with_a_warning",
        "tests/test_pitfalls.py::test_a_repetition_penalty_counts_the_prompt",
        "tests/test_sampling.py::test_the_distribution_drawn_from_is_that_of_transformers",
    ),
    21: (
        "tests/test_pitfalls.py::test_an_id_that_no_tokenizer_knows_is_kept",
        "tests/test_model.py::test_byte_level_pieces_become_their_bytes",
    ),
    22: (
        "tests/test_pitfalls.py::test_half_a_character_is_a_token",
        "tests/test_pitfalls.py::test_special_tokens_stay_visible_and_nothing_is_cleaned_up",
        "tests/test_model.py::test_byte_level_pieces_become_their_bytes",
        "tests/test_model.py::test_sentencepiece_pieces_become_their_bytes",
    ),
    23: (
        "tests/test_readings.py::test_continuation_sums_the_token_logprobs",
        "tests/test_readings_tokens.py::test_each_normalisation_may_choose_another_option",
        "tests/test_readings_tokens.py::test_bytes_are_not_characters",
    ),
    24: (
        "tests/test_readings.py::test_first_token_of_equals_is_the_first_option_and_says_so",
        "tests/test_probe.py::test_ties_go_to_the_lowest_id",
        "tests/test_flags.py::test_flag",
    ),
    25: (
        "tests/test_readings_tokens.py::test_the_article_a_is_never_taken_from_a_label",
        "tests/test_readings_tokens.py::test_matches_want_the_whole_first_line",
    ),
    26: (
        "tests/test_readings_tokens.py::test_options_with_one_text_are_several",
        "tests/test_answers.py::test_a_text_that_two_options_share_is_not_told_apart",
    ),
    27: ("tests/test_questions.py::test_csv_texts_survive",),
    28: ("tests/test_prompt.py::test_an_over_long_prompt_without_shots_is_cut_from_the_left",),
    29: ("tests/test_protocols.py::test_accuracy_agrees_with_a_count_without_sql",),
    30: ("tests/test_answers.py::test_a_hedged_option_is_an_option",),
    31: ("tests/test_answers.py::test_written_reply",),
    32: (
        "tests/test_answers.py::test_the_longest_text_wins",
        "tests/test_answers.py::test_a_text_that_two_options_share_is_not_told_apart",
    ),
    33: ("tests/test_statistics.py::test_certainty_is_lost_as_published_and_counted_as_corrected",),
    34: (
        "tests/test_pitfalls.py::test_another_quantization_never_goes_on_with_a_run",
        "tests/test_runs.py::test_the_fingerprint_is_about_what_is_stored",
    ),
    35: ("tests/test_prompt.py::test_text_that_the_template_adds_is_told",),
    36: ("tests/test_prompt.py::test_system_text_is_folded_where_the_template_rejects_it",),
    37: (
        "tests/test_runs.py::test_a_plan_that_cannot_work_is_refused",
        "tests/test_pitfalls.py::test_greedy_knows_no_temperature",
    ),
    38: (
        "tests/test_pitfalls.py::test_a_sample_does_not_depend_on_how_many_there_are",
        "tests/test_probe.py::test_alone_and_in_any_batch_the_same",
        "tests/test_probe.py::test_samples_depend_on_seed_question_order_and_format_only",
        "tests/test_sampling.py::test_a_draw_depends_on_its_own_row_alone",
    ),
    40: (
        "tests/test_pitfalls.py::test_a_text_that_was_cut_is_truncated_and_not_unparsed",
        "tests/test_answers.py::test_a_reply_that_the_token_limit_cut",
        "tests/test_probe.py::test_a_generation_ends_at_a_stop_token",
    ),
}


def test_every_pitfall_has_its_tests() -> None:
    assert set(PITFALLS) == {*range(1, 41)} - {39}
    for file in {node.partition("::")[0] for nodes in PITFALLS.values() for node in nodes}:
        tree = ast.parse((REPO / file).read_text(encoding="utf-8"))
        there = {item.name for item in tree.body if isinstance(item, ast.FunctionDef)}
        named = {
            node.partition("::")[2]
            for nodes in PITFALLS.values()
            for node in nodes
            if node.startswith(file)
        }
        assert named <= there, (file, named - there)
        assert all(name.startswith("test_") for name in named)


# --- what the tests ask with ---

QUESTION = Question(
    "What is the capital of France?",
    tuple(map(Option, "ABCD", ("Paris", "London", "Rome", "Berlin"))),
    gold="A",
)
RAW = PromptFormat(name="raw", user="{{ question }}\n{{ options }}\nAnswer:", chat=False)
CHAT = PromptFormat(name="chat", user="{{ question }}\n{{ options }}")
START = 257
"""The last token of the prompts that scripted models answer."""


def probe(
    loaded: LoadedModel, prompts: Sequence[RenderedPrompt], settings: ProbeSettings
) -> list[ProbeResult]:
    found = dict(Prober(loaded).probe(prompts, settings))
    return [found[at] for at in range(len(prompts))]


def show(tokenizer: Any, fmt: PromptFormat = RAW, question: Question = QUESTION) -> RenderedPrompt:
    return render(question, question.id, 0, fmt, tokenizer)


def random_model(size: int) -> Any:
    """A Llama that knows so many ids."""
    options = FAMILIES["llama"] | {"vocab_size": size, "num_hidden_layers": 2}
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **options)).eval()
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.normal_(0, 1.5 / weights.shape[-1] ** 0.5)
    return model


def prompt_of(*ids: int, **how: Any) -> RenderedPrompt:
    return tiny_prompt((*made_up_ids(6, 3), *ids), **how)


def writing(successors: dict[int, int], loaded: LoadedModel | None = None) -> LoadedModel:
    """A model that, whatever else it would say, follows each of some tokens by another."""
    loaded = loaded or tiny_loaded()

    def script(module: Any, args: Any, inputs: dict[str, Any], output: Any) -> Any:
        last = inputs["input_ids"][:, inputs["logits_to_keep"]]
        for token, successor in successors.items():
            output.logits[..., successor] += 100.0 * (last == token)
        return output

    loaded.model.register_forward_hook(script, with_kwargs=True)
    return loaded


def script_of(*tokens: int) -> dict[int, int]:
    return dict(zip((START, *tokens), tokens, strict=False))


def byte(character: str) -> int:
    """The tiny tokenizer's id of a one-byte character."""
    (token,) = tiny_tokenizer()(character, add_special_tokens=False)["input_ids"]
    return int(token)


def readings_of(loaded: LoadedModel, result: ProbeResult, **how: bool) -> dict[str, Reading]:
    texts = [entry.text for entry in loaded.vocabulary]
    return {r.name: r for r in read_probe(QUESTION, result, lambda i: texts[i].encode(), **how)}


def assert_plain(model: Any, prompt: RenderedPrompt, result: ProbeResult) -> None:
    """Everything that a result says against an untouched model, one text at a time."""
    first = plain_logprobs(model, prompt.token_ids)[-1]
    assert result.label_logprobs == pytest.approx(first[list(prompt.label_ids)].tolist(), abs=CLOSE)
    for known in result.continuations:
        assert known.logprobs == pytest.approx(alone(model, prompt, known.token_ids), abs=CLOSE)
    for generation in result.generations:
        positions = generation.positions
        right = alone(model, prompt, positions.token_ids)
        assert positions.logprobs == pytest.approx(right, abs=CLOSE)


def alone(model: Any, prompt: RenderedPrompt, ids: Sequence[int]) -> list[float]:
    rows = plain_logprobs(model, [*prompt.token_ids, *ids])[len(prompt.token_ids) - 1 : -1]
    return rows.gather(1, torch.tensor(list(ids))[:, None]).squeeze(1).tolist()


# --- prompts and their tokens ---


@pytest.mark.parametrize("make", [byte_level, metaspace, llama_like])
def test_both_variants_of_a_letter_are_scored_apart(make: Callable[[], Any]) -> None:
    tokenizer = make()
    loaded = describe(random_model(len(tokenizer)), tokenizer, name="random")
    prompt = show(tokenizer)
    (result,) = probe(loaded, [prompt], ProbeSettings(generations=False))
    right = plain_logprobs(random_model(len(tokenizer)), prompt.token_ids)[-1]
    for at, label in enumerate("ABCD"):
        variants = {s.spelling: s for s in result.spellings if s.label == label and s.whole}
        bare, spaced = variants[label], variants[f" {label}"]
        assert bare.token_id != spaced.token_id == prompt.label_ids[at]
        assert bare.logprob == pytest.approx(float(right[bare.token_id]), abs=CLOSE)
        assert result.label_logprobs[at] == spaced.logprob
        assert abs(bare.logprob - spaced.logprob) > 0.01


@pytest.mark.parametrize(
    "make", [metaspace, partial(metaspace, "always"), llama_like, partial(byte_level, None, True)]
)
def test_an_answer_is_never_tokenised_alone(make: Callable[[], Any]) -> None:
    tokenizer = make()
    prompt = show(tokenizer)
    text = prompt.text.removeprefix(tokenizer.bos_token)
    for known in prompt.continuations:
        whole = tokenizer(text + known.text)["input_ids"]
        assert prompt.token_ids + known.token_ids == tuple(whole)
    assert len(set(prompt.label_ids)) == 4


def test_alone_an_answer_would_be_other_tokens() -> None:
    """What the test above guards against does happen with these tokenizers."""
    for tokenizer, text in ((llama_like(), " A"), (byte_level(), "A")):
        naive = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tuple(naive) != show(tokenizer).continuations[0].token_ids


@pytest.mark.parametrize("make", [byte_level, metaspace, llama_like])
def test_a_trailing_space_changes_no_number(make: Callable[[], Any]) -> None:
    tokenizer = make()
    spaced = msgspec.structs.replace(RAW, user=RAW.user + " ")
    loaded = describe(random_model(len(tokenizer)), tokenizer, name="random")
    settings = ProbeSettings(samples=0, max_new_tokens=4)
    clean, moved = probe(loaded, [show(tokenizer), show(tokenizer, spaced)], settings)
    assert moved.label_logprobs == clean.label_logprobs
    assert [c.logprobs for c in moved.continuations] == [c.logprobs for c in clean.continuations]
    assert [w.code for w in show(tokenizer, spaced).warnings] == ["trailing-space"]


@pytest.mark.parametrize("make", [partial(byte_level, CHATML), partial(byte_level, CHATML, True)])
def test_the_letter_after_a_template_is_bare(make: Callable[[], Any]) -> None:
    tokenizer = make()
    prompt = show(tokenizer, CHAT)
    assert tokenizer.convert_ids_to_tokens(list(prompt.label_ids)) == list("ABCD")
    assert [known.text for known in prompt.continuations if known.kind == "label"] == list("ABCD")
    turns = render_text(QUESTION, CHAT).messages
    templated = tokenizer.apply_chat_template(turns, add_generation_prompt=True)
    assert list(prompt.token_ids) == templated["input_ids"]


@pytest.mark.parametrize("template", [None, "{{ bos_token }}" + CHATML], ids=["raw", "chat"])
@pytest.mark.parametrize("kind", [partial(byte_level, bos=True), partial(metaspace, "first")])
def test_there_is_exactly_one_begin_token(kind: Callable[..., Any], template: str | None) -> None:
    tokenizer = kind(chat_template=template)
    begin = tokenizer.bos_token_id
    assert tokenizer("a")["input_ids"][0] == begin
    assert tokenizer(tokenizer.bos_token + "a")["input_ids"][:2] == [begin, begin]
    prompt = show(tokenizer, CHAT if template else RAW)
    assert prompt.chat == bool(template)
    assert [at for at, token in enumerate(prompt.token_ids) if token == begin] == [0]
    assert prompt.pieces[0] == tokenizer.bos_token
    assert prompt.text.count(tokenizer.bos_token) == 1
    assert not {w.code for w in prompt.warnings} & {"double-bos", "no-bos"}


# --- numbers from logits ---


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_reduced_in_float32(dtype: torch.dtype) -> None:
    """A vocabulary of 150,000, where a softmax in float16 leaves zero to every letter."""
    model = random_model(150_001).to(dtype)
    model.lm_head.weight.data *= 4
    loaded = describe(model, tiny_tokenizer(), name="large vocabulary")
    assert loaded.info.plan == "shared"  # its second pass is the continuations'
    seen: list[Tensor] = []
    loaded.model.register_forward_hook(lambda module, args, out: seen.append(out.logits[0]))
    settings = ProbeSettings(samples=1, max_new_tokens=2, kept=5)
    ids = made_up_ids(20, 1)
    probe(loaded, [tiny_prompt(ids)], settings)
    order = seen[0][-1].float().argsort()
    letters = tuple(order[len(order) // 2 + 40 * at].item() for at in (2, 0, 3, 1))
    prompt = msgspec.structs.replace(tiny_prompt(ids), label_ids=letters)
    seen.clear()
    (result,) = probe(loaded, [prompt], settings)
    logits = seen[0][-1]
    assert logits.dtype == dtype
    right = torch.log_softmax(logits.double(), -1)
    assert result.label_logprobs == pytest.approx(right[list(letters)].tolist(), abs=CLOSE)
    assert result.first.entropy == pytest.approx(float(-(right.exp() * right).sum()), abs=1e-3)
    assert result.first.top_logprobs == pytest.approx(right.topk(5).values.tolist(), abs=CLOSE)
    forced = torch.log_softmax(seen[1].double(), -1)
    rest = [c.logprobs[1:] for c in result.continuations]
    fed = [c.token_ids[1:] for c in result.continuations]
    assert [x for row in rest for x in row] == pytest.approx(
        [float(forced[at, token]) for at, token in enumerate(t for row in fed for t in row)],
        abs=CLOSE,
    )
    reading = readings_of(loaded, result)["first_token"]
    values = logits[list(letters)].float()
    assert reading.label == "ABCD"[int(values.argmax())] != "A"
    assert reading.confidence == pytest.approx(float(torch.softmax(values, 0).max()), abs=1e-3)
    naive = torch.softmax(logits, -1)[list(letters)]
    if dtype == torch.float16:
        assert naive.tolist() == [0.0] * 4
    off = (torch.log_softmax(logits, -1)[list(letters)].double() - right[list(letters)]).abs()
    assert off.max() > 10 * CLOSE


@pytest.mark.parametrize("shift", [-1e4, -300.0, 300.0, 1e4])
def test_huge_logits_do_not_overflow(shift: float) -> None:
    logits = torch.randn(4, 3000, generator=torch.Generator().manual_seed(0)) * 3 + shift
    right = torch.log_softmax(logits.double(), -1)
    reduced = reduce_logits(logits, 10)
    found = reduced.values - reduced.logsumexp[:, None]
    close = 2e-3 if abs(shift) > 1e3 else CLOSE  # float32 steps at that size
    assert torch.allclose(found.double(), right.gather(1, reduced.ids), atol=close)
    assert torch.allclose(reduced.entropy.double(), -(right.exp() * right).sum(-1), atol=close)
    targets = torch.tensor([5, 6, 7, 8])
    forced, _ = forced_logprobs(logits, targets)
    assert torch.allclose(forced.double(), right.gather(1, targets[:, None])[:, 0], atol=close)
    keys = torch.tensor([key64(row) for row in range(4)])
    drawn = Sampler(SamplerSettings(top_p=0.9)).draw(logits, torch.arange(4), reduced, keys, 0)
    assert torch.isfinite(drawn.logprobs).all()


@pytest.mark.parametrize("first", [" ", "\n", "S", "*", "<"])
def test_a_first_token_that_is_no_letter_is_recorded_as_it_is(first: str) -> None:
    loaded = writing(script_of(byte(first), byte("B"), EOS))
    prompt = prompt_of(START)
    (result,) = probe(loaded, [prompt], ProbeSettings(samples=1, max_new_tokens=5))
    assert result.first.top_ids[0] == byte(first)
    greedy = result.generations[0]
    assert greedy.positions.token_ids == [byte(first), byte("B"), EOS]
    assert greedy.text == first + "B"
    found = readings_of(loaded, result)
    argmax = found["vocab_argmax"]
    assert (argmax.status, argmax.label, argmax.rule) == ("unparsed", None, f"token {first!r}")
    assert found["first_token"].status == "option"
    right = plain_logprobs(tiny_model(), prompt.token_ids)[-1][list(prompt.label_ids)]
    assert found["first_token"].label == "ABCD"[int(right.argmax())]


# --- thinking ---


@pytest.mark.parametrize(
    ("text", "status", "label"),
    [
        ("<think>\nThe answer is A.", "truncated", None),
        ("<think>The answer is A. </thin", "truncated", None),
        ("<think>It may be A.</think>\n\nB", "option", "B"),
        ("<think>A</think> no, wait: C</think>The answer is B.", "option", "B"),
        ("<think>A.</think>", "unparsed", None),
        ("[THINK]The answer is A.", "truncated", None),
    ],
)
@pytest.mark.parametrize("kind", ["greedy", "sample"])
@pytest.mark.parametrize("finish_reason", ["stop", "length"])
def test_no_letter_is_read_from_thinking(
    text: str,
    status: str,
    label: str | None,
    kind: GenerationKind,
    finish_reason: FinishReason,
) -> None:
    found = reading_of_text(text, kind, finish_reason)
    assert found.name == f"{kind}_text"
    if status == "unparsed" and finish_reason == "length":
        status = "truncated"
    assert (found.status, found.label, found.labels) == (status, label, ())


@pytest.mark.parametrize(
    ("text", "status", "label"),
    [
        ("The answer is A.", "truncated", None),
        ("A", "truncated", None),
        ("It may be A.</think>\n\nThe answer is B.", "option", "B"),
        ("A <think> again A </think>B", "option", "B"),
    ],
)
@pytest.mark.parametrize("kind", ["greedy", "sample"])
def test_thinking_that_the_prompt_opens_is_thinking(
    text: str, status: str, label: str | None, kind: GenerationKind
) -> None:
    """Such a text never has the tag itself: only the prompt says that it is a trace."""
    found = reading_of_text(text, kind, "stop", thinking=True)
    assert (found.status, found.label) == (status, label)
    assert reading_of_text(f"<think>{text}", kind, "stop").label == label


def reading_of_text(
    text: str, kind: GenerationKind, finish_reason: FinishReason, **how: bool
) -> Reading:
    nothing = Positions([], [], [], [], [], [], [], [])
    written = Generation(kind, int(kind == "sample"), text, finish_reason, nothing)
    result = ProbeResult(Distribution([], [], 0.0, 0.0, 0.0), [], [], [], [written])
    found = read_probe(QUESTION, result, lambda i: str(i).encode(), **how)
    return next(reading for reading in found if reading.name == f"{kind}_text")


# --- labels ---


def test_a_label_of_several_tokens_is_scored_whole() -> None:
    options = tuple(map(Option, ("10", "11", "12", "2"), ("red", "green", "blue", "grey")))
    question = msgspec.structs.replace(QUESTION, options=options, gold=None)
    loaded = tiny_loaded()
    prompt = show(loaded.tokenizer, RAW, question)
    (result,) = probe(loaded, [prompt], ProbeSettings(generations=False))
    labels = [known for known in result.continuations if known.kind == "label"]
    assert [len(known.token_ids) for known in labels] == [3, 3, 3, 2]
    for known in labels:
        assert known.total == pytest.approx(
            sum(alone(tiny_model(), prompt, known.token_ids)), abs=CLOSE
        )
    assert len({known.total for known in labels}) == 4
    assert len(set(result.label_logprobs)) == 1
    assert "multi-token-label" in {warning.code for warning in prompt.warnings}
    texts = [entry.text for entry in loaded.vocabulary]
    first, *_ = read_probe(question, result, lambda i: texts[i].encode())
    assert (first.name, first.rule, first.margin) == ("first_token", "tie", 0.0)


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("vitamin C", "B"),
        ("The answer is B. vitamin C", "B"),
        ("It is vitamin B.", "A"),
        ("plan A. And no other", "C"),
        ("C. plan A. And no other", "C"),
    ],
)
def test_option_texts_that_hold_other_labels_are_texts(reply: str, label: str) -> None:
    options = {"A": "vitamin B.", "B": "vitamin C", "C": "plan A. And no other"}
    assert read_answer(reply, options).label == label


# --- batches ---


@pytest.mark.parametrize("shared", [0, 21])
@pytest.mark.parametrize("family", ["llama", "gpt2", "opt", "mistral", "gemma2", "gpt_oss"])
def test_lengths_in_a_batch_never_matter(family: str, shared: int) -> None:
    """Prompts, continuations and texts below and beyond the sliding windows of 9 tokens.

    The shared plan is used whatever its own check at load time would have said of it.
    """
    loaded, model = tiny_loaded(family), tiny_model(family)
    plans = replace(loaded.plans, shared=SharedPlan(CausalModel(loaded.model)), limit=None)
    texts = (made_up_ids(25, 8), (80,), made_up_ids(25, 9), made_up_ids(4, 8))
    prompts = [
        tiny_prompt(
            (*made_up_ids(shared, 1), *made_up_ids(length, 40 + length)),
            question_id=f"q{length}",
            texts=texts,
        )
        for length in (1, 60, 2, 17)
    ]
    settings = ProbeSettings(samples=2, max_new_tokens=30, kept=5)
    together = probe(replace(loaded, plans=plans), prompts, settings)
    for prompt, result in zip(prompts, together, strict=True):
        assert_plain(model, prompt, result)


def test_bfloat16_texts_part_at_near_ties_only() -> None:
    model = tiny_model().to(torch.bfloat16)
    loaded = describe(model, tiny_tokenizer(), name="tiny")
    prompts = tiny_prompts()
    settings = ProbeSettings(samples=0, max_new_tokens=12, kept=5)
    together = probe(loaded, prompts, settings)
    for prompt, one in zip(prompts, together, strict=True):
        (other,) = probe(loaded, [prompt], settings)
        assert one.label_logprobs == pytest.approx(other.label_logprobs, abs=0.25)
        ours, theirs = one.generations[0].positions, other.generations[0].positions
        pairs = list(zip(ours.token_ids, theirs.token_ids, strict=False))
        parted = next((at for at, (a, b) in enumerate(pairs) if a != b), None)
        if parted is not None:
            best, second = ours.top_logprobs[parted][:2]
            assert best - second < 0.25


@pytest.mark.parametrize("family", ["llama", "gpt2", "mistral"])
def test_a_pad_id_inside_a_prompt_is_a_token_like_any_other(family: str) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    loaded = describe(tiny_model(family), tokenizer, name="tiny")
    start = (EOS, EOS, *made_up_ids(20, 5), EOS)
    prompts = [
        tiny_prompt((*start, *made_up_ids(9, 6), EOS), question_id="long"),
        tiny_prompt((*start, EOS, EOS), question_id="short"),
        tiny_prompt((*start, *made_up_ids(3, 7)), question_id="plain"),
    ]
    settings = ProbeSettings(samples=0, max_new_tokens=6)
    for prompt, result in zip(prompts, probe(loaded, prompts, settings), strict=True):
        assert_plain(tiny_model(family), prompt, result)


def test_a_real_end_token_is_kept_although_it_pads() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    loaded = writing(script_of(byte("B"), EOS), describe(tiny_model(), tokenizer, name="tiny"))
    longer = prompt_of(199, question_id="longer")
    settings = ProbeSettings(samples=1, max_new_tokens=8)
    stopped, other = probe(loaded, [prompt_of(START), longer], settings)
    for generation in stopped.generations:
        assert generation.positions.token_ids == [byte("B"), EOS]
        assert (generation.finish_reason, generation.text) == ("stop", "B")
        assert len(generation.positions.logprobs) == 2
    assert len(other.generations[0].positions) > 2


# --- decoding ---


def test_pure_sampling_cuts_nothing() -> None:
    model = tiny_model()
    model.generation_config.top_k = 50
    with torch.no_grad():
        model.lm_head.weight *= 0.05
    loaded = describe(model, tiny_tokenizer(), name="flat")
    settings = ProbeSettings(samples=40, max_new_tokens=4, continuations=False)
    assert settings.sampler == SamplerSettings(1.0, 1.0, 0, 1.0)
    prompt = prompt_of()
    (result,) = probe(loaded, [prompt], settings)
    ranks = []
    for sample in result.generations[1:]:
        positions = sample.positions
        ranks += positions.ranks
        assert positions.sampler_logprobs == pytest.approx(positions.logprobs, abs=CLOSE)
        assert positions.sampler_logsumexps == pytest.approx(positions.logsumexps, abs=CLOSE)
    assert sum(rank > 50 for rank in ranks) > len(ranks) / 2


GENERATION_CONFIGS = (
    {"repetition_penalty": 1.8},
    {"do_sample": True, "temperature": 0.2, "top_k": 3, "top_p": 0.5},
    {"max_new_tokens": 1, "min_new_tokens": 12, "forced_eos_token_id": EOS},
    {"suppress_tokens": list(range(150))},
)


@pytest.mark.parametrize("config", GENERATION_CONFIGS, ids=", ".join)
@pytest.mark.parametrize("family", ["llama", "mamba"])
def test_the_generation_config_changes_no_number(family: str, config: dict[str, Any]) -> None:
    settings = ProbeSettings(samples=3, max_new_tokens=8)
    prompts = tiny_prompts()[:2]
    model = tiny_model(family)
    model.generation_config = GenerationConfig(eos_token_id=EOS, **config)
    loaded = describe(model, tiny_tokenizer(), name="tiny")
    assert config.keys() <= loaded.info.generation_defaults.keys()
    for with_config, without in zip(
        probe(loaded, prompts, settings),
        probe(tiny_loaded(family), prompts, settings),
        strict=True,
    ):
        assert with_config.first == without.first
        assert with_config.generations == without.generations


@pytest.mark.parametrize("end", [EOS, 5, 9])
def test_every_configured_end_token_ends_a_generation(end: int) -> None:
    model = tiny_model()
    model.generation_config = GenerationConfig(eos_token_id=[5, 9])
    loaded = writing(
        script_of(byte("C"), end, byte("D")), describe(model, tiny_tokenizer(), name="tiny")
    )
    assert loaded.info.stop_ids == [EOS, 5, 9]
    (result,) = probe(loaded, [prompt_of(START)], ProbeSettings(samples=1, max_new_tokens=6))
    for generation in result.generations:
        assert generation.positions.token_ids == [byte("C"), end]
        assert (generation.text, generation.finish_reason) == ("C", "stop")


@pytest.mark.parametrize(
    "sampler",
    [
        SamplerSettings(temperature=0.5),
        SamplerSettings(temperature=2.0, top_k=5),
        SamplerSettings(top_p=0.6),
        SamplerSettings(repetition_penalty=1.5),
    ],
    ids=repr,
)
def test_probabilities_are_raw_and_the_samplers_stand_apart(sampler: SamplerSettings) -> None:
    loaded, model = tiny_loaded(), tiny_model()
    prompts = tiny_prompts()[:2]
    settings = ProbeSettings(samples=3, max_new_tokens=8, kept=20, sampler=sampler)
    apart = 0
    for prompt, result in zip(prompts, probe(loaded, prompts, settings), strict=True):
        assert_plain(model, prompt, result)
        assert result.generations[0].positions.sampler_logprobs is None
        for sample in result.generations[1:]:
            positions = sample.positions
            assert all(math.isfinite(x) for row in positions.top_logprobs for x in row)
            assert positions.sampler_logprobs is not None
            pairs = zip(positions.logprobs, positions.sampler_logprobs, strict=True)
            apart += sum(abs(one - other) > 0.01 for one, other in pairs)
    assert apart > 10


def test_a_repetition_penalty_counts_the_prompt() -> None:
    """Letters stand in the prompt, so a penalty moves them: before and after are both stored."""
    penalty = 1.7
    loaded, model = tiny_loaded(), tiny_model()
    settings = ProbeSettings(
        samples=12, max_new_tokens=3, sampler=SamplerSettings(repetition_penalty=penalty)
    )
    prompts = [prompt_of(*range(40, 150), question_id="a"), prompt_of(*range(30, 60))]
    penalized = 0
    for prompt, result in zip(prompts, probe(loaded, prompts, settings), strict=True):
        for sample in result.generations[1:]:
            ids = sample.positions.token_ids
            text = [*prompt.token_ids, *ids]
            with torch.no_grad():
                logits = model(torch.tensor([text])).logits[0].double()
            for at, token in enumerate(ids):
                end = len(prompt.token_ids) + at
                after = RepetitionPenaltyLogitsProcessor(penalty)(
                    torch.tensor([text[:end]]), logits[end - 1 : end].clone()
                )
                right = float(torch.log_softmax(after, -1)[0, token])
                assert sample.positions.sampler_logprobs[at] == pytest.approx(right, abs=CLOSE)
                penalized += token in prompt.token_ids
    assert penalized > 5


def test_greedy_knows_no_temperature() -> None:
    prompts = tiny_prompts()[:2]
    texts: list[list[Positions]] = []
    for temperature in (1e-6, 0.3, 1.0, 5.0):
        sampler = SamplerSettings(temperature=temperature)
        settings = ProbeSettings(samples=1, max_new_tokens=8, sampler=sampler)
        results = probe(tiny_loaded(), prompts, settings)
        texts.append([result.generations[0].positions for result in results])
        if temperature == 1e-6:
            for result in results:
                greedy, sample = (g.positions for g in result.generations)
                assert sample.token_ids == greedy.token_ids
                assert sample.sampler_logprobs == pytest.approx([0.0] * len(sample), abs=1e-6)
    for hotter in texts[1:]:
        for one, other in zip(texts[0], hotter, strict=True):
            assert one.token_ids == other.token_ids
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)
            assert other.ranks == [1] * len(other)


def test_a_sample_does_not_depend_on_how_many_there_are() -> None:
    prompts = tiny_prompts()
    few = probe(tiny_loaded(), prompts[:1], ProbeSettings(samples=2, max_new_tokens=8))
    many = probe(tiny_loaded(), prompts, ProbeSettings(samples=9, max_new_tokens=8))
    for one, other in zip(few[0].generations, many[0].generations, strict=False):
        assert one.positions.token_ids == other.positions.token_ids
    drawn = [tuple(g.positions.token_ids) for g in many[0].generations[1:]]
    assert len(set(drawn)) > 5


@pytest.mark.parametrize(("limit", "status"), [(3, "truncated"), (4, "unparsed")])
def test_a_text_that_was_cut_is_truncated_and_not_unparsed(limit: int, status: str) -> None:
    loaded = writing(script_of(byte("W"), byte("e"), byte("l"), EOS))
    settings = ProbeSettings(samples=1, max_new_tokens=limit)
    (result,) = probe(loaded, [prompt_of(START)], settings)
    assert {g.finish_reason for g in result.generations} == {
        "length" if status == "truncated" else "stop"
    }
    found = readings_of(loaded, result)
    assert {found[name].status for name in ("greedy_text", "sample_text", "majority")} == {status}


# --- tokens ---


def test_an_id_that_no_tokenizer_knows_is_kept() -> None:
    unknown = 290
    loaded = writing(script_of(unknown, byte("B"), EOS))
    assert loaded.info.vocab_size == 300 > loaded.info.tokenizer_size
    assert len(loaded.vocabulary) == 300
    assert loaded.vocabulary[unknown].piece is None
    settings = ProbeSettings(samples=1, max_new_tokens=5, kept=300)
    (result,) = probe(loaded, [prompt_of(START)], settings)
    assert result.first.top_ids[0] == unknown
    assert result.first.top_logprobs[0] == pytest.approx(0, abs=CLOSE)
    assert sorted(result.first.top_ids) == list(range(300))
    greedy = result.generations[0]
    assert greedy.positions.token_ids == [unknown, byte("B"), EOS]
    assert greedy.text == "B"
    assert readings_of(loaded, result)["vocab_argmax"].rule == "token ''"


def test_half_a_character_is_a_token() -> None:
    halves = tiny_tokenizer()("é€", add_special_tokens=False)["input_ids"]
    assert len(halves) == 5
    loaded = writing(script_of(*halves))
    for limit, text in ((5, "é€"), (4, "é\ufffd"), (1, "\ufffd")):
        settings = ProbeSettings(samples=1, max_new_tokens=limit)
        (result,) = probe(loaded, [prompt_of(START)], settings)
        for generation in result.generations:
            ids = generation.positions.token_ids
            assert ids == halves[:limit]
            assert generation.text == text
            raw = b"".join(loaded.vocabulary[token].raw for token in ids)
            assert raw == "é€".encode()[:limit]
    assert loaded.vocabulary[halves[0]].text == "\ufffd"


@pytest.mark.parametrize(
    ("tokens", "text"),
    [((BOS, "A"), "<|begin|>A"), ((" ", "."), " ."), (("n", " ", "'", "t"), "n 't")],
)
def test_special_tokens_stay_visible_and_nothing_is_cleaned_up(
    tokens: tuple[int | str, ...], text: str
) -> None:
    ids = [token if isinstance(token, int) else byte(token) for token in tokens]
    loaded = writing(script_of(*ids, EOS))
    (result,) = probe(loaded, [prompt_of(START)], ProbeSettings(samples=1, max_new_tokens=6))
    assert {generation.text for generation in result.generations} == {text}


# --- runs ---


@pytest.mark.parametrize(
    "change", [{"quantization": "4bit"}, {"quantization": "8bit"}, {"dtype": "float16"}], ids=repr
)
def test_another_quantization_never_goes_on_with_a_run(
    tmp_path: Path, change: dict[str, str]
) -> None:
    with open_store(tmp_path / "runs.duckdb") as store:
        run = store.add_run(
            kind="run",
            name="r",
            model="m",
            source="s",
            formats=["low"],
            orders=1,
            planned=1,
            fingerprint="f",
            settings="{}",
            model_info=MODEL,
        )
        check_same_model(store, run, MODEL)
        changed = msgspec.structs.replace(MODEL, **change)
        with pytest.raises(LogitscopeError, match=next(iter(change.values()))):
            check_same_model(store, run, changed)
