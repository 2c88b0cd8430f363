"""``logitscope probe``: everything one question makes the model do, as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tui.commands.run import ModelOption
from tui.output import print_json, say


def probe(
    model: ModelOption,
    format_name: Annotated[str, typer.Option("--format", "-f", help="A format or .toml file.")],
    question: Annotated[
        Path | None, typer.Option("--question", help="A JSON file with one question.")
    ] = None,
    questions: Annotated[
        str | None, typer.Option("--questions", help="A question file or hub dataset.")
    ] = None,
    index: Annotated[int, typer.Option("--index", help="Which question, from 0.")] = 0,
    order: Annotated[int, typer.Option("--order", help="Option order; 0 is as written.")] = 0,
    samples: Annotated[int, typer.Option(help="Sampled generations.")] = 8,
    temperature: Annotated[float, typer.Option(help="Of the samples; greedy is always there.")] = 1,
    top_p: Annotated[float, typer.Option(help="Nucleus of the samples; 1 is off.")] = 1.0,
    top_k: Annotated[int, typer.Option(help="Of the samples; 0 is off.")] = 0,
    repetition_penalty: Annotated[float, typer.Option(help="Of the samples; 1 is off.")] = 1.0,
    max_new_tokens: Annotated[int, typer.Option(help="Longest generation, in tokens.")] = 48,
    seed: Annotated[int, typer.Option(help="Of option orders and samples.")] = 0,
    revision: Annotated[str | None, typer.Option(help="Commit or branch on the hub.")] = None,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps, ...")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print JSON (the default).")] = True,
) -> None:
    """Probe one question; print everything as JSON.

    Prompt, distributions, continuations, generations, readings and flags.
    """
    del json
    from engine.records import ProbeSettings, SamplerSettings
    from engine.runs import plan_run, probe_one

    if (question is None) == (questions is None):
        raise typer.BadParameter("Give either --question FILE.json or --questions FILE --index I.")
    plan = plan_run(
        model=model,
        source=str(question) if question is not None else str(questions),
        formats=(format_name,),
        settings=ProbeSettings(
            samples=samples,
            max_new_tokens=max_new_tokens,
            sampler=SamplerSettings(temperature, top_p, top_k, repetition_penalty),
            seed=seed,
        ),
        orders=order + 1,
        revision=revision,
        dtype=dtype,
        device=device,
    )
    print_json(probe_one(plan, index=index, order=order, on_note=say))
