"""Tiny tokenizers of the common kinds, trained here in milliseconds."""

from __future__ import annotations

import json
from functools import cache

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TURNS = ("<|im_start|>", "<|im_end|>")

_CORPUS = [
    "The following are multiple choice questions with answers about philosophy.",
    "Question: What is the capital of France? Answer: A",
    "A. Paris B. London C. Rome D. Berlin Answer: B Answer: C Answer: D",
    "The answer is (A) and (B) or (C) (D) a b c d A B C D",
    "Please read the question below carefully and select ONE of the listed options.",
    "user assistant system Refused None NA 1 2 3 10 20",
] * 20


@cache
def byte_level(chat_template: str | None = None, bos: bool = False) -> PreTrainedTokenizerFast:
    """GPT-2's kind; with ``bos`` it puts a begin token before a text, as Llama 3 does."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=500,
        special_tokens=["<|begin|>", *TURNS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([text + "\n\n" for text in _CORPUS], trainer)
    return _wrapped(backend, "<|begin|>" if bos else None, chat_template)


@cache
def newline_merging() -> PreTrainedTokenizerFast:
    """A kind whose tokens span line breaks: the last line must not stand for the prompt."""
    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"\n\w+| ?\w+|\s|[^\w\s]+"), "isolated")
    trainer = BpeTrainer(vocab_size=400, special_tokens=["<unk>"], show_progress=False)
    backend.train_from_iterator(["A.\nAnswer:\nAnswer: (A) " + text for text in _CORPUS], trainer)
    return _wrapped(backend, None, None)


@cache
def metaspace(scheme: str = "first", chat_template: str | None = None) -> PreTrainedTokenizerFast:
    """SentencePiece's kind: words carry their space, a text gets a dummy one, and a begin token."""
    return _wrapped(_metaspace(scheme), "<s>", chat_template)


@cache
def llama_like() -> PreTrainedTokenizerFast:
    """Llama 2's kind: no words at all, spaces replaced, unknown bytes as tokens of their own."""
    trained = json.loads(_metaspace("always").to_str())["model"]
    vocab = dict(trained["vocab"])
    for byte in range(256):
        vocab.setdefault(f"<0x{byte:02X}>", len(vocab))
    merges = [tuple(merge) for merge in trained["merges"]]
    backend = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", byte_fallback=True))
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    backend.add_special_tokens(["<unk>", "<s>", "</s>"])
    return _wrapped(backend, "<s>", None)


def _metaspace(scheme: str) -> Tokenizer:
    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    backend.decoder = decoders.Metaspace(prepend_scheme=scheme)
    trainer = BpeTrainer(
        vocab_size=500, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False
    )
    backend.train_from_iterator([f"{text} \n" for text in _CORPUS], trainer)
    return backend


def _wrapped(
    backend: Tokenizer, bos: str | None, chat_template: str | None
) -> PreTrainedTokenizerFast:
    if bos is not None:
        backend.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A",
            pair=f"{bos} $A {bos} $B",
            special_tokens=[(bos, backend.token_to_id(bos))],
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=bos, chat_template=chat_template
    )
