"""The probe against lm-evaluation-harness: recorded numbers, and live where it is installed.

``python -m benchmarks.make_lm_eval_reference`` records them again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from benchmarks.make_lm_eval_reference import (
    BATCH_SIZES,
    CASES,
    NEW_TOKENS,
    REFERENCE,
    Case,
    ask_harness,
    digest,
)
from engine.demo import EMBEDDED_MODEL
from engine.model import LoadedModel, describe, load_model
from engine.probe import Prober
from engine.protocol import Load
from engine.records import ProbeResult, ProbeSettings
from engine.rendered import RenderedPrompt

CLOSE = 1e-4
SETTINGS = ProbeSettings(samples=0, max_new_tokens=NEW_TOKENS)
RECORDED: dict[str, list[dict[str, Any]]] = json.loads(REFERENCE.read_text(encoding="utf-8"))[
    "cases"
]

every_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def loaded(case: Case) -> LoadedModel:
    if case.name == "embedded":
        return load_model(Load(0, str(EMBEDDED_MODEL), device="cpu", dtype="float32"))
    return describe(case.model(), case.tokenizer(), name=case.name)


def probed(
    model: LoadedModel, prompts: Sequence[RenderedPrompt], batch_size: int
) -> list[ProbeResult]:
    found = dict(Prober(model).probe(prompts, SETTINGS, batch_size=batch_size))
    return [found[at] for at in range(len(prompts))]


def assert_agrees(harness: dict[str, Any], result: ProbeResult, tokenizer: Any) -> None:
    for kind in ("label", "text"):
        ours = [known for known in result.continuations if known.kind == kind]
        for (total, is_greedy), known in zip(harness[kind], ours, strict=True):
            assert known.total == pytest.approx(total, rel=0, abs=CLOSE)
            assert known.is_greedy == is_greedy
    (greedy,) = result.generations
    ids = greedy.positions.token_ids
    written = ids[:-1] if greedy.finish_reason == "stop" else ids
    assert tokenizer.decode(written, skip_special_tokens=True) == harness["greedy"]


@every_case
@pytest.mark.parametrize("batch_size", [1, 1000], ids=["alone", "one batch"])
def test_the_probe_says_what_the_harness_said(case: Case, batch_size: int) -> None:
    model = loaded(case)
    assert model.info.plan == "shared"
    prompts = case.prompts(model.tokenizer)
    entries = RECORDED[case.name]
    assert [(prompt.question_id, prompt.format, digest(prompt.text)) for prompt in prompts] == [
        (entry["question"], entry["format"], entry["prompt"]) for entry in entries
    ]
    for entry, result in zip(entries, probed(model, prompts, batch_size), strict=True):
        for size in BATCH_SIZES:
            assert_agrees(entry[f"batch of {size}"], result, model.tokenizer)


def test_the_record_is_worth_comparing_with() -> None:
    """A reference in which every verdict and every text is the same could not tell much."""
    for name, entries in RECORDED.items():
        alone = [entry["batch of 1"] for entry in entries]
        assert len({answer["greedy"] for answer in alone}) > 3, name
    letters = [pair for entry in RECORDED["embedded"] for pair in entry["batch of 1"]["label"]]
    texts = [pair for entry in RECORDED["embedded"] for pair in entry["batch of 1"]["text"]]
    assert {verdict for _, verdict in letters} == {True, False}
    assert min(total for total, _ in texts) < -20 < -1 < max(total for total, _ in letters)


@pytest.mark.slow
@every_case
def test_the_probe_says_what_the_harness_says(case: Case) -> None:
    pytest.importorskip("lm_eval")
    model = loaded(case)
    prompts = case.prompts(model.tokenizer)[:: case.questions // 2]
    answers = ask_harness(case.model(), case.tokenizer(), prompts, batch_size=2)
    for answer, result in zip(answers, probed(model, prompts, 0), strict=True):
        assert_agrees(answer, result, model.tokenizer)
