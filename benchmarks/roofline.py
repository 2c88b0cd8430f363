"""What share of this machine's own peak the probe reaches, and where the rest of the time goes.

    python -m benchmarks.roofline

Peak is what the same process gets out of a plain matrix product and a plain pass over memory, in
the same run. Work is counted, not guessed: two operations for every weight of a linear layer and
every token that passes it (the output layer only where logits are wanted), four for every number
of a query and every key that it meets. A decode step reads the weights once and the keys and values
that its rows see, those of a prompt once for all rows that go on from it. A pass is bound by the
larger of its two shares; near 100 % faster code has nothing left to gain from the same work.

Times are processor time of one thread on the CPU, elapsed time on a GPU. Shares of a probe are the
profiler's, whose own cost makes many small operations look a little dearer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.clock import fastest, timed
from benchmarks.command import begin, parser
from benchmarks.counted import Shape
from benchmarks.probe_vs_lm_eval import SAMPLER, SAMPLES, Case, ask_harness
from benchmarks.profiling import PARTS, spent
from benchmarks.report import Report
from benchmarks.workload import Workload, workload
from engine.linear import pack_linears
from engine.probe import Prober
from engine.records import ProbeSettings

BRANCHES = SAMPLES + 1
SHOTS = 5
_ROOM = 45 << 30
"""Free bytes that a GPU needs: the 8b model for the probe, again for the harness, and to work."""


@dataclass(frozen=True)
class Extent:
    """How much is measured.

    Attributes:
        device: Where.
        dtype: In which number format.
        sizes: Models, of :data:`benchmarks.workload.SIZES`.
        batches: Questions computed together; a line each.
        new_tokens: Longest generation.
        product: Rows and columns of the plain product's matrices.
        moved: Bytes that the plain passes over memory read.
        against_harness: Questions that lm-evaluation-harness is asked as well.
    """

    device: str
    dtype: torch.dtype
    sizes: Sequence[str]
    batches: Sequence[int]
    new_tokens: int = 32
    product: int = 2048
    moved: int = 1 << 28
    against_harness: int = 0

    @property
    def small(self) -> Extent:
        """The same with a small model and little to do."""
        return replace(
            self,
            sizes=("s6m",),
            batches=(1, 2),
            new_tokens=4,
            product=256,
            moved=1 << 22,
            against_harness=min(1, self.against_harness),
        )


ON_CPU = Extent("cpu", torch.float32, ("s6m", "m80m", "v150k"), (1, 8))
ON_GPU = Extent(
    "cuda", torch.bfloat16, ("8b",), (1, 32), product=8192, moved=1 << 32, against_harness=4
)


@dataclass(frozen=True)
class Peak:
    """The best of a machine in one number format.

    Attributes:
        products: Operations a second of a plain matrix product, by how it was made.
        passes: Bytes a second of a plain pass over memory, by what it does.
    """

    products: dict[str, float]
    passes: dict[str, float]

    @property
    def product(self) -> float:
        """Of the fastest product."""
        return max(self.products.values())

    @property
    def memory(self) -> float:
        """Of the fastest pass."""
        return max(self.passes.values())


@torch.no_grad()
def measure_peak(extent: Extent) -> Peak:
    """Measure products and passes on the device and in the number format of ``extent``."""
    device, size = torch.device(extent.device), extent.product
    left, right = (torch.randn(size, size, dtype=extent.dtype, device=device) for _ in range(2))
    operations = 2 * size**3
    products = {"torch.mm": operations / fastest(lambda: left @ right, device)}
    linear = nn.Linear(size, size, bias=False, dtype=extent.dtype, device=device)
    if pack_linears(nn.Sequential(linear)):
        products["packed weights"] = operations / fastest(lambda: linear(left), device)
    source = torch.ones(extent.moved // 4, device=device)
    target = torch.empty_like(source)
    passes = {
        "copied, read and written": 2
        * extent.moved
        / fastest(lambda: target.copy_(source), device),
        "read for its largest number": extent.moved / fastest(source.amax, device),
    }
    return Peak(products, passes)


@dataclass(frozen=True)
class Pass:
    """One kind of forward pass.

    Attributes:
        name: What it is.
        rows: Tokens that pass the layers.
        seconds: How long it took.
        operations: What it had to compute.
        moved: Bytes that it had to read; None where that is no limit.
    """

    name: str
    rows: int
    seconds: float
    operations: float
    moved: float | None = None


def measure_passes(job: Workload, new_tokens: int) -> list[Pass]:
    """Prefill and decode steps of all questions of a job together."""
    shape = Shape.of(job.loaded.model)
    lengths = [len(prompt.token_ids) for prompt in job.prompts]
    rows = BRANCHES * len(lengths)
    written = new_tokens / 2
    step = (shape.step(lengths, BRANCHES, written), shape.step_bytes(lengths, BRANCHES, written))
    return [
        Pass("prefill", sum(lengths), time_prefill(job), shape.prefill(lengths)),
        Pass("decode step", rows, time_step(job, new_tokens), *step),
        Pass("the same, drawn and recorded", rows, time_whole_step(job, new_tokens), *step),
    ]


@torch.inference_mode()
def time_prefill(job: Workload) -> float:
    """Seconds in which all prompts are computed, each of them whole."""
    ids = [prompt.token_ids for prompt in job.prompts]
    plan = job.loaded.plans.for_length(max(map(len, ids)))

    def prefill() -> None:
        job.loaded.plans.forget()
        plan.prefill(ids)

    return fastest(prefill, job.loaded.model.device)


@torch.inference_mode()
def time_step(job: Workload, new_tokens: int) -> float:
    """Seconds of a decode step's forward pass, on average, each branch a row from the first on."""
    device = job.loaded.model.device
    ids = [prompt.token_ids for prompt in job.prompts]
    plan = job.loaded.plans.for_length(max(map(len, ids)) + new_tokens)
    owners = torch.arange(len(ids), device=device).repeat_interleave(BRANCHES)

    def steps() -> float:
        session = plan.prefill(ids)
        session.branch(owners)

        def walk(tokens: Tensor) -> None:
            for _ in range(new_tokens - 1):
                tokens = session.step(tokens).argmax(-1)

        return timed(lambda: walk(session.first.argmax(-1)[owners]), device)[1]

    return min(steps() for _ in range(3)) / (new_tokens - 1)


def time_whole_step(job: Workload, new_tokens: int) -> float:
    """Seconds of a decode step with all that a probe keeps, draws and records of it, on average.

    It is the difference between a probe that generates ``new_tokens`` and one of a single token.
    """

    def seconds(tokens: int) -> float:
        settings = ProbeSettings(SAMPLES, tokens, sampler=SAMPLER, continuations=False)
        return fastest(lambda: ask(job, settings), job.loaded.model.device, repeats=2)

    return (seconds(new_tokens) - seconds(1)) / (new_tokens - 1)


def ask(job: Workload, settings: ProbeSettings) -> None:
    """Probe all questions of a job together, nothing known of them beforehand."""
    job.loaded.plans.forget()
    for _ in Prober(job.loaded).probe(job.prompts, settings, batch_size=len(job.prompts)):
        pass


def tell_peak(report: Report, extent: Extent, peak: Peak) -> None:
    """The first table."""
    where = "the GPU" if extent.device == "cuda" else f"{torch.get_num_threads()} thread(s)"
    report.heading(f"Peak of {where} in {str(extent.dtype).removeprefix('torch.')}")
    table = report.table("what", "rate")
    for how, rate in peak.products.items():
        table.row(f"product of {extent.product} x {extent.product}, {how}", _operations(rate))
    for how, rate in peak.passes.items():
        table.row(f"{extent.moved / 2**20:.0f} MiB {how}", _bytes(rate))


def tell_passes(report: Report, extent: Extent, peak: Peak, jobs: Sequence[Workload]) -> None:
    """The table of shares."""
    report.heading(f"Shares of the peak, {SHOTS} shots, {BRANCHES} texts a question")
    table = report.table(
        "model", "questions", "pass", "rows", "ms", "operations/s", "of the product", "bytes/s",
        "of the memory",
    )  # fmt: skip
    for job in jobs:
        for found in measure_passes(job, extent.new_tokens):
            computed = found.operations / found.seconds
            read = None if found.moved is None else found.moved / found.seconds
            table.row(
                job.loaded.info.name,
                len(job.prompts),
                found.name,
                found.rows,
                f"{found.seconds * 1e3:.1f}",
                _operations(computed),
                f"{computed / peak.product:.0%}",
                "-" if read is None else _bytes(read),
                "-" if read is None else f"{read / peak.memory:.0%}",
            )


def tell_parts(report: Report, extent: Extent, jobs: Sequence[Workload]) -> None:
    """The table of where the time of a whole probe goes."""
    kind = "time in kernels" if extent.device == "cuda" else "time"
    report.heading(f"Where the {kind} of a whole probe goes, {extent.new_tokens} new tokens")
    table = report.table("model", "questions", "ms/question", *PARTS)
    settings = ProbeSettings(SAMPLES, extent.new_tokens, sampler=SAMPLER)
    for job in jobs:
        probe, device = partial(ask, job, settings), job.loaded.model.device
        each = fastest(probe, device, repeats=1) / len(job.prompts)
        seconds = spent(probe, device)
        total = sum(seconds.values())
        shares = [f"{seconds[part] / total:.0%}" for part in PARTS]
        table.row(job.loaded.info.name, len(job.prompts), f"{each * 1e3:.1f}", *shares)


def tell_harness(report: Report, extent: Extent, jobs: Sequence[Workload]) -> None:
    """The table against lm-evaluation-harness."""
    count = extent.against_harness
    report.heading(f"Against lm-evaluation-harness, {count} questions")
    table = report.table("model", "probe s/question", "harness s/question", "ratio")
    for whole in jobs:
        job = first(whole, count)
        name, device = job.loaded.info.name, job.loaded.model.device
        case = Case(name, SHOTS, extent.new_tokens, count, extent.dtype, batch_sizes=(count,))
        settings = ProbeSettings(SAMPLES, extent.new_tokens, sampler=SAMPLER)
        ours = fastest(partial(ask, job, settings), device)
        theirs = fastest(partial(ask_harness, job, case), device, repeats=1)
        table.row(name, f"{ours / count:.3f}", f"{theirs / count:.3f}", f"{theirs / ours:.1f}x")


def first(job: Workload, count: int) -> Workload:
    """The same with the first questions only."""
    return replace(job, prompts=job.prompts[:count])


def measure(report: Report, extent: Extent) -> None:
    """Everything about one device."""
    peak = measure_peak(extent)
    tell_peak(report, extent, peak)
    most = max([*extent.batches, extent.against_harness])
    models = [
        workload(size, questions=most, shots=SHOTS, dtype=extent.dtype, device=extent.device)
        for size in extent.sizes
    ]
    jobs = [first(job, count) for job in models for count in extent.batches]
    tell_passes(report, extent, peak, jobs)
    tell_parts(report, extent, jobs)
    if extent.against_harness:
        tell_harness(report, extent, models)


def _operations(rate: float) -> str:
    return f"{rate / 1e12:.1f} TFLOP/s" if rate >= 1e12 else f"{rate / 1e9:.0f} GFLOP/s"


def _bytes(rate: float) -> str:
    return f"{rate / 1e9:.1f} GB/s"


def why_no_gpu() -> str:
    """Why nothing is measured on a GPU; empty where it can be."""
    if not torch.cuda.is_available():
        return "Not run on a GPU: this machine has none."
    free = torch.cuda.mem_get_info()[0]
    if free < _ROOM:
        return f"Not run on a GPU: {_gib(free)} are free on this one, {_gib(_ROOM)} are needed."
    return ""


def _gib(size: int) -> str:
    return f"{size / 2**30:.0f} GiB"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the CPU, and the GPU where there is one."""
    options = parser(__doc__ or "").parse_args(arguments)
    report = begin("roofline", __doc__ or "", options)
    obstacle = why_no_gpu()
    extents = [ON_CPU] if obstacle else [ON_CPU, ON_GPU]
    if options.quick:
        # The CPU takes the place of a GPU that can't be used, so that the same code has run.
        stand_in = replace(ON_GPU, device="cpu") if obstacle else ON_GPU
        extents = [ON_CPU.small, stand_in.small]
    for extent in extents:
        measure(report, extent)
    if obstacle:
        report.note(obstacle)
    report.write()


if __name__ == "__main__":
    main()
