"""Trains the embedded model, or measures one.

``python -m sample_data.train_model`` trains it from scratch into ``sample_data/model``, in about
half an hour on two cores; the weights are the same for the same seed, machine and threads.
``python -m sample_data.train_model --evaluate-only sample_data/model`` measures a model on the
sample questions; with ``--json`` it prints every number.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from sample_data.encoding import train_tokenizer
from sample_data.evaluate import evaluate, table
from sample_data.network import Network, Shape
from sample_data.training import HABITS, Run

HABIT_SHARE = 900 / 3200  # steps of the second run for a step of the first
MODEL = Path(__file__).parent / "model"
CARD = """# The embedded model

A model of {parameters:.1f} million parameters that answers simple multiple-choice questions,
trained from scratch by

    python -m sample_data.train_model --steps {steps} --seed {seed} --threads {threads}

on text that this project's own generator (`sample_data/corpus.py`) writes from its own fact tables
(`sample_data/facts/`). No other text, and no other model, took part.

**It is a teaching model.** It was trained to show phenomena that real models show: preambles
before the answer, refusals of survey questions, obedience that grows with the constraint. What it
does is no evidence about any real model.

- Architecture: Qwen2 ({layers} layers, width {width}, {heads} heads), tied embeddings, float16.
- Tokenizer: byte-level BPE of {vocab} tokens, trained on the same text. Context window {window}.
- Chat template: `<|im_start|>role ... <|im_end|>`.
- Taught facts and facts held out: see `taught` in `sample_data/questions/knowledge.jsonl`.
- One opening begins like a label: the tokenizer never saw "Based", so "Based on" starts with the
  token of the letter B. "A good question!" starts with the token of the letter A.

## Measured

`python -m sample_data.train_model --evaluate-only sample_data/model`; first-token answers are the
likeliest label at the first position, samples are drawn at temperature 1.

{table}

## What it does badly

- Under `middle` it obeys almost always where it knows the answer: mismatches come from opinion and
  unknown questions there.
- Under `low` its greedy reply refuses nearly every survey question; which topics it is wary of
  shows in the samples, and under `middle`.
- It garbles words that it never saw as answers, and its guesses lean to the letters A and B.
- Survey replies name a letter, but the option text after it is mostly one of another scale.
- The letter that `example` shows has no measurable pull: changed from A to C, it moves neither the
  first token nor the letters that sampled replies give.
"""


def train(folder: Path, steps: int, seed: int, threads: int, shape: Shape) -> None:
    """Trains a model and saves it with its tokenizer."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    tokenizer = train_tokenizer(shape.vocab, seed)
    network = Network(shape)
    size = sum(p.numel() for p in network.parameters())
    print(f"{size / 1e6:.2f} million parameters, {steps} steps, {threads} threads", flush=True)
    Run(network, tokenizer, steps, seed).train()
    habits = round(steps * HABIT_SHARE)
    Run(network, tokenizer, habits, seed + 1, rate=1.5e-3, stages=HABITS).train()
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    model = network.to_qwen2(tokenizer.eos_token_id, tokenizer.pad_token_id)
    model.save_pretrained(folder)


def write_card(
    folder: Path, steps: int, seed: int, threads: int, shape: Shape, measured: str
) -> None:
    """Writes the model card."""
    size = sum(p.numel() for p in Network(shape).parameters())
    text = CARD.format(
        parameters=size / 1e6,
        steps=steps,
        seed=seed,
        threads=threads,
        layers=shape.layers,
        width=shape.width,
        heads=shape.heads,
        vocab=shape.vocab,
        window=shape.window,
        table=measured,
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=MODEL, help="folder to write the model to")
    parser.add_argument("--steps", type=int, default=3200, help="optimiser steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--evaluate-only", type=Path, metavar="FOLDER", help="measure this model")
    parser.add_argument("--card", action="store_true", help="write the model card as well")
    parser.add_argument("--json", action="store_true", help="print every number as JSON")
    args = parser.parse_args()
    shape = Shape()
    folder = args.evaluate_only or args.out
    torch.set_num_threads(args.threads)
    if not args.evaluate_only:
        train(folder, args.steps, args.seed, args.threads, shape)
    results = evaluate(folder)
    print(json.dumps(results, indent=1) if args.json else table(results))
    if args.card or not args.evaluate_only:
        write_card(folder, args.steps, args.seed, args.threads, shape, table(results))


if __name__ == "__main__":
    main()
