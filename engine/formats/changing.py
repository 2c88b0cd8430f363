"""Changing one setting in the text of a format's file; the rest of the text stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import FormatError

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

Value = str | int | bool


def set_value(source: str, key: str, value: Value) -> str:
    """Change one setting, or add it where the text doesn't have it.

    Args:
        source: The TOML text of a format; it need not be a whole format.
        key: A key of the format, or ``fields.`` and the name of one of its fields.
        value: What it is to be.

    Returns:
        The text with that value changed; comments, blanks and order stay.

    Raises:
        FormatError: The text is no TOML, or something else has the key's place.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    table, _, name = key.rpartition(".")
    try:
        document = tomlkit.parse(source)
        if table in document:
            document[table][name] = value
        elif table:
            document[table] = {name: value}
        elif name in document:
            document[name] = value
        else:
            _add(document, name, value)
        return tomlkit.dumps(document)
    except (TOMLKitError, TypeError) as error:
        raise FormatError(
            f"{key} can't be set in this text: {error}.", "Mend the text first."
        ) from error


def _add(document: TOMLDocument, name: str, value: Value) -> None:
    """Put a new key behind the last one; tomlkit itself would add blank lines, too."""
    import tomlkit
    from tomlkit.items import Table

    body, new = document.body, tomlkit.item(value)
    keys = [place for place, (key, item) in enumerate(body) if key and not isinstance(item, Table)]
    if keys:
        last = body[keys[-1]][1].trivia
        last.trail = new.trivia.trail = last.trail or "\n"
    body.insert(keys[-1] + 1 if keys else 0, (tomlkit.key(name), new))
