"""Each flag's SQL over hand-made rows, in an in-memory duckdb."""

from __future__ import annotations

import math
import re
from typing import Any

import duckdb
import pytest

from engine.flags import FLAGS, LOW_MARGIN, NEAR_TIE

COLUMNS = {
    "first_token": "VARCHAR",
    "margin": "FLOAT",
    "vocab_status": "VARCHAR",
    "vocab_argmax": "VARCHAR",
    "text_status": "VARCHAR",
    "text_label": "VARCHAR",
    "gold": "VARCHAR",
    "refusal_label": "VARCHAR",
    "majority_status": "VARCHAR",
    "majority": "VARCHAR",
    "tied": "BOOLEAN",
    "hedged": "BOOLEAN",
    "least_margin": "FLOAT",
    "dtype": "VARCHAR",
    "label_logprob": "FLOAT",
    "other_spelling_logprob": "FLOAT",
}
EXPRESSIONS = {flag.name: flag.expression for flag in FLAGS}

AGREES: dict[str, Any] = {
    "first_token": "A",
    "margin": 0.5,
    "vocab_status": "option",
    "vocab_argmax": "A",
    "text_status": "option",
    "text_label": "A",
    "gold": "A",
    "refusal_label": "D",
    "majority_status": "option",
    "majority": "A",
    "tied": False,
    "hedged": False,
    "least_margin": 0.01,
    "dtype": "float32",
    "label_logprob": -1.0,
    "other_spelling_logprob": -2.0,
}
NOTHING: dict[str, Any] = dict.fromkeys(COLUMNS)
REFUSES = {"text_status": "refusal", "text_label": "D"}
REFUSES_WITHOUT_OPTION = {"text_status": "refusal", "text_label": None, "refusal_label": None}
OFF_OPTION = {"vocab_status": "unparsed", "vocab_argmax": None}


def evaluate(name: str, row: dict[str, Any]) -> Any:
    """One flag over one row with the columns' real types."""
    columns = ", ".join(f"?::{kind} AS {column}" for column, kind in COLUMNS.items())
    values = [row[column] for column in COLUMNS]
    query = f"SELECT {EXPRESSIONS[name]} FROM (SELECT {columns})"
    (value,) = duckdb.connect().execute(query, values).fetchone()
    return value


CASES: list[tuple[str, dict[str, Any], bool | None]] = [
    ("mismatch", {}, False),
    ("mismatch", {"first_token": "B"}, True),
    ("mismatch", {"text_status": "several", "text_label": None}, True),
    ("mismatch", {"text_status": "unparsed", "text_label": None}, True),
    ("mismatch", {"text_status": "truncated", "text_label": None}, True),
    ("mismatch", REFUSES, True),
    ("mismatch", REFUSES | {"first_token": "D"}, False),
    ("mismatch", REFUSES_WITHOUT_OPTION, True),
    ("mismatch", {"first_token": None}, None),
    ("mismatch", {"text_status": None, "text_label": None}, None),
    ("vocab_mismatch", {}, False),
    ("vocab_mismatch", {"vocab_argmax": "B"}, True),
    ("vocab_mismatch", OFF_OPTION, True),
    ("vocab_mismatch", OFF_OPTION | {"text_status": "unparsed", "text_label": None}, True),
    ("vocab_mismatch", {"vocab_status": None, "vocab_argmax": None}, None),
    ("vocab_mismatch", {"text_status": None, "text_label": None}, None),
    ("same_but_not_first", {}, False),
    ("same_but_not_first", OFF_OPTION, True),
    ("same_but_not_first", {"vocab_argmax": "B"}, True),
    ("same_but_not_first", OFF_OPTION | {"first_token": "B"}, False),
    ("same_but_not_first", OFF_OPTION | {"text_status": "several", "text_label": None}, False),
    ("same_but_not_first", {"vocab_status": None, "vocab_argmax": None}, None),
    ("same_but_not_first", {"first_token": None}, None),
    ("refusal", {}, False),
    ("refusal", REFUSES, True),
    ("refusal", {"text_label": "D"}, True),
    ("refusal", REFUSES_WITHOUT_OPTION, True),
    ("refusal", {"refusal_label": None}, False),
    ("refusal", {"text_status": "unparsed", "text_label": None, "refusal_label": None}, False),
    ("refusal", {"text_status": None, "text_label": None}, None),
    ("first_refusal", {}, False),
    ("first_refusal", {"first_token": "D"}, True),
    ("first_refusal", {"refusal_label": None}, None),
    ("first_refusal", {"first_token": None}, None),
    ("several", {}, False),
    ("several", {"text_status": "several", "text_label": None}, True),
    ("several", {"text_status": None}, None),
    ("unparsed", {}, False),
    ("unparsed", {"text_status": "unparsed", "text_label": None}, True),
    ("unparsed", {"text_status": "truncated", "text_label": None}, False),
    ("no_option", {}, False),
    ("no_option", {"text_status": "none_of_these", "text_label": None}, True),
    ("no_option", {"text_status": "dont_know", "text_label": None}, True),
    ("no_option", {"text_status": None}, None),
    ("truncated", {}, False),
    ("truncated", {"text_status": "truncated", "text_label": None}, True),
    ("greedy_vs_samples", {}, False),
    ("greedy_vs_samples", {"majority": "B"}, True),
    ("greedy_vs_samples", {"majority_status": "unparsed", "majority": None}, True),
    ("greedy_vs_samples", {"majority_status": "refusal", "majority": "A"}, True),
    (
        "greedy_vs_samples",
        {
            "text_status": "several",
            "text_label": None,
            "majority_status": "several",
            "majority": None,
        },
        False,
    ),
    ("greedy_vs_samples", {"majority_status": None, "majority": None}, None),
    ("greedy_vs_samples", {"text_status": None, "text_label": None}, None),
    ("off_option_top", {}, False),
    ("off_option_top", OFF_OPTION, True),
    ("off_option_top", {"vocab_status": None, "vocab_argmax": None}, None),
    ("other_spelling", {}, False),
    ("other_spelling", {"other_spelling_logprob": -0.5}, True),
    ("other_spelling", {"other_spelling_logprob": -1.0}, False),
    ("other_spelling", {"other_spelling_logprob": None}, None),
    ("other_spelling", {"label_logprob": None}, None),
    ("tie", {}, False),
    ("tie", {"tied": True}, True),
    ("low_margin", {}, False),
    ("low_margin", {"margin": LOW_MARGIN - 0.001}, True),
    ("low_margin", {"margin": 0.0}, True),
    ("low_margin", {"margin": None}, None),
    ("near_tie", {}, False),
    ("near_tie", {"least_margin": 0.0}, True),
    ("near_tie", {"least_margin": 5e-5}, True),
    ("near_tie", {"least_margin": 2e-4}, False),
    ("near_tie", {"least_margin": math.inf}, False),
    ("near_tie", {"dtype": "bfloat16"}, True),
    ("near_tie", {"dtype": "bfloat16", "least_margin": 0.24}, True),
    ("near_tie", {"dtype": "bfloat16", "least_margin": 0.26}, False),
    ("near_tie", {"dtype": "float16"}, True),
    ("near_tie", {"dtype": "float16", "least_margin": 0.04}, False),
    ("near_tie", {"dtype": "float64"}, False),
    ("near_tie", {"dtype": "float64", "least_margin": 0.0}, True),
    ("near_tie", {"dtype": "float8", "least_margin": 0.0}, None),
    ("near_tie", {"dtype": None, "least_margin": 0.0}, None),
    ("near_tie", {"least_margin": None}, None),
    ("wrong", {}, False),
    ("wrong", {"text_label": "B"}, True),
    ("wrong", {"text_status": "refusal", "text_label": None}, True),
    ("wrong", {"text_status": "unparsed", "text_label": None}, True),
    ("wrong", {"gold": None}, None),
    ("wrong", {"text_status": None, "text_label": None}, None),
]


@pytest.mark.parametrize(("name", "changes", "expected"), CASES)
def test_flag(name: str, changes: dict[str, Any], expected: bool | None) -> None:
    assert evaluate(name, AGREES | changes) is expected


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_flag_is_null_where_nothing_was_recorded(name: str) -> None:
    assert evaluate(name, NOTHING) is None


def test_mismatch_splits_into_its_parts() -> None:
    """A mismatch of the vocabulary's argmax is a mismatch or "same, not first", never both."""
    statuses = [("option", "A"), ("option", "B"), ("several", None), ("refusal", "D")]
    tops = [("option", "A"), ("option", "B"), ("unparsed", None)]
    for status, label in statuses:
        for vocab_status, top in tops:
            row = AGREES | {
                "text_status": status,
                "text_label": label,
                "vocab_status": vocab_status,
                "vocab_argmax": top,
            }
            row["first_token"] = top or "A"
            same = evaluate("same_but_not_first", row)
            assert evaluate("vocab_mismatch", row) == (evaluate("mismatch", row) or same)
            assert not (evaluate("mismatch", row) and same)


def test_every_flag_has_a_case_each_way() -> None:
    cases = {(name, expected) for name, _, expected in CASES}
    for name in EXPRESSIONS:
        assert (name, True) in cases
        assert (name, False) in cases


def test_expressions_use_the_documented_columns_only() -> None:
    literals = re.compile(r"'[^']*'|\d[\d.]*(e-?\d+)?")
    keywords = {"CASE", "WHEN", "THEN", "END", "AND", "OR", "NOT", "IS", "DISTINCT", "FROM", "NULL"}
    keywords |= {"IN", "coalesce", "false"}
    assert literals.sub("", f"{NEAR_TIE['float64']!r} 'a' 0.25") == "  "
    for flag in FLAGS:
        words = set(re.findall(r"[A-Za-z_]+", literals.sub("", flag.expression))) - keywords
        assert words <= set(COLUMNS), flag.name
