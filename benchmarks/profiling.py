"""Where the time of a probe goes: the profiler's operations, sorted into a few parts.

The functions of the engine that do one part are wrapped in a labelled range while the profiler
runs; an operation belongs to the innermost range around it that is known, matrix products to
themselves wherever they are.
"""

from __future__ import annotations

import functools
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile, record_function

PRODUCTS = "matrix products"
ATTENTION = "attention"
SAMPLING = "top-k and sampling"
REDUCING = "reduce"
LAYERS = "rest of the layers"
REST = "rest"
PARTS = (PRODUCTS, ATTENTION, SAMPLING, REDUCING, LAYERS, REST)

_OPERATIONS = dict.fromkeys(
    ("aten::mm", "aten::addmm", "aten::linear", "mkldnn::_linear_pointwise"), PRODUCTS
)
_RANGES = {
    "engine.attention.PromptPass.attend": ATTENTION,
    "engine.attention.ForcedPass.attend": ATTENTION,
    "engine.attention.DecodePass.attend": ATTENTION,
    "engine.reduce.top_k": SAMPLING,
    "engine.sampling.top_k": SAMPLING,
    "engine.sampling.Sampler.draw": SAMPLING,
    "engine.probe.reduce_logits": REDUCING,
    "engine.generate.reduce_logits": REDUCING,
    "engine.generate.ranks": REDUCING,
    "engine.probe.forced_logprobs": REDUCING,
    "engine.plans.CausalModel.flat": LAYERS,
}
"""Functions of the engine where they are called by name, and the part that each does."""


def spent(probe: Callable[[], None], device: torch.device) -> dict[str, float]:
    """Seconds of each part of a probe.

    On the CPU this is the time of the operations and of the Python between them; on a GPU the
    time of the kernels that the operations started.

    Args:
        probe: Probes, not for the first time.
        device: Where the model is.
    """
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with _labelled(), profile(activities=activities) as profiler:
        with record_function(REST):
            probe()
        if on_gpu:
            torch.cuda.synchronize()
    seconds = dict.fromkeys(PARTS, 0.0)
    for event in profiler.events() or ():
        part = _part(event)
        if part is not None:
            seconds[part] += _own(event, on_gpu=on_gpu) / 1e6
    return seconds


@contextmanager
def _labelled() -> Iterator[None]:
    """Wrap the functions of :data:`_RANGES` for as long as the context lasts."""
    with ExitStack() as stack:
        for name, part in _RANGES.items():
            stack.enter_context(mock.patch(name, _ranged(pkgutil.resolve_name(name), part)))
        yield


def _ranged(function: Callable[..., Any], part: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def inside(*args: Any, **kwargs: Any) -> Any:
        with record_function(part):
            return function(*args, **kwargs)

    return inside


def _part(event: FunctionEvent) -> str | None:
    """The part that an event belongs to; None outside of the probe and for what a GPU reports."""
    if event.device_type.name != "CPU":
        return None
    around: FunctionEvent | None = event
    while around is not None:
        if around.name in _OPERATIONS:
            return _OPERATIONS[around.name]
        if around.name in PARTS:
            return str(around.name)
        around = around.cpu_parent
    return None


def _own(event: FunctionEvent, *, on_gpu: bool) -> float:
    """Microseconds of an event without those inside it."""
    if not on_gpu:
        return float(event.self_cpu_time_total)
    # A range is reported on the GPU as well, in the guise of one long kernel of its name.
    return float(sum(kernel.duration for kernel in event.kernels if kernel.name not in PARTS))
