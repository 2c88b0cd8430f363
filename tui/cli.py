"""The ``logitscope`` command: data goes to standard output, talk to standard error.

Exit codes: 0 done, 1 something the user can act on (one sentence says what), 2 wrong usage,
130 cancelled. Heavy imports stay inside the commands, so that ``--help`` is immediate.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from typer.core import TyperGroup

from engine.errors import CancelledError, LogitscopeError
from tui.commands import (
    config,
    doctor,
    edit,
    explore,
    export,
    formats,
    imports,
    lab,
    probe,
    read,
    report,
    reread,
    run,
    serve,
    sql,
    sweep,
    texts,
)
from tui.output import say

EXIT_FAILED = 1
EXIT_CANCELLED = 130


class _ExploreByDefault(TyperGroup):
    """Without a command, or with a database in its place, the explorer opens."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        first = args[0] if args else None
        if first is None or (not first.startswith("-") and first not in self.commands):
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


app.command("explore")(explore.explore)
app.command("serve")(serve.serve)
app.command("run")(run.run)
app.command("sweep")(sweep.sweep)
app.command("probe")(probe.probe)
app.command("show")(texts.show)
app.command("samples")(texts.samples)
app.command("branch")(texts.branch)
app.command("edit")(edit.edit)
app.command("lab")(lab.lab)
app.command("import")(imports.import_)
app.command("export")(export.export)
app.command("sql")(sql.sql)
app.command("read")(read.read)
app.command("reread")(reread.reread)
app.command("doctor")(doctor.doctor)
app.add_typer(report.app, name="report")
app.add_typer(formats.app, name="formats")
app.add_typer(config.app, name="config")


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
