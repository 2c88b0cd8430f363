"""Sweeps: the same questions, with one thing about the prompt or the sampler changed step by step.

An axis makes the points of a sweep out of a prompt format; a plan makes runs out of the points,
one where formats or option orders differ, one a value where the sampler does.
"""

from engine.sweeps.axes import AXES, Axis, axis
from engine.sweeps.plans import finished_runs, parse_sweep, sweep_plans
from engine.sweeps.point import Point

__all__ = [
    "AXES",
    "Axis",
    "Point",
    "axis",
    "finished_runs",
    "parse_sweep",
    "sweep_plans",
]
