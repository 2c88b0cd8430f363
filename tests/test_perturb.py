"""Option orders: the same everywhere, all different, and gold follows its option."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import QuestionError
from engine.perturb import order_permutation, reorder
from engine.questions import Option, Question


def question(options: int, text: str = "Which?", gold: str | None = "A") -> Question:
    labels = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:options]
    return Question(text, tuple(Option(label, f"text {label}") for label in labels), gold)


def test_orders_are_fixed_for_good() -> None:
    """Stored runs are resumed by these; a change here would mix two shuffles in one run."""
    orders = [order_permutation(question(5), index, 7) for index in range(4)]
    assert orders == [(0, 1, 2, 3, 4), (1, 3, 0, 4, 2), (1, 4, 0, 3, 2), (1, 0, 4, 2, 3)]


def test_orders_do_not_depend_on_the_process() -> None:
    code = (
        "from tests.test_perturb import question; from engine.perturb import order_permutation;"
        "import random; random.seed(3);"
        "print([order_permutation(question(6), i, 1) for i in range(5)])"
    )
    run = [sys.executable, "-c", code]
    first, second = (
        subprocess.run(
            run, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    )
    assert first == second == f"{[order_permutation(question(6), i, 1) for i in range(5)]}\n"


@given(options=st.integers(2, 26), index=st.integers(0, 30), seed=st.integers())
def test_an_order_is_a_permutation(options: int, index: int, seed: int) -> None:
    order = order_permutation(question(options), index, seed)
    assert sorted(order) == list(range(options))
    assert index or order == tuple(range(options))


@pytest.mark.parametrize("options", [2, 3, 4])
def test_small_questions_go_through_every_order_before_one_comes_again(options: int) -> None:
    count = math.factorial(options)
    orders = [order_permutation(question(options), index, 0) for index in range(2 * count)]
    assert len(set(orders[:count])) == count
    assert orders[count:] == orders[:count]


def test_orders_differ_by_question_and_seed_and_are_fair() -> None:
    many = [order_permutation(question(4, text=f"Q{i}"), 1, 0) for i in range(2400)]
    counts = Counter(many)
    assert len(counts) == 23  # every order but the source's
    assert max(counts.values()) < 2 * min(counts.values())
    assert many[:50] != [order_permutation(question(4, text=f"Q{i}"), 1, 1) for i in range(50)]


def test_reorder_gives_labels_by_position_and_gold_follows() -> None:
    source = Question(
        "Which?",
        (Option("1", "low", 1.0), Option("2", "high", 2.0), Option("3", "Refused")),
        gold="2",
        subject="s",
        dataset="d",
    )
    shown = reorder(source, (2, 0, 1))
    assert shown.options == (
        Option("A", "Refused"),
        Option("B", "low", 1.0),
        Option("C", "high", 2.0),
    )
    assert (shown.gold, shown.subject, shown.dataset) == ("C", "s", "d")
    assert reorder(source, (0, 1, 2), labels="xyz").labels == ("x", "y", "z")
    assert reorder(question(3, gold=None), (2, 1, 0)).gold is None


def test_the_source_order_of_lettered_questions_changes_nothing() -> None:
    assert reorder(question(4), order_permutation(question(4), 0, 5)) == question(4)


def test_too_few_labels_are_one_sentence() -> None:
    with pytest.raises(QuestionError, match="4 options need as many labels, but there are 3"):
        reorder(question(4), (0, 1, 2, 3), labels="abc")
