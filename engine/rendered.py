"""What rendering returns: one prompt as the model receives it, with its tokens and warnings."""

from __future__ import annotations

from typing import Protocol

import msgspec

from engine.records import ContinuationKind


class Asked(Protocol):
    """A prompt as far as generating goes: its tokens, and what sampling noise depends on."""

    @property
    def question_id(self) -> str:
        """Id of the question in its source order."""

    @property
    def order(self) -> int:
        """Number of the option order."""

    @property
    def format(self) -> str:
        """Name of the prompt format."""

    @property
    def token_ids(self) -> tuple[int, ...]:
        """The tokens that the model receives."""


class PromptWarning(msgspec.Struct, frozen=True):
    """Something about a rendered prompt that changes or distorts what is measured.

    Attributes:
        code: A stable name, e.g. ``double-bos``.
        message: One sentence that names the problem and the fix.
    """

    code: str
    message: str


class SpellingToken(msgspec.Struct, frozen=True):
    """The first token of one spelling of an option label in this prompt's context."""

    label: str
    spelling: str
    token_id: int
    whole: bool


class ForcedContinuation(msgspec.Struct, frozen=True):
    """The tokens of one option as a continuation of this prompt, tokenised jointly with it."""

    label: str
    kind: ContinuationKind
    text: str
    token_ids: tuple[int, ...]


class RenderedPrompt(msgspec.Struct, frozen=True):
    """One prompt exactly as the model receives it.

    Attributes:
        question_id: The question it was made from.
        format: Name of the prompt format.
        order: Number of the option order; 0 is the order of the source.
        labels: Option labels as shown, in order.
        text: The whole prompt, chat template and special tokens included. Where tokens were cut
            to fit the window, it is the prompt before the cut.
        token_ids: The tokens that the model receives.
        pieces: The tokens as the tokenizer names them.
        label_ids: For each option, the token id its label has in this context.
        spellings: Every spelling of every label.
        continuations: Label and text of every option, as forced continuations.
        chat: Whether the tokenizer's chat template was used.
        shots: Number of worked examples that the prompt holds.
        dropped_tokens: Tokens cut to fit the window, from the side that the format says.
        warnings: What to know about this prompt.
    """

    question_id: str
    format: str
    order: int
    labels: tuple[str, ...]
    text: str
    token_ids: tuple[int, ...]
    pieces: tuple[str, ...]
    label_ids: tuple[int, ...]
    spellings: tuple[SpellingToken, ...]
    continuations: tuple[ForcedContinuation, ...]
    chat: bool
    shots: int
    dropped_tokens: int
    warnings: tuple[PromptWarning, ...]


class RecordedPrompt(msgspec.Struct, frozen=True):
    """The prompt of an imported log, as far as the log holds it; None where it does not.

    Attributes:
        format: What the log calls the way it asked.
        order: Number of the option order; 0 is the order of the source.
        text: The whole prompt.
        chat: Whether a chat template was used.
        shots: Number of worked examples that the prompt holds.
    """

    format: str
    order: int = 0
    text: str | None = None
    chat: bool | None = None
    shots: int | None = None


def opens_thinking(prompt: str | None) -> bool:
    """Whether a prompt ends in a think tag, so that what follows begins inside the block."""
    return prompt is not None and prompt.rstrip().endswith("<think>")
