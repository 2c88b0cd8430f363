"""What the samples of a run say beside its greedy texts, one probe at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from engine.metrics.intervals import bootstrap_interval
from engine.studies.report import quoted
from engine.studies.scope import Scope, TextSource, answers_view

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray


_SAID = "status || coalesce(' ' || label, '')"
"""An answer within one prompt: status and label, as the reading ``majority`` counts them."""


class Asked(NamedTuple):
    """A prompt format of a run, perturbed questions left out.

    Attributes:
        run_id: The run.
        format: Name of the prompt format.
        text: Who says what greedy texts say.
    """

    run_id: int
    format: str
    text: TextSource

    @property
    def title(self) -> str:
        """What plots call it."""
        return f"{self.run_id}:{self.format}"

    @property
    def condition(self) -> str:
        """Its probes, over the view ``listing``."""
        return f"format = {quoted(self.format)} AND perturbation IS NULL"

    def with_reading(self, reading: str, condition: str = "true") -> str:
        """The probes of which a reading of one kind fulfils a condition."""
        return (
            f"probe_id IN (SELECT probe_id FROM {answers_view(self.text)} "
            f"WHERE run_id = {self.run_id} AND reading = {quoted(reading)} AND {condition})"
        )

    def with_samples(self, runs: int, different: str) -> str:
        """The probes whose first samples give so many different answers, such as ``= 1``."""
        return (
            f"probe_id IN (SELECT probe_id FROM answers WHERE run_id = {self.run_id} "
            f"AND reading = 'sample_text' AND sample <= {runs} "
            f"GROUP BY probe_id HAVING count(DISTINCT {_SAID}) {different})"
        )


class Texts(msgspec.Struct, frozen=True):
    """What the texts after one prompt say.

    Attributes:
        question_index: Place of the question in its source, from 0.
        graded: Whether the question has a gold option.
        greedy: Status and label of the greedy text; None where not recorded.
        greedy_right: Whether it is right; None also without a gold option.
        majority: Status and label that most samples say; None without samples.
        majority_right: Whether they are right.
        samples: Status and label of every sample, in their order.
        samples_right: Whether they are right; Nones without a gold option.
    """

    question_index: int
    graded: bool
    greedy: str | None
    greedy_right: bool | None
    majority: str | None
    majority_right: bool | None
    samples: list[str]
    samples_right: list[bool | None]


class Sampled(msgspec.Struct, frozen=True):
    """All texts of one format of a run.

    Attributes:
        asked: Which.
        texts: One a prompt, in the order they were stored.
        runs: Samples that every sampled prompt has: N.
        uneven: Whether some have more.
    """

    asked: Asked
    texts: list[Texts]
    runs: int
    uneven: bool

    @property
    def sampled(self) -> list[Texts]:
        """Those with samples."""
        return [each for each in self.texts if each.samples]

    @property
    def graded(self) -> list[Texts]:
        """Those of them with a gold option."""
        return [each for each in self.sampled if each.graded]

    def correct(self, texts: Sequence[Texts]) -> NDArray[Any]:
        """Texts by the N sampled runs: True where the sample is right."""
        import numpy as np

        right = [each.samples_right[: self.runs] for each in texts]
        return np.array(right, dtype=bool).reshape(len(texts), self.runs)


def sampled(cursor: DuckDBPyConnection, run_id: int, text: TextSource) -> list[Sampled]:
    """The texts of every format of a run, in the order they were stored."""
    formats = cursor.execute(
        "SELECT format FROM probes WHERE run_id = ? GROUP BY format ORDER BY min(probe_id)",
        [run_id],
    ).fetchall()
    every = [_sampled(cursor, Asked(run_id, name, text)) for (name,) in formats]
    return [each for each in every if each.texts]


def _sampled(cursor: DuckDBPyConnection, asked: Asked) -> Sampled:
    found = cursor.execute(
        f"""
        WITH said AS (
            SELECT probe_id, reading, sample, {_SAID} AS said, correct
            FROM {answers_view(asked.text)}
            WHERE run_id = ? AND format = ? AND perturbation IS NULL
              AND reading IN ('greedy_text', 'majority', 'sample_text')
        )
        SELECT any_value(question_index),
               any_value(gold) IS NOT NULL,
               any_value(said) FILTER (reading = 'greedy_text'),
               any_value(s.correct) FILTER (reading = 'greedy_text'),
               any_value(said) FILTER (reading = 'majority'),
               any_value(s.correct) FILTER (reading = 'majority'),
               coalesce(list(said ORDER BY sample) FILTER (reading = 'sample_text'), []),
               coalesce(list(s.correct ORDER BY sample) FILTER (reading = 'sample_text'), [])
        FROM said s JOIN probes USING (probe_id)
        GROUP BY probe_id ORDER BY probe_id
        """,
        [asked.run_id, asked.format],
    ).fetchall()
    texts = [Texts(*row) for row in found]
    numbers = {len(each.samples) for each in texts if each.samples}
    return Sampled(asked, texts, min(numbers, default=0), len(numbers) > 1)


def mean_interval(
    values: Sequence[float] | NDArray[Any], texts: Sequence[Texts], scope: Scope
) -> tuple[float, float] | None:
    """The bootstrap interval of a mean over prompts, resampled by question with all its orders."""
    return question_interval(values, [each.question_index for each in texts], scope)


def question_interval(
    values: Sequence[float] | NDArray[Any], questions: Sequence[int], scope: Scope
) -> tuple[float, float] | None:
    """The bootstrap interval of a mean, resampled by the question that each value belongs to."""
    import numpy as np

    _, question = np.unique(questions, return_inverse=True)
    sums, sizes = np.bincount(question, values), np.bincount(question)
    return bootstrap_interval(
        lambda drawn: float(sums[drawn].sum() / sizes[drawn].sum()),
        len(sums),
        resamples=scope.resamples,
        seed=scope.seed,
    )
