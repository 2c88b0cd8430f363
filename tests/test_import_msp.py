"""Released grades and confidences: what is stored of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.browse import list_rows, probe_view
from engine.errors import LogError
from engine.importers import import_logs
from engine.importers.msp import read_msp
from engine.store import Store, open_store

HEADER = "grade confidence_level\n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store.duckdb") as store:
        yield store


def write(folder: Path, name: str, *lines: str) -> str:
    path = folder / f"{name}.txt"
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines))
    return str(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three questions of one data set in two parts, with both kinds of confidence."""
    folder = tmp_path / "grades"
    folder.mkdir()
    for kind, values in (("norm", (0.75, 0.5, 0.0)), ("raw", (20.5, 11.25, 0.0))):
        name = f"arc_Tiny-1b-q{{}}_no_abst_{kind}_logits_first_prompt"
        write(folder, name.format("0to2"), f"Correct {values[0]}", f"Wrong {values[1]}")
        write(folder, name.format("2to3"), f"Unparseable {values[2]}")
    return folder


def test_one_probe_a_question_with_both_confidences(folder: Path, store: Store) -> None:
    (imported,) = import_logs(store, "msp", [str(folder)])
    assert (imported.model, imported.questions, imported.probes) == ("Tiny-1b", 3, 3)
    found = store.reader().execute(
        "SELECT question_index, dataset, format, status, confidence, logit, value FROM answers "
        "JOIN questions USING (question_id) JOIN scores USING (probe_id) ORDER BY probe_id"
    )
    assert found.fetchall() == [
        (0, "arc", "first prompt", "option", 0.75, 20.5, 1.0),
        (1, "arc", "first prompt", "option", 0.5, 11.25, 0.0),
        (2, "arc", "first prompt", "unparsed", 0.0, 0.0, 0.0),
    ]
    view = probe_view(store, 2)
    assert (view.prompt, view.chat, view.shots, view.generations) == (None, None, None, ())
    assert view.question.options == ()
    assert view.question.text == "Question 1 of arc: its text is not in the released data."
    (row,) = list_rows(store, [2])
    assert (row.first_token, row.text_status, row.gold, row.flags) == (None, None, None, ())


def test_one_kind_of_confidence_alone_leaves_the_other_unrecorded(tmp_path: Path) -> None:
    path = write(tmp_path, "mmlu_gpt-q0to1_no_abst_norm_logits_second_prompt", "Correct 0.9")
    (run,) = read_msp([path])
    (reading,) = run.probes[0].readings
    assert (reading.confidence, reading.logit) == (0.9, None)


def test_every_model_is_a_run_and_every_prompt_a_format(folder: Path) -> None:
    write(folder, "arc_Tiny-1b-q0to2_no_abst_norm_logits_second_prompt", "Wrong 1", "Correct 1")
    write(folder, "arc_Other-q0to1_no_abst_norm_logits_first_prompt", "Wrong 0.5")
    runs = read_msp([str(folder)])
    assert {run.model: len(run.probes) for run in runs} == {"Tiny-1b": 5, "Other": 1}
    (tiny,) = (run for run in runs if run.model == "Tiny-1b")
    assert {probe.prompt.format for probe in tiny.probes} == {"first prompt", "second prompt"}
    assert len(tiny.questions) == 3


@pytest.mark.parametrize(
    ("name", "lines", "sentence"),
    [
        ("notes_about_logits_here", ["Correct 1"], "is not named like"),
        ("a_b-q0to1_norm_logits_p", ["Correct"], "line 2 is no grade and confidence"),
        ("a_b-q0to1_norm_logits_p", ["Correct 0.5", "Wro"], "line 3 is no grade and confidence"),
        ("a_b-q0to1_norm_logits_p", ["Great 0.5"], "unknown grade 'Great'"),
        ("a_b-q0to1_norm_logits_p", [], "is empty"),
    ],
)
def test_another_file_is_one_sentence(
    tmp_path: Path, name: str, lines: list[str], sentence: str
) -> None:
    path = write(tmp_path, name, *lines)
    with pytest.raises(LogError, match=re.escape(sentence)) as caught:
        read_msp([path])
    assert path in caught.value.sentence


def test_grades_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    paths = [
        write(tmp_path, f"a_b-q0to1_{kind}_logits_p", f"{grade} 0.5")
        for kind, grade in (("norm", "Correct"), ("raw", "Wrong"))
    ]
    with pytest.raises(LogError, match="two different grades"):
        read_msp(paths)
    with pytest.raises(LogError, match="repeats question 0"):
        read_msp([paths[0], paths[0]])
