"""``logitscope config``: what the explorer is set to, and which keys do what."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import LogitscopeError
from tui.output import print_json, print_rows, say

if TYPE_CHECKING:
    from tui.actions import Action
    from tui.config import Config

app = typer.Typer(
    help="Show, make and check the explorer's settings and keys.", invoke_without_command=True
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

PARTS = {
    "app": "Everywhere",
    "jump": "Jump mode",
    "help": "The help",
    "questions": "The list of questions",
    "grid": "Lists of questions and of runs",
    "filter": "The filter",
    "runs": "Runs and studies",
    "study": "A study",
    "cells": "A study's table",
    "start": "A new run",
    "leave": "Leaving while a run is going",
    "question": "One question",
    "strip": "A strip of tokens",
    "pane": "A pane of text",
    "rows": "A pane of rows",
    "raw": "Raw text",
    "override": "An override",
    "edit": "Editing the prompt",
    "lab": "The prompt lab",
    "form": "The lab's form",
    "format_editor": "The lab's editor",
    "save": "Saving a format",
    "sweep": "A sweep",
    "choose_format": "Choosing a format",
    "sql": "SQL",
    "sql_editor": "The SQL editor",
    "values": "A result",
    "chart": "A chart of a result",
    "find": "Finding in a result",
    "schema": "The tables beside the SQL editor",
    "cell": "A cell, whole",
    "sql_list": "Lists of queries",
    "save_query": "Saving a query",
    "export": "Exporting a result",
    "unlock": "Unlocking SQL",
}
"""What the scopes of the registry are called; one that is missing goes by its own name."""


class ConfigError(LogitscopeError):
    """Settings that can't be understood, or can't be written."""


@app.callback()
def _config(ctx: typer.Context) -> None:
    """Show, make and check the explorer's settings and keys (alone: show)."""
    if ctx.invoked_subcommand is None:
        show()


@app.command()
def show(json: Json = False) -> None:
    """Show the settings in force and where each comes from."""
    from tui import themes
    from tui.config import Settings, read_config

    config = read_config()
    rows: list[tuple[str, object, str]] = []
    for name in Settings.__struct_fields__:
        value: object = getattr(config.settings, name)
        source = str(config.path) if name in config.given else "default"
        if name == "theme" and (picked := themes.picked(config.settings.theme)) is not None:
            value, source = picked, "picked in the explorer"
        if name != "keys":
            rows.append((name, value if json else _written(value), source))
    for action_id, keys in config.settings.keys.items():
        rows.append((f"keys.{action_id}", keys, str(config.path)))
    print_rows(("setting", "value", "from"), rows, "json" if json else "table")
    _tell_troubles(config)


def _written(value: object) -> str:
    import msgspec

    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


@app.command()
def path() -> None:
    """Print where the settings are, or would be."""
    from engine.paths import config_path

    print(config_path())


@app.command()
def init() -> None:
    """Write a file with every setting and every key as a comment; never over a file."""
    from engine.paths import config_path
    from tui.config import default_file

    place = config_path()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("x", encoding="utf-8") as file:
            file.write(default_file())
    except FileExistsError as error:
        raise ConfigError(
            f"{place} is there already.", "Edit it, or move it away first."
        ) from error
    except OSError as error:
        raise ConfigError(f"{place} can't be written: {error.strerror}.") from error
    say(f"Wrote {place}: take the # away from what you change.")


@app.command()
def check() -> None:
    """Tell what in the settings can't be understood; exits with 1 where anything can't."""
    from tui.config import read_config

    config = read_config()
    if config.troubles:
        for trouble in config.troubles:
            print(f"{config.path}: {trouble}")
        raise typer.Exit(1)
    say(f"{config.path}: {'all is well' if config.path.exists() else 'no such file: defaults'}.")


@app.command()
def schema() -> None:
    """Print a JSON schema of the settings, for editors that complete and check TOML."""
    from tui.config import config_schema

    print_json(config_schema())


@app.command()
def keys(
    json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
) -> None:
    """List every action with its keys in force; the ids are what the settings name."""
    from tui.actions import ACTIONS
    from tui.config import read_config
    from tui.keymap import keys_of

    config = read_config()
    actions = [(action, keys_of(action, config.settings.keys)) for action in ACTIONS]
    if markdown:
        _print_markdown(actions)
    elif json:
        print_json(
            [
                {
                    "id": action.id,
                    "keys": keys,
                    "default": keys_of(action, {}),
                    "title": action.title,
                    "help": action.help,
                }
                for action, keys in actions
            ]
        )
    else:
        columns = ("action", "keys", "what it does")
        rows = [(each.id, " ".join(keys), each.help or each.title) for each, keys in actions]
        print_rows(columns, rows, "table")
    _tell_troubles(config)


def _print_markdown(actions: list[tuple[Action, tuple[str, ...]]]) -> None:
    """A table for each part of the explorer."""
    scope = ""
    for action, keys in actions:
        if action.scope != scope:
            scope = action.scope
            print(f"\n## {PARTS.get(scope, scope)}\n")
            print("| keys | what it does | action |\n| --- | --- | --- |")
        shown = " ".join(f"`{key}`" for key in keys)
        sentence = (action.help or action.title).replace("|", "&#124;")
        print(f"| {shown} | {sentence} | `{action.id}` |")


def _tell_troubles(config: Config) -> None:
    for trouble in config.troubles:
        print(f"{config.path}: {trouble}", file=sys.stderr)
