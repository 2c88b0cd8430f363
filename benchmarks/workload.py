"""Random-weight models of several sizes, and prompts of real lengths to ask them.

Speed depends on shapes, not on what a model knows, so the models have random weights; their logits
are scaled to the entropy of a language model's, because sampling costs what the nucleus costs.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from engine.demo import EMBEDDED_MODEL, QUESTIONS
from engine.formats import load_format
from engine.model import LoadedModel, describe
from engine.prompt import render
from engine.questions import Option, Question, find_dev, load_questions
from engine.rendered import RenderedPrompt

ENTROPY = 3.5
"""Nats of the next token, about the upper end of what language models have."""
_STEMS = 6
_PHRASES = 6
"""Sample questions and options that are strung together to reach MMLU's lengths."""


@dataclass(frozen=True)
class Size:
    """The shape of a random-weight Llama.

    Attributes:
        name: What tables call it.
        vocab: Length of the logits vector.
        hidden: Width.
        inner: Width inside the MLP.
        layers: Number of layers.
        heads: Query heads.
        kv_heads: Key and value heads.
    """

    name: str
    vocab: int
    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int


SIZES = {
    size.name: size
    for size in (
        Size("s6m", 8_192, 256, 688, 4, 8, 4),
        Size("m80m", 32_000, 640, 1_728, 12, 10, 5),
        Size("v150k", 151_936, 512, 1_376, 8, 8, 4),
        Size("8b", 128_256, 4_096, 14_336, 32, 32, 8),
    )
}


@dataclass(frozen=True)
class Workload:
    """A model and what it is asked.

    Attributes:
        loaded: The model as the probe uses it.
        stock: The same weights, untouched, for what the probe is compared with.
        prompts: The questions.
        shots: Worked examples in every prompt.
    """

    loaded: LoadedModel
    stock: Any
    prompts: tuple[RenderedPrompt, ...]
    shots: int

    @property
    def lengths(self) -> str:
        """Tokens of the prompts and of the options, in words."""
        prompts = sorted(len(prompt.token_ids) for prompt in self.prompts)
        options = sorted(
            len(known.token_ids)
            for prompt in self.prompts
            for known in prompt.continuations
            if known.kind == "text"
        )
        return (
            f"{prompts[0]} to {prompts[-1]} tokens a prompt, {options[0]} to {options[-1]} "
            "an option"
        )


def workload(
    size: str,
    *,
    questions: int,
    shots: int,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
) -> Workload:
    """A model of a size and MMLU-style prompts for it."""
    shape = SIZES[size]
    tokenizer = filled_tokenizer(shape.vocab)
    fmt = load_format(f"mmlu-original:shots={shots}")
    source = str(QUESTIONS[-1][1])
    examples = lengthened(find_dev(source), shots)
    prompts = tuple(
        render(question, question.id, 0, fmt, tokenizer, shots=examples)
        for question in lengthened(load_questions(source), questions)
    )
    model = random_model(shape, dtype, device, prompts[0].token_ids)
    stock = copy.deepcopy(model)
    return Workload(describe(model, tokenizer, name=size), stock, prompts, shots)


def lengthened(questions: Sequence[Question], wanted: int) -> list[Question]:
    """Questions as long as MMLU's: each is several sample questions strung together."""
    made = []
    for at in range(wanted):
        parts = [questions[(at * 7 + part * 31) % len(questions)] for part in range(_STEMS)]
        texts = [option.text for part in parts for option in part.options]
        options = tuple(
            Option(
                label, " ".join(texts[(number + step * 5) % len(texts)] for step in range(_PHRASES))
            )
            for number, label in enumerate("ABCD")
        )
        stem = " ".join(part.text for part in parts)
        made.append(Question(stem, options, "ABCD"[at % 4], "made_up", "benchmark"))
    return made


@cache
def filled_tokenizer(vocab: int) -> Any:
    """The embedded model's tokenizer, with made-up tokens up to a vocabulary of ``vocab``."""
    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED_MODEL)
    tokenizer.add_tokens([f"<{number}>" for number in range(len(tokenizer), vocab)])
    tokenizer.chat_template = None
    return tokenizer


def random_model(shape: Size, dtype: torch.dtype, device: str, text: Sequence[int]) -> Any:
    """A Llama of this shape whose next-token entropy after ``text`` is about :data:`ENTROPY`."""
    config = LlamaConfig(
        vocab_size=shape.vocab,
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=4_096,
        bos_token_id=None,
        eos_token_id=None,
        dtype=dtype,
    )
    torch.manual_seed(0)
    with torch.device(device):
        model = LlamaForCausalLM._from_config(config, dtype=dtype).eval()
    _set_entropy(model, torch.tensor([list(text)], device=device))
    return model


@torch.inference_mode()
def _set_entropy(model: Any, ids: torch.Tensor) -> None:
    """Scale the final norm, and with it the logits."""
    logits = model(ids, logits_to_keep=1).logits[0, -1].float()
    low, high = 1e-3, 1e4
    for _ in range(60):
        scale = (low * high) ** 0.5
        logprobs = torch.log_softmax(logits * scale, -1)
        entropy = float(-(logprobs.exp() * logprobs).sum())
        low, high = (scale, high) if entropy > ENTROPY else (low, scale)
    model.model.norm.weight.mul_(low)
