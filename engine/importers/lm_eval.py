"""Logs of lm-evaluation-harness: ``samples_TASK_DATE.jsonl`` with ``results_DATE.json``.

One sample a question and filter. Choices are scored as continuations: the log holds the sum of each
and whether it is what greedy decoding would write. What is scored may be the labels (``mmlu``) or
the options' texts (``arc_easy``, ``hellaswag``). Texts are recorded as text. Tokens are not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import LogError
from engine.importers.files import an_object, files_in, json_lines, json_of, need
from engine.importers.imported import ImportedRun, TokenNumbers
from engine.importers.lm_eval_samples import NEEDED, Row, Sample, Task, sample_of
from engine.importers.recorded import laid_out, several, whole

KIND = "lm-eval"

_NAME = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[\d.:-]+)")
_LOADERS = ("arrow", "csv", "json", "pandas", "parquet", "text")
_KEPT = ("config", "configs", "versions", "date", "lm_eval_version", "transformers_version")
_TOKENS = "Log-likelihoods are recorded as sums, without tokens or the rest of the distribution."
_NO_RESULTS = (
    "No results_*.json lies beside the samples, so model settings, shots and versions are not "
    "recorded."
)


class _File(NamedTuple):
    """One samples file."""

    path: Path
    task: str
    date: str


def read_lm_eval(paths: Sequence[str]) -> list[ImportedRun]:
    """Read samples; those of one evaluation become one run, its tasks the formats.

    In a folder the newest samples of every task count.

    Raises:
        LogError: A file can't be read; the sentence names it and says why.
    """
    what = "lm-evaluation-harness samples (samples_*.jsonl)"
    files = [_named(path) for path in files_in(paths, "samples_*.jsonl", what=what)]
    newest: dict[tuple[Path, str], str] = {}
    for path, task, date in files:
        key = path.parent, task
        newest[key] = max(date, newest.get(key, ""))
    named = {Path(path) for path in paths}
    kept = [
        each
        for each in files
        if each.path in named or each.date == newest[each.path.parent, each.task]
    ]
    older = several(
        len(files) - len(kept),
        "One file of an older evaluation of the same task was left out.",
        "{} files of older evaluations of the same tasks were left out.",
    )
    runs: dict[tuple[Path, str], list[_File]] = defaultdict(list)
    for each in kept:
        runs[each.path.parent, each.date].append(each)
    left_out = (older,) if len(kept) < len(files) else ()
    return [_run(of_run, left_out) for of_run in runs.values()]


def _named(path: Path) -> _File:
    found = _NAME.fullmatch(path.stem)
    return _File(path, found["task"], found["date"]) if found else _File(path, path.stem, "")


def _run(files: Sequence[_File], left_out: tuple[str, ...]) -> ImportedRun:
    folder = files[0].path.parent
    results = _results(folder, files[0].date)
    model = (results or {}).get("model_name") or folder.resolve().name
    tokens, indices = TokenNumbers(), dict[str, int]()
    samples: list[Sample] = []
    for file in files:
        with laid_out(str(folder / f"results_{file.date}.json"), KIND):
            task = _task(file, results)
        samples += _samples_of(file, task, tokens, indices)
    if not samples:
        raise LogError(f"{files[0].path} is empty.", "Name another file.")
    probes = [sample.probe for sample in samples]
    scored_by = {sample.probe.prompt.format: sample.scored_by for sample in samples}
    tasks = list(dict.fromkeys(file.task for file in files))
    named = tasks[0] if len(tasks) == 1 else f"{len(tasks)} tasks"
    return ImportedRun(
        name=f"{KIND} · {named}",
        model=str(model),
        source=str(files[0].path if len(files) == 1 else folder),
        questions=list({probe.question_id: probe.question for probe in probes}.values()),
        probes=probes,
        settings={
            "formats": [
                {"name": name, "scored_by": reading}
                for name, reading in scored_by.items()
                if reading is not None
            ],
            **{key: results[key] for key in _KEPT if results and key in results},
        },
        tokens=tokens.entries(),
        notes=(*_notes(samples), *(() if results else (_NO_RESULTS,)), *left_out),
    )


def _results(folder: Path, date: str) -> Row | None:
    """What the evaluation that the samples are of says about itself."""
    path = folder / f"results_{date}.json"
    if not date or not path.exists():
        return None
    results = an_object(json_of(path), str(path))
    need(results, ["results", "configs", "config"], str(path), KIND)
    return results


def _task(file: _File, results: Row | None) -> Task:
    if results is None:
        return Task(format=file.task, dataset=file.task)
    config = results["configs"].get(file.task) or {}
    chat = results.get("chat_template") is not None
    group = _group(file.task, results)
    return Task(
        format=group,
        dataset=_dataset(config, group),
        subject="" if group == file.task else str(config.get("dataset_name") or file.task),
        shots=whole((results.get("n-shot") or {}).get(file.task)),
        chat=chat,
        delimiter="" if chat else str(config.get("target_delimiter", " ")),
    )


def _dataset(config: Row, group: str) -> str:
    """What the questions are from; loaders of local files name nothing."""
    path = config.get("dataset_path")
    return group if path is None or path in _LOADERS else str(path)


def _group(task: str, results: Row) -> str:
    """The largest group of a task whose tasks are different parts of one data set; else the task.

    ``mmlu`` has a task for each subject; a leaderboard's tasks have nothing in common.
    """
    configs, groups = results["configs"], _groups(results)

    def part(name: str) -> tuple[str, ...]:
        about = configs.get(name) or {}
        return tuple(
            str(about.get(key)) for key in ("dataset_path", "dataset_name", "process_docs")
        )

    found = []
    for group in groups:
        parts = [part(name) for name in _tasks_of(group, groups)]
        alike = len({path for path, *_ in parts}) == 1 and len(set(parts)) == len(parts)
        if alike and task in _tasks_of(group, groups):
            found.append((len(parts), group))
    return max(found, default=(0, task))[1]


def _groups(results: Row) -> dict[str, list[str]]:
    """Members of every group; some versions list tasks as groups without members."""
    groups = results.get("group_subtasks") or {}
    return {group: members for group, members in groups.items() if members}


def _tasks_of(group: str, groups: dict[str, list[str]]) -> set[str]:
    """The tasks of a group, at any depth."""
    found, left = set[str](), [group]
    while left:
        members = groups.get(left.pop(), [])
        left += [member for member in members if member in groups and member not in found]
        found.update(members)
    return found - groups.keys()


def _samples_of(
    file: _File, task: Task, tokens: TokenNumbers, indices: dict[str, int]
) -> Iterator[Sample]:
    """The questions of one file in its order, the filters of each taken together."""
    questions: dict[Any, tuple[str, list[Row]]] = {}
    for place, row in _rows(file.path):
        need(row, NEEDED, place, KIND)
        questions.setdefault(str(row["doc_id"]), (place, []))[1].append(row)
    for place, rows in questions.values():
        with laid_out(place, KIND):
            sample = sample_of(rows, task, tokens)
        known = indices.setdefault(sample.probe.question_id, len(indices))
        yield sample.at(known)


def _rows(path: Path) -> Iterator[tuple[str, Row]]:
    """File and line of every sample; versions before 0.4.3 write one list into the file."""
    with path.open("rb") as file:
        is_list = file.read(1) == b"["
    if not is_list:
        yield from json_lines(path)
        return
    for number, row in enumerate(json_of(path), start=1):
        place = f"{path}, sample {number}"
        yield place, an_object(row, place)


def _notes(samples: Sequence[Sample]) -> Iterator[str]:
    yield _TOKENS
    counts: dict[str, int] = defaultdict(int)
    for sample in samples:
        for oddity in sample.oddities:
            counts[oddity] += 1
    sentences = {
        "several targets": (
            "One question has several right options; the first counts as gold.",
            "{} questions have several right options; the first counts as gold.",
        ),
        "options in the prompt": (
            "In one question the options stand in the prompt and the same text is scored after "
            "each, so figures per character are not the harness's.",
            "In {} questions the options stand in the prompt and the same text is scored after "
            "each, so figures per character are not the harness's.",
        ),
        "no options": (
            "One question has no options to choose from: only its scores are kept.",
            "{} questions have no options to choose from: only their scores are kept.",
        ),
        "not finite": (
            "One question has log-likelihoods that are no finite numbers; they were left out.",
            "{} questions have log-likelihoods that are no finite numbers; they were left out.",
        ),
    }
    for oddity, count in counts.items():
        yield several(count, *sentences[oddity])
