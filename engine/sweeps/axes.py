"""The axes: what a sweep can change, and into what if nobody says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mode

import msgspec

from engine.errors import LogitscopeError
from engine.formats import PromptFormat, load_format
from engine.plan_checks import check
from engine.questions import Question
from engine.sweeps.point import Point, changed
from engine.sweeps.wording import CUES, with_cue, with_label_style

LEVELS = ("low", "middle", "high", "example")
"""Constraint levels of arXiv:2402.14499, from the loosest."""

SYSTEM = "You are a helpful assistant."
"""The system text of a format that has none, where the sweep names no other."""

PointsOf = Callable[[PromptFormat, Sequence[Question], Sequence[str]], list[Point]]


class Axis(msgspec.Struct, frozen=True):
    """Something that a sweep changes.

    Attributes:
        name: What the command line calls it.
        title: The same for people, as the header of the points.
        about: What it changes, in one line.
        example: Values as the command line takes them; those it takes unasked, where they do not
            depend on format and questions.
        base: The format that is changed unless another is named; empty where the axis itself says
            which formats are asked.
        make: Makes the points of a format, the questions and the values asked for; no values are
            those of the axis.
    """

    name: str
    title: str
    about: str
    example: str
    base: str
    make: PointsOf

    def points(
        self, fmt: PromptFormat, questions: Sequence[Question], values: Sequence[str] = ()
    ) -> list[Point]:
        """The points of a sweep, in order; the first is what the others are compared with.

        Args:
            fmt: What is changed.
            questions: What will be asked.
            values: As on the command line; none for those of the axis.

        Raises:
            LogitscopeError: A value or the format can't be used; the sentence says why.
        """
        points = self.make(fmt, questions, values)
        labels = [point.label for point in points]
        for label in labels:
            check(
                labels.count(label) == 1,
                f"The sweep over {self.title} has the value {label} twice.",
            )
        return points

    def format_of(self, named: str | None) -> str:
        """The format to change: the one that is named, else the usual one of the axis.

        Raises:
            LogitscopeError: One is named where the axis itself says which formats are asked.
        """
        check(
            named is None or bool(self.base),
            f"A sweep over {self.title} says itself which formats are asked, not {named}.",
            "Leave --format out.",
        )
        return named or self.base or LEVELS[0]


def axis(name: str) -> Axis:
    """An axis by its name, underscores for hyphens if one likes.

    Raises:
        LogitscopeError: There is none.
    """
    known = {each.name: each for each in AXES}
    found = known.get(name.replace("_", "-"))
    if found is None:
        raise LogitscopeError(
            f"There can be no sweep over {name!r}.", f"Choose one of {', '.join(known)}."
        )
    return found


def _level(fmt: PromptFormat, questions: Sequence[Question], values: Sequence[str]) -> list[Point]:
    for value in values:
        check(
            value in LEVELS,
            f"There is no constraint level {value!r}.",
            f"Choose from {', '.join(LEVELS)}.",
        )
    return [Point(value, load_format(value)) for value in values or LEVELS]


def _example_letter(
    fmt: PromptFormat, questions: Sequence[Question], values: Sequence[str]
) -> list[Point]:
    """The format's own letter, the others that most questions have, then three of them at once."""
    own = fmt.fields.get(_LETTER)
    if own is None:
        raise LogitscopeError(
            f"The format {fmt.name} shows no example letter.",
            f"Take the format example, or one with a field {_LETTER}.",
        )
    usual = mode(len(question.options) for question in questions)
    others = [label for label in fmt.labels[:usual] if label != own]
    letters = values or (own, *others, "/".join(fmt.labels[: min(3, usual)]))
    return [
        Point(letter, changed(fmt, _LETTER, letter, fields=fmt.fields | {_LETTER: letter}))
        for letter in letters
    ]


_LETTER = "example_letter"


def _orders(fmt: PromptFormat, questions: Sequence[Question], values: Sequence[str]) -> list[Point]:
    """As many option orders as the one value says."""
    (wanted,) = _whole(values or ("4",), "orders", "one number, as in orders=4", most=1)
    check(wanted > 0, "The number of orders is 0; it must be at least 1.")
    names = ("as written", *(f"order {number}" for number in range(1, wanted)))
    return [Point(name, fmt, order=number) for number, name in enumerate(names)]


def _shots(fmt: PromptFormat, questions: Sequence[Question], values: Sequence[str]) -> list[Point]:
    if not fmt.shot:
        raise LogitscopeError(
            f"The format {fmt.name} has no template for worked examples, so it has 0 shots.",
            "Take a format with one, such as mmlu-original.",
        )
    counts = _whole(values, "shots", "numbers, as in shots=0,1,5") or range(6)
    return [Point(f"{n}", changed(fmt, "shots", f"{n}", shots=n)) for n in counts]


def _cue(fmt: PromptFormat, questions: Sequence[Question], values: Sequence[str]) -> list[Point]:
    return [
        Point(CUES[value].label if value in CUES else value, with_cue(fmt, value))
        for value in values or CUES
    ]


def _label_style(
    fmt: PromptFormat, questions: Sequence[Question], values: Sequence[str]
) -> list[Point]:
    return [Point(value, with_label_style(fmt, value)) for value in values or ("A.", "(A)", "1.")]


def _system(fmt: PromptFormat, questions: Sequence[Question], values: Sequence[str]) -> list[Point]:
    """Off, on (the format's own text or the usual one), or any text."""
    texts = {"off": "", "on": fmt.system or SYSTEM}
    return [
        Point(value, changed(fmt, "system", value, system=texts.get(value, value)))
        for value in values or texts
    ]


def _sampler(setting: str, usual: str) -> PointsOf:
    """Points that differ in one number of the sampler."""

    def points(
        fmt: PromptFormat, questions: Sequence[Question], values: Sequence[str]
    ) -> list[Point]:
        numbers = _numbers(values or usual.split(","), setting.replace("_", " "), usual)
        return [Point(f"{number:g}", fmt, setting=(setting, number)) for number in numbers]

    return points


def _numbers(values: Sequence[str], what: str, usual: str) -> list[float]:
    try:
        return [float(value) for value in values]
    except ValueError as error:
        raise LogitscopeError(
            f"The values {','.join(values)!r} of the sweep over {what} are no numbers.",
            f"Write them with commas between: {usual}",
        ) from error


def _whole(values: Sequence[str], what: str, wanted: str, most: int | None = None) -> list[int]:
    given = ",".join(values)
    check(
        all(value.isdecimal() for value in values) and len(values) <= (most or len(values)),
        f"The sweep over {what} can't have {given!r}.",
        f"Give {wanted}.",
    )
    return [int(value) for value in values]


AXES: tuple[Axis, ...] = (
    Axis(
        "level",
        "constraint level",
        "The formats low, middle, high and example: how strictly the prompt asks for a letter.",
        "low,middle,high,example",
        "",
        _level,
    ),
    Axis(
        "example-letter",
        "example letter",
        "The letter in the prompt's line 'Answer: C': it draws mass to itself.",
        "C,A,B,D,A/B/C",
        "example",
        _example_letter,
    ),
    Axis("orders", "option order", "The options in other orders.", "4", "middle", _orders),
    Axis(
        "shots", "shots", "The number of worked examples.", "0,1,2,3,4,5", "mmlu-original", _shots
    ),
    Axis(
        "cue",
        "answer cue",
        "What the prompt ends with: its cue as it is, with a space or a line break after it, in "
        "bold, none, or any text.",
        ",".join(CUES),
        "mmlu-original",
        _cue,
    ),
    Axis(
        "label-style",
        "label style",
        "How options are marked: A., (A), 1. or any other way to write an A, an a or a 1.",
        "A.,(A),1.",
        "middle",
        _label_style,
    ),
    Axis(
        "system",
        "system text",
        "The system text: off, on (the format's own, else the usual one), or any text.",
        "off,on",
        "middle",
        _system,
    ),
    Axis(
        "temperature",
        "temperature",
        "Of the samples; a run for each value.",
        "0,0.5,1,1.5",
        "middle",
        _sampler("temperature", "0,0.5,1,1.5"),
    ),
    Axis(
        "repetition-penalty",
        "repetition penalty",
        "Of the samples; a run for each value.",
        "1,1.1,1.3",
        "middle",
        _sampler("repetition_penalty", "1,1.1,1.3"),
    ),
)
