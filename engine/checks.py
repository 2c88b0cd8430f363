"""Rules that say what distorts a measurement: every warning there is, and those about answers.

What can be seen in a prompt alone is told when it is rendered (:mod:`engine.chat`,
:mod:`engine.tokens`, :mod:`engine.prompt`); what shows only in the model's answer is told here.
``RULES`` explains both.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping

import msgspec

from engine.records import ProbeResult, ReadingName
from engine.rendered import PromptWarning, RenderedPrompt

HAS_MASS = 0.1
"""Probability from which a spelling counts as the model's own: one first token in ten."""

TIMES = 10
"""How many times the scored spelling's probability another one must have to be told. Models spread
some probability over all spellings; ten to one is none left for the scored one."""

NO_MASS = 2.0**-25
"""Half of the smallest float16 number: what is below becomes 0 in half precision, and an argmax
over zeros is the first option for every question."""

_THINK = ("<think", "[THINK]", "◁think▷", "<|channel|>", "<|begin_of_thought|>", "<reasoning")
"""How tokens begin that open a block of thinking."""

READS_LABELS = frozenset[ReadingName](
    {
        "first_token",
        "first_token_spellings",
        "first_nonblank",
        "vocab_argmax",
        "label_continuation",
    }
)
"""The readings that depend on the first token being a label."""


class Rule(msgspec.Struct, frozen=True):
    """What a warning means.

    Attributes:
        meaning: What is wrong, and why it matters.
        fix: What to do.
        note: Whether it is only to be known: nothing is wrong, and a check does not fail by it.
    """

    meaning: str
    fix: str
    note: bool = False


RULES: Mapping[str, Rule] = {
    # the prompt's text
    "trailing-space": Rule(
        "The prompt ends in a space. In most tokenizers a word carries its space, so after a "
        "space the model sees a label it was hardly trained on.",
        'Leave the space out; the delimiter puts one before the answer (`delimiter = "auto"`).',
    ),
    "edited": Rule(
        "The prompt was changed by hand, so it is not what the format makes.",
        "Nothing, if you meant it; save the change as a format to use it elsewhere.",
        note=True,
    ),
    # the chat template
    "no-chat-template": Rule(
        "The format wants a chat template and the tokenizer has none: the prompt is raw text.",
        "Set `chat = false` if that is what you want, or take the chat version of the model.",
    ),
    "system-folded": Rule(
        "The chat template takes no system turn; the system text opens the user turn.",
        "Move it into the user turn yourself, so that every model gets the same words.",
    ),
    "system-dropped": Rule(
        "The chat template drops the system text or rewrites it: the model does not see it as "
        "the format has it.",
        "Move the text into the user turn.",
    ),
    "text-stripped": Rule(
        "The chat template strips the blanks at the ends of a turn that the format put there.",
        "Leave them out of the format, or put what must end in a blank into `prefill`.",
    ),
    "user-rewritten": Rule(
        "The chat template changes the words of the user turn.",
        "Compare the prompt with the format, and leave out what the template changes.",
    ),
    "template-text": Rule(
        "The chat template adds a text of its own, usually a default system text.",
        "Give the format a system text, which replaces most defaults, or set `chat = false`.",
    ),
    "date-in-prompt": Rule(
        "The chat template writes today's date, so the same run gives another prompt tomorrow.",
        "Compare only runs of one day, or give the tokenizer a template without a date.",
    ),
    "fixed-date": Rule(
        "The chat template tells the model a date that stays the same whatever the day.",
        "Nothing, within one model; between models the date is one more difference.",
        note=True,
    ),
    "thinking-off": Rule(
        "The chat template lets the model think before it answers; it was told not to, so that "
        "the first token is the answer's.",
        "Nothing, for first tokens; with thinking the texts may differ.",
        note=True,
    ),
    "thinking-open": Rule(
        "The prompt ends inside a thinking block, so the first token begins a thought.",
        "Close the block with a prefill (`prefill = '</think>'`), or read the text instead.",
    ),
    # its tokens
    "double-bos": Rule(
        "The prompt begins with two begin tokens; models were trained with one.",
        "Leave the begin token out of the format or the chat template.",
    ),
    "no-bos": Rule(
        "The tokenizer puts a begin token before a text, and this prompt has none; some models "
        "fail without.",
        "Put the begin token at the head of the chat template or of the edited prompt.",
    ),
    "boundary-merge": Rule(
        "The tokenizer would write the prompt's end differently with an answer after it, so "
        "the model sees tokens it was not trained on.",
        "End the prompt differently: without a space, or with a whole word, colon or bracket.",
    ),
    "multi-token-label": Rule(
        "Several labels begin with the same token, so the first token can't tell them apart.",
        "Use other labels, or read `label_continuation`, which scores labels to their end.",
    ),
    # its length
    "shots-missing": Rule(
        "The format wants more worked examples than were found beside the questions.",
        "Put a dev file with enough questions of the subject there, or lower `shots`.",
    ),
    "shots-dropped": Rule(
        "Not all worked examples fit the model's window; the last ones were left out.",
        "Lower `shots`, or ask for fewer new tokens.",
    ),
    "truncated": Rule(
        "The prompt is longer than the model's window; its beginning was cut.",
        "Lower `shots`, ask for fewer new tokens, or take a model with a longer window.",
    ),
    "not-asked": Rule(
        "The question can't be asked in this format at all; a run would leave it out.",
        "Do what the message says.",
    ),
    # what the model answered
    "zero-probabilities": Rule(
        "Every label has probability 0, or all have the same: which one is taken is chance, and "
        "mostly it is the first option.",
        "Look at the labels' tokens and at the likeliest tokens; end the prompt so that a label "
        "can follow.",
    ),
    "spelling-without-mass": Rule(
        "The spelling of the labels that is scored has next to no probability, and another one "
        "has it: the answer is read off the wrong tokens.",
        "Score the likelier spelling: change `delimiter` or the end of the prompt, or read "
        "`first_token_spellings`.",
    ),
    "off-option-top": Rule(
        "The likeliest first token belongs to no option, so the labels are compared by what "
        "little probability is left.",
        "Ask more strictly for a letter, begin the answer with a `prefill`, or read the text.",
    ),
    "blank-first-token": Rule(
        "The model begins its answer with a blank, and the labels come after it.",
        "End the prompt with that blank and set `delimiter = ''`, or read `first_nonblank`.",
    ),
    "thinks-first": Rule(
        "The model begins by opening a thinking block, so the first token is no answer.",
        "Give it an empty block with a prefill (`prefill = '<think>\\n\\n</think>\\n\\n'`), or "
        "read the text.",
    ),
}
"""Every warning's code, what it means and what to do about it."""


def check_answer(
    prompt: RenderedPrompt,
    result: ProbeResult,
    piece: Callable[[int], str],
    scored_by: ReadingName = "first_token",
) -> list[PromptWarning]:
    """Find what in a model's answer says that the prompt does not measure what it should.

    Args:
        prompt: What the model was given.
        result: What it answered; rules whose input was not recorded say nothing.
        piece: The text of a token id, as of :class:`engine.protocol.VocabularyEntry`.
        scored_by: The reading that counts. All rules are about first tokens that should be
            labels, so where it reads something else there is nothing to say.

    Returns:
        One warning for each rule that is broken, the gravest first.
    """
    if scored_by not in READS_LABELS:
        return []
    return [
        *_zero_probabilities(prompt, result),
        *_other_spelling(prompt, result),
        *_top_token(prompt, result, piece, scored_by),
    ]


def _zero_probabilities(prompt: RenderedPrompt, result: ProbeResult) -> list[PromptWarning]:
    """Nothing to choose between labels by: all are (nearly) 0, NaN, or all exactly the same."""
    logprobs = [logprob for logprob in result.label_logprobs if logprob is not None]
    if len(logprobs) < 2 or len(logprobs) != len(result.label_logprobs):
        return []
    message = ""
    if not any(math.exp(logprob) >= NO_MASS for logprob in logprobs):
        message = (
            f"All {len(logprobs)} labels have probability 0 as the first token, so their order "
            "says nothing; end the prompt so that a label can follow, or read the text."
        )
    elif len(set(logprobs)) == 1 and len(set(prompt.label_ids)) > 1:
        message = (
            f"All {len(logprobs)} labels have the same probability as the first token "
            f"({_percent(math.exp(logprobs[0]))}), so the first option is taken whatever the "
            "question; look at the model and at the labels' tokens."
        )
    return [PromptWarning("zero-probabilities", message)] if message else []


def _other_spelling(prompt: RenderedPrompt, result: ProbeResult) -> list[PromptWarning]:
    """Another way to write the labels is far likelier than the one that is scored."""
    scored, others = _label_mass(prompt, result), _other_masses(prompt, result)
    if scored is None or not others:
        return []
    likeliest, mass = max(others.items(), key=lambda item: item[1])
    if mass < HAS_MASS or mass < TIMES * scored:
        return []
    own = next(answer.text for answer in prompt.continuations if answer.kind == "label")
    return [
        PromptWarning(
            "spelling-without-mass",
            f"Scored as {own!r}, the labels together have {_percent(scored)}, but spelled "
            f"{likeliest!r} they have {_percent(mass)}; {_how_to_score(prompt, own, likeliest)}.",
        )
    ]


def _how_to_score(prompt: RenderedPrompt, own: str, likeliest: str) -> str:
    """What makes the likelier spelling the scored one."""
    label = likeliest.lstrip()
    blanks = likeliest.removesuffix(label)
    if blanks and prompt.text.endswith(blanks):
        return f"leave the {blanks!r} that ends the prompt to the answer"
    if label == own.lstrip():
        return f"set delimiter = {blanks!r}"
    return "change labels or label_style to that, or read first_token_spellings"


def _top_token(
    prompt: RenderedPrompt,
    result: ProbeResult,
    piece: Callable[[int], str],
    scored_by: ReadingName,
) -> list[PromptWarning]:
    """The likeliest first token is no label: a blank, the beginning of a thought, or another."""
    if not result.first.top_ids:
        return []
    top, logprob = result.first.top_ids[0], result.first.top_logprobs[0]
    labels = {spelling.token_id for spelling in result.spellings if spelling.whole}
    if top in labels.union(prompt.label_ids):
        return []
    text = piece(top) or f"id {top}"
    blank = not text.strip()
    if blank and scored_by == "first_nonblank":
        return []
    mass = _label_mass(prompt, result)
    left = "" if mass is None else f", the labels' tokens have {_percent(mass)}"
    what = f"The likeliest first token is {text!r} ({_percent(math.exp(logprob))}){left}"
    if blank:
        fix = f"end the prompt with {text!r} and set delimiter = '', or read first_nonblank"
        return [PromptWarning("blank-first-token", f"{what}; {fix}.")]
    if text.strip().startswith(_THINK):
        fix = "prefill an empty thinking block, or read the text"
        return [PromptWarning("thinks-first", f"{what}; {fix}.")]
    begun = [s.spelling for s in result.spellings if s.token_id == top and not s.whole]
    fix = "ask more strictly for a letter, begin the answer with a prefill, or read the text"
    if begun:
        fix = f"it may begin {begun[0]!r}: end the prompt with {text!r}"
    return [PromptWarning("off-option-top", f"{what}; {fix}.")]


def _label_mass(prompt: RenderedPrompt, result: ProbeResult) -> float | None:
    """Probability of the labels' own tokens together, each token once; None if not recorded."""
    if len(result.label_logprobs) != len(prompt.label_ids):
        return None
    found = dict(zip(prompt.label_ids, result.label_logprobs, strict=True))
    logprobs = [logprob for logprob in found.values() if logprob is not None]
    return math.fsum(map(math.exp, logprobs)) if len(logprobs) == len(found) else None


def _other_masses(prompt: RenderedPrompt, result: ProbeResult) -> dict[str, float]:
    """Probability of each way to spell a whole label with other tokens than are scored.

    All labels together, each token once, under the way the first label is spelled; a way that
    few labels have a token for counts what it has.
    """
    ways: dict[str, dict[int, float]] = defaultdict(dict)
    first = prompt.labels[0] if prompt.labels else ""
    for spelling in result.spellings:
        if spelling.whole and spelling.token_id not in prompt.label_ids:
            exact = spelling.label in spelling.spelling
            label, shown = (
                (spelling.label, first) if exact else (spelling.label.lower(), first.lower())
            )
            way = spelling.spelling.replace(label, shown, 1)
            ways[way][spelling.token_id] = math.exp(spelling.logprob)
    return {way: math.fsum(tokens.values()) for way, tokens in ways.items()}


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
