"""How time is taken: processor time on the CPU, elapsed time of the stream on a GPU.

The processor time of a process with one thread is the same on a busy machine as on an idle one,
as far as caches and memory are not shared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")
CPU = torch.device("cpu")


def timed(work: Callable[[], T], device: torch.device = CPU) -> tuple[T, float]:
    """A result and the seconds it took.

    Args:
        work: What to do.
        device: Where it runs; on a GPU, what was begun before is waited for first, and what
            ``work`` began is waited for at the end.
    """
    if device.type != "cuda":
        before = time.process_time()
        result = work()
        return result, time.process_time() - before
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    start.record()
    result = work()
    end.record()
    torch.cuda.synchronize()
    return result, start.elapsed_time(end) / 1e3


def fastest(work: Callable[[], object], device: torch.device = CPU, repeats: int = 3) -> float:
    """Seconds of the fastest of several times, after one that does not count."""
    work()
    return min(timed(work, device)[1] for _ in range(repeats))
