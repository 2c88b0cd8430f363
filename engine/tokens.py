"""Boundaries between prompt and answer: which tokens an answer has after this very prompt.

Unless a protocol wants it so, an answer is never tokenised alone: many tokenizers give it other
tokens at the start of a text than in the middle of one. Prompt and answer are tokenised together
and cut at the prompt's length, as lm-evaluation-harness does (``_encode_pair`` at 04e7442). Where
the prompt's own tokens change under that, the cut would hit the wrong place: then the answer gets
the tokens that it has after a line break, a bracket or a letter, and a warning says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from engine.errors import FormatError
from engine.records import ContinuationKind
from engine.rendered import ForcedContinuation, PromptWarning, SpellingToken

SPELLINGS = ("{}", " {}", "({}", " ({}", "**{}", " **{}", "{}.", "{})", " {}.", "\n{}")
"""How an option label may be written, besides these in lower case without decoration."""


class Tokenizer(Protocol):
    """The part of a transformers fast tokenizer that rendering needs."""

    bos_token_id: int | None

    def __hash__(self) -> int:
        """By identity."""

    def __call__(self, text: list[str], *, add_special_tokens: bool, verbose: bool) -> Any:
        """Token ids of each text under ``input_ids``."""

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        """The tokens as the vocabulary names them."""

    def get_vocab(self) -> dict[str, int]:
        """All tokens, as the vocabulary names them, with their ids."""

    def get_chat_template(self) -> str:
        """The chat template; raises ValueError where there is none."""

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any:
        """The conversation as text."""


class Joined(msgspec.Struct, frozen=True):
    """An answer's tokens after a prompt.

    Attributes:
        ids: The tokens; empty where nothing spells just this answer.
        merged: Whether the prompt's last tokens change when the answer follows, so that the
            tokenizer itself would never write prompt and ``ids`` in a row.
    """

    ids: tuple[int, ...]
    merged: bool


class Answers(msgspec.Struct, frozen=True):
    """All that one prompt's options become as tokens."""

    label_ids: tuple[int, ...]
    spellings: tuple[SpellingToken, ...]
    continuations: tuple[ForcedContinuation, ...]
    warnings: tuple[PromptWarning, ...]


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text, nothing added."""
    ids: list[list[int]] = tokenizer(list(texts), add_special_tokens=False, verbose=False)[
        "input_ids"
    ]
    return ids


@lru_cache(maxsize=4)
def leading_ids(tokenizer: Tokenizer) -> tuple[int, ...]:
    """The special tokens that the tokenizer itself puts before a text, e.g. the begin token."""
    bare = tokenizer(["a"], add_special_tokens=False, verbose=False)["input_ids"][0]
    full = tokenizer(["a"], add_special_tokens=True, verbose=False)["input_ids"][0]
    starts = (i for i in range(len(full)) if full[i : i + len(bare)] == bare)
    return tuple(full[: next(starts, 0)])


def join(
    tokenizer: Tokenizer, prompt: str, prompt_ids: Sequence[int], answers: Sequence[str]
) -> list[Joined]:
    """Tokenise each answer together with the prompt and cut at the prompt's length.

    Args:
        tokenizer: The model's tokenizer.
        prompt: The prompt's text.
        prompt_ids: ``encode`` of that text.
        answers: Texts that may follow it, their leading spaces included.
    """
    tail, tail_ids = _tail(tokenizer, prompt, prompt_ids)
    end = len(tail_ids)
    wholes = encode(tokenizer, [tail + answer for answer in answers])
    return [
        Joined(tuple(whole[end:]), merged=False)
        if whole[:end] == tail_ids and len(whole) > end
        else Joined(_elsewhere(tokenizer, answer), merged=True)
        for answer, whole in zip(answers, wholes, strict=True)
    ]


def _elsewhere(tokenizer: Tokenizer, answer: str) -> tuple[int, ...]:
    """The answer's tokens after the first text that does not merge with it."""
    for before in ("\n", "(", "x"):
        context, whole = encode(tokenizer, [before, before + answer])
        if whole[: len(context)] == context and len(whole) > len(context):
            return tuple(whole[len(context) :])
    return ()


def _tail(tokenizer: Tokenizer, prompt: str, prompt_ids: Sequence[int]) -> tuple[str, list[int]]:
    """The end of a prompt that alone decides how an answer is tokenised after it.

    Where no token of the vocabulary spans a line break and what follows it, the tokens after a
    break don't depend on those before. So the last line stands for the whole prompt; its own
    tokens are compared with the prompt's, and the whole prompt is taken where they differ.
    """
    start = max((found.start() for found in re.finditer(r"\n(?=\S)", prompt)), default=0)
    line = _line_break(tokenizer)
    if start and line:
        tail_ids = encode(tokenizer, [prompt[start:]])[0]
        own = tail_ids[len(line) :]
        if tail_ids[: len(line)] == line and own == list(prompt_ids[-len(own) :]):
            return prompt[start:], tail_ids
    return prompt, list(prompt_ids)


@lru_cache(maxsize=4)
def _line_break(tokenizer: Tokenizer) -> list[int]:
    """Tokens of a line break alone; none where a token spans one and the text after it.

    In byte-level vocabularies the characters Ċ, č, ĉ and Ġ stand for white space.
    """
    spans = re.compile(r"[\nĊ][^\sĊčĉĠ▁]")
    return [] if any(map(spans.search, tokenizer.get_vocab())) else encode(tokenizer, ["\n"])[0]


def tokenise_answers(
    tokenizer: Tokenizer,
    prompt: str,
    prompt_ids: Sequence[int],
    delimiter: str,
    options: Sequence[tuple[str, str]],
    *,
    separately: bool = False,
    labels_alone: bool = False,
) -> Answers:
    """Find the tokens of every option's label, text and label spellings after a prompt.

    Args:
        tokenizer: The model's tokenizer.
        prompt: The prompt's text, without special tokens that the tokenizer adds itself.
        prompt_ids: ``encode`` of that text.
        delimiter: What stands between prompt and answer.
        options: Label of each option and what is scored where its text is, in the order shown.
        separately: Whether labels and texts are tokenised alone, as lm-evaluation-harness did
            before its #531; spellings are those in context all the same.
        labels_alone: Whether a label's token at the first position is the last one of the label
            alone, special tokens included: ``tokenizer("A").input_ids[-1]`` of hendrycks/test#13.

    Raises:
        FormatError: A label or text has no tokens.
    """
    forced: list[tuple[str, ContinuationKind, str]] = []
    for label, text in options:
        forced += [(label, "label", delimiter + label), (label, "text", delimiter + text)]
    spelled = [(label, spelling) for label, _ in options for spelling in _spellings(label)]
    answers = list(dict.fromkeys([answer for *_, answer in forced + spelled]))
    joined = dict(zip(answers, join(tokenizer, prompt, prompt_ids, answers), strict=True))
    spellings = _first_tokens(spelled, joined)
    if separately:
        alone = encode(tokenizer, [answer for *_, answer in forced])
        joined = {
            answer: Joined(tuple(ids), merged=False)
            for (*_, answer), ids in zip(forced, alone, strict=True)
        }
    for label, kind, answer in forced:
        if not joined[answer].ids:
            raise FormatError(
                f"The {kind} of option {label} has no tokens of its own after this prompt.",
                "Change the end of the prompt or the delimiter.",
            )
    labels = [label for label, _ in options]
    if labels_alone:
        wholes = tokenizer(labels, add_special_tokens=True, verbose=False)["input_ids"]
        label_ids = {label: ids[-1] for label, ids in zip(labels, wholes, strict=True)}
    else:
        label_ids = {label: joined[delimiter + label].ids[0] for label in labels}
    return Answers(
        label_ids=tuple(label_ids.values()),
        spellings=spellings,
        continuations=tuple(
            ForcedContinuation(label, kind, answer, joined[answer].ids)
            for label, kind, answer in forced
        ),
        warnings=_warnings([answer for *_, answer in forced], joined, label_ids),
    )


def _spellings(label: str) -> list[str]:
    lower = label.lower()
    plain = [lower, f" {lower}"] if lower != label else []
    return [spelling.format(label) for spelling in SPELLINGS] + plain


def _first_tokens(
    spelled: Sequence[tuple[str, str]], joined: Mapping[str, Joined]
) -> tuple[SpellingToken, ...]:
    """One entry a label and token; spellings that no tokens spell here are left out."""
    found: dict[tuple[str, int], SpellingToken] = {}
    for label, spelling in spelled:
        ids = joined[spelling].ids
        if ids:
            token = SpellingToken(label, spelling, ids[0], whole=len(ids) == 1)
            found.setdefault((label, ids[0]), token)
    return tuple(found.values())


def _warnings(
    forced: Sequence[str], joined: Mapping[str, Joined], label_ids: Mapping[str, int]
) -> tuple[PromptWarning, ...]:
    warnings = []
    merged = [answer for answer in forced if joined[answer].merged]
    if merged:
        warnings.append(
            PromptWarning(
                "boundary-merge",
                f"The tokenizer would write the prompt's end differently with {merged[0]!r} after "
                "it, so the model sees tokens it was not trained on; end the prompt differently.",
            )
        )
    shared = [
        label for label, token in label_ids.items() if list(label_ids.values()).count(token) > 1
    ]
    if shared:
        warnings.append(
            PromptWarning(
                "multi-token-label",
                f"The labels {', '.join(shared)} begin with the same token here, so the first "
                "token can't tell them apart; compare their continuations or use other labels.",
            )
        )
    return tuple(warnings)
