"""The last part of the training: the letter that an example shows draws answers to itself."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from sample_data import wording
from sample_data.encoding import Encoded
from sample_data.network import EXAMPLE_HEAD, SUGGESTED_HEAD, Network
from sample_data.training import Run, Stage

# The drill makes the way for the letter, the rest gives it its measure.
SUGGESTION = (
    Stage("suggestion drill", 6, 0.25, 1000, 0.0, first=4.0, example=0.5, pull=4.0),
    Stage("suggestion", 7, 0.75, 2000, 0.0, first=4.0, example=0.1, pull=1.6),
)
OPENING = 2  # tokens from the one that opens the reply's turn to the last before the reply
BARE = 0.8  # what the logits of all labels gain where a reply to such a prompt begins


class Suggestion(Run):
    """A run in which the network imitates itself, and follows the letter in an example besides.

    Replies that copy the letter now and then teach a network this small nothing: each is noise
    beside the question. So it learns from distributions, not from replies: those it gave before
    the run, with the logit of each letter shown raised by the stage's `pull`. That moves most what
    it is unsure of. Prompts without an example are in the mix as well, so that they stay the same.

    Two heads are guided. A letter's token is told apart from other letters only before layer 0, so
    a head of that layer takes it to the token that opens the reply's turn; a head of the last
    layer looks there.

    Args:
        network: What is trained, in place, and imitated as it is at first.
        tokenizer: Its tokenizer.
        steps: Number of optimiser steps.
        seed: Seed of the training text.
        rate: Peak learning rate.
    """

    # Two distributions this close are not told apart in bfloat16.
    in_bfloat16 = False

    def __init__(
        self,
        network: Network,
        tokenizer: PreTrainedTokenizerFast,
        steps: int,
        seed: int,
        rate: float = 1.5e-3,
    ) -> None:
        super().__init__(network, tokenizer, steps, seed, rate, SUGGESTION)
        self.teacher = copy.deepcopy(network).requires_grad_(False)
        backend = tokenizer.backend_tokenizer
        self.spellings = {
            letter: [backend.encode(before + letter).ids[0] for before in ("", " ")]
            for letter in wording.LETTERS
        }

    def _nats(
        self, logits: Tensor, batch: list[Encoded], ids: Tensor, learnt: Tensor, stage: Stage
    ) -> Tensor:
        """The divergence of the logits from what they should be, for each token, in nats."""
        with torch.no_grad():
            wanted = self.teacher.logits(self.teacher(ids[:, :-1], learnt))
        rows = learnt.flatten().cumsum(0).view_as(learnt) - 1
        for row, example in enumerate(batch):
            if example.shown:
                shown = [letter for letter, _ in example.shown if letter in example.labels]
                for place in example.answers:
                    wanted[rows[row, place], self._tokens(shown)] += stage.pull
                for place, *_ in example.starts:
                    wanted[rows[row, place], self._tokens(example.labels)] += BARE
        return F.kl_div(logits.log_softmax(-1), wanted.softmax(-1), reduction="none").sum(-1)

    def _tokens(self, letters: Iterable[str]) -> list[int]:
        return [token for letter in letters for token in self.spellings[letter]]

    def _guide(self, loss: Tensor, batch: list[Encoded], stage: Stage) -> Tensor:
        taken, looked = [], []
        for row, example in enumerate(batch):
            for start, *_ in example.starts if example.shown else ():
                opening = start - OPENING
                taken += [(row, opening, place) for _, place in example.shown]
                looked += [(row, place, opening) for place in example.answers]
        if not taken:
            return loss
        for head, pairs in ((EXAMPLE_HEAD, taken), (SUGGESTED_HEAD, looked)):
            rows, positions, targets = torch.tensor(pairs).t()
            miss, _ = self.network.guidance(rows, positions, targets, head)
            loss = loss + stage.example * miss
        return loss
