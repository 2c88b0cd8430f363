"""Logs of inspect: archives and documents, finished or not, with tokens and without."""

from __future__ import annotations

import copy
import json
import math
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings

from engine.errors import LogError
from engine.importers import import_logs, read_logs
from engine.importers.imported import ImportedRun
from engine.importers.inspect_log import read_inspect
from engine.store import open_store
from tests.log_store import LOGS, imported, read_or_named, spoiled

MOONS = LOGS / "inspect" / "moons.json"

Log = dict[str, Any]


@pytest.fixture
def log() -> Log:
    found: Log = json.loads(MOONS.read_text("utf-8"))
    return found


def read(log: Log, folder: Path) -> ImportedRun:
    path = folder / "log.json"
    path.write_text(json.dumps(log), encoding="utf-8")
    (run,) = read_inspect([str(path)])
    return run


def archive(log: Log, path: Path, *, header: str | None = "header.json") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        about = {key: log[key] for key in ("version", "eval", "plan")}
        file.writestr("_journal/start.json", json.dumps(about))
        for sample in log["samples"]:
            name = f"samples/{sample['id']}_epoch_{sample['epoch']}.json"
            file.writestr(name, json.dumps(sample))
        if header is not None:
            whole = {key: value for key, value in log.items() if key != "samples"}
            file.writestr(header, json.dumps(whole))
    return path


def zstandard(path: Path) -> Path:
    """The same archive as newer versions of inspect compress it, which zipfile can't write."""
    with zipfile.ZipFile(path) as file:
        contents = {name: file.read(name) for name in file.namelist()}
    packed = {
        name: pa.compress(content, codec="zstd", asbytes=True) for name, content in contents.items()
    }
    with zipfile.ZipFile(path, "w") as file:
        for name, content in packed.items():
            file.writestr(name, content)
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as file:
        entries = file.infolist()
        central = file.start_dir
    for entry in entries:
        size = len(contents[entry.filename]).to_bytes(4, "little")
        check = zlib.crc32(contents[entry.filename]).to_bytes(4, "little")
        for place, method in ((entry.header_offset, 8), (central, 10)):
            raw[place + method : place + method + 2] = (93).to_bytes(2, "little")
            raw[place + method + 6 : place + method + 10] = check
            raw[place + method + 14 : place + method + 18] = size
        central += 46 + len(entry.filename)
    path.write_bytes(raw)
    return path


def spoil(whole: bytes) -> bytes:
    """The same with a few wrong bytes in the first sample."""
    place = whole.index(b"samples/m1_epoch_1.json") + 40
    return whole[:place] + b"\0" * 40 + whole[place + 40 :]


def said(run: ImportedRun, place: int = 0) -> dict[str, str | None]:
    return {reading.name: reading.label for reading in run.probes[place].readings}


def test_a_log_says_what_was_asked_and_written(log: Log, tmp_path: Path) -> None:
    run = read(log, tmp_path)
    assert (run.name, run.model) == ("inspect · moons", "example/model")
    right, wrong = run.probes
    assert [option.text for option in right.question.options] == ["Io", "Europa", "Ganymede"]
    assert (right.question.gold, right.question.subject) == ("A", "moons")
    assert right.question.dataset == "example/moons"
    assert right.prompt.format == "system_message + multiple_choice"
    # What the log keeps apart stands in its place, and roles are visible.
    assert right.prompt.text is not None
    assert right.prompt.text.startswith("[system]\nYou know every moon.\n\n[user]\nAnswer with")
    assert right.prompt.text.endswith("C) Ganymede")
    assert [text.text for text in wrong.result.generations] == ["The answer is C"]
    assert wrong.result.generations[0].finish_reason == "length"
    assert [score.value for score in (*right.scores, *wrong.scores)] == [1.0, 0.0]
    assert right.scores[0].answer == "A"
    assert run.settings["settings"] == {"sampler": {"temperature": 0.0}}
    assert run.settings["packages"] == {"inspect_ai": "0.3.100"}


def test_logprobs_become_positions_and_a_first_distribution(log: Log, tmp_path: Path) -> None:
    run = read(log, tmp_path)
    right, wrong = run.probes
    spelled = {entry.raw: token for token, entry in enumerate(run.tokens)}
    assert right.result.first.top_ids == [spelled[token] for token in (b"A", b"B", b"I")]
    assert right.result.first.top_logprobs == [-0.5, -1.5, -2.0]
    assert (right.result.first.entropy, right.result.first.unseen) == (None, None)
    # C is not among the likeliest tokens, so there is no confidence.
    assert right.result.label_logprobs == [-0.5, -1.5, None]
    (first,) = [reading for reading in right.readings if reading.name == "first_token"]
    assert (first.label, first.confidence) == ("A", None)
    assert said(run, 1)["first_token"] == "C"
    assert said(run, 1)["vocab_argmax"] is None
    assert said(run, 1)["greedy_text"] == "C"
    positions = wrong.result.generations[0].positions
    assert b"".join(run.tokens[token].raw for token in positions.token_ids) == b"The answer is C"
    assert positions.ranks == [1, 1, 1, 1]
    assert positions.logprobs == [-0.25, -0.125, -0.125, -0.75]
    assert positions.entropies is None


def test_a_token_outside_its_list_leaves_no_ranks(log: Log, tmp_path: Path) -> None:
    tokens = log["samples"][1]["output"]["choices"][0]["logprobs"]["content"]
    tokens[3]["top_logprobs"] = [{"token": " B", "logprob": -0.5, "bytes": list(b" B")}]
    tokens[0]["top_logprobs"] = None
    positions = read(log, tmp_path).probes[1].result.generations[0].positions
    assert positions.ranks is None
    assert positions.top_ids[0] == []


def test_an_archive_holds_what_a_document_does(log: Log, tmp_path: Path) -> None:
    document = read(log, tmp_path)
    for packed in (
        archive(log, tmp_path / "log.eval"),
        zstandard(archive(log, tmp_path / "new.eval")),
    ):
        (run,) = read_inspect([str(packed)])
        assert run.probes == document.probes
        assert run.notes == document.notes


def test_an_evaluation_that_never_ended_gives_what_it_has(log: Log, tmp_path: Path) -> None:
    del log["samples"][0]
    (run,) = read_inspect([str(archive(log, tmp_path / "log.eval", header=None))])
    assert len(run.probes) == 1
    assert run.notes[1] == (
        "The evaluation had not ended when the log was written: the log holds 1 of 2 samples."
    )
    log |= {"status": "error", "error": {"message": "No more credit.\nTraceback"}}
    log["samples"][0]["error"] = {"message": "No more credit."}
    log["samples"][0]["output"] = {"model": "", "choices": []}
    failed = read(log, tmp_path)
    assert failed.notes[1].startswith("The evaluation ended in an error (No more credit.): ")
    assert "One sample ended in an error." in failed.notes
    assert failed.probes[0].result.generations == []
    assert failed.probes[0].readings == []


def test_epochs_are_samples_unless_they_are_greedy(log: Log, tmp_path: Path) -> None:
    again = copy.deepcopy(log["samples"][0])
    again["epoch"] = 2
    again["scores"]["choice"] |= {"value": "I", "answer": "B"}
    again["output"]["choices"][0]["message"]["content"] = "B"
    log["samples"].append(again)
    log["reductions"] = [
        {"scorer": "choice", "samples": [{"sample_id": "m1", "value": 0.5, "answer": "A"}]}
    ]
    greedy = read(log, tmp_path).probes[0]
    assert [(text.kind, text.index, text.text) for text in greedy.result.generations] == [
        ("greedy", 0, "A"),
        ("sample", 2, "B"),
    ]
    assert [(score.name, score.value) for score in greedy.scores] == [
        ("choice", 0.5),
        ("choice, epoch 1", 1.0),
        ("choice, epoch 2", 0.0),
    ]
    for sample in log["samples"]:
        sample["events"][0]["config"] = {"temperature": 0.8}
    sampled = read(log, tmp_path)
    assert [(text.kind, text.index) for text in sampled.probes[0].result.generations] == [
        ("sample", 1),
        ("sample", 2),
    ]
    assert said(sampled)["majority"] == "A"
    log["plan"]["config"] = {}
    for sample in log["samples"]:
        sample["events"] = []
    unknown = read(log, tmp_path)
    assert [text.kind for text in unknown.probes[0].result.generations] == ["sample", "sample"]
    assert "The temperature is not recorded; the texts are samples." in unknown.notes


def test_several_texts_of_one_call_are_numbered(log: Log, tmp_path: Path) -> None:
    log["plan"]["config"] = {}
    for sample in log["samples"]:
        sample["events"] = []
        sample["output"]["choices"] *= 2
    run = read(log, tmp_path)
    assert [(text.kind, text.index) for text in run.probes[0].result.generations] == [
        ("sample", 1),
        ("sample", 2),
    ]
    assert "The temperature is not recorded; the texts are samples." in run.notes


def test_one_text_of_unknown_temperature_is_read_and_said_so(log: Log, tmp_path: Path) -> None:
    log["plan"]["config"] = {}
    for sample in log["samples"]:
        sample["events"] = []
        sample["output"]["choices"][0]["logprobs"]["content"][0]["top_logprobs"] = None
    run = read(log, tmp_path)
    assert said(run)["greedy_text"] == "A"
    assert any("which it may not be" in note for note in run.notes)
    # The token that was written need not be the likeliest.
    assert "vocab_argmax" not in said(run)


def test_options_in_another_order_keep_their_places(log: Log, tmp_path: Path) -> None:
    user = log["samples"][0]["messages"][1]
    user["content"] = user["content"].replace("A) Io\nB) Europa", "A) Europa\nB) Io")
    log["plan"]["steps"][1]["params"] = {"shuffle": True}
    run = read(log, tmp_path)
    probe = run.probes[0]
    assert probe.permutation == (1, 0, 2)
    assert [option.text for option in probe.question.options] == ["Europa", "Io", "Ganymede"]
    assert (probe.question.gold, run.questions[0].gold) == ("B", "A")
    assert (probe.question_id, probe.prompt.order) == (run.questions[0].id, 1)
    assert "inspect rewrote" in run.notes[-1]


def test_a_question_without_options_keeps_its_text_and_score(log: Log, tmp_path: Path) -> None:
    for sample in log["samples"]:
        del sample["choices"]
        sample["target"] = ["Io", "Europa"]
        sample["scores"] = {"judge": {"value": {"truth": 0.75, "tone": "good"}, "answer": None}}
    run = read(log, tmp_path)
    assert run.probes[0].question.options == ()
    assert run.probes[0].question.gold is None
    assert [(score.name, score.value) for score in run.probes[0].scores] == [
        ("judge/truth", 0.75),
        ("judge/tone", None),
    ]
    assert any(note.startswith("2 questions have no options") for note in run.notes)
    assert run.probes[0].result.generations[0].text == "A"


def test_messages_of_parts_show_thinking_and_media(log: Log, tmp_path: Path) -> None:
    sample = log["samples"][0]
    sample["messages"][1]["content"] = [
        {"type": "image", "image": "attachment://picture"},
        {"type": "text", "text": "Which one is this?"},
    ]
    parts = [{"type": "reasoning", "reasoning": "B? No."}, {"type": "text", "text": "A"}]
    sample["output"]["choices"][0]["message"]["content"] = parts
    sample["input"] = [{"role": "user", "content": "Hello"}, *sample["messages"][1:2]]
    run = read(log, tmp_path)
    probe = run.probes[0]
    assert probe.prompt.text is not None
    assert probe.prompt.text.endswith("[user]\n[image]Which one is this?")
    assert probe.question.text == "[image]Which one is this?"
    assert probe.result.generations[0].text == "<think>\nB? No.\n</think>\nA"
    assert said(run)["greedy_text"] == "A"


def test_several_right_options(log: Log, tmp_path: Path) -> None:
    log["samples"][0]["target"] = ["C", "B"]
    run = read(log, tmp_path)
    assert run.probes[0].question.gold == "C"
    assert any("several right options" in note for note in run.notes)


def test_everything_can_be_stored_and_stepped_through(tmp_path: Path) -> None:
    with imported("inspect", [MOONS.parent], tmp_path / "log.duckdb") as (store, views):
        assert [view.row.first_token for view in views] == ["A", "C"]
        assert [view.row.text_label for view in views] == ["A", "C"]
        spelled = [views[1].tokens[i][1] for i in views[1].generations[0].positions.token_ids]
        assert spelled == [b"The", b" answer", b" is", b" C"]
        assert views[1].first is not None
        assert math.exp(views[1].first.top_logprobs[0]) == pytest.approx(math.exp(-0.25))
        assert store.reader().execute("SELECT log_score FROM outcomes ORDER BY 1").fetchall() == [
            (0.0,),
            (1.0,),
        ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda log: log.update(version=3), "is version 3 of the inspect log format"),
        (lambda log: log.pop("eval"), "has no 'eval'"),
        (lambda log: log["eval"].pop("model"), "has no 'model'"),
        (lambda log: log.update(samples=[]), "holds no samples"),
        (lambda log: log["samples"].append(3), "sample 3 holds no JSON object"),
        (lambda log: log["samples"][1].pop("target"), "sample 2 has no 'target'"),
        (lambda log: log["samples"][1].update(messages=["hello"]), "sample 2 is not laid out"),
        (
            lambda log: log["samples"][0]["output"]["choices"][0].pop("message"),
            "sample 1 is not laid out",
        ),
    ],
)
def test_a_bad_log_is_named(
    log: Log, tmp_path: Path, change: Callable[[Log], object], said: str
) -> None:
    change(log)
    with pytest.raises(LogError) as caught:
        read(log, tmp_path)
    assert said in caught.value.sentence
    assert str(tmp_path / "log.json") in caught.value.sentence
    assert caught.value.hint
    with open_store(tmp_path / "log.duckdb") as store:
        with pytest.raises(LogError):
            import_logs(store, "inspect", [str(tmp_path / "log.json")])
        assert store.reader().execute("SELECT count(*) FROM runs").fetchall() == [(0,)]


def test_a_truncated_or_foreign_archive_is_named(log: Log, tmp_path: Path) -> None:
    path = archive(log, tmp_path / "log.eval")
    whole = path.read_bytes()
    for broken in (
        whole[: len(whole) // 2],
        b"",
        spoil(whole),
        spoil(zstandard(path).read_bytes()),
    ):
        path.write_bytes(broken)
        with pytest.raises(LogError, match=r"log\.eval"):
            read_inspect([str(path)])
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("mimetype", "text/plain")
    with pytest.raises(LogError, match=r"has no header\.json"):
        read_inspect([str(path)])
    newer = archive(log | {"version": 3}, tmp_path / "newer.eval")
    with pytest.raises(LogError, match="version 3"):
        read_inspect([str(newer)])


def test_lists_of_logs_in_a_folder_are_no_logs(tmp_path: Path) -> None:
    (tmp_path / "moons.json").write_bytes(MOONS.read_bytes())
    (tmp_path / "logs.json").write_text("[]")
    assert len(read_inspect([str(tmp_path)])) == 1
    with pytest.raises(LogError, match=r"logs\.json holds no JSON object"):
        read_inspect([str(tmp_path / "logs.json")])


def test_real_logs_open_and_can_be_stepped_through(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "data" / "logs" / "inspect"
    kinds = {run.name: run for run in read_logs("inspect", [str(folder)])}
    assert set(kinds) == {"inspect · popularity", "inspect · inspect_evals/arc_easy"}
    with imported("inspect", [folder], tmp_path / "log.duckdb") as (store, views):
        assert len(views) == 16
        (arc,) = [view for view in views if view.question.gold and view.row.question_index == 1]
        assert (arc.row.text_label, arc.question.gold) == ("D", "B")
        assert [(score.name, score.value) for score in arc.scores] == [("choice", 0.0)]
        assert all(view.generations and view.prompt for view in views)
        messages = store.reader().execute("SELECT message FROM runs").fetchall()
        assert any("was cancelled: the log holds 3 of 3" in message for (message,) in messages)


@settings(deadline=None)
@given(spoiled(json.loads(MOONS.read_text("utf-8"))))
def test_an_odd_log_is_read_or_named(
    tmp_path_factory: pytest.TempPathFactory, document: Any
) -> None:
    path = tmp_path_factory.mktemp("odd") / "log.json"
    path.write_text(json.dumps(document))
    assert read_or_named(read_inspect, path)
