"""A prompt format as the text of its file."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import msgspec

from engine.formats import Part, PromptFormat

if TYPE_CHECKING:
    from tomlkit.items import String


def format_toml(fmt: PromptFormat) -> str:
    """Write a format as TOML: its settings, then its templates in the order of a prompt.

    :func:`engine.formats.parse_format` makes the same format of it, but for a name that it
    refuses. Texts of several lines stand in triple quotes; what has its default is left out.
    """
    import tomlkit

    templates = get_args(Part)
    defaults = {field.name: field.default for field in msgspec.structs.fields(fmt)}
    settings = [name for name in defaults if name not in (*templates, "fields")]
    document = tomlkit.document()
    for name in (*settings, *templates):
        value = getattr(fmt, name)
        if value != defaults[name]:
            document.add(name, _string(value) if isinstance(value, str) else tomlkit.item(value))
    if fmt.fields:
        document.add("fields", tomlkit.item(fmt.fields))
    return tomlkit.dumps(document)


def _string(text: str) -> String:
    """A string in triple quotes where that is its text as one reads it."""
    import tomlkit

    # TOML may take a carriage return in triple quotes for a part of the line break.
    return tomlkit.string(text, multiline="\n" in text and "\r" not in text)
