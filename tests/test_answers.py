"""The answer ladder: written replies, human-labelled replies, and replies nobody would write."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.answers import LADDER_VERSION, Answer, read_answer, read_lines
from engine.answers.reply import LONGEST
from engine.answers.rules import DECLINING, EXPLICIT, INDIRECT, LEAVING_OPEN
from engine.errors import LogitscopeError
from engine.questions import Option

HERE = Path(__file__).parent
CAPITALS = {"A": "Paris", "B": "London", "C": "Berlin", "D": "Madrid"}
SURVEY = {"A": "A lot", "B": "Some", "C": "Not at all", "D": "Refused"}


def written_replies() -> Iterator[tuple[dict[str, str], str, str]]:
    """Options, reply and what it says, from ``replies.jsonl``."""
    options: dict[str, dict[str, str]] = {}
    for line in (HERE / "replies.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if "options" in row:
            options[row["name"]] = row["options"]
        else:
            yield options[row["of"]], row["reply"], row["says"]


def said(answer: Answer) -> str:
    """An answer in the words of ``replies.jsonl``."""
    return " ".join(filter(None, (answer.status, answer.label, *answer.labels)))


@pytest.mark.parametrize(("options", "reply", "expected"), list(written_replies()))
def test_written_reply(options: dict[str, str], reply: str, expected: str) -> None:
    answer = read_answer(reply, options)
    assert said(answer) == expected, answer


# --- what the answer carries ---


@pytest.mark.parametrize(
    ("reply", "matched", "rule"),
    [
        ("Sure! The correct answer is (B) London.", "B) London", "declared"),
        ("<think>A? No.</think>\n\n**B**", "B", "closing"),
        ("<think>A</think> The answer is <b>B</b>.", "B", "declared"),
        ("选择Ｂ。", "Ｂ", "declared"),
        ("So it is \\boxed{C}, surely.", "C", "boxed"),
        ("I'm sorry, but I cannot answer this.", "I cannot answer", "refusal"),
        ("The capital of England is London, I hear.", "London", "text"),
        ("Nobody really knows. I don't know either.", "I don't know", "don't know"),
    ],
)
def test_rule_and_span_in_the_original(reply: str, matched: str, rule: str) -> None:
    answer = read_answer(reply, CAPITALS)
    assert answer.rule == rule
    assert answer.span is not None
    assert reply[slice(*answer.span)] == matched


def test_span_past_what_was_left_out() -> None:
    reply = "x" * (3 * LONGEST) + "\n\nThe answer is B."
    answer = read_answer(reply, CAPITALS)
    assert answer.label == "B"
    assert answer.span == (len(reply) - 2, len(reply) - 1)


def test_every_rule_is_documented() -> None:
    documented = (HERE.parent / "docs" / "readings.md").read_text(encoding="utf-8")
    names = [name for name, *_ in (*EXPLICIT, *DECLINING, *INDIRECT, *LEAVING_OPEN)]
    for name in [*names, "open think block", "token limit", "nothing found"]:
        assert f"`{name}`" in documented, name
    assert f"version {LADDER_VERSION}" in documented


def test_options_may_be_a_sequence() -> None:
    options = [Option("A", "Paris"), Option("B", "London")]
    assert read_answer("The answer is B.", options) == read_answer(
        "The answer is B.", {"A": "Paris", "B": "London"}
    )


# --- hedging ---


@pytest.mark.parametrize(
    ("reply", "hedged"),
    [
        ("B", False),
        ("I'm not sure, but I think it's B.", True),
        ("As an AI I have no personal opinions, but I would choose B.", True),
        ("B. Some\n\nNote that I am an AI and do not have personal experiences.", True),
        ("I cannot give a definitive answer. My answer is B.", True),
        ("B. Some. I cannot stress enough how much people differ.", False),
    ],
)
def test_a_hedged_option_is_an_option(reply: str, hedged: bool) -> None:
    answer = read_answer(reply, SURVEY)
    assert (answer.status, answer.label, answer.hedged) == ("option", "B", hedged)


# --- refusals and the option that is itself a refusal ---


def test_a_refusal_carries_the_refusing_option() -> None:
    answer = read_answer("I cannot answer that.", SURVEY)
    assert (answer.status, answer.label) == ("refusal", "D")
    assert read_answer("I cannot answer that.", CAPITALS).label is None


def test_choosing_the_refusing_option_is_an_option() -> None:
    assert said(read_answer("D. Refused", SURVEY)) == "option D"


# --- texts that fit several options ---


def test_a_text_that_two_options_share_is_not_told_apart() -> None:
    options = {"A": "red", "B": "red", "C": "blue"}
    assert read_answer("red", options).status == "unparsed"
    assert read_answer("B. red", options).label == "B"
    assert read_answer("blue", options).label == "C"


def test_the_longest_text_wins() -> None:
    options = {"A": "blood cells", "B": "red blood cells", "C": "cells"}
    assert read_answer("These are red blood cells.", options).label == "B"
    assert read_answer("These are blood cells.", options).label == "A"


# --- cut and unfinished replies ---


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Well, let me think about this question. First of", "truncated"),
        ("Well, London is a nice city, and", "truncated"),
        ("", "truncated"),
        ("B", "option B"),
        ("The answer is B", "option B"),
        ("I'm sorry, but I cannot answer this question because", "refusal"),
        ("The capital of England is London. It has been so for", "option B"),
        ("I really don't know what the", "dont_know"),
    ],
)
def test_a_reply_that_the_token_limit_cut(reply: str, expected: str) -> None:
    assert said(read_answer(reply, CAPITALS, finished=False)) == expected


def test_an_open_think_block_is_truncated_whatever_it_says() -> None:
    answer = read_answer("<think>\nThe answer is B.", CAPITALS)
    assert (answer.status, answer.rule, answer.span) == ("truncated", "open think block", (0, 7))


def test_only_what_follows_the_last_end_tag_is_read() -> None:
    reply = "<think>The answer is A.</think>It is C.</think>The answer is B."
    assert read_answer(reply, CAPITALS).label == "B"


def test_what_a_base_model_writes_after_its_answer_is_not_read() -> None:
    reply = " B\n\nQuestion: What is the capital of France?\nAnswer: A\n\nQuestion: And of Spain?"
    answer = read_answer(reply, CAPITALS, finished=False)
    assert (answer.label, answer.span) == ("B", (1, 2))


# --- labelled data ---


def labelled(path: Path) -> Iterator[tuple[str, dict[str, str], str]]:
    """Reply, options and human label of one released file; unlabelled and several left out."""
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)["shuffle_0"]
        shown = row["question"][row["question"].rindex("\nA. ") :]
        options = dict(re.findall(r"(?s)\n([A-Z])\. (.*?)(?=\n[A-Z]\. |\nAnswer:)", shown))
        reply = row["response"].partition("[/INST]")[2]
        label = str(row["label"])
        if label[:1] in ("X", "Y", "Z") or label[1:2] == ".":
            yield reply, options, label[0]


CODES = {"X": "none_of_these", "Y": "refusal", "Z": "dont_know"}


@pytest.mark.parametrize(
    ("name", "usable", "least"),
    [
        ("mcq_mismatch/llama2-7b_train", 331, 0.985),
        ("mcq_mismatch/llama2-70b_train", 330, 0.985),
        ("mcq_mismatch/mixtral_train", 320, 0.985),
        ("mcq_robustness/llama2-7b_shards", 784, 0.99),
    ],
)
def test_agrees_with_human_labels(shared_data: Path, name: str, usable: int, least: float) -> None:
    right = []
    for reply, options, label in labelled(shared_data / "data" / f"{name}.jsonl"):
        answer = read_answer(reply, options)
        code = label in CODES and label not in options
        right.append(answer.status == CODES[label] if code else answer.label == label)
    assert len(right) == usable
    assert sum(right) / len(right) >= least


# --- replies put together from parts ---

QUESTIONS = (
    CAPITALS,
    {"A": "A great deal", "B": "A fair amount", "C": "Not too much", "D": "Not at all"},
    {
        "A": "The increase in temperature causes the gas to expand.",
        "B": "The decrease in pressure makes the gas contract.",
        "C": "The gas remains unchanged.",
        "D": "The gas liquefies.",
    },
)
PARTS: dict[str, list[str]] = {}
for _line in (HERE / "reply_parts.jsonl").read_text(encoding="utf-8").splitlines():
    _part = json.loads(_line)
    PARTS.setdefault(_part["kind"], []).append(_part["text"])


def parts(kind: str) -> st.SearchStrategy[str]:
    return st.sampled_from(PARTS[kind])


def fields(options: dict[str, str], labels: list[str]) -> dict[str, str]:
    """What the parts are filled with: the right label, two others, and all texts."""
    named = dict(zip(("right", "other", "third"), labels, strict=False))
    texts = {f"{name}_text": options[label].rstrip(".") for name, label in named.items()}
    return options | named | texts


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(QUESTIONS),
    st.permutations("ABCD"),
    parts("preamble"),
    parts("answer"),
    parts("remark"),
)
def test_an_answer_survives_what_is_said_around_it(
    options: dict[str, str], labels: list[str], preamble: str, answer: str, remark: str
) -> None:
    assume(preamble in ("", "Sure! ") or not answer.startswith("{right_text}"))
    if remark.startswith(" ") and answer[-1] not in ".*)":
        answer += "."
    reply = (preamble + answer + remark).format(**fields(options, labels))
    assert said(read_answer(reply, options)) == f"option {labels[0]}", reply


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(QUESTIONS), st.permutations("ABCD"), parts("refusal"), parts("refusal remark")
)
def test_a_refusal_survives_what_is_said_after_it(
    options: dict[str, str], labels: list[str], refusal: str, remark: str
) -> None:
    reply = (refusal + remark).format(**fields(options, labels))
    assert said(read_answer(reply, options)) == "refusal", reply
    with_refused = options | {"E": "Refused"}
    assert said(read_answer(reply, with_refused)) == "refusal E", reply


# --- JSON lines ---


def test_read_lines_keeps_the_keys_and_adds_the_answer() -> None:
    lines = [
        '{"id": 7, "response": "The answer is B.", "options": {"A": "red", "B": "blue"}}\n',
        "\n",
        '{"response": "Well, let", "options": {"A": "red", "B": "blue"}, "finished": false}',
    ]
    first, second = read_lines(lines)
    assert first == {
        "id": 7,
        "response": "The answer is B.",
        "options": {"A": "red", "B": "blue"},
        "status": "option",
        "label": "B",
        "labels": (),
        "rule": "declared",
        "span": (14, 15),
        "hedged": False,
        "place": (14, 15),
    }
    assert second["status"] == "truncated"
    assert json.loads(msgspec.json.encode(first))["span"] == [14, 15]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("nonsense", "JSON"),
        ("[1, 2]", "Expected `object`"),
        ('{"options": {"A": "red"}}', "`response`"),
        ('{"response": "A"}', "`options`"),
        ('{"response": "A", "options": {}}', "no options"),
        ('{"response": "A", "options": {"A": 3}}', "Expected `str`"),
        ('{"response": null, "options": {"A": "red"}}', "Expected `str`"),
    ],
)
def test_read_lines_names_a_bad_line(line: str, complaint: str) -> None:
    good = '{"response": "A", "options": {"A": "red"}}'
    found: list[dict[str, Any]] = []
    with pytest.raises(LogitscopeError) as error:
        found.extend(read_lines([good, "", line]))
    assert "Line 3" in error.value.sentence
    assert complaint in error.value.sentence
    assert error.value.hint
