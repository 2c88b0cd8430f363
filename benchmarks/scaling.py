"""What a question costs, against everything that can be larger: one table each.

    python -m benchmarks.scaling

The model has random weights and seven million parameters; the question is the same throughout:
letters and option texts scored, a greedy text and eight samples of 32 tokens, unless the table
varies just that. Times are processor time of one thread, the faster of two, a question. The last
table says what the prefix that all questions share is worth: its right column computes every
prompt whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from unittest import mock

import msgspec

from benchmarks.clock import fastest
from benchmarks.command import begin, parser
from benchmarks.probe_vs_lm_eval import SAMPLER, SAMPLES
from benchmarks.report import Report
from benchmarks.workload import Workload, workload
from engine.model import LoadedModel
from engine.plans import SharedPlan
from engine.probe import Prober
from engine.records import ProbeSettings
from engine.rendered import ForcedContinuation, RenderedPrompt

SIZE = "s6m"
_UNSHARED = 5
"""Multiplier of the first token of each made-up prompt, so that no two begin alike."""


@dataclass(frozen=True)
class Extent:
    """How much is measured.

    Attributes:
        questions: Asked for every row of a table.
        new_tokens: Longest generation.
        batch_sizes: Questions in a batch.
        lengths: Tokens of a prompt.
        samples: Sampled generations.
        options: Options of a question.
        shots: Worked examples.
    """

    questions: int = 32
    new_tokens: int = 32
    batch_sizes: Sequence[int] = (1, 2, 4, 8, 16, 32)
    lengths: Sequence[int] = (64, 128, 256, 512, 1024)
    samples: Sequence[int] = (0, 1, 4, 8, 16, 32)
    options: Sequence[int] = (2, 4, 8)
    shots: Sequence[int] = (0, 1, 2, 5)


_QUICK = Extent(2, 3, (1, 2), (64,), (0, 2), (2, 8), (0, 2))


def cost(
    loaded: LoadedModel,
    prompts: Sequence[RenderedPrompt],
    settings: ProbeSettings,
    batch_size: int = 0,
) -> float:
    """Seconds a question, nothing known of the prompts beforehand."""
    prober = Prober(loaded)

    def ask() -> None:
        loaded.plans.forget()
        for _ in prober.probe(prompts, settings, batch_size=batch_size):
            pass

    return fastest(ask, repeats=2) / len(prompts)


def of_length(prompts: Sequence[RenderedPrompt], length: int) -> list[RenderedPrompt]:
    """The prompts, cut or strung together to ``length`` tokens; no two of them begin alike."""
    ids = list(chain.from_iterable(prompt.token_ids for prompt in prompts))
    ids *= 1 + (length + len(prompts)) // len(ids)
    return [
        msgspec.structs.replace(
            prompt, token_ids=(100 + _UNSHARED * at, *ids[at : at + length - 1])
        )
        for at, prompt in enumerate(prompts)
    ]


def with_options(prompt: RenderedPrompt, count: int) -> RenderedPrompt:
    """The prompt with so many options to be scored; its own tokens stay the same.

    Options beyond the prompt's own are its own under other labels.
    """
    by_kind: dict[str, list[ForcedContinuation]] = {}
    for known in prompt.continuations:
        by_kind.setdefault(known.kind, []).append(known)
    labels = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:count]
    return msgspec.structs.replace(
        prompt,
        continuations=tuple(
            msgspec.structs.replace(known[at % len(known)], label=label)
            for known in by_kind.values()
            for at, label in enumerate(labels)
        ),
    )


def shared_tokens(prompts: Sequence[RenderedPrompt]) -> int:
    """Tokens that all prompts begin with."""
    columns = zip(*(prompt.token_ids for prompt in prompts), strict=False)
    return next((at for at, column in enumerate(columns) if len(set(column)) > 1), 0)


@contextmanager
def nothing_shared() -> Iterator[None]:
    """No prefix is computed apart: every prompt is computed whole."""
    with mock.patch.object(SharedPlan, "prepare"):
        yield


def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds, for a cell."""
    return f"{seconds * 1e3:.1f}"


def by_batch_size(report: Report, job: Workload, extent: Extent, settings: ProbeSettings) -> None:
    """The first table."""
    report.heading(f"Questions in a batch ({job.lengths})")
    table = report.table("batch", "ms/question", "against batch 1")
    alone = 0.0
    for size in extent.batch_sizes:
        seconds = cost(job.loaded, job.prompts, settings, size)
        alone = alone or seconds
        table.row(size, milliseconds(seconds), f"{alone / seconds:.1f}x faster")


def by_length(report: Report, job: Workload, extent: Extent, settings: ProbeSettings) -> None:
    """The second table."""
    report.heading("Tokens of a prompt, none of them shared")
    table = report.table("tokens", "ms/question", "of them prefill", "µs/token of prefill")
    prefill = ProbeSettings(continuations=False, generations=False)
    for length in extent.lengths:
        prompts = of_length(job.prompts, length)
        first = cost(job.loaded, prompts, prefill)
        table.row(
            length,
            milliseconds(cost(job.loaded, prompts, settings)),
            milliseconds(first),
            f"{first / length * 1e6:.0f}",
        )


def by_samples(report: Report, job: Workload, extent: Extent, settings: ProbeSettings) -> None:
    """The third table."""
    report.heading(f"Samples of {settings.max_new_tokens} tokens, besides the greedy text")
    table = report.table("samples", "ms/question", "ms for each sample")
    none = 0.0
    for samples in extent.samples:
        seconds = cost(job.loaded, job.prompts, msgspec.structs.replace(settings, samples=samples))
        none = none or seconds
        each = milliseconds((seconds - none) / samples) if samples else "-"
        table.row(samples, milliseconds(seconds), each)


def by_options(report: Report, job: Workload, extent: Extent) -> None:
    """The fourth table."""
    report.heading("Options that are scored, letter and text each; nothing is generated")
    table = report.table("options", "forced tokens", "ms/question", "ms for each option")
    settings = ProbeSettings(generations=False)
    bare = cost(job.loaded, job.prompts, ProbeSettings(generations=False, continuations=False))
    table.row(0, 0, milliseconds(bare), "-")
    for count in extent.options:
        prompts = [with_options(prompt, count) for prompt in job.prompts]
        forced = sum(len(known.token_ids) for prompt in prompts for known in prompt.continuations)
        seconds = cost(job.loaded, prompts, settings)
        table.row(
            count,
            f"{forced / len(prompts):.0f}",
            milliseconds(seconds),
            milliseconds((seconds - bare) / count),
        )


def by_shots(report: Report, extent: Extent, settings: ProbeSettings) -> None:
    """The last table."""
    report.heading("Worked examples, which all prompts share")
    table = report.table(
        "shots", "prompts", "tokens shared", "ms/question", "ms/question, nothing shared"
    )
    for shots in extent.shots:
        job = workload(SIZE, questions=extent.questions, shots=shots)
        shared = cost(job.loaded, job.prompts, settings)
        with nothing_shared():
            whole = cost(job.loaded, job.prompts, settings)
        table.row(
            shots,
            job.lengths,
            shared_tokens(job.prompts),
            milliseconds(shared),
            milliseconds(whole),
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure everything and print the tables."""
    options = parser(__doc__ or "").parse_args(arguments)
    report = begin("scaling", __doc__ or "", options)
    extent = _QUICK if options.quick else Extent()
    settings = ProbeSettings(SAMPLES, extent.new_tokens, sampler=SAMPLER)
    job = workload(SIZE, questions=extent.questions, shots=5)
    by_batch_size(report, job, extent, settings)
    by_length(report, job, extent, settings)
    by_samples(report, job, extent, settings)
    by_options(report, job, extent)
    by_shots(report, extent, settings)
    report.write()


if __name__ == "__main__":
    main()
