"""The settings of a prompt format as rows that can be changed one by one."""

from __future__ import annotations

import re
from functools import lru_cache
from inspect import cleandoc
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from engine.formats import Part, PromptFormat

Kind = Literal["toggle", "choice", "number", "text"]
Value = str | int | bool

FIELDS = "fields"
"""The key that the format's own named values stand under."""
_ELSEWHERE = {"title", "description", "source", *get_args(Part)} - {"prefill"}
"""Prose and templates, which are edited as text."""


class Setting(NamedTuple):
    """One setting.

    Attributes:
        key: What it is called in the file; ``fields.`` before the name of one of the fields.
        kind: How it is changed.
        value: What it is.
        choices: What it may be, for a choice.
        about: What it is for, in a sentence.
    """

    key: str
    kind: Kind
    value: Value
    choices: tuple[str, ...] = ()
    about: str = ""

    def step(self, delta: int) -> Value | None:
        """The next value (or the one before); None where there is no next."""
        if self.kind == "toggle":
            return not self.value
        if self.kind == "choice":
            place = self.choices.index(str(self.value)) + delta
            return self.choices[place % len(self.choices)]
        return max(0, int(self.value) + delta) if self.kind == "number" else None


def settings(fmt: PromptFormat) -> list[Setting]:
    """The settings of a format, then its fields; texts of several lines are left to the editor."""
    found = []
    for name, annotation in get_type_hints(PromptFormat).items():
        value = getattr(fmt, name)
        kind = None if name in _ELSEWHERE else _kind(annotation)
        if kind is not None and not (isinstance(value, str) and "\n" in value.strip("\n")):
            about = _descriptions().get(name, "")
            found.append(Setting(name, kind, value, _choices(annotation), about))
    about = "A value of the format's own, which its templates use."
    return found + [
        Setting(f"{FIELDS}.{name}", "text", value, about=about)
        for name, value in fmt.fields.items()
    ]


def _kind(annotation: Any) -> Kind | None:
    """How a value of a type is changed; None for what is no simple value."""
    kinds: dict[Any, Kind] = {bool: "toggle", int: "number", str: "text"}
    return "choice" if get_origin(annotation) is Literal else kinds.get(annotation)


def _choices(annotation: Any) -> tuple[str, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


@lru_cache(maxsize=1)
def _descriptions() -> dict[str, str]:
    """The first sentence of what is written about each of a format's attributes."""
    _, _, attributes = cleandoc(PromptFormat.__doc__ or "").partition("Attributes:\n")
    attributes = re.sub(r"\s\(see :\w+:`[^`]*`\)", "", attributes)
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE)
    whole = {name: " ".join(text.split()).replace("``", "") for name, text in entries}
    return {name: re.split(r"(?<=\.) (?=[A-Z])", text)[0] for name, text in whole.items()}


# Texts as they are typed into one line

_WRITTEN = {"\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_READ = {written: character for character, written in _WRITTEN.items()}


def typed(value: Value) -> str:
    r"""A value as it is typed: a line break as ``\n``, a backslash doubled."""
    return "".join(_WRITTEN.get(each, each) for each in str(value))


def read(text: str, kind: Kind) -> Value | None:
    """The value that was typed; None where it is none of that kind."""
    if kind == "number":
        return int(text) if re.fullmatch(r"-?\d+", text.strip()) else None
    return re.sub(r"\\[\\ntr]", lambda found: _READ[found[0]], text)
