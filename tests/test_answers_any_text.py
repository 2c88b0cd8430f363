"""The answer ladder on replies nobody would write: never an error, an invention or a wait."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.answers import read_answer
from engine.questions import LABELS

CAPITALS = {"A": "Paris", "B": "London", "C": "Berlin", "D": "Madrid"}
PIECES = st.sampled_from(
    [
        *"ABCDIabi12(){}[]*_`$\\\"'.,:;!?-\n\t →|/①Ⓑ",
        *("the answer is", "I", "not", "option", "is correct", "incorrect", "I cannot answer"),
        *("none of the above", "<think>", "</think>", "\\boxed{", "答案", "Question:", "so", "and"),
        *("or", "red", "a lot", "blue sky", "2.5", "$x^2$", "İ", "ß", "\u2028", "maybe", "second"),
        *(
            "AC",
            "A/B",
            "the last",
            "第二个",
            "it depends on the",
            "I don't know",
            "should be",
            "no,",
        ),
    ]
)
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=30).map(" ".join))
OPTIONS = st.one_of(
    st.lists(TEXTS, min_size=1, max_size=26).map(
        lambda texts: dict(zip(LABELS, texts, strict=False))
    ),
    st.dictionaries(st.text(max_size=3), st.text(max_size=20), min_size=1, max_size=6),
    st.just({"A": "red", "B": "a lot", "C": "blue sky", "D": "Refused", "I": "2.5"}),
)


@settings(max_examples=300, deadline=None)
@given(TEXTS, OPTIONS, st.booleans())
def test_any_reply_is_read_without_an_invented_option(
    reply: str, options: dict[str, str], finished: bool
) -> None:
    answer = read_answer(reply, options, finished=finished)
    assert answer.rule
    assert (answer.label is not None) >= (answer.status == "option")
    assert answer.label is None or answer.label in options
    assert answer.label is None or answer.status in ("option", "refusal")
    assert set(answer.labels) <= set(options)
    assert (len(set(answer.labels)) > 1) == (answer.status == "several")
    if answer.span is not None:
        start, end = answer.span
        assert 0 <= start < end <= len(reply)
    assert (answer.place is not None) == (answer.status == "option")
    if answer.place is not None:
        assert answer.span is not None
        assert answer.span[0] <= answer.place[0] < answer.place[1] <= answer.span[1]
    assert (answer.status == "truncated") <= (not finished or answer.rule == "open think block")
    assert read_answer(reply, options, finished=finished) == answer


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="<>[]◁▷|"), max_size=300), st.sampled_from("ABCD"))
def test_thinking_never_changes_the_answer(thinking: str, label: str) -> None:
    reply = f"<think>{thinking}</think>The answer is {label}."
    answer = read_answer(reply, CAPITALS)
    at = (len(reply) - 2, len(reply) - 1)
    assert (answer.label, answer.span, answer.place) == (label, at, at)


@settings(deadline=None)
@given(st.permutations(list(CAPITALS.values())), st.sampled_from(list(CAPITALS.values())))
def test_the_answer_follows_the_text_in_any_order(texts: list[str], right: str) -> None:
    options = dict(zip("ABCD", texts, strict=True))
    label = next(label for label, text in options.items() if text == right)
    for reply in (right, f"It is {right}.", f"I choose {label}.", f"{label}. {right}\n\nBecause."):
        assert read_answer(reply, options).label == label


@settings(deadline=None)
@given(st.sampled_from(["the answer is ", "Answer: ", "答案是", "I choose "]), st.integers(0, 3))
def test_a_place_past_what_was_left_out(cue: str, which: int) -> None:
    label = "ABCD"[which]
    before = "<think>" + "hm " * 40_000 + "</think>" + "word " * 20_000
    answer = read_answer(f"{before}{cue}{label}.", CAPITALS)
    at = (len(before) + len(cue), len(before) + len(cue) + 1)
    assert (answer.label, answer.place) == (label, at)


def seconds(unit: str, size: int) -> float:
    """How long a text of a repeated unit takes to read."""
    reply = unit * (size // len(unit))
    start = time.perf_counter()
    answer = read_answer(reply, CAPITALS)
    taken = time.perf_counter() - start
    assert answer.label is None or answer.label in CAPITALS
    return taken


@pytest.mark.parametrize(
    "unit",
    [
        *("A. ", "**A**\n", "A/B/", "A and ", '"A" "', "B.\n", "Paris ", "option 2 ", "(", " "),
        *("the answer is ", "the answer is A, ", "答案", "I cannot ", "so. ", "no, "),
        *("<think>", "</think> x", "<b>", "<|", "~~a", "\\boxed{", "- [ ] "),
    ],
)
def test_time_grows_no_faster_than_the_text(unit: str) -> None:
    """Four times the text may take four times as long, and twice that on a busy machine."""
    assert seconds(unit, 1_000_000) < 8 * seconds(unit, 250_000)
