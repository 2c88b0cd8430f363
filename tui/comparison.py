"""The answers to two prompts of one question side by side: baseline and now."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from tui import words
from tui.output import NOT_RECORDED
from tui.widgets.figures import percent
from tui.widgets.token_text import TokenEntry, visible, visible_token

if TYPE_CHECKING:
    from engine.browse import ProbeView
    from engine.protocol import VocabularyEntry
    from engine.readings import Reading
    from engine.records import Distribution
    from engine.rendered import PromptWarning
    from engine.store import StoredProbe
    from tui.live_probe import LiveProbe

TOP_TOKENS = 3
"""Likeliest first tokens that are compared."""
LAST_TOKENS = 2
"""Tokens of the prompt's end that are shown: there one blank changes everything."""

EDITED = "edited"
"""The warning that every prompt changed by hand has; who changes one knows."""


class Side(NamedTuple):
    """What is known of one prompt and its answers; None and empty for what is not known.

    Attributes:
        prompt_tokens: How many tokens the prompt has.
        ends: Its last tokens made visible.
        options: Each label, in the order shown, with the probability of its token under the full
            softmax; None for one that is not recorded.
        top: The likeliest first tokens made visible, with their probabilities.
        entropy: Of the first token, in nats.
        says: What the greedy text says, in a word.
        text: The greedy text made visible.
        warnings: Code and sentence of what is to be known about the prompt.
    """

    prompt_tokens: int | None = None
    ends: str = ""
    options: Sequence[tuple[str, float | None]] = ()
    top: Sequence[tuple[str, float]] = ()
    entropy: float | None = None
    says: str = ""
    text: str = ""
    warnings: Sequence[tuple[str, str]] = ()


class Line(NamedTuple):
    """One figure of both prompts.

    Attributes:
        name: What it is.
        before: Of the stored prompt.
        now: Of the changed one; empty while it is not known.
        change: By how much it moved, percentage points for probabilities.
        shares: The probabilities themselves, for bars; None where it is none, or not known.
    """

    name: str
    before: str
    now: str = ""
    change: str = ""
    shares: tuple[float | None, float | None] = (None, None)


def stored_side(view: ProbeView) -> Side:
    """What is stored of a probe."""
    greedy = next((text for text in view.generations if text.kind == "greedy"), None)
    shares = dict(view.row.option_probabilities)
    return Side(
        len(view.prompt_ids) or None,
        _visible(view.prompt_ids[-LAST_TOKENS:], view.tokens),
        [(label, shares.get(label)) for label in view.question.labels],
        _top(view.first, view.tokens),
        None if view.first is None else view.first.entropy,
        _says(view.readings),
        "" if greedy is None else visible(greedy.text),
        view.warnings,
    )


def live_side(labels: Sequence[str], live: LiveProbe) -> Side:
    """What the model has said so far about a changed prompt."""
    written = live.token_ids[0] if live.token_ids else []
    return Side(
        options=_options(labels, live.label_logprobs),
        top=_top(live.first, live.tokens),
        entropy=None if live.first is None else live.first.entropy,
        text="".join(visible_token(each, live.tokens.get(each)) for each in written),
    )


def probed_side(
    probe: StoredProbe,
    vocabulary: Sequence[VocabularyEntry],
    found: Sequence[PromptWarning] = (),
) -> Side:
    """The whole answer to a prompt.

    Args:
        probe: Prompt, result and readings.
        vocabulary: What token ids stand for.
        found: What is to be known besides the prompt's own warnings.
    """
    prompt, result = probe.prompt, probe.result
    shown = {*prompt.token_ids[-LAST_TOKENS:], *result.first.top_ids[:TOP_TOKENS]}
    tokens: dict[int, TokenEntry] = {
        each: (vocabulary[each].piece, vocabulary[each].raw, vocabulary[each].special)
        for each in shown
    }
    greedy = next((text for text in result.generations if text.kind == "greedy"), None)
    return Side(
        len(prompt.token_ids),
        _visible(prompt.token_ids[-LAST_TOKENS:], tokens),
        _options(prompt.labels, result.label_logprobs),
        _top(result.first, tokens),
        result.first.entropy,
        _says(probe.readings),
        "" if greedy is None else visible(greedy.text),
        [
            (warning.code, warning.message)
            for warning in (*prompt.warnings, *found)
            if warning.code != EDITED
        ],
    )


def compare(texts: Sequence[str], before: Side, now: Side | None) -> list[Line]:
    """The figures of both prompts, line by line.

    Args:
        texts: The options in the order shown.
        before: The baseline.
        now: What it is compared with; None while nothing is known of it.
    """
    now = now or Side()
    lines = [_length_line(before, now)]
    pairs = zip_longest(before.options, now.options)
    for text, (one, other) in zip(texts, [*pairs, *[(None, None)] * len(texts)], strict=False):
        label = " → ".join(dict.fromkeys(each[0] for each in (one, other) if each is not None))
        shares = [each and each[1] for each in (one, other)]
        lines.append(_share(f"{label} {words.one_line(text)}".strip(), before, now, *shares))
    lines.append(_share("other tokens", before, now, _others(before), _others(now)))
    lines.append(_entropy_line(before, now))
    for rank, (first, second) in enumerate(zip_longest(before.top, now.top), start=1):
        lines.append(Line(f"top token {rank}", _token(first), _token(second)))
    return lines


def _length_line(before: Side, now: Side) -> Line:
    both = before.prompt_tokens is not None and now.prompt_tokens is not None
    change = (now.prompt_tokens or 0) - (before.prompt_tokens or 0)
    lacks = NOT_RECORDED if before.options else ""
    return Line(
        "prompt tokens",
        _length(before) or lacks,
        _length(now),
        _signed(change, "d") if both else "",
    )


def _length(side: Side) -> str:
    """How long a prompt is and how it ends."""
    return "" if side.prompt_tokens is None else f"{side.prompt_tokens:,} … {side.ends}"


def _share(
    name: str, before: Side, now: Side, share: float | None, new_share: float | None
) -> Line:
    known = share is not None and new_share is not None
    change = _signed(100 * (new_share - share), ".1f") if known else ""  # type: ignore[operator]
    return Line(
        name,
        _figure(before, share, percent),
        _figure(now, new_share, percent),
        change,
        (share, new_share),
    )


def _entropy_line(before: Side, now: Side) -> Line:
    one, other = before.entropy, now.entropy
    change = "" if one is None or other is None else _signed(other - one, ".2f")
    return Line("entropy, nats", _figure(before, one, _nats), _figure(now, other, _nats), change)


def _nats(entropy: float) -> str:
    return f"{entropy:.2f}"


def _figure(side: Side, value: float | None, written: Callable[[float], str]) -> str:
    """A figure of a side, of which nothing at all may be known yet."""
    if value is not None:
        return written(value)
    return NOT_RECORDED if side.options else ""


def _signed(value: float, form: str) -> str:
    written = format(abs(value), form)
    if not float(written):
        return "±0"
    return f"{'+' if value > 0 else '−'}{written}"


def _others(side: Side) -> float | None:
    """Probability of every first token that is no label."""
    shares = [share for _, share in side.options if share is not None]
    return max(0.0, 1 - math.fsum(shares)) if shares else None


def _token(each: tuple[str, float] | None) -> str:
    return "" if each is None else f"“{each[0]}” {percent(each[1])}"


def _options(
    labels: Sequence[str], logprobs: Sequence[float | None]
) -> list[tuple[str, float | None]]:
    pairs = zip(labels, logprobs, strict=False)
    return [(label, None if logprob is None else math.exp(logprob)) for label, logprob in pairs]


def _top(first: Distribution | None, tokens: Mapping[int, TokenEntry]) -> list[tuple[str, float]]:
    if first is None:
        return []
    likeliest = zip(first.top_ids[:TOP_TOKENS], first.top_logprobs, strict=False)
    return [(visible_token(each, tokens.get(each)), math.exp(share)) for each, share in likeliest]


def _visible(token_ids: Sequence[int], tokens: Mapping[int, TokenEntry]) -> str:
    return " ".join(f"“{visible_token(each, tokens.get(each))}”" for each in token_ids)


def _says(readings: Sequence[Reading]) -> str:
    reading = next((each for each in readings if each.name == "greedy_text"), None)
    return NOT_RECORDED if reading is None else words.answer(reading.status, reading.label)
