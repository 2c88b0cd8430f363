"""What a run will ask: everything needed to repeat it, and the probes it consists of, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.errors import ModelError
from engine.formats import PromptFormat, load_format
from engine.perturb import (
    Kind,
    Perturbation,
    Variant,
    can_change,
    check_perturbations,
    variant,
    variants,
)
from engine.plan_checks import check, check_choice, check_formats, check_labels, check_settings
from engine.protocol import Load, ProbeItem
from engine.questions import Question, load_questions
from engine.records import ModelInfo, ProbeSettings
from engine.shots import Examples, find_examples
from engine.swept import Swept

if TYPE_CHECKING:
    from engine.store import RunKind, Store

CHUNK = 64
"""Questions whose formats and variants are all asked before the next questions come.

Long enough for full batches of one format, short enough to see questions complete early.
"""

DTYPES = ("auto", "float32", "bfloat16", "float16")
QUANTIZATIONS = ("none", "8bit", "4bit")

_DEFAULTS = ProbeSettings()
_SAMPLES = 64
_SAMPLE_LENGTH = 1 << 14


class PlannedProbe(msgspec.Struct, frozen=True):
    """One probe of a run.

    Attributes:
        item: What the worker is sent; its key is the probe's number in the plan.
        question_index: Place of the question in its source, from 0.
        permutation: As in :class:`engine.perturb.Variant`.
        perturbation: As in :class:`engine.perturb.Variant`.
    """

    item: ProbeItem
    question_index: int
    permutation: tuple[int, ...]
    perturbation: Kind | None = None


class RunPlan(msgspec.Struct, frozen=True):
    """Everything needed to repeat a run.

    Stored with the run as JSON, without the questions: those have a table of their own.

    Attributes:
        model: A model folder (absolute) or hub id.
        source: The question file, folder or hub dataset, as given.
        formats: The prompt formats, whole.
        settings: What every probe is asked.
        orders: Option orders a question; the first is that of the source.
        perturbations: What else each question is asked with, after its option orders.
        limit: Only so many questions; None for all.
        revision: Hub revision of the model.
        dtype: One of :data:`DTYPES`.
        device: ``auto`` or a torch device.
        quantization: One of :data:`QUANTIZATIONS`.
        batch_size: Prompts a batch; 0 is automatic.
        name: What lists call the run.
        weights: What :func:`weights_hash` says about a model folder; empty for a hub id.
        dev: The dev split, where a format takes worked examples from it.
        validation: The validation split, likewise; unset for none, and then not written.
        subjects: As in :class:`engine.shots.Examples`, likewise.
        sweep: The sweep that this run is or is a part of; unset for none, and then not written, so
            that plans from before there were sweeps keep their fingerprint.
        questions: The questions, in source order.
    """

    model: str
    source: str
    formats: tuple[PromptFormat, ...]
    settings: ProbeSettings
    orders: int = 1
    perturbations: tuple[Perturbation, ...] = ()
    limit: int | None = None
    revision: str | None = None
    dtype: str = "auto"
    device: str = "auto"
    quantization: str = "none"
    batch_size: int = 0
    name: str = ""
    weights: str = ""
    dev: tuple[Question, ...] = ()
    validation: tuple[Question, ...] | msgspec.UnsetType = msgspec.UNSET
    subjects: tuple[tuple[str, int], ...] | msgspec.UnsetType = msgspec.UNSET
    sweep: Swept | msgspec.UnsetType = msgspec.UNSET
    questions: tuple[Question, ...] = ()

    @property
    def variants(self) -> int:
        """How many ways each question is shown in each format: orders, then perturbed copies."""
        return variants(self.orders, self.perturbations)

    @property
    def examples(self) -> Examples:
        """Where worked examples come from."""
        return Examples(self.dev, self.validation or (), self.subjects or ())

    @property
    def planned(self) -> int:
        """Number of probes."""
        return len(self.questions) * len(self.formats) * self.variants

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides what is stored; plans that share it are the same run.

        Name, source path, batch size and device are left out: they may change between the parts
        of one run. So is the limit, because the questions themselves say what it did, and the
        place of a model folder, because its weights do.
        """
        lasting = msgspec.structs.replace(
            self,
            model="" if self.weights else self.model,
            name="",
            source="",
            limit=None,
            batch_size=0,
            device="",
            questions=(),
        )
        digest = hashlib.blake2b(msgspec.json.encode(lasting), digest_size=8)
        for question in self.questions:
            digest.update(question.id.encode())
        return digest.hexdigest()

    @property
    def load(self) -> Load:
        """The request that loads this plan's model; its job number is for the client to set."""
        return Load(
            job=0,
            model=self.model,
            revision=self.revision,
            dtype=self.dtype,
            device=self.device,
            quantization=self.quantization,
        )

    @property
    def notes(self) -> list[str]:
        """What a user should know about these settings before reading any number."""
        notes = []
        sampler = self.settings.sampler
        if self.settings.samples and sampler.repetition_penalty != 1:
            notes.append(
                "The repetition penalty changes the logits of every token in the prompt, the "
                "option labels among them, so samples name options less (or more) readily."
            )
        if self.settings.samples > 1 and sampler.temperature == 0:
            notes.append("At temperature 0 all samples of a prompt are the same: one is enough.")
        for perturbation in self.perturbations:
            kind = perturbation.kind
            same = sum(not can_change(question, kind) for question in self.questions)
            if same:
                notes.append(
                    f"{kind} finds nothing to change in {same:,} of {len(self.questions):,} "
                    "questions: they are asked as they are."
                )
        return notes

    def to_json(self) -> str:
        """The plan as it is stored with its run."""
        return msgspec.json.encode(msgspec.structs.replace(self, questions=())).decode()

    def probes(self) -> Iterator[PlannedProbe]:
        """Every probe of the plan, numbered in the order they are asked.

        Chunk by chunk of the questions; within a chunk one format after the other, because the
        prompts of a format share their beginning and the model reads it once a batch.
        """
        key = 0
        for start in range(0, len(self.questions), CHUNK):
            chunk = range(start, min(start + CHUNK, len(self.questions)))
            for fmt in self.formats:
                for number in range(self.variants):
                    for index in chunk:
                        yield self.probe(key, index, fmt, number)
                        key += 1

    def probe(self, key: int, index: int, fmt: PromptFormat, number: int) -> PlannedProbe:
        """One probe: variant ``number`` of question ``index`` in one format.

        Raises:
            QuestionError: There is no such variant.
        """
        question = self.questions[index]
        seed, orders, perturbations = self.settings.seed, self.orders, self.perturbations
        shown = variant(question, number, seed, orders, perturbations, fmt.labels)
        return planned_probe(key, index, question, shown, fmt, self.examples)


def planned_probe(
    key: int,
    index: int,
    question: Question,
    shown: Variant,
    fmt: PromptFormat,
    examples: Examples,
) -> PlannedProbe:
    """One probe of a question, given in source order and as it is shown.

    Worked examples are never perturbed.
    """
    item = ProbeItem(
        key=key,
        question=shown.question,
        question_id=question.id,
        order=shown.number,
        format=fmt.name,
        shots=examples.choose(question, index, fmt),
    )
    return PlannedProbe(item, index, shown.permutation, shown.perturbation)


def plan_run(
    model: str,
    source: str,
    formats: Sequence[str | PromptFormat],
    settings: ProbeSettings = _DEFAULTS,
    *,
    orders: int = 1,
    perturbations: Sequence[Perturbation] = (),
    limit: int | None = None,
    revision: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    quantization: str = "none",
    batch_size: int = 0,
    name: str | None = None,
) -> RunPlan:
    """Check everything that can be checked without the model, and read questions and formats.

    Args:
        model: A model folder or hub id.
        source: What :func:`engine.questions.load_questions` reads.
        formats: Names, paths of .toml files, or formats.
        settings: What every probe is asked.
        orders: Option orders a question.
        perturbations: What else each question is asked with.
        limit: Only the first so many questions.
        revision: Hub revision of the model.
        dtype: One of :data:`DTYPES`.
        device: ``auto`` or a torch device.
        quantization: One of :data:`QUANTIZATIONS`.
        batch_size: Prompts a batch; 0 is automatic.
        name: What lists call the run; made from source and model when left out.

    Raises:
        LogitscopeError: A setting, question or format can't be used; the sentence names it.
    """
    check_settings(settings)
    check(orders >= 1, f"The number of orders is {orders}; it must be at least 1.")
    check(limit is None or limit >= 1, f"The limit is {limit}; it must be at least 1.")
    check(batch_size >= 0, f"The batch size is {batch_size}; it must be at least 1, or auto.")
    check_choice("dtype", dtype, DTYPES)
    check_choice("quantization", quantization, QUANTIZATIONS)
    check(bool(model), "No model is named.", "Give a folder or a hub id.")
    loaded = tuple(fmt if isinstance(fmt, PromptFormat) else load_format(fmt) for fmt in formats)
    check_formats(loaded)
    check_perturbations(perturbations)
    questions = tuple(load_questions(source, limit=limit))
    check_labels(questions, loaded, perturbations)
    folder = Path(model).expanduser()
    plan = RunPlan(
        model=str(folder.resolve()) if folder.is_dir() else model,
        source=source,
        formats=loaded,
        settings=settings,
        orders=orders,
        perturbations=tuple(perturbations),
        limit=limit,
        revision=revision,
        dtype=dtype,
        device=device,
        quantization=quantization,
        batch_size=batch_size,
        name=name or f"{Path(source).stem} · {folder.name}",
        weights=weights_hash(model),
        questions=questions,
    )
    return with_examples(plan, questions if limit is None else ())


def with_examples(plan: RunPlan, questions: Sequence[Question] = ()) -> RunPlan:
    """A plan with the questions that its formats take their worked examples from.

    Args:
        plan: Those that it already has stay.
        questions: All questions of its source, where they are known.

    Raises:
        QuestionError: They are there but can't be read.
    """
    lacking = [fmt for fmt in plan.formats if plan.examples.lacks(fmt)]
    if not lacking:
        return plan
    found = find_examples(plan.source, lacking, questions)
    return msgspec.structs.replace(
        plan,
        dev=plan.dev or found.dev,
        validation=plan.validation or found.validation or msgspec.UNSET,
        subjects=plan.subjects or found.subjects or msgspec.UNSET,
    )


def weights_hash(model: str) -> str:
    """Tell whether a model folder holds the weights it held before, without reading them all.

    Returns:
        Hash of names, lengths and evenly spaced samples of the weight files; empty where there
        are none, as with a hub id.
    """
    folder = Path(model).expanduser()
    weights = sorted(path for path in folder.glob("*") if path.suffix in (".safetensors", ".bin"))
    digest = hashlib.blake2b(digest_size=8)
    for path in weights:
        length = path.stat().st_size
        digest.update(f"{path.name} {length}".encode())
        with path.open("rb") as file:
            for sample in range(_SAMPLES):
                file.seek(length * sample // _SAMPLES)
                digest.update(file.read(_SAMPLE_LENGTH))
    return digest.hexdigest() if weights else ""


def check_weights(plan: RunPlan) -> None:
    """Refuse to go on with another model in the same place.

    Raises:
        ModelError: The weights are not those of the plan.
    """
    if weights_hash(plan.model) != plan.weights:
        raise ModelError(
            f"The model in {plan.model} has changed since the run was planned.",
            "Start a new run with the model as it is now.",
        )


def record_run(
    store: Store,
    plan: RunPlan,
    model: ModelInfo,
    *,
    kind: RunKind = "run",
    parent_run: int | None = None,
) -> int:
    """Begin a run of a plan in a store.

    Args:
        store: Where.
        plan: What will be asked.
        model: What was loaded for it.
        kind: ``run`` or ``rerun``.
        parent_run: The run that a rerun repeats a part of.

    Returns:
        The run's id.

    Raises:
        StoreError: It can't be written.
    """
    return store.add_run(
        kind=kind,
        name=plan.name,
        model=plan.model,
        source=plan.source,
        formats=[fmt.name for fmt in plan.formats],
        orders=plan.variants,
        planned=plan.planned,
        fingerprint=plan.fingerprint,
        settings=plan.to_json(),
        model_info=model,
        parent_run=parent_run,
    )
