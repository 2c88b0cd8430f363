"""Prompt formats: the shipped ones byte for byte, and errors that name file and line."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from engine.errors import FormatError
from engine.formats import PromptFormat, format_names, load_format, render_template
from engine.prompt import render_text
from engine.questions import Option, Question

QUESTION = Question(
    "Why?\nBecause: ",
    (Option("A", "yes"), Option("B", "None"), Option("C", 'it is, "so"')),
    gold="C",
    subject="high_school_geography",
    dataset="d",
)
ASKED = (
    "Please read the multiple-choice question below carefully and select ONE of the listed options"
)
BODY = 'Question: Why?\nBecause: \n\nA. yes \nB. None \nC. it is, "so" \nAnswer:'


def test_every_level_is_there() -> None:
    assert {"example", "high", "low", "middle"} < set(format_names())
    assert all(load_format(name).source for name in format_names())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("low", f"{ASKED}. \n{BODY}"),
        ("middle", f"{ASKED} and only give a single letter. \n{BODY}"),
        ("high", f"{ASKED} and start your answer with a single letter. \n{BODY}"),
        (
            "example",
            f"{ASKED}. Reply in the form of this example: \nAnswer: C \n{BODY}",
        ),
        (
            "example:example_letter=B",
            f"{ASKED}. Reply in the form of this example: \nAnswer: B \n{BODY}",
        ),
    ],
)
def test_constraint_levels_to_the_byte(name: str, text: str) -> None:
    fmt = load_format(name)
    parts = render_text(QUESTION, fmt)
    assert parts.messages == [{"role": "user", "content": text}]
    assert fmt.chat


def test_mmlu_original_to_the_byte() -> None:
    fmt = load_format("mmlu-original")
    assert (fmt.shots, fmt.chat, fmt.too_long) == (5, False, "drop-shots")
    parts = render_text(QUESTION, fmt, shots=[QUESTION, QUESTION])
    lines = 'Why?\nBecause: \nA. yes\nB. None\nC. it is, "so"\nAnswer:'
    assert parts.raw == (
        "The following are multiple choice questions (with answers) about  high school geography."
        f"\n\n{lines} C\n\n{lines} C\n\n{lines}"
    )


@pytest.mark.parametrize("file", ["llama2-7b_train.jsonl", "llama2-70b_train.jsonl"])
def test_middle_is_the_released_prompt(shared_data: Path, file: str) -> None:
    """Every prompt released with arXiv:2402.14499 for this level, from its question and options."""
    fmt = load_format("middle")
    rows = (shared_data / "data" / "mcq_mismatch" / file).read_text("utf-8").splitlines()
    for row in map(json.loads, rows):
        shown = row["shuffle_0"]
        options = shown["scores"]  # keyed by the option texts in the order shown
        labels = shown["scores_letter"]
        question = Question(
            row["original_question"], tuple(map(Option, labels, options)), dataset="opinions"
        )
        assert render_text(question, fmt).user == shown["question"]
    assert len(rows) > 300


def test_fields_can_be_changed_by_name_or_argument() -> None:
    plain = load_format("example")
    by_name = load_format("example:example_letter=A/B/C")
    assert by_name == load_format("example", fields={"example_letter": "A/B/C"})
    assert by_name.name == "example:example_letter=A/B/C"
    assert by_name.fields == {"example_letter": "A/B/C"}
    assert load_format("example:example_letter=C") == plain
    assert load_format("mmlu-original:shots=0").shots == 0
    assert load_format("mmlu-original:shots=0").name == "mmlu-original:shots=0"


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_file_is_a_format_named_after_it(tmp_path: Path) -> None:
    path = write(tmp_path, 'user = "{{ question }} {{ mood }}"\n[fields]\nmood = "now"\n')
    fmt = load_format(path)
    assert fmt.name == "mine"
    assert render_text(QUESTION, fmt).user == "Why?\nBecause:  now"
    changed = load_format(f"{path}:mood=later")
    assert render_text(QUESTION, changed).user.endswith("later")


def test_label_style_fills_in_once(tmp_path: Path) -> None:
    path = write(tmp_path, 'user = "{{ options }}"\nlabel_style = "({label}) {text} {x}"\n')
    question = msgspec.structs.replace(
        QUESTION, options=(Option("A", "{label}"), Option("B", "{text}"))
    )
    assert render_text(question, load_format(path)).user == "(A) {label} {x}\n(B) {text} {x}"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ('user = "{{ questoin }}"', 1, "'questoin' is undefined"),
        ('title = "x"\n\nuser = """\na\n{% if %}\n"""', 5, "Expected an expression"),
        ('title = "x"\nuser = """a\n{{ nope }}"""', 3, "'nope' is undefined"),
        ("user = '''\n\n{{ 1 / 0 }}'''", 3, "ZeroDivisionError: division by zero"),
        ('user = "a"\nshots = 1\nshot = "{{ question }"', 3, "unexpected '}'"),
        ('user = "a"\nheader = "{{ answer }}"', 2, "'answer' is undefined"),
        ('user = "{{ question.__class__.__mro__ }}"', 1, "unsafe"),
        ('user = "{{ range(10 ** 9) | list }}"', 1, "Range too big"),
        ('user = "a"\nname = "a:b"', 2, "the name holds a colon"),
        ('user = "a"\nlabels = "AAB"', 2, "labels repeat"),
        ('user = "a"\nlabel_style = "{text}"', 2, "no {label}"),
        ('user = "a"\nshots = -1', 2, "below 0"),
        ('user = "a"\n\n[fields]\nquestion = "b"', 3, "already there"),
    ],
)
def test_wrong_formats_are_refused_when_loaded(
    tmp_path: Path, text: str, line: int, problem: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(FormatError) as caught:
        load_format(path)
    assert caught.value.sentence.startswith(f"{path}, line {line}: ")
    assert problem in caught.value.sentence


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('user = "a', "end of document"),
        ('title = ""\nuser = = "b"', "line 2"),
        ('user = "a"\nusr = "a"', "line 2: this is no prompt format: Object contains unknown"),
        ('title = ""\nuser = 3', "line 2: this is no prompt format: Expected `str`, got `int`"),
        ('user = "a"\n\n[fields]\nx = 3', "line 3: this is no prompt format: Expected `str`"),
        ("", "missing required field `user`"),
        ('user = "a"\ntoo_long = "never"', "too_long"),
        ('user = "a"\nshots = 2', "no shot template"),
    ],
)
def test_files_that_are_no_formats_are_told_why(tmp_path: Path, text: str, problem: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(FormatError) as caught:
        load_format(path)
    assert str(path) in caught.value.sentence
    assert problem in caught.value.sentence


def test_unreadable_names_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no prompt format 'lwo'.*low, middle"):
        load_format("lwo")
    with pytest.raises(FormatError, match="No such file"):
        load_format(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b'user = "\xe9"')
    with pytest.raises(FormatError, match="not UTF-8"):
        load_format(tmp_path / "latin.toml")
    with pytest.raises(FormatError, match=r"no field 'letter'.*example_letter, shots"):
        load_format("example:letter=A")
    with pytest.raises(FormatError, match="can't have '3' shots"):
        load_format("low:shots=3")
    with pytest.raises(FormatError, match="can't have 'few' shots"):
        load_format("mmlu-original:shots=few")


def test_a_template_that_fails_later_names_format_part_and_line() -> None:
    fmt = PromptFormat(name="mine", user="a\n{{ 1 / (question | length - 1) }}")
    with pytest.raises(FormatError) as caught:
        render_template(fmt, "user", {"question": "x"})
    assert caught.value.sentence == (
        "Format 'mine', line 2 of template 'user': ZeroDivisionError: division by zero."
    )
