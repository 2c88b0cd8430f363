"""The same questions through the probe and through lm-evaluation-harness's hf backend.

    python -m benchmarks.probe_vs_lm_eval

Both do four things with every question: score the letters, score the whole option texts, generate
greedily, and draw eight samples. The probe also returns the top 20, entropy and rank of every
token, which the harness does not. The harness gets the best of several batch sizes for each of the
four. Times are processor time of one thread, because the machine may be busy with other things.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from benchmarks.clock import timed
from benchmarks.command import begin, parser
from benchmarks.workload import Workload, workload
from engine.probe import Prober
from engine.records import ProbeResult, ProbeSettings, SamplerSettings

SAMPLER = SamplerSettings(temperature=0.8, top_p=0.95)
SAMPLES = 8


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Attributes:
        size: Of :data:`benchmarks.workload.SIZES`.
        shots: Worked examples in every prompt.
        new_tokens: Longest generation.
        questions: How many are asked.
        dtype: Number format of both.
        batch_sizes: Those the harness may choose from.
    """

    size: str
    shots: int
    new_tokens: int
    questions: int
    dtype: torch.dtype = torch.float32
    batch_sizes: tuple[int, ...] = (4, 8, 16)


CASES = (
    Case("s6m", 5, 32, 24, batch_sizes=(8, 16)),
    Case("s6m", 0, 32, 24, batch_sizes=(16, 32)),
    Case("s6m", 5, 128, 12, batch_sizes=(8, 16)),
    Case("m80m", 5, 32, 8, batch_sizes=(4, 8)),
    Case("m80m", 0, 32, 8, batch_sizes=(16,)),
    Case("v150k", 5, 32, 8, batch_sizes=(4,)),
)


@dataclass(frozen=True)
class Harness:
    """What lm-evaluation-harness says about every question."""

    letters: list[list[tuple[float, bool]]]
    texts: list[list[tuple[float, bool]]]
    greedy: list[str]
    seconds: dict[str, float]


def ask_harness(job: Workload, case: Case) -> Harness:
    """Everything through the harness, each part at its best batch size."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    logging.getLogger("lm_eval").setLevel(logging.ERROR)

    def instances(kind: str, arguments: Iterable[tuple[object, ...]]) -> list[Any]:
        return [Instance(kind, {}, given, at) for at, given in enumerate(arguments)]

    def scored(kind: str) -> list[Any]:
        return instances(
            "loglikelihood",
            [
                (prompt.text, known.text)
                for prompt in job.prompts
                for known in prompt.continuations
                if known.kind == kind
            ],
        )

    # The harness needs some stop text; this one never comes.
    limits = {"max_gen_toks": case.new_tokens, "until": ["\x00"]}
    drawing = {"do_sample": True, "temperature": SAMPLER.temperature, "top_p": SAMPLER.top_p}
    greedy = [(prompt.text, {"do_sample": False, **limits}) for prompt in job.prompts]
    sampled = [
        (prompt.text, {**drawing, "top_k": 0, **limits})
        for prompt in job.prompts
        for _ in range(SAMPLES)
    ]
    parts: dict[str, Callable[[Any], Any]] = {
        "letters": lambda lm: lm.loglikelihood(scored("label"), disable_tqdm=True),
        "texts": lambda lm: lm.loglikelihood(scored("text"), disable_tqdm=True),
        "greedy": lambda lm: lm.generate_until(instances("generate_until", greedy), True),
        "samples": lambda lm: lm.generate_until(instances("generate_until", sampled), True),
    }
    answers: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    for size in case.batch_sizes:
        lm = HFLM(pretrained=job.stock, tokenizer=job.loaded.tokenizer, batch_size=size)
        for name, part in parts.items():
            answers[name], took = timed(partial(part, lm), job.loaded.model.device)
            seconds[name] = min(took, seconds.get(name, took))
    in_fours = {
        name: [answers[name][at : at + 4] for at in range(0, len(answers[name]), 4)]
        for name in ("letters", "texts")
    }
    return Harness(in_fours["letters"], in_fours["texts"], answers["greedy"], seconds)


def ask_probe(job: Workload, case: Case) -> tuple[list[ProbeResult], float]:
    """Everything through the probe, twice; returns the faster time."""
    settings = ProbeSettings(SAMPLES, case.new_tokens, sampler=SAMPLER)
    seconds, device = [], job.loaded.model.device
    for _ in range(2):
        job.loaded.plans.forget()
        found, took = timed(partial(_everything, Prober(job.loaded), job, settings), device)
        seconds.append(took)
    return [found[at] for at in range(len(job.prompts))], min(seconds)


def _everything(prober: Prober, job: Workload, settings: ProbeSettings) -> dict[int, ProbeResult]:
    return dict(prober.probe(job.prompts, settings))


@dataclass(frozen=True)
class Agreement:
    """How far the two are apart.

    Attributes:
        letters: Largest difference of a letter's log-likelihood, nats.
        texts: Largest difference of a whole option's.
        per_token: Largest difference of a whole option's, divided by its tokens.
        greedy: Share of greedy texts that are the same.
        is_greedy: Share of the harness's is-greedy verdicts that are the same.
    """

    letters: float
    texts: float
    per_token: float
    greedy: float
    is_greedy: float


def compare(harness: Harness, probed: Sequence[ProbeResult]) -> Agreement:
    """Compare everything both say."""
    worst = {"label": 0.0, "text": 0.0}
    per_token, verdicts = 0.0, []
    for letters, texts, result in zip(harness.letters, harness.texts, probed, strict=True):
        scored = {"label": iter(letters), "text": iter(texts)}
        for known in result.continuations:
            total, is_greedy = next(scored[known.kind])
            difference = abs(total - known.total)
            worst[known.kind] = max(worst[known.kind], difference)
            per_token = max(per_token, difference / len(known.logprobs))
            verdicts.append(is_greedy == known.is_greedy)
    same = [
        text == result.generations[0].text
        for text, result in zip(harness.greedy, probed, strict=True)
    ]
    return Agreement(
        worst["label"],
        worst["text"],
        per_token,
        sum(same) / len(same),
        sum(verdicts) / len(verdicts),
    )


def main() -> None:
    """Measure the cases and print the table."""
    command = parser(__doc__ or "")
    command.add_argument("--size", help="only cases of this model; keeps no results")
    options = command.parse_args()
    options.quick = options.quick or options.size is not None
    report = begin("probe_vs_lm_eval", __doc__ or "", options)
    table = report.table(
        "model", "dtype", "shots", "new tokens", "prompts", "probe s/question",
        "harness s/question", "ratio", "letters", "texts", "per token", "same greedy text",
    )  # fmt: skip
    quick = (Case("s6m", 0, 8, 4, batch_sizes=(4,)),)
    sized = tuple(case for case in CASES if case.size == options.size)
    for case in sized or (quick if options.quick else CASES):
        job = workload(case.size, questions=case.questions, shots=case.shots, dtype=case.dtype)
        probed, ours = ask_probe(job, case)
        harness = ask_harness(job, case)
        theirs = sum(harness.seconds.values())
        found = compare(harness, probed)
        table.row(
            case.size,
            str(case.dtype).removeprefix("torch."),
            case.shots,
            case.new_tokens,
            job.lengths,
            f"{ours / case.questions:.3f}",
            f"{theirs / case.questions:.3f}",
            f"{theirs / ours:.1f}x",
            f"{found.letters:.1e}",
            f"{found.texts:.1e}",
            f"{found.per_token:.1e}",
            f"{found.greedy:.0%}",
        )
        shares = ", ".join(f"{name} {took:.1f}" for name, took in harness.seconds.items())
        report.note(f"{case.size}, {case.shots} shots, {case.new_tokens} new: harness {shares} s")
    report.write()


if __name__ == "__main__":
    main()
