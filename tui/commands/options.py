"""Options that several commands share, each declared once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from engine.records import ProbeSettings

Model = Annotated[str, typer.Option("--model", "-m", help="A model folder or a hub id.")]
Samples = Annotated[int, typer.Option(help="Sampled generations a prompt.")]
Temperature = Annotated[
    float, typer.Option(help="Of the samples; 0 is greedy, which is always there too.")
]
TopP = Annotated[float, typer.Option(help="Nucleus of the samples; 1 is off.")]
TopK = Annotated[int, typer.Option(help="Of the samples; 0 is off.")]
RepetitionPenalty = Annotated[float, typer.Option(help="Of the samples; 1 is off.")]
MaxNewTokens = Annotated[int, typer.Option(help="Longest generation, in tokens.")]
Seed = Annotated[int, typer.Option(help="Of option orders and samples.")]
Revision = Annotated[str | None, typer.Option(help="Commit or branch on the hub.")]
Dtype = Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps; all: over every GPU.")]
Canonical = Annotated[
    bool,
    typer.Option(
        "--canonical", help="On a CPU, the same numbers to the bit alone and in any batch; slower."
    ),
]
Unconditional = Annotated[
    bool,
    typer.Option("--unconditional", help="Also score every option's text without its question."),
]
Index = Annotated[int, typer.Option("--index", help="Which question, from 0.")]
Order = Annotated[int, typer.Option("--order", help="Option order; 0 is as written.")]


def probe_settings(
    *,
    samples: int,
    temperature: float,
    top_p: float,
    top_k: int,
    repetition_penalty: float,
    max_new_tokens: int,
    seed: int,
    canonical: bool,
    unconditional: bool,
) -> ProbeSettings:
    """What these options ask of every probe."""
    from engine.records import ProbeSettings, SamplerSettings

    return ProbeSettings(
        samples=samples,
        max_new_tokens=max_new_tokens,
        sampler=SamplerSettings(temperature, top_p, top_k, repetition_penalty),
        seed=seed,
        canonical=canonical,
        unconditional=unconditional,
    )
