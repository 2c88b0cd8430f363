"""The one way in which scores of options become a reading."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.readings.reading import Reading, ReadingName


def argmax(
    name: ReadingName,
    labels: Sequence[str],
    scores: Sequence[float | None],
    *,
    position: int | None = None,
) -> Reading:
    """The first of the highest scores, with its softmax among them and the runner-up's distance.

    The softmax is shifted by the maximum, so that it neither overflows nor underflows to zeros.
    Options without a score are known to score less than those with one (an imported log, or a
    list of the likeliest tokens, names only the best): the option is right without them, but its
    confidence is not known then.

    Args:
        name: Of the reading.
        labels: Option labels in the order shown.
        scores: Logprobs or logits, one an option; at least one is not None.
        position: Number of the written token that they belong to.
    """
    known = [score for score in scores if score is not None]
    highest = max(known)
    rule = "tie" if known.count(highest) > 1 else "argmax"
    best = list(scores).index(highest)
    if len(known) < len(scores):
        return Reading(name, "option", label=labels[best], rule=rule, position=position)
    weights = [math.exp(score - highest) for score in known]
    total = math.fsum(weights)
    runner_up = max((w for place, w in enumerate(weights) if place != best), default=0.0)
    return Reading(
        name,
        "option",
        label=labels[best],
        confidence=weights[best] / total,
        margin=(weights[best] - runner_up) / total,
        rule=rule,
        position=position,
    )
