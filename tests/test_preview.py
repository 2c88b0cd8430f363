"""The preview: what the first token was going to be, in a few lines."""

from __future__ import annotations

import msgspec
import pytest
from rich.cells import cell_len

from engine.browse import ListRow
from engine.questions import Option, Question
from tui.widgets.preview import lines_of

LABELS = "ABCDEFGHIJ"
ROW = ListRow(
    probe_id=1,
    question_index=0,
    question_id="q",
    subject="",
    question="Which planet is closest to the sun?",
    format="low",
    order_index=0,
    gold="B",
    first_token="B",
    first_probability=0.9,
    margin=0.8,
    entropy=1.0,
    vocab_token="B",
    continuation="B",
    text_status="option",
    text_label="B",
    majority=None,
    majority_status=None,
    sample_agreement=None,
    flags=(),
    marked=False,
    option_probabilities=(("A", 0.1), ("B", 0.6), ("C", 0.0), ("D", 0.05)),
    top_tokens=(("B", 0.6), (" B", 0.2), ("\n", 0.1)),
    greedy_text="B.\nMercury is closest.",
)
QUESTION = Question(
    ROW.question, tuple(map(Option, "ABCD", ("Venus", "Mercury", "Mars", "水星は太陽に近い")))
)


def text(row: ListRow, question: Question | None, width: int = 80, height: int = 7) -> list[str]:
    lines = lines_of(row, question, width, height)
    return ["".join(words for words, _ in line) for line in lines]


def test_options_and_tokens_stand_side_by_side() -> None:
    shown = text(ROW, QUESTION)
    assert shown[0].rstrip() == "Which planet is closest to the sun?"
    assert shown[1].startswith("A  Venus ")
    assert "10.0%" in shown[1]
    assert shown[2].startswith("B* Mercury ")
    assert "60.0%" in shown[2]
    assert "0%" in shown[3]
    assert "·B" in shown[2]
    assert "↵" in shown[3]
    assert shown[-1].rstrip() == "wrote  B.↵Mercury is closest."


def test_until_the_question_is_read_the_labels_stand_alone() -> None:
    assert text(ROW, None)[2].startswith("B*  ")
    assert "Mercury" not in "".join(text(ROW, None)[:-1])


def test_the_gold_option_has_a_star_and_its_own_tone() -> None:
    tones = [
        tone for line in lines_of(ROW, QUESTION, 80, 7) for words, tone in line if "█" in words
    ]
    assert tones.count("gold") == 1


@pytest.mark.parametrize("width", [40, 57, 78, 158])
@pytest.mark.parametrize("height", [7, 9, 12])
def test_no_line_is_wider_than_the_preview(width: int, height: int) -> None:
    row = msgspec.structs.replace(
        ROW, question="水の化学式は何ですか？" * 20, greedy_text="長い答え" * 50
    )
    lines = text(row, QUESTION, width, height)
    assert len(lines) == height
    assert max(map(cell_len, lines)) == cell_len(lines[0]) == width


def test_a_tall_preview_folds_the_texts() -> None:
    row = msgspec.structs.replace(ROW, question="a" * 100, greedy_text="b" * 200)
    lines = text(row, QUESTION, 80, 9)
    assert lines[0] == "a" * 80
    assert lines[1].rstrip() == "a" * 20
    assert lines[-2] == "wrote  " + "b" * 73
    assert lines[-1] == " " * 7 + "b" * 72 + "…"


def test_of_many_options_the_gold_and_the_likeliest_are_shown() -> None:
    shares = tuple((label, 0.01 * place) for place, label in enumerate(LABELS))
    row = msgspec.structs.replace(ROW, option_probabilities=shares, gold="A")
    shown = text(row, None, height=7)
    assert [line[0] for line in shown[1:5]] == ["A", "H", "I", "J"]
    assert "6 more options" in shown[5]


def test_what_was_not_recorded_is_said() -> None:
    row = msgspec.structs.replace(ROW, option_probabilities=(), top_tokens=(), greedy_text=None)
    shown = "\n".join(text(row, QUESTION))
    assert "option distribution not recorded" in shown
    assert "likeliest tokens not recorded" in shown
    assert "greedy text not recorded" in shown
