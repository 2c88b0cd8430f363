"""The decoding study: greedy texts against sampled ones (arXiv:2407.10457)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.metrics.choices import agreement, choice_entropy
from engine.metrics.intervals import wilson_interval
from engine.metrics.spread import oracle, spread
from engine.studies.lengths import LENGTH_COLUMNS, LENGTH_NOTE, length_row
from engine.studies.mismatch import flag_expressions
from engine.studies.report import Column, Plot, Report, Row, Table, Value
from engine.studies.sampled import Sampled, mean_interval, sampled
from engine.studies.sampler_sweeps import SWEEP_NOTE, sweep_columns, sweep_plots, sweep_rows
from engine.studies.scope import Scope, runs_of
from engine.studies.series import drawn

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def decoding_report(cursor: DuckDBPyConnection, scope: Scope) -> Report:
    """Set greedy texts against samples: accuracy, spread, stability, lengths, and sweeps.

    Sampled run s is the s-th sample of every question. Texts that name no option are wrong.
    Perturbed questions are left out; the option orders of a question count one by one.

    Args:
        cursor: A cursor on a store.
        scope: Which runs; ``text`` says whose word on greedy texts counts, ``resamples`` and
            ``seed`` how bootstrap intervals are drawn.

    Raises:
        LogitscopeError: There is no such run.
    """
    found = [
        each for run in runs_of(cursor, scope) for each in sampled(cursor, run.run_id, scope.text)
    ]
    accuracy = [_accuracy(each, scope) for each in found]
    stability = [_stability(each, scope) for each in found if each.runs]
    lengths = [length_row(cursor, each) for each in found]
    samples = [row for each in found if each.graded for row in _samples(each)]
    sweeps = sweep_rows(cursor, accuracy, stability, lengths)
    tables = (
        Table("accuracy", "Greedy against sampled runs", (*_NAMES, *_ACCURACY_COLUMNS),
              tuple(accuracy), _ACCURACY_NOTE),
        Table("stability", "Whether samples of one prompt agree", (*_NAMES, *_STABILITY_COLUMNS),
              tuple(stability), _STABILITY_NOTE),
        Table("lengths", "How long texts are", (*_NAMES, *LENGTH_COLUMNS), tuple(lengths),
              LENGTH_NOTE),
        Table("samples", "Sample by sample", (*_NAMES, *_SAMPLE_COLUMNS), tuple(samples)),
        Table("sweeps", "What temperature and repetition penalty do",
              (*_NAMES, *sweep_columns((*_ACCURACY_COLUMNS, *_STABILITY_COLUMNS,
                                        *LENGTH_COLUMNS))),
              tuple(sweeps), SWEEP_NOTE),
    )  # fmt: skip
    plots = [*sweep_plots(sweeps), *_plots(accuracy, samples)]
    return Report(
        "decoding",
        "Greedy against samples",
        tuple(table for table in tables if table.rows),
        tuple(plots),
        tuple(_notes(found)),
    )


_NAMES = (Column("run_id", "run", "count"), Column("format", "format"))
_ACCURACY_COLUMNS = (
    Column("n", "n", "count", "prompts: questions in their option orders"),
    Column("graded", "graded", "count", "of them with a gold option"),
    Column("greedy", "greedy %", "percent", "the greedy text is right"),
    Column("greedy_interval", "95 %", "percent_interval"),
    Column("runs", "N", "count", "samples a prompt"),
    Column("mean", "mean %", "percent", "mean accuracy of the N sampled runs"),
    Column("mean_interval", "95 %", "percent_interval"),
    Column("std", "std", "percent", "population std over the runs, in points"),
    Column("best", "best %", "percent", "of the best run"),
    Column("worst", "worst %", "percent"),
    Column("delta", "delta", "percent", "best minus worst"),
    Column("gap", "gap", "percent", "greedy minus mean"),
    Column("gap_interval", "95 %", "percent_interval"),
    Column("majority", "major. %", "percent", "what most samples say is right"),
    Column("majority_interval", "95 %", "percent_interval"),
    Column("oracle", "oracle %", "percent", "at least one of the N samples is right"),
    Column("oracle_interval", "95 %", "percent_interval"),
)
_ACCURACY_NOTE = (
    "Run s is the s-th sample of every prompt. Texts that name no option are wrong. Intervals: "
    "Wilson for greedy, majority and oracle, bootstrap over questions for mean and gap."
)
_STABILITY_COLUMNS = (
    Column("sampled", "n", "count", "prompts with samples"),
    Column("agreement", "agree %", "percent", "share of a prompt's commonest answer"),
    Column("agreement_interval", "95 %", "percent_interval"),
    Column("entropy", "H nats", "number", "entropy of a prompt's answers"),
    Column("entropy_interval", "95 %", "interval"),
    Column("entropy_bits", "H bits", "number"),
    Column("unanimous", "same", "count", "prompts whose samples all say the same"),
    Column("unanimous_rate", "same %", "percent"),
    Column("unanimous_interval", "95 %", "percent_interval"),
    Column("differs", "differ", "count", "prompts whose greedy text is not what most samples say"),
    Column("differs_rate", "differ %", "percent"),
    Column("differs_interval", "95 %", "percent_interval"),
)
_STABILITY_NOTE = (
    "An answer is a status with its label, as in the reading majority: what names no option is an "
    "answer of its own. Intervals: Wilson for shares, bootstrap over questions for means."
)
_SAMPLE_COLUMNS = (
    Column("sample", "n", "count", "number of the sample, from 1"),
    Column("graded", "graded", "count", "prompts with samples and a gold option"),
    Column("right", "right", "count", "prompts whose n-th sample is right"),
    Column("accuracy", "run n %", "percent", "their share: accuracy of the n-th sampled run"),
    Column("accuracy_interval", "95 %", "percent_interval"),
    Column("oracle_right", "in first n", "count", "prompts with a right one among the first n"),
    Column("oracle", "oracle@n %", "percent", "their share"),
    Column("oracle_interval", "95 %", "percent_interval"),
)


def _names(each: Sampled) -> dict[str, Value]:
    return {"run_id": each.asked.run_id, "format": each.asked.format}


def _rate(key: str, successes: int, total: int) -> dict[str, Value]:
    """A share and its Wilson interval; None without a trial."""
    share = successes / total if total else None
    return {key: share, f"{key}_interval": wilson_interval(successes, total)}


def _accuracy(each: Sampled, scope: Scope) -> Row:
    greedy = [text.greedy_right for text in each.texts if text.greedy_right is not None]
    cells = _names(each) | {
        "n": len(each.texts),
        "graded": sum(text.graded for text in each.texts),
        "greedy_n": len(greedy),
        "sampled_n": len(each.graded),
    }
    cells |= _rate("greedy", sum(greedy), len(greedy))
    cells |= {"runs": each.runs or None}
    cells |= _sampled_accuracy(each, scope)
    asked = each.asked
    return Row(
        cells,
        asked.run_id,
        f"{asked.condition} AND ({asked.with_reading('greedy_text')} "
        f"OR {asked.with_reading('sample_text')})",
        {
            "graded": "gold IS NOT NULL",
            "greedy": asked.with_reading("greedy_text", "correct"),
            "majority": asked.with_reading("majority", "correct"),
            "oracle": asked.with_reading("sample_text", f"sample <= {each.runs} AND correct"),
        },
    )


def _sampled_accuracy(each: Sampled, scope: Scope) -> dict[str, Value]:
    """The cells about samples; all None without samples of graded questions."""
    keys = ("mean", "gap", "majority", "oracle")
    intervals = [f"{key}_interval" for key in keys]
    cells: dict[str, Value] = dict.fromkeys([*keys, *intervals, "std", "best", "worst", "delta"])
    graded = each.graded
    if not graded:
        return cells
    correct = each.correct(graded)
    runs = spread(correct)
    cells |= {
        "mean": runs.mean,
        "mean_interval": mean_interval(correct.mean(axis=1), graded, scope),
        "std": runs.std,
        "best": runs.best,
        "worst": runs.worst,
        "delta": runs.delta,
    }
    both = [text for text in graded if text.greedy_right is not None]
    if both:
        gaps = [text.greedy_right for text in both] - each.correct(both).mean(axis=1)
        cells |= {"gap": float(gaps.mean()), "gap_interval": mean_interval(gaps, both, scope)}
    voted = [text.majority_right for text in graded if text.majority_right is not None]
    cells |= _rate("majority", sum(voted), len(voted))
    return cells | _rate("oracle", int(correct.any(axis=1).sum()), len(graded))


def _stability(each: Sampled, scope: Scope) -> Row:
    texts = each.sampled
    said = [text.samples[: each.runs] for text in texts]
    agreements, entropies = [agreement(a) for a in said], [choice_entropy(a) for a in said]
    nats = math.fsum(entropies) / len(entropies)
    compared = [text for text in texts if text.greedy is not None]
    differs = sum(text.greedy != text.majority for text in compared)
    unanimous = sum(len(set(answers)) == 1 for answers in said)
    cells = _names(each) | {
        "sampled": len(texts),
        "agreement": math.fsum(agreements) / len(agreements),
        "agreement_interval": mean_interval(agreements, texts, scope),
        "entropy": nats,
        "entropy_interval": mean_interval(entropies, texts, scope),
        "entropy_bits": nats / math.log(2),
        "unanimous": unanimous,
        "differs": differs if compared else None,
    }
    cells |= _share("unanimous", unanimous, len(texts))
    cells |= _share("differs", differs, len(compared))
    asked = each.asked
    same, varied = (asked.with_samples(each.runs, f"{n} 1") for n in ("=", ">"))
    other = flag_expressions(asked.text)["greedy_vs_samples"]
    return Row(
        cells,
        asked.run_id,
        f"{asked.condition} AND {asked.with_reading('sample_text')}",
        {
            **dict.fromkeys(("unanimous", "unanimous_rate"), same),
            **dict.fromkeys(("agreement", "entropy"), varied),
            **dict.fromkeys(("differs", "differs_rate"), other),
        },
    )


def _share(key: str, successes: int, total: int) -> dict[str, Value]:
    """The share that goes with a count."""
    share, interval = _rate(key, successes, total).values()
    return {f"{key}_rate": share, f"{key}_interval": interval}


def _samples(each: Sampled) -> list[Row]:
    """One row a sample: the run that it is of, and the oracle over it and those before it."""
    graded, asked = each.graded, each.asked
    correct = each.correct(graded)
    rows = []
    for at, reached in enumerate(oracle(correct)):
        number, right = at + 1, int(correct[:, at].sum())
        among = round(reached * len(graded))
        cells = _names(each) | {
            "sample": number,
            "graded": len(graded),
            "right": right,
            **_rate("accuracy", right, len(graded)),
            "oracle_right": among,
            **_rate("oracle", among, len(graded)),
        }
        one = asked.with_reading("sample_text", f"sample = {number} AND correct")
        any_of = asked.with_reading("sample_text", f"sample <= {number} AND correct")
        rows.append(
            Row(
                cells,
                asked.run_id,
                f"{asked.condition} AND gold IS NOT NULL AND {asked.with_reading('sample_text')}",
                {
                    **dict.fromkeys(("right", "accuracy"), one),
                    **dict.fromkeys(("oracle_right", "oracle"), any_of),
                },
            )
        )
    return rows


def _plots(accuracy: Sequence[Row], samples: Sequence[Row]) -> list[Plot]:
    scored = [row for row in accuracy if row.cells["mean"] is not None]
    if not scored:
        return []
    groups: dict[str, list[Row]] = {}
    for row in samples:
        groups.setdefault(_title(row), []).append(row)
    compared = [Row({**row.cells, "title": _title(row), "range": _range(row)}) for row in scored]
    return [
        Plot(
            "Oracle over the first n samples",
            "lines",
            "n",
            "share of prompts with a right sample",
            tuple(
                drawn(title, rows, "sample", "oracle", "oracle_interval")
                for title, rows in groups.items()
            ),
        ),
        Plot(
            "Greedy against sampled runs",
            "points",
            "run and format",
            "accuracy; bars of the mean: worst to best run",
            (
                drawn("greedy", compared, "title", "greedy"),
                drawn("mean of runs", compared, "title", "mean", "range"),
                drawn("majority", compared, "title", "majority"),
                drawn("oracle", compared, "title", "oracle"),
            ),
        ),
    ]


def _range(row: Row) -> tuple[float, float]:
    """Worst and best run."""
    worst, best = row.cells["worst"], row.cells["best"]
    assert isinstance(worst, float)
    assert isinstance(best, float)
    return worst, best


def _title(row: Row) -> str:
    return f"{row.cells['run_id']}:{row.cells['format']}"


def _notes(found: Sequence[Sampled]) -> list[str]:
    notes = [
        f"Run {each.asked.run_id}, {each.asked.format}: some prompts have more than {each.runs} "
        "samples; those beyond are left out, except that the majority counts them."
        for each in found
        if each.uneven
    ]
    if not any(each.runs for each in found):
        notes.append("No samples were recorded. Ask with: --samples 8")
    return notes
