"""Questions: what a multiple-choice question is, and how files of them are read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import msgspec

from engine.errors import QuestionError
from engine.hub import fetch, fetch_beside, parse_name
from engine.shapes import LABELS, RawQuestion, recognise
from engine.tables import Row, read_rows

__all__ = [
    "LABELS",
    "Option",
    "Question",
    "Split",
    "find_dev",
    "find_split",
    "load_questions",
    "refusal_label",
    "shots_for",
]

Split = Literal["dev", "validation"]
"""A part of a data set that is kept for worked examples, under the hub's name for it."""

_SPLIT_NAMES: dict[Split, tuple[str, ...]] = {"dev": ("dev",), "validation": ("val", "validation")}
_MMLU_NAME = re.compile(r"(.+)_(dev|test|val|validation|train)")


class Option(msgspec.Struct, frozen=True):
    """One option of a question.

    Attributes:
        label: What the option is called in the prompt, e.g. ``A``.
        text: The option's text, exactly as in the source.
        ordinal: Its place on the question's scale (surveys), None where it has none.
    """

    label: str
    text: str
    ordinal: float | None = None


class Question(msgspec.Struct, frozen=True):
    """One multiple-choice question.

    Attributes:
        text: The question itself, exactly as in the source.
        options: Two to 26 options with unique labels.
        gold: Label of the right option; None for questions without one (surveys).
        subject: Subject or topic, e.g. ``philosophy``.
        dataset: Where the question comes from, e.g. ``mmlu``.
    """

    text: str
    options: tuple[Option, ...]
    gold: str | None = None
    subject: str = ""
    dataset: str = ""

    @property
    def id(self) -> str:
        """Sixteen hex digits from dataset, subject, text, options and gold: stable across files."""
        parts = [self.dataset, self.subject, self.text, self.gold or ""]
        for option in self.options:
            parts += [option.label, option.text]
        return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).hexdigest()

    @property
    def labels(self) -> tuple[str, ...]:
        """The option labels in order."""
        return tuple(option.label for option in self.options)


def load_questions(
    source: str | Path, *, limit: int | None = None, split: str | None = None
) -> list[Question]:
    """Read questions, in the order of the source.

    Args:
        source: A csv, jsonl, json or parquet file; a folder, of which every csv file is read in
            the order of the names; or a dataset on the hub, as ``hub:owner/name``,
            ``hub:owner/name:config:split``, or plain ``owner/name`` where no such path exists.
        limit: Read no more than this many.
        split: Which split of a hub dataset, unless ``source`` names it.

    Returns:
        At least one question. Texts are exactly those of the source; labels are the source's, or
        ``A``, ``B``, ... where it has none. In a csv file whose name is ``<subject>_<split>``,
        subject and the dataset ``mmlu`` come from the name unless columns give them.

    Raises:
        QuestionError: The source can't be read, or a question in it is malformed; the message
            names the file and the line. One bad question fails the whole load.
    """
    paths, dataset = _resolve(source, split)
    questions = list(islice(_questions(paths, dataset), limit))
    if not questions:
        raise QuestionError(f"{source}: no question was asked for.", "Ask for at least one.")
    return questions


def find_dev(source: str | Path) -> list[Question]:
    """Find the dev split beside a source: :func:`find_split` with ``dev``."""
    return find_split(source, "dev")


def find_split(source: str | Path, split: Split) -> list[Question]:
    """Find the questions of another split beside a source.

    Looked for are, for a file ``test/<subject>_test.csv``, ``<subject>_dev.csv`` in ``../dev`` or
    in the same folder; for any other file ``<stem>_dev.<ending>`` beside it; for a folder the
    folder ``dev`` beside it; for a hub dataset its split ``dev``. In names of files and folders
    ``validation`` is also called ``val``.

    Args:
        source: As for :func:`load_questions`.
        split: Which.

    Returns:
        The questions in file order, of all subjects that were found (see :func:`shots_for`);
        empty where there are none.

    Raises:
        QuestionError: Such a file exists but can't be read.
    """
    path = Path(source)
    if path.is_dir():
        folders = (path.parent / name for name in _SPLIT_NAMES[split])
        folder = next((folder for folder in folders if folder.is_dir()), None)
        return load_questions(folder) if folder else []
    if path.exists():
        match = _MMLU_NAME.fullmatch(path.stem)
        stem = match[1] if match else path.stem
        beside = [
            place / f"{stem}_{name}{path.suffix}"
            for name in _SPLIT_NAMES[split]
            for place in (path.parent.parent / name, path.parent)
        ]
        found = next((other for other in beside if other.is_file()), None)
        return load_questions(found) if found else []
    hub = parse_name(str(source))
    return list(_questions(fetch_beside(hub, split), hub.repo)) if hub else []


def shots_for(question: Question, dev: Sequence[Question]) -> list[Question]:
    """The questions that may be worked examples for a question: its subject's, without itself."""
    return [other for other in dev if other.subject == question.subject and other.id != question.id]


_REFUSAL = re.compile(
    r"(?:(?:don t know|dk|no answer) )?(?:or )?(?:i )?(?:would |d )?"
    r"(?:refus(?:e|ed|al)(?: to (?:answer|say|respond))?"
    r"|(?:prefer not|rather not|declined?)(?: to)? (?:answer|say|state|respond|disclose))"
    r"(?: (?:this|the) question)?(?: (?:no answer|web blank|don t know|dk|vol))*"
)


def refusal_label(question: Question) -> str | None:
    """Label of the option whose text is itself a refusal to answer, or None.

    Such are "Refused", "Refuse to answer", "Prefer not to say", "Decline to answer" and their
    like, also with "(VOL)" or joined with "Don't know" as survey codebooks do; an option that
    only doubts ("Don't know") is none. The first of several counts.
    """
    for option in question.options:
        words = " ".join(re.findall(r"[a-z]+", option.text.lower()))
        if _REFUSAL.fullmatch(words):
            return option.label
    return None


def _resolve(source: str | Path, split: str | None) -> tuple[list[Path], str]:
    """The files to read, and the dataset's name where the hub gives one."""
    path = Path(source)
    if path.is_dir():
        paths = sorted(path.glob("*.csv"))
        if not paths:
            raise QuestionError(f"The folder {path} holds no csv files.", "Give a file in it.")
        return paths, ""
    if path.exists():
        return [path], ""
    hub = parse_name(str(source))
    if hub is None:
        raise QuestionError(
            f"There is no file or folder {source}.",
            "Check the path; a dataset on the hub is written hub:owner/name.",
        )
    return fetch(hub, split), hub.repo


def _questions(paths: Iterable[Path], dataset: str) -> Iterator[Question]:
    for path in paths:
        named = _MMLU_NAME.fullmatch(path.stem) if path.suffix.lower() == ".csv" else None
        defaults = (named[1] if named else "", dataset or ("mmlu" if named else ""))
        for row in read_rows(path):
            yield _question(row, *defaults)


def _question(row: Row, subject: str, dataset: str) -> Question:
    try:
        raw = recognise(row.values)
        return Question(
            text=_string(raw.text, "the question"),
            options=_options(raw),
            gold=_gold(raw),
            subject=raw.subject or subject,
            dataset=raw.dataset or dataset,
        )
    except QuestionError as error:
        raise QuestionError(f"{row.place}: {error.sentence}", error.hint) from error


def _options(raw: RawQuestion) -> tuple[Option, ...]:
    count = len(raw.options)
    if not 2 <= count <= len(LABELS):
        raise QuestionError(
            f"the question has {count} {'option' if count == 1 else 'options'}.",
            f"A question has 2 to {len(LABELS)} options.",
        )
    labels = [option.label for option in raw.options]
    for label in labels:
        if not label.strip() or labels.count(label) > 1:
            raise QuestionError(
                f"the label {label!r} is {'used twice' if label.strip() else 'blank'}.",
                "Give every option its own label.",
            )
    return tuple(
        Option(
            label=option.label,
            text=_string(option.text, f"option {option.label}"),
            ordinal=_ordinal(option.ordinal),
        )
        for option in raw.options
    )


def _string(value: Any, what: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        problem = "is missing" if value is None else f"is no text but {type(value).__name__}"
        raise QuestionError(f"{what} {problem}.", "Write it as a string.")
    if not str(value).strip():
        raise QuestionError(f"{what} is empty.", "Give it a text.")
    return str(value)


def _ordinal(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError) as error:
        raise QuestionError(
            f"the ordinal {value!r} is no number.", "Leave it out where an option has none."
        ) from error


def _gold(raw: RawQuestion) -> str | None:
    """The right option's label, from an answer that is a label, a number or an option's text."""
    answer = raw.answer
    if answer is None or answer == "":
        return None
    if isinstance(answer, float) and answer.is_integer():
        answer = int(answer)
    name = str(answer).strip()
    labels = [option.label for option in raw.options]
    if name in labels:
        return name
    found = {option.label for option in raw.options if option.text == answer or option.key == name}
    if len(found) == 1:
        return found.pop()
    problem = "fits several options" if found else f"is none of {', '.join(labels)}"
    raise QuestionError(f"the answer {answer!r} {problem}.", "Give the label of the right option.")
