"""The command line as typer sees it. A command is imported once it is called."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from tui.commands import COMMANDS

if TYPE_CHECKING:
    from typer._click import Command, Context


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
