"""The texts of a probe as a tree: which one each was made from, where it leaves it, what it says.

Greedy text and samples are the roots; a branch hangs under the text that it leaves. A sample is
compared with the greedy text, a branch with the text it leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tui import words
from tui.alignment import first_divergence
from tui.output import NOT_RECORDED
from tui.widgets.figures import logprob_percent
from tui.widgets.token_text import visible, visible_token

if TYPE_CHECKING:
    from engine.browse import ProbeView
    from engine.readings import Reading
    from engine.records import Generation

TEXT_READINGS = frozenset({"sample_text", "extra_text", "branch_text"})
"""Readings of one text other than the greedy one; ``sample`` says which."""


class TreeRow(NamedTuple):
    """One text in the tree.

    Attributes:
        text: The text.
        rail: What leads to it from the text above.
        name: What it is; of a branch the token taken and its probability.
        says: What its reading says.
        words: The text made visible; of a branch what follows from the fork on.
    """

    text: Generation
    rail: str
    name: str
    says: str
    words: str

    @property
    def label(self) -> str:
        """Rail and name, and of a branch the number of the token at which it leaves, from 1."""
        at = "" if self.text.fork is None else f"at {self.text.fork + 1} "
        return f"{self.rail}{at}{self.name}"


class Texts:
    """The texts of one probe.

    Attributes:
        greedy: The greedy text; None where there is none.
        samples: Those of the run, then those drawn by hand, in the order of their numbers.
        branches: In the order in which they were made.
    """

    def __init__(self, view: ProbeView | None = None) -> None:
        texts = () if view is None else view.generations
        self._tokens = {} if view is None else view.tokens
        self._readings: Sequence[Reading] = () if view is None else view.readings
        self._by_index = {text.index: text for text in texts}
        self.greedy = self._by_index.get(0)
        self.samples = [text for text in texts if text.index > 0]
        self.branches = [text for text in texts if text.index < 0]
        self._extra = sum(text.kind == "extra" for text in self.samples)

    @property
    def compared(self) -> list[Generation]:
        """Every text that is compared with another one."""
        return [*self.samples, *self.branches]

    def get(self, index: int) -> Generation | None:
        """The text with an index."""
        return self._by_index.get(index)

    def parent(self, text: Generation) -> Generation | None:
        """The text that a text is compared with."""
        if text.index == 0:
            return None
        return self.greedy if text.parent is None else self.get(text.parent)

    def divergence(self, text: Generation) -> int | None:
        """Number of the first token that is not its parent's; None where they are the same."""
        parent = self.parent(text)
        if parent is None:
            return None
        if text.fork is not None:
            return text.fork
        return first_divergence(parent.positions.token_ids, text.positions.token_ids)

    def origin(self, text: Generation, position: int) -> Generation:
        """The text that a branch at this place leaves: what comes before a fork is the parent's."""
        while text.fork is not None and position <= text.fork:
            parent = self.parent(text)
            if parent is None:
                break
            text = parent
        return text

    def branch_at(self, parent: Generation, position: int, token_id: int) -> Generation | None:
        """The branch that takes this token at this place, if there is one already."""
        return next(
            (
                text
                for text in self.branches
                if (text.parent, text.fork) == (parent.index, position)
                and text.positions.token_ids[position] == token_id
            ),
            None,
        )

    def reading(self, text: Generation) -> Reading | None:
        """What was read out of a text."""
        sample = text.index or None
        return next(
            (
                reading
                for reading in self._readings
                if reading.sample == sample
                and (reading.name == "greedy_text" if sample is None else True)
            ),
            None,
        )

    def says(self, text: Generation) -> str:
        """What a text says, in a word."""
        reading = self.reading(text)
        return NOT_RECORDED if reading is None else words.answer(reading.status, reading.label)

    def title(self, text: Generation) -> str:
        """What a text is, and of how many."""
        run = len(self.samples) - self._extra
        if text.kind == "sample":
            return f"sample {text.index} of {run}"
        if text.kind == "extra":
            return f"extra sample {text.index} of {run} + {self._extra}"
        return name_of(text)

    def tree(self) -> list[TreeRow]:
        """Every text, each branch under the text it leaves, in the order of the forks."""
        roots = [text for text in (self.greedy, *self.samples) if text is not None]
        known = set(self._by_index)
        roots += [text for text in self.branches if text.parent not in known]
        return [row for root in roots for row in self._rows(root, "", "")]

    def _rows(self, text: Generation, rail: str, below: str) -> Iterator[TreeRow]:
        """A text and what hangs under it.

        Args:
            text: The text.
            rail: What leads to it.
            below: What leads past it to the texts under it.
        """
        yield TreeRow(text, rail, self._name(text), self.says(text), self._words(text))
        children = sorted(
            (each for each in self.branches if each.parent == text.index),
            key=lambda each: (each.fork or 0, -each.index),
        )
        for child in children:
            last = child is children[-1]
            yield from self._rows(
                child, below + ("└ " if last else "├ "), below + ("  " if last else "│ ")
            )

    def _name(self, text: Generation) -> str:
        if text.fork is None:
            return name_of(text)
        positions = text.positions
        taken = positions.token_ids[text.fork]
        token = visible_token(taken, self._tokens.get(taken))
        return f"“{token}” {logprob_percent(positions.logprobs[text.fork])}"

    def _words(self, text: Generation) -> str:
        if text.fork is None:
            return visible(text.text)
        ids = text.positions.token_ids[text.fork :]
        return "…" + "".join(visible_token(each, self._tokens.get(each)) for each in ids)


def name_of(text: Generation) -> str:
    """What a text is called, e.g. ``extra sample 9``."""
    if text.kind == "greedy":
        return "greedy"
    kind = "extra sample" if text.kind == "extra" else text.kind
    return f"{kind} {abs(text.index)}"
