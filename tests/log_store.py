"""Imported logs in a store, and every probe of them as the question screen gets it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st

from engine.browse import ProbeView, list_ids, probe_view
from engine.errors import LogError
from engine.importers import import_logs
from engine.importers.imported import ImportedRun, Importer
from engine.reread import reread
from engine.store import Store, open_store

LOGS = Path(__file__).parent / "logs"


@contextmanager
def imported(kind: str, paths: Sequence[Path], db: Path) -> Iterator[tuple[Store, list[ProbeView]]]:
    """Store logs and step through all their probes; reading them again must change nothing."""
    with open_store(db) as store:
        runs = import_logs(store, kind, [str(path) for path in paths])
        views = [
            probe_view(store, int(probe_id))
            for run in runs
            for probe_id in list_ids(store, run.run_id)
        ]
        assert len(views) == sum(run.probes for run in runs)
        done = reread(store, dry=True)
        assert (done.changed, done.added, done.otherwise) == (0, {}, {})
        yield store, views


ODD: tuple[Any, ...] = (
    *(None, True, -1, 10**9, 0.5, float("nan"), "", "é\x00"),
    *([], [[]], {}, {"a": 1}),
)


def read_or_named(importer: Importer, path: Path) -> bool:
    """Whether a log is either read, everything of the type it should have, or refused by name."""
    try:
        runs = importer([str(path)])
    except LogError as error:
        return str(path) in error.sentence and "\n" not in error.sentence
    msgspec.msgpack.decode(msgspec.msgpack.encode(runs), type=list[ImportedRun])
    return True


@st.composite
def spoiled(draw: st.DrawFn, document: Any) -> Any:
    """The same document with one to three of its parts lost or replaced by something odd."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        parent = changed
        while True:
            keys = list(parent) if isinstance(parent, dict) else range(len(parent))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            inner = parent[key]
            if isinstance(inner, dict | list) and inner and draw(st.integers(0, 4)):
                parent = inner
                continue
            if draw(st.booleans()):
                del parent[key]
            else:
                parent[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
            break
    return changed
