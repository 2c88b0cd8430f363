"""What the store holds about one probe, as the records it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from engine.questions import Option, Question
from engine.readings import Reading
from engine.records import (
    Continuation,
    Distribution,
    Generation,
    ModelInfo,
    Positions,
    Spelling,
)
from engine.rows import HumanLabel, Score

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Record = dict[str, Any]
T = TypeVar("T", bound=msgspec.Struct)

_POSITION_COLUMNS = (
    "token_id, logprob, rank, entropy, logsumexp, unseen, top_ids, top_logprobs, "
    "sampler_logprob, sampler_logsumexp, sampler_cutoff, margin"
)
"""In the order of the fields of :class:`Positions`."""


def records(
    reader: DuckDBPyConnection, query: str, parameters: Sequence[object] = ()
) -> list[Record]:
    """The rows of a query by column name."""
    result = reader.execute(query, list(parameters))
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def model_and_sampler(
    reader: DuckDBPyConnection, run_id: int
) -> tuple[ModelInfo | None, dict[str, float]]:
    """What a run loaded, and how it drew its samples; empty where that is not recorded."""
    ((model_info, sampler),) = reader.execute(
        "SELECT model_info, settings->'$.settings.sampler' FROM runs WHERE run_id = ?", [run_id]
    ).fetchall()
    return (
        None if model_info is None else msgspec.json.decode(model_info, type=ModelInfo),
        msgspec.json.decode(sampler or "{}", type=dict[str, float]),
    )


def shown_question(reader: DuckDBPyConnection, probe: Record) -> Question:
    """The question of a probe, in its order and with its labels.

    Args:
        reader: A cursor on the store.
        probe: The probe's row.
    """
    (question,) = records(reader, "FROM questions WHERE question_id = ?", [probe["question_id"]])
    texts = probe["shown_options"] or [None] * len(probe["labels"])
    return Question(
        text=question["text"] if probe["shown_text"] is None else probe["shown_text"],
        options=tuple(
            _option(question["options"], label, place, text)
            for label, place, text in zip(probe["labels"], probe["permutation"], texts, strict=True)
        ),
        gold=probe["gold"],
        subject=question["subject"],
        dataset=question["dataset"],
    )


def _option(source: Sequence[Record], label: str, place: int, text: str | None) -> Option:
    """An option as it was shown; one that was added has no place in the source."""
    if place >= len(source):
        return Option(label, text or "")
    option = source[place]
    return Option(label, option["text"] if text is None else text, option["ordinal"])


def first_distribution(record: Record) -> Distribution | None:
    """The distribution after the prompt, from the columns of ``probes``."""
    if not record["top_ids"] or not record["top_logprobs"]:
        return None
    return Distribution(
        top_ids=record["top_ids"],
        top_logprobs=record["top_logprobs"],
        entropy=record["entropy"],
        logsumexp=record["logsumexp"],
        unseen=record["unseen"],
    )


def spellings(reader: DuckDBPyConnection, probe_id: int) -> tuple[Spelling, ...]:
    """Every spelling of every label, as it was stored."""
    return _structs(reader, Spelling, "spellings", probe_id)


def continuations(reader: DuckDBPyConnection, probe_id: int) -> tuple[Continuation, ...]:
    """Every scored continuation, as it was stored."""
    return tuple(
        Continuation(
            label=row["label"],
            kind=row["kind"],
            text=row["text"],
            token_ids=row["token_ids"] or [],
            logprobs=row["logprobs"] or [],
            is_greedy=row["is_greedy"],
            unconditional=row["unconditional"],
            recorded_total=None if row["logprobs"] else row["logprob"],
        )
        for row in records(
            reader, "FROM continuations WHERE probe_id = ? ORDER BY rowid", [probe_id]
        )
    )


def readings(reader: DuckDBPyConnection, probe_id: int) -> tuple[Reading, ...]:
    """Every reading, as it was stored."""
    rows = records(reader, "FROM readings WHERE probe_id = ? ORDER BY rowid", [probe_id])
    return tuple(
        Reading(
            name=row["name"],
            sample=row["sample"],
            status=row["status"],
            label=row["label"],
            labels=tuple(row["labels"]),
            confidence=row["confidence"],
            margin=row["margin"],
            rule=row["rule"],
            span=None if row["span_start"] is None else (row["span_start"], row["span_end"]),
            hedged=row["hedged"],
            position=row["position"],
            logit=row["logit"],
        )
        for row in rows
    )


def human_label(reader: DuckDBPyConnection, probe_id: int) -> HumanLabel | None:
    """What a person said the greedy text says, in the data that was imported."""
    rows = records(reader, "FROM human_labels WHERE probe_id = ?", [probe_id])
    return next(
        (
            HumanLabel(row["status"], row["original"], row["label"], tuple(row["labels"]))
            for row in rows
        ),
        None,
    )


def scores(reader: DuckDBPyConnection, probe_id: int) -> tuple[Score, ...]:
    """What the imported log's own scorers said."""
    return _structs(reader, Score, "scores", probe_id)


def override(reader: DuckDBPyConnection, probe_id: int) -> Reading | None:
    """What a person decided the greedy text says."""
    rows = records(reader, "FROM overrides WHERE probe_id = ?", [probe_id])
    return next(
        (
            Reading("greedy_text", row["status"], label=row["label"], rule=row["note"] or "by hand")
            for row in rows
        ),
        None,
    )


def generations(reader: DuckDBPyConnection, probe_id: int) -> tuple[Generation, ...]:
    """Greedy text, samples, branches, in this order, with every position."""
    rows = reader.execute(
        f"SELECT sample, {_POSITION_COLUMNS} FROM positions WHERE probe_id = ? "
        "ORDER BY sample, position",
        [probe_id],
    ).fetchall()
    written = {
        sample: _positions([row[1:] for row in of_sample])
        for sample, of_sample in groupby(rows, key=lambda row: row[0])
    }
    return tuple(
        Generation(
            kind=row["kind"],
            index=row["sample"],
            text=row["text"],
            finish_reason=row["finish_reason"],
            positions=written.get(row["sample"], _positions([])),
            parent=row["parent"],
            fork=row["fork"],
        )
        for row in records(
            reader,
            "FROM generations WHERE probe_id = ? ORDER BY sample < 0, abs(sample)",
            [probe_id],
        )
    )


def token_ids(positions: Positions) -> Iterator[int]:
    """Every id that was written or nearly written."""
    yield from positions.token_ids
    for kept in positions.top_ids:
        yield from kept


class Token(NamedTuple):
    """What a token id stands for; the columns of ``tokens``."""

    piece: str | None
    text: str | None
    raw: bytes
    special: bool


class Vocabularies:
    """Tokens by tokenizer and id, remembered once they were looked up: lists need few, often."""

    def __init__(self) -> None:
        self._known: dict[str | None, dict[int, Token]] = {}

    def tokens(
        self, reader: DuckDBPyConnection, tokenizer: str | None, ids: Iterable[int]
    ) -> dict[int, Token]:
        """Some ids of a tokenizer; those that are not recorded are left out."""
        known = self._known.setdefault(tokenizer, {})
        wanted = set(ids)
        if missing := wanted - known.keys():
            rows = reader.execute(
                "SELECT token_id, piece, text, raw, special FROM tokens "
                "WHERE tokenizer = ? AND token_id IN (SELECT unnest(?::INTEGER[]))",
                [tokenizer, sorted(missing)],
            ).fetchall()
            known.update((token_id, Token(*row)) for token_id, *row in rows)
        return {token_id: known[token_id] for token_id in wanted & known.keys()}


def _structs(reader: DuckDBPyConnection, kind: type[T], table: str, probe_id: int) -> tuple[T, ...]:
    """Rows of a table whose columns are the fields of a record."""
    columns = ", ".join(kind.__struct_fields__)
    rows = reader.execute(
        f"SELECT {columns} FROM {table} WHERE probe_id = ? ORDER BY rowid", [probe_id]
    ).fetchall()
    return tuple(kind(*row) for row in rows)


def _positions(rows: Sequence[Sequence[Any]]) -> Positions:
    columns: list[Any] = [list(column) for column in zip(*rows, strict=True)]
    if not columns:
        return Positions([], [], [], [], [], [], [], [])
    optional: list[Any] = [None if None in column else column for column in columns]
    return Positions(*optional)
