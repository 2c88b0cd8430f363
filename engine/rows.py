"""From probes to the rows of the store's tables, as Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from engine.questions import Question, refusal_label
from engine.readings import Reading
from engine.records import Continuation, Generation, ProbeResult, Status
from engine.rendered import RecordedPrompt, RenderedPrompt
from engine.schema import utc_now

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.protocol import VocabularyEntry

TEXT_TABLES = ("generations", "positions", "readings")
"""The tables that texts go to."""

PROBE_TABLES = ("probes", "spellings", "continuations", "human_labels", "scores", *TEXT_TABLES)
"""The tables that storing a probe fills."""

ROUNDED = (
    "entropy",
    "logsumexp",
    "top_logprobs",
    "sampler_logsumexp",
    "sampler_cutoff",
    "margin",
)
"""Columns of ``positions`` that are rounded, see schema.sql."""

DECIMALS = 4


class HumanLabel(msgspec.Struct, frozen=True):
    """What a person said the greedy text says, in released data.

    Attributes:
        status: As in :class:`engine.readings.Reading`.
        original: As it stands in the data.
        label: The option, in the labels shown.
        labels: Every option where status is ``several``.
    """

    status: Status
    original: str
    label: str | None = None
    labels: tuple[str, ...] = ()


class Score(msgspec.Struct, frozen=True):
    """What a log's own scorer said of a probe.

    Attributes:
        name: As the log calls it.
        value: 1 for right, 0 for wrong, or what the scorer says; None where that is no number.
        answer: What the scorer took for the answer, where the log says so.
    """

    name: str
    value: float | None
    answer: str | None = None


class StoredProbe(msgspec.Struct, frozen=True):
    """One finished probe with everything that is stored about it.

    Attributes:
        question_index: Place of the question in its source, from 0.
        question: The question in the order shown, labels as shown.
        question_id: Id of the question in its source order.
        permutation: ``permutation[i]`` is the source index of shown option i.
        prompt: What the model was given.
        result: What it answered.
        readings: What each way of reading says.
        perturbation: How the question was changed; None: its option order at most.
    """

    question_index: int
    question: Question
    question_id: str
    permutation: tuple[int, ...]
    prompt: RenderedPrompt
    result: ProbeResult
    readings: Sequence[Reading]
    perturbation: str | None = None


class RecordedProbe(msgspec.Struct, frozen=True):
    """One probe of an imported log: as :class:`StoredProbe`, with what only logs have.

    Attributes:
        prompt: As far as the log holds it.
        human_label: What a person said the greedy text says, in released data.
        scores: What the log's own scorers said.
    """

    question_index: int
    question: Question
    question_id: str
    permutation: tuple[int, ...]
    prompt: RecordedPrompt
    result: ProbeResult
    readings: Sequence[Reading]
    perturbation: str | None = None
    human_label: HumanLabel | None = None
    scores: Sequence[Score] = ()


AnyProbe = StoredProbe | RecordedProbe


Row = dict[str, Any]


def probe_tables(
    probes: Sequence[AnyProbe],
    *,
    run_id: int,
    first_id: int,
    vocab_size: int | None,
    schemas: Mapping[str, pa.Schema],
) -> Iterator[tuple[str, pa.Table]]:
    """Name and rows of every table of :data:`PROBE_TABLES`, probes numbered from ``first_id``."""
    numbered = list(enumerate(probes, first_id))
    now = utc_now()
    probe_rows = [
        {
            "probe_id": probe_id,
            "run_id": run_id,
            "vocab_size": vocab_size,
            "stored_at": now,
            **_probe(probe),
        }
        for probe_id, probe in numbered
    ]
    yield "probes", _table(probe_rows, schemas["probes"])
    for name, rows_of in (
        ("spellings", _spellings),
        ("continuations", _continuations),
        ("human_labels", _human_labels),
        ("scores", _scores),
    ):
        rows = [{"probe_id": i, **row} for i, probe in numbered for row in rows_of(probe)]
        yield name, _table(rows, schemas[name])
    texts = [(i, probe.result.generations, probe.readings) for i, probe in numbered]
    yield from text_tables(texts, schemas)


def text_tables(
    texts: Sequence[tuple[int, Sequence[Generation], Sequence[Reading]]],
    schemas: Mapping[str, pa.Schema],
) -> Iterator[tuple[str, pa.Table]]:
    """Name and rows of the tables that generations and readings go to.

    Args:
        texts: A probe's id with generations and readings of it.
        schemas: The tables' columns.
    """
    generations = [
        {"probe_id": i, **_generation(each)} for i, written, _ in texts for each in written
    ]
    yield "generations", _table(generations, schemas["generations"])
    yield "readings", reading_table([(i, found) for i, _, found in texts], schemas["readings"])
    written = [(i, each) for i, generations, _ in texts for each in generations]
    yield "positions", _positions(written, schemas["positions"])


def reading_table(readings: Iterable[tuple[int, Sequence[Reading]]], schema: pa.Schema) -> pa.Table:
    """Rows of ``readings``, from probe ids with readings."""
    rows = [{"probe_id": i, **_reading(each)} for i, found in readings for each in found]
    return _table(rows, schema)


def question_table(questions: Iterable[Question], schema: pa.Schema) -> pa.Table:
    """Rows of ``questions``, each question once."""
    rows = {
        question.id: {
            "question_id": question.id,
            "dataset": question.dataset,
            "subject": question.subject,
            "text": question.text,
            "options": [msgspec.structs.asdict(option) for option in question.options],
            "gold": question.gold,
        }
        for question in questions
    }
    return _table(list(rows.values()), schema)


def token_table(
    tokenizer: str, vocabulary: Sequence[VocabularyEntry], schema: pa.Schema
) -> pa.Table:
    """Rows of ``tokens``."""
    rows = [
        {
            "tokenizer": tokenizer,
            "token_id": token_id,
            "piece": entry.piece,
            "text": None if entry.piece is None else entry.raw.decode("utf-8", "replace"),
            "raw": entry.raw,
            "special": entry.special,
        }
        for token_id, entry in enumerate(vocabulary)
    ]
    return _table(rows, schema)


def _probe(probe: AnyProbe) -> Row:
    question, result, first = probe.question, probe.result, probe.result.first
    changed = probe.perturbation is not None
    return {
        "question_id": probe.question_id,
        "question_index": probe.question_index,
        "perturbation": probe.perturbation,
        "permutation": probe.permutation,
        "labels": question.labels,
        "gold": question.gold,
        "refusal_label": refusal_label(question),
        "shown_text": question.text if changed else None,
        "shown_options": [option.text for option in question.options] if changed else None,
        "label_logprobs": result.label_logprobs or None,
        "label_logits": result.label_logits or None,
        "top_ids": first.top_ids or None,
        "top_logprobs": first.top_logprobs or None,
        "entropy": first.entropy,
        "logsumexp": first.logsumexp,
        "unseen": first.unseen,
        "seconds": result.seconds,
        **_prompt(probe.prompt),
    }


def _prompt(prompt: RenderedPrompt | RecordedPrompt) -> Row:
    row: Row = {
        "format": prompt.format,
        "order_index": prompt.order,
        "prompt": prompt.text,
        "chat": prompt.chat,
        "shots": prompt.shots,
        "warnings": [],
    }
    if isinstance(prompt, RenderedPrompt):
        row |= {
            "prompt_ids": prompt.token_ids,
            "label_ids": prompt.label_ids,
            "dropped_tokens": prompt.dropped_tokens,
            "warnings": [msgspec.structs.asdict(warning) for warning in prompt.warnings],
        }
    return row


def _spellings(probe: AnyProbe) -> Iterator[Row]:
    return (msgspec.structs.asdict(spelling) for spelling in probe.result.spellings)


def _continuations(probe: AnyProbe) -> Iterator[Row]:
    texts = {option.label: option.text for option in probe.question.options}
    for continuation in probe.result.continuations:
        scored = texts[continuation.label] if continuation.kind == "text" else continuation.label
        yield {**_continuation(continuation), **_lengths(scored)}


def _continuation(continuation: Continuation) -> Row:
    return {
        **msgspec.structs.asdict(continuation),
        "token_ids": continuation.token_ids or None,
        "logprobs": continuation.logprobs or None,
        "logprob": continuation.total,
        "tokens": len(continuation.token_ids) or None,
    }


def _human_labels(probe: AnyProbe) -> Iterator[Row]:
    if isinstance(probe, RecordedProbe) and probe.human_label is not None:
        yield msgspec.structs.asdict(probe.human_label)


def _scores(probe: AnyProbe) -> Iterator[Row]:
    if isinstance(probe, RecordedProbe):
        yield from map(msgspec.structs.asdict, probe.scores)


def _lengths(text: str) -> Row:
    return {"characters": len(text), "bytes": len(text.encode("utf-8", "replace"))}


def _generation(generation: Generation) -> Row:
    return {
        "sample": generation.index,
        "kind": generation.kind,
        "text": generation.text,
        "tokens": len(generation.positions) or None,
        "finish_reason": generation.finish_reason,
        "parent": generation.parent,
        "fork": generation.fork,
        "least_margin": min(generation.positions.margins or (), default=None),
    }


def _reading(reading: Reading) -> Row:
    start, end = reading.span or (None, None)
    return {**msgspec.structs.asdict(reading), "span_start": start, "span_end": end}


def _positions(texts: Sequence[tuple[int, Generation]], schema: pa.Schema) -> pa.Table:
    """The one big table, column by column."""
    import pyarrow as pa

    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    for probe_id, generation in texts:
        written = generation.positions
        count = len(written)
        nothing = [None] * count
        for name, values in (
            ("probe_id", [probe_id] * count),
            ("sample", [generation.index] * count),
            ("position", range(count)),
            ("token_id", written.token_ids),
            ("logprob", written.logprobs),
            ("rank", written.ranks),
            ("entropy", written.entropies),
            ("logsumexp", written.logsumexps),
            ("unseen", written.unseen),
            ("top_ids", written.top_ids),
            ("top_logprobs", written.top_logprobs),
            ("sampler_logprob", written.sampler_logprobs),
            ("sampler_logsumexp", written.sampler_logsumexps),
            ("sampler_cutoff", written.sampler_cutoffs),
            ("margin", written.margins),
        ):
            columns[name].extend(nothing if values is None else values)
    arrays = {
        field.name: pa.array(columns[field.name], field.type, from_pandas=False) for field in schema
    }
    for name in ROUNDED:
        arrays[name] = _rounded(arrays[name])
    return pa.table(arrays)


def _rounded(column: pa.Array) -> pa.Array:
    """Decimals that the file's float compression stores in two thirds of the space."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_list(column.type):
        return pa.ListArray.from_arrays(column.offsets, _rounded(column.values))
    return pc.round(column.cast(pa.float64()), DECIMALS).cast(pa.float32())


def _table(rows: list[Row], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_pylist(rows, schema=schema)
