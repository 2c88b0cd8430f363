"""Whether the same question gets the same answer again, and which labels are preferred."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

import msgspec

from engine.metrics.distributions import entropy


def choice_entropy(choices: Sequence[Hashable]) -> float:
    """Entropy of what one question was answered with in its variants, in nats.

    Over the options' content it is the consistency measure of arXiv:2402.14499 and 2404.08382, 0
    for an answer that never changes; over the letters it tells a model that keeps its letter from
    one that keeps its answer.

    Args:
        choices: One a variant; at least one.
    """
    return entropy(list(Counter(choices).values()))


def agreement(choices: Sequence[Hashable]) -> float:
    """Share of the variants that give the commonest answer."""
    return max(Counter(choices).values()) / len(choices)


class LabelRecall(msgspec.Struct, frozen=True):
    """How often a label is right, is chosen, and is chosen when it is right.

    Attributes:
        label: The label as shown.
        gold: Times it was the gold label.
        chosen: Times it was chosen.
        recall: Share of the times it was gold that it was chosen; None where it never was gold.
    """

    label: str
    gold: int
    chosen: int
    recall: float | None


def label_recalls(golds: Sequence[str], choices: Sequence[str | None]) -> list[LabelRecall]:
    """The recall of every label.

    Args:
        golds: The gold label, one a probe.
        choices: The label chosen; None where none was.
    """
    pairs = Counter(zip(golds, choices, strict=True))
    gold, chosen = Counter(golds), Counter(choice for choice in choices if choice is not None)
    return [
        LabelRecall(
            label,
            gold[label],
            chosen[label],
            pairs[label, label] / gold[label] if gold[label] else None,
        )
        for label in sorted({*gold, *chosen})
    ]


def r_std(recalls: Sequence[LabelRecall]) -> float | None:
    """Population standard deviation of the labels' recalls (Zheng et al., arXiv:2309.03882).

    0 for a model that prefers no position. Labels that never were gold have no recall and are left
    out.

    Returns:
        None with fewer than two recalls.
    """
    known = [each.recall for each in recalls if each.recall is not None]
    if len(known) < 2:
        return None
    mean = math.fsum(known) / len(known)
    return math.sqrt(math.fsum((recall - mean) ** 2 for recall in known) / len(known))
