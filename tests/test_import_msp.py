"""Released grades and confidences: what is stored of them."""

from __future__ import annotations

import re
import shutil
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.browse import list_rows, probe_view
from engine.errors import LogError
from engine.importers import import_logs
from engine.importers.msp import read_msp
from engine.reread import reread
from engine.store import Store, open_store
from tests.log_store import read_or_named

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
        ("a_b-q0to1_norm_logits_p", ["Correct nan"], "line 2 is no grade and confidence"),
        ("a_b-q0to1_norm_logits_p", [], "does not hold the 1 whole lines"),
        ("a_b-q0to3_norm_logits_p", ["Correct 0.5", "Wrong 1"], "does not hold the 3 whole lines"),
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
    assert len(read_msp([paths[0], paths[0]])[0].probes) == 1
    other = tmp_path / "copy"
    other.mkdir()
    copy = shutil.copy(paths[0], other)
    with pytest.raises(LogError, match="repeats question 0"):
        read_msp([paths[0], copy])


def test_a_file_cut_within_its_last_number_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a_b-q0to2_norm_logits_p", "Correct 0.5", "Wrong 0.875")
    whole = Path(path).read_bytes()
    for length in range(len(whole)):
        Path(path).write_bytes(whole[:length])
        with pytest.raises(LogError) as caught:
            read_msp([path])
        assert path in caught.value.sentence


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "a_b-q0to1_norm_logits_p.txt"
    path.write_text(text, encoding="utf-8")
    assert read_or_named(read_msp, path)


def test_who_abstains_is_neither_right_nor_wrong(tmp_path: Path) -> None:
    (run,) = read_msp([write(tmp_path, "a_b-q0to1_norm_logits_p", "Abstained 0.5")])
    (probe,) = run.probes
    assert (probe.readings[0].status, probe.scores[0].value) == ("dont_know", None)


def test_nothing_bad_is_stored_and_reading_again_keeps_what_is(folder: Path, store: Store) -> None:
    import_logs(store, "msp", [str(folder)])
    before = [probe_view(store, probe_id) for probe_id in (1, 2, 3)]
    done = reread(store)
    assert (done.changed, done.added, done.otherwise) == (0, {}, {})
    assert [probe_view(store, probe_id) for probe_id in (1, 2, 3)] == before
    bad = write(folder, "arc_Tiny-1b-q3to4_no_abst_norm_logits_first_prompt", "Corr")
    with pytest.raises(LogError, match=re.escape(bad)):
        import_logs(store, "msp", [str(folder)], again=True)
    assert store.reader().execute("SELECT count(*) FROM runs").fetchall() == [(1,)]


def test_every_released_line_is_stored(shared_data: Path, store: Store) -> None:
    folder = shared_data / "data" / "msp" / "Mistral"
    grades, logits = Counter[tuple[object, ...]](), Counter[float]()
    for path in folder.glob("truthfulqa*"):
        kind, prompt = re.findall(r"_(norm|raw)_logits_(.+)_prompt", path.stem)[0]
        for line in path.read_text().splitlines()[1:]:
            grade, value = line.split()
            if kind == "norm":
                right = 1.0 if grade == "Correct" else 0.0
                grades[f"{prompt} prompt", f"grade {grade}", single(value), right] += 1
            else:
                logits[single(value)] += 1
    paths = sorted(str(path) for path in folder.glob("truthfulqa*"))
    (imported,) = import_logs(store, "msp", paths)
    assert imported.probes == sum(grades.values()) == 2 * 817
    rows = store.reader().execute(
        "SELECT format, rule, confidence, value, logit FROM answers JOIN scores USING (probe_id)"
    )
    stored = rows.fetchall()
    assert Counter(row[:-1] for row in stored) == grades
    assert Counter(row[-1] for row in stored) == logits


def single(written: str) -> float:
    """The number as a column of single precision holds it."""
    return float(struct.unpack("f", struct.pack("f", float(written)))[0])
