"""Time what the question list asks of the store, on a database of make_big_store.py.

    python benchmarks/lists.py big.duckdb

Prints the median wall time, the smallest processor time and the memory of the process after each
line. The budgets are those of the explorer: a filtered list of a million probes in 150 ms, a window
of 200 rows in 15 ms, the counts of all flags in 50 ms, 200 MB of memory.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from engine import browse
from engine.database import LEAN_MEMORY
from engine.store import Store, open_store

WINDOW = 200
SEED = 0


def measure(name: str, work: Callable[[], object], repeats: int) -> None:
    """Print one line."""
    wall, processor = [], []
    for _ in range(repeats):
        wall_before, processor_before = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - wall_before)
        processor.append(time.process_time() - processor_before)
    memory = psutil.Process().memory_info().rss / 1e6
    print(
        f"{name:44} {statistics.median(wall) * 1e3:8.1f} ms wall {min(processor) * 1e3:8.1f} ms cpu"
        f" {memory:6.0f} MB"
    )


def window(store: Store, ids: NDArray[np.int32], draw: random.Random) -> list[browse.ListRow]:
    """A window anywhere in a list."""
    first = draw.randrange(len(ids) - WINDOW)
    return browse.list_rows(store, ids[first : first + WINDOW])


def main() -> None:
    """Read the arguments, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    draw = random.Random(SEED)
    with open_store(options.path, read_only=True, memory=LEAN_MEMORY) as store:
        run_id = browse.runs(store)[0].run_id

        def line(name: str, work: Callable[[], object]) -> None:
            measure(name, work, options.repeats)

        line("runs", lambda: browse.runs(store))
        line("flag counts", lambda: browse.flag_counts(store, run_id))
        lists = {
            "all": partial(browse.list_ids, store, run_id),
            "with a flag": partial(browse.list_ids, store, run_id, flag="mismatch"),
            "of a subject": partial(
                browse.list_ids, store, run_id, condition="subject = 'subject 3'"
            ),
            "of a condition": partial(
                browse.list_ids, store, run_id, condition="format = 'low' AND margin < 0.2"
            ),
            "whose text contains a word": partial(
                browse.list_ids, store, run_id, condition="contains(greedy_text, 'abc')"
            ),
            "by margin": partial(browse.list_ids, store, run_id, order_by="margin"),
        }
        for name, ids in lists.items():
            line(f"ids, {name}", ids)
        everything = lists["all"]()
        line("mask", lambda: browse.flagged_mask(store, run_id, "refusal", everything))
        for name in ("all", "with a flag", "by margin"):
            line(f"window of {WINDOW} rows, {name}", partial(window, store, lists[name](), draw))
        line("one probe", lambda: browse.probe_view(store, int(draw.choice(everything))))


if __name__ == "__main__":
    main()
