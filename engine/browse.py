"""Reading the store for people: lists, windows and single probes. Screens and CLI share it."""

from __future__ import annotations

import msgspec

from engine.questions import Question
from engine.readings import Reading
from engine.records import Continuation, Generation, ModelInfo, Spelling


class RunRow(msgspec.Struct, frozen=True):
    """One run as lists show it."""

    run_id: int
    kind: str
    name: str
    model: str
    source: str
    formats: tuple[str, ...]
    orders: int
    planned: int
    stored: int
    status: str
    started_at: str
    message: str | None


class ListRow(msgspec.Struct, frozen=True):
    """One probe as the question list shows it; None is "not recorded"."""

    probe_id: int
    question_index: int
    question_id: str
    subject: str
    question: str
    format: str
    order_index: int
    gold: str | None
    first_token: str | None
    first_probability: float | None
    margin: float | None
    entropy: float | None
    vocab_token: str | None
    continuation: str | None
    text_status: str | None
    text_label: str | None
    majority: str | None
    majority_status: str | None
    sample_agreement: float | None
    flags: tuple[str, ...]
    marked: bool
    option_probabilities: tuple[tuple[str, float], ...]
    """Label and full-softmax probability of each option's token, for the preview."""
    top_tokens: tuple[tuple[str, float], ...]
    """Text and probability of the few likeliest first tokens, for the preview."""
    sample_count: int | None = None
    """Number of samples that ``sample_agreement`` is a share of."""
    greedy_text: str | None = None
    """What the model wrote, for the preview."""


class ProbeView(msgspec.Struct, frozen=True):
    """One stored probe, whole: what the question screen shows."""

    row: ListRow
    run: RunRow
    question: Question
    """In the order shown, labels as shown."""
    permutation: tuple[int, ...]
    model: ModelInfo | None
    prompt: str
    prompt_ids: tuple[int, ...]
    label_ids: tuple[int, ...]
    chat: bool
    shots: int
    dropped_tokens: int
    warnings: tuple[tuple[str, str], ...]
    vocab_size: int | None
    spellings: tuple[Spelling, ...]
    continuations: tuple[Continuation, ...]
    generations: tuple[Generation, ...]
    readings: tuple[Reading, ...]
    override: Reading | None
    sampler: dict[str, float]
    """temperature, top_p, top_k, repetition_penalty of the run."""
    tokens: dict[int, tuple[str | None, bytes, bool]]
    """Piece, raw bytes and special for every token id that occurs in the probe."""
