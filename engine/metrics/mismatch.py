"""The mismatch study: where the first token and the written text disagree (arXiv:2402.14499)."""

from __future__ import annotations

import duckdb
import msgspec

from engine.metrics.intervals import wilson_interval


class MismatchRow(msgspec.Struct, frozen=True):
    """The counts of one run, format and option order.

    Refused, several, unparsed and truncated texts stay in ``n``, as in the published counts. A
    count is None where nothing of what it needs was recorded. Intervals are 95 % Wilson intervals.

    Attributes:
        run_id: The run.
        format: Name of the prompt format.
        order_index: Number of the option order; 0 is the order of the source.
        n: Stored probes.
        mismatch: First token's option is not what the text says (M).
        mismatch_rate: ``mismatch`` over the probes with a first token and a text, which is ``n``
            wherever both were recorded.
        mismatch_interval: Of that rate.
        vocab_mismatch: Likeliest token of the vocabulary is not the text's letter (F).
        same_but_not_first: As F, yet the likeliest option is what the text says (S).
        refused_text: Texts that refuse or pick the option that is itself a refusal.
        refused_first_token: First tokens that choose that option; None where no question has one.
        several: Texts that endorse several options.
        unparsed: Texts without an answer.
        truncated: Texts cut before an answer.
        no_option: Texts that answer with none of the options or with not knowing.
        accuracy_first_token: Share of questions with a gold option whose first token is right.
        accuracy_first_token_interval: Of that share.
        accuracy_text: Share of questions with a gold option whose text is right.
        accuracy_text_interval: Of that share.
    """

    run_id: int
    format: str
    order_index: int
    n: int
    mismatch: int | None
    mismatch_rate: float | None
    mismatch_interval: tuple[float, float] | None
    vocab_mismatch: int | None
    same_but_not_first: int | None
    refused_text: int | None
    refused_first_token: int | None
    several: int | None
    unparsed: int | None
    truncated: int | None
    no_option: int | None
    accuracy_first_token: float | None
    accuracy_first_token_interval: tuple[float, float] | None
    accuracy_text: float | None
    accuracy_text_interval: tuple[float, float] | None


_COUNTS = """
SELECT
    run_id,
    format,
    order_index,
    count(*) AS n,
    count(mismatch) AS compared,
    sum(mismatch::INTEGER) AS mismatch,
    sum(vocab_mismatch::INTEGER) AS vocab_mismatch,
    sum(same_but_not_first::INTEGER) AS same_but_not_first,
    sum(refusal::INTEGER) AS refused_text,
    sum(first_refusal::INTEGER) AS refused_first_token,
    sum(several::INTEGER) AS several,
    sum(unparsed::INTEGER) AS unparsed,
    sum(truncated::INTEGER) AS truncated,
    sum(no_option::INTEGER) AS no_option,
    count(first_token_right) AS first_token_graded,
    sum(first_token_right::INTEGER) AS first_token_right,
    count(text_right) AS text_graded,
    sum(text_right::INTEGER) AS text_right
FROM outcomes
WHERE $run IS NULL OR run_id = $run
GROUP BY run_id, format, order_index
ORDER BY run_id, min(min(probe_id)) OVER (PARTITION BY run_id, format), order_index
"""
"""A sum over nothing but NULL is NULL: not recorded, never zero."""


def mismatch_report(
    cursor: duckdb.DuckDBPyConnection, run_id: int | None = None
) -> list[MismatchRow]:
    """Count mismatches, refusals and unread texts per run, format and option order.

    Args:
        cursor: A cursor on a store.
        run_id: One run, or None for all.

    Returns:
        One row a run, format and order that has probes, in the order they were stored.
    """
    cursor.execute(_COUNTS, {"run": run_id})
    columns = [column[0] for column in cursor.description or ()]
    return [_row(dict(zip(columns, values, strict=True))) for values in cursor.fetchall()]


def _row(counts: dict[str, int]) -> MismatchRow:
    first_token = _rate(counts.pop("first_token_right"), counts.pop("first_token_graded"))
    text = _rate(counts.pop("text_right"), counts.pop("text_graded"))
    mismatch = _rate(counts["mismatch"], counts.pop("compared"))
    return msgspec.convert(
        counts
        | {
            "mismatch_rate": mismatch[0],
            "mismatch_interval": mismatch[1],
            "accuracy_first_token": first_token[0],
            "accuracy_first_token_interval": first_token[1],
            "accuracy_text": text[0],
            "accuracy_text_interval": text[1],
        },
        MismatchRow,
    )


def _rate(successes: int | None, total: int) -> tuple[float | None, tuple[float, float] | None]:
    if successes is None or total == 0:
        return None, None
    return successes / total, wilson_interval(successes, total)
