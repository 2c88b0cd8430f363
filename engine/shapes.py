"""The shapes that question data comes in: which key holds what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from engine.errors import QuestionError

LABELS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

QUESTION_KEYS = ("question", "text", "question_text", "query", "stem")
OPTION_KEYS = ("options", "choices", "references")
ANSWER_KEYS = (
    "gold",
    "answerkey",
    "answer_key",
    "answer_idx",
    "answer_index",
    "answer",
    "correct_answer",
    "cop",
)
ORDINAL_KEYS = ("ordinals", "option_ordinal", "option_ordinals")
_SUBJECT_KEYS = ("subject", "subject_name", "category", "topic")

_OPTION_COLUMN = re.compile(r"(?:choice|option|answer|op)?[ _]?([a-z]|\d{1,2})")
_STARTS = ("a", "0", "1")


class RawOption(msgspec.Struct, frozen=True):
    """One option before validation.

    Attributes:
        label: Its label in the data, or by position where the data has none.
        text: Its text, whatever type the data gave it.
        key: What a numeric answer calls it: the column's number, or the place from 0.
        ordinal: Its place on a scale, or None.
    """

    label: str
    text: Any
    key: str
    ordinal: Any = None


class RawQuestion(msgspec.Struct, frozen=True):
    """One question before validation: what was found under which key."""

    text: Any
    options: list[RawOption]
    answer: Any
    subject: str
    dataset: str


def option_columns(names: Iterable[str]) -> list[tuple[str, str]]:
    """Columns that hold one option each, as (name, its letter or number), in order.

    Known are ``A``, ``B``, ...; ``choice0``, ...; ``option_a``, ...; ``opa``, ...: letters from a,
    numbers from 0 or 1, without a gap.
    """
    found = [(name, match[1]) for name in names if (match := _OPTION_COLUMN.fullmatch(name))]
    for start in _STARTS:
        keys = {key: name for name, key in found}
        run = []
        while start in keys:
            run.append((keys[start], start))
            start = chr(ord(start) + 1) if start.isalpha() else str(int(start) + 1)
        if run:
            return run
    return []


def recognise(row: Mapping[str, Any]) -> RawQuestion:
    """Find question, options and answer in a row; other keys are ignored.

    Known are options as a list of texts, as a list of ``{"label", "text"}``, as ``{label: text}``,
    as ``{"label": [...], "text": [...]}``, and as one column each; ARC's ``question`` with a
    ``stem`` and ``choices``; answers as a label, a number or the option's text.

    Raises:
        QuestionError: There is no question or there are no options.
    """
    values = {key.lower(): value for key, value in row.items()}
    inner = values.get("question")
    if isinstance(inner, Mapping):
        del values["question"]
        values |= {key.lower(): value for key, value in inner.items()}
    text = _first(values, QUESTION_KEYS)
    if text is None:
        raise QuestionError("there is no 'question' or 'text'.", "Name the column so.")
    return RawQuestion(
        text=text,
        options=_options(values),
        answer=_first(values, ANSWER_KEYS),
        subject=str(_first(values, _SUBJECT_KEYS) or ""),
        dataset=str(values.get("dataset") or ""),
    )


def _first(values: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((values[key] for key in keys if values.get(key) is not None), None)


def _options(values: Mapping[str, Any]) -> list[RawOption]:
    found = _first(values, OPTION_KEYS)
    if found is None:
        options = _from_columns(values)
    elif isinstance(found, Mapping):
        options = _from_mapping(found)
    elif isinstance(found, Sequence) and not isinstance(found, str):
        options = [_from_item(i, item) for i, item in enumerate(found)]
    else:
        raise QuestionError("the options are neither a list nor a table.", "Give them as a list.")
    return _with_ordinals(options, _first(values, ORDINAL_KEYS))


def _from_columns(values: Mapping[str, Any]) -> list[RawOption]:
    columns = option_columns(values)
    if not columns:
        raise QuestionError(
            "there are no options.",
            "Name them 'options' or 'choices', or give each a column: A, B, ... or choice0, ...",
        )
    while columns and values[columns[-1][0]] in ("", None):  # a wider file than this question
        columns.pop()
    return [
        RawOption(_label(i), values[name], key if key.isdecimal() else str(i))
        for i, (name, key) in enumerate(columns)
    ]


def _from_mapping(found: Mapping[str, Any]) -> list[RawOption]:
    labels, texts = found.get("label"), found.get("text")
    if isinstance(labels, Sequence) and isinstance(texts, Sequence) and not isinstance(texts, str):
        if len(labels) != len(texts):
            raise QuestionError(f"{len(labels)} labels stand beside {len(texts)} options.")
        pairs = list(zip(labels, texts, strict=True))
    else:
        pairs = list(found.items())
    return [RawOption(str(label), text, str(i)) for i, (label, text) in enumerate(pairs)]


def _from_item(place: int, item: Any) -> RawOption:
    if not isinstance(item, Mapping):
        return RawOption(_label(place), item, str(place))
    label = item.get("label", _label(place))
    return RawOption(str(label), item.get("text"), str(place), item.get("ordinal"))


def _label(place: int) -> str:
    return LABELS[place] if place < len(LABELS) else str(place + 1)


def _with_ordinals(options: list[RawOption], ordinals: Any) -> list[RawOption]:
    """Ordinals by label or by place; a list may end early, as an option off the scale has none."""
    if ordinals is None:
        return options
    if isinstance(ordinals, Mapping):
        found = [ordinals.get(option.label) for option in options]
    elif isinstance(ordinals, Sequence) and len(ordinals) <= len(options):
        found = [*ordinals, *[None] * (len(options) - len(ordinals))]
    else:
        raise QuestionError("the ordinals don't fit the options.", "Give one an option or fewer.")
    return [
        msgspec.structs.replace(option, ordinal=ordinal)
        for option, ordinal in zip(options, found, strict=True)
    ]
