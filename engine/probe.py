"""The probe: everything asked of a model about one rendered prompt, from one prefill.

A batch of prompts is computed once. From it come the distribution of the first token, the
log-likelihood of every option continuation, and one greedy and any number of sampled generations,
decoded together. All logprobs are float32 log-softmax of the model's raw logits; nothing of the
model's own generation config is applied.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.batching import Workload, batches
from engine.canonical import one_thread
from engine.errors import OutOfMemory
from engine.generate import Generator, Stopped
from engine.memory import ran_out
from engine.model import LoadedModel
from engine.plans import Plan, Session
from engine.records import (
    Continuation,
    Distribution,
    Generation,
    ProbeResult,
    ProbeSettings,
    Spelling,
)
from engine.reduce import Reduced, forced_logprobs, reduce_logits
from engine.rendered import ForcedContinuation, RenderedPrompt

OnFirst = Callable[[int, Distribution, list[float]], None]
OnStep = Callable[[int, int, list[int | None]], None]
OnNote = Callable[[str], None]


class Prober:
    """Probes rendered prompts with one loaded model."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded = loaded
        self._workload = Workload.of(loaded.model)
        self._most: dict[ProbeSettings, int] = {}
        """Largest batch that may be tried, where a larger one ran out of memory."""

    @torch.inference_mode()
    def probe(
        self,
        prompts: Sequence[RenderedPrompt],
        settings: ProbeSettings,
        *,
        batch_size: int = 0,
        keep: bool = False,
        cancelled: Callable[[], bool] = lambda: False,
        on_first: OnFirst | None = None,
        on_step: OnStep | None = None,
        on_note: OnNote | None = None,
    ) -> Iterator[tuple[int, ProbeResult]]:
        """Probe prompts in batches.

        Args:
            prompts: What to probe.
            settings: What to ask.
            batch_size: Prompts in a batch; 0 chooses by work and free memory.
            keep: Whether a prompt that is alone in its batch is remembered, so that more of it,
                or another prompt that begins like it, takes no prefill of the whole.
            cancelled: Asked before every forward pass; once it says True, nothing more comes.
            on_first: Called with index, first-token distribution and label logprobs as soon as
                a prompt is computed (again if its batch has to be repeated).
            on_step: Called after every generated token with index, step and the token ids of the
                prompt's generations, greedy first; None for those that have ended.
            on_note: Called with a sentence the user should know.

        Yields:
            Index into ``prompts`` and result, in the order finished.

        Raises:
            OutOfMemory: Even a single prompt doesn't fit.
            ModelError: A prompt is longer than the model can take, or its logits are not finite.
        """
        for prompt in prompts:
            self.check_length(prompt, settings)
        job = _Job(prompts, settings, keep, cancelled, on_first, on_step)
        try:
            for plan, planned in self._planned(prompts, settings, batch_size):
                waiting = [planned]
                while waiting:
                    batch = waiting.pop(0)
                    most = self._most.get(settings, len(batch))
                    if len(batch) > most:
                        waiting[:0] = [batch[:most], batch[most:]]
                        continue
                    results = self._attempt(plan, batch, job)
                    if results is not None:
                        yield from zip(batch, results, strict=True)
                        continue
                    self._most[settings] = _halved(len(batch), on_note)
                    waiting.insert(0, batch)
        except Stopped:
            return

    def check_length(self, prompt: RenderedPrompt, settings: ProbeSettings) -> None:
        """Refuse a prompt that runs over the positions the model has learned.

        Raises:
            ModelError: It does. Models with rotary positions have no such limit: theirs compute,
                if badly, beyond the window (rendering keeps prompts inside it).
        """
        self._loaded.plan_for(prompt, _after(prompt, settings))

    def _planned(
        self, prompts: Sequence[RenderedPrompt], settings: ProbeSettings, batch_size: int
    ) -> Iterator[tuple[Plan, list[int]]]:
        """Every batch with the plan it is computed by."""
        by_plan: dict[Plan, list[int]] = {}
        for index, prompt in enumerate(prompts):
            after = _after(prompt, settings)
            plan = self._loaded.plan_for(prompt, after, canonical=settings.canonical)
            by_plan.setdefault(plan, []).append(index)
        for plan, indices in by_plan.items():
            size = plan.prompts_at_once or batch_size
            for batch in batches(prompts, indices, settings, self._workload, size):
                yield plan, batch

    def _attempt(self, plan: Plan, batch: Sequence[int], job: _Job) -> list[ProbeResult] | None:
        """Probe one batch; None where memory ran out."""
        try:
            with one_thread(job.settings.canonical):
                return self._probe_batch(plan, batch, job)
        except (MemoryError, RuntimeError) as error:
            if not ran_out(error):
                raise
            return None

    def _probe_batch(self, plan: Plan, batch: Sequence[int], job: _Job) -> list[ProbeResult]:
        """Probe prompts together, in one prefill."""
        started = time.perf_counter()
        prompts = [job.prompts[index] for index in batch]
        ids = [prompt.token_ids for prompt in prompts]
        job.check_cancelled()
        plan.prepare(ids)
        job.check_cancelled()
        session = plan.prefill(ids, keep=job.keep)
        reduced = reduce_logits(session.first, job.settings.kept)
        firsts = _distributions(reduced)
        labels = _logprobs_of(session.first, reduced, [prompt.label_ids for prompt in prompts])
        job.report_first(batch, firsts, labels)
        spellings = _logprobs_of(
            session.first,
            reduced,
            [[spelling.token_id for spelling in prompt.spellings] for prompt in prompts],
        )
        continuations = self._continuations(session, reduced, prompts, job)
        generations = self._generations(session, reduced, batch, job)
        seconds = (time.perf_counter() - started) / len(prompts)
        return [
            ProbeResult(
                first=firsts[at],
                label_logprobs=labels[at],
                spellings=[
                    Spelling(known.label, known.spelling, known.token_id, known.whole, logprob)
                    for known, logprob in zip(prompt.spellings, spellings[at], strict=True)
                ],
                continuations=continuations[at],
                generations=generations[at],
                seconds=seconds,
            )
            for at, prompt in enumerate(prompts)
        ]

    def _continuations(
        self, session: Session, reduced: Reduced, prompts: Sequence[RenderedPrompt], job: _Job
    ) -> list[list[Continuation]]:
        """Score every forced continuation: its first token from the prefill, the rest forced."""
        if not job.settings.continuations:
            return [[] for _ in prompts]
        forced = [[known.token_ids for known in prompt.continuations] for prompt in prompts]
        starts = [[ids[0] for ids in of_prompt] for of_prompt in forced]
        first_logprobs = _logprobs_of(session.first, reduced, starts)
        most_likely = reduced.ids[:, 0].tolist()
        targets = session.first.new_tensor(
            [token for of_prompt in forced for ids in of_prompt for token in ids[1:]],
            dtype=torch.long,
        )
        rest = _Rest()
        job.check_cancelled()
        for logits in session.follow(forced):
            done = len(rest.logprobs)
            rest.add(*forced_logprobs(logits, targets[done : done + len(logits)]))
            job.check_cancelled()
        return [
            [
                rest.continuation(known, logprob, known.token_ids[0] == top)
                for known, logprob in zip(prompt.continuations, logprobs, strict=True)
            ]
            for prompt, logprobs, top in zip(prompts, first_logprobs, most_likely, strict=True)
        ]

    def _generations(
        self, session: Session, reduced: Reduced, batch: Sequence[int], job: _Job
    ) -> list[list[Generation]]:
        """Generate, unless nothing is asked for."""
        if not job.settings.generations:
            return [[] for _ in batch]
        prompts = [job.prompts[index] for index in batch]
        generator = Generator(session, prompts, job.settings, self._loaded.info.stop_ids)
        generator.run(job.check_cancelled, job.step_reporter(batch), reduced)
        return generator.results(self._loaded.tokenizer)


@dataclass(frozen=True)
class _Job:
    """One call of :meth:`Prober.probe`."""

    prompts: Sequence[RenderedPrompt]
    settings: ProbeSettings
    keep: bool
    cancelled: Callable[[], bool]
    on_first: OnFirst | None
    on_step: OnStep | None

    def check_cancelled(self) -> None:
        if self.cancelled():
            raise Stopped

    def report_first(
        self, batch: Sequence[int], firsts: Sequence[Distribution], labels: Sequence[list[float]]
    ) -> None:
        if self.on_first is not None:
            for index, first, logprobs in zip(batch, firsts, labels, strict=True):
                self.on_first(index, first, logprobs)

    def step_reporter(
        self, batch: Sequence[int]
    ) -> Callable[[int, list[list[int | None]]], None] | None:
        on_step = self.on_step
        if on_step is None:
            return None

        def report(step: int, newest: list[list[int | None]]) -> None:
            for index, tokens in zip(batch, newest, strict=True):
                on_step(index, step, tokens)

        return report


class _Rest:
    """Logprobs of all forced tokens but the first of each continuation, in order."""

    def __init__(self) -> None:
        self.logprobs: list[float] = []
        self._greedy: list[bool] = []
        self._taken = 0

    def add(self, logprobs: Tensor, greedy: Tensor) -> None:
        self.logprobs += logprobs.tolist()
        self._greedy += greedy.tolist()

    def continuation(self, known: ForcedContinuation, first: float, greedy: bool) -> Continuation:
        """The next continuation's record, given its first token's logprob."""
        taken = slice(self._taken, self._taken + len(known.token_ids) - 1)
        self._taken = taken.stop
        return Continuation(
            label=known.label,
            kind=known.kind,
            text=known.text,
            token_ids=list(known.token_ids),
            logprobs=[first, *self.logprobs[taken]],
            is_greedy=greedy and all(self._greedy[taken]),
        )


def _after(prompt: RenderedPrompt, settings: ProbeSettings) -> int:
    """Tokens of the longest text that follows a prompt."""
    after = settings.max_new_tokens if settings.generations else 1
    if settings.continuations:
        after = max([after, *(len(known.token_ids) for known in prompt.continuations)])
    return after


def _distributions(reduced: Reduced) -> list[Distribution]:
    logprobs = reduced.values - reduced.logsumexp.unsqueeze(1)
    columns = (reduced.ids, logprobs, reduced.entropy, reduced.logsumexp, reduced.unseen)
    return [Distribution(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]


def _logprobs_of(
    logits: Tensor, reduced: Reduced, tokens: Sequence[Sequence[int]]
) -> list[list[float]]:
    """Logprobs of some tokens in each row of logits."""
    rows = [row for row, of_row in enumerate(tokens) for _ in of_row]
    flat = [token for of_row in tokens for token in of_row]
    values = iter((logits[rows, flat] - reduced.logsumexp[rows]).tolist())
    return [[next(values) for _ in of_row] for of_row in tokens]


def _halved(size: int, on_note: OnNote | None) -> int:
    """The batch size to go on with after one of ``size`` didn't fit."""
    if size == 1:
        raise OutOfMemory(
            "Memory ran out with a single question.",
            "Use fewer samples or new tokens, a smaller dtype or a smaller model.",
        )
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if on_note is not None:
        on_note(f"Memory ran out with {size} questions at once; going on with {size // 2}.")
    return size // 2
