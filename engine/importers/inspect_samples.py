"""What one sample of an inspect log says: the question, its prompt, and the scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from engine.importers.inspect_files import Record
from engine.importers.recorded import number_of
from engine.questions import Option, Question
from engine.rows import Score
from engine.shapes import LABELS

_VALUES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""What inspect's own metrics take the grades for."""


class Asked(NamedTuple):
    """One sample, read.

    Attributes:
        question: In the order of the data set.
        permutation: The order in which the options were shown.
        sample: The sample itself.
        place: Where it stands.
    """

    question: Question
    permutation: tuple[int, ...]
    sample: Record
    place: str


def token_bytes(token: Record) -> bytes:
    """The bytes of a token, which its text may not have."""
    return bytes(token["bytes"]) if token.get("bytes") else str(token["token"]).encode()


def content_text(content: Any) -> str:
    """The text of a message; thinking stands between think tags, other media by their kind."""
    if isinstance(content, str):
        return content
    parts = []
    for part in content or ():
        if part["type"] == "text":
            parts.append(str(part["text"]))
        elif part["type"] == "reasoning":
            parts.append(f"<think>\n{part.get('reasoning') or ''}\n</think>\n")
        else:
            parts.append(f"[{part['type']}]")
    return "".join(parts)


def question_text(given: str | Sequence[Record]) -> str:
    """The question: of several messages the last that a user wrote."""
    if isinstance(given, str):
        return given
    asked = [content_text(each.get("content")) for each in given if each["role"] == "user"]
    return asked[-1] if asked else _joined(given)


def _joined(messages: Sequence[Mapping[str, Any]]) -> str:
    return "\n\n".join(f"[{each['role']}]\n{content_text(each['content'])}" for each in messages)


def prompt_text(sample: Record) -> str:
    """All messages before the model's last."""
    messages = list(sample.get("messages") or [])
    if messages and messages[-1]["role"] == "assistant":
        messages.pop()
    if messages:
        return _joined(messages)
    given = sample["input"]
    return _joined([{"role": "user", "content": given}] if isinstance(given, str) else given)


def shown_order(choices: Sequence[str], prompt: str) -> tuple[int, ...]:
    """The order in which a prompt lists the options; as they are where that can't be told."""
    as_they_are = tuple(range(len(choices)))
    lines = [f"{label}) " for label in LABELS[: len(choices)]]
    order = []
    for start in lines:
        fits = [i for i in as_they_are if f"\n{start}{choices[i]}\n" in f"\n{prompt}\n"]
        order.append(fits[0] if len(fits) == 1 else -1)
    return tuple(order) if sorted(order) == list(as_they_are) else as_they_are


def shown_question(source: Question, permutation: tuple[int, ...]) -> Question:
    """The question in the order shown, labels as shown."""
    shown = [source.options[place] for place in permutation]
    gold = next(
        (
            label
            for label, option in zip(source.labels, shown, strict=True)
            if option.label == source.gold
        ),
        None,
    )
    options = tuple(
        Option(label, option.text) for label, option in zip(source.labels, shown, strict=True)
    )
    return Question(source.text, options, gold, source.subject, source.dataset)


def scores_of(group: Sequence[Asked], reductions: Sequence[Record]) -> Iterator[Score]:
    """What the scorers said; of several epochs what they were reduced to, then each."""
    if len(group) == 1:
        yield from _of_epoch(group[0].sample, "")
        return
    name = str(group[0].sample["id"])
    for reduction in reductions:
        for score in reduction["samples"]:
            if str(score.get("sample_id")) == name:
                yield from _score(str(reduction["scorer"]), score)
    for asked in group:
        yield from _of_epoch(asked.sample, f", epoch {asked.sample['epoch']}")


def _of_epoch(sample: Record, suffix: str) -> Iterator[Score]:
    for name, score in (sample.get("scores") or {}).items():
        yield from _score(f"{name}{suffix}", score)


def _score(name: str, score: Record) -> Iterator[Score]:
    value, answer = score.get("value"), score.get("answer")
    answer = None if answer is None else str(answer)
    if isinstance(value, Mapping):
        for part, of_part in value.items():
            yield Score(f"{name}/{part}", _value(of_part), answer)
    else:
        yield Score(name, _value(value), answer)


def _value(value: Any) -> float | None:
    return _VALUES.get(value) if isinstance(value, str) else number_of(value)
