"""The responses released with arXiv:2402.14499 and 2404.08382: letter logits and human labels.

One json line a question, with one entry ``shuffle_0``, ``shuffle_1``, ... for each order of its
options: the prompt, the raw logit of every option letter, mostly also token and logit of the
vocabulary's argmax, the response with the prompt before it, and mostly a human label of it. The
two sets differ in names only. A label is "B. option text"; "CD" endorses several; X, Y and Z stand
for "no correct answer", a refusal and not knowing; "nan" has no label.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.errors import LogError
from engine.importers.files import files_in, json_lines, malformed, need
from engine.importers.imported import ImportedRun, TokenNumbers
from engine.questions import Option, Question
from engine.readings import Reading, read_probe
from engine.records import (
    NOTHING_SEEN,
    Distribution,
    Generation,
    Positions,
    ProbeResult,
    Status,
)
from engine.rendered import RecordedPrompt
from engine.rows import HumanLabel, RecordedProbe

FORMAT = "released prompt"

_SHUFFLE = re.compile(r"shuffle_(\d+)")
_LABEL = re.compile(r"([A-Z])(?:\.|\s*$)")
_END_OF_TURN = re.compile(
    r"\s*(?:\[/INST\]|<end_of_turn>\s*<start_of_turn>model\n?|\nmodel\n"
    r"|<\|im_end\|>\s*<\|im_start\|>assistant\n?|<\|eot_id\|><\|start_header_id\|>assistant"
    r"<\|end_header_id\|>\n*)"
)
_CODES: dict[str, Status] = {"X": "none_of_these", "Y": "refusal", "Z": "dont_know"}
_NOTES = (
    "Logprobs are not recorded, only raw logits of the letters; nor are the tokens of the "
    "responses, how they ended, and gold options."
)


class _Names(msgspec.Struct, frozen=True):
    """What one of the two sets calls things."""

    kind: str
    dataset: str
    letters: str
    contents: str


def read_mismatch(paths: Sequence[str]) -> list[ImportedRun]:
    """Read responses released with arXiv:2402.14499 (opinion questions)."""
    return _read(paths, _Names("mcq-mismatch", "opinionqa", "scores_letter", "scores"))


def read_robustness(paths: Sequence[str]) -> list[ImportedRun]:
    """Read responses released with arXiv:2404.08382 (MMLU)."""
    return _read(paths, _Names("mcq-robustness", "mmlu", "id_scores", "content_score_dict"))


def _read(paths: Sequence[str], names: _Names) -> list[ImportedRun]:
    files = files_in(paths, "*.jsonl", what=f"{names.kind} data (*.jsonl)")
    return [_read_file(path, names) for path in files]


def _read_file(path: Path, names: _Names) -> ImportedRun:
    tokens = TokenNumbers()
    questions: dict[str, Question] = {}
    probes: list[RecordedProbe] = []
    for index, (place, row) in enumerate(json_lines(path)):
        need(row, ["original_question"], place, names.kind)
        orders = {
            int(found[1]): row[key] for key in row if (found := _SHUFFLE.fullmatch(key)) is not None
        }
        if not orders:
            raise LogError(f"{place} has no 'shuffle_0', so it is no {names.kind} data.")
        for order in orders.values():
            need(order, ["question", "response", names.letters], place, names.kind)
        try:
            source = _question(row, orders[min(orders)], names)
            for number, order in sorted(orders.items()):
                shown = _question(row, order, names)
                probes.append(_probe(index, number, source, shown, order, names, tokens))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            malformed(place, names.kind, error)
        questions[source.id] = source
    if not probes:
        raise LogError(f"{path} is empty.", "Name another file.")
    model = re.sub(r"_(?:train|test|val|shards?.*)$", "", path.stem)
    return ImportedRun(
        name=f"{names.kind} · {path.stem}",
        model=model,
        source=str(path),
        questions=list(questions.values()),
        probes=probes,
        tokens=tokens.entries(),
        notes=(_NOTES,),
    )


def _question(row: dict[str, Any], order: dict[str, Any], names: _Names) -> Question:
    """The question with its options in one order."""
    labels = list(order[names.letters])
    ordinals = order.get("references_dict") or {}
    options = tuple(
        Option(label, text, ordinals.get(text))
        for label, text in zip(labels, _texts(order, labels, names), strict=True)
    )
    return Question(row["original_question"], options, None, "", names.dataset)


def _texts(order: dict[str, Any], labels: Sequence[str], names: _Names) -> list[str]:
    """The options' texts: keys of a mapping, unless two options with one text have become one."""
    contents = list(order.get(names.contents) or ())
    if len(contents) == len(labels):
        return contents
    lines = order["question"].splitlines()
    texts: list[str] = []
    for label in reversed(labels):
        line = next(line for line in reversed(lines) if line.startswith(f"{label}. "))
        lines = lines[: len(lines) - lines[::-1].index(line) - 1]
        texts.insert(0, line[len(label) + 2 :].rstrip(" "))
    return texts


def _probe(
    index: int,
    number: int,
    source: Question,
    shown: Question,
    order: dict[str, Any],
    names: _Names,
    tokens: TokenNumbers,
) -> RecordedProbe:
    prompt, text = _split(order["question"], order["response"])
    first = order.get("max_first_token")
    ids = [] if first is None else [tokens.number(first.encode())]
    result = ProbeResult(
        first=NOTHING_SEEN if first is None else Distribution(ids, [], None, None, None),
        label_logprobs=[],
        spellings=[],
        continuations=[],
        generations=[
            Generation("greedy", 0, text, None, Positions([], [], None, None, None, None, [], []))
        ],
        seconds=None,
        label_logits=[float(logit) for logit in order[names.letters].values()],
    )
    logit = order.get("max_first_token_score")
    return RecordedProbe(
        question_index=index,
        question=shown,
        question_id=source.id,
        permutation=_permutation(source, shown),
        prompt=RecordedPrompt(FORMAT, number, prompt, chat=True, shots=0),
        result=result,
        readings=[_with_logit(reading, logit) for reading in read_probe(shown, result, tokens.raw)],
        human_label=_human_label(order.get("label"), shown) if "label" in order else None,
    )


def _split(question: str, response: str) -> tuple[str, str]:
    """Prompt and text of a response that is recorded with the prompt before it."""
    before, found, after = response.partition(question)
    if not found:
        return question, response
    turn = _END_OF_TURN.match(after)
    end = turn.end() if turn else 0
    return before + question + after[:end], after[end:]


def _permutation(source: Question, shown: Question) -> tuple[int, ...]:
    """The place in the source of every option shown; of equal texts each is taken once."""
    left = dict(enumerate(option.text for option in source.options))
    places = []
    for option in shown.options:
        place = next(place for place, text in left.items() if text == option.text)
        places.append(place)
        del left[place]
    return tuple(places)


def _with_logit(reading: Reading, logit: float | None) -> Reading:
    """The logit of the vocabulary's argmax belongs to its reading."""
    if reading.name != "vocab_argmax" or logit is None:
        return reading
    return msgspec.structs.replace(reading, logit=float(logit))


def _human_label(label: Any, question: Question) -> HumanLabel:
    """What the label says; the paper counts what has none like an answer without an option."""
    original = "nan" if label is None or (isinstance(label, float) and math.isnan(label)) else label
    text = str(original).strip()
    letter = _LABEL.match(text)
    if letter is not None and letter[1] in question.labels:
        return HumanLabel("option", str(original), letter[1])
    if letter is not None and letter[1] in _CODES:
        return HumanLabel(_CODES[letter[1]], str(original))
    if len(text) > 1 and all(each in question.labels for each in text):
        return HumanLabel("several", str(original), None, tuple(text))
    return HumanLabel("unparsed", str(original))
