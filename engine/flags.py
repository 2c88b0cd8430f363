"""The named flags: defined disagreements and events between the readings of one probe.

Each flag is one SQL expression over the columns that :data:`engine.store` gathers for a probe
(view ``outcome_rows``); the expression is the definition and stands nowhere else. A flag is NULL
where it has no meaning or what it needs was not recorded, and NULL is never counted as False.

Columns that the expressions see, all NULL where not recorded:

``first_token`` label of the restricted argmax; ``margin`` its distance to the runner-up, restricted
to the options; ``vocab_status`` and ``vocab_argmax``: ``option`` and the label that the
vocabulary's likeliest token spells, ``unparsed`` and NULL where it spells none; ``text_status`` and
``text_label`` of the greedy text (a manual override wins); ``gold``; ``refusal_label`` the option
that is itself a refusal; ``majority_status`` and ``majority`` over the samples; ``tied`` whether
two options share the highest first-token logprob exactly; ``hedged`` whether the greedy text
hedges; ``least_margin`` the smallest distance of the two likeliest tokens anywhere in the greedy
text, in nats; ``dtype`` the number format that the model computed in; ``label_logprob`` the
highest logprob of the labels' own tokens as the first one, ``other_spelling_logprob`` that of any
other token that spells a whole label ("A" where " A" is scored).
"""

from __future__ import annotations

import re

import msgspec

LOW_MARGIN = 0.1
"""Restricted probability between the two likeliest options under which ``low_margin`` is up."""

NEAR_TIE = {"float64": 1e-9, "float32": 1e-4, "float16": 0.03, "bfloat16": 0.25}
"""Nats by which rounding alone was seen to move the distance of two logprobs, with some room, when
a question goes from one batch to another: that of float32 moves by up to 3e-5, of bfloat16 by up
to 0.24."""
_ROUNDING = " ".join(f"WHEN '{dtype}' THEN {nats!r}" for dtype, nats in NEAR_TIE.items())


class Flag(msgspec.Struct, frozen=True):
    """One flag.

    Attributes:
        name: Its column in ``outcomes``.
        title: What a tab or column header says.
        description: One sentence for help texts.
        expression: Its definition in SQL.
        source: Where the definition comes from.
    """

    name: str
    title: str
    description: str
    expression: str
    source: str


_DECIDED = re.compile(r"\btext_(status|label)\b")


def of_reading(expression: str) -> str:
    """A SQL expression over what texts say, over what the answer ladder reads instead."""
    return _DECIDED.sub(r"read_\1", expression)


FLAGS: tuple[Flag, ...] = (
    Flag(
        "mismatch",
        "mismatch",
        "The first token's option is not what the text says; a text that names no single option "
        "counts as a mismatch, and so does a refusal unless the first token chose the option that "
        "is itself a refusal.",
        "CASE WHEN first_token IS NOT NULL AND text_status IS NOT NULL "
        "THEN first_token IS DISTINCT FROM text_label END",
        "M of arXiv:2402.14499, as counted in its released results",
    ),
    Flag(
        "vocab_mismatch",
        "vocab mismatch",
        "The likeliest token of the whole vocabulary, blanks stripped, is not the text's letter; "
        "a text that names no single option counts as a mismatch.",
        "CASE WHEN vocab_status IS NOT NULL AND text_status IS NOT NULL "
        "THEN NOT coalesce(vocab_argmax = text_label, false) END",
        "F of arXiv:2402.14499",
    ),
    Flag(
        "same_but_not_first",
        "same, not first",
        "The likeliest token of the whole vocabulary is not the text's letter, yet the likeliest "
        "option is.",
        "CASE WHEN vocab_status IS NOT NULL AND first_token IS NOT NULL "
        "AND text_status IS NOT NULL THEN vocab_argmax IS DISTINCT FROM text_label "
        "AND coalesce(first_token = text_label, false) END",
        "S of arXiv:2402.14499",
    ),
    Flag(
        "refusal",
        "refusal",
        "The text refuses to answer, or picks the option that is itself a refusal.",
        "CASE WHEN text_status IS NOT NULL "
        "THEN text_status = 'refusal' OR coalesce(text_label = refusal_label, false) END",
        "arXiv:2402.14499",
    ),
    Flag(
        "first_refusal",
        "first-token refusal",
        "The first token chooses the option that is itself a refusal.",
        "CASE WHEN refusal_label IS NOT NULL THEN first_token = refusal_label END",
        "arXiv:2402.14499",
    ),
    Flag(
        "several",
        "several",
        "The text endorses more than one option.",
        "text_status = 'several'",
        "multi-letter labels of arXiv:2402.14499",
    ),
    Flag(
        "unparsed",
        "unparsed",
        "No rule finds an answer in the text.",
        "text_status = 'unparsed'",
        "arXiv:2402.13213",
    ),
    Flag(
        "no_option",
        "none / don't know",
        "The text answers, but with none of the options or with not knowing.",
        "text_status IN ('none_of_these', 'dont_know')",
        "labels X and Z of arXiv:2404.08382",
    ),
    Flag(
        "truncated",
        "truncated",
        "The text reached the token limit before it gave an answer.",
        "text_status = 'truncated'",
        "a text that was cut is not a text without an answer",
    ),
    Flag(
        "greedy_vs_samples",
        "greedy vs samples",
        "Most samples say something else than the greedy text.",
        "CASE WHEN majority_status IS NOT NULL AND text_status IS NOT NULL "
        "THEN majority_status <> text_status OR majority IS DISTINCT FROM text_label END",
        "arXiv:2407.10457 compares them over runs; this is the same question by question",
    ),
    Flag(
        "off_option_top",
        "off-option top",
        "The likeliest first token spells no option label.",
        "CASE WHEN vocab_status IS NOT NULL THEN vocab_argmax IS NULL END",
        "arXiv:2402.14499",
    ),
    Flag(
        "other_spelling",
        "other spelling",
        "A token that spells a label in another way is likelier than every token that is scored as "
        "a label: the answer may be read off the wrong ones.",
        "other_spelling_logprob > label_logprob",
        "open-instruct#62, lm-evaluation-harness#614, hendrycks/test#13",
    ),
    Flag(
        "tie",
        "tie",
        "Two options share the highest first-token logprob exactly; the first one is taken.",
        "tied",
        "arXiv:2402.14499 (ties in its float16 logits)",
    ),
    Flag(
        "low_margin",
        "low margin",
        f"The two likeliest options are less than {LOW_MARGIN} apart in restricted probability.",
        f"margin < {LOW_MARGIN}",
        "near ties flip between batch sizes and number formats",
    ),
    Flag(
        "near_tie",
        "near tie",
        "Somewhere in the greedy text the two likeliest tokens are closer than rounding in the "
        "model's number format: in another batch or on another machine it could read otherwise.",
        f"least_margin < CASE dtype {_ROUNDING} END",
        "bfloat16 logits differ between batch sizes (transformers#25921, #28732)",
    ),
    Flag(
        "wrong",
        "wrong",
        "The text does not say the gold option; refusals and unread texts are wrong too.",
        "CASE WHEN gold IS NOT NULL AND text_status IS NOT NULL "
        "THEN text_label IS DISTINCT FROM gold END",
        "arXiv:2402.13213 counts unparsed answers as wrong",
    ),
)
