"""The user's settings: what the file may say, and what it says where it can be understood.

A setting that can't be understood never keeps the explorer from starting: the rest is in force, and
every problem is told as one sentence that names the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_type_hints

import msgspec
from msgspec import Meta

from engine.paths import config_path

Notify = Literal["bell", "desktop", "off"]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the logitscope explorer."""

    theme: Annotated[
        str,
        Meta(
            description="Colours: dark, light, high-contrast, high-contrast-light, ansi (the "
            "terminal's own), or the name of any theme that the theme picker lists."
        ),
    ] = "dark"
    notify: Annotated[
        Notify,
        Meta(
            description="How you are told that long work ended while you were in another window: "
            "the terminal's bell, a desktop notification where the terminal can, or not at all."
        ),
    ] = "bell"
    notify_after: Annotated[
        float, Meta(ge=0, description="Seconds of work from which its end is worth telling.")
    ] = 10.0
    animation: Annotated[
        bool, Meta(description="Whether anything moves smoothly instead of at once.")
    ] = True
    restore: Annotated[
        bool,
        Meta(
            description="Whether the explorer opens a database where you left it: screen, run, "
            "question, filter, order, query, format. --fresh does without once."
        ),
    ] = True
    keys: Annotated[
        dict[str, str],
        Meta(
            description="Own keys: an action's id and its keys, comma separated. They take the "
            "place of all keys the action has otherwise."
        ),
    ] = {}


DEFAULTS = Settings()


class Trouble(NamedTuple):
    """Something in the file that can't be understood.

    Attributes:
        line: Its line, from 1; None where that is not known.
        sentence: What is wrong.
        hint: What to do.
    """

    line: int | None
    sentence: str
    hint: str

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line is not None else ""
        return f"{place}{self.sentence} {self.hint}".strip()


class Config(NamedTuple):
    """What is in force.

    Attributes:
        path: The file, which need not exist.
        settings: Everything that could be understood, defaults for the rest.
        given: Names of the settings that the file sets, and that are in force.
        troubles: What could not be understood, in the file's order.
    """

    path: Path = Path()
    settings: Settings = DEFAULTS
    given: frozenset[str] = frozenset()
    troubles: tuple[Trouble, ...] = ()


def read_config(path: Path | None = None) -> Config:
    """Read the settings; never fails.

    Args:
        path: The file; the user's own where left out.
    """
    import tomllib

    path = path or config_path()
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except FileNotFoundError:
        return Config(path, DEFAULTS)
    except (OSError, UnicodeDecodeError) as error:
        trouble = Trouble(None, f"The settings can't be read: {error}.", "Defaults are in force.")
        return Config(path, DEFAULTS, troubles=(trouble,))
    except tomllib.TOMLDecodeError as error:
        return Config(path, DEFAULTS, troubles=(_no_toml(str(error)),))
    return _understand(path, text, values)


def _no_toml(message: str) -> Trouble:
    where = re.search(r"line (\d+)", message)
    words = re.sub(r" \(at [^)]*\)$", "", message)
    return Trouble(
        int(where[1]) if where else None, f"This is no TOML: {words}.", "Defaults are in force."
    )


def _understand(path: Path, text: str, values: dict[str, Any]) -> Config:
    """Take what fits, field by field."""
    good: dict[str, Any] = {}
    troubles: list[Trouble] = []
    hints = get_type_hints(Settings, include_extras=True)
    for name, value in values.items():
        line = _line_of(text, name)
        if name not in hints:
            troubles.append(_unknown(name, line, list(hints)))
        elif name == "keys":
            good["keys"], wrong = _understand_keys(text, value)
            troubles += wrong
        else:
            try:
                good[name] = msgspec.convert(value, hints[name])
            except msgspec.ValidationError as error:
                troubles.append(Trouble(line, f"{name}: {error}.", _allowed(name)))
    if "theme" in good and (trouble := _check_theme(good["theme"], _line_of(text, "theme"))):
        del good["theme"]
        troubles.append(trouble)
    troubles.sort(key=lambda trouble: trouble.line or 0)
    return Config(path, Settings(**good), frozenset(good), tuple(troubles))


def _unknown(name: str, line: int | None, known: list[str]) -> Trouble:
    near = get_close_matches(name, known, 1)
    hint = f"Perhaps {near[0]} is meant." if near else f"There are: {', '.join(known)}."
    return Trouble(line, f"There is no setting {name}.", hint)


def _allowed(name: str) -> str:
    """What may stand there, in words."""
    if name == "notify":
        return 'Write "bell", "desktop" or "off".'
    default = msgspec.json.encode(getattr(DEFAULTS, name)).decode()
    return f"Write it like its default: {name} = {default}"


def _check_theme(name: str, line: int | None) -> Trouble | None:
    from tui.themes import theme_names

    names = theme_names()
    if name in names:
        return None
    near = get_close_matches(name, names, 1)
    hint = f"Perhaps {near[0]} is meant." if near else f"There are: {', '.join(names)}."
    return Trouble(line, f"There is no theme {name}.", hint)


def _understand_keys(text: str, value: object) -> tuple[dict[str, str], list[Trouble]]:
    """The keys that can be used; those that can't give way to the registry's own."""
    from tui.keymap import Refused, check, clashes

    if not isinstance(value, dict):
        line = _line_of(text, "keys")
        return {}, [Trouble(line, "keys is no table.", "Begin it with a line [keys].")]
    keymap: dict[str, str] = {}
    troubles: list[Trouble] = []

    def refuse(refused: Refused) -> None:
        line = _line_of(text, refused.action_id)
        troubles.append(Trouble(line, refused.sentence, refused.hint))
        if not refused.usable:
            del keymap[refused.action_id]

    for action_id, keys in _flat(value):
        if isinstance(keys, str):
            keymap[action_id] = keys
        else:
            line = _line_of(text, action_id)
            hint = f'Write them as one text: "{action_id}" = "n,ctrl+n"'
            troubles.append(Trouble(line, f"The keys of {action_id} are no text.", hint))
    for refused in list(check(keymap)):
        refuse(refused)
    while (clash := next((each for each in clashes(keymap) if not each.usable), None)) is not None:
        refuse(clash)
    for shadowed in list(clashes(keymap)):
        refuse(shadowed)
    return keymap, troubles


def _flat(table: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Action ids may be written without quotation marks: TOML reads them as tables then."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", keys) for inner, keys in _flat(value))
        else:
            yield name, value


def _line_of(text: str, name: str) -> int | None:
    """The line that sets a name, from 1."""
    pattern = re.compile(rf"""\s*(\[\s*{re.escape(name)}\s*\]|["']?{re.escape(name)}["']?\s*=)""")
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.match(line):
            return number
    return None


def config_schema() -> dict[str, Any]:
    """A JSON schema of the file, for editors: every setting, every theme, every action."""
    from tui.actions import ACTIONS
    from tui.themes import theme_names

    schema = msgspec.json.schema(Settings)["$defs"]["Settings"]
    properties = schema["properties"]
    properties["theme"]["enum"] = theme_names()
    properties["keys"] |= {
        "properties": {
            action.id: {
                "type": "string",
                "description": action.help or action.title or action.id,
                "default": action.keys,
            }
            for action in ACTIONS
        },
        "additionalProperties": False,
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def default_file() -> str:
    """A file with every setting and every action, all as comments, each at its default."""
    from textwrap import wrap

    from tui.actions import ACTIONS

    lines = [
        "# Settings of the logitscope explorer. A line without its # is in force;",
        "# logitscope config check tells whether every line is understood.",
    ]
    properties = config_schema()["properties"]
    for name in Settings.__struct_fields__:
        lines += ["", *(f"# {line}" for line in wrap(properties[name]["description"], 96))]
        if name != "keys":
            lines.append(f"# {name} = {msgspec.json.encode(getattr(DEFAULTS, name)).decode()}")
    lines.append("[keys]")
    for action in ACTIONS:
        lines.append(f'# "{action.id}" = "{action.keys}"{_comment(action.title)}')
    return "\n".join(lines) + "\n"


def _comment(title: str) -> str:
    return f"  # {title}" if title else ""
