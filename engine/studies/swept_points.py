"""The points of stored sweeps, and what was measured at each."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from engine.studies.pairs import CONDITIONS
from engine.studies.report import quoted
from engine.studies.scope import TextSource, answers_view
from engine.swept import Swept, SweptPoint

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_INCIDENTAL = ("name", "batch_size", "device")
"""Of a plan: what may differ between the runs of one sweep."""


class StoredPoint(NamedTuple):
    """One point of a sweep, perturbed questions left out.

    Attributes:
        run_id: The run that it is in.
        axis: What the sweep is over.
        point: What makes it a point.
    """

    run_id: int
    axis: str
    point: SweptPoint

    @property
    def title(self) -> str:
        """What the sweep is over, for people."""
        return self.axis.replace("-", " ")

    @property
    def condition(self) -> str:
        """Its probes, over the view ``listing``; their run aside."""
        return self.of()

    def of(self, side: str = "") -> str:
        """The same over an alias, such as ``a.``."""
        order = "" if self.point.order is None else f" AND {side}order_index = {self.point.order}"
        return f"{side}format = {quoted(self.point.format)} AND {side}perturbation IS NULL{order}"


class Measured(NamedTuple):
    """What was measured at one probe.

    Attributes:
        masses: Probability of each label's token as the first one, in the order shown; None where
            not recorded.
        option_mass: Probability of all of them.
        entropy: Of the first token, nats.
        sample_right: Share of the samples that are right; None without samples or a gold option.
        agreement: Share of the samples that say what most say.
    """

    masses: list[float] | None
    option_mass: float | None
    entropy: float | None
    sample_right: float | None
    agreement: float | None


Key = tuple[int, int]
"""Question and option order, by which points are paired. Where the order is the point, it is 0."""


def stored_sweeps(cursor: DuckDBPyConnection, runs: Sequence[int]) -> list[list[StoredPoint]]:
    """The sweeps among some runs, each with its points in order.

    The runs of a sweep over the sampler are put together where all else is the same. A run that
    has a value again belongs to another sweep, and each of its prompt formats is one of its own.
    """
    found = cursor.execute(
        """
        SELECT run_id, settings FROM runs
        WHERE run_id IN (SELECT unnest(?::INTEGER[])) AND kind = 'run'
          AND json_extract(settings, '$.sweep') IS NOT NULL
        ORDER BY list_position(?::INTEGER[], run_id)
        """,
        [list(runs), list(runs)],
    ).fetchall()
    sweeps: dict[object, list[StoredPoint]] = defaultdict(list)
    places: dict[StoredPoint, int] = {}
    turns: Counter[object] = Counter()
    for run_id, settings in found:
        plan = json.loads(settings)
        swept = msgspec.convert(plan["sweep"], Swept)
        same, value = _kept(plan, swept, run_id)
        turns[same, value] += 1
        for place, point in enumerate(swept.points):
            if point.setting is None or point.setting[1] == value:
                stored = StoredPoint(run_id, swept.axis, point)
                places[stored] = place
                format_apart = point.format if point.setting else None
                sweeps[same, turns[same, value], format_apart].append(stored)
    return [sorted(points, key=places.__getitem__) for points in sweeps.values()]


def _kept(plan: dict[str, Any], swept: Swept, run_id: int) -> tuple[object, float | None]:
    """What all runs of a sweep have in common, and the value that the sweep gives to this one."""
    setting = swept.points[0].setting
    if setting is None:
        return run_id, None
    value = plan["settings"]["sampler"].pop(setting[0])
    kept = {name: stored for name, stored in plan.items() if name not in _INCIDENTAL}
    return json.dumps(kept, sort_keys=True), value


def measured(cursor: DuckDBPyConnection, stored: StoredPoint) -> dict[Key, Measured]:
    """What was measured at every probe of a point, in the order they were stored."""
    order = "o.order_index" if stored.point.order is None else "0"
    found = cursor.execute(
        f"""
        WITH sampled AS (
            SELECT probe_id, avg(correct::INTEGER) AS share_right FROM answers
            WHERE run_id = ? AND reading = 'sample_text' GROUP BY probe_id
        )
        SELECT o.question_index, {order}, [exp(logprob::DOUBLE) FOR logprob IN p.label_logprobs],
               o.option_mass, o.entropy, s.share_right, o.sample_agreement
        FROM outcomes o JOIN probes p USING (probe_id) LEFT JOIN sampled s USING (probe_id)
        WHERE o.run_id = ? AND {stored.of("o.")}
        ORDER BY probe_id
        """,
        [stored.run_id, stored.run_id],
    ).fetchall()
    return {(question, order): Measured(*values) for question, order, *values in found}


def warning_notes(cursor: DuckDBPyConnection, sweep: Sequence[StoredPoint]) -> Iterator[str]:
    """Warnings that not all prompts of a sweep carry: besides the axis, they set points apart."""
    told: dict[str, list[tuple[StoredPoint, int, str]]] = defaultdict(list)
    asked = {}
    for stored in sweep:
        found = cursor.execute(
            f"""
            WITH here AS (SELECT warnings FROM probes WHERE run_id = ? AND {stored.condition})
            SELECT warning.code, count(*), any_value(warning.message), (SELECT count(*) FROM here)
            FROM (SELECT unnest(warnings) AS warning FROM here) GROUP BY ALL ORDER BY 1
            """,
            [stored.run_id],
        ).fetchall()
        for code, count, message, of in found:
            told[code].append((stored, count, message))
            asked[stored] = of
    for code, points in told.items():
        if len(points) == len(sweep) and all(count == asked[at] for at, count, _ in points):
            continue
        for stored, count, message in points:
            yield (
                f"Run {stored.run_id}, {stored.title} {stored.point.label}: {count:,} of "
                f"{asked[stored]:,} prompts carry the warning {code}: {message}"
            )


def flips(
    cursor: DuckDBPyConnection,
    here: StoredPoint,
    first: StoredPoint,
    reading: str,
    text: TextSource,
) -> tuple[int, int]:
    """How many answers are other ones than at the first point, and how many both points have.

    They differ where they name different options of the source, or end differently without naming
    one.
    """
    counted = cursor.execute(
        f"SELECT count(*) FILTER ({CONDITIONS['differ']}), count(*) "
        f"FROM {_joined(here, first, reading, text)}"
    ).fetchall()
    ((differ, both),) = counted
    return differ, both


def flipped(here: StoredPoint, first: StoredPoint, reading: str, text: TextSource) -> str:
    """The probes whose answers differ, over the view ``listing``."""
    joined = _joined(here, first, reading, text)
    return f"probe_id IN (SELECT a.probe_id FROM {joined} AND {CONDITIONS['differ']})"


def _joined(here: StoredPoint, first: StoredPoint, reading: str, text: TextSource) -> str:
    """SQL after FROM: the answers ``a`` here and ``b`` at the first point to the same questions."""
    view = answers_view(text)
    order = "" if here.point.order is not None else " AND a.order_index = b.order_index"
    sides = " AND ".join(
        f"{side}.run_id = {of.run_id} AND {of.of(f'{side}.')} "
        f"AND {side}.reading = {quoted(reading)} AND {side}.sample IS NULL"
        for side, of in (("a", here), ("b", first))
    )
    return f"{view} a JOIN {view} b ON a.question_index = b.question_index{order} WHERE {sides}"
