"""Questions: what a multiple-choice question is, and how files of them are read."""

from __future__ import annotations

import hashlib

import msgspec

LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Option(msgspec.Struct, frozen=True):
    """One option of a question.

    Attributes:
        label: What the option is called in the prompt, e.g. ``A``.
        text: The option's text, exactly as in the source.
        ordinal: Its place on the question's scale (surveys), None where it has none.
    """

    label: str
    text: str
    ordinal: float | None = None


class Question(msgspec.Struct, frozen=True):
    """One multiple-choice question.

    Attributes:
        text: The question itself, exactly as in the source.
        options: Two to 26 options with unique labels.
        gold: Label of the right option; None for questions without one (surveys).
        subject: Subject or topic, e.g. ``philosophy``.
        dataset: Where the question comes from, e.g. ``mmlu``.
    """

    text: str
    options: tuple[Option, ...]
    gold: str | None = None
    subject: str = ""
    dataset: str = ""

    @property
    def id(self) -> str:
        """Sixteen hex digits from dataset, subject, text, options and gold: stable across files."""
        parts = [self.dataset, self.subject, self.text, self.gold or ""]
        for option in self.options:
            parts += [option.label, option.text]
        return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).hexdigest()

    @property
    def labels(self) -> tuple[str, ...]:
        """The option labels in order."""
        return tuple(option.label for option in self.options)
