"""What an importer makes of a log: a run that was made elsewhere, in the store's own records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from engine.protocol import VocabularyEntry
from engine.questions import Question
from engine.rows import RecordedProbe


class ImportedRun(msgspec.Struct, frozen=True):
    """One run of a log, whole.

    Attributes:
        name: What lists call it.
        model: What the log calls the model.
        source: The file or folder it came from.
        questions: Every question once, in the order of the log.
        probes: In the order of the log.
        settings: What the log says about how it was made, as JSON will hold it.
        tokens: What the token ids of the probes stand for, where the log has tokens: entry ``i``
            describes id ``i`` of this run alone (see :class:`TokenNumbers`).
        notes: Sentences a user should know: what was left out, and what the log does not hold.
    """

    name: str
    model: str
    source: str
    questions: Sequence[Question]
    probes: Sequence[RecordedProbe]
    settings: dict[str, object] = {}
    tokens: Sequence[VocabularyEntry] = ()
    notes: tuple[str, ...] = ()


class Importer(Protocol):
    """Reads logs of one kind. Nothing is stored before everything has been read."""

    def __call__(self, paths: Sequence[str]) -> list[ImportedRun]:
        """Read files or folders.

        Raises:
            LogError: One of them can't be read; the sentence names it and says why.
        """


class TokenNumbers:
    """Gives numbers to tokens that a log names by their text alone."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._raw: list[bytes] = []

    def number(self, raw: bytes) -> int:
        """The id of a token's bytes; the next free one where they are new."""
        if raw not in self._numbers:
            self._numbers[raw] = len(self._raw)
            self._raw.append(raw)
        return self._numbers[raw]

    def entries(self) -> list[VocabularyEntry]:
        """What every id stands for, in the order of the ids."""
        return [VocabularyEntry(raw.decode("utf-8", "replace"), raw, False) for raw in self._raw]

    def raw(self, token_id: int) -> bytes:
        """The bytes of an id."""
        return self._raw[token_id]
