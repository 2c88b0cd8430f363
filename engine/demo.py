"""The demo: the embedded teaching model's answers to the sample questions, recorded once."""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engine.errors import LogitscopeError
from engine.formats import format_file
from engine.paths import home
from engine.records import LADDER_VERSION, ProbeSettings

if TYPE_CHECKING:
    from engine.client import WorkerClient
    from engine.execution import RunProgress
    from engine.planning import RunPlan
    from engine.store import Store

_SAMPLE_DATA = Path(str(files("sample_data")))

EMBEDDED_MODEL = _SAMPLE_DATA / "model"
"""The teaching model that ships with logitscope."""

QUESTIONS = (
    ("Opinion questions", _SAMPLE_DATA / "questions" / "opinion.jsonl"),
    ("Knowledge questions", _SAMPLE_DATA / "questions" / "knowledge.jsonl"),
)
"""The sample questions, by name."""

FORMATS = ("low", "middle", "high", "example", "mmlu-original")
SETTINGS = ProbeSettings(samples=8, unconditional=True)


class Recording(NamedTuple):
    """One recorded run.

    Attributes:
        name: What lists call it, after "Demo: ".
        source: The questions it asks.
        formats: The prompt formats.
        orders: Option orders a question.
        limit: Only so many questions; None for all.
        perturbations: How the questions are changed besides.
    """

    name: str
    source: Path
    formats: tuple[str, ...] = FORMATS
    orders: int = 1
    limit: int | None = None
    perturbations: tuple[str, ...] = ()


RECORDINGS = (
    Recording(
        "Option orders",
        QUESTIONS[1][1],
        formats=("low", "high"),
        orders=5,
        limit=40,
        perturbations=("letter_typo", "extra_options"),
    ),
    *(Recording(name, source) for name, source in QUESTIONS),
)
"""In the order they are made; the explorer opens on the last."""


def demo_path() -> Path:
    """Where the demo is or will be recorded.

    The name holds a hash of everything the recording depends on: where any of it changes, a new
    demo is recorded beside the old one, which may hold marks and runs of the user's.
    """
    return home() / f"demo-{_digest()}.duckdb"


def demo_ready() -> bool:
    """Whether the demo has been recorded."""
    return demo_path().exists()


def record_demo(
    client: WorkerClient,
    *,
    on_progress: Callable[[RunProgress], None] = lambda progress: None,
    stop: threading.Event | None = None,
) -> Path:
    """Record the demo, or go on where an earlier recording stopped.

    It is recorded beside its place and moved there when it is whole.

    Args:
        client: Whose worker asks the model.
        on_progress: Told how far all runs together are.
        stop: Cancels the recording when set; the next one goes on from there.

    Returns:
        The recorded database.

    Raises:
        LogitscopeError: The recording did not finish; the sentence says why.
    """
    from engine.perturb import parse_perturbation
    from engine.runs import plan_run
    from engine.store import open_store

    path = demo_path()
    if path.exists():
        return path
    plans = [
        plan_run(
            str(EMBEDDED_MODEL),
            str(made.source),
            made.formats,
            SETTINGS,
            orders=made.orders,
            limit=made.limit,
            perturbations=tuple(map(parse_perturbation, made.perturbations)),
            device="cpu",
            name=f"Demo: {made.name}",
        )
        for made in RECORDINGS
    ]
    partial = path.with_suffix(".recording")
    partial.parent.mkdir(parents=True, exist_ok=True)
    planned = sum(plan.planned for plan in plans)
    before = 0

    def tell(progress: RunProgress) -> None:
        on_progress(_part(progress, before, planned))

    with open_store(partial) as store:
        for plan in plans:
            _record(store, plan, client, tell, stop)
            before += plan.planned
    os.replace(partial, path)
    return path


def _record(
    store: Store,
    plan: RunPlan,
    client: WorkerClient,
    on_progress: Callable[[RunProgress], None],
    stop: threading.Event | None,
) -> None:
    """Carry out one plan, unless that has been done."""
    from engine.runs import execute

    finished = store.reader().execute(
        "SELECT count(*) FROM runs WHERE fingerprint = ? AND status = 'finished'",
        [plan.fingerprint],
    )
    if finished.fetchall() != [(0,)]:
        return
    resume = store.find_run(plan.fingerprint) is not None
    summary = execute(store, plan, client, resume=resume, on_progress=on_progress, stop=stop)
    if summary.status != "finished":
        raise LogitscopeError(
            f"The demo was not recorded to its end: {summary.message or summary.status}.",
            "Start logitscope again to go on.",
        )


def _part(progress: RunProgress, before: int, planned: int) -> RunProgress:
    """The progress of one run as a part of all."""
    done = before + progress.done
    left = planned - done - progress.failed
    eta_s = left / progress.rate if progress.rate else None
    return msgspec.structs.replace(progress, done=done, planned=planned, eta_s=eta_s)


@functools.cache
def _digest() -> str:
    """Hash of model, questions, formats, settings and the rules that read the answers."""
    digest = hashlib.blake2b(digest_size=6)
    model = sorted(path for path in EMBEDDED_MODEL.rglob("*") if path.is_file())
    names = dict.fromkeys(name for made in RECORDINGS for name in made.formats)
    formats = [format_file(name) for name in names]
    for path in (*model, *formats, *(made.source for made in RECORDINGS)):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    for made in RECORDINGS:
        digest.update(msgspec.json.encode((made.name, *made[2:])))
    digest.update(msgspec.json.encode(SETTINGS))
    digest.update(str(LADDER_VERSION).encode())
    return digest.hexdigest()
