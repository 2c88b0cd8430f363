"""What a sampler made of a stored distribution, computed from what the store keeps.

Needs neither torch nor a model: the screens use it to show the probability after the sampler
beside the raw one, for tokens the sampler excluded as well as for those it kept.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from engine.records import SamplerSettings

_ROUNDING = 4e-7
"""Relative error of a logit put together from two stored float32 values."""

_STORED = 0.5e-4
"""Absolute error of a value that the store keeps with four decimals (schema.sql, positions)."""


def after_sampler(
    top_logprobs: Sequence[float],
    logsumexp: float,
    top_ids: Sequence[int],
    seen_ids: Collection[int],
    settings: SamplerSettings,
    sampler_logsumexp: float,
    cutoff: float,
) -> list[float | None]:
    """Logprobs after the sampler of one position's most likely tokens.

    Args:
        top_logprobs: Raw logprobs, as in ``Positions.top_logprobs``.
        logsumexp: The position's raw logsumexp: a logprob plus this is the raw logit.
        top_ids: The tokens' ids.
        seen_ids: Ids of the prompt and of the text before the position; used only with a
            repetition penalty.
        settings: The sampler's settings.
        sampler_logsumexp: The position's entry of ``Positions.sampler_logsumexps``.
        cutoff: The position's entry of ``Positions.sampler_cutoffs``.

    Returns:
        One logprob a token, None where the sampler excluded it. A token exactly at the cutoff
        was kept; values within the rounding of what is stored count as at it. At temperature 0
        only one token is kept: of several at the cutoff the largest, and of equal ones the first.
    """
    penalty = settings.repetition_penalty
    # Temperature 0 divides nothing, see engine.sampling.
    temperature = settings.temperature or 1.0
    seen = frozenset(seen_ids) if penalty != 1.0 else frozenset()
    scaled: list[float] = []
    result: list[float | None] = []
    for logprob, token in zip(top_logprobs, top_ids, strict=True):
        logit = logprob + logsumexp
        if token in seen:
            logit = logit / penalty if logit > 0 else logit * penalty
        scaled.append(logit / temperature)
        float32 = _ROUNDING * (abs(logprob) + abs(logsumexp))
        rounding = (float32 + 2 * _STORED) / temperature * max(penalty, 1.0 / penalty)
        kept = scaled[-1] >= cutoff - rounding - _STORED
        result.append(min(0.0, scaled[-1] - sampler_logsumexp) if kept else None)
    if settings.temperature == 0:
        largest = max(range(len(scaled)), key=scaled.__getitem__, default=None)
        return [after if at == largest else None for at, after in enumerate(result)]
    return result
