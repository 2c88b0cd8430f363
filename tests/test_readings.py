"""The named readings over hand-made probe results."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.questions import Option, Question
from engine.readings import Reading, read_probe, read_text
from engine.records import (
    Continuation,
    Distribution,
    FinishReason,
    Generation,
    GenerationKind,
    Positions,
    ProbeResult,
)

QUESTION = Question("Which?", tuple(map(Option, "ABCD", ("red", "green", "blue", "Refused"))), "B")
TOKENS = {1: "A", 2: " B", 3: "Sure", 4: "(A", 5: "\nC\n", 6: ""}
NO_POSITIONS = Positions([], [], [], [], [], [], [], [])


def result(
    *,
    logprobs: list[float] | None = None,
    top: list[int] | None = None,
    continuations: list[Continuation] | None = None,
    generations: list[Generation] | None = None,
) -> ProbeResult:
    ids = [] if top is None else top
    first = Distribution(ids, [-1.0] * len(ids), 1.0, 0.0, 0.0)
    return ProbeResult(first, logprobs or [], [], continuations or [], generations or [])


def text(
    reply: str, *, sample: int | None = None, finish_reason: FinishReason = "stop"
) -> Generation:
    kind: GenerationKind = "greedy" if sample is None else "sample"
    return Generation(kind, sample or 0, reply, finish_reason, NO_POSITIONS)


def option_text(label: str, *logprobs: float) -> Continuation:
    return Continuation(label, "text", f" {label}", [0] * len(logprobs), list(logprobs), False)


def readings(probe: ProbeResult) -> dict[str, Reading]:
    found = read_probe(QUESTION, probe, lambda i: TOKENS[i].encode())
    return {
        reading.name if reading.sample is None else f"sample {reading.sample}": reading
        for reading in found
    }


def test_nothing_recorded_means_no_reading() -> None:
    assert readings(result()) == {}


def test_first_token_is_the_restricted_argmax() -> None:
    probabilities = [0.02, 0.06, 0.01, 0.01]
    reading = readings(result(logprobs=list(map(math.log, probabilities)), top=[3]))["first_token"]
    assert (reading.status, reading.label, reading.rule) == ("option", "B", "argmax")
    assert reading.confidence == pytest.approx(0.6)
    assert reading.margin == pytest.approx(0.4)


def test_first_token_of_equals_is_the_first_option_and_says_so() -> None:
    reading = readings(result(logprobs=[-3.0, -1.0, -1.0, -2.0]))["first_token"]
    assert (reading.label, reading.rule, reading.margin) == ("B", "tie", 0.0)


def test_first_token_survives_probabilities_that_underflow() -> None:
    reading = readings(result(logprobs=[-2000.0, -2001.0, -3000.0, -2500.0]))["first_token"]
    assert reading.label == "A"
    assert reading.confidence == pytest.approx(1 / (1 + math.exp(-1)))


@settings(deadline=None)
@given(st.lists(st.floats(-50, 0, width=32), min_size=4, max_size=4))
def test_first_token_agrees_with_numpy(logprobs: list[float]) -> None:
    reading = readings(result(logprobs=logprobs))["first_token"]
    array = np.array(logprobs, dtype=np.float64)
    softmax = np.exp(array - array.max()) / np.exp(array - array.max()).sum()
    assert reading.label == "ABCD"[int(np.argmax(array))]
    assert reading.confidence == pytest.approx(softmax.max())
    assert reading.margin == pytest.approx(float(np.diff(np.sort(softmax)[-2:])[0]))
    assert (reading.rule == "tie") == ((array == array.max()).sum() > 1)


@pytest.mark.parametrize(("token", "label"), [(1, "A"), (2, "B"), (5, "C")])
def test_vocab_argmax_ignores_blanks(token: int, label: str) -> None:
    reading = readings(result(top=[token, 3]))["vocab_argmax"]
    assert (reading.status, reading.label) == ("option", label)


@pytest.mark.parametrize("token", [3, 4, 6])
def test_vocab_argmax_that_is_no_label_is_unparsed_and_shows_the_token(token: int) -> None:
    reading = readings(result(top=[token, 1]))["vocab_argmax"]
    assert (reading.status, reading.label) == ("unparsed", None)
    assert repr(TOKENS[token]) in reading.rule


def test_continuation_sums_the_token_logprobs() -> None:
    texts = [
        option_text("A", -1.0, -1.0),
        option_text("B", -1.5),
        option_text("C", -0.5, -0.5, -0.9),
        option_text("D", -4.0),
    ]
    labels = [Continuation(label, "label", f" {label}", [0], [-0.1], True) for label in "ABCD"]
    reading = readings(result(continuations=labels + texts))["continuation"]
    weights = [math.exp(-x) for x in (2.0, 1.5, 1.9, 4.0)]
    assert reading.label == "B"
    assert reading.confidence == pytest.approx(weights[1] / sum(weights))
    assert reading.margin == pytest.approx((weights[1] - weights[2]) / sum(weights))


def test_continuation_is_absent_unless_every_option_was_scored() -> None:
    texts = [option_text(label, -1.0) for label in "ABC"]
    assert "continuation" not in readings(result(continuations=texts))


def test_greedy_and_sampled_texts_are_read_by_the_ladder() -> None:
    found = readings(
        result(
            generations=[
                text("I can't answer this question."),
                text("Sure! The answer is (B) green.", sample=1),
                text("A or B", sample=2),
                text("Well, let me think about", sample=3, finish_reason="length"),
            ]
        )
    )
    assert (found["greedy_text"].status, found["greedy_text"].label) == ("refusal", "D")
    assert (found["sample 1"].status, found["sample 1"].label) == ("option", "B")
    assert found["sample 1"].span == (21, 29)
    assert (found["sample 2"].status, found["sample 2"].labels) == ("several", ("A", "B"))
    assert found["sample 3"].status == "truncated"


def test_texts_asked_for_later_are_read_apart() -> None:
    extra = Generation("extra", 9, "The answer is C.", "stop", NO_POSITIONS)
    branch = Generation("branch", -2, "I can't answer this", "length", NO_POSITIONS, 0, 3)
    assert readings(result(generations=[extra, branch])) == {}
    asked = read_text(QUESTION, extra)
    assert (asked.name, asked.sample, asked.status, asked.label) == ("extra_text", 9, "option", "C")
    left = read_text(QUESTION, branch)
    assert (left.name, left.sample, left.status, left.label) == ("branch_text", -2, "refusal", "D")


def test_extra_samples_and_branches_do_not_vote() -> None:
    samples = [text(reply, sample=number) for number, reply in enumerate(("A", "A", "B"), 1)]
    later = [
        Generation("extra", number, "The answer is B.", "stop", NO_POSITIONS)
        for number in range(4, 9)
    ]
    later.append(Generation("branch", -1, "B", "stop", NO_POSITIONS))
    found = readings(result(generations=[text("C"), *samples, *later]))
    assert found == readings(result(generations=[text("C"), *samples]))
    assert (found["majority"].label, found["majority"].confidence) == ("A", pytest.approx(2 / 3))


def majority(*replies: str) -> Reading:
    texts = [text(reply, sample=number) for number, reply in enumerate(replies, start=1)]
    return readings(result(generations=texts))["majority"]


def test_majority_is_the_mode_with_its_share() -> None:
    reading = majority("B", "A", "B", "I refuse to answer.")
    assert (reading.status, reading.label, reading.rule) == ("option", "B", "mode")
    assert (reading.confidence, reading.margin) == (0.5, 0.25)


def test_majority_of_equals_is_the_one_said_first() -> None:
    reading = majority("I refuse to answer.", "C", "C", "I refuse to answer.")
    assert (reading.status, reading.label, reading.rule) == ("refusal", "D", "tie")
    assert reading.margin == 0.0


def test_majority_tells_a_refusal_from_choosing_the_refusing_option() -> None:
    reading = majority("D. Refused", "I refuse to answer.", "D")
    assert (reading.status, reading.label) == ("option", "D")


def test_majority_may_be_no_option() -> None:
    reading = majority("Hello there!", "B", "Nice weather.")
    assert (reading.status, reading.label) == ("unparsed", None)


def test_majority_of_one_sample_is_certain() -> None:
    reading = majority("B")
    assert (reading.confidence, reading.margin) == (1.0, 1.0)
