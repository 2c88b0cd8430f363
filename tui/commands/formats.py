"""``logitscope formats``: list, show and render prompt formats."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tui.commands import options
from tui.output import print_json, print_rows, say

app = typer.Typer(help="List, show and render prompt formats.", invoke_without_command=True)


@app.callback()
def _formats(ctx: typer.Context) -> None:
    """List, show and render prompt formats (alone: list)."""
    if ctx.invoked_subcommand is None:
        list_formats()


@app.command("list")
def list_formats(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the formats that ship with logitscope."""
    from engine.formats import format_names, load_format

    loaded = [load_format(name) for name in format_names()]
    columns = ("name", "title", "shots", "chat")
    rows = [(item.name, item.title, item.shots, "yes" if item.chat else "no") for item in loaded]
    print_rows(columns, rows, "json" if json else "table")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A format's name or a .toml file.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show one format: its templates, fields and where its wording comes from."""
    import msgspec

    from engine.formats import load_format

    loaded = load_format(name)
    if json:
        print_json(loaded)
        return
    for field in msgspec.structs.fields(loaded):
        value = getattr(loaded, field.name)
        if value not in ("", {}):
            print(f"{field.name:>12}  {value if isinstance(value, str) else repr(value)}")


@app.command()
def render(
    name: Annotated[str, typer.Argument(help="A format's name or a .toml file.")],
    questions: Annotated[str, typer.Option("--questions", help="A question file or hub dataset.")],
    index: options.Index = 0,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", help="Whose tokenizer and chat template; the embedded model's when left out."
        ),
    ] = None,
    order: options.Order = 0,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the option orders.")] = 0,
    json: Annotated[
        bool, typer.Option("--json", help="Print text, tokens, label ids and warnings as JSON.")
    ] = False,
) -> None:
    """Print the exact prompt the model would receive, byte for byte."""
    from engine.demo import EMBEDDED_MODEL
    from engine.runs import render_one

    prompt = render_one(
        model or str(EMBEDDED_MODEL), questions, index, name, order=order, seed=seed
    )
    if json:
        print_json(prompt)
    else:
        sys.stdout.write(prompt.text)
        if sys.stdout.isatty():
            sys.stdout.write("\n")
    for warning in prompt.warnings:
        say(f"{warning.code}: {warning.message}")
