"""A stored prompt's answers beside those to the same prompt changed by hand: baseline and now."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from tui import words
from tui.output import NOT_RECORDED
from tui.widgets.figures import percent
from tui.widgets.token_text import TokenEntry, visible, visible_token

if TYPE_CHECKING:
    from engine.browse import ProbeView
    from engine.followups import Answered
    from engine.readings import Reading
    from engine.records import Distribution
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
        options: Probability of each label's token under the full softmax, by label.
        top: The likeliest first tokens made visible, with their probabilities.
        says: What the greedy text says, in a word.
        text: The greedy text made visible.
        warnings: Code and sentence of what is to be known about the prompt.
    """

    prompt_tokens: int | None = None
    ends: str = ""
    options: Mapping[str, float] = {}
    top: Sequence[tuple[str, float]] = ()
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
    return Side(
        len(view.prompt_ids) or None,
        _visible(view.prompt_ids[-LAST_TOKENS:], view.tokens),
        dict(view.row.option_probabilities),
        _top(view.first, view.tokens),
        _says(view.readings),
        "" if greedy is None else visible(greedy.text),
        view.warnings,
    )


def live_side(view: ProbeView, live: LiveProbe) -> Side:
    """What the model has said so far about a changed prompt."""
    written = live.token_ids[0] if live.token_ids else []
    return Side(
        options=_options(view.question.labels, live.label_logprobs),
        top=_top(live.first, live.tokens),
        text="".join(visible_token(each, live.tokens.get(each)) for each in written),
    )


def edited_side(edited: Answered) -> Side:
    """The whole answer to a changed prompt."""
    probe, vocabulary = edited.probe, edited.ready.vocabulary
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
        _says(probe.readings),
        "" if greedy is None else visible(greedy.text),
        [(warning.code, warning.message) for warning in prompt.warnings if warning.code != EDITED],
    )


def compare(view: ProbeView, before: Side, now: Side | None) -> list[Line]:
    """The figures of both prompts, line by line."""
    now = now or Side()
    texts = {option.label: words.one_line(option.text) for option in view.question.options}
    lines = [_tokens(before, now)]
    lines += [
        _share(f"{label} {texts.get(label, '')}".rstrip(), before.options.get(label),
               now.options.get(label))
        for label in view.question.labels
    ]  # fmt: skip
    lines.append(_share("other tokens", _others(before), _others(now)))
    for rank, (one, other) in enumerate(zip_longest(before.top, now.top), start=1):
        lines.append(Line(f"top token {rank}", _token(one), _token(other)))
    return lines


def _tokens(before: Side, now: Side) -> Line:
    both = before.prompt_tokens is not None and now.prompt_tokens is not None
    change = (now.prompt_tokens or 0) - (before.prompt_tokens or 0)
    return Line(
        "prompt tokens",
        _length(before) or NOT_RECORDED,
        _length(now),
        _signed(change, "d") if both else "",
    )


def _length(side: Side) -> str:
    """How long a prompt is and how it ends."""
    return "" if side.prompt_tokens is None else f"{side.prompt_tokens:,} … {side.ends}"


def _share(name: str, before: float | None, now: float | None) -> Line:
    return Line(
        name,
        NOT_RECORDED if before is None else percent(before),
        "" if now is None else percent(now),
        "" if before is None or now is None else _signed(100 * (now - before), ".1f"),
        (before, now),
    )


def _signed(value: float, form: str) -> str:
    written = format(abs(value), form)
    if not float(written):
        return "±0"
    return f"{'+' if value > 0 else '−'}{written}"


def _others(side: Side) -> float | None:
    """Probability of every first token that is no label."""
    return max(0.0, 1 - math.fsum(side.options.values())) if side.options else None


def _token(each: tuple[str, float] | None) -> str:
    return "" if each is None else f"“{each[0]}” {percent(each[1])}"


def _options(labels: Sequence[str], logprobs: Sequence[float | None]) -> dict[str, float]:
    pairs = zip(labels, logprobs, strict=False)
    return {label: math.exp(logprob) for label, logprob in pairs if logprob is not None}


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
