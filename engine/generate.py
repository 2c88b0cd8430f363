"""Greedy and sampled generations of a batch of prompts, decoded together step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.plans import Session
from engine.records import Generation, Positions, ProbeSettings
from engine.reduce import Reduced, ranks, reduce_logits
from engine.rendered import Asked
from engine.sampling import Sampler, key64

_WORTH_DROPPING = 1 / 8
"""Share of rows that nobody needs from which it pays to take them out."""


class Stopped(Exception):  # noqa: N818
    """The caller asked to stop; raised before a forward pass and caught where work was begun."""


class Generator:
    """The generations of one batch: for every prompt the same numbers.

    Args:
        session: The computed prompts.
        prompts: The same prompts, rendered.
        settings: What to generate.
        stop_ids: Tokens that end a generation.
        numbers: Which generations of a prompt, ascending: 0 is the greedy one, samples count from
            1. Those of the settings when left out.
    """

    def __init__(
        self,
        session: Session,
        prompts: Sequence[Asked],
        settings: ProbeSettings,
        stop_ids: Sequence[int],
        numbers: Sequence[int] | None = None,
    ) -> None:
        self._session = session
        self._settings = settings
        self._sampler = Sampler(settings.sampler)
        device = session.first.device
        self._numbers = range(settings.samples + 1) if numbers is None else numbers
        self._width = len(self._numbers)
        total = len(prompts) * self._width
        self._samples = torch.tensor([n > 0 for n in self._numbers], device=device)
        self._owners = torch.arange(len(prompts), device=device).repeat_interleave(self._width)
        self._stop_ids = torch.tensor(list(stop_ids), dtype=torch.long, device=device)
        self._keys = torch.tensor(
            [
                key64(settings.seed, prompt.question_id, prompt.order, prompt.format, sample)
                for prompt in prompts
                for sample in self._numbers
            ],
            device=device,
        )
        self._prompt_ids = _padded([prompt.token_ids for prompt in prompts], device)
        self._start = 0
        self._limit = settings.max_new_tokens
        self._columns = _Columns(self._limit, total, settings.kept, session.first)
        self._lengths = torch.zeros(total, dtype=torch.long, device=device)

    def begin_with(self, written: Tensor, logits: Tensor) -> None:
        """Give every generation the same beginning, whose last token is the session's last.

        What follows is as long as it would be without the beginning.

        Args:
            written: [tokens] the beginning.
            logits: [tokens, vocabulary] float32, those before each of its tokens.
        """
        everyone = torch.arange(len(self._owners), device=written.device)
        self._start = len(written)
        self._limit = self._start + self._settings.max_new_tokens
        self._columns = _Columns(self._limit, len(everyone), self._settings.kept, logits)
        reduced = reduce_logits(logits, self._settings.kept)
        for step, token in enumerate(written):
            row = torch.full_like(everyone, step)
            self._record(step, everyone, token.expand_as(everyone), logits, row, reduced.rows(row))
        if bool(torch.isin(written[-1:], self._stop_ids)):
            self._lengths.fill_(self._start)

    def run(
        self,
        before_forward: Callable[[], None],
        on_step: Callable[[int, list[list[int | None]]], None] | None,
        first: Reduced | None = None,
    ) -> None:
        """Generate until every branch has ended.

        Args:
            before_forward: Called before every forward pass; may raise to stop.
            on_step: Called with the step and, for each prompt, each branch's newest token.
            first: The session's first logits reduced, where that is known already.
        """
        running = (self._lengths == 0).nonzero().squeeze(1)
        logits, rows = self._session.first, self._owners
        reduced = first or reduce_logits(logits, self._settings.kept)
        for step in range(self._start, self._limit):
            if len(running) == 0:
                break
            tokens = self._choose(step, running, logits, rows, reduced.rows(rows))
            if on_step is not None:
                on_step(step, self._newest(running, tokens))
            ended = torch.isin(tokens, self._stop_ids)
            self._lengths[running[ended]] = step + 1
            running, rows, tokens = running[~ended], rows[~ended], tokens[~ended]
            if len(running) == 0 or step == self._limit - 1:
                break
            fed, rows = self._arrange(step, rows, tokens, reduced)
            before_forward()
            logits = self._session.step(fed)
            reduced = reduce_logits(logits, self._settings.kept)

    def _arrange(
        self, step: int, rows: Tensor, tokens: Tensor, reduced: Reduced
    ) -> tuple[Tensor, Tensor]:
        """Give every distinct text so far one row of the next forward pass.

        Generations that have written the same tokens are one row until they part. A row that
        nobody needs any more stays until there are enough of them to be worth the copying.

        Args:
            step: Number of the token just chosen.
            rows: Row of the last logits that each running branch's token was chosen from.
            tokens: Those tokens.
            reduced: The last logits reduced.

        Returns:
            The tokens to feed, and for each running branch its row among them.
        """
        if self._session.fixed:
            return self._keep_rows(step, rows, tokens, reduced)
        size = self._session.first.shape[1]
        texts, text_of = torch.unique(rows * size + tokens, return_inverse=True)
        parents, fed = texts // size, texts % size
        if step == self._start:
            self._session.branch(parents)
            return fed, text_of
        before = len(reduced.logsumexp)
        split = bool((parents[1:] == parents[:-1]).any())
        if split or len(parents) <= (1 - _WORTH_DROPPING) * before:
            self._session.select(parents)
            return fed, text_of
        return reduced.ids[:, 0].scatter(0, parents, fed), parents[text_of]

    def _keep_rows(
        self, step: int, rows: Tensor, tokens: Tensor, reduced: Reduced
    ) -> tuple[Tensor, Tensor]:
        """As :meth:`_arrange`, a row for every generation until half of them have ended."""
        everyone = torch.arange(len(rows), device=rows.device)
        if step == self._start:
            self._session.branch(rows)
            return tokens, everyone
        if 2 * len(rows) <= len(reduced.logsumexp):
            self._session.select(rows)
            return tokens, everyone
        return reduced.ids[:, 0].scatter(0, rows, tokens), rows

    def _choose(
        self, step: int, running: Tensor, logits: Tensor, rows: Tensor, reduced: Reduced
    ) -> Tensor:
        """Choose and record the next token of every running branch.

        Args:
            step: Number of the token.
            running: The branches that have not ended.
            logits: As many rows as there are distinct texts.
            rows: Row of ``logits`` of each running branch.
            reduced: The reduction of ``logits[rows]``.
        """
        tokens = reduced.ids[:, 0].clone()
        sampled = self._samples[running % self._width].nonzero().squeeze(1)
        if len(sampled):
            branches = running[sampled]
            drawn = self._sampler.draw(
                logits,
                rows[sampled],
                reduced.rows(sampled),
                self._keys[branches],
                step,
                self._seen(branches, step) if self._sampler.penalizes else None,
            )
            tokens[sampled] = drawn.tokens
            self._columns.sampler[:, step, branches] = torch.stack(
                [drawn.logprobs, drawn.logsumexps, drawn.cutoffs]
            )
        self._record(step, running, tokens, logits, rows, reduced)
        return tokens

    def _record(
        self,
        step: int,
        branches: Tensor,
        tokens: Tensor,
        logits: Tensor,
        rows: Tensor,
        reduced: Reduced,
    ) -> None:
        """Record one token of some branches, each written after a row of the logits."""
        logprobs = logits[rows, tokens] - reduced.logsumexp
        rank = ranks(logits, rows, reduced, tokens)
        self._columns.record(step, branches, tokens, logprobs, rank, reduced)

    def _seen(self, branches: Tensor, step: int) -> Tensor:
        """Prompt and text so far of each branch, [branches, tokens]."""
        written = self._columns.tokens[:step, branches].T
        return torch.cat([self._prompt_ids[self._owners[branches]], written], 1)

    def _newest(self, branches: Tensor, tokens: Tensor) -> list[list[int | None]]:
        newest: list[int | None] = [None] * len(self._owners)
        for branch, token in zip(branches.tolist(), tokens.tolist(), strict=True):
            newest[branch] = token
        return [newest[at : at + self._width] for at in range(0, len(newest), self._width)]

    def results(self, tokenizer: Any) -> list[list[Generation]]:
        """The generations of each prompt, greedy first."""
        lengths = self._lengths.tolist()
        self._columns.to_cpu()
        generations = [
            self._result(branch, length, tokenizer) for branch, length in enumerate(lengths)
        ]
        return [
            generations[at : at + self._width] for at in range(0, len(generations), self._width)
        ]

    def _result(self, branch: int, length: int, tokenizer: Any) -> Generation:
        stopped = length > 0
        index = self._numbers[branch % self._width]
        positions = self._columns.positions(branch, length or self._limit, sampled=index > 0)
        text_ids = positions.token_ids[:-1] if stopped else positions.token_ids
        return Generation(
            kind="sample" if index else "greedy",
            index=index,
            text=tokenizer.decode(
                text_ids, skip_special_tokens=False, clean_up_tokenization_spaces=False
            ),
            finish_reason="stop" if stopped else "length",
            positions=positions,
        )


class _Columns:
    """What is recorded of every token of every branch, as [steps, branches] tensors."""

    def __init__(self, steps: int, branches: int, kept: int, logits: Tensor) -> None:
        kept = min(kept, logits.shape[1])
        self.tokens = torch.zeros(steps, branches, dtype=torch.long, device=logits.device)
        self.ranks = torch.zeros_like(self.tokens)
        self.top_ids = self.tokens.new_zeros(steps, branches, kept)
        self.top_logprobs = logits.new_zeros(steps, branches, kept)
        self.measures = logits.new_zeros(5, steps, branches)
        """Logprob, entropy, logsumexp, unseen, margin."""
        self.sampler = logits.new_zeros(3, steps, branches)
        """Logprob after the sampler, its logsumexp, its cutoff."""

    def record(
        self,
        step: int,
        branches: Tensor,
        tokens: Tensor,
        logprobs: Tensor,
        rank: Tensor,
        reduced: Reduced,
    ) -> None:
        """Write one step of some branches."""
        self.tokens[step, branches] = tokens
        self.ranks[step, branches] = rank
        self.top_ids[step, branches] = reduced.ids
        self.top_logprobs[step, branches] = reduced.values - reduced.logsumexp.unsqueeze(1)
        self.measures[:, step, branches] = torch.stack(
            [logprobs, reduced.entropy, reduced.logsumexp, reduced.unseen, reduced.margin]
        )

    def to_cpu(self) -> None:
        """Bring everything to the CPU in a few transfers."""
        for name, column in vars(self).items():
            setattr(self, name, column.cpu())

    def positions(self, branch: int, length: int, *, sampled: bool) -> Positions:
        """One branch as a record."""
        measures = self.measures[:, :length, branch].tolist()
        logprobs, entropies, logsumexps, unseen, margins = measures
        sampler = self.sampler[:, :length, branch].tolist() if sampled else (None, None, None)
        return Positions(
            token_ids=self.tokens[:length, branch].tolist(),
            logprobs=logprobs,
            ranks=self.ranks[:length, branch].tolist(),
            entropies=entropies,
            logsumexps=logsumexps,
            unseen=unseen,
            top_ids=self.top_ids[:length, branch].tolist(),
            top_logprobs=self.top_logprobs[:length, branch].tolist(),
            sampler_logprobs=sampler[0],
            sampler_logsumexps=sampler[1],
            sampler_cutoffs=sampler[2],
            margins=margins,
        )


def _padded(texts: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """[texts, longest] token ids, padded with a token of the same text."""
    longest = max(map(len, texts))
    rows = [[*text, *[text[-1]] * (longest - len(text))] for text in texts]
    return torch.tensor(rows, dtype=torch.long, device=device)
