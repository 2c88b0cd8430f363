"""Samples of lm-evaluation-harness, and its own run next to logitscope's of the same protocol."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from engine.demo import EMBEDDED_MODEL, QUESTIONS
from engine.errors import LogError
from engine.importers import import_logs
from engine.importers.imported import ImportedRun
from engine.importers.lm_eval import read_lm_eval
from engine.questions import load_questions
from engine.rows import RecordedProbe
from engine.store import open_store
from tests.conftest import REPO
from tests.log_store import LOGS, imported, read_or_named, spoiled

FOLDER = LOGS / "lm_eval"
DATE = "2026-01-02T03-04-05.000006"
LETTERS, CLOZE, TEXT = (
    f"samples_planets_{task}_{DATE}.jsonl" for task in ("letters", "cloze", "text")
)


@pytest.fixture
def run() -> ImportedRun:
    (run,) = read_lm_eval([str(FOLDER)])
    return run


def of_format(run: ImportedRun, name: str) -> list[RecordedProbe]:
    return [probe for probe in run.probes if probe.prompt.format == name]


def labels(probe: RecordedProbe) -> dict[str, str | None]:
    return {reading.name: reading.label for reading in probe.readings}


def scores(probe: RecordedProbe) -> dict[str, float | None]:
    return {score.name: score.value for score in probe.scores}


Change = Callable[[dict[str, Any]], object]


def changed(name: str, folder: Path, change: Change) -> Path:
    """A copy of one samples file, without results, with every sample changed."""
    rows = [json.loads(line) for line in (FOLDER / name).open(encoding="utf-8")]
    for row in rows:
        change(row)
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def first_probe(path: Path) -> RecordedProbe:
    (run,) = read_lm_eval([str(path)])
    return run.probes[0]


def test_one_evaluation_is_one_run_with_its_tasks_as_formats(run: ImportedRun) -> None:
    assert (run.model, run.name) == ("example/model", "lm-eval · 3 tasks")
    assert len(run.questions) == 2
    assert [(probe.question_index, probe.prompt.format) for probe in run.probes] == [
        (place, name) for name in ("planets_cloze", "sky", "planets_text") for place in (0, 1)
    ]
    assert {probe.prompt.shots for probe in run.probes} == {0}
    assert {probe.prompt.chat for probe in run.probes} == {False}
    assert run.settings["lm_eval_version"] == "0.4.11"
    assert run.settings["formats"] == [
        {"name": "planets_cloze", "scored_by": "continuation"},
        {"name": "sky", "scored_by": "label_continuation"},
    ]
    (question, _) = run.questions
    assert question.text == "Which planet has the ring that is easiest to see?"
    assert [option.text for option in question.options] == ["Mars", "Saturn", "Venus", "Mercury"]
    assert (question.gold, question.subject) == ("B", "astronomy")
    assert question.dataset == "example/planets"


def test_labels_that_were_scored_are_first_tokens_too(run: ImportedRun) -> None:
    right, wrong = of_format(run, "sky")
    assert right.result.label_logprobs == [-2.5, -0.25, -3.0, -4.0]
    assert {known.kind for known in right.result.continuations} == {"label"}
    assert labels(right) == dict.fromkeys(
        ("first_token", "vocab_argmax", "label_continuation"), "B"
    )
    assert scores(right) == {"acc": 1.0, "acc_norm": 1.0}
    # No label is what greedy decoding would write: the vocabulary's argmax is something else.
    assert labels(wrong) == {"first_token": "B", "label_continuation": "B", "vocab_argmax": None}
    assert scores(wrong)["acc"] == 0.0
    assert right.prompt.text is not None
    assert right.prompt.text.endswith("D. Mercury\nAnswer:")
    assert right.result.generations == []


def test_texts_that_were_scored_are_no_first_tokens(run: ImportedRun) -> None:
    for probe in of_format(run, "planets_cloze"):
        totals = [known.total for known in probe.result.continuations]
        texts = [option.text for option in probe.question.options]
        per_character = [total / len(text) for total, text in zip(totals, texts, strict=True)]
        names = probe.question.labels
        assert labels(probe) == {
            "continuation": names[totals.index(max(totals))],
            "continuation_per_character": names[per_character.index(max(per_character))],
            "continuation_per_byte": names[per_character.index(max(per_character))],
        }
        gold = probe.question.gold
        assert scores(probe)["acc"] == (labels(probe)["continuation"] == gold)
        assert probe.result.label_logprobs == []


def test_texts_are_read_and_every_filter_keeps_its_score(run: ImportedRun) -> None:
    plain, long = of_format(run, "planets_text")
    assert [text.kind for text in plain.result.generations] == ["greedy"]
    of_text = ("exact_match", "quasi_exact_match", "label_match", "greedy_text")
    assert labels(plain) == dict.fromkeys(of_text, "B")
    assert scores(plain) == {"exact_match,strict": 1.0, "exact_match,flexible": 1.0}
    assert [score.answer for score in long.scores] == ["[invalid]", "B"]
    # A line separator inside a text ends no sample.
    assert long.result.generations[0].text == " Perhaps it is B, Saturn.\u2028Or not."
    assert long.result.generations[0].finish_reason is None


def test_everything_can_be_stored_and_stepped_through(tmp_path: Path) -> None:
    with imported("lm-eval", [FOLDER], tmp_path / "log.duckdb") as (store, views):
        assert len(views) == 6
        (cloze, *_) = [view for view in views if view.row.format == "planets_cloze"]
        assert [known.recorded_total for known in cloze.continuations] == [-9, -10, -11, -12.5]
        assert cloze.row.first_token is None
        ((log_score,),) = (
            store.reader()
            .execute(
                "SELECT sum(log_score) FROM outcomes WHERE format = 'sky' AND "
                "log_score = CAST(first_token = gold AS DOUBLE)"
            )
            .fetchall()
        )
        assert log_score == 1.0


def test_the_newest_evaluation_of_a_folder_counts_and_a_named_file_does(tmp_path: Path) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "logs")
    older = f"samples_planets_letters_{DATE.replace('2026', '2025')}.jsonl"
    shutil.copy(folder / LETTERS, folder / older)
    (run,) = read_lm_eval([str(folder)])
    assert len(run.probes) == 6
    assert run.notes[-1].startswith("One file of an older evaluation")
    (alone,) = read_lm_eval([str(folder / older)])
    assert len(alone.probes) == 2
    assert "No results_*.json" in alone.notes[-1]
    assert (alone.model, alone.probes[0].prompt.chat) == ("logs", None)
    assert alone.probes[0].prompt.shots is None


def test_tasks_that_part_a_data_set_are_one_format_and_others_are_not(tmp_path: Path) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "logs")
    path = folder / f"results_{DATE}.json"
    results = json.loads(path.read_text())

    def formats(**about: Any) -> set[str]:
        results["configs"]["planets_cloze"] |= about
        path.write_text(json.dumps(results))
        (run,) = read_lm_eval([str(folder)])
        return {probe.prompt.format for probe in run.probes}

    results["group_subtasks"] = {
        "all": ["sky"],
        "sky": ["planets_letters", "planets_cloze", "all"],  # a circle, which must end
        "planets_cloze": [],
    }
    apart = {"planets_letters", "planets_cloze", "planets_text"}
    assert formats() == apart  # both ask the same questions
    assert formats(dataset_path="example/others", dataset_name="outer") == apart
    assert formats(dataset_path="example/planets") == {"sky", "planets_text"}
    (run,) = read_lm_eval([str(folder)])
    assert {question.subject for question in run.questions} == {"astronomy"}


def test_older_versions_list_arguments_and_write_one_list(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (FOLDER / LETTERS).open(encoding="utf-8")]
    for row in rows:
        row["arguments"] = [list(each.values()) for each in row["arguments"].values()]
        row["resps"] = [[[float(each[0][0]), each[0][1] == "True"]] for each in row["resps"]]
        row["target"] = int(row["target"])
        del row["metrics"]
    path = tmp_path / "anything.jsonl"
    path.write_text(json.dumps(rows, indent=2), encoding="utf-8")
    (old,) = read_lm_eval([str(path)])
    (new,) = read_lm_eval([str(FOLDER / LETTERS)])
    assert [probe.result for probe in old.probes] == [probe.result for probe in new.probes]
    assert [probe.scores for probe in old.probes] == [probe.scores for probe in new.probes]
    assert old.probes[0].question.gold == "B"


def test_unconditional_scores_belong_to_the_options(tmp_path: Path) -> None:
    def twice(row: dict[str, Any]) -> None:
        bare = [{"arg_0": "", "arg_1": each["arg_1"]} for each in row["arguments"].values()]
        row["arguments"] |= {f"gen_args_{9 + i}": each for i, each in enumerate(bare)}
        row["resps"] += [[["-20.0" if i == 2 else "-1.0", "False"]] for i in range(len(bare))]

    probe = first_probe(changed(CLOZE, tmp_path, twice))
    assert [known.unconditional for known in probe.result.continuations] == [-1, -1, -20, -1]
    assert labels(probe)["continuation_unconditional"] == "C"


def test_options_in_the_prompt_are_told_apart(tmp_path: Path) -> None:
    def moved(row: dict[str, Any]) -> None:
        row["doc"] = {"sentence": "It shone on _ all night."}
        for each in row["arguments"].values():
            each |= {"arg_0": f"It shone on{each['arg_1']}", "arg_1": " all night."}

    (run,) = read_lm_eval([str(changed(CLOZE, tmp_path, moved))])
    probe = run.probes[0]
    assert probe.prompt.text == "It shone on "
    assert [option.text for option in probe.question.options][:2] == ["Mars", "Saturn"]
    assert labels(probe)["continuation"] == "A"
    assert any("options stand in the prompt" in note for note in run.notes)


def test_sampled_texts_are_samples(tmp_path: Path) -> None:
    def sampled(row: dict[str, Any]) -> None:
        row["arguments"]["gen_args_0"]["arg_1"] = {"do_sample": True, "temperature": 0.7}
        row["resps"] = [["A", "B", "B"]]

    probe = first_probe(changed(TEXT, tmp_path, sampled))
    assert [(text.kind, text.index) for text in probe.result.generations] == [
        ("sample", number) for number in (1, 2, 3)
    ]
    assert labels(probe)["majority"] == "B"


def test_labels_without_their_texts_in_the_document_are_found_in_the_prompt(tmp_path: Path) -> None:
    probe = first_probe(changed(LETTERS, tmp_path, lambda row: row.update(doc={"id": 7})))
    assert [option.text for option in probe.question.options] == [
        "Mars",
        "Saturn",
        "Venus",
        "Mercury",
    ]
    assert probe.question.text.startswith("Which planet has")


def test_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    path = changed(LETTERS, tmp_path, lambda row: row["resps"].__setitem__(0, [["nan", "False"]]))
    (run,) = read_lm_eval([str(path)])
    assert run.probes[0].result.continuations == []
    assert run.probes[0].readings == []
    assert run.notes[1].startswith("2 questions have log-likelihoods that are no finite numbers")


def test_several_right_options_and_a_text_as_target(tmp_path: Path) -> None:
    (run,) = read_lm_eval([str(changed(CLOZE, tmp_path, lambda row: row.update(target="[2, 0]")))])
    assert run.probes[0].question.gold == "C"
    assert any("several right options" in note for note in run.notes)
    probe = first_probe(changed(CLOZE, tmp_path, lambda row: row.update(target="Venus")))
    assert probe.question.gold == "C"


def test_a_text_that_was_only_scored_has_no_options(tmp_path: Path) -> None:
    def single(row: dict[str, Any]) -> None:
        row["arguments"] = {"gen_args_0": row["arguments"]["gen_args_0"]}
        row["resps"] = row["resps"][:1]

    (run,) = read_lm_eval([str(changed(CLOZE, tmp_path, single))])
    assert run.probes[0].question.options == ()
    assert run.probes[0].result.continuations == []
    assert scores(run.probes[0])["acc_norm"] == 0.0
    assert any("no options to choose from" in note for note in run.notes)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text[: len(text) // 2], "line 1 is no complete JSON"),
        (lambda text: text[:-30], "line 2 is no complete JSON"),
        (lambda text: "", "is empty"),
        (lambda text: '{"prompt": "Hello"}\n', "line 1 has no 'doc_id'"),
        (lambda text: "[1, 2]", "sample 1 holds no JSON object"),
        (lambda text: text.replace('"-2.5"', '"much"', 1), "line 1 is not laid out"),
        (lambda text: text.replace('"resps": [', '"resps": [[], ', 1), "line 1 is not laid out"),
    ],
)
def test_a_bad_file_is_named_with_its_line(
    tmp_path: Path, spoil: Callable[[str], str], said: str
) -> None:
    path = tmp_path / LETTERS
    path.write_text(spoil((FOLDER / LETTERS).read_text("utf-8")), encoding="utf-8")
    with pytest.raises(LogError) as caught:
        read_lm_eval([str(path)])
    assert said in caught.value.sentence
    assert str(path) in caught.value.sentence
    assert caught.value.hint
    with open_store(tmp_path / "log.duckdb") as store, pytest.raises(LogError):
        import_logs(store, "lm-eval", [str(path)])
    with open_store(tmp_path / "log.duckdb") as store:
        assert store.reader().execute("SELECT count(*) FROM runs").fetchall() == [(0,)]


def test_a_folder_without_samples_and_results_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="holds no lm-evaluation-harness samples"):
        read_lm_eval([str(tmp_path)])
    shutil.copy(FOLDER / LETTERS, tmp_path)
    (tmp_path / f"results_{DATE}.json").write_text("{}")
    with pytest.raises(LogError, match="has no 'results'"):
        read_lm_eval([str(tmp_path)])


@settings(deadline=None)
@given(spoiled([json.loads(line) for line in (FOLDER / LETTERS).open(encoding="utf-8")]))
def test_odd_samples_are_read_or_named(
    tmp_path_factory: pytest.TempPathFactory, document: Any
) -> None:
    path = tmp_path_factory.mktemp("odd") / "samples.jsonl"
    path.write_text(json.dumps(document))
    assert read_or_named(read_lm_eval, path)


TASK = """\
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {docs}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: {prompt}
doc_to_choice: {choices}
doc_to_target: answer
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
metadata: {{version: 1.0}}
"""
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
ORIGINAL = (
    "The following are multiple choice questions (with answers) about "
    " {{subject.split('_') | join(' ')}}.\n\n{{question}}\n"
    "{% for choice in choices %}{{'ABCDEFGHIJ'[loop.index0]}}. {{choice}}\n{% endfor %}Answer:"
)
CLOZE_FORMAT = 'name = "cloze"\nchat = false\nuser = "Question: {{ question }}\\nAnswer:"\n'
READINGS = """
SELECT p.question_id, p.format, r.name, r.status, r.label
FROM probes p JOIN readings r USING (probe_id) WHERE p.run_id = ? AND r.name IN
('first_token', 'vocab_argmax', 'label_continuation', 'continuation', 'continuation_per_character')
"""
TOTALS = """
SELECT p.question_id, p.format, c.label, c.text, c.logprob, c.is_greedy
FROM probes p JOIN continuations c USING (probe_id) WHERE p.run_id = ? AND c.kind = ?
"""
LABELS = """
SELECT question_id, unnest(labels), unnest(label_logprobs) FROM probes
WHERE run_id = ? AND format = ?
"""
SCORED_AGAINST_READINGS = """
SELECT count(*), count_if(s.value = CAST(r.label IS NOT DISTINCT FROM p.gold AS DOUBLE))
FROM probes p JOIN scores s USING (probe_id) JOIN readings r USING (probe_id)
WHERE p.run_id = ? AND (s.name, r.name) IN
(('acc', 'label_continuation'), ('acc', 'continuation'), ('acc_norm', 'continuation_per_character'))
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_harness_and_logitscope_answer_every_question_alike(tmp_path: Path) -> None:
    """Both run the embedded model on all knowledge questions, by letters and by option texts."""
    pytest.importorskip("lm_eval")
    source = QUESTIONS[-1][1]
    questions = load_questions(source)
    docs = tmp_path / "docs.jsonl"
    with docs.open("w", encoding="utf-8") as file:
        for question in questions:
            doc = {
                "question": question.text,
                "choices": [option.text for option in question.options],
                "answer": question.labels.index(question.gold or ""),
                "subject": question.subject,
                "dataset": question.dataset,
            }
            file.write(json.dumps(doc) + "\n")
    letters = "{{['A','B','C','D','E','F','G','H','I','J'][:choices | length]}}"
    cloze = "Question: {{question}}\nAnswer:"
    for name, prompt, choices in (
        ("mmlu-original", ORIGINAL, letters),
        ("cloze", cloze, "{{choices}}"),
    ):
        filled = TASK.format(
            name=name, docs=docs, prompt=json.dumps(prompt), choices=json.dumps(choices)
        )
        (tmp_path / f"{name}.yaml").write_text(filled)
    environment = {**os.environ, **OFFLINE, "PYTHONPATH": str(REPO)}
    harness = f"-m lm_eval run --model hf --model_args pretrained={EMBEDDED_MODEL},dtype=float32 \
        --tasks mmlu-original,cloze --include_path {tmp_path} --device cpu --batch_size 8 \
        --log_samples --output_path {tmp_path / 'out'}"
    subprocess.run(
        [sys.executable, *harness.split()], env=environment, check=True, capture_output=True
    )
    fmt, db = tmp_path / "cloze.toml", tmp_path / "both.duckdb"
    fmt.write_text(CLOZE_FORMAT)
    own = f"-m tui.cli run {source} --model {EMBEDDED_MODEL} --db {db} --samples 0 \
        --format mmlu-original:shots=0,{fmt} --max-new-tokens 1 --dtype float32"
    subprocess.run(
        [sys.executable, *own.split()], env=environment, check=True, capture_output=True, cwd=REPO
    )
    with open_store(db) as store:
        import_logs(store, "lm-eval", [str(tmp_path / "out")])
        reader = store.reader()

        def rows(query: str, *values: object) -> list[tuple[Any, ...]]:
            return reader.execute(query, list(values)).fetchall()

        def named(found: list[tuple[Any, ...]]) -> dict[tuple[str, ...], tuple[Any, ...]]:
            return {(row[0], row[1].removesuffix(":shots=0"), row[2]): row[3:] for row in found}

        asked, theirs = named(rows(READINGS, 1)), named(rows(READINGS, 2))
        assert len(theirs) == len(questions) * 5
        assert theirs.items() <= asked.items()
        prompts = "SELECT DISTINCT prompt FROM probes WHERE run_id = ?"
        assert sorted(rows(prompts, 1)) == sorted(rows(prompts, 2))
        for kind in ("label", "text"):
            ours, recorded = (named(rows(TOTALS, run, kind)) for run in (1, 2))
            assert len(recorded) == sum(len(question.options) for question in questions)
            for key, (text, total, is_greedy) in recorded.items():
                assert ours[key][0] == text
                assert math.isclose(ours[key][1], total, rel_tol=0, abs_tol=1e-4)
                assert ours[key][2] == is_greedy
        first, harness_first = (
            rows(LABELS, 1, "mmlu-original:shots=0"),
            rows(LABELS, 2, "mmlu-original"),
        )
        ours = {row[:2]: row[2] for row in first}
        assert len(harness_first) == len(ours)
        for question_id, label, logprob in harness_first:
            assert math.isclose(ours[question_id, label], logprob, rel_tol=0, abs_tol=1e-4)
        ((compared, equal),) = rows(SCORED_AGAINST_READINGS, 2)
        assert compared == equal == len(questions) * 3
