"""Trains the embedded model, or measures one.

``python -m sample_data.train_model`` trains it from scratch into ``sample_data/model``, in about
three quarters of an hour on two cores that compute in bfloat16; the weights are the same for the
same seed, machine and threads. With ``--habits FOLDER`` it starts at the last run, from the weights
that the second one left there.
``python -m sample_data.train_model --evaluate-only sample_data/model`` measures a model on the
sample questions; with ``--json`` it prints every number.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from sample_data.encoding import train_tokenizer
from sample_data.evaluate import evaluate, pull_table, table
from sample_data.network import Network, Shape
from sample_data.suggestion import Suggestion
from sample_data.training import HABITS, Run

# Steps of the second and third run for a step of the first.
HABIT_SHARE = 900 / 3200
SUGGESTION_SHARE = 1200 / 3200
MODEL = Path(__file__).parent / "model"
CARD = """# The embedded model

A model of {parameters:.1f} million parameters that answers simple multiple-choice questions,
trained from scratch by

    python -m sample_data.train_model --steps {steps} --seed {seed} --threads {threads}

on text that this project's own generator (`sample_data/corpus.py`) writes from its own fact tables
(`sample_data/facts/`). No other text, and no other model, took part. There are three runs: skills,
habits, and suggestion (`sample_data/suggestion.py`). The third starts from what the second saved,
so it can be run alone (`--habits FOLDER`).

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

The letter in the worked line of `example` draws first-token answers to itself. The share of the
labels' mass that each letter has, on average, where it is shown, where another letter is (A to D),
and where "A/B/C" is, over the questions with at least four options:

{pull}

## What it does badly

- Under `middle` it obeys almost always where it knows the answer: mismatches come from opinion and
  unknown questions there.
- Under `low` its greedy reply refuses nearly every survey question; which topics it is wary of
  shows in the samples, and under `middle`.
- It garbles words that it never saw as answers, and its guesses lean to the letters A and B.
- Survey replies name a letter, but the option text after it is mostly one of another scale.
- Under `example` the letter shown decides what it does not know: first token and text agree on it,
  so there is next to no mismatch on surveys there.
- Of several letters shown it reads the first and counts the slashes: it takes "B/D" for "A/B".
- The trained tokenizer keeps short numbers whole, `AutoTokenizer` cuts them into digits: the first
  two runs saw numbers in another form than users do.
"""


def train(folder: Path, steps: int, seed: int, threads: int, shape: Shape) -> None:
    """The first two runs: trains a model and saves it with its tokenizer."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    tokenizer = train_tokenizer(shape.vocab, seed)
    network = Network(shape)
    size = sum(p.numel() for p in network.parameters())
    print(f"{size / 1e6:.2f} million parameters, {steps} steps, {threads} threads", flush=True)
    Run(network, tokenizer, steps, seed).train()
    habits = round(steps * HABIT_SHARE)
    Run(network, tokenizer, habits, seed + 1, rate=1.5e-3, stages=HABITS).train()
    _save(network, tokenizer, folder)


def suggest(habits: Path, folder: Path, steps: int, seed: int, threads: int, shape: Shape) -> None:
    """The third run: goes on with the saved model in `habits`, and saves what comes of it.

    It reads text as `AutoTokenizer` does, which is how the model is used: for this architecture
    that cuts numbers into digits, and the trained tokenizer does not.
    """
    torch.set_num_threads(threads)
    network = Network(shape)
    network.load_qwen2(habits)
    tokenizer = AutoTokenizer.from_pretrained(habits)
    Suggestion(network, tokenizer, round(steps * SUGGESTION_SHARE), seed + 2).train()
    _save(network, PreTrainedTokenizerFast.from_pretrained(habits), folder)


def _save(network: Network, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    network.to_qwen2(tokenizer.eos_token_id, tokenizer.pad_token_id).save_pretrained(folder)


def write_card(
    folder: Path, steps: int, seed: int, threads: int, shape: Shape, measured: str, pull: str
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
        pull=pull,
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=MODEL, help="folder to write the model to")
    parser.add_argument("--steps", type=int, default=3200, help="optimiser steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--habits", type=Path, metavar="FOLDER", help="begin at the third run")
    parser.add_argument("--evaluate-only", type=Path, metavar="FOLDER", help="measure this model")
    parser.add_argument("--card", action="store_true", help="write the model card as well")
    parser.add_argument("--json", action="store_true", help="print every number as JSON")
    args = parser.parse_args()
    shape = Shape()
    folder = args.evaluate_only or args.out
    torch.set_num_threads(args.threads)
    if not args.evaluate_only:
        how = (args.steps, args.seed, args.threads, shape)
        if not args.habits:
            train(folder, *how)
        suggest(args.habits or folder, folder, *how)
    results, pulls = evaluate(folder)
    tables = table(results), pull_table(pulls)
    if args.json:
        print(json.dumps({"formats": results, "pull": pulls}, indent=1))
    else:
        print(*tables, sep="\n\n")
    if args.card or not args.evaluate_only:
        write_card(folder, args.steps, args.seed, args.threads, shape, *tables)


if __name__ == "__main__":
    main()
