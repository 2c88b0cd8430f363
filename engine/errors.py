"""Errors that a user can act on: one sentence that says what happened, one that says what to do."""

from __future__ import annotations


class LogitscopeError(Exception):
    """A problem the user can act on; shown as text, never as a traceback.

    Attributes:
        sentence: What is wrong, in one sentence that names the file, model or setting.
        hint: What to do next, in one sentence; empty where the sentence says it all.
    """

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.sentence} {self.hint}".strip()


class QuestionError(LogitscopeError):
    """A question file or a question in it can't be used."""


class FormatError(LogitscopeError):
    """A prompt format can't be loaded or rendered."""


class ModelError(LogitscopeError):
    """A model can't be found, loaded or run."""


class OutOfMemory(ModelError):  # noqa: N818
    """Not even the smallest piece of work fits into memory."""


class LogError(LogitscopeError):
    """A log of another tool can't be read: truncated, of another kind, or of a newer version."""


class StoreError(LogitscopeError):
    """A database can't be opened, read or written."""


class WorkerError(LogitscopeError):
    """The worker process failed or went away."""


class CancelledError(LogitscopeError):
    """What was asked for was cancelled before it came to anything."""
