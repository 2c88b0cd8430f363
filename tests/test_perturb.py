"""Orders and perturbations: the same everywhere, exactly as defined; gold follows its option."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from engine.errors import LogitscopeError, QuestionError
from engine.perturb import (
    EXTRA_OPTIONS,
    RATE,
    Perturbation,
    can_change,
    check_perturbations,
    most_options,
    order_permutation,
    parse_perturbation,
    reorder,
    variant,
    variants,
)
from engine.perturb.words import change_words, places
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


# Typos and swaps

KINDS_OF_WORDS = ("letter_typo", "letter_swap", "word_swap")
LETTERS = "abcdefghijklmnopqrstuvwxyzäéßñøABCDEFGHIJKLMNOPQRSTUVWXYZÉ"
KEYBOARD = {
    letter: (at + offset, row)
    for row, (offset, keys) in enumerate(
        [(0, "qwertyuiop"), (0.25, "asdfghjkl"), (0.75, "zxcvbnm")]
    )
    for at, letter in enumerate(keys)
}
"""Centres of the keys; rows are staggered by a quarter and by half a key."""
TEXTS = st.lists(
    st.one_of(
        st.text(LETTERS, min_size=1, max_size=9),
        st.text("0123456789.", min_size=1, max_size=5),
        st.sampled_from(
            ["H2O", "don't", "x-ray", "\\frac{1}{2}", "—", "图书馆里", "(see", "below)."]
        ),
        st.text(max_size=4),
    ),
    max_size=25,
).map(" ".join)
RATES = st.sampled_from((0.0, 0.05, 0.1, 0.5, 0.9, 1.0))


def long_words(text: str) -> list[str]:
    """Words of four letters or more that touch no other letter, digit, underscore or backslash."""
    runs = re.finditer(r"[\w\\]+", text)
    return [run[0] for run in runs if re.fullmatch("[A-Za-zäéßñøÉ]{4,}", run[0])]


def expected(kind: str, text: str) -> list[str]:
    """The words that a change of letters can fall on."""
    if kind == "letter_typo":
        return [word for word in long_words(text) if re.search("[A-Za-z]", word[1:-1])]
    return [word for word in long_words(text) if len(set(word[1:-1])) > 1]


def how_many(rate: float, places: int) -> int:
    exact = Fraction(str(rate)) * places
    return min(places, max(1, math.floor(exact + Fraction(1, 2)))) if rate else 0


@given(text=TEXTS, rate=RATES, seed=st.integers(), kind=st.sampled_from(KINDS_OF_WORDS))
def test_the_same_key_makes_the_same_change(text: str, rate: float, seed: int, kind) -> None:
    assert change_words(kind, text, rate, str(seed)) == change_words(kind, text, rate, str(seed))
    assert change_words(kind, text, 0, str(seed)) == text


@given(
    words=st.lists(st.text("abcdefghiXYZéä", min_size=1, max_size=8), max_size=20),
    rate=RATES,
    key=st.text(max_size=3),
    kind=st.sampled_from(("letter_typo", "letter_swap")),
)
def test_so_many_words_change_as_the_rate_says(words: list[str], rate: float, key: str, kind):
    """Numbers, short words and what stands between words stay, and every word its ends."""
    text = " 17, ".join(words)
    changed = change_words(kind, text, rate, key)
    after = changed.split(" 17, ")
    assert len(after) == len(text.split(" 17, "))
    pairs = [(old, new) for old, new in zip(words, after, strict=False) if old != new]
    places = expected(kind, text)
    assert len(pairs) == how_many(rate, len(places))
    for old, new in pairs:
        assert old in places
        assert (old[0], old[-1], len(old)) == (new[0], new[-1], len(new))
        at = [i for i in range(len(old)) if old[i] != new[i]]
        if kind == "letter_swap":
            assert at == [at[0], at[0] + 1]
            assert sorted(old) == sorted(new)
        else:
            (place,) = at
            assert old[place].isupper() == new[place].isupper()
            (x, y), (other_x, other_y) = (KEYBOARD[w[place].lower()] for w in (old, new))
            assert math.hypot(x - other_x, y - other_y) < 1.3


@given(text=TEXTS, rate=RATES, key=st.text(max_size=3))
def test_swaps_keep_every_character(text: str, rate: float, key: str) -> None:
    for kind in ("letter_swap", "word_swap"):
        assert Counter(change_words(kind, text, rate, key)) == Counter(text)


@given(text=TEXTS, rate=RATES, key=st.text(max_size=3), kind=st.sampled_from(KINDS_OF_WORDS))
def test_nothing_changes_but_words(text: str, rate: float, key: str, kind) -> None:
    """Numbers and everything that is no word of letters stay where they are, one by one."""
    changed = change_words(kind, text, rate, key)

    def others(words: str) -> list[str]:
        return re.findall(r"\d+|[^\w\s]|图书馆里", words)

    assert others(changed) == others(text) or kind == "word_swap"
    assert Counter(others(changed)) == Counter(others(text))
    assert bool(places(kind, text) and rate) == (changed != text)


@given(
    words=st.lists(st.text("abcXY", min_size=1, max_size=5), max_size=16),
    rate=RATES,
    key=st.text(max_size=3),
)
def test_swapped_words_are_neighbours_and_as_many_as_the_rate_says(
    words: list[str], rate: float, key: str
) -> None:
    after = change_words("word_swap", "  ".join(words), rate, key).split("  ") if words else []
    swapped = []
    at = 0
    while at < len(words):
        if words[at] != after[at]:
            assert (words[at], words[at + 1]) == (after[at + 1], after[at])
            swapped.append(at)
            at += 1
        at += 1
    assert len(after) == len(words)
    pairs = [at for at in range(len(words) - 1) if words[at] != words[at + 1]]
    wanted = how_many(rate, len(pairs))
    assert len(swapped) <= wanted
    if len(swapped) < wanted:  # Then every pair that is left touches one that was swapped.
        taken = {place for at in swapped for place in (at, at + 1)}
        assert all(at in taken or at + 1 in taken for at in pairs)


def test_words_are_swapped_across_blanks_alone() -> None:
    for text in ("one, two", "one\ntwo", "one 2 three", "one", "same same", "x-1 two-2"):
        assert places("word_swap", text) == []
        assert change_words("word_swap", text, 1, "k") == text
    assert change_words("word_swap", "(well-known don't)?", 1, "k") == "(don't well-known)?"


def test_changes_are_fixed_for_good() -> None:
    """Stored runs are resumed by these; a change here would mix two perturbations in one run."""
    text = "Which of these planets is the nearest to the sun?"
    assert [change_words(kind, text, 0.3, "key") for kind in KINDS_OF_WORDS] == [
        "Which of these planets is the neafest to the sun?",
        "Which of these planets is the naerest to the sun?",
        "Which of planets these is nearest the to sun the?",
    ]


def test_a_long_text_takes_no_time() -> None:
    text = "several words without any particular meaning " * 20_000
    for kind in KINDS_OF_WORDS:
        assert change_words(kind, text, 0.5, "k") != text


# Variants

PERTURBATIONS = (
    Perturbation("letter_typo", copies=2, rate=0.5),
    Perturbation("extra_options", copies=3),
    Perturbation("word_swap"),
)


def many_words(options: int, gold: str | None = "A") -> Question:
    return question(options, "Which planet comes nearest to the burning sun?", gold)


@given(options=st.integers(2, 20), number=st.integers(0, 7), seed=st.integers())
def test_variants_are_orders_then_copies(options: int, number: int, seed: int) -> None:
    source = many_words(options, "B")
    shown = variant(source, number, seed, orders=2, perturbations=PERTURBATIONS)
    assert variants(2, PERTURBATIONS) == 8
    kinds = [None, None, *["letter_typo"] * 2, *["extra_options"] * 3, "word_swap"]
    assert (shown.number, shown.perturbation) == (number, kinds[number])
    assert shown == variant(source, number, seed, orders=2, perturbations=PERTURBATIONS)
    texts = [option.text for option in source.options] + list(EXTRA_OPTIONS)
    assert [option.text for option in shown.question.options] == [
        texts[place] for place in shown.permutation
    ]
    gold = next(option for option in shown.question.options if option.label == shown.question.gold)
    assert gold.text == "text B"
    assert shown.question.labels == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(shown.permutation)])
    if number < 2:
        permutation = order_permutation(source, number, seed)
        assert shown.question == reorder(source, permutation)
        assert shown.permutation == permutation
    elif shown.perturbation == "extra_options":
        assert sorted(shown.permutation) == list(range(options + 3))
        assert shown.question.text == source.text
    else:
        assert shown.permutation == tuple(range(options))
        assert shown.question.text != source.text


def test_copies_differ_and_depend_on_nothing_before_them() -> None:
    source, typos = many_words(4), Perturbation("letter_typo", copies=4, rate=1)
    shown = [variant(source, number, 0, 1, [typos]).question for number in range(5)]
    assert len({each.text for each in shown}) == 5
    later = [Perturbation("extra_options", copies=2), typos]
    assert [variant(source, number, 0, 3, later).question for number in range(5, 9)] == shown[1:]
    assert variant(source, 1, 1, 1, [typos]).question not in shown


def test_extra_options_are_shuffled_with_the_rest() -> None:
    extra = [Perturbation("extra_options", copies=400)]
    first = Counter(
        variant(many_words(4), number, 0, 0, extra).permutation[0] for number in range(400)
    )
    assert set(first) == set(range(7))
    assert chisquare([first[place] for place in range(7)]).pvalue > 0.001


def test_an_extra_option_that_is_there_is_not_added_again() -> None:
    source = Question("Yes?", (Option("A", "Yes"), Option("B", " refused ")), None)
    extra = [Perturbation("extra_options")]
    shown = variant(source, 1, 0, 1, extra)
    assert Counter(option.text for option in shown.question.options) == Counter(
        ["Yes", " refused ", *EXTRA_OPTIONS[:2]]
    )
    assert most_options(source, extra) == 4
    assert most_options(source, PERTURBATIONS[:1]) == 2
    assert most_options(many_words(4), extra) == 7


def test_what_can_be_changed_is_known() -> None:
    short = question(4, "Is it 42?")
    assert not can_change(short, "letter_typo")
    assert not can_change(question(4, "谁写了这本书？"), "word_swap")
    assert can_change(short, "word_swap")
    assert can_change(short, "extra_options")


def test_a_variant_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(QuestionError, match="no option order 8") as caught:
        variant(many_words(4), 8, 0, orders=2, perturbations=PERTURBATIONS)
    assert "0 to 7" in caught.value.hint


# How they are written


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("letter_typo", Perturbation("letter_typo", 1, RATE)),
        ("extra_options:2", Perturbation("extra_options", 2, RATE)),
        (" word_swap:3:0.25 ", Perturbation("word_swap", 3, 0.25)),
    ],
)
def test_perturbations_are_read(text: str, meant: Perturbation) -> None:
    assert parse_perturbation(text) == meant
    check_perturbations([meant])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("typo", "no perturbation 'typo'"),
        ("", "no perturbation ''"),
        ("letter_typo:", "letter_typo: can't be read"),
        ("letter_typo:many", "letter_typo:many can't be read"),
        ("letter_typo:1:much", "letter_typo:1:much can't be read"),
        ("letter_typo:1:0.1:2", "too many parts"),
        ("extra_options:1:0.1", "has a rate"),
    ],
)
def test_what_is_no_perturbation_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(LogitscopeError) as caught:
        parse_perturbation(text)
    assert sentence in caught.value.sentence
    assert caught.value.hint
