"""Loading questions: every shape, every text unchanged, and one sentence for every bad file."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import msgspec
import pyarrow as pa
import pytest
from huggingface_hub import errors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from engine.errors import QuestionError
from engine.questions import (
    Option,
    Question,
    find_dev,
    load_questions,
    refusal_label,
    shots_for,
)


def lettered(*texts: str) -> tuple[Option, ...]:
    return tuple(Option(label, text) for label, text in zip("ABCDEFGHIJ", texts, strict=False))


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8", newline="")
    return path


def write_json(folder: Path, name: str, *rows: Any) -> Path:
    return write(folder, name, "\n".join(json.dumps(row) for row in rows))


# csv


def test_mmlu_with_and_without_header_are_the_same_questions(tmp_path: Path) -> None:
    text = 'Which ""word""?\nChoose, then go on.'
    headed = write(
        tmp_path / "headed",
        "world_history_test.csv",
        f'question,choice0,choice1,choice2,choice3,answer\n"{text}",None,NA,3," x ",3\n',
    )
    original = write(
        tmp_path / "original", "world_history_test.csv", f'"{text}",None,NA,3," x ",D\r\n'
    )
    expected = Question(
        'Which "word"?\nChoose, then go on.',
        lettered("None", "NA", "3", " x "),
        gold="D",
        subject="world_history",
        dataset="mmlu",
    )
    assert load_questions(headed) == load_questions(original) == [expected]
    assert load_questions(headed)[0].id == load_questions(original)[0].id


def test_real_mmlu_files(shared_data: Path) -> None:
    folder = shared_data / "data" / "mmlu" / "test"
    everything = load_questions(folder)
    assert len({question.subject for question in everything}) == 8
    assert len({question.id for question in everything}) == len(everything)
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        questions = load_questions(path)
        assert len(rows) == len(questions)
        for row, question in zip(rows, questions, strict=True):
            assert question.text == row["question"]
            assert [option.text for option in question.options] == [
                row[f"choice{i}"] for i in range(4)
            ]
            assert question.gold == "ABCD"[int(row["answer"])]
            assert question.subject == path.stem.removesuffix("_test")
    assert load_questions(folder, limit=3) == everything[:3]


@settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    texts=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
            str.strip
        ),
        min_size=5,
        max_size=5,
    )
)
def test_csv_texts_survive(tmp_path: Path, texts: list[str]) -> None:
    path = tmp_path / "any_test.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["question", "A", "B", "C", "D", "answer"], [*texts, "B"]])
    (question,) = load_questions(path)
    assert [question.text, *(option.text for option in question.options)] == texts
    assert question.gold == "B"


def test_csv_columns_by_other_names(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "med.csv",
        "\ufeffid,Question,opa,opb,opc,cop,Subject,Dataset\n1,Q?,a,b,c,1,anatomy,med\n",
    )
    assert load_questions(path) == [Question("Q?", lettered("a", "b", "c"), "B", "anatomy", "med")]
    numbered = write(tmp_path, "n.csv", "question,choice1,choice2,answer\nQ?,x,y,1\n")
    assert load_questions(numbered)[0].gold == "A"


def test_csv_rows_may_have_fewer_options_and_no_answer(tmp_path: Path) -> None:
    path = write(tmp_path, "mixed.csv", "question,A,B,C,answer\nQ?,x,y,,\n\nR?,x,y,z,c\n")
    with pytest.raises(QuestionError, match="line 4: the answer 'c' is none of A, B, C"):
        load_questions(path)
    assert load_questions(path, limit=1) == [Question("Q?", lettered("x", "y"))]


def test_csv_survey_with_lists_in_cells(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "info.csv",
        "key,question,references,option_ordinal,answer\n"
        "K1,How much?,\"['A lot', 'Not at all', 'Refused']\",\"[1.0, 2.0]\",\n",
    )
    (question,) = load_questions(path)
    assert question.options == (
        Option("A", "A lot", 1.0),
        Option("B", "Not at all", 2.0),
        Option("C", "Refused"),
    )
    assert question.gold is None


def test_a_folder_is_its_csv_files_in_order(tmp_path: Path) -> None:
    for name in ("b_test.csv", "a_test.csv"):
        write(tmp_path, name, f"{name}?,x,y,A\n")
    write(tmp_path, "notes.txt", "no question")
    assert [question.subject for question in load_questions(tmp_path)] == ["a", "b"]


# json and its like

OPTIONS = lettered("red", "green", "blue")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {"text": "Q?", "options": {"A": "red", "B": "green", "C": "blue"}, "gold": "B",
             "subject": "s", "dataset": "d", "extra": {"ignored": 1}},
            Question("Q?", OPTIONS, "B", "s", "d"),
        ),
        ({"text": "Q?", "options": ["red", "green", "blue"]}, Question("Q?", OPTIONS)),
        ({"question": "Q?", "choices": ["red", "green", "blue"], "answer": 2},
         Question("Q?", OPTIONS, "C")),
        ({"question": "Q?", "choices": ["red", "green", "blue"], "answer": "2"},
         Question("Q?", OPTIONS, "C")),
        ({"question": "Q?", "choices": ["red", "green", "blue"], "answer": 2.0},
         Question("Q?", OPTIONS, "C")),
        ({"question": "Q?", "choices": ["red", "green", "blue"], "answer": "green"},
         Question("Q?", OPTIONS, "B")),
        ({"question": "Q?", "options": {"A": "red", "B": "green", "C": "blue"},
          "answer": "green", "answer_idx": "B"}, Question("Q?", OPTIONS, "B")),
        ({"id": "Mercury_1", "question": {"stem": "Q?", "choices": [
            {"text": "red", "label": "A"}, {"text": "green", "label": "B"}]}, "answerKey": "B"},
         Question("Q?", OPTIONS[:2], "B")),
        ({"question": {"stem": "Q?", "choices": [
            {"text": "red", "label": "1"}, {"text": "green", "label": "2"}]}, "answerKey": "1"},
         Question("Q?", (Option("1", "red"), Option("2", "green")), "1")),
        ({"id": "x", "question": "Q?", "choices": {"text": ["red", "green"], "label": ["1", "2"]},
          "answerKey": "2"}, Question("Q?", (Option("1", "red"), Option("2", "green")), "2")),
        ({"text": "Q?", "options": ["a lot", "little", "Refused"], "ordinals": [2, 1, None]},
         Question("Q?", (Option("A", "a lot", 2.0), Option("B", "little", 1.0),
                         Option("C", "Refused")))),
        ({"text": "Q?", "options": {"x": "a lot", "y": "little"}, "ordinals": {"y": 1}},
         Question("Q?", (Option("x", "a lot"), Option("y", "little", 1.0)))),
        ({"question": "Q?", "choices": ["None", "NA", "same", "same", "3", 4], "answer": "NA"},
         Question("Q?", lettered("None", "NA", "same", "same", "3", "4"), "B")),
    ],
)  # fmt: skip
def test_shapes_of_json(tmp_path: Path, row: dict[str, Any], expected: Question) -> None:
    other = {"text": "Other?", "options": ["yes", "no"]}
    assert load_questions(write_json(tmp_path, "q.jsonl", row, other))[0] == expected
    assert load_questions(write_json(tmp_path, "list.json", [row, other]))[0] == expected
    assert load_questions(write_json(tmp_path, "data.json", {"data": [row]})) == [expected]
    assert load_questions(write_json(tmp_path, "one.json", row)) == [expected]


def test_a_question_written_as_json_comes_back(tmp_path: Path) -> None:
    question = Question(
        "Q?\n", (Option("A", "x", 1.0), Option("B", "Refused")), gold=None, dataset="survey"
    )
    path = tmp_path / "one.json"
    path.write_bytes(msgspec.json.encode(question))
    assert load_questions(path) == [question]


def test_line_separators_inside_json_strings_are_text(tmp_path: Path) -> None:
    row = {"text": "a\u2028b\x85c", "options": ["yes", "no"]}
    path = write(tmp_path, "q.jsonl", "\ufeff" + json.dumps(row, ensure_ascii=False) + "\r\n\n")
    assert load_questions(path)[0].text == "a\u2028b\x85c"


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_parquet(tmp_path: Path) -> None:
    mmlu = {"question": "Q?", "subject": "anatomy", "choices": ["None", "3", "x"], "answer": 1}
    arc = {"question": "Q?", "choices": {"text": ["a", "b"], "label": ["1", "2"]}, "answerKey": "2"}
    wide = {"question": "Q?", "A": "a", "B": "b", "answer": "A"}
    expected = [
        Question("Q?", lettered("None", "3", "x"), "B", "anatomy"),
        Question("Q?", (Option("1", "a"), Option("2", "b")), "2"),
        Question("Q?", lettered("a", "b"), "A"),
    ]
    for i, row in enumerate((mmlu, arc, wide)):
        assert load_questions(write_parquet(tmp_path / f"{i}.parquet", [row])) == [expected[i]]


# bad input


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("q.csv", "", "q.csv holds no questions."),
        ("q.csv", "question,A,B,answer\n", "q.csv holds no questions."),
        ("q.csv", "question,A,B\nQ?,x,y\n", "q.csv has no column 'answer'."),
        ("q.csv", "question,answer\nQ?,A\n", "q.csv has no column for the options."),
        ("q.csv", "id,A,B,answer\n1,x,y,A\n", "q.csv, line 1: there is neither a header"),
        ("q.csv", "question,A,A,answer\nQ?,x,y,A\n", "q.csv has two columns 'a'."),
        ("q.csv", "question,A,B,answer\nQ?,x,y,A\nQ?,x,y,z,A\n",
         "q.csv, line 3: there are 5 columns where the first line has 4."),
        ("q.csv", 'question,A,B,answer\nQ?,x,y,A\n"Q?,x,y,A\n', "q.csv, line 3: unexpected end"),
        ("q.csv", "question,A,B,answer\n\"Q\n?\",x,y,A\nQ?,x,y,E\n",
         "q.csv, line 4: the answer 'E' is none of A, B."),
        ("q.csv", "question,A,B,answer\nQ?,x,y,7\n", "line 2: the answer 7 is none of A, B."),
        ("q.csv", "question,A,B,answer\nQ?,x,,A\n", "line 2: the question has 1 option."),
        ("q.csv", "question,A,B,C,answer\nQ?,x,,z,A\n", "line 2: option B is empty."),
        ("q.csv", "question,A,B,answer\n,x,y,A\n", "line 2: the question is empty."),
        ("q.csv", "\x00\x01", "q.csv is binary, not text."),
        ("q.jsonl", "\n \n", "q.jsonl holds no questions."),
        ("q.jsonl", '{"text": "Q?", "options": ["x", "y"]}\n{"text"', "q.jsonl, line 2: "),
        ("q.jsonl", "[1, 2]", "q.jsonl, line 1: this is no question but list."),
        ("q.jsonl", '{"options": ["x", "y"]}', "there is no 'question' or 'text'."),
        ("q.jsonl", '{"text": "Q?"}', "there are no options."),
        ("q.jsonl", '{"text": "Q?", "options": "x"}', "neither a list nor a table"),
        ("q.jsonl", '{"text": "Q?", "options": ["x"]}', "the question has 1 option."),
        ("q.jsonl", '{"text": "Q?", "options": []}', "the question has 0 options."),
        ("q.jsonl", '{"text": "Q?", "options": ["x", null]}', "option B is missing."),
        ("q.jsonl", '{"text": "Q?", "options": ["x", ["y"]]}', "option B is no text but list."),
        ("q.jsonl", '{"text": "Q?", "options": ["x", true]}', "option B is no text but bool."),
        ("q.jsonl", '{"text": 3, "options": [{"label": "A", "text": "x"}, {"label": "A", "text": '
         '"y"}]}', "the label 'A' is used twice."),
        ("q.jsonl", '{"text": "Q?", "options": {"A": "x", " ": "y"}}', "the label ' ' is blank."),
        ("q.jsonl", '{"text": "Q?", "options": ["x", "x"], "gold": "x"}', "fits several options."),
        ("q.jsonl", '{"text": "Q?", "options": ["1", "0"], "gold": "1"}', "fits several options."),
        ("q.jsonl", '{"text": "Q?", "options": ["x", "y"], "gold": true}', "the answer True is no"),
        ("q.jsonl", '{"text": "Q?", "options": ["x", "y"], "ordinals": [1, 2, 3]}',
         "the ordinals don't fit the options."),
        ("q.jsonl", '{"text": "Q?", "options": ["x", "y"], "ordinals": ["much"]}',
         "the ordinal 'much' is no number."),
        ("q.jsonl", '{"question": "Q?", "choices": {"text": ["a", "b"], "label": ["A"]}}',
         "1 labels stand beside 2 options."),
        ("q.json", "[]", "q.json holds no questions."),
        ("q.json", "", "q.json holds no questions."),
        ("q.json", "3", "q.json holds neither a question nor a list of them."),
        ("q.json", '["x"]', "q.json, entry 1: this is no question but str."),
        ("q.parquet", "not parquet", "as parquet"),
        ("q.txt", "Q?", "q.txt is no question file: its name ends in '.txt'."),
    ],
)  # fmt: skip
def test_bad_files_are_one_sentence(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    path = write(tmp_path, name, text)
    with pytest.raises(QuestionError) as caught:
        load_questions(path)
    assert str(path) in caught.value.sentence
    assert sentence in caught.value.sentence
    assert "\n" not in str(caught.value)


def test_thirty_options_name_the_limit(tmp_path: Path) -> None:
    row = {"text": "Q?", "options": [f"option {i}" for i in range(30)]}
    with pytest.raises(
        QuestionError, match=r"line 1: the question has 30 options.*2 to 26 options"
    ):
        load_questions(write_json(tmp_path, "q.jsonl", row))
    row["options"] = row["options"][:26]
    assert load_questions(write_json(tmp_path, "q.jsonl", row))[0].labels[-1] == "Z"


def test_wrong_encoding_names_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_bytes("question,A,B,answer\nÜber?,x,y,A\n".encode("latin-1"))
    with pytest.raises(QuestionError, match=r"not UTF-8 text: its byte 20 is 0xdc. Save it"):
        load_questions(path)


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match=r"no file or folder .*absent.csv"):
        load_questions(tmp_path / "absent.csv")
    with pytest.raises(QuestionError, match="holds no csv files"):
        load_questions(tmp_path)
    with pytest.raises(QuestionError, match="no question was asked for"):
        load_questions(write(tmp_path, "q.csv", "Q?,x,y,A\n"), limit=0)


# few-shot questions


def test_dev_questions_are_found_beside_a_file(tmp_path: Path) -> None:
    test = write(tmp_path / "test", "law_test.csv", "T?,x,y,A\n")
    write(tmp_path / "test", "art_test.csv", "U?,x,y,A\n")
    assert find_dev(test) == []
    write(tmp_path / "dev", "law_dev.csv", "D1?,x,y,A\nD2?,x,y,B\n")
    write(tmp_path / "dev", "art_dev.csv", "E?,x,y,A\n")
    assert [question.text for question in find_dev(test)] == ["D1?", "D2?"]
    assert [question.text for question in find_dev(tmp_path / "test")] == ["E?", "D1?", "D2?"]
    own = write_json(tmp_path, "mine.jsonl", {"text": "Q?", "options": ["x", "y"]})
    write_json(tmp_path, "mine_dev.jsonl", {"text": "R?", "options": ["x", "y"], "gold": "A"})
    assert [question.text for question in find_dev(own)] == ["R?"]
    assert find_dev(tmp_path / "absent.csv") == []


def test_shots_are_of_the_subject_and_never_the_question_itself() -> None:
    law, art = (Question("Q?", lettered("x", "y"), "A", subject) for subject in ("law", "art"))
    other = msgspec.structs.replace(law, text="R?")
    assert shots_for(law, [art, law, other]) == [other]


# the hub


RESPONSE: Any = SimpleNamespace(headers={}, request=SimpleNamespace(url="hub"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub as a folder: ``owner/name/main`` and the parquet copy ``owner/name/converted``."""
    root = tmp_path / "hub"

    def info(_: object, repo: str, *, revision: str | None, timeout: float) -> SimpleNamespace:
        folder = root / repo / ("converted" if revision == "refs/convert/parquet" else "main")
        if not (root / repo).exists():
            raise errors.RepositoryNotFoundError("404", response=RESPONSE)
        if not folder.exists():
            raise errors.RevisionNotFoundError("404", response=RESPONSE)
        files = [path for path in folder.rglob("*") if path.is_file()]
        return SimpleNamespace(
            siblings=[SimpleNamespace(rfilename=str(path.relative_to(folder))) for path in files]
        )

    def download(repo: str, name: str, *, repo_type: str, revision: str | None) -> str:
        assert repo_type == "dataset"
        return str(root / repo / ("converted" if revision else "main") / name)

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", info)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    return root


def rows(*names: str) -> list[dict[str, Any]]:
    return [{"question": name, "choices": ["x", "y"], "answer": 0} for name in names]


def test_hub_dataset_from_the_parquet_copy(hub: Path) -> None:
    copy = hub / "owner" / "set" / "converted"
    write_parquet(copy / "law" / "test" / "0001.parquet", rows("t3"))
    write_parquet(copy / "law" / "test" / "0000.parquet", rows("t1", "t2"))
    write_parquet(copy / "law" / "dev" / "0000.parquet", rows("d1"))
    write_parquet(copy / "art" / "partial-train" / "0000.parquet", rows("a1"))

    def texts(source: str, **how: Any) -> list[str]:
        return [question.text for question in load_questions(source, **how)]

    assert texts("hub:owner/set:law") == ["t1", "t2", "t3"]
    assert texts("hub:owner/set:law", limit=2) == ["t1", "t2"]
    assert texts("hub:owner/set:law:dev") == texts("owner/set:law", split="dev") == ["d1"]
    assert texts("owner/set:art") == ["a1"]
    assert load_questions("owner/set:law")[0] == Question(
        "t1", lettered("x", "y"), "A", dataset="owner/set"
    )
    assert [question.text for question in find_dev("hub:owner/set:law:test")] == ["d1"]
    assert find_dev("hub:owner/set:art") == []
    with pytest.raises(QuestionError, match=r"has several configurations\..*art, law"):
        load_questions("owner/set")
    with pytest.raises(QuestionError, match=r"no configuration or split 'val'.*test"):
        load_questions("hub:owner/set:law:val")
    with pytest.raises(QuestionError, match="no configuration 'physics'"):
        load_questions("hub:owner/set:physics:test")


def test_hub_dataset_from_its_own_files(hub: Path) -> None:
    main = hub / "owner" / "own" / "main"
    write_json(main, "data/train.jsonl", *rows("train"))
    write_json(main, "data/validation.jsonl", *rows("validation"))
    write(main, "README.md", "# A dataset")
    assert [question.text for question in load_questions("owner/own")] == ["validation"]
    assert [question.text for question in load_questions("owner/own:train")] == ["train"]
    write(hub / "owner" / "empty" / "main", "README.md", "# Nothing")
    with pytest.raises(QuestionError, match="owner/empty has no files that can be read"):
        load_questions("owner/empty")


def test_hub_problems_are_one_sentence(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(QuestionError, match="neither a file nor a public dataset called owner/no"):
        load_questions("owner/no")
    for problem, sentence in (
        (errors.GatedRepoError("403", response=RESPONSE), "owner/set is gated"),
        (errors.OfflineModeIsEnabled("offline mode"), "failed: offline mode. Check the network"),
        (errors.HTTPError("no route\nto host"), "failed: no route. Check the network"),
    ):

        def fail(*_: object, error: Exception = problem, **__: object) -> None:
            raise error

        monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", fail)
        with pytest.raises(QuestionError, match=sentence):
            load_questions("hub:owner/set")


# refusals


@pytest.mark.parametrize(
    "text",
    [
        "Refused",
        "Refuse",
        " refusal. ",
        "Refuse to answer",
        "Refused (VOL)",
        "Don't know/Refused",
        "DK/Refused (VOL.)",
        "Refused/Web blank",
        "No answer/Refused",
        "Prefer not to say",
        "I prefer not to answer this question",
        "I'd rather not say",
        "I would prefer not to disclose",
        "Declined to answer",
    ],
)
def test_refusal_options(text: str) -> None:
    question = Question("Q?", lettered("Yes", text, "No"))
    assert refusal_label(question) == "B"


@pytest.mark.parametrize(
    "text",
    [
        "Don't know",
        "No answer",
        "Decline",
        "The state refused to ratify it",
        "They refuse to answer to the king",
        "Prefer tea",
        "None of the above",
        "拒否",
    ],
)
def test_other_options_are_no_refusals(text: str) -> None:
    assert refusal_label(Question("Q?", lettered(text, "No"))) is None


def test_ids_come_from_the_content() -> None:
    question = Question("Q?", lettered("x", "y"), "A", "s", "d")
    assert question.id == "1299b03298d8ae19"
    for change in (
        {"text": "R?"},
        {"gold": None},
        {"subject": ""},
        {"options": lettered("y", "x")},
    ):
        assert msgspec.structs.replace(question, **change).id != question.id
