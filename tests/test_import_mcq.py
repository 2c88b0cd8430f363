"""Released responses with letter logits and human labels: what is stored of them, and the counters.

The small logs here are made up in the layout of the released data; the published counters are
recounted from the released files where those are.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given

from engine.browse import list_ids, probe_view
from engine.errors import LogError
from engine.importers import import_logs, read_logs
from engine.importers.mcq import read_mismatch, read_robustness
from engine.reread import reread
from engine.store import Store, open_store
from engine.studies import Scope
from engine.studies.compare import compare_report
from engine.studies.mismatch import mismatch_report
from tests.log_store import read_or_named, spoiled
from tests.test_cli import logitscope as logitscope

OPTIONS = ("Often", "Rarely", "Refused")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store.duckdb") as store:
        yield store


def order(*texts: str, reply: str, logits: tuple[float, ...], **more: object) -> dict[str, object]:
    """One order of the options as the data has it."""
    letters = "ABCDEFG"[: len(texts)]
    lines = "".join(f"{a}. {b} \n" for a, b in zip(letters, texts, strict=True))
    question = f"Please answer.\nQuestion: How often?\n\n{lines}Answer:"
    return {
        "question": question,
        "response": f"[INST] {question} [/INST]{reply}",
        "scores": dict(zip(texts, logits, strict=True)),
        "scores_letter": dict(zip(letters, logits, strict=True)),
        "references_dict": {"Often": 2, "Rarely": 1},
        **more,
    }


def write(path: Path, *rows: dict[str, object]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def one(tmp_path: Path, **changes: object) -> str:
    shuffle = order(*OPTIONS, reply="  B. Rarely", logits=(1.0, 3.5, 2.0), **changes)
    row = {"original_question": "How often?", "shuffle_0": shuffle}
    return write(tmp_path / "tiny-1b_train.jsonl", row)


def test_everything_of_a_response_is_stored(tmp_path: Path, store: Store) -> None:
    path = one(tmp_path, max_first_token="Sure", max_first_token_score=9.25, label="B. Rarely ")
    (imported,) = import_logs(store, "mcq-mismatch", [path])
    assert (imported.model, imported.questions, imported.probes) == ("tiny-1b", 1, 1)
    view = probe_view(store, 1)
    assert view.run.kind == "import"
    assert view.question.text == "How often?"
    assert [(o.label, o.text, o.ordinal) for o in view.question.options] == [
        ("A", "Often", 2.0),
        ("B", "Rarely", 1.0),
        ("C", "Refused", None),
    ]
    assert view.prompt is not None
    assert view.prompt.startswith("[INST] Please answer.")
    assert view.prompt.endswith("Answer: [/INST]")
    (text,) = view.generations
    assert (text.text, text.finish_reason, len(text.positions)) == ("  B. Rarely", None, 0)
    assert view.label_logits == (1.0, 3.5, 2.0)
    assert view.human_label is not None
    assert (view.human_label.status, view.human_label.label) == ("option", "B")
    assert view.human_label.original == "B. Rarely "
    said = {reading.name: reading for reading in view.readings}
    assert (said["first_token"].label, said["greedy_text"].label) == ("B", "B")
    assert (said["vocab_argmax"].status, said["vocab_argmax"].logit) == ("unparsed", 9.25)
    row = view.row
    assert (row.vocab_token, row.entropy, row.option_mass) == ("Sure", None, None)
    assert row.option_probabilities == ()
    assert "off_option_top" in row.flags
    assert "mismatch" not in row.flags


@pytest.mark.parametrize(
    ("label", "status", "letter", "several"),
    [
        ("A. Often", "option", "A", ()),
        ("C. Refused", "option", "C", ()),
        ("B", "option", "B", ()),
        ("AB", "several", None, ("A", "B")),
        ("X. No correct answer", "none_of_these", None, ()),
        ("Y. Refuse", "refusal", "C", ()),
        ("Y", "refusal", "C", ()),
        ("Z", "dont_know", None, ()),
        ("nan", "unparsed", None, ()),
        (None, "unparsed", None, ()),
        (float("nan"), "unparsed", None, ()),
    ],
)
def test_human_labels(
    tmp_path: Path, label: object, status: str, letter: str | None, several: tuple[str, ...]
) -> None:
    (run,) = read_mismatch([one(tmp_path, label=label)])
    found = run.probes[0].human_label
    assert found is not None
    assert (found.status, found.label, found.labels) == (status, letter, several)


def test_a_response_without_a_label_has_none(tmp_path: Path) -> None:
    (run,) = read_mismatch([one(tmp_path)])
    assert run.probes[0].human_label is None


def test_other_orders_are_orders_of_the_same_question(tmp_path: Path, store: Store) -> None:
    row = {
        "original_question": "How often?",
        "shuffle_0": order(*OPTIONS, reply=" A", logits=(2.0, 1.0, 0.0)),
        "shuffle_3": order("Refused", "Often", "Rarely", reply=" B", logits=(0.0, 2.0, 1.0)),
    }
    import_logs(store, "mcq-mismatch", [write(tmp_path / "m.jsonl", row)])
    found = store.reader().execute(
        "SELECT order_index, permutation, first_token, option_text FROM outcomes "
        "JOIN probes USING (probe_id, order_index) "
        "JOIN answers a USING (probe_id, order_index) WHERE a.reading = 'first_token' ORDER BY 1"
    )
    assert found.fetchall() == [(0, [0, 1, 2], "A", "Often"), (3, [2, 0, 1], "B", "Often")]
    assert store.reader().execute("SELECT count(*) FROM questions").fetchall() == [(1,)]


def test_models_that_saw_other_orders_answered_one_question(tmp_path: Path, store: Store) -> None:
    shown = {"a": ("Refused", "Rarely", "Often", "Not sure"), "b": ("Not sure", "Often", "Rarely",
             "Refused")}  # fmt: skip
    for model, texts in shown.items():
        row = {
            "original_question": "How often?",
            "shuffle_0": order(*texts, reply=" B", logits=(0.0, 2.0, 1.0, 0.5)),
        }
        import_logs(store, "mcq-mismatch", [write(tmp_path / f"{model}_train.jsonl", row)])
    assert [option.text for option in probe_view(store, 1).question.options] == list(shown["a"])
    assert [option.ordinal for option in probe_view(store, 1).question.options] == [
        *(None, 1.0, 2.0, None)
    ]
    found = store.reader().execute(
        "SELECT question_id, list_transform(options, lambda o: o.label || ' ' || o.text) "
        "FROM questions"
    )
    ((question_id, options),) = found.fetchall()
    assert options == ["A Often", "B Rarely", "C Not sure", "D Refused"]
    answers = store.reader().execute(
        "SELECT question_id, label, source_label, option_text FROM answers "
        "WHERE reading = 'first_token' ORDER BY run_id"
    )
    assert answers.fetchall() == [
        (question_id, "B", "B", "Rarely"),
        (question_id, "B", "A", "Often"),
    ]
    agreed = compare_report(store.reader(), Scope(readings=("first_token",))).tables[0].rows[0]
    assert (agreed.cells["n"], agreed.cells["differ"]) == (1, 1)


def test_a_refusal_carries_the_option_that_is_one(tmp_path: Path, store: Store) -> None:
    shuffle = order(*OPTIONS, reply=" I can't say.", logits=(1.0, 2.0, 3.5), label="Y. Refuse")
    path = write(tmp_path / "m.jsonl", {"original_question": "?", "shuffle_0": shuffle})
    import_logs(store, "mcq-mismatch", [path])
    row = probe_view(store, 1).row
    assert (row.text_status, row.text_label, row.first_token) == ("refusal", "C", "C")
    assert {"refusal", "first_refusal"} <= set(row.flags)
    assert "mismatch" not in row.flags


def test_a_response_without_its_prompt_is_the_text(tmp_path: Path) -> None:
    (run,) = read_mismatch([one(tmp_path, response=" B. Rarely")])
    (probe,) = run.probes
    assert probe.prompt.text is not None
    assert probe.prompt.text.endswith("Answer:")
    assert probe.result.generations[0].text == " B. Rarely"


ROW = {
    "original_question": "How often?",
    "references": list(OPTIONS),
    "shuffle_0": order(*OPTIONS, reply=" B", logits=(1.0, 3.5, 2.0), max_first_token="Sure",
                       max_first_token_score=9.25, label="B. Rarely "),
    "shuffle_1": order(*OPTIONS[::-1], reply=" B", logits=(1.0, 3.5, 2.0), label="nan"),
}  # fmt: skip


@given(spoiled(ROW))
def test_a_spoiled_row_is_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, row: dict[str, object]
) -> None:
    path = tmp_path_factory.mktemp("spoiled") / "m.jsonl"
    write(path, row)
    assert read_or_named(read_mismatch, path)


def test_options_with_one_text_are_told_apart_by_their_lines(tmp_path: Path) -> None:
    shuffle = order("Same", "Same", "Other", reply=" A", logits=(2.0, 1.0, 0.0))
    (run,) = read_mismatch(
        [write(tmp_path / "m.jsonl", {"original_question": "?", "shuffle_0": shuffle})]
    )
    assert [option.text for option in run.questions[0].options] == ["Same", "Same", "Other"]


def test_the_other_set_differs_in_names(tmp_path: Path) -> None:
    shuffle = order("6", "7", reply=" The answer is 7.", logits=(1.0, 2.0), label="B. 7")
    shuffle["id_scores"] = shuffle.pop("scores_letter")
    shuffle["content_score_dict"] = shuffle.pop("scores")
    path = write(tmp_path / "g_shards.jsonl", {"original_question": "?", "shuffle_0": shuffle})
    (run,) = read_robustness([path])
    assert (run.model, run.questions[0].dataset) == ("g", "mmlu")
    with pytest.raises(LogError, match="no 'scores_letter'"):
        read_mismatch([path])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        ("not json\n", "line 1 is no complete JSON"),
        ('{"original_question": "x", "shuffle_0": {"question"', "line 1 is no complete JSON"),
        ("[1, 2]\n", "line 1 holds no JSON object"),
        ('{"question": "x"}\n', "no 'original_question'"),
        ('{"original_question": "x"}\n', "no 'shuffle_0'"),
        ('{"original_question": "x", "shuffle_0": null}\n', "line 1 holds no JSON object"),
        ("[" * 100_000, "line 1 is no complete JSON"),
        ("9" * 5000, "line 1 is no complete JSON"),
        ('{"original_question": "x", "shuffle_0": {"question": "q"}}\n', "no 'response'"),
        (
            '{"original_question": "x", "shuffle_0": {"question": "q", "response": "q", '
            '"scores_letter": {"A": "high"}, "scores": {"yes": 1}}}\n',
            "line 1 is not laid out as a mcq-mismatch log",
        ),
    ],
)
def test_a_file_of_another_kind_is_one_sentence_and_stores_nothing(
    tmp_path: Path, store: Store, content: str, sentence: str
) -> None:
    good = one(tmp_path)
    bad = tmp_path / "zz.jsonl"
    bad.write_text(content, encoding="utf-8")
    with pytest.raises(LogError, match=re.escape(sentence)) as caught:
        import_logs(store, "mcq-mismatch", [good, str(bad)])
    assert str(bad) in caught.value.sentence
    assert "\n" not in caught.value.sentence
    for table in ("runs", "questions", "probes", "outcomes"):
        assert store.reader().execute(f"SELECT count(*) FROM {table}").fetchall() == [(0,)]


def test_no_utf8_no_file_no_folder(tmp_path: Path) -> None:
    binary = tmp_path / "b.jsonl"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LogError, match="no text in UTF-8"):
        read_logs("mcq-mismatch", [str(binary)])
    with pytest.raises(LogError, match="no file or folder"):
        read_logs("mcq-mismatch", [str(tmp_path / "absent.jsonl")])
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(LogError, match="holds no mcq-mismatch data"):
        read_logs("mcq-mismatch", [str(empty)])


def test_reading_again_keeps_what_only_the_data_knows(tmp_path: Path, store: Store) -> None:
    path = one(tmp_path, max_first_token="Sure", max_first_token_score=9.25, label="nan")
    import_logs(store, "mcq-mismatch", [path])
    before = probe_view(store, 1)
    assert reread(store).changed == 0
    after = probe_view(store, 1)
    assert after.readings == before.readings
    assert after.human_label == before.human_label


# --- the released data ---


@pytest.fixture(scope="module")
def released(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(tmp_path_factory.mktemp("mcq") / "mcq.duckdb") as store:
        import_logs(store, "mcq-mismatch", [str(shared_data / "data" / "mcq_mismatch")])
        yield store


def recounted(path: Path) -> Counter[str]:
    """The counters of methods from the released labels, without any of the product's code."""
    found: Counter[str] = Counter()
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)["shuffle_0"]
        choice = entry.get("choice_letter") or entry["choice_id"]
        texts = entry.get("scores") or entry["content_score_dict"]
        label = str(entry["label"]).strip()
        letter = label[0] if len(label) == 1 or label[1] == "." else None
        refused = [chr(65 + place) for place, text in enumerate(texts) if text == "Refused"]
        found["n"] += 1
        found["M"] += choice != letter
        found["refused_text"] += letter in [*refused, "Y"]
        found["refused_first_token"] += choice in refused
        found["several"] += label.isalpha() and label.isupper() and len(label) > 1
        found["unparsed"] += label == "nan"
        if "max_first_token" in entry:
            first = entry["max_first_token"].strip()
            found["F"] += first != letter
            found["S"] += first != letter and choice == letter
    return found


@pytest.mark.parametrize("model", ["llama2-7b", "llama2-70b", "mixtral"])
def test_the_counters_of_the_released_labels(
    released: Store, shared_data: Path, model: str
) -> None:
    expected = recounted(shared_data / "data" / "mcq_mismatch" / f"{model}_train.jsonl")
    table = mismatch_report(released.reader(), Scope()).tables[0]
    (row,) = (row for row in table.rows if row.cells["model"] == model)
    cells = row.cells
    assert (cells["n"], cells["mismatch"]) == (expected["n"], expected["M"])
    assert cells["refused_text"] == expected["refused_text"]
    assert cells["refused_first_token"] == expected["refused_first_token"]

    assert (cells["several"], cells["unparsed"]) == (expected["several"], expected["unparsed"])
    if "F" in expected:
        assert (cells["vocab_mismatch"], cells["same_but_not_first"]) == (
            expected["F"],
            expected["S"],
        )
    else:
        assert (cells["vocab_mismatch"], cells["same_but_not_first"]) == (None, None)
    assert len(list_ids(released, row.run_id, condition=row.behind("mismatch"))) == expected["M"]


def test_the_counters_of_the_other_released_labels(shared_data: Path, store: Store) -> None:
    path = shared_data / "data" / "mcq_robustness" / "llama2-7b_shards.jsonl"
    expected = recounted(path)
    import_logs(store, "mcq-robustness", [str(path)])
    (row,) = mismatch_report(store.reader(), Scope()).tables[0].rows
    names = {"M": "mismatch", "F": "vocab_mismatch", "S": "same_but_not_first"}
    for name in ("n", "M", "F", "S", "refused_text", "several", "unparsed"):
        assert row.cells[names.get(name, name)] == expected[name], name


def test_released_texts_are_those_of_the_prompts(released: Store) -> None:
    found = released.reader().execute("SELECT probe_id FROM probes ORDER BY probe_id")
    ids = [probe_id for (probe_id,) in found.fetchall()]
    assert len(ids) == 331 + 331 + 326
    for probe_id in ids:
        view = probe_view(released, probe_id)
        assert view.prompt is not None
        assert view.prompt.endswith("[/INST]")
        lines = view.prompt.splitlines()
        for option in view.question.options:
            assert f"{option.label}. {option.text} " in lines


def test_the_commands_print_the_counters(logitscope, shared_data: Path, tmp_path: Path) -> None:
    path, db = shared_data / "data" / "mcq_mismatch" / "mixtral_train.jsonl", tmp_path / "m.duckdb"
    assert logitscope("import", "mcq-mismatch", path, "--db", db).code == 0
    expected = recounted(path)
    for text in ("decided", "reading"):
        printed = logitscope("report", "mismatch", "--text", text, "--json", "--db", db)
        report = json.loads(printed.out)
        (row,) = report["counts"]
        assert (row["n"], row["vocab_mismatch"], row["same_but_not_first"]) == (326, None, None)
        if text == "decided":
            assert (row["mismatch"], row["refused_text"]) == (
                expected["M"],
                expected["refused_text"],
            )
        (note,) = report["notes"]
        assert "326 have a released human label" in note


def test_the_ladder_comes_close_to_the_labels(released: Store) -> None:
    by_people = mismatch_report(released.reader(), Scope()).tables[0].rows
    by_ladder = mismatch_report(released.reader(), Scope(text="reading")).tables[0].rows
    for people, ladder in zip(by_people, by_ladder, strict=True):
        assert abs(people.cells["mismatch"] - ladder.cells["mismatch"]) <= 3
        assert abs(people.cells["refused_text"] - ladder.cells["refused_text"]) <= 4
    (note,) = mismatch_report(released.reader(), Scope()).notes
    labels, otherwise = map(int, re.findall(r"(\d+) (?:have|otherwise)", note))
    assert labels == 988
    assert otherwise <= 12
