"""Readings off tokens and forced continuations, over hand-made probe results."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.questions import Option, Question
from engine.readings import Reading, read_probe
from engine.readings.matches import quasi
from engine.records import (
    NOTHING_SEEN,
    Continuation,
    Generation,
    Positions,
    ProbeResult,
    Spelling,
)

QUESTION = Question(
    "Which?", tuple(map(Option, "ABC", ("the red one", "a green one", "blue"))), "B"
)
TEXTS = ["A", "B", "C", " A", " B", " C", " ", "\n", "Sure", " answer", " is", ".", "the", " red",
         " one", "(", "B)", ")"]  # fmt: skip
ID = {text: number for number, text in enumerate(TEXTS)}


def spellings(**logprobs: float) -> list[Spelling]:
    """Bare and spaced labels, and "(A", whose first token is only its beginning."""
    found = []
    for label in "ABC":
        for spelling in (label, f" {label}"):
            logprob = logprobs.get(spelling.replace(" ", "_"), -9.0)
            found.append(Spelling(label, spelling, ID[spelling], True, logprob))
        found.append(Spelling(label, f"({label}", ID["("], False, -0.1))
    return found


def written(tokens: str, *tops: dict[str, float], finish: str = "stop") -> Generation:
    """A greedy text; its tokens divided by ``|``, and the likeliest tokens at each position."""
    ids = [ID[token] for token in tokens.split("|")]
    kept = [*tops, *([{}] * (len(ids) - len(tops)))]
    positions = Positions(
        token_ids=ids,
        logprobs=[top.get(TEXTS[token], -0.25) for token, top in zip(ids, kept, strict=True)],
        ranks=[1] * len(ids),
        entropies=[1.0] * len(ids),
        logsumexps=[10.0] * len(ids),
        unseen=[0.0] * len(ids),
        top_ids=[[ID[token] for token in top] for top in kept],
        top_logprobs=[list(top.values()) for top in kept],
    )
    return Generation("greedy", 0, tokens.replace("|", ""), finish, positions)


def readings(**parts: object) -> dict[str, Reading]:
    whole = {"label_logprobs": [], "spellings": [], "continuations": [], "generations": []}
    result = ProbeResult(first=NOTHING_SEEN, **{**whole, **parts})
    return {r.name: r for r in read_probe(QUESTION, result, lambda i: TEXTS[i].encode())}


def test_spellings_of_one_label_add_up() -> None:
    found = readings(
        label_logprobs=[math.log(0.2), math.log(0.15), math.log(0.1)],
        spellings=spellings(
            A=math.log(0.2), _A=math.log(0.01), B=math.log(0.15), _B=math.log(0.15),
            C=math.log(0.1), _C=math.log(0.04),
        ),
    )  # fmt: skip
    assert found["first_token"].label == "A"
    reading = found["first_token_spellings"]
    assert (reading.label, reading.rule) == ("B", "argmax")
    assert reading.confidence == pytest.approx(0.3 / 0.65)
    assert reading.margin == pytest.approx((0.3 - 0.21) / 0.65)


def test_a_token_that_only_begins_a_spelling_counts_for_no_label() -> None:
    only_begun = [Spelling(label, f"({label}", ID["("], False, -0.1) for label in "ABC"]
    assert "first_token_spellings" not in readings(spellings=only_begun)


def test_first_nonblank_is_the_first_token_where_that_is_not_blank() -> None:
    found = readings(
        label_logprobs=[-3.0, -1.0, -2.0], spellings=spellings(), generations=[written("Sure|.")]
    )
    assert found["first_nonblank"] == msgspec.structs.replace(
        found["first_token"], name="first_nonblank", position=0
    )


def test_first_nonblank_looks_behind_blanks() -> None:
    found = readings(
        label_logprobs=[-3.0, -1.0, -2.0],
        spellings=spellings(),
        generations=[written(" |\n|C|.", {}, {}, {"C": -0.2, " A": -2.0, "A": -3.0, "B": -4.0})],
    )
    reading = found["first_nonblank"]
    assert (reading.label, reading.position) == ("C", 2)
    weights = [math.exp(-2.0), math.exp(-4.0), math.exp(-0.2)]
    assert reading.confidence == pytest.approx(weights[2] / sum(weights))
    assert found["first_token"].label == "B"


def test_first_nonblank_claims_no_confidence_from_a_list_that_lacks_labels() -> None:
    found = readings(
        spellings=spellings(), generations=[written(" |C", {}, {"C": -0.2, "Sure": -2.0})]
    )
    reading = found["first_nonblank"]
    assert (reading.label, reading.confidence, reading.margin) == ("C", None, None)


def test_first_nonblank_without_any_label_is_unparsed() -> None:
    found = readings(
        spellings=spellings(), generations=[written(" |Sure", {}, {"Sure": -0.2, ".": -2.0})]
    )
    reading = found["first_nonblank"]
    assert (reading.status, reading.label, reading.position) == ("unparsed", None, 1)
    assert reading.rule == "no label among the 2 likeliest tokens"


def test_the_answer_is_found_at_its_token() -> None:
    text = written(
        "the| answer| is| B|.", {}, {}, {}, {" B": -0.1, " A": -3.0, " C": -4.0, "Sure": -5.0}
    )
    found = readings(spellings=spellings(), generations=[text])
    reading = found["answer_position"]
    assert (reading.label, reading.position, reading.span) == ("B", 3, (14, 15))
    assert reading.confidence == pytest.approx(math.exp(-0.1))
    assert reading.logit == pytest.approx(9.9)
    among = found["answer_position_options"]
    weights = [math.exp(-3.0), math.exp(-0.1), math.exp(-4.0)]
    assert (among.label, among.position) == ("B", 3)
    assert among.confidence == pytest.approx(weights[1] / sum(weights))


def test_among_the_options_only_the_written_spelling_counts() -> None:
    text = written("the| answer| is| B", {}, {}, {}, {" B": -0.5, "A": -1.0, " A": -2.0})
    among = readings(spellings=spellings(), generations=[text])["answer_position_options"]
    assert (among.label, among.confidence) == ("B", None)


def test_labels_in_lower_case_are_compared_in_lower_case() -> None:
    lower = {"a": 20, " b": 21, "b": 22, "c": 23}
    texts = {**{number: text for text, number in lower.items()}, **dict(enumerate(TEXTS))}
    known = [
        *spellings(),
        *(Spelling(text.upper(), text, lower[text], True, -5.0) for text in ("a", "b", "c")),
        Spelling("B", " b", lower[" b"], True, -5.0),
    ]
    top_ids, top_logprobs = [lower["b"], lower["a"], lower["c"], ID["A"]], [-0.2, -2.0, -3.0, -0.9]
    positions = Positions(
        [lower["b"], ID[")"]], [-0.2, -0.1], [1, 1], [1.0, 1.0], [9.0, 9.0], [0.0, 0.0],
        [top_ids, []], [top_logprobs, []],
    )  # fmt: skip
    text = Generation("greedy", 0, "b)", "stop", positions)
    result = ProbeResult(NOTHING_SEEN, [], known, [], [text])
    found = {r.name: r for r in read_probe(QUESTION, result, lambda i: texts[i].encode())}
    among = found["answer_position_options"]
    weights = [math.exp(x) for x in (-2.0, -0.2, -3.0)]
    assert among.label == "B"
    assert among.confidence == pytest.approx(weights[1] / sum(weights))


def test_an_answer_given_as_text_has_a_position_but_no_labels_there() -> None:
    text = written("the| answer| is| |the| red| one", *[{}] * 4, {"the": -0.3})
    found = readings(spellings=spellings(), generations=[text])
    assert (found["answer_position"].label, found["answer_position"].position) == ("A", 4)
    assert "answer_position_options" not in found


@pytest.mark.parametrize("tokens", ["Sure|.", "Sure| |A| answer"])
def test_a_text_without_an_answer_has_no_position(tokens: str) -> None:
    reading = readings(spellings=spellings(), generations=[written(tokens)])["answer_position"]
    assert reading.status == "unparsed"
    assert (reading.label, reading.confidence, reading.position) == (None, None, None)


def test_a_text_whose_tokens_are_not_recorded_has_no_position() -> None:
    bare = Positions([], [], [], [], [], [], [], [])
    text = Generation("greedy", 0, "the answer is B", None, bare)
    found = readings(generations=[text])
    assert found["greedy_text"].label == "B"
    assert "answer_position" not in found
    assert "first_nonblank" not in found


def scored(label: str, logprobs: list[float], unconditional: float | None = None) -> Continuation:
    return Continuation(label, "text", " x", [0] * len(logprobs), logprobs, False, unconditional)


def test_each_normalisation_may_choose_another_option() -> None:
    found = readings(
        continuations=[
            scored("A", [-1.0, -1.0, -1.0, -1.0], -3.0),  # 11 characters, 4 tokens
            scored("B", [-2.0, -2.1], -2.0),
            scored("C", [-3.0], -5.0),  # 4 characters, 1 token
        ]
    )
    assert found["continuation"].label == "C"
    assert found["continuation_per_token"].label == "A"
    assert found["continuation_per_character"].label == "A"
    assert found["continuation_unconditional"].label == "C"
    weights = [math.exp(-4.0 / 11), math.exp(-4.1 / 11), math.exp(-3.0 / 4)]
    assert found["continuation_per_character"].confidence == pytest.approx(
        weights[0] / sum(weights)
    )


def test_bytes_are_not_characters() -> None:
    question = Question("?", (Option("A", "\u00e9" * 10), Option("B", "e" * 12)), None)
    result = ProbeResult(NOTHING_SEEN, [], [], [scored("A", [-10.0]), scored("B", [-11.0])], [])
    found = {r.name: r for r in read_probe(question, result, lambda i: b"")}
    assert found["continuation_per_character"].label == "B"
    assert found["continuation_per_byte"].label == "A"


def test_what_was_not_scored_is_absent() -> None:
    found = readings(continuations=[scored(label, [-1.0], None) for label in "ABC"])
    assert "continuation_unconditional" not in found
    assert "label_continuation" not in found
    sums = [Continuation(label, "text", "", [], [], None, recorded_total=-1.0) for label in "ABC"]
    found = readings(continuations=sums)
    assert found["continuation"].rule == "tie"
    assert "continuation_per_token" not in found
    assert found["continuation_per_byte"].label == "A"


def test_whole_labels_are_scored_to_their_last_token() -> None:
    labels = [
        Continuation(label, "label", label, [0, 1], [first, rest], False)
        for label, first, rest in (("A", -0.1, -4.0), ("B", -1.0, -0.5), ("C", -2.0, -0.1))
    ]
    assert readings(continuations=labels)["label_continuation"].label == "B"


@pytest.mark.parametrize(
    ("line", "exact", "nearly"),
    [
        ("B", "B", "B"),
        (" B ", "B", "B"),
        ("B.", None, "B"),
        ("(B)", None, "B"),
        ("b", None, None),
        ("a green one", "B", "B"),
        ("Green one.", None, "B"),
        ("The red one", None, "A"),
        ("the red one is right", None, None),
        ("B because", None, None),
        ("", None, None),
        ("...", None, None),
        ("A\nB", "A", "A"),
        ("\nB", None, None),
    ],
)
def test_matches_want_the_whole_first_line(
    line: str, exact: str | None, nearly: str | None
) -> None:
    text = Generation("greedy", 0, line, "stop", Positions([], [], [], [], [], [], [], []))
    found = readings(generations=[text])
    assert (found["exact_match"].label, found["quasi_exact_match"].label) == (exact, nearly)
    assert found["exact_match"].status == ("option" if exact else "unparsed")


def test_the_article_a_is_never_taken_from_a_label() -> None:
    assert quasi("A") == ""
    text = Generation("greedy", 0, "A", "stop", Positions([], [], [], [], [], [], [], []))
    assert readings(generations=[text])["quasi_exact_match"].label == "A"


def test_options_with_one_text_are_several() -> None:
    question = Question("?", (Option("A", "same"), Option("B", "same"), Option("C", "x")), "A")
    text = Generation("greedy", 0, "Same", "stop", Positions([], [], [], [], [], [], [], []))
    result = ProbeResult(NOTHING_SEEN, [], [], [], [text])
    found = {r.name: r for r in read_probe(question, result, lambda i: b"")}
    assert found["exact_match"].status == "unparsed"
    assert (found["quasi_exact_match"].status, found["quasi_exact_match"].labels) == (
        "several",
        ("A", "B"),
    )


def test_labels_that_a_log_leaves_out_are_less_likely_and_uncertain() -> None:
    reading = readings(label_logprobs=[None, -2.0, -1.0])["first_token"]
    assert (reading.label, reading.confidence, reading.margin) == ("C", None, None)
    assert "first_token" not in readings(label_logprobs=[None, None, None])


@given(st.lists(st.floats(-30, 30, width=32), min_size=3, max_size=3), st.floats(-100, 100))
def test_logits_read_like_logprobs(logits: list[float], shift: float) -> None:
    by_logits = readings(label_logits=logits)["first_token"]
    best = max(logits)
    total = math.fsum(math.exp(logit - best) for logit in logits)
    assert by_logits.label == "ABC"[logits.index(best)]
    assert by_logits.confidence == pytest.approx(1 / total)
