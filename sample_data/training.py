"""The training run: stages, batches, the optimiser, and what is watched on the way."""

from __future__ import annotations

import math
import random
import time
from collections import deque
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from sample_data import corpus, wording
from sample_data.encoding import Drills, Encoded, encode
from sample_data.network import Network

POOL = 800  # examples drawn at a time, to be sorted into batches by length
WARM_UP = 100
FLOOR = 0.03


@dataclass(frozen=True)
class Stage:
    """A part of a run.

    Attributes:
        name: What it teaches.
        number: Its tasks in `corpus.STAGES`.
        share: Its share of the steps.
        tokens: Tokens a batch, padding included.
        guidance: Weight of the guidance to the right option.
        attention: Weight of the guidance to the question.
        first: Weight of the first token of a reply.
        example: Weight of the guidance to the letter that an example shows.
        pull: What that letter adds to its logit.
    """

    name: str
    number: int
    share: float
    tokens: int
    guidance: float
    attention: float = 0.0
    first: float = 1.0
    example: float = 0.0
    pull: float = 0.0


SKILLS = (
    Stage("first drills", 0, 0.04, 1200, 3.0),
    Stage("drills", 1, 0.06, 1200, 3.0),
    Stage("facts and look-ups", 2, 0.16, 1200, 2.0),
    Stage("letters", 3, 0.16, 1500, 2.0),
    Stage("all formats", 4, 0.58, 2000, 0.6),
)
HABITS = (Stage("habits", 5, 1.0, 2000, 0.4, attention=0.6, first=4.0),)


def batches(
    rng: random.Random, tokenizer: PreTrainedTokenizerFast, drills: Drills, stage: Stage
) -> list[list[Encoded]]:
    """A pool of examples of a stage, cut into batches of about the same length."""
    backend = tokenizer.backend_tokenizer
    number = stage.number
    examples: list[Encoded] = []
    for _ in range(POOL):
        if number < 2 or (number == 2 and rng.random() < 0.15):
            examples.append(drills.draw(rng, simple=number == 0 or rng.random() < 0.25))
        else:
            examples.append(encode(backend, corpus.draw(rng, number)))
    if number > 2:
        examples.sort(key=lambda example: len(example.ids) + rng.random() * 4)
    cut: list[list[Encoded]] = [[]]
    longest = 0
    for example in examples:
        longest = max(longest, len(example.ids))
        if cut[-1] and longest * (len(cut[-1]) + 1) > stage.tokens:
            cut.append([])
            longest = len(example.ids)
        cut[-1].append(example)
    rng.shuffle(cut)
    return cut


def pad(rows: list[list[int]]) -> Tensor:
    """Token rows as one tensor, padded on the right with zeros to a multiple of 16."""
    length = (max(map(len, rows)) + 15) // 16 * 16
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens)
    return ids


class Run:
    """A training run of `steps` steps, the same for the same seed.

    Args:
        network: What is trained, in place.
        tokenizer: Its tokenizer.
        steps: Number of optimiser steps.
        seed: Seed of the training text.
        rate: Peak learning rate.
        stages: What the run goes through.
    """

    in_bfloat16 = True

    def __init__(
        self,
        network: Network,
        tokenizer: PreTrainedTokenizerFast,
        steps: int,
        seed: int,
        rate: float = 2e-3,
        stages: tuple[Stage, ...] = SKILLS,
    ) -> None:
        self.network, self.tokenizer, self.steps, self.rate = network, tokenizer, steps, rate
        self.stages = stages
        self.rng = random.Random(seed)
        self.drills = Drills(tokenizer.backend_tokenizer)
        wide = [p for p in network.parameters() if p.dim() >= 2]
        narrow = [p for p in network.parameters() if p.dim() < 2]
        groups = [{"params": wide, "weight_decay": 0.03}, {"params": narrow, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)
        self.step, self.tokens = 0, 0
        self.losses: deque[float] = deque(maxlen=100)
        self.hits: deque[float] = deque(maxlen=100)

    def train(self, report_every: int = 200) -> None:
        """Goes through the stages, printing a line now and then."""
        started = time.monotonic()
        done = 0.0
        for stage in self.stages:
            done += stage.share
            last = self.steps if stage is self.stages[-1] else round(done * self.steps)
            while self.step < last:
                pool = batches(self.rng, self.tokenizer, self.drills, stage)
                for batch in pool[: last - self.step]:
                    self._learn(batch, stage)
                    if self.step % report_every == 0 or self.step == self.steps:
                        self._report(stage, time.monotonic() - started)

    def _rate(self) -> float:
        warm = min(1.0, (self.step + 1) / WARM_UP)
        progress = self.step / self.steps
        if progress < 0.5:
            return self.rate * warm
        return self.rate * warm * max(FLOOR, 0.5 * (1 + math.cos(math.pi * (progress - 0.5) / 0.5)))

    def _learn(self, batch: list[Encoded], stage: Stage) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        ids = pad([example.ids for example in batch])
        weights = torch.zeros(ids.shape)
        for row, example in enumerate(batch):
            weights[row, : len(example.ids)] = torch.tensor(example.weights)
            for start, _, _ in example.starts:
                weights[row, start + 1] *= stage.first
        learnt = weights[:, 1:] > 0
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.in_bfloat16):
            hidden = self.network(ids[:, :-1], learnt)
            logits = self.network.logits(hidden)
        nats = self._nats(logits, batch, ids, learnt, stage)
        weights = weights[:, 1:][learnt]
        loss = (nats * weights).sum() / weights.sum()
        self.losses.append(loss.item())
        loss = self._guide(loss, batch, stage)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self.tokens += ids.numel()

    def _nats(
        self, logits: Tensor, batch: list[Encoded], ids: Tensor, learnt: Tensor, stage: Stage
    ) -> Tensor:
        """How far off the logits (tokens learnt, vocabulary) are, for each token, in nats."""
        return F.cross_entropy(logits, ids[:, 1:][learnt], reduction="none")

    def _guide(self, loss: Tensor, batch: list[Encoded], stage: Stage) -> Tensor:
        """A loss and what the guidance of the stage adds to it."""
        guides = [
            (row, start, end) for row, example in enumerate(batch) for start, end in example.guides
        ]
        if guides:
            miss, hits = self.network.guidance(*torch.tensor(guides).t())
            loss = loss + stage.guidance * miss
            self.hits.append(hits)
        starts = [(row, *start) for row, example in enumerate(batch) for start in example.starts]
        if starts and stage.attention:
            loss = loss + stage.attention * self.network.inattention(*torch.tensor(starts).t())
        return loss

    def _report(self, stage: Stage, seconds: float) -> None:
        accuracies = " ".join(
            f"{name} {accuracy:.2f}" for name, accuracy in self.letter_accuracies().items()
        )
        print(
            f"step {self.step}/{self.steps}  {seconds / 60:.1f} min  {stage.name}  "
            f"{self.tokens / seconds:.0f} tokens/s  loss {_mean(self.losses):.3f}  "
            f"looks right {_mean(self.hits):.2f}  letters: {accuracies}",
            flush=True,
        )

    @torch.no_grad()
    def letter_accuracies(self, count: int = 40) -> dict[str, float]:
        """How often the likeliest of four letters is right, by task, at the place of the letter."""
        rng = random.Random(0)
        return {
            "copy": self._accuracy([_copy_probe(rng) for _ in range(count)], ""),
            "high": self._accuracy([_fact_probe(rng, "high") for _ in range(count)], ""),
            "middle": self._accuracy([_fact_probe(rng, "middle") for _ in range(count)], ""),
            "low": self._accuracy([_fact_probe(rng, "low") for _ in range(count)], " "),
            "raw": self._accuracy([_fact_probe(rng, "raw") for _ in range(count)], " "),
        }

    def _accuracy(self, probes: list[tuple[str, int]], before: str) -> float:
        backend = self.tokenizer.backend_tokenizer
        letters = [backend.encode(before + letter).ids[0] for letter in wording.letters(4)]
        rows = [backend.encode(wording.MARKS.sub("", text)).ids for text, _ in probes]
        ends = torch.tensor([len(row) - 1 for row in rows])
        hidden = self.network(pad(rows))[torch.arange(len(rows)), ends]
        chosen = self.network.logits(hidden)[:, letters].argmax(-1)
        return (chosen == torch.tensor([gold for _, gold in probes])).float().mean().item()


def _mean(values: deque[float]) -> float:
    return sum(values) / max(1, len(values))


def _fact_probe(rng: random.Random, level: str) -> tuple[str, int]:
    fact = rng.choice([fact for fact in corpus.TAUGHT if len(fact.others) >= 3])
    options, place = fact.draw_options(rng, 4)
    question = rng.choice(fact.questions)
    if level == "raw":
        return wording.raw_header(fact.subject) + wording.raw_question(question, options), place
    text = wording.chat(wording.exact(level, question, options).text)
    return text + ("The answer is" if level == "low" else ""), place


def _copy_probe(rng: random.Random) -> tuple[str, int]:
    options = rng.sample(corpus.WORDS, 4)
    place = rng.randrange(4)
    listed = wording.list_options(options, wording.letters(4), "{label}. {text}")
    return wording.chat(f"{listed}\nWhich letter is {options[place]}?"), place
