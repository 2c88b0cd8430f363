"""The pinned questions of the prompt lab as rows: what was said before, and what is said now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from tui import words
from tui.output import NOT_RECORDED

if TYPE_CHECKING:
    from engine.lab_figures import LabAnswer


class Said(NamedTuple):
    """What one prompt was answered, in the words of the lists.

    Attributes:
        first: The label that the first token says.
        text: What the greedy text says.
    """

    first: str
    text: str


class PinnedRow(NamedTuple):
    """One pinned question.

    Attributes:
        question_index: Place of the question in its source, from 0.
        order_index: Its option order.
        question: Its text, in one line.
        gold: Label of the right option; None where none is known.
        before: Answer to the stored prompt; None where it was not asked.
        now: Answer to the changed prompt; None where it is not there.
        waiting: Whether that answer is still to come.
    """

    question_index: int
    order_index: int
    question: str
    gold: str | None
    before: Said | None
    now: Said | None
    waiting: bool = False

    @property
    def flipped(self) -> tuple[bool, bool]:
        """Whether the first token says something else now, and whether the text does."""
        if self.before is None or self.now is None:
            return False, False
        return self.before.first != self.now.first, self.before.text != self.now.text

    @property
    def both(self) -> tuple[str, str]:
        """What first token and text say, before and now, as text."""
        one, other = self.before or (NOT_RECORDED,) * 2, self.now or (NOT_RECORDED,) * 2
        first, text = (
            now if before == now else f"{before} → {now}"
            for before, now in zip(one, other, strict=True)
        )
        return first, text


def pinned_rows(
    before: Sequence[LabAnswer], now: Sequence[LabAnswer], *, waiting: bool = False
) -> list[PinnedRow]:
    """A row for every question that the first trial has, in its order.

    Args:
        before: The answers that the others are compared with.
        now: The answers so far, in any order.
        waiting: Whether those that are missing are still to come.
    """
    later = {answer.key: answer for answer in now}
    rows = []
    for answer in before:
        changed = later.get(answer.key)
        rows.append(
            PinnedRow(
                *answer.key,
                words.one_line(answer.question),
                answer.gold,
                _said(answer),
                None if changed is None else _said(changed),
                waiting and changed is None,
            )
        )
    return rows


def _said(answer: LabAnswer) -> Said:
    text = words.answer(answer.text_status, answer.text_label)
    return Said(words.answer(None, answer.first_token), text)
