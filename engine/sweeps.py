"""Sweeps: the same plan under several values of one setting of the sampler, a run for each."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from engine.errors import LogitscopeError
from engine.plan_checks import check, check_settings
from engine.planning import RunPlan

Parameter = Literal["temperature", "repetition_penalty"]
PARAMETERS: tuple[Parameter, ...] = get_args(Parameter)


class Sweep(msgspec.Struct, frozen=True):
    """Which setting takes which values."""

    parameter: Parameter
    values: tuple[float, ...]


def parse_sweep(text: str) -> Sweep:
    """Read ``temperature=0,0.5,1`` or ``repetition_penalty=0.9,1,1.1``.

    Raises:
        LogitscopeError: It is neither.
    """
    name, _, listed = text.partition("=")
    parameter = next((known for known in PARAMETERS if known == name.strip()), None)
    if parameter is None:
        raise LogitscopeError(
            f"There can be no sweep over {name.strip()!r}.", f"Choose {' or '.join(PARAMETERS)}."
        )
    try:
        values = tuple(map(float, listed.split(",")))
    except ValueError as error:
        raise LogitscopeError(
            f"The values {listed!r} of the sweep over {parameter} are no numbers.",
            f"Write them with commas between: {parameter}=0.5,1,1.5",
        ) from error
    return Sweep(parameter, values)


def swept(plan: RunPlan, sweep: Sweep) -> list[RunPlan]:
    """The plan once for each value, named after it; the model is the same for all of them.

    Raises:
        LogitscopeError: A value is out of range or there twice, or the plan draws no samples.
    """
    check(
        plan.settings.samples > 0,
        f"A sweep over {sweep.parameter} needs samples: nothing else depends on it.",
        "Ask for at least one with --samples.",
    )
    for value in sweep.values:
        check(
            sweep.values.count(value) == 1,
            f"The sweep over {sweep.parameter} has the value {value:g} twice.",
        )
    return [_with(plan, sweep.parameter, value) for value in sweep.values]


def _with(plan: RunPlan, parameter: Parameter, value: float) -> RunPlan:
    sampler = msgspec.structs.replace(plan.settings.sampler, **{parameter: value})
    settings = msgspec.structs.replace(plan.settings, sampler=sampler)
    check_settings(settings)
    words = parameter.replace("_", " ")
    return msgspec.structs.replace(plan, settings=settings, name=f"{plan.name} · {words} {value:g}")
