"""The ``logitscope`` command: data goes to standard output, talk to standard error.

Exit codes: 0 done, 1 something the user can act on (one sentence says what), 2 wrong usage,
130 cancelled. A command is imported once it is called, and imports what is heavy inside, so that
every one of them and ``--help`` begin at once.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from engine.errors import CancelledError, LogitscopeError
from tui.output import say

if TYPE_CHECKING:
    from typer._click import Command, Context

EXIT_FAILED = 1
EXIT_CANCELLED = 130

COMMANDS = {
    "explore": "explore:explore",
    "serve": "serve:serve",
    "run": "run:run",
    "sweep": "sweep:sweep",
    "probe": "probe:probe",
    "show": "texts:show",
    "samples": "texts:samples",
    "branch": "texts:branch",
    "edit": "edit:edit",
    "lab": "lab:lab",
    "import": "imports:import_",
    "export": "export:export",
    "sql": "sql:sql",
    "read": "read:read",
    "reread": "reread:reread",
    "doctor": "doctor:doctor",
    "report": "report:app",
    "formats": "formats:app",
    "config": "config:app",
}
"""Every command in the order of ``--help``: its module in :mod:`tui.commands`, and what of it."""


class _ExploreByDefault(TyperGroup):
    """Without a command, or with a database in its place, the explorer opens."""

    def list_commands(self, ctx: Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        made = getattr(import_module(f"tui.commands.{module}"), attribute)
        above = typer.Typer(rich_markup_mode=None)
        if isinstance(made, typer.Typer):
            above.add_typer(made, name=cmd_name)
        else:
            above.command(cmd_name)(made)
        return typer.main.get_group(above).commands[cmd_name]

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        first = args[0] if args else None
        if first is None or (not first.startswith("-") and first not in COMMANDS):
            args = ["explore", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ExploreByDefault,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=(
        "See where a model's first-token answer and what it really writes disagree. "
        "Without a command the explorer opens, on the recorded demo or on the database given."
    ),
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"logitscope {version('logitscope')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    del version


def main() -> None:
    """Run the command line; every expected problem becomes one sentence and an exit code."""
    try:
        app()
    except LogitscopeError as error:
        say(f"logitscope: {error}")
        sys.exit(EXIT_CANCELLED if isinstance(error, CancelledError) else EXIT_FAILED)
    except KeyboardInterrupt:
        say("logitscope: cancelled.")
        sys.exit(EXIT_CANCELLED)
    except BrokenPipeError:
        # The reader of a pipe went away (head, less): not an error, and nothing is left to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
