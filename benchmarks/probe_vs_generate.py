"""The same questions through the probe and through a script around transformers' ``generate``.

    python -m benchmarks.probe_vs_generate

The script is what one writes without the probe: a ``generate`` call for the greedy texts, one with
``num_return_sequences=8`` for the samples, both with the logits of every step so that every
token's logprob can be read off, and a forward pass over prompt and option for every scored letter
and option text. Each of the three gets the best of several batch sizes. The probe also returns the
top 20, entropy and rank of every token. Times are processor time of one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.clock import timed
from benchmarks.command import begin, parser
from benchmarks.probe_vs_lm_eval import CASES, SAMPLER, SAMPLES, Case, ask_probe
from benchmarks.workload import Workload, workload
from engine.records import ProbeResult

_ALL = tuple(
    case
    for case in CASES
    if case.size in ("s6m", "m80m") and case.new_tokens == 32 and case.dtype == torch.float32
)
_QUICK = (replace(_ALL[0], questions=2, new_tokens=4, batch_sizes=(2,)),)

Written = list[tuple[list[int], list[float]]]
"""Token ids of some texts and the logprob of each."""


@dataclass(frozen=True)
class Script:
    """What the script found, and the seconds of each part."""

    greedy: Written
    options: list[float]
    seconds: dict[str, float]


def ask_script(job: Workload, case: Case) -> Script:
    """Everything through transformers, each part at its best batch size."""
    prompts = [prompt.token_ids for prompt in job.prompts]
    scored = [
        (prompt.token_ids, known.token_ids)
        for prompt in job.prompts
        for known in prompt.continuations
    ]
    sampling = {
        "do_sample": True,
        "temperature": SAMPLER.temperature,
        "top_p": SAMPLER.top_p,
        "top_k": 0,
        "num_return_sequences": SAMPLES,
    }
    write = partial(generate, job, prompts, case.new_tokens)
    parts: dict[str, Callable[[int], Any]] = {
        "greedy": lambda size: write(size, do_sample=False),
        "samples": lambda size: write(size, **sampling),
        "options": lambda size: score(job, scored, size),
    }
    answers: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    for name, part in parts.items():
        for size in case.batch_sizes:
            answers[name], took = timed(partial(part, size))
            seconds[name] = min(took, seconds.get(name, took))
    return Script(answers["greedy"], answers["options"], seconds)


@torch.inference_mode()
def generate(
    job: Workload, prompts: Sequence[Sequence[int]], new_tokens: int, size: int, **options: Any
) -> Written:
    """Texts after the prompts, with the logprob of every token."""
    stop = job.loaded.info.stop_ids
    written: Written = []
    for batch in _batches(prompts, size):
        ids, mask = _left_padded(batch, stop[0])
        output = job.stock.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=new_tokens,
            eos_token_id=stop,
            pad_token_id=stop[0],
            output_logits=True,
            return_dict_in_generate=True,
            **options,
        )
        tokens = output.sequences[:, ids.shape[1] :]
        logprobs = torch.stack(
            [
                _logprobs(logits.float(), chosen)
                for logits, chosen in zip(output.logits, tokens.T, strict=True)
            ],
            1,
        )
        written += [
            _until_stop(of_tokens, of_logprobs, stop)
            for of_tokens, of_logprobs in zip(tokens.tolist(), logprobs.tolist(), strict=True)
        ]
    return written


@torch.inference_mode()
def score(
    job: Workload, scored: Sequence[tuple[Sequence[int], Sequence[int]]], size: int
) -> list[float]:
    """Log-likelihood of every option after its prompt; the longest are batched together."""
    found = [0.0] * len(scored)
    by_length = sorted(range(len(scored)), key=lambda at: -sum(map(len, scored[at])))
    for batch in _batches(by_length, size):
        options = [scored[at][1] for at in batch]
        ids, mask = _left_padded([[*scored[at][0], *scored[at][1]] for at in batch], 0)
        longest = max(map(len, options))
        positions = (mask.cumsum(1) - 1).clamp_(min=0)
        logits = job.stock(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            use_cache=False,
            logits_to_keep=longest + 1,
        ).logits
        logprobs = _logprobs(logits[:, :-1].float(), ids[:, -longest:])
        for at, option, row in zip(batch, options, logprobs, strict=True):
            found[at] = float(row[longest - len(option) :].sum())
    return found


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _left_padded(texts: Sequence[Sequence[int]], padding: int) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask, [texts, longest] each."""
    longest = max(map(len, texts))
    ids = torch.full((len(texts), longest), padding)
    mask = torch.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, longest - len(text) :] = torch.tensor(list(text))
        mask[row, longest - len(text) :] = 1
    return ids, mask


def _logprobs(logits: Tensor, tokens: Tensor) -> Tensor:
    """Logprobs of tokens [...] under logits [..., vocabulary]."""
    return torch.log_softmax(logits, -1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)


def _until_stop(
    tokens: list[int], logprobs: list[float], stop: Sequence[int]
) -> tuple[list[int], list[float]]:
    """A text without the padding after its stop token."""
    length = next((at + 1 for at, token in enumerate(tokens) if token in stop), len(tokens))
    return tokens[:length], logprobs[:length]


@dataclass(frozen=True)
class Agreement:
    """How far the two are apart.

    Attributes:
        greedy: Share of greedy texts that are the same, token by token.
        tokens: Largest difference of the logprob of a greedy token, over the tokens up to the
            first that differs, nats.
        options: Largest difference of an option's log-likelihood, nats.
    """

    greedy: float
    tokens: float
    options: float


def compare(script: Script, probed: Sequence[ProbeResult]) -> Agreement:
    """Compare greedy texts and options."""
    same, worst = 0, 0.0
    for (tokens, logprobs), result in zip(script.greedy, probed, strict=True):
        ours = result.generations[0].positions
        same += tokens == ours.token_ids
        for token, logprob, our_token, our_logprob in zip(
            tokens, logprobs, ours.token_ids, ours.logprobs, strict=False
        ):
            if token != our_token:
                break
            worst = max(worst, abs(logprob - our_logprob))
    totals = [known.total for result in probed for known in result.continuations]
    apart = max(abs(a - b) for a, b in zip(script.options, totals, strict=True))
    return Agreement(same / len(probed), worst, apart)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the cases and print the table."""
    options = parser(__doc__ or "").parse_args(arguments)
    report = begin("probe_vs_generate", __doc__ or "", options)
    table = report.table(
        "model", "shots", "new tokens", "prompts", "probe questions/s", "script questions/s",
        "ratio", "same greedy tokens", "greedy logprobs", "options",
    )  # fmt: skip
    for case in _QUICK if options.quick else _ALL:
        job = workload(case.size, questions=case.questions, shots=case.shots)
        probed, ours = ask_probe(job, case)
        script = ask_script(job, case)
        theirs = sum(script.seconds.values())
        found = compare(script, probed)
        table.row(
            case.size,
            case.shots,
            case.new_tokens,
            job.lengths,
            f"{case.questions / ours:.2f}",
            f"{case.questions / theirs:.2f}",
            f"{theirs / ours:.1f}x",
            f"{found.greedy:.0%}",
            f"{found.tokens:.1e}",
            f"{found.options:.1e}",
        )
        shares = ", ".join(f"{name} {took:.1f}" for name, took in script.seconds.items())
        report.note(f"{case.size}, {case.shots} shots: probe {ours:.1f} s, script {shares} s")
    report.write()


if __name__ == "__main__":
    main()
