"""Changes to a format's wording: its answer cue, and how its options are marked."""

from __future__ import annotations

import re
import string
from typing import NamedTuple

from engine.errors import LogitscopeError
from engine.formats import PromptFormat
from engine.plan_checks import check
from engine.sweeps.point import changed


class _Cue(NamedTuple):
    """One way to end a prompt: what tables call it, and the cue with ``{}`` for the format's."""

    label: str
    template: str


CUES = {
    "as-is": _Cue("as it is", "{}"),
    "space": _Cue("trailing space", "{} "),
    "newline": _Cue("newline", "{}\n"),
    "bold": _Cue("bold", "**{}**"),
    "none": _Cue("no cue", ""),
}
"""Ways to end a prompt by name."""

_LABELS = {"A": string.ascii_uppercase, "a": string.ascii_lowercase, "1": "123456789"}
"""Labels by the one that stands for them in a label style."""


def with_cue(fmt: PromptFormat, value: str) -> PromptFormat:
    """A format whose prompts end with another answer cue, its worked examples too.

    A space or line break after the cue stays in the prompt, so that the answer is scored without
    a space of its own.

    Args:
        fmt: The format; the end of its prompt is its ``cue``.
        value: One of :data:`CUES`, or the new cue itself.

    Raises:
        LogitscopeError: The format's prompt does not end with its cue.
    """
    part = "prefill" if fmt.prefill else "user"
    template = getattr(fmt, part).rstrip()
    if not template.endswith(fmt.cue):
        raise LogitscopeError(
            f"The prompt of the format {fmt.name} does not end with its cue {fmt.cue!r}, so there "
            "is none to change.",
            "Say in the format, as its cue, what its prompt ends with.",
        )
    if value == "as-is":
        return fmt
    cue = CUES[value].template.format(fmt.cue) if value in CUES else value
    ending = _in_examples(template.removesuffix(fmt.cue), fmt.cue, cue) + cue
    # Spaces that are left to "auto" would move to the answer, and the prompt be the same again.
    follows = ending[-1:].isspace() and (fmt.delimiter == "auto" or not fmt.chat)
    return changed(
        fmt,
        "cue",
        value,
        **{part: ending},
        shot=_in_examples(fmt.shot, fmt.cue, cue),
        cue=cue if cue.strip() else fmt.cue,
        delimiter="" if follows else fmt.delimiter,
    )


def _in_examples(template: str, old: str, cue: str) -> str:
    """A template with another cue before every answer that it shows."""

    def replaced(found: re.Match[str]) -> str:
        return cue if not cue or cue[-1].isspace() else cue + found[1]

    return re.sub(re.escape(old) + r"(\s*)(?=\{\{)", replaced, template)


def with_label_style(fmt: PromptFormat, value: str) -> PromptFormat:
    """A format that marks its options in another way.

    Args:
        fmt: The format; fields that hold one of its labels, as an example letter, get the new
            label in the same place.
        value: How the first option is marked: ``A.``, ``(A)``, ``1.``, ``a)``.

    Raises:
        LogitscopeError: The value holds no label, or more than one.
    """
    found = re.findall(r"[A-Za-z0-9]", value)
    check(
        len(found) == 1 and found[0] in _LABELS,
        f"{value!r} is no label style.",
        "Write how the first option is marked: with an A, an a or a 1, as in (A) or 1.",
    )
    labels = fmt.labels if found[0] == fmt.labels[0] else _LABELS[found[0]]
    mark = value.replace(found[0], "{label}")
    style = re.sub(r"[^\s{}]*\{label\}[^\s{}]*", lambda _: mark, fmt.label_style, count=1)
    renamed = dict(zip(fmt.labels, labels, strict=False))
    fields = {key: renamed.get(text, text) for key, text in fmt.fields.items()}
    return changed(fmt, "label_style", value, label_style=style, labels=labels, fields=fields)
