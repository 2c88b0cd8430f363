"""Differences of prompts: exact to the character, and in pieces that can be read."""

from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.formats import load_format
from engine.prompt import render_text
from engine.prompt_diff import Change, diff, first_difference
from engine.questions import Option, Question

PIECES = [
    "A. yes\n",
    "B. no\n",
    "\n",
    "Answer:",
    " ",
    "  ",
    "yes",
    "yesterday",
    ".",
    "ü",
    "\r\n",
    "",
]
prompts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.text(max_size=40)


def side(changes: list[Change], kind: str) -> str:
    return "".join(change.text for change in changes if change.kind in ("same", kind))


def marked(one: str, other: str) -> str:
    signs = {"same": "{}", "removed": "{{-{}-}}", "added": "{{+{}+}}"}
    return "".join(signs[kind].format(text) for kind, text in diff(one, other))


@given(prompts, prompts)
def test_both_prompts_can_be_put_together_again(one: str, other: str) -> None:
    changes = diff(one, other)
    assert side(changes, "removed") == one
    assert side(changes, "added") == other


@given(prompts, prompts)
def test_the_pieces_are_tidy(one: str, other: str) -> None:
    changes = diff(one, other)
    assert all(change.text for change in changes)
    pairs = [(left.kind, right.kind) for left, right in pairwise(changes)]
    assert set(pairs) <= {
        ("same", "removed"),
        ("same", "added"),
        ("removed", "added"),
        ("removed", "same"),
        ("added", "same"),
    }


@given(prompts)
def test_a_prompt_is_the_same_as_itself(text: str) -> None:
    assert diff(text, text) == ([Change("same", text)] if text else [])
    assert first_difference(text, text) is None


@given(prompts, prompts)
def test_up_to_the_first_difference_all_is_the_same(one: str, other: str) -> None:
    place = first_difference(one, other)
    if one == other:
        assert place is None
        return
    assert place is not None
    assert one[:place] == other[:place]
    assert one[place : place + 1] != other[place : place + 1]


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        ("Answer:", "Answer: ", "Answer:{+ +}"),
        ("about  high school", "about high school", "about {- -}high school"),
        ("Answer:\n", "Answer:\r\n", "Answer:{+\r+}\n"),
        ("the choice is", "the choices are", "the choice{- is-}{+s are+}"),
        ("It is Paris.", "It is London.", "It is {-Paris-}{+London+}."),
        ("in London", "in Lisbon", "in {-London-}{+Lisbon+}"),
        ("one two three", "four five six", "{-one two three-}{+four five six+}"),
        ("A. yes\nB. no\n", "(A) yes\n(B) no\n", "{-A.-}{+(A)+} yes\n{-B.-}{+(B)+} no\n"),
        ("teh cat sta", "the cat sat", "{-teh-}{+the+} cat {-sta-}{+sat+}"),
        (
            "The first text, about the sea.",
            "Another one, with the hills.",
            "{-The first text, about the sea-}{+Another one, with the hills+}.",
        ),
        ("x\nAnswer:", "x\nChoices:\nAnswer:", "x\n{+Choices:\n+}Answer:"),
        ("", "new", "{+new+}"),
        ("old", "", "{-old-}"),
    ],
)
def test_what_differs_is_shown_in_words(one: str, other: str, shown: str) -> None:
    assert marked(one, other) == shown


def test_the_second_space_of_a_header_is_found() -> None:
    """It is what sets the original MMLU prompt apart from the harness's."""
    question = Question(
        "What is it?", (Option("A", "this"), Option("B", "that")), "A", "high_school_geography"
    )
    original = load_format("mmlu-original:shots=0")
    text = render_text(question, original).raw
    changes = diff(text, text.replace("about  high", "about high"))
    assert [change for change in changes if change.kind != "same"] == [Change("removed", " ")]
    assert first_difference(text, text.replace("about  high", "about high")) == text.index(" high")


@pytest.mark.parametrize(
    "words",
    [
        [f"word{number}" for number in range(5000)],
        [f"word{number}" for number in range(60)],
        ["yes", "no"],
        ["\n"],
        ["A. yes\n", "B. no\n", "Answer:"],
    ],
    ids=["many words", "few words", "two words", "line breaks", "lines"],
)
def test_long_prompts_are_compared_at_once(words: list[str]) -> None:
    draw = random.Random(0)
    one, other = (" ".join(draw.choices(words, k=20_000))[:20_000] for _ in range(2))
    started = time.process_time()
    changes = diff(one, other)
    assert time.process_time() - started < 3
    assert (side(changes, "removed"), side(changes, "added")) == (one, other)
