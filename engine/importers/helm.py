"""Runs of HELM: ``scenario_state.json`` with ``run_spec.json`` and ``per_instance_stats.json``.

``multiple_choice_joint`` asks for one token and maps it to an option. ``multiple_choice_separate``
scores every option by a request of its own that echoes the prompt with the option; calibrated, also
after "Answer:" alone. Other methods give texts.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from engine.errors import LogError
from engine.importers.files import an_object, files_in, json_of, need
from engine.importers.helm_requests import Reader, Record
from engine.importers.imported import ImportedRun, TokenNumbers
from engine.importers.recorded import laid_out, number_of, several, whole
from engine.questions import Question
from engine.readings import ReadingName, read_probe
from engine.rendered import RecordedPrompt, opens_thinking
from engine.rows import RecordedProbe, Score

KIND = "helm"

_SCORED_BY: dict[str, ReadingName] = {
    "multiple_choice_joint": "exact_match",
    "multiple_choice_separate_original": "continuation_per_token",
    "multiple_choice_separate_calibrated": "continuation_unconditional",
}
_NO_SCORES = (
    "num_",
    "finish_reason_",
    "inference_",
    "training_",
    "batch_size",
    "prompt_",
    "logprob",
)
"""How statistics begin that judge no answer."""

_FIRST = ("exact_match", "quasi_exact_match")
_SENTENCES = {
    "several targets": (
        "One question has several right options; the first counts as gold.",
        "{} questions have several right options; the first counts as gold.",
    ),
    "no options": (
        "One question has no options; its text is kept, and what the scorer said of it.",
        "{} questions have no options; their texts are kept, and what the scorer said.",
    ),
    "failed": ("One request failed.", "{} requests failed."),
    "truncated": (
        "One prompt was cut to fit the model's window.",
        "{} prompts were cut to fit the model's window.",
    ),
    "no logprobs": (
        "The log's logprobs are all exactly 0, which its client writes where it has none or scaled "
        "them by a temperature of 0; they were left out.",
        "The logprobs of {} runs are all exactly 0, which their client writes where it has none or "
        "scaled them by a temperature of 0; they were left out.",
    ),
    "no span": (
        "The tokens of one question do not spell its options; their scores were left out.",
        "The tokens of {} questions do not spell their options; their scores were left out.",
    ),
    "no statistics": (
        "A run has no per_instance_stats.json, so HELM's own scores of it are not recorded.",
        "{} runs have no per_instance_stats.json, so HELM's own scores of them are not recorded.",
    ),
}


class Key(NamedTuple):
    """What the requests of one probe have in common.

    Attributes:
        instance: The question.
        perturbation: How it was changed, as JSON; empty where it was not.
        trial: Which set of worked examples.
    """

    instance: str
    perturbation: str
    trial: int


class _Run(NamedTuple):
    """The files of one folder.

    Attributes:
        path: Of the requests.
        adapter: How questions were turned into requests.
        states: The requests.
        spec: The run's own description; empty where not there.
        statistics: What the metrics say, one entry an instance; None where not there.
    """

    path: Path
    adapter: Record
    states: list[Record]
    spec: Record
    statistics: list[Record] | None

    @property
    def name(self) -> str:
        """What HELM calls it."""
        return str(self.spec.get("name") or self.path.resolve().parent.name)

    @property
    def scenario(self) -> str:
        """Name of the scenario."""
        return self.name.partition(":")[0]

    @property
    def model(self) -> str:
        """The model, or where it was deployed."""
        return str(self.adapter.get("model") or self.adapter.get("model_deployment"))

    @property
    def subject(self) -> str:
        """The part of the scenario that was asked."""
        arguments = (self.spec.get("scenario_spec") or {}).get("args") or {}
        return str(arguments.get("subject") or "")


def read_helm(paths: Sequence[str]) -> list[ImportedRun]:
    """Read the folders of runs; those of one model, scenario and method become one run.

    Raises:
        LogError: A file can't be read; the sentence names it and says why.
    """
    files = files_in(paths, "scenario_state.json", what="HELM runs (scenario_state.json)")
    together: dict[tuple[str, str, str], list[_Run]] = defaultdict(list)
    for path in files:
        with laid_out(str(path), KIND):
            run = _files(path)
            together[run.model, run.scenario, str(run.adapter["method"])].append(run)
    return [_imported(runs) for runs in together.values()]


def _files(path: Path) -> _Run:
    state = an_object(json_of(path), str(path))
    need(state, ["adapter_spec", "request_states"], str(path), KIND)
    adapter = an_object(state["adapter_spec"], str(path))
    need(adapter, ["method"], str(path), KIND)
    states = _a_list(state["request_states"], path)
    if not states:
        raise LogError(f"{path} holds no requests.", "Name a run that was finished.")
    spec, statistics = path.with_name("run_spec.json"), path.with_name("per_instance_stats.json")
    return _Run(
        path,
        adapter,
        states,
        an_object(json_of(spec), str(spec)) if spec.exists() else {},
        _a_list(json_of(statistics), statistics) if statistics.exists() else None,
    )


def _a_list(value: Any, path: Path) -> list[Any]:
    if not isinstance(value, list):
        raise LogError(f"{path} holds no JSON list.", "The file is of another kind.")
    return value


def _imported(runs: Sequence[_Run]) -> ImportedRun:
    tokens, counts = TokenNumbers(), dict[str, int]()
    questions: dict[str, Question] = {}
    probes: list[RecordedProbe] = []
    for run in runs:
        with laid_out(str(run.path), KIND):
            probes += _probes(run, tokens, questions, counts)
    places = {question_id: place for place, question_id in enumerate(questions)}
    method = str(runs[0].adapter["method"])
    formats = dict.fromkeys(probe.prompt.format for probe in probes)
    own = _SCORED_BY.get(method)
    return ImportedRun(
        name=f"{KIND} · {runs[0].name if len(runs) == 1 else runs[0].scenario}",
        model=runs[0].model,
        source=", ".join(str(run.path.parent) for run in runs),
        questions=list(questions.values()),
        probes=[
            msgspec.structs.replace(probe, question_index=places[probe.question_id])
            for probe in probes
        ],
        settings={
            "runs": [run.name for run in runs],
            "adapter_spec": runs[0].adapter,
            "formats": [{"name": name, "scored_by": own} for name in formats if own],
        },
        tokens=tokens.entries(),
        notes=tuple(several(count, *_SENTENCES[code]) for code, count in counts.items()),
    )


def _probes(
    run: _Run, tokens: TokenNumbers, questions: dict[str, Question], counts: dict[str, int]
) -> Iterator[RecordedProbe]:
    """One probe an instance, perturbation and trial, as if its question were the first."""
    groups: dict[Key, list[Record]] = defaultdict(list)
    for number, state in enumerate(run.states, start=1):
        place = f"{run.path}, request {number}"
        need(an_object(state, place), ["instance", "request", "train_trial_index"], place, KIND)
        groups[_key(state["instance"], state)].append(state)
    reader = Reader(run.states, tokens, counts)
    scores = _scores(run, counts)
    sources: dict[str, Question] = {}
    # Perturbed instances come before or after the ones that they were made from.
    for key, group in sorted(groups.items(), key=lambda each: each[0].perturbation != ""):
        with laid_out(f"{run.path}, instance {key.instance}", KIND):
            shown = reader.question(group[0], run.scenario, run.subject)
            source = sources.setdefault(key.instance, shown)
            questions[source.id] = source
            prompt, result = reader.answer(group, shown)
            perturbation = _perturbation(group[0]["instance"])
        method = str(run.adapter["method"])
        yield RecordedProbe(
            question_index=0,
            question=shown,
            question_id=source.id,
            permutation=tuple(range(len(shown.options))),
            prompt=RecordedPrompt(
                method if key.trial == 0 else f"{method}:trial={key.trial}",
                text=prompt,
                shots=whole(group[0].get("num_train_instances")),
            ),
            result=result,
            readings=read_probe(shown, result, tokens.raw, thinking=opens_thinking(prompt)),
            perturbation=perturbation,
            scores=scores.get(key, ()),
        )


def _key(instance: Record, entry: Record) -> Key:
    perturbation = entry.get("perturbation", instance.get("perturbation"))
    return Key(
        str(instance.get("id", entry.get("instance_id"))),
        json.dumps(perturbation, sort_keys=True) if perturbation else "",
        int(entry["train_trial_index"]),
    )


def _perturbation(instance: Record) -> str | None:
    perturbation = instance.get("perturbation")
    return str(perturbation["name"]) if perturbation else None


def _scores(run: _Run, counts: dict[str, int]) -> dict[Key, list[Score]]:
    """What the metrics say of every instance, those first that grade the answer."""
    if run.statistics is None:
        counts["no statistics"] = counts.get("no statistics", 0) + 1
        return {}
    found: dict[Key, list[Score]] = {}
    for number, entry in enumerate(run.statistics, start=1):
        place = f"{run.path.with_name('per_instance_stats.json')}, entry {number}"
        need(an_object(entry, place), ["instance_id", "train_trial_index", "stats"], place, KIND)
        with laid_out(place, KIND):
            said = {
                str(each["name"]["name"]): number_of(each.get("mean")) for each in entry["stats"]
            }
        names = [name for name in said if not name.startswith(_NO_SCORES)]
        names.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
        found[_key({}, entry)] = [Score(name, said[name]) for name in names]
    return found
