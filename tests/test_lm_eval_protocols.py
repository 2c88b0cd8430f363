"""The harness formats against lm-evaluation-harness itself: its own task files on a local csv.

Needs lm-eval (the dependency group ``bench``); skipped without.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.demo import EMBEDDED_MODEL
from engine.model import LoadedModel, describe
from engine.planning import plan_run
from engine.probe import Prober
from engine.prompt import RenderedPrompt, render
from engine.readings import read_probe
from engine.records import ProbeResult, ProbeSettings
from tests.tiny_models import plain_logprobs

lm_eval = pytest.importorskip("lm_eval")

pytestmark = pytest.mark.slow

CLOSE = 1e-4
NEW_TOKENS = 24
WINDOW = 2048
"""Wide enough for every prompt: rotary positions compute beyond what a model was trained on."""

SUBJECTS = ("anatomy", "high_school_geography", "us_foreign_policy")
PLAIN_CHAT = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:\n{% endif %}"
)
"""For a model without a chat template of its own."""

_ASKED = [
    ("Which is a city?", "Paris", "Green", "Seven", "Slowly", "A"),
    ("  What is two and two? ", "3", "4", "5", "None", "B"),
    ("Who writes books?", "a fish", "a stone", "a writer", "a lamp", "C"),
    ('Say "yes".', "no", "never", "perhaps", "yes", "D"),
    ("Which day comes first?", "Sunday, or so", "Monday", "Tuesday", "Friday", "B"),
    ("What is cold?", "fire", "the sun", "ice", "tea", "C"),
    ("What do cows eat?", "grass", "glass", "brass", "iron", "A"),
    ("Where do fish live?", "in trees", "in water", "in books", "nowhere", "B"),
]


def write_csvs(folder: Path) -> Path:
    """Eight short questions a subject, five of them in dev; returns the folder ``test``."""
    for turn, subject in enumerate(SUBJECTS):
        turned = _ASKED[turn:] + _ASKED[:turn]
        for split, rows in (("dev", turned[:5]), ("test", turned[3:])):
            (folder / split).mkdir(exist_ok=True)
            with (folder / split / f"{subject}_{split}.csv").open("w", newline="") as file:
                csv.writer(file).writerows(rows)
    return folder / "test"


@dataclass(frozen=True)
class Scored:
    """What the harness asked and found out about one question.

    Attributes:
        context: The prompt, as text.
        continuations: What it scored, as text; empty where it generated.
        totals: Their log-likelihoods.
        text: What it generated, before any filter.
        right: Its verdict.
    """

    context: str
    continuations: list[str]
    totals: list[float]
    text: str
    right: float


def local_data(folder: Path, subject: str, **_: Any) -> dict[str, Any]:
    """The csv files in the shape of the harness's data set."""
    import datasets

    def records(split: str) -> list[dict[str, Any]]:
        with (folder / split / f"{subject}_{split}.csv").open(newline="") as file:
            return [
                {"question": q, "choices": options, "answer": "ABCD".index(answer)}
                for q, *options, answer in csv.reader(file)
            ]

    return {split: datasets.Dataset.from_list(records(split)) for split in ("dev", "test")}


def ask_harness(
    model: Any, tokenizer: Any, folder: Path, kind: str, shots: int, chat: bool
) -> tuple[Any, list[Scored]]:
    """The harness's own MMLU task of a kind on the csv files, subject by subject."""
    import yaml
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.evaluator import evaluate
    from lm_eval.models.huggingface import HFLM

    tasks = Path(lm_eval.__file__).parent / "tasks" / "mmlu" / kind
    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1, max_length=WINDOW)
    made = {}
    for subject in SUBJECTS:
        own = yaml.safe_load((tasks / f"mmlu_{subject}.yaml").read_text())
        config = yaml.safe_load((tasks / own.pop("include")).read_text()) | own
        config["custom_dataset"] = partial(local_data, folder, subject)
        for key in ("dataset_path", "dataset_name", "tag"):
            config.pop(key, None)
        if kind == "generative":
            config["generation_kwargs"] |= {"max_gen_toks": NEW_TOKENS}
        task = ConfigurableTask(config=config)
        task.set_config("num_fewshot", shots)
        made[subject] = task
    how = {"apply_chat_template": chat, "fewshot_as_multiturn": False, "bootstrap_iters": 0}
    answer = evaluate(lm, made, **how)
    samples = [
        sample
        for subject in SUBJECTS
        for sample in sorted(answer["samples"][subject], key=lambda sample: sample["doc_id"])
    ]
    found: list[Scored] = []
    for sample in samples:
        asked, replies = sample["arguments"], [reply for (reply,) in sample["resps"]]
        if kind == "generative":
            found.append(Scored(asked[0][0], [], [], replies[0], sample["exact_match"]))
        else:
            totals = [total for total, _ in replies]
            texts = [continuation for _, continuation in asked]
            found.append(Scored(asked[0][0], texts, totals, "", sample["acc"]))
    return lm, found


def ask_here(
    loaded: LoadedModel, folder: Path, fmt: str
) -> list[tuple[RenderedPrompt, ProbeResult, bool]]:
    """The same questions here: prompt, result, and whether the format's own reading is right."""
    settings = ProbeSettings(samples=0, max_new_tokens=NEW_TOKENS)
    plan = plan_run("nobody/nothing", str(folder / "test"), [fmt], settings)
    items = [probe.item for probe in plan.probes()]
    (whole,) = plan.formats
    prompts = [
        render(
            item.question, item.question_id, 0, whole, loaded.tokenizer, shots=item.shots,
            window=WINDOW, max_new_tokens=NEW_TOKENS,
        )
        for item in items
    ]  # fmt: skip
    results = dict(Prober(loaded).probe(prompts, settings))
    vocabulary = [entry.raw for entry in loaded.vocabulary]
    answered = []
    for at, item in enumerate(items):
        readings = read_probe(item.question, results[at], vocabulary.__getitem__)
        (own,) = [reading for reading in readings if reading.name == whole.scored_by]
        answered.append((prompts[at], results[at], own.label == item.question.gold))
    return answered


def untouched(folder: Path) -> tuple[Any, Any]:
    """Model and tokenizer as transformers loads them, in float32."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    if tokenizer.chat_template is None:
        tokenizer.chat_template = PLAIN_CHAT
    return model, tokenizer


@pytest.fixture(scope="module", params=["embedded", "aidreams260K"])
def models(request: pytest.FixtureRequest) -> tuple[Any, Any, LoadedModel]:
    """An untouched model with its tokenizer, and the same ready to be probed."""
    folder = EMBEDDED_MODEL
    if request.param != "embedded":
        folder = request.getfixturevalue("shared_data") / "models" / request.param
        if not folder.is_dir():
            pytest.skip(f"there is no {folder}")
    model, tokenizer = untouched(folder)
    return model, tokenizer, describe(*untouched(folder), name=request.param)


def assert_same_tokens(lm: Any, prompt: RenderedPrompt, theirs: Scored) -> int:
    """Their tokens are ours; returns how many at the prompt's end they score with the answer.

    The harness moves white space at the end of a prompt into the answer, even that of a chat
    template, where it is the same for every option.
    """
    ours = [c for c in prompt.continuations if c.text in theirs.continuations]
    moved = set()
    for text in theirs.continuations:
        known = next(c for c in ours if c.text == text)
        context_ids, answer_ids = lm._encode_pair(theirs.context, text)
        assert [*context_ids, *answer_ids] == [*prompt.token_ids, *known.token_ids]
        moved.add(len(prompt.token_ids) - len(context_ids))
    (count,) = moved
    return count


def assert_same_scores(
    lm: Any, model: Any, prompt: RenderedPrompt, result: ProbeResult, theirs: Scored, kind: str
) -> float:
    """Their log-likelihoods are ours; returns the largest difference."""
    moved = assert_same_tokens(lm, prompt, theirs)
    before = 0.0
    if moved:
        logprobs = plain_logprobs(model, prompt.token_ids)
        ends = range(len(prompt.token_ids) - moved, len(prompt.token_ids))
        before = sum(float(logprobs[at - 1, prompt.token_ids[at]]) for at in ends)
    ours = {c.text: c.total for c in result.continuations if c.kind == kind}
    differences = [
        abs(before + ours[text] - total)
        for text, total in zip(theirs.continuations, theirs.totals, strict=True)
    ]
    assert max(differences) < CLOSE
    return max(differences)


@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize(
    ("fmt", "task", "kind", "chat"),
    [
        ("mmlu-harness-v1", "default", "label", False),
        ("mmlu-harness", "default", "label", False),
        ("mmlu-harness-chat", "default", "label", True),
        ("mmlu-continuation", "continuation", "text", False),
    ],
)
def test_prompts_tokens_and_scores_are_the_harness_s(
    models: tuple[Any, Any, LoadedModel],
    tmp_path: Path,
    record_property: Any,
    fmt: str,
    task: str,
    kind: str,
    chat: bool,
    shots: int,
) -> None:
    model, tokenizer, loaded = models
    write_csvs(tmp_path)
    lm, theirs = ask_harness(model, tokenizer, tmp_path, task, shots, chat)
    ours = ask_here(loaded, tmp_path, f"{fmt}:shots={shots}")
    assert len(ours) == len(theirs) == 15
    bos = tokenizer.bos_token or ""
    largest = 0.0
    for (prompt, result, right), scored in zip(ours, theirs, strict=True):
        assert prompt.text.removeprefix(bos) == scored.context.removeprefix(bos)
        assert prompt.dropped_tokens == 0
        largest = max(largest, assert_same_scores(lm, model, prompt, result, scored, kind))
        assert right == bool(scored.right)
    record_property("largest difference", largest)


def test_generated_letters_are_the_harness_s(
    models: tuple[Any, Any, LoadedModel], tmp_path: Path
) -> None:
    model, tokenizer, loaded = models
    write_csvs(tmp_path)
    _, theirs = ask_harness(model, tokenizer, tmp_path, "generative", 2, chat=False)
    ours = ask_here(loaded, tmp_path, "mmlu-generative:shots=2")
    for (prompt, result, right), scored in zip(ours, theirs, strict=True):
        assert prompt.text.removeprefix(tokenizer.bos_token or "") == scored.context
        (greedy,) = result.generations
        assert greedy.text.startswith(scored.text)
        assert right == bool(scored.right)
