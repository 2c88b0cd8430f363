"""The grades and confidences released with arXiv:2402.13213.

One text file for each model, data set, range of questions, prompt and kind of confidence: a header
and one line a question, "Correct", "Wrong" or "Unparseable" and a number. ``norm`` files hold the
maximum softmax probability at the answer's position, ``raw`` files the highest logit there; both
are of the same answers. Neither questions, options nor texts are in them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from engine.errors import LogError
from engine.importers.files import files_in, text_of
from engine.importers.imported import ImportedRun
from engine.questions import Question
from engine.readings import Reading
from engine.records import NOTHING_SEEN, ProbeResult, Status
from engine.rendered import RecordedPrompt
from engine.rows import RecordedProbe, Score

GRADE = "grade"
"""Name of the score that says whether an answer is right; there is no gold option to compare."""

_NAME = re.compile(
    r"(?P<dataset>[A-Za-z0-9]+)_(?P<model>.+)-q(?P<start>\d+)to(?P<end>\d+)_"
    r"(?P<before>.*?)(?P<kind>norm|raw)_logits_(?P<prompt>.+)"
)
_GRADES: dict[str, tuple[float | None, Status]] = {
    "Correct": (1.0, "option"),
    "Wrong": (0.0, "option"),
    "Unparseable": (0.0, "unparsed"),
    "Abstained": (None, "dont_know"),
}
"""Score of each grade, and what it says of the answer's text."""

_NOTES = (
    "Only grades and confidences are recorded: no questions, options, prompts or texts. Answers "
    "that could not be parsed are wrong with confidence 0, as in the data."
)


class _Answer(NamedTuple):
    """One line of a file."""

    grade: str
    confidence: float


Key = tuple[str, str, int]
"""Data set, prompt, number of the question."""


def read_msp(paths: Sequence[str]) -> list[ImportedRun]:
    """Read grade and confidence files; those of one model become one run."""
    files = files_in(paths, "*_logits_*.txt", what="grade and confidence files (*_logits_*.txt)")
    by_model: dict[str, dict[str, dict[Key, _Answer]]] = {}
    for path in files:
        name = _NAME.fullmatch(path.stem)
        if name is None:
            raise LogError(
                f"{path} is not named like a grade and confidence file.",
                "They are called DATASET_MODEL-qSTARTtoEND_..._norm_logits_..._prompt.txt.",
            )
        kinds = by_model.setdefault(name["model"], {"norm": {}, "raw": {}})
        known = kinds[name["kind"]]
        variant = (name["before"].replace("no_abst_", "") + name["prompt"]).replace("_", " ")
        start, end = int(name["start"]), int(name["end"])
        for number, answer in enumerate(_answers(path, end - start), start=start):
            key = (name["dataset"], variant, number)
            if key in known:
                raise LogError(f"{path} repeats question {number} of {key[0]}.", "Leave one out.")
            known[key] = answer
    source = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    return [_run(model, source, **kinds) for model, kinds in by_model.items()]


def _answers(path: Path, promised: int) -> list[_Answer]:
    """The lines of a file, as many as its name promises."""
    text = text_of(path)
    lines = list(enumerate(text.splitlines(), start=1))
    if lines and lines[0][1].startswith("grade"):
        del lines[0]
    found = [_answer(line, f"{path}, line {number}") for number, line in lines]
    if len(found) != promised or not text.endswith("\n"):
        raise LogError(
            f"{path} does not hold the {promised} whole lines that its name promises.",
            "The file is truncated, or renamed.",
        )
    return found


def _answer(line: str, place: str) -> _Answer:
    """One line, such as "Correct 0.97"."""
    grade, _, number = line.strip().partition(" ")
    try:
        confidence = float(number)
    except ValueError:
        confidence = math.nan
    if not math.isfinite(confidence):
        raise LogError(
            f"{place} is no grade and confidence: {line[:40]!r}.",
            "The file is truncated, or of another kind.",
        )
    if grade not in _GRADES:
        raise LogError(
            f"{place} has the unknown grade {grade[:40]!r}.", f"Known are {', '.join(_GRADES)}."
        )
    return _Answer(grade, confidence)


def _run(model: str, source: str, norm: dict[Key, _Answer], raw: dict[Key, _Answer]) -> ImportedRun:
    for key in norm.keys() & raw.keys():
        if norm[key].grade != raw[key].grade:
            raise LogError(
                f"Question {key[2]} of {key[0]} ({model}, {key[1]}) has two different grades.",
                "Import the norm and the raw files apart.",
            )
    keys = sorted(norm.keys() | raw.keys())
    numbers = {
        question: index
        for index, question in enumerate(dict.fromkeys((key[0], key[2]) for key in keys))
    }
    questions = {
        (dataset, number): Question(
            f"Question {number} of {dataset}: its text is not in the released data.",
            (),
            None,
            "",
            dataset,
        )
        for dataset, number in numbers
    }
    return ImportedRun(
        name=f"msp · {model}",
        model=model,
        source=source,
        questions=list(questions.values()),
        probes=[
            _probe(
                numbers[key[0], key[2]], questions[key[0], key[2]], key, norm.get(key), raw.get(key)
            )
            for key in keys
        ],
        notes=(_NOTES,),
    )


def _probe(
    index: int, question: Question, key: Key, norm: _Answer | None, raw: _Answer | None
) -> RecordedProbe:
    grade = (norm or raw or _Answer("", 0)).grade
    score, status = _GRADES[grade]
    reading = Reading(
        "answer_position",
        status,
        confidence=None if norm is None else norm.confidence,
        logit=None if raw is None else raw.confidence,
        rule=f"grade {grade}",
    )
    return RecordedProbe(
        question_index=index,
        question=question,
        question_id=question.id,
        permutation=(),
        prompt=RecordedPrompt(key[1]),
        result=ProbeResult(NOTHING_SEEN, [], [], [], [], seconds=None),
        readings=[reading],
        scores=[Score(GRADE, score)],
    )
