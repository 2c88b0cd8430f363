"""From a plan and an axis to the runs of a sweep."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from engine.plan_checks import check, check_formats, check_labels, check_settings
from engine.planning import RunPlan, with_examples
from engine.prompt import render_text
from engine.sweeps.axes import Axis, axis
from engine.sweeps.point import Point
from engine.swept import Swept, SweptPoint

if TYPE_CHECKING:
    from engine.store import Store


def parse_sweep(text: str) -> tuple[Axis, tuple[str, ...]]:
    """Read ``AXIS`` or ``AXIS=VALUES``, as in ``example-letter=C,A`` or ``temperature=0,0.5,1``.

    Values stand between commas; one with a comma in it stands in double quotes.

    Raises:
        LogitscopeError: There is no such axis, or a value is empty.
    """
    name, given, listed = text.partition("=")
    found = axis(name.strip())
    values = next(csv.reader([listed]), []) if given else []
    check(
        all(value.strip() for value in values) and bool(values) == bool(given),
        f"A value of the sweep {text!r} is empty.",
        f"Write values with commas between, or none for the usual ones: {found.name}",
    )
    return found, tuple(values)


def sweep_plans(plan: RunPlan, over: Axis, values: Sequence[str] = ()) -> list[RunPlan]:
    """The runs that make a sweep of a plan: one, or one for each setting of the sampler.

    Each remembers the whole sweep (``RunPlan.sweep``) and is named after it; the model is the same
    for all.

    Args:
        plan: What is asked; one format, but for a sweep over the sampler, which takes any.
        over: What is changed.
        values: Into what; none for the usual values of the axis.

    Raises:
        LogitscopeError: A point can't be made; the sentence says which and why.
    """
    points = [point for fmt in plan.formats for point in over.points(fmt, plan.questions, values)]
    check(
        len(plan.formats) == 1 or all(point.setting for point in points),
        f"A sweep over {over.title} changes one format, not {len(plan.formats)}.",
        "Name one with --format.",
    )
    check(
        plan.settings.samples > 0 or not any(point.setting for point in points),
        f"A sweep over {over.title} needs samples: nothing else depends on it.",
        "Ask for at least one with --samples.",
    )
    plan = _prepared(plan, points)
    swept = Swept(
        over.name,
        tuple(SweptPoint(each.label, each.fmt.name, each.order, each.setting) for each in points),
    )
    settings = dict.fromkeys(point.setting for point in points)
    plans = [_plan(plan, over, points, setting) for setting in settings]
    return [msgspec.structs.replace(each, sweep=swept) for each in plans]


def finished_runs(store: Store, plans: Sequence[RunPlan]) -> list[int]:
    """The newest finished run of each plan that has one."""
    found = [
        store.reader()
        .execute(
            "SELECT max(run_id) FROM runs "
            "WHERE fingerprint = ? AND kind = 'run' AND status = 'finished'",
            [plan.fingerprint],
        )
        .fetchall()[0][0]
        for plan in plans
    ]
    return [run_id for run_id in found if run_id is not None]


def _plan(
    plan: RunPlan, over: Axis, points: Sequence[Point], setting: tuple[str, float] | None
) -> RunPlan:
    """The run of the points with one setting of the sampler."""
    here = [point for point in points if point.setting == setting]
    formats = tuple({point.fmt.name: point.fmt for point in here}.values())
    orders = [point.order for point in here if point.order is not None]
    settings, value = plan.settings, ""
    if setting is not None:
        sampler = msgspec.structs.replace(settings.sampler, **dict([setting]))
        settings, value = msgspec.structs.replace(settings, sampler=sampler), f" {setting[1]:g}"
    check_settings(settings)
    check_formats(formats)
    check_labels(plan.questions, formats, plan.perturbations)
    for fmt in formats:
        render_text(plan.questions[0], fmt)
    return msgspec.structs.replace(
        plan,
        formats=formats,
        settings=settings,
        orders=1 + max(orders) if orders else plan.orders,
        name=f"{plan.name} · {over.title}{value}",
    )


def _prepared(plan: RunPlan, points: Sequence[Point]) -> RunPlan:
    """The plan with the formats of its points, and what they take worked examples from.

    Raises:
        LogitscopeError: The points differ in the number of examples, and there are too few.
    """
    formats = tuple({point.fmt.name: point.fmt for point in points}.values())
    plan = with_examples(msgspec.structs.replace(plan, formats=formats))
    if len({fmt.shots for fmt in formats}) > 1:
        most = max(formats, key=lambda fmt: fmt.shots)
        for index, question in enumerate(plan.questions):
            there = len(plan.examples.choose(question, index, most))
            check(
                there == most.shots,
                f"{most.shots} worked examples are wanted, but question {index} of {plan.source} "
                f"can have {there} from its {most.shots_from} split.",
                "Ask for fewer shots, or put more questions of its subject into that split.",
            )
    return plan
