"""The variants of a question that a reading answered: its option orders, or it and its changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engine.records import ReadingName
from engine.studies.report import quoted
from engine.studies.scope import TextSource, answers_view

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CONTENT = (
    "CASE WHEN status = 'refusal' OR label = refusal_label THEN 'refusal' "
    "ELSE coalesce(source_label, option_text, status) END"
)
"""What was chosen whatever its label: the option by its label in the source, or by its text where
it was added. An answer that names no option is a choice of its own, its status: several, unparsed,
... To refuse and to pick the option that is itself a refusal are the same (arXiv:2402.14499)."""

LETTER = "coalesce(label, status)"
"""The label that was chosen whatever stood behind it."""

_SOURCE = "(perturbation IS NULL AND order_index = 0)"


class Variants(NamedTuple):
    """A prompt format of a run, read in one way, over one kind of variants.

    Attributes:
        run_id: The run.
        format: Name of the prompt format.
        perturbation: How the questions were changed; None for their option orders. The variants of
            a change are the changed question and the question as it is in the source.
        reading: The way of reading.
        text: Who says what the greedy text says.
    """

    run_id: int
    format: str
    perturbation: str | None
    reading: ReadingName
    text: TextSource

    @property
    def title(self) -> str:
        """What plots call it."""
        changed = f":{self.perturbation}" if self.perturbation else ""
        return f"{self.run_id}:{self.format}{changed}:{self.reading}"

    @property
    def answers(self) -> str:
        """The answers, as FROM and WHERE over the columns of the view ``answers``."""
        return (
            f"FROM {answers_view(self.text)} "
            "JOIN (SELECT probe_id, refusal_label FROM probes) USING (probe_id) "
            f"WHERE run_id = {self.run_id} "
            f"AND format = {quoted(self.format)} AND reading = {quoted(self.reading)} "
            f"AND sample IS NULL AND {self._changed}"
        )

    @property
    def condition(self) -> str:
        """The probes of questions with at least two variants, over the view ``listing``."""
        return f"{self.with_answer('true')} AND {self.with_questions('count(*) > 1')}"

    def with_answer(self, condition: str) -> str:
        """The probes whose answer fulfils a condition."""
        return f"probe_id IN (SELECT probe_id {self.answers} AND {condition})"

    def with_questions(self, condition: str) -> str:
        """The probes whose question fulfils a condition on its answers together."""
        return (
            f"question_index IN (SELECT question_index {self.answers} "
            f"GROUP BY question_index HAVING {condition})"
        )

    @property
    def with_stable_questions(self) -> str:
        """The probes whose question is answered with the same content in every variant."""
        return self.with_questions(f"count(DISTINCT {CONTENT}) = 1")

    @property
    def compared_answer(self) -> str:
        """The other probes of questions that have an answer as they are in the source."""
        return f"NOT {_SOURCE} AND {self.with_questions(f'bool_or({_SOURCE})')}"

    @property
    def changed_answer(self) -> str:
        """Those of them that are answered with another content than in the source."""
        said = f"SELECT probe_id, question_index, {CONTENT} AS said {self.answers} AND"
        return (
            f"probe_id IN (SELECT a.probe_id FROM ({said} NOT {_SOURCE}) a "
            f"JOIN ({said} {_SOURCE}) b USING (question_index) WHERE a.said <> b.said)"
        )

    @property
    def _changed(self) -> str:
        if self.perturbation is None:
            return "perturbation IS NULL"
        return f"(perturbation = {quoted(self.perturbation)} OR {_SOURCE})"


class Answered(msgspec.Struct, frozen=True):
    """The answers to the variants of one question, in the order they were stored.

    Attributes:
        question_index: Its place in the source, from 0.
        subject: Its subject.
        question: Its text in the source.
        contents: :data:`CONTENT` of each variant.
        letters: :data:`LETTER` of each variant.
        labels: The label chosen; None where none was.
        golds: The gold label; None where the question has none.
        source: Which variant is the question as it is in the source; None where it has no answer.
    """

    question_index: int
    subject: str
    question: str
    contents: list[str]
    letters: list[str]
    labels: list[str | None]
    golds: list[str | None]
    source: int | None

    @property
    def stable(self) -> bool:
        """Whether every variant names the same content."""
        return len(set(self.contents)) == 1

    @property
    def changes(self) -> list[bool]:
        """Of every other variant, whether it differs from the question as it is in the source."""
        if self.source is None:
            return []
        original = self.contents[self.source]
        return [c != original for i, c in enumerate(self.contents) if i != self.source]


def variants_of(
    cursor: DuckDBPyConnection, run_id: int, readings: Sequence[ReadingName], text: TextSource
) -> Iterator[Variants]:
    """Every format, kind of variants and reading of a run, in the order they were stored."""
    kinds = cursor.execute(
        "SELECT format, perturbation FROM probes WHERE run_id = ? GROUP BY format, perturbation "
        "ORDER BY min(min(probe_id)) OVER (PARTITION BY format), "
        "perturbation IS NOT NULL, min(probe_id)",
        [run_id],
    ).fetchall()
    for fmt, perturbation in kinds:
        for reading in readings:
            yield Variants(run_id, fmt, perturbation, reading, text)


def answered(cursor: DuckDBPyConnection, variants: Variants) -> list[Answered]:
    """The questions that have at least two answered variants, in the order of the source."""
    found = cursor.execute(
        f"""
        SELECT question_index, any_value(subject), any_value(q.text),
               list({CONTENT} ORDER BY probe_id),
               list({LETTER} ORDER BY probe_id),
               list(label ORDER BY probe_id),
               list(gold ORDER BY probe_id),
               list_position(list({_SOURCE} ORDER BY probe_id), true) - 1
        FROM (SELECT * {variants.answers})
        JOIN (SELECT question_id, text FROM questions) q USING (question_id)
        GROUP BY question_index HAVING count(*) > 1 ORDER BY question_index
        """
    ).fetchall()
    return [Answered(*row) for row in found]
