"""Record what lm-evaluation-harness says about a few prompts, for the tests to compare with.

    python -m benchmarks.make_lm_eval_reference

Writes ``tests/lm_eval_reference.json``: log-likelihoods of letters and of whole options, whether
each is what greedy decoding would write, and the greedy text, from the harness's hf backend in
float32. The harness gets an untouched transformers model and the rendered text, begin token
included, and this script fails unless it makes the very tokens of it that the probe computes.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import platform
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, AutoTokenizer

from engine.demo import EMBEDDED_MODEL, QUESTIONS
from engine.formats import PromptFormat, load_format
from engine.prompt import render
from engine.questions import Option, Question, find_dev, load_questions, shots_for
from engine.rendered import RenderedPrompt
from tests.tiny_models import BOS, tiny_model, tiny_tokenizer

REFERENCE = Path(__file__).parents[1] / "tests" / "lm_eval_reference.json"
BATCH_SIZES = (1, 4)
NEW_TOKENS = 24
_SOURCE = str(QUESTIONS[-1][1])
_SHOTLESS = "mmlu-original:shots=0"
_ASKED = PromptFormat(
    name="asked",
    user="Q: {{ question }}\n{{ options }}\nA:",
    chat=False,
    label_style="{label}) {text}",
)


@dataclass(frozen=True)
class Case:
    """A model and what it is asked.

    Attributes:
        name: Its key in the reference.
        model: Makes the untouched transformers model.
        tokenizer: Makes its tokenizer.
        formats: Prompt formats.
        questions: How many of the sample questions, evenly spread.
        labels: Labels in place of the letters; empty for the letters.
    """

    name: str
    model: Callable[[], Any]
    tokenizer: Callable[[], Any]
    formats: tuple[PromptFormat, ...]
    questions: int
    labels: tuple[str, ...] = ()

    def prompts(self, tokenizer: Any) -> list[RenderedPrompt]:
        """Every question in every format."""
        dev = find_dev(_SOURCE)
        return [
            render(shown, question.id, 0, fmt, tokenizer, shots=shots_for(question, dev))
            for fmt in self.formats
            for question, shown in self._shown()
        ]

    def _shown(self) -> Iterator[tuple[Question, Question]]:
        """Questions as they are in the file and with this case's labels."""
        questions = load_questions(_SOURCE)
        for at in range(self.questions):
            question = questions[at * len(questions) // self.questions]
            texts = [option.text for option in question.options]
            labels = self.labels or question.labels
            options = tuple(map(Option, labels, texts))
            yield question, msgspec.structs.replace(question, options=options, gold=None)


def embedded_model() -> Any:
    """The teaching model in float32, as transformers loads it."""
    return AutoModelForCausalLM.from_pretrained(EMBEDDED_MODEL, dtype=torch.float32).eval()


def made_up_model(family: str) -> Any:
    """A tiny model whose weights are the same numbers on every machine and in every version.

    NumPy's legacy uniform stream is frozen; torch's random numbers are not.
    """
    model = tiny_model(family)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.dim() > 1:
                draw = np.random.RandomState(zlib.crc32(name.encode()))
                spread = 2.6 / weights.shape[-1] ** 0.5
                drawn = draw.random_sample(tuple(weights.shape)) * 2 * spread - spread
                weights.copy_(torch.from_numpy(drawn))
            else:
                weights.fill_(0.0 if "bias" in name else 1.0)
    return model


def tokenizer_with_begin() -> Any:
    """The tiny tokenizer, but one that puts a begin token before every text."""
    tokenizer = tiny_tokenizer(chat=False)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{tokenizer.bos_token} $A", special_tokens=[(tokenizer.bos_token, BOS)]
    )
    return tokenizer


CASES = (
    Case(
        "embedded",
        embedded_model,
        lambda: AutoTokenizer.from_pretrained(EMBEDDED_MODEL),
        (load_format(_SHOTLESS), load_format("mmlu-original"), load_format("high")),
        questions=12,
    ),
    Case(
        "sliding window",
        lambda: made_up_model("mistral"),
        lambda: tiny_tokenizer(chat=False),
        (load_format(_SHOTLESS),),
        questions=6,
    ),
    Case(
        "begin token, labels of several tokens, softcapping",
        lambda: made_up_model("gemma2"),
        tokenizer_with_begin,
        (_ASKED,),
        questions=6,
        labels=("10", "11", "12", "23"),
    ),
)


def digest(text: str) -> str:
    """What stands for a prompt in the reference."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def ask_harness(
    model: Any, tokenizer: Any, prompts: Sequence[RenderedPrompt], batch_size: int
) -> list[dict[str, Any]]:
    """What the harness says about each prompt.

    Returns:
        ``label`` and ``text``: a log-likelihood and an is-greedy verdict an option;
        ``greedy``: the text, special tokens left out.
    """
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)
    forced = [(prompt, known) for prompt in prompts for known in prompt.continuations]
    requests = []
    for prompt, known in forced:
        pair = _encoded(lm, prompt.text, known.text)
        assert pair == (list(prompt.token_ids), list(known.token_ids)), (prompt.text, known.text)
        requests.append(((prompt.text, known.text), *pair))
    scored = iter(lm._loglikelihood_tokens(requests, disable_tqdm=True))
    limits = {"do_sample": False, "max_gen_toks": NEW_TOKENS}
    asked = [
        Instance("generate_until", {}, (prompt.text, limits), at)
        for at, prompt in enumerate(prompts)
    ]
    texts = lm.generate_until(asked, disable_tqdm=True)
    answers = []
    for prompt, text in zip(prompts, texts, strict=True):
        answer: dict[str, Any] = {"label": [], "text": [], "greedy": text}
        for known in prompt.continuations:
            total, is_greedy = next(scored)
            answer[known.kind].append([round(total, 6), is_greedy])
        answers.append(answer)
    return answers


def _encoded(lm: Any, context: str, continuation: str) -> tuple[list[int], list[int]]:
    """Prompt and answer as the harness's tokens.

    The harness moves white space at a prompt's end into the answer, even a chat template's own;
    there the two are put together and cut apart as it would do without that white space.
    """
    if context == context.rstrip():
        pair: tuple[list[int], list[int]] = lm._encode_pair(context, continuation)
        return pair
    ids: list[int] = lm.tok_encode(context)
    whole: list[int] = lm.tok_encode(context + continuation)
    assert whole[: len(ids)] == ids
    return ids, whole[len(ids) :]


def record(case: Case) -> list[dict[str, Any]]:
    """One entry a prompt: what it is, and what the harness says at each batch size."""
    model, tokenizer = case.model(), case.tokenizer()
    prompts = case.prompts(tokenizer)
    found = {size: ask_harness(model, tokenizer, prompts, size) for size in BATCH_SIZES}
    return [
        {
            "question": prompt.question_id,
            "format": prompt.format,
            "prompt": digest(prompt.text),
            **{f"batch of {size}": answers[at] for size, answers in found.items()},
        }
        for at, prompt in enumerate(prompts)
    ]


def main() -> None:
    """Ask the harness everything and write the file, one prompt a line."""
    torch.set_num_threads(1)
    versions = {
        name: importlib.metadata.version(name) for name in ("lm-eval", "torch", "transformers")
    }
    head = {"versions": versions | {"python": platform.python_version()}, "new_tokens": NEW_TOKENS}
    cases = []
    for case in CASES:
        entries = [json.dumps(entry, separators=(",", ":")) for entry in record(case)]
        print(f"{case.name}: {len(entries)} prompts", flush=True)
        cases.append(f"{json.dumps(case.name)}:[\n" + ",\n".join(entries) + "\n]")
    text = json.dumps(head)[:-1] + ', "cases": {\n' + ",\n".join(cases) + "\n}}\n"
    REFERENCE.write_text(text, encoding="utf-8")
    print(f"{REFERENCE}: {len(text):,} bytes")


if __name__ == "__main__":
    main()
