"""What the trials of the prompt lab count as, and how far one lies from another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from engine.records import ReadingName


class LabAnswer(msgspec.Struct, frozen=True):
    """What one question of a trial was answered; columns of ``outcomes``, None as there.

    Attributes:
        question_index: Place of the question in its source, from 0.
        order_index: Its option order.
        question: Its text.
        gold: Label of the right option in this order.
        first_token: Label that the first token says.
        text_status: What the greedy text says: option, refusal, several, ...
        text_label: The option that it says.
        scored: What the reading says that the format is scored by.
        mismatch: As the flag.
        refusal: As the flag.
        off_option_top: As the flag.
    """

    question_index: int
    order_index: int
    question: str
    gold: str | None
    first_token: str | None
    text_status: str | None
    text_label: str | None
    scored: str | None
    mismatch: bool | None
    refusal: bool | None
    off_option_top: bool | None

    @property
    def key(self) -> tuple[int, int]:
        """What the same question has in another trial."""
        return self.question_index, self.order_index

    @property
    def text(self) -> tuple[str | None, str | None]:
        """What the greedy text says, whole."""
        return self.text_status, self.text_label


class Delta(msgspec.Struct, frozen=True):
    """How often something is so in two trials.

    Attributes:
        name: What is counted.
        before: How often in the first; None where it counts what changed.
        now: How often in the second.
        of: Questions that both trials could tell it of.
    """

    name: str
    before: int | None
    now: int
    of: int


Told = Callable[[LabAnswer], bool | None]


def _right(name: str) -> Told:
    """Whether an answer is the gold option; None without one."""

    def right(answer: LabAnswer) -> bool | None:
        return None if answer.gold is None else getattr(answer, name) == answer.gold

    return right


COUNTED: dict[str, Told] = {
    "right by first token": _right("first_token"),
    "right by text": _right("text_label"),
    "right by protocol": _right("scored"),
    "mismatch": lambda answer: answer.mismatch,
    "refusal": lambda answer: answer.refusal,
    "off-option top": lambda answer: answer.off_option_top,
}
CHANGED: dict[str, Callable[[LabAnswer], object]] = {
    "first token flipped": lambda answer: answer.first_token,
    "text flipped": lambda answer: answer.text,
}


def answers_of(
    cursor: DuckDBPyConnection, run_id: int, scored_by: ReadingName
) -> tuple[LabAnswer, ...]:
    """The answers of a run in the order they were stored.

    Args:
        cursor: On the store that holds the run.
        run_id: The run.
        scored_by: The reading that the run's one format is scored by.
    """
    names = [name for name in LabAnswer.__struct_fields__ if name != "scored"]
    rows = cursor.execute(
        f"SELECT {', '.join(names)}, scored.label FROM outcomes "
        "LEFT JOIN (SELECT probe_id, label FROM readings WHERE name = ?) scored USING (probe_id) "
        "WHERE run_id = ? ORDER BY probe_id",
        [scored_by, run_id],
    ).fetchall()
    return tuple(LabAnswer(**dict(zip(names, row, strict=False)), scored=row[-1]) for row in rows)


def deltas(before: Sequence[LabAnswer], now: Sequence[LabAnswer]) -> list[Delta]:
    """Compare two trials over the questions that both could ask.

    Labels are compared as they are: where two formats have other labels, all of them flipped.
    """
    earlier = {answer.key: answer for answer in before}
    pairs = [(earlier[answer.key], answer) for answer in now if answer.key in earlier]
    counted = []
    for name, told in COUNTED.items():
        known = [(told(one), told(other)) for one, other in pairs]
        both = [(one, other) for one, other in known if one is not None and other is not None]
        of = len(both)
        counted.append(
            Delta(name, sum(one for one, _ in both), sum(other for _, other in both), of)
        )
    for name, said in CHANGED.items():
        flipped = sum(said(one) != said(other) for one, other in pairs)
        counted.append(Delta(name, None, flipped, len(pairs)))
    return counted
