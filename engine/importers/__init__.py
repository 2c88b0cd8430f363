"""Logs of other tools and released data of papers, as runs of the store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from engine.errors import LogError
from engine.importers.imported import ImportedRun, Importer

if TYPE_CHECKING:
    from engine.rows import RecordedProbe
    from engine.store import Store

__all__ = ["KINDS", "Imported", "Kind", "import_logs", "read_logs", "store_logs"]

CHUNK = 1000
"""Probes that are turned into rows at a time."""


class Kind(NamedTuple):
    """One kind of log.

    Attributes:
        name: What the command calls it.
        about: What it reads, in a line.
        module: Module of :mod:`engine.importers` that reads it.
        function: Its importer there.
    """

    name: str
    about: str
    module: str
    function: str


KINDS: tuple[Kind, ...] = (
    Kind(
        "lm-eval",
        "lm-evaluation-harness: samples_*.jsonl, or the folder they are in",
        "lm_eval",
        "read_lm_eval",
    ),
    Kind("inspect", "inspect: .eval and .json logs", "inspect_log", "read_inspect"),
    Kind("helm", "HELM: the folder of a run (scenario_state.json)", "helm", "read_helm"),
    Kind(
        "mcq-mismatch",
        "released responses of arXiv:2402.14499 with letter logits and human labels, jsonl",
        "mcq",
        "read_mismatch",
    ),
    Kind(
        "mcq-robustness",
        "released responses of arXiv:2404.08382 with letter logits and human labels, jsonl",
        "mcq",
        "read_robustness",
    ),
    Kind(
        "msp",
        "released grades and confidences of arXiv:2402.13213, txt files or their folder",
        "msp",
        "read_msp",
    ),
)


class Imported(msgspec.Struct, frozen=True):
    """One run that was imported.

    Attributes:
        run_id: Its id in the store.
        name: What lists call it.
        model: What the log calls the model.
        questions: Number of questions.
        probes: Number of probes.
        notes: What a user should know about it.
    """

    run_id: int
    name: str
    model: str
    questions: int
    probes: int
    notes: tuple[str, ...]


def read_logs(kind: str, paths: Sequence[str]) -> list[ImportedRun]:
    """Read logs without storing anything.

    Args:
        kind: Name of one of :data:`KINDS`.
        paths: Files or folders.

    Raises:
        LogError: There is no such kind, or something can't be read.
    """
    known = {each.name: each for each in KINDS}
    if kind not in known:
        raise LogError(
            f"There is no kind of log called {kind!r}.",
            f"There are {', '.join(known)}; logitscope for what logitscope export made.",
        )
    module = import_module(f"engine.importers.{known[kind].module}")
    importer: Importer = getattr(module, known[kind].function)
    runs = importer(paths)
    if not any(run.probes for run in runs):
        raise LogError(f"{', '.join(paths)} holds no {kind} results.", "Name another file.")
    return runs


def import_logs(
    store: Store,
    kind: str,
    paths: Sequence[str],
    *,
    name: str | None = None,
    model: str | None = None,
    again: bool = False,
) -> list[Imported]:
    """Read logs and store each as a run of kind ``import``; all of them, or nothing.

    Args:
        store: Where to.
        kind: Name of one of :data:`KINDS`.
        paths: Files or folders.
        name: What lists call the runs, instead of what the logs say.
        model: What the model is called, instead of what the logs say.
        again: Whether what is stored already is stored once more.

    Raises:
        LogError: Something can't be read, or is stored already.
        StoreError: It can't be written.
    """
    return store_logs(store, kind, read_logs(kind, paths), name=name, model=model, again=again)


def store_logs(
    store: Store,
    kind: str,
    logs: Sequence[ImportedRun],
    *,
    name: str | None = None,
    model: str | None = None,
    again: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[Imported]:
    """As :func:`import_logs`, of logs that have been read.

    Args:
        store: Where to.
        kind: What they were read as.
        logs: What :func:`read_logs` made of them.
        name: As for :func:`import_logs`.
        model: As for :func:`import_logs`.
        again: As for :func:`import_logs`.
        on_progress: Told how many probes of how many are stored.

    Raises:
        LogError: One is stored already.
        StoreError: They can't be written.
    """
    runs = [
        msgspec.structs.replace(run, name=name or run.name, model=model or run.model)
        for run in logs
    ]
    total, done = sum(len(run.probes) for run in runs), 0
    fingerprints = [_fingerprint(kind, run) for run in runs]
    if not again:
        _check_new(store, dict(zip(fingerprints, runs, strict=True)))
        _check_different(runs, fingerprints)

    def tell(count: int) -> None:
        nonlocal done
        done += count
        on_progress(done, total)

    with store.together():
        return [
            _store(store, kind, run, fingerprint, tell)
            for run, fingerprint in zip(runs, fingerprints, strict=True)
        ]


def _fingerprint(kind: str, run: ImportedRun) -> str:
    """Hash of what a log says, wherever its files lie and whatever the run is called."""
    digest = hashlib.blake2b(kind.encode(), digest_size=8)
    for probe in run.probes:
        # Readings of texts change with the ladder; a log without texts gives readings itself.
        given = () if probe.result.generations else probe.readings
        said = (probe.question_id, probe.prompt, probe.result, probe.human_label, probe.scores)
        try:
            digest.update(msgspec.json.encode((*said, given)))
        except UnicodeEncodeError as error:
            raise LogError(
                f"{run.source} holds half a character, which is no text: {error.object[:40]!r}.",
                "Write the log anew with whole characters.",
            ) from error
    return digest.hexdigest()


def _check_new(store: Store, runs: dict[str, ImportedRun]) -> None:
    """Refuse logs that are stored already, by their fingerprints."""
    found = store.reader().execute(
        "SELECT run_id, fingerprint FROM runs WHERE kind = 'import' "
        "AND fingerprint IN (SELECT unnest(?)) ORDER BY run_id",
        [list(runs)],
    )
    for run_id, fingerprint in found.fetchall():
        raise LogError(
            f"{runs[fingerprint].source} is stored already, as run {run_id}.",
            "Add --again to store it once more.",
        )


def _check_different(runs: Sequence[ImportedRun], fingerprints: Sequence[str]) -> None:
    """Refuse two logs that say the same."""
    seen: dict[str, ImportedRun] = {}
    for run, fingerprint in zip(runs, fingerprints, strict=True):
        other = seen.setdefault(fingerprint, run)
        if other is not run:
            raise LogError(
                f"{other.source} and {run.source} hold the same answers.",
                "Leave one out, or add --again to store both.",
            )


def _store(
    store: Store, kind: str, run: ImportedRun, fingerprint: str, tell: Callable[[int], None]
) -> Imported:
    run_id = store.add_run(
        kind="import",
        name=run.name,
        model=run.model,
        source=run.source,
        formats=list(dict.fromkeys(probe.prompt.format for probe in run.probes)),
        orders=len({probe.prompt.order for probe in run.probes}),
        planned=len(run.probes),
        fingerprint=fingerprint,
        settings=json.dumps({"importer": kind, **run.settings}),
        tokenizer=f"import {fingerprint}" if run.tokens else None,
    )
    if run.tokens:
        store.add_vocabulary(f"import {fingerprint}", run.tokens)
    store.add_questions(run.questions)
    for start in range(0, len(run.probes), CHUNK):
        chunk: Sequence[RecordedProbe] = run.probes[start : start + CHUNK]
        store.write(run_id, chunk)
        tell(len(chunk))
    store.finish_run(run_id, "finished", " ".join(run.notes) or None)
    return Imported(
        run_id, run.name, run.model, len(run.questions), len(run.probes), tuple(run.notes)
    )
