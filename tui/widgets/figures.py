"""Numbers as the screens write them: probabilities, logprobs and bars of eighth blocks."""

from __future__ import annotations

import math

NOT_RECORDED = "not recorded"

_ACROSS = " ▏▎▍▌▋▊▉█"
_UPWARDS = "▁▂▃▄▅▆▇█"


def percent(probability: float) -> str:
    """A probability in at most six cells; what is not 0 or 1 is never shown as 0 or 100 %."""
    if probability <= 0:
        return "0%"
    if probability < 0.0001:
        return "<0.01%"
    if 0.9995 <= probability < 1:
        return ">99.9%"
    digits = 2 if probability < 0.01 else 1
    return f"{100 * probability:.{digits}f}%"


def logprob_percent(logprob: float) -> str:
    """As :func:`percent`, for a natural logarithm."""
    return percent(math.exp(logprob))


def bar(share: float, cells: int) -> str:
    """A horizontal bar of ``share`` (0..1) of ``cells``, padded; anything above 0 shows."""
    eighths = min(8 * cells, max(round(share * cells * 8), 1 if share > 0 else 0))
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_ACROSS[rest] if rest else "")).ljust(cells)


def gauge(probability: float) -> str:
    """One glyph, ▁ to █, for a probability."""
    return _UPWARDS[min(7, int(probability * 8))]


def count(number: int, noun: str) -> str:
    """``1 token``, ``1,404 tokens``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
