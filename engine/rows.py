"""From probes to the rows of the store's tables, as Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from engine.questions import Question, refusal_label
from engine.readings import Reading
from engine.records import Continuation, Generation, ProbeResult
from engine.rendered import RenderedPrompt
from engine.schema import utc_now

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.protocol import VocabularyEntry

TEXT_TABLES = ("generations", "positions", "readings")
"""The tables that texts go to."""

PROBE_TABLES = ("probes", "spellings", "continuations", *TEXT_TABLES)
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
    """

    question_index: int
    question: Question
    question_id: str
    permutation: tuple[int, ...]
    prompt: RenderedPrompt
    result: ProbeResult
    readings: Sequence[Reading]


Row = dict[str, Any]


def probe_tables(
    probes: Sequence[StoredProbe],
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
    for name, rows_of in (("spellings", _spellings), ("continuations", _continuations)):
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
    readings = [{"probe_id": i, **_reading(each)} for i, _, found in texts for each in found]
    yield "readings", _table(readings, schemas["readings"])
    written = [(i, each) for i, generations, _ in texts for each in generations]
    yield "positions", _positions(written, schemas["positions"])


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


def _probe(probe: StoredProbe) -> Row:
    prompt, result = probe.prompt, probe.result
    return {
        "question_id": probe.question_id,
        "question_index": probe.question_index,
        "format": prompt.format,
        "order_index": prompt.order,
        "permutation": probe.permutation,
        "labels": probe.question.labels,
        "gold": probe.question.gold,
        "refusal_label": refusal_label(probe.question),
        "prompt": prompt.text,
        "prompt_ids": prompt.token_ids,
        "label_ids": prompt.label_ids,
        "chat": prompt.chat,
        "shots": prompt.shots,
        "dropped_tokens": prompt.dropped_tokens,
        "warnings": [msgspec.structs.asdict(warning) for warning in prompt.warnings],
        "label_logprobs": result.label_logprobs,
        "seconds": result.seconds,
        **msgspec.structs.asdict(result.first),
    }


def _spellings(probe: StoredProbe) -> Iterator[Row]:
    return (msgspec.structs.asdict(spelling) for spelling in probe.result.spellings)


def _continuations(probe: StoredProbe) -> Iterator[Row]:
    texts = {option.label: option.text for option in probe.question.options}
    for continuation in probe.result.continuations:
        scored = texts[continuation.label] if continuation.kind == "text" else continuation.label
        yield {**_continuation(continuation), **_lengths(scored)}


def _continuation(continuation: Continuation) -> Row:
    return {
        **msgspec.structs.asdict(continuation),
        "logprob": continuation.total,
        "tokens": len(continuation.token_ids),
    }


def _lengths(text: str) -> Row:
    return {"characters": len(text), "bytes": len(text.encode("utf-8", "replace"))}


def _generation(generation: Generation) -> Row:
    return {
        "sample": generation.index,
        "kind": generation.kind,
        "text": generation.text,
        "tokens": len(generation.positions),
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
            ("sampler_logprob", written.sampler_logprobs or nothing),
            ("sampler_logsumexp", written.sampler_logsumexps or nothing),
            ("sampler_cutoff", written.sampler_cutoffs or nothing),
            ("margin", written.margins or nothing),
        ):
            columns[name].extend(values)
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
