"""One point of a sweep, and how the formats of points are named."""

from __future__ import annotations

import re

import msgspec

from engine.formats import PromptFormat


class Point(msgspec.Struct, frozen=True):
    """One point of a sweep: what is asked there.

    Attributes:
        label: What tables and bars call it.
        fmt: The prompt format.
        order: Number of the one option order that is asked; None for those of the run.
        setting: A setting of the sampler to change and its value, such as ``("temperature", 0.5)``.
    """

    label: str
    fmt: PromptFormat
    order: int | None = None
    setting: tuple[str, float] | None = None


def changed(fmt: PromptFormat, key: str, value: str, **changes: object) -> PromptFormat:
    """A format with something changed and a name that tells it, as in ``low:cue=bold``.

    Args:
        fmt: The format; where its name tells of another change of the same kind, that is replaced.
        key: What was changed.
        value: Into what; characters that a name can't hold become hyphens.
        changes: New values of the format's attributes.

    Returns:
        The changed format; the one given, name and all, where no value is new.
    """
    if all(getattr(fmt, name) == new for name, new in changes.items()):
        return fmt
    known = re.sub(rf":{key}=[^:]*", "", fmt.name)
    word = re.sub(r"[:,\s]+", "-", value.strip())
    return msgspec.structs.replace(fmt, name=f"{known}:{key}={word}", **changes)
