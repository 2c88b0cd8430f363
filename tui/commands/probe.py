"""``logitscope probe``: everything one question makes the model do, as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tui.commands import options
from tui.commands.options import probe_settings
from tui.output import print_json, say


def probe(
    model: options.Model,
    format_name: Annotated[str, typer.Option("--format", "-f", help="A format or .toml file.")],
    question: Annotated[
        Path | None, typer.Option("--question", help="A JSON file with one question.")
    ] = None,
    questions: Annotated[
        str | None, typer.Option("--questions", help="A question file or hub dataset.")
    ] = None,
    index: options.Index = 0,
    order: options.Order = 0,
    samples: options.Samples = 8,
    temperature: options.Temperature = 1,
    top_p: options.TopP = 1.0,
    top_k: options.TopK = 0,
    repetition_penalty: options.RepetitionPenalty = 1.0,
    max_new_tokens: options.MaxNewTokens = 48,
    seed: options.Seed = 0,
    revision: options.Revision = None,
    dtype: options.Dtype = "auto",
    device: options.Device = "auto",
    canonical: options.Canonical = False,
    unconditional: options.Unconditional = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON (the default).")] = True,
) -> None:
    """Probe one question; print everything as JSON.

    Prompt, distributions, continuations, generations, readings and flags.
    """
    del json
    from engine.runs import plan_run, probe_one

    if (question is None) == (questions is None):
        raise typer.BadParameter("Give either --question FILE.json or --questions FILE --index I.")
    plan = plan_run(
        model=model,
        source=str(question) if question is not None else str(questions),
        formats=(format_name,),
        settings=probe_settings(
            samples=samples,
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            repetition_penalty=repetition_penalty,
            max_new_tokens=max_new_tokens,
            seed=seed,
            canonical=canonical,
            unconditional=unconditional,
        ),
        orders=order + 1,
        revision=revision,
        dtype=dtype,
        device=device,
    )
    print_json(probe_one(plan, index=index, order=order, on_note=say))
