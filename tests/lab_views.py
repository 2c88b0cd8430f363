"""Prompts with their vocabularies for tests of the lab's parts, without a tokenizer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from engine.rendered import ForcedContinuation, PromptWarning, RenderedPrompt
from tui.widgets.token_text import TokenEntry

SPECIAL = re.compile(r"<\|[a-z_]+\|>|<s>")
_PIECE = re.compile(r"<\|[a-z_]+\|>|<s>| ?\w+| ?[^\w\s]|\n|\s")

CHAT = (
    "<|im_start|>system\nYou answer with one letter.<|im_end|>\n<|im_start|>user\n"
    "Which planet is closest to the sun?\nA. Venus\nB. Mercury\nC. Mars\nD. Earth\n"
    "Answer:<|im_end|>\n<|im_start|>assistant\n"
)
RAW = (
    "<s>The following are multiple choice questions (with answers) about  astronomy.\n\n"
    "Which is a star?\nA. Vega\nB. Ceres\nC. Io\nD. Titan\nAnswer: A\n\n"
    "地球に一番近い星は? ما هو أقرب كوكب؟\nA. 金星\nB. 水星\nC. זהרה\nD. Марс\nAnswer:"
)


def made_prompt(
    text: str,
    *,
    delimiter: str = "",
    labels: Sequence[str] = "ABCD",
    shots: int = 0,
    dropped: int = 0,
    warnings: Sequence[PromptWarning] = (),
) -> tuple[RenderedPrompt, Mapping[int, TokenEntry]]:
    """A prompt whose tokens are its words, and its vocabulary."""
    pieces = _PIECE.findall(text)
    assert "".join(pieces) == text
    names = dict.fromkeys([*pieces, *(delimiter + label for label in labels)])
    ids = {piece: 100 + place for place, piece in enumerate(names)}
    tokens: dict[int, TokenEntry] = {
        ids[piece]: (piece, piece.encode(), bool(SPECIAL.fullmatch(piece))) for piece in names
    }
    label_ids = tuple(ids[delimiter + label] for label in labels)
    prompt = RenderedPrompt(
        question_id="1",
        format="mine",
        order=0,
        labels=tuple(labels),
        text=text,
        token_ids=tuple(ids[piece] for piece in pieces),
        pieces=tuple(pieces),
        label_ids=label_ids,
        spellings=(),
        continuations=tuple(
            ForcedContinuation(label, "label", delimiter + label, (token_id,))
            for label, token_id in zip(labels, label_ids, strict=True)
        ),
        chat="<|im_start|>" in text,
        shots=shots,
        dropped_tokens=dropped,
        warnings=tuple(warnings),
    )
    return prompt, tokens
