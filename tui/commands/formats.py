"""``logitscope formats``: list, show, render, compare and check prompt formats."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from textwrap import indent
from typing import TYPE_CHECKING, Annotated

import typer

from engine.errors import CancelledError, LogitscopeError
from tui.commands import options
from tui.output import NOT_RECORDED, print_json, print_rows, say

if TYPE_CHECKING:
    from engine.format_check import FormatCheck
    from engine.format_diff import FormatDiff
    from engine.formats import PromptFormat
    from engine.rendered import RenderedPrompt

app = typer.Typer(
    help="List, show, render, compare and check prompt formats.", invoke_without_command=True
)

CONSTRAINT_LEVELS = ("low", "middle", "high", "example")
"""The formats of arXiv:2402.14499, the least strict first; all others are protocols."""

DIFFERENT = 1
TROUBLE = 2
"""Exit codes as of diff(1)."""

_TEMPLATES = ("system", "header", "shot", "user", "prefill")

Name = Annotated[str, typer.Argument(help="A format's name or a .toml file.")]
Questions = Annotated[str, typer.Option("--questions", help="A question file or hub dataset.")]
Tokenizer = Annotated[
    str | None,
    typer.Option(
        "--model", "-m", help="Whose tokenizer and chat template; the embedded model's if left out."
    ),
]
OrderSeed = Annotated[int, typer.Option("--seed", help="Seed of the option orders.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def _formats(ctx: typer.Context) -> None:
    """List, show, render, compare and check prompt formats (alone: list)."""
    if ctx.invoked_subcommand is None:
        list_formats()


@app.command("list")
def list_formats(json: Json = False) -> None:
    """List the formats that ship with logitscope and the reading each is scored by."""
    from engine.formats import format_names, load_format

    names = format_names()
    levels = [name for name in CONSTRAINT_LEVELS if name in names]
    protocols = [name for name in names if name not in levels]
    loaded = [load_format(name) for name in (*levels, *protocols)]
    columns = ("name", "kind", "title", "scored by", "shots", "chat")
    rows = [
        (
            fmt.name,
            "constraint level" if fmt.name in levels else "protocol",
            fmt.title,
            fmt.scored_by,
            fmt.shots,
            "yes" if fmt.chat else "no",
        )
        for fmt in loaded
    ]
    print_rows(columns, rows, "json" if json else "table")


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show one format: its templates, fields, reading and where its wording comes from."""
    from engine.formats import load_format
    from tui.prompt_text import print_text

    loaded = load_format(name)
    if json:
        print_json(loaded)
    else:
        print_text(_described(loaded))


@app.command()
def render(
    name: Name,
    questions: Questions,
    index: options.Index = 0,
    model: Tokenizer = None,
    order: options.Order = 0,
    seed: OrderSeed = 0,
    visible: Annotated[
        bool, typer.Option("--visible", help="Show spaces, line breaks and tabs as signs.")
    ] = False,
    tokens: Annotated[
        bool, typer.Option("--tokens", help="Print a token a line, with its id.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print text, tokens, label ids and warnings as JSON.")
    ] = False,
) -> None:
    """Print the exact prompt the model would receive, byte for byte."""
    from engine.runs import render_one
    from tui.prompt_text import print_text, visible_lines

    model = model or _embedded()
    prompt = render_one(model, questions, index, name, order=order, seed=seed)
    if json:
        print_json(prompt)
    elif tokens:
        _print_tokens(prompt, model)
    elif visible:
        print_text(visible_lines(prompt.text))
    else:
        sys.stdout.write(prompt.text)
        if sys.stdout.isatty():
            sys.stdout.write("\n")
    for warning in prompt.warnings:
        say(f"{warning.code}: {warning.message}")


@app.command()
def diff(
    one: Name,
    other: Name,
    questions: Questions,
    index: options.Index = 0,
    model: Tokenizer = None,
    order: options.Order = 0,
    seed: OrderSeed = 0,
    whole: Annotated[
        bool, typer.Option("--whole", help="Show unchanged lines too, however many.")
    ] = False,
    json: Json = False,
) -> None:
    """Compare two formats on one question: {-only in the first-}, {+only in the other+}.

    Blanks are signs: · a space, ↵ a line break, ⇥ a tab. Exits with 0 where nothing differs, 1
    where something does, 2 on trouble.
    """
    from msgspec import structs

    from engine.format_diff import compare_formats

    with _trouble_has_its_own_code():
        found = compare_formats(
            model or _embedded(), questions, index, one, other, order=order, seed=seed
        )
    if json:
        changes = [change._asdict() for change in found.changes]
        print_json({"same": found.same} | structs.asdict(found) | {"changes": changes})
    else:
        _print_diff(found, (one, other), whole=whole)
    if not found.same:
        raise typer.Exit(DIFFERENT)


@app.command()
def check(
    names: Annotated[list[str], typer.Argument(metavar="FORMAT...", help="Names or .toml files.")],
    questions: Questions,
    model: options.Model,
    limit: Annotated[int, typer.Option("--limit", help="Look at the first so many.")] = 20,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe/--no-probe", help="Ask the model for its first token, or only render."
        ),
    ] = True,
    max_new_tokens: options.MaxNewTokens = 48,
    dtype: options.Dtype = "auto",
    device: options.Device = "auto",
    revision: options.Revision = None,
    json: Json = False,
) -> None:
    """Find what distorts a measurement: every warning once, with how many questions it is about.

    Exits with 0 where nothing is wrong, 1 where something is, 2 on trouble.
    """
    from msgspec import structs

    from engine.client import WorkerClient
    from engine.format_check import check_formats
    from engine.planning import plan_run
    from engine.records import ProbeSettings
    from tui.prompt_text import print_text

    with _trouble_has_its_own_code():
        plan = plan_run(
            model,
            questions,
            names,
            ProbeSettings(samples=0, max_new_tokens=max_new_tokens),
            limit=limit,
            revision=revision,
            dtype=dtype,
            device=device,
        )
        with WorkerClient(niceness=0) as client:
            checks = list(check_formats(plan, client, probe=probe, on_note=say))
    if json:
        print_json([{"passed": found.passed} | structs.asdict(found) for found in checks])
    else:
        print_text("\n\n".join(map(_checked, checks)))
    if not all(found.passed for found in checks):
        raise typer.Exit(DIFFERENT)


@contextmanager
def _trouble_has_its_own_code() -> Iterator[None]:
    """1 means that something differs or is wrong with a format, so trouble is another number."""
    try:
        yield
    except CancelledError:
        raise
    except LogitscopeError as error:
        say(f"logitscope: {error}")
        raise typer.Exit(TROUBLE) from error


def _embedded() -> str:
    from engine.demo import EMBEDDED_MODEL

    return str(EMBEDDED_MODEL)


def _described(fmt: PromptFormat) -> str:
    """A format for people: what it is, its settings, its templates."""
    import msgspec

    from tui.prompt_text import edges_visible

    texts = (*_TEMPLATES, "name", "title", "description", "fields")
    settings = {
        field.name: getattr(fmt, field.name)
        for field in msgspec.structs.fields(fmt)
        if field.name not in texts
    }
    settings |= {f"fields.{name}": value for name, value in fmt.fields.items()}
    width = max(map(len, settings))
    lines = [f"{fmt.name}: {fmt.title}" if fmt.title else fmt.name]
    lines += [fmt.description] if fmt.description else []
    lines += ["", *(f"{name:<{width}}  {_value(value)}" for name, value in settings.items())]
    for part in _TEMPLATES:
        if template := getattr(fmt, part):
            lines += ["", f"{part}:", indent(edges_visible(template).rstrip("\n"), "    ")]
    return "\n".join(lines)


def _value(value: object) -> str:
    from tui.prompt_text import edges_visible

    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return edges_visible(value) or "(nothing)"
    return str(value)


def _print_tokens(prompt: RenderedPrompt, model: str) -> None:
    from engine.special_tokens import special_ids
    from tui.widgets.token_text import visible

    special = special_ids(model)
    rows = [
        (
            place,
            token_id,
            visible(piece),
            None if special is None else "special" if token_id in special else "",
        )
        for place, (token_id, piece) in enumerate(zip(prompt.token_ids, prompt.pieces, strict=True))
    ]
    print_rows(("place", "id", "token", "special"), rows, "table")


def _print_diff(found: FormatDiff, names: Sequence[str], *, whole: bool) -> None:
    from tui.prompt_text import CONTEXT, marked, print_text

    if found.first_difference is None:
        say("Both prompts are the same text.")
    else:
        print_text(marked(found.changes, None if whole else CONTEXT))
    if found.differences:
        rows = [
            (row.name, row.one or NOT_RECORDED, row.other or NOT_RECORDED)
            for row in found.differences
        ]
        print_rows(("", *names), rows, "table")


def _checked(found: FormatCheck) -> str:
    """A check for people."""
    asked = "" if found.probed else ", the model was not asked"
    lines = [f"{found.format}: {found.questions} questions, scored by {found.scored_by}{asked}"]
    for finding in found.findings:
        note = ", only to be known" if finding.note else ""
        lines += [
            f"  {finding.code}: {finding.questions} of {found.questions} questions, "
            f"first at index {finding.first}{note}",
            f"    {finding.message}",
        ]
    return "\n".join(lines if found.findings else [*lines, "  nothing to warn about"])
