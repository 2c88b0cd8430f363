"""What share of this machine's own peak the probe reaches, and where the rest of the time goes.

    python -m benchmarks.roofline

Peak is what the same process gets out of a plain matrix product and a plain copy, measured in the
same run. Work is counted, not guessed: two operations for every weight of a linear layer and every
token that passes it (the output layer only where logits are wanted), four for every number of a
key that a query meets in attention. Bytes of a decode step are the weights once and the keys and
values that its rows see, a shared prompt once for all rows that share it. A bar of a table is the
share of a peak: near 100 % nothing is left to gain by faster code for the same work.

Times are processor time of one thread on the CPU, elapsed time on a GPU; the times of single
operations are the profiler's, whose own cost makes many small ones look a little dearer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from benchmarks.clock import fastest, timed
from benchmarks.command import begin, parser
from benchmarks.probe_vs_lm_eval import SAMPLER, SAMPLES, Case, ask_harness
from benchmarks.profiling import PARTS, spent
from benchmarks.report import Report
from benchmarks.workload import Workload, workload
from engine.linear import pack_linears
from engine.probe import Prober
from engine.records import ProbeSettings

BRANCHES = SAMPLES + 1


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
        copied: Bytes of the plain copy.
        against_harness: Questions that lm-evaluation-harness is asked as well.
    """

    device: str
    dtype: torch.dtype
    sizes: Sequence[str]
    batches: Sequence[int]
    new_tokens: int = 32
    product: int = 2048
    copied: int = 1 << 28
    against_harness: int = 0


ON_CPU = Extent("cpu", torch.float32, ("s6m", "m80m", "v150k"), (16,))
ON_GPU = Extent(
    "cuda", torch.bfloat16, ("8b",), (1, 32), product=8192, copied=1 << 32, against_harness=4
)
_SMALL = {"sizes": ("s6m",), "batches": (1, 2), "new_tokens": 4, "product": 256}


def quick(extent: Extent) -> Extent:
    """The same on the same device with little to do."""
    return replace(extent, **_SMALL, copied=1 << 22, against_harness=extent.against_harness and 1)


@dataclass(frozen=True)
class Peak:
    """The best of a machine in one number format.

    Attributes:
        products: Operations a second of a plain matrix product, by how it was made.
        copy: Bytes a second, read and written, of a plain copy.
        read: Bytes a second of a plain reduction.
    """

    products: dict[str, float]
    copy: float
    read: float

    @property
    def product(self) -> float:
        """The faster product."""
        return max(self.products.values())

    @property
    def memory(self) -> float:
        """The faster way over memory."""
        return max(self.copy, self.read)


@torch.no_grad()
def measure_peak(extent: Extent) -> Peak:
    """Measure products and copies on the device and in the number format of ``extent``."""
    device, size = torch.device(extent.device), extent.product
    left, right = (torch.randn(size, size, dtype=extent.dtype, device=device) for _ in range(2))
    operations = 2 * size**3
    products = {"torch.mm": operations / fastest(lambda: left @ right, device)}
    linear = nn.Linear(size, size, bias=False, dtype=extent.dtype, device=device)
    if pack_linears(nn.Sequential(linear)):
        products["packed weights"] = operations / fastest(lambda: linear(left), device)
    source = torch.ones(extent.copied // 4, device=device)
    target = torch.empty_like(source)
    copy = 2 * extent.copied / fastest(lambda: target.copy_(source), device)
    read = extent.copied / fastest(source.amax, device)
    return Peak(products, copy, read)


@dataclass(frozen=True)
class Shape:
    """What one token costs in a model.

    Attributes:
        layers: Numbers in the linear layers of all blocks.
        head: Numbers in the output layer.
        attention: Numbers of all layers' queries, which is what a query and a key cost by.
        key_values: Numbers that a token leaves in the keys and values of all layers.
        item: Bytes a number.
    """

    layers: int
    head: int
    attention: int
    key_values: int
    item: int

    @classmethod
    def of(cls, job: Workload) -> Shape:
        """Read it off a model."""
        model = job.loaded.model
        config = model.config
        head = model.get_output_embeddings()
        linears = [module for module in model.modules() if type(module) is nn.Linear]
        size = config.hidden_size // config.num_attention_heads
        return cls(
            layers=sum(linear.weight.numel() for linear in linears if linear is not head),
            head=head.weight.numel(),
            attention=config.num_hidden_layers * config.num_attention_heads * size,
            key_values=2 * config.num_hidden_layers * config.num_key_value_heads * size,
            item=model.dtype.itemsize,
        )

    def prefill(self, lengths: Sequence[int]) -> int:
        """Operations that compute prompts of these lengths whole, logits at their ends."""
        seen = sum(length * (length + 1) // 2 for length in lengths)
        products = 2 * self.layers * sum(lengths) + 2 * self.head * len(lengths)
        return products + 4 * self.attention * seen

    def step(self, lengths: Sequence[int], own: float) -> int:
        """Operations of a decode step, :data:`BRANCHES` rows a prompt that wrote ``own`` tokens."""
        rows = BRANCHES * len(lengths)
        seen = BRANCHES * sum(lengths) + rows * own
        return int(2 * (self.layers + self.head) * rows + 4 * self.attention * seen)

    def step_bytes(self, lengths: Sequence[int], own: float) -> int:
        """Bytes that a decode step has to read."""
        seen = sum(lengths) + BRANCHES * len(lengths) * own
        return int((self.layers + self.head + self.key_values * seen) * self.item)


@dataclass(frozen=True)
class Forward:
    """Seconds of forward passes.

    Attributes:
        prefill: Of the prompts of a batch, each computed whole.
        step: Of a decode step, on average over all of them.
        whole_step: Of a decode step with all that is kept, drawn and recorded of it.
    """

    prefill: float
    step: float
    whole_step: float


@torch.inference_mode()
def measure_forward(job: Workload, count: int, new_tokens: int) -> Forward:
    """Time the passes over the first ``count`` questions.

    Steps are timed twice: alone, with every branch a row from the first step on, and as the
    difference between a probe that generates ``new_tokens`` and one that generates a single token.
    """
    device = job.loaded.model.device
    prompts = job.prompts[:count]
    ids = [prompt.token_ids for prompt in prompts]
    plan = job.loaded.plans.for_length(max(map(len, ids)) + new_tokens)
    prober = Prober(job.loaded)

    def prefill() -> None:
        job.loaded.plans.forget()
        plan.prefill(ids)

    def probe(tokens: int) -> None:
        settings = ProbeSettings(SAMPLES, tokens, sampler=SAMPLER, continuations=False)
        for _ in prober.probe(prompts, settings, batch_size=count):
            pass

    def steps() -> float:
        session = plan.prefill(ids)
        owners = torch.arange(count, device=device).repeat_interleave(BRANCHES)
        session.branch(owners)
        tokens = session.first.argmax(-1)[owners]

        def walk(tokens: Tensor) -> None:
            for _ in range(new_tokens - 1):
                tokens = session.step(tokens).argmax(-1)

        return timed(lambda: walk(tokens), device)[1]

    generated = fastest(lambda: probe(new_tokens), device) - fastest(lambda: probe(1), device)
    return Forward(
        prefill=fastest(prefill, device),
        step=min(steps() for _ in range(3)) / (new_tokens - 1),
        whole_step=generated / (new_tokens - 1),
    )


def tell_peak(report: Report, extent: Extent, peak: Peak) -> None:
    """The first table."""
    name = _name(extent.dtype)
    report.heading(f"Peak of one {_where(extent)}, {name}")
    table = report.table("what", "rate")
    for how, rate in peak.products.items():
        table.row(f"product of {extent.product} x {extent.product}, {how}", _operations(rate))
    size = f"{extent.copied / 2**20:.0f} MiB"
    table.row(f"copy of {size}, read and written", _bytes(peak.copy))
    table.row(f"largest of {size}, read", _bytes(peak.read))


def tell_forward(report: Report, extent: Extent, peak: Peak, jobs: Sequence[Workload]) -> None:
    """The table of shares."""
    report.heading("Shares of the peak")
    table = report.table(
        "model", "questions", "pass", "rows", "ms", "operations/s", "of the product", "bytes/s",
        "of the memory",
    )  # fmt: skip
    for job in jobs:
        shape = Shape.of(job)
        for count in extent.batches:
            lengths = [len(prompt.token_ids) for prompt in job.prompts[:count]]
            found = measure_forward(job, count, extent.new_tokens)
            own = extent.new_tokens / 2
            for name, seconds, rows, operations, moved in (
                ("prefill", found.prefill, sum(lengths), shape.prefill(lengths), 0),
                (
                    "decode step",
                    found.step,
                    BRANCHES * count,
                    shape.step(lengths, own),
                    shape.step_bytes(lengths, own),
                ),
                (
                    "decode step, kept and drawn",
                    found.whole_step,
                    BRANCHES * count,
                    shape.step(lengths, own),
                    shape.step_bytes(lengths, own),
                ),
            ):
                table.row(
                    job.loaded.info.name,
                    count,
                    name,
                    rows,
                    f"{seconds * 1e3:.1f}",
                    _operations(operations / seconds),
                    f"{operations / seconds / peak.product:.0%}",
                    _bytes(moved / seconds) if moved else "-",
                    f"{moved / seconds / peak.memory:.0%}" if moved else "-",
                )


def tell_parts(report: Report, extent: Extent, jobs: Sequence[Workload]) -> None:
    """The table of where the time of a whole probe goes."""
    kind = "time in kernels" if extent.device == "cuda" else "time"
    report.heading(f"Where the {kind} of a whole probe goes")
    table = report.table("model", "questions", "ms/question", *PARTS)
    for job in jobs:
        for count in extent.batches:
            settings = ProbeSettings(SAMPLES, extent.new_tokens, sampler=SAMPLER)
            seconds = spent(job, count, settings)
            total = sum(seconds.values())
            shares = [f"{seconds[part] / total:.0%}" for part in PARTS]
            table.row(job.loaded.info.name, count, f"{total / count * 1e3:.1f}", *shares)


def tell_harness(report: Report, extent: Extent, jobs: Sequence[Workload]) -> None:
    """The table against lm-evaluation-harness."""
    count = extent.against_harness
    report.heading(f"Against lm-evaluation-harness, {count} questions")
    table = report.table("model", "probe s/question", "harness s/question", "ratio")
    for whole in jobs:
        job = replace(whole, prompts=whole.prompts[:count])
        device = job.loaded.model.device
        case = Case(
            job.loaded.info.name, job.shots, extent.new_tokens, count, extent.dtype, (count,)
        )
        settings = ProbeSettings(SAMPLES, case.new_tokens, sampler=SAMPLER)

        def probe(job: Workload = job, settings: ProbeSettings = settings) -> None:
            job.loaded.plans.forget()
            for _ in Prober(job.loaded).probe(job.prompts, settings):
                pass

        ours = fastest(probe, device)
        theirs = fastest(
            lambda job=job, case=case: ask_harness(job, case),  # type: ignore[misc]
            device,
            repeats=1,
        )
        table.row(
            case.size, f"{ours / count:.3f}", f"{theirs / count:.3f}", f"{theirs / ours:.1f}x"
        )


def measure(report: Report, extent: Extent) -> None:
    """Everything about one device."""
    peak = measure_peak(extent)
    tell_peak(report, extent, peak)
    questions = max([*extent.batches, extent.against_harness])
    jobs = [
        workload(size, questions=questions, shots=5, dtype=extent.dtype, device=extent.device)
        for size in extent.sizes
    ]
    tell_forward(report, extent, peak, jobs)
    tell_parts(report, extent, jobs)
    if extent.against_harness:
        tell_harness(report, extent, jobs)


def _where(extent: Extent) -> str:
    return "GPU" if extent.device == "cuda" else f"process of {torch.get_num_threads()} threads"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _operations(rate: float) -> str:
    return f"{rate / 1e12:.1f} TFLOP/s" if rate >= 1e12 else f"{rate / 1e9:.0f} GFLOP/s"


def _bytes(rate: float) -> str:
    return f"{rate / 1e9:.0f} GB/s"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the CPU, and the GPU where there is one."""
    options = parser(__doc__ or "").parse_args(arguments)
    report = begin("roofline", __doc__ or "", options)
    extents = [ON_CPU]
    if torch.cuda.is_available():
        extents.append(ON_GPU)
    elif options.quick:
        extents.append(replace(ON_GPU, device="cpu"))
    for extent in extents:
        measure(report, quick(extent) if options.quick else extent)
    if not torch.cuda.is_available():
        report.note("Not run on a GPU: this machine has none.")
    report.write()


if __name__ == "__main__":
    main()
