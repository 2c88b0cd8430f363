"""Tiny random-weight models of many families, a tokenizer for them, and prompts to ask them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from engine.model import LoadedModel, describe
from engine.rendered import ForcedContinuation, RenderedPrompt, SpellingToken

VOCABULARY = 300
"""Length of the logits vectors; the tokenizer knows fewer ids."""
EOS, BOS = 0, 1

_ROTARY = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
}
_EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 32}

FAMILIES: dict[str, dict[str, Any]] = {
    "llama": _ROTARY,
    "qwen2": _ROTARY,
    "qwen3": _ROTARY,
    "mistral": _ROTARY | {"sliding_window": 9},
    "mistral-full": _ROTARY | {"sliding_window": None},
    "gemma2": _ROTARY | {"sliding_window": 9, "attn_logit_softcapping": 5.0},
    "gemma3_text": _ROTARY | {"sliding_window": 9, "num_hidden_layers": 7},
    "cohere2": _ROTARY | {"sliding_window": 9, "num_hidden_layers": 5},
    "gpt_oss": _ROTARY | {"sliding_window": 9, "num_local_experts": 4, "num_experts_per_tok": 2},
    "phi3": _ROTARY | {"pad_token_id": None},
    "olmo2": _ROTARY,
    "granite": _ROTARY | {"logits_scaling": 3.0, "attention_multiplier": 0.5},
    "mixtral": _ROTARY | {"num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen3_moe": _ROTARY | _EXPERTS | {"num_experts": 4},
    "smollm3": _ROTARY | {"pad_token_id": None},
    "gpt2": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 256},
    "gpt_neox": _ROTARY,
    "opt": {
        "hidden_size": 32,
        "ffn_dim": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "word_embed_proj_dim": 32,
        "max_position_embeddings": 256,
    },
    "falcon": {
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "alibi": False,
    },
    "bloom": {"hidden_size": 32, "n_layer": 3, "n_head": 4},
    "mamba": {"hidden_size": 32, "num_hidden_layers": 3, "state_size": 8},
    "qwen3_next": _ROTARY
    | _EXPERTS
    | {
        "num_experts": 4,
        "num_hidden_layers": 4,
        "linear_num_value_heads": 4,
        "linear_num_key_heads": 2,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "shared_expert_intermediate_size": 32,
    },
}
PLAIN = ("falcon", "bloom", "mamba", "qwen3_next")
"""Families that the shared plan doesn't serve."""


@cache
def _original(family: str, seed: int) -> Any:
    """A model with weights large enough that what it attends to matters."""
    torch.manual_seed(seed)
    kind = family.partition("-")[0]
    special = {"bos_token_id": BOS, "eos_token_id": EOS}
    options = {"vocab_size": VOCABULARY, "dtype": "float32"} | special | FAMILIES[family]
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **options)).eval()
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.dim() > 1 and "conv" not in name and "A_log" not in name:
                weights.normal_(0, 1.5 / weights.shape[-1] ** 0.5)
    return model


def tiny_model(family: str = "llama", seed: int = 0) -> Any:
    """A fresh copy of a family's tiny model, float32, in eval mode."""
    return copy.deepcopy(_original(family, seed))


def tiny_tokenizer(*, chat: bool = True) -> Any:
    """A byte-level tokenizer of 258 ids: end, begin, and the bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = ["<|end|>", "<|begin|>", *alphabet]
    backend = Tokenizer(models.BPE({name: at for at, name in enumerate(names)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|end|>", bos_token="<|begin|>"
    )
    if chat:
        tokenizer.chat_template = (
            "{% for m in messages %}<|begin|>{{ m['role'] }}: {{ m['content'] }}<|end|>"
            "{% endfor %}{% if add_generation_prompt %}<|begin|>assistant: {% endif %}"
        )
    return tokenizer


def tiny_loaded(family: str = "llama", seed: int = 0) -> LoadedModel:
    """A tiny model ready to be probed."""
    return describe(tiny_model(family, seed), tiny_tokenizer(), name=f"tiny {family}")


def save_tiny(folder: Path, family: str = "llama", seed: int = 0) -> Path:
    """Save a tiny model and its tokenizer like a downloaded one; returns the folder."""
    tiny_model(family, seed).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def made_up_ids(length: int, seed: int) -> tuple[int, ...]:
    """Ids of ordinary tokens, the same for the same arguments."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(2, 258, (length,), generator=generator).tolist())


def tiny_prompt(
    ids: Sequence[int],
    *,
    question_id: str = "q",
    order: int = 0,
    fmt: str = "low",
    labels: str = "ABCD",
    texts: Sequence[Sequence[int]] = ((70, 71, 72), (80,), (90, 91), (70, 71, 99, 100, 101)),
) -> RenderedPrompt:
    """A rendered prompt of given ids, whose labels are tokens 40, 41, ... of the vocabulary."""
    label_ids = tuple(40 + at for at in range(len(labels)))
    continuations = []
    for at, label in enumerate(labels):
        continuations.append(ForcedContinuation(label, "label", label, (label_ids[at],)))
        continuations.append(ForcedContinuation(label, "text", f"text {label}", tuple(texts[at])))
    return RenderedPrompt(
        question_id=question_id,
        format=fmt,
        order=order,
        labels=tuple(labels),
        text="made up",
        token_ids=tuple(ids),
        pieces=tuple(map(str, ids)),
        label_ids=label_ids,
        spellings=tuple(
            SpellingToken(label, f" {label}", 140 + at, True) for at, label in enumerate(labels)
        ),
        continuations=tuple(continuations),
        chat=False,
        shots=0,
        dropped_tokens=0,
        warnings=(),
    )


def tiny_prompts() -> list[RenderedPrompt]:
    """Prompts with a common beginning, different lengths and different numbers of options."""
    start = made_up_ids(20, 1)
    return [
        tiny_prompt((*start, *made_up_ids(length, 10 + at)), question_id=f"q{at}", order=at % 2)
        for at, length in enumerate((5, 23, 1, 12))
    ] + [tiny_prompt((*start, *made_up_ids(9, 30)), question_id="q4", labels="AB")]


@torch.no_grad()
def plain_logprobs(model: Any, ids: Sequence[int]) -> torch.Tensor:
    """Logprobs after every token of one text, from one forward pass of an untouched model."""
    return torch.log_softmax(model(torch.tensor([list(ids)])).logits[0].float(), -1)


transformers.utils.logging.set_verbosity_error()
