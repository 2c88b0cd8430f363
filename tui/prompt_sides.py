"""Two prompts side by side: which part of one stands beside which part of the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.prompt_diff import Change, ChangeKind

CONTEXT = 2
"""Unchanged lines that are shown around every change."""


class Block(NamedTuple):
    """What belongs together, up to a line break that both prompts have."""

    changes: tuple[Change, ...]

    @property
    def changed(self) -> bool:
        """Whether the prompts differ here."""
        return any(change.kind != "same" for change in self.changes)

    def side(self, without: ChangeKind) -> list[Change]:
        """One prompt's part: all but what only the other one has."""
        return [change for change in self.changes if change.kind != without]


def blocks(changes: Sequence[Change]) -> list[Block]:
    """Cut two prompts into blocks that stand beside each other."""
    made: list[Block] = []
    pending: list[Change] = []
    for change in changes:
        if change.kind != "same":
            pending.append(change)
            continue
        for line in change.text.splitlines(keepends=True):
            pending.append(Change("same", line))
            if line.endswith("\n"):
                made.append(Block(tuple(pending)))
                pending = []
    return [*made, Block(tuple(pending))] if pending else made


def folded(made: Sequence[Block]) -> list[Block | int]:
    """The blocks near a change; a number stands for so many in a row that are far from any."""
    near = [
        any(other.changed for other in made[max(0, place - CONTEXT) : place + CONTEXT + 1])
        for place in range(len(made))
    ]
    shown: list[Block | int] = []
    for block, keep in zip(made, near, strict=True):
        if keep:
            shown.append(block)
        elif shown and isinstance(shown[-1], int):
            shown[-1] += 1
        else:
            shown.append(1)
    return shown
