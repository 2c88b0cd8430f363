"""Runs of HELM: one token that chooses, options scored apart, and texts."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from engine.errors import LogError
from engine.importers import import_logs
from engine.importers.helm import read_helm
from engine.importers.imported import ImportedRun
from engine.rows import RecordedProbe
from engine.store import open_store
from tests.log_store import LOGS, imported, read_or_named, spoiled

JOINT = LOGS / "helm" / "moons"
SEPARATE = LOGS / "helm" / "moons_separate"

State = dict[str, Any]


def read(folder: Path) -> ImportedRun:
    (run,) = read_helm([str(folder)])
    return run


def changed(folder: Path, to: Path, change: Callable[[State], object]) -> Path:
    """A copy of a run with changed requests."""
    shutil.copytree(folder, to)
    path = to / "scenario_state.json"
    state = json.loads(path.read_text("utf-8"))
    change(state)
    path.write_text(json.dumps(state), encoding="utf-8")
    return to


def requests(change: Callable[[State], object]) -> Callable[[State], object]:
    """A change of every request."""
    return lambda state: [change(each) for each in state["request_states"]]


def said(probe: RecordedProbe) -> dict[str, str | None]:
    return {reading.name: reading.label for reading in probe.readings}


def completion(state: State) -> Any:
    return state["result"]["completions"][0]


def test_one_token_chooses_among_the_options() -> None:
    run = read(JOINT)
    assert run.name == "helm · sky:subject=moons,model=example_model"
    assert run.model == "example/model"
    right, wrong, changed_one = run.probes
    assert [option.text for option in right.question.options] == ["the Moon", "Io", "Titan"]
    assert (right.question.gold, right.question.subject, right.question.dataset) == (
        "A",
        "moons",
        "sky",
    )
    assert (right.prompt.format, right.prompt.shots) == ("multiple_choice_joint", 1)
    assert right.prompt.text is not None
    assert right.prompt.text.endswith("C. Titan\nAnswer:")
    assert [text.text for text in right.result.generations] == [" A"]
    assert right.result.generations[0].finish_reason == "length"
    assert [run.tokens[token].raw for token in right.result.first.top_ids] == [
        b" A",
        b" B",
        b" The",
    ]
    # C is not among the likeliest tokens.
    assert right.result.label_logprobs == [-0.25, -2.0, None]
    for name in ("first_token", "vocab_argmax", "exact_match", "greedy_text"):
        assert said(right)[name] == "A"
    assert said(wrong)["first_token"] == "B"
    assert said(wrong)["vocab_argmax"] is None
    assert [(score.name, score.value) for score in right.scores] == [
        ("exact_match", 1.0),
        ("quasi_exact_match", 1.0),
        ("max_prob", 0.5),
    ]
    assert changed_one.scores[0].value == 0.0


def test_a_perturbed_question_belongs_to_the_one_it_was_made_from() -> None:
    run = read(JOINT)
    right, other, perturbed = run.probes
    assert [probe.perturbation for probe in run.probes] == [None, None, "lowercase"]
    assert perturbed.question_id == right.question_id != other.question_id
    assert perturbed.question_index == right.question_index == 0
    assert perturbed.question.text == "which moon belongs to earth?"
    assert len(run.questions) == 2


def test_of_several_right_options_the_first_is_gold() -> None:
    run = read(JOINT)
    assert run.probes[1].question.gold == "B"
    assert run.notes == ("One question has several right options; the first counts as gold.",)


def test_options_scored_apart_are_continuations() -> None:
    run = read(SEPARATE)
    (probe,) = run.probes
    assert probe.prompt.text == "Which moon belongs to Earth?"
    found = probe.result.continuations
    assert [known.text for known in found] == [" the Moon", " Io", " Titan"]
    assert [run.tokens[token].raw for token in found[2].token_ids] == [b" Tit", b"an"]
    assert [known.logprobs for known in found] == [[-1.0, -0.5], [-1.25], [-2.0, -0.5]]
    assert [known.unconditional for known in found] == [-4.5, -6.5, -4.25]
    assert {known.is_greedy for known in found} == {None}
    totals = [math.fsum(known.logprobs) for known in found]
    per_token = [total / len(known.logprobs) for total, known in zip(totals, found, strict=True)]
    alone = (-4.5, -6.5, -4.25)
    gains = [total - bare for total, bare in zip(totals, alone, strict=True)]
    assert said(probe)["continuation"] == "ABC"[totals.index(max(totals))]
    assert said(probe)["continuation_per_token"] == "ABC"[per_token.index(max(per_token))]
    assert said(probe)["continuation_unconditional"] == "ABC"[gains.index(max(gains))]
    assert run.settings["formats"] == [
        {"name": "multiple_choice_separate_calibrated", "scored_by": "continuation_unconditional"}
    ]


def test_a_blank_token_before_an_option_belongs_to_it(tmp_path: Path) -> None:
    def apart(state: State) -> None:
        tokens = completion(state)["tokens"]
        tokens[-1:] = [{"text": " ", "logprob": -0.25}, {"text": "Io", "logprob": -1.0}] * (
            tokens[-1]["text"] == " Io"
        ) or tokens[-1:]

    (probe,) = read(changed(SEPARATE, tmp_path / "run", requests(apart))).probes
    assert probe.result.continuations[1].text == " Io"
    assert probe.result.continuations[1].logprobs == [-0.25, -1.0]


def test_tokens_that_do_not_spell_the_options_are_left_out(tmp_path: Path) -> None:
    run = read(
        changed(
            SEPARATE,
            tmp_path / "run",
            requests(lambda state: completion(state)["tokens"].pop()),
        )
    )
    assert run.probes[0].result.continuations == []
    assert run.notes == (
        "The tokens of one question do not spell its options; their scores were left out.",
    )


def test_bytes_of_tokens_and_greedy_continuations(tmp_path: Path) -> None:
    def spelled(state: State) -> None:
        state["instance"]["references"][1]["output"]["text"] = "Ió"
        for token in completion(state)["tokens"]:
            token["top_logprobs"] = {token["text"]: token["logprob"]}
        if state["reference_index"] == 1:
            completion(state)["tokens"][-1:] = [
                {"text": " I", "logprob": -0.5, "top_logprobs": {" I": -0.5}},
                {"text": r"bytes:\xc3", "logprob": -0.5, "top_logprobs": {"x": -0.25}},
                {"text": r"bytes:\xb3", "logprob": -0.5, "top_logprobs": {"x": -2.0}},
            ]

    (probe,) = read(changed(SEPARATE, tmp_path / "run", requests(spelled))).probes
    assert [known.text for known in probe.result.continuations] == [" the Moon", " Ió", " Titan"]
    assert [known.is_greedy for known in probe.result.continuations] == [True, False, True]


def test_logprobs_that_are_all_zero_are_not_recorded(tmp_path: Path) -> None:
    def zero(state: State) -> None:
        for token in completion(state)["tokens"]:
            token["logprob"] = 0.0
            token.pop("top_logprobs", None)

    run = read(changed(JOINT, tmp_path / "run", requests(zero)))
    probe = run.probes[0]
    assert len(probe.result.generations[0].positions) == 0
    assert probe.result.label_logprobs == []
    assert probe.result.first.top_logprobs == []
    # One greedy token is the likeliest all the same.
    assert said(probe)["vocab_argmax"] == "A"
    assert "first_token" not in said(probe)
    assert any("all exactly 0" in note for note in run.notes)
    scored = read(changed(SEPARATE, tmp_path / "scored", requests(zero)))
    assert scored.probes[0].result.continuations == []


def test_other_examples_are_another_format_and_draws_are_samples(tmp_path: Path) -> None:
    def more(state: State) -> None:
        first = state["request_states"][0]
        trial = json.loads(json.dumps(first)) | {"train_trial_index": 1}
        drawn = json.loads(json.dumps(first))
        completion(drawn)["text"] = " B"
        for each in (first, drawn):
            each["request"]["temperature"] = 1.0
        state["request_states"] += [trial, drawn]

    run = read(changed(JOINT, tmp_path / "run", more))
    by_format = {probe.prompt.format: probe for probe in run.probes if not probe.perturbation}
    assert "multiple_choice_joint:trial=1" in by_format
    assert by_format["multiple_choice_joint:trial=1"].scores == ()
    drawn = run.probes[0].result.generations
    assert [(text.kind, text.index, text.text) for text in drawn] == [
        ("sample", 1, " A"),
        ("sample", 2, " B"),
    ]


def test_texts_without_options_and_failed_requests(tmp_path: Path) -> None:
    def generated(state: State) -> None:
        state["output_mapping"] = None
        state["prompt_truncated"] = True
        state["result"]["success"] = state["instance"]["id"] == "id1"

    run = read(changed(JOINT, tmp_path / "run", requests(generated)))
    assert run.probes[0].question.options == ()
    assert run.probes[0].question.gold is None
    assert run.probes[0].result.generations[0].text == " A"
    assert run.probes[1].result.generations == []
    assert set(run.notes) == {
        "2 questions have no options; their texts are kept, and what the scorer said.",
        "3 prompts were cut to fit the model's window.",
        "One request failed.",
    }


def test_runs_of_one_scenario_are_taken_together(tmp_path: Path) -> None:
    shutil.copytree(JOINT, tmp_path / "moons")
    shutil.copytree(JOINT, tmp_path / "stars")
    for name, subject in (("moons", "moons"), ("stars", "stars")):
        spec = json.loads((tmp_path / name / "run_spec.json").read_text())
        spec["name"] = f"sky:subject={subject}"
        spec["scenario_spec"]["args"]["subject"] = subject
        (tmp_path / name / "run_spec.json").write_text(json.dumps(spec))
    (tmp_path / "stars" / "per_instance_stats.json").unlink()
    run = read(tmp_path)
    assert run.name == "helm · sky"
    assert {question.subject for question in run.questions} == {"moons", "stars"}
    assert [probe.question_index for probe in run.probes] == [0, 1, 0, 2, 3, 2]
    assert any("no per_instance_stats.json" in note for note in run.notes)


def test_a_run_without_its_description_is_called_by_its_folder(tmp_path: Path) -> None:
    shutil.copytree(JOINT, tmp_path / "moons")
    (tmp_path / "moons" / "run_spec.json").unlink()
    run = read(tmp_path / "moons" / "scenario_state.json")
    assert run.name == "helm · moons"
    assert run.questions[0].subject == ""


def test_everything_can_be_stored_and_stepped_through(tmp_path: Path) -> None:
    with imported("helm", [JOINT.parent], tmp_path / "log.duckdb") as (store, views):
        assert len(views) == 4
        (perturbed,) = [view for view in views if view.perturbation]
        assert perturbed.question.text == "which moon belongs to earth?"
        (scored,) = [view for view in views if view.continuations]
        assert scored.tokens[scored.continuations[2].token_ids[1]][1] == b"an"
        tokens = store.reader().execute(
            "SELECT label, tokens, unconditional FROM continuations ORDER BY label"
        )
        assert tokens.fetchall() == [("A", 2, -4.5), ("B", 1, -6.5), ("C", 2, -4.25)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("request_states"), "has no 'request_states'"),
        (lambda state: state["adapter_spec"].pop("method"), "has no 'method'"),
        (lambda state: state.update(request_states=[]), "holds no requests"),
        (lambda state: state["request_states"][1].pop("request"), "request 2 has no 'request'"),
        (lambda state: state["request_states"].append("x"), "request 4 holds no JSON object"),
        (
            lambda state: state["request_states"][2]["instance"].pop("input"),
            "instance id2 is not laid out",
        ),
        (
            lambda state: completion(state["request_states"][0]).update(tokens=[{"text": "A"}]),
            "instance id1 is not laid out",
        ),
    ],
)
def test_a_bad_run_is_named(tmp_path: Path, change: Callable[[State], object], said: str) -> None:
    folder = changed(JOINT, tmp_path / "run", change)
    with pytest.raises(LogError) as caught:
        read(folder)
    assert said in caught.value.sentence
    assert str(folder / "scenario_state.json") in caught.value.sentence
    assert caught.value.hint
    with open_store(tmp_path / "log.duckdb") as store:
        with pytest.raises(LogError):
            import_logs(store, "helm", [str(folder)])
        assert store.reader().execute("SELECT count(*) FROM runs").fetchall() == [(0,)]


@pytest.mark.parametrize(
    "name", ["scenario_state.json", "run_spec.json", "per_instance_stats.json"]
)
def test_a_truncated_file_of_a_run_is_named(tmp_path: Path, name: str) -> None:
    path = shutil.copytree(JOINT, tmp_path / "run") / name
    path.write_text(path.read_text()[:-20])
    with pytest.raises(LogError, match=f"{name} is no complete JSON"):
        read(tmp_path / "run")


def test_statistics_of_another_kind_are_named(tmp_path: Path) -> None:
    path = shutil.copytree(JOINT, tmp_path / "run") / "per_instance_stats.json"
    for text, said in (
        ("[[]]", "entry 1 holds no JSON object"),
        ("{}", "stats.json holds no JSON list"),
        ('[{"instance_id": "id1", "train_trial_index": 0, "stats": [3]}]', "entry 1 is not laid"),
    ):
        path.write_text(text)
        with pytest.raises(LogError, match=said):
            read(tmp_path / "run")
    with pytest.raises(LogError, match="holds no HELM runs"):
        read_helm([str(LOGS / "inspect")])


def test_a_real_run_opens_and_can_be_stepped_through(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "data" / "logs" / "helm"
    (path,) = folder.rglob("scenario_state.json")
    written = [
        completion(state)["text"].strip()
        for state in json.loads(path.read_text("utf-8"))["request_states"]
    ]
    with imported("helm", [folder], tmp_path / "log.duckdb") as (store, views):
        assert len(views) == 10
        assert [view.row.text_label for view in views] == written
        assert all(len(view.question.options) == 4 for view in views)
        assert all(view.shots == 5 for view in views)
        (agreed,) = (
            store.reader()
            .execute(
                "SELECT count_if(log_score = CAST(label IS NOT DISTINCT FROM gold AS DOUBLE)) "
                "FROM outcomes JOIN readings USING (probe_id) WHERE name = 'exact_match'"
            )
            .fetchall()
        )
        assert agreed == (10,)


@settings(deadline=None)
@given(spoiled(json.loads((SEPARATE / "scenario_state.json").read_text("utf-8"))))
def test_an_odd_run_is_read_or_named(
    tmp_path_factory: pytest.TempPathFactory, document: Any
) -> None:
    path = tmp_path_factory.mktemp("odd") / "scenario_state.json"
    path.write_text(json.dumps(document))
    assert read_or_named(read_helm, path)
