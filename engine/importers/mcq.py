"""The responses released with arXiv:2402.14499 and 2404.08382: letter logits and human labels.

One json line a question, with one entry ``shuffle_0``, ``shuffle_1``, ... for each order of its
options: the prompt, the raw logit of every option letter, mostly also token and logit of the
vocabulary's argmax, the response with the prompt before it, and mostly a human label of it. The
two sets differ in names only. A label is "B. option text"; "CD" endorses several; X, Y and Z stand
for "no correct answer", a refusal and not knowing; "nan" has no label.

Every model was asked in option orders of its own. Where a set names the options' places on a scale,
that is the order of the source, so that the answers of all models are answers to one question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from engine.errors import LogError
from engine.importers.files import an_object, files_in, json_lines, malformed, need
from engine.importers.imported import ImportedRun, TokenNumbers
from engine.questions import Option, Question, refusal_label
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


class _Set(NamedTuple):
    """One of the two sets.

    Attributes:
        kind: What the command calls it.
        dataset: Where its questions come from.
        logits: Its name for the letters' logits.
        contents: Its name for the same by the options' texts.
    """

    kind: str
    dataset: str
    logits: str
    contents: str


_MISMATCH = _Set("mcq-mismatch", "opinionqa", "scores_letter", "scores")
_ROBUSTNESS = _Set("mcq-robustness", "mmlu", "id_scores", "content_score_dict")


class _Order(msgspec.Struct, frozen=True):
    """One question in one order of its options, as both sets have it.

    Attributes:
        question: The user's turn of the prompt.
        response: The prompt and what was written after it.
        logits: Raw logit of every letter, in the order shown.
        contents: The same by the options' texts.
        references_dict: Places on the question's scale, in the order of the source.
        max_first_token: The likeliest token of the vocabulary.
        max_first_token_score: Its raw logit.
        label: What a person says the response says.
    """

    question: str
    response: str
    logits: dict[str, float]
    contents: dict[str, float] | None = None
    references_dict: dict[str, float] | None = None
    max_first_token: str | None = None
    max_first_token_score: float | None = None
    label: str | float | msgspec.UnsetType | None = msgspec.UNSET


def read_mismatch(paths: Sequence[str]) -> list[ImportedRun]:
    """Read responses released with arXiv:2402.14499 (opinion questions)."""
    return _read(paths, _MISMATCH)


def read_robustness(paths: Sequence[str]) -> list[ImportedRun]:
    """Read responses released with arXiv:2404.08382 (MMLU)."""
    return _read(paths, _ROBUSTNESS)


def _read(paths: Sequence[str], of: _Set) -> list[ImportedRun]:
    files = files_in(paths, "*.jsonl", what=f"{of.kind} data (*.jsonl)")
    return [_read_file(path, of) for path in files]


def _read_file(path: Path, of: _Set) -> ImportedRun:
    tokens = TokenNumbers()
    questions: dict[str, Question] = {}
    probes: list[RecordedProbe] = []
    for index, (place, row) in enumerate(json_lines(path)):
        need(row, ["original_question"], place, of.kind)
        try:
            orders = _orders(row, place, of)
            asked = Question(msgspec.convert(row["original_question"], str), (), dataset=of.dataset)
            first = orders[min(orders)]
            source = _in_source_order(_shown(asked, first), list(first.references_dict or ()))
            for number, order in sorted(orders.items()):
                probes.append(_probe(index, number, source, order, tokens))
            questions[source.id] = source
        except (LookupError, ValueError, msgspec.ValidationError) as error:
            malformed(place, of.kind, error)
    if not probes:
        raise LogError(f"{path} is empty.", "Name another file.")
    return ImportedRun(
        name=f"{of.kind} · {path.stem}",
        model=re.sub(r"_(?:train|test|val|shards?.*)$", "", path.stem),
        source=str(path),
        questions=list(questions.values()),
        probes=probes,
        tokens=tokens.entries(),
        notes=(_NOTES,),
    )


def _orders(row: dict[str, Any], place: str, of: _Set) -> dict[int, _Order]:
    """The orders that a question was asked in, by their numbers."""
    orders = {}
    for key, value in row.items():
        if (found := _SHUFFLE.fullmatch(key)) is not None:
            record = an_object(value, f"{key} of {place}")
            need(record, ["question", "response", of.logits], place, of.kind)
            own = {"logits": record[of.logits], "contents": record.get(of.contents)}
            orders[int(found[1])] = msgspec.convert({**record, **own}, _Order)
    if not orders:
        raise LogError(f"{place} has no 'shuffle_0', so it is no {of.kind} data.")
    return orders


def _shown(asked: Question, order: _Order) -> Question:
    """The question with its options as shown in one order."""
    ordinals = order.references_dict or {}
    options = tuple(
        Option(label, text, ordinals.get(text))
        for label, text in zip(order.logits, _texts(order), strict=True)
    )
    return msgspec.structs.replace(asked, options=options)


def _in_source_order(shown: Question, scale: Sequence[str]) -> Question:
    """The question with its options along the scale, and then those that are not on it.

    Without a scale, or where two options have one text, the order shown is kept.
    """
    texts = [option.text for option in shown.options]
    if not scale or len(set(texts)) < len(texts):
        return shown
    places = {text: place for place, text in enumerate(scale)}
    along = sorted(shown.options, key=lambda o: (places.get(o.text, len(places)), o.text))
    options = tuple(
        Option(label, option.text, option.ordinal)
        for label, option in zip(shown.labels, along, strict=True)
    )
    return msgspec.structs.replace(shown, options=options)


def _texts(order: _Order) -> list[str]:
    """The options' texts: the keys of the logits by text, where these are those by letter.

    They are not where two options with one text have become one; then the prompt's lines say.
    """
    contents = order.contents or {}
    if list(contents.values()) == list(order.logits.values()):
        return list(contents)
    lines = order.question.splitlines()
    texts: list[str] = []
    for label in reversed(order.logits):
        last = max(number for number, line in enumerate(lines) if line.startswith(f"{label}. "))
        texts.insert(0, lines[last].removeprefix(f"{label}. ").rstrip(" "))
        del lines[last:]
    return texts


def _probe(
    index: int, number: int, source: Question, order: _Order, tokens: TokenNumbers
) -> RecordedProbe:
    shown = _shown(source, order)
    prompt, text = _split(order.question, order.response)
    first = order.max_first_token
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
        label_logits=list(order.logits.values()),
    )
    logit = order.max_first_token_score
    return RecordedProbe(
        question_index=index,
        question=shown,
        question_id=source.id,
        permutation=_permutation(source, shown),
        prompt=RecordedPrompt(FORMAT, number, prompt, chat=True, shots=0),
        result=result,
        readings=[_with_logit(reading, logit) for reading in read_probe(shown, result, tokens.raw)],
        human_label=None if order.label is msgspec.UNSET else _human_label(order.label, shown),
    )


def _split(question: str, response: str) -> tuple[str, str]:
    """Prompt and text of a response that is recorded with the prompt before it."""
    start = response.find(question)
    if start < 0:
        return question, response
    end = start + len(question)
    turn = _END_OF_TURN.match(response, end)
    end = turn.end() if turn else end
    return response[:end], response[end:]


def _permutation(source: Question, shown: Question) -> tuple[int, ...]:
    """The place in the source of every option shown; of equal texts each is taken once.

    Raises:
        ValueError: The two have not the same options.
    """
    left: list[str | None] = [option.text for option in source.options]
    places = []
    for option in shown.options:
        places.append(left.index(option.text))
        left[places[-1]] = None
    if len(places) < len(left):
        raise ValueError("options differ between orders")
    return tuple(places)


def _with_logit(reading: Reading, logit: float | None) -> Reading:
    """The logit of the vocabulary's argmax belongs to its reading."""
    if reading.name != "vocab_argmax" or logit is None:
        return reading
    return msgspec.structs.replace(reading, logit=logit)


def _human_label(label: object, question: Question) -> HumanLabel:
    """What the label says; the paper counts what has none like an answer without an option."""
    original = "nan" if label is None else str(label)
    text = original.strip()
    letter = _LABEL.match(text)
    if letter is not None and letter[1] in question.labels:
        return HumanLabel("option", original, letter[1])
    if letter is not None and letter[1] in _CODES:
        status = _CODES[letter[1]]
        refused = refusal_label(question) if status == "refusal" else None
        return HumanLabel(status, original, refused)
    if len(text) > 1 and all(each in question.labels for each in text):
        return HumanLabel("several", original, None, tuple(text))
    return HumanLabel("unparsed", original)
