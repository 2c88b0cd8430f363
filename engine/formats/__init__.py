"""Prompt formats: how a question becomes a prompt, as data. One TOML file a format."""

from __future__ import annotations

import re
import tomllib
import traceback
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import msgspec

from engine.errors import FormatError
from engine.formats.format import Part, PromptFormat

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from jinja2 import Template
    from jinja2.sandbox import SandboxedEnvironment

__all__ = [
    "Part",
    "PromptFormat",
    "format_file",
    "format_names",
    "load_format",
    "parse_format",
    "render_template",
]

_PARTS: tuple[Part, ...] = get_args(Part)

_SAMPLE: dict[str, object] = {
    "question": "?",
    "options": "A. yes\nB. no",
    "labels": ("A", "B"),
    "subject": "a_subject",
    "subject_words": ["a", "subject"],
    "dataset": "",
    "shots": 1,
}
_SAMPLE_ANSWER: dict[str, object] = {"number": 1, "answer": "A", "answer_text": "yes"}
_HINT = (
    f"Templates see {', '.join(_SAMPLE)}, the format's own fields, "
    f"and in 'shot' also {', '.join(_SAMPLE_ANSWER)}."
)


def format_names() -> list[str]:
    """Names of the formats that come with the package, sorted."""
    files = resources.files(__name__).iterdir()
    return sorted(file.name[:-5] for file in files if file.name.endswith(".toml"))


def format_file(name: str) -> Traversable:
    """The file of a format that comes with the package."""
    return resources.files(__name__) / f"{name}.toml"


def load_format(name_or_path: str | Path, fields: Mapping[str, str] | None = None) -> PromptFormat:
    """Load a prompt format and check all its templates.

    Args:
        name_or_path: One of :func:`format_names`, or the path of a ``.toml`` file; either may be
            followed by changes, as in ``example:example_letter=A`` or ``mmlu-original:shots=0``.
        fields: Further changes: values for entries of the format's ``fields``, or for ``shots``.

    Returns:
        The format. Where a value differs from the file's its name says so
        (``example:example_letter=A``), so that two variants are two formats everywhere.

    Raises:
        FormatError: The format is unknown, unreadable, or one of its templates fails; the message
            names the file and, where known, the line.
    """
    name, *changes = re.split(r":(?=\w+=)", str(name_or_path))
    origin, source = _read(name)
    fmt = parse_format(source, origin)
    return _change(fmt, dict(change.split("=", 1) for change in changes) | dict(fields or {}))


def parse_format(source: str, origin: str) -> PromptFormat:
    """Make a prompt format of the text of its file, and check all its templates.

    Args:
        source: The TOML text.
        origin: What messages call the file; its stem is the name of a format that gives none.

    Raises:
        FormatError: As :func:`load_format`.
    """
    fmt = _parse(source, origin)
    _check(fmt, source, origin)
    return fmt


def render_template(fmt: PromptFormat, part: Part, values: Mapping[str, object]) -> str:
    """Render one template of a format.

    Args:
        fmt: The format.
        part: Which of its templates.
        values: What the template sees besides the format's fields.

    Raises:
        FormatError: The template is wrong, uses an unknown name, or fails on these values.
    """
    try:
        return _compile(getattr(fmt, part)).render({**fmt.fields, **values})
    except Exception as error:  # an expression in a template may raise anything
        line, problem = _explain(error)
        raise FormatError(
            f"Format '{fmt.name}', line {line} of template '{part}': {problem}.", _HINT
        ) from error


@lru_cache(maxsize=1)
def _environment() -> SandboxedEnvironment:
    """Where templates run; jinja is loaded with the first one, not with every program start."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)


@lru_cache(maxsize=256)
def _compile(template: str) -> Template:
    return _environment().from_string(template)


def _explain(error: BaseException) -> tuple[int, str]:
    """The line of the template that failed, and what went wrong in words."""
    from jinja2 import TemplateError, TemplateSyntaxError

    message = str(error).rstrip(".")
    if isinstance(error, TemplateSyntaxError):
        return error.lineno, message
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == "<template>" and frame.lineno]
    known = isinstance(error, TemplateError)
    return lines[-1] if lines else 1, message if known else f"{type(error).__name__}: {message}"


def _read(name: str) -> tuple[str, str]:
    """The file's name for messages, and its text."""
    if not name.endswith(".toml"):
        if name not in format_names():
            raise FormatError(
                f"There is no prompt format '{name}'.",
                f"Use one of {', '.join(format_names())}, or the path of a .toml file.",
            )
        return f"{name}.toml", format_file(name).read_text("utf-8")
    try:
        return name, Path(name).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"{name} is not UTF-8 text.", "Save it as UTF-8.") from error
    except OSError as error:
        raise FormatError(
            f"Can't read the prompt format {name}: {error.strerror}.", "Check the path."
        ) from error


def _parse(source: str, origin: str) -> PromptFormat:
    try:
        data = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise FormatError(
            f"{origin} is not valid TOML: {error}.",
            "Put strings of several lines in triple quotes.",
        ) from error
    try:
        return msgspec.convert({"name": Path(origin).stem} | data, PromptFormat)
    except msgspec.ValidationError as error:
        key = re.findall(r"`(?:\$\.)?(\w+)[^`]*`", str(error))[-1]
        raise FormatError(
            f"{_place(origin, source, key)}: this is no prompt format: {error}.",
            f"Its keys are {', '.join(PromptFormat.__struct_fields__)}.",
        ) from error


def _check(fmt: PromptFormat, source: str, origin: str) -> None:
    """Refuse now what could only fail later, in the middle of a run."""
    shadowed = set(fmt.fields) & {*_SAMPLE, *_SAMPLE_ANSWER}
    problems = {
        "name": bool(re.search(r"[:,\s]", fmt.name)) and "the name holds a colon, comma or space",
        "labels": len(set(fmt.labels)) < max(2, len(fmt.labels)) and "labels repeat or are too few",
        "label_style": "{label}" not in fmt.label_style and "label_style has no {label}",
        "continuation": "{text}" not in fmt.continuation and "continuation has no {text}",
        "shots": fmt.shots < 0 and "shots is below 0",
        "window": fmt.window < 0 and "window is below 0",
        "cue": not fmt.cue.strip() and "cue is empty",
        "shot": fmt.shots > 0 and not fmt.shot and "shots are wanted but no shot template is given",
        "fields": bool(shadowed) and "a field has the name of a value that is already there",
    }
    for key, problem in problems.items():
        if problem:
            raise FormatError(f"{_place(origin, source, key)}: {problem}.")
    for part in _PARTS:
        try:
            render_template(fmt, part, _SAMPLE | (_SAMPLE_ANSWER if part == "shot" else {}))
        except FormatError as error:
            line, problem = _explain(error.__cause__ or error)
            place = _place(origin, source, part, line)
            raise FormatError(f"{place}: template '{part}' fails: {problem}.", _HINT) from error


def _place(origin: str, source: str, key: str, line: int = 1) -> str:
    """The file and the line of a key; ``line`` counts inside a triple-quoted value."""
    found = re.search(
        rf"""^[ \t]*\[?{key}\b[ \t]*(?:=[ \t]*(\"{{3}}|'{{3}})?(\n)?)?""", source, re.MULTILINE
    )
    if found is None:
        return origin
    first = source.count("\n", 0, found.start()) + 1
    return f"{origin}, line {first + (line - 1 + bool(found[2]) if found[1] else 0)}"


def _change(fmt: PromptFormat, asked: Mapping[str, str]) -> PromptFormat:
    """The format with changed values and a name that tells them."""
    current = {**fmt.fields, "shots": str(fmt.shots)}
    unknown = sorted(set(asked) - set(current))
    if unknown:
        raise FormatError(
            f"Format '{fmt.name}' has no field '{unknown[0]}'.",
            f"What can be changed: {', '.join(current)}.",
        )
    changed = {key: asked[key] for key in current if asked.get(key, current[key]) != current[key]}
    shots = changed.get("shots", current["shots"])
    if not shots.isdecimal() or (int(shots) and not fmt.shot):
        raise FormatError(
            f"Format '{fmt.name}' can't have '{shots}' shots.",
            "Give a number, and 0 for a format without a shot template.",
        )
    return msgspec.structs.replace(
        fmt,
        name=":".join([fmt.name, *(f"{key}={value}" for key, value in changed.items())]),
        shots=int(shots),
        fields=fmt.fields | {key: changed[key] for key in fmt.fields if key in changed},
    )
