"""Reading the store for people: lists, windows and single probes. Screens and CLI share it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from engine import stored
from engine.database import readable
from engine.errors import StoreError
from engine.flags import FLAGS
from engine.questions import Question
from engine.readings import Reading
from engine.records import Continuation, Distribution, Generation, ModelInfo, Spelling
from engine.rows import HumanLabel, Score
from engine.sql.reading import reading

if TYPE_CHECKING:
    import numpy as np
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from engine.store import Store

NATURAL_ORDER = "question_index, format, order_index"
"""The order of the source, with a question's formats and orders side by side."""

FLAG_NAMES = tuple(flag.name for flag in FLAGS)

NEIGHBOURS = 2
"""Ids that lie at most so many apart on average are read as a range."""

PREVIEW_TOKENS = 5
"""Likeliest first tokens that a list row carries."""


class RunRow(msgspec.Struct, frozen=True):
    """One run as lists show it."""

    run_id: int
    kind: str
    name: str
    model: str
    source: str
    formats: tuple[str, ...]
    orders: int
    planned: int
    stored: int
    status: str
    started_at: str
    message: str | None


class ListRow(msgspec.Struct, frozen=True):
    """One probe as the question list shows it; None is "not recorded"."""

    probe_id: int
    question_index: int
    question_id: str
    subject: str
    question: str
    format: str
    order_index: int
    gold: str | None
    first_token: str | None
    first_probability: float | None
    margin: float | None
    entropy: float | None
    vocab_token: str | None
    continuation: str | None
    text_status: str | None
    text_label: str | None
    majority: str | None
    majority_status: str | None
    sample_agreement: float | None
    flags: tuple[str, ...]
    marked: bool
    option_probabilities: tuple[tuple[str, float], ...]
    """Label and full-softmax probability of each option's token, for the preview."""
    top_tokens: tuple[tuple[str, float], ...]
    """Text and probability of the few likeliest first tokens, for the preview."""
    sample_count: int | None = None
    """Number of samples that ``sample_agreement`` is a share of."""
    greedy_text: str | None = None
    """What the model wrote, for the preview."""
    option_mass: float | None = None
    """Probability of all the options' tokens together; those that share one count once."""


class ProbeView(msgspec.Struct, frozen=True):
    """One stored probe, whole: what the question screen shows."""

    row: ListRow
    run: RunRow
    question: Question
    """In the order shown, labels as shown."""
    permutation: tuple[int, ...]
    model: ModelInfo | None
    prompt: str | None
    prompt_ids: tuple[int, ...]
    label_ids: tuple[int, ...]
    chat: bool | None
    shots: int | None
    dropped_tokens: int | None
    warnings: tuple[tuple[str, str], ...]
    vocab_size: int | None
    spellings: tuple[Spelling, ...]
    continuations: tuple[Continuation, ...]
    generations: tuple[Generation, ...]
    readings: tuple[Reading, ...]
    override: Reading | None
    sampler: dict[str, float]
    """temperature, top_p, top_k, repetition_penalty of the run."""
    tokens: dict[int, tuple[str | None, bytes, bool]]
    """Piece, raw bytes and special for every token id that occurs in the probe."""
    first: Distribution | None = None
    """The distribution after the prompt; None where it was not recorded."""
    human_label: HumanLabel | None = None
    """What a person said the greedy text says, in imported data."""
    scores: tuple[Score, ...] = ()
    """What an imported log's own scorers said."""
    perturbation: str | None = None
    """How the question was changed; None: its option order at most."""
    label_logits: tuple[float, ...] = ()
    """Raw logits of the labels' tokens, where a log has no logprobs."""


def runs(store: Store) -> list[RunRow]:
    """Every run, newest first."""
    return _runs(store.reader(), "SELECT run_id, count(*) AS stored FROM outcomes GROUP BY run_id")


def list_ids(
    store: Store,
    run_id: int,
    *,
    condition: str = "",
    order_by: str = NATURAL_ORDER,
    flag: str | None = None,
) -> NDArray[np.int32]:
    """Ids of a run's probes, filtered and sorted; take windows of it to :func:`list_rows`.

    Args:
        store: The store.
        run_id: The run.
        condition: A SQL condition over the view ``listing``; empty for none.
        order_by: SQL order over the same columns.
        flag: Only probes with this flag.

    Raises:
        StoreError: The condition or the order is not understood; the sentence says why.
    """
    where = _where(run_id, condition, flag)
    query = f"SELECT probe_id FROM listing WHERE {where}\nORDER BY {order_by}"
    with reading(store.reader(), query) as result:
        ids: NDArray[np.int32] = result.fetchnumpy()["probe_id"]
    return ids


def flag_counts(store: Store, run_id: int, condition: str = "") -> dict[str, int]:
    """How many of a run's probes have each flag; ``all`` counts them all.

    A flag that was recorded of none of them is left out: nobody knows how many have it.

    Raises:
        StoreError: The condition is not understood; the sentence says why.
    """
    # The sum of a flag that is NULL everywhere is NULL.
    counts = ", ".join(f"sum({name}::INTEGER)" for name in FLAG_NAMES)
    query = f"SELECT count(*), {counts} FROM listing WHERE {_where(run_id, condition)}"
    with reading(store.reader(), query) as result:
        ((rows, *found),) = result.fetchall()
    known = zip(FLAG_NAMES, found, strict=True)
    return {"all": rows} | {name: int(count) for name, count in known if count is not None}


def flagged_mask(store: Store, run_id: int, flag: str, ids: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which of some ids of a run have a flag, in the order of ``ids``."""
    import numpy as np

    flagged = list_ids(store, run_id, order_by="probe_id", flag=flag)
    lookup = np.zeros(max(ids.max(initial=0), flagged.max(initial=0)) + 1, dtype=np.bool_)
    lookup[flagged] = True
    return lookup[ids]


def with_flag(store: Store, ids: Iterable[int], flag: str) -> set[int]:
    """Which of some probes, of any runs, have a flag."""
    listed = ", ".join(str(int(probe_id)) for probe_id in ids)
    query = f"SELECT probe_id FROM listing WHERE {flag} AND probe_id IN ({listed})"
    with reading(store.reader(), query) as result:
        return {probe_id for (probe_id,) in result.fetchall()}


def list_rows(store: Store, ids: Iterable[int]) -> list[ListRow]:
    """The rows of a window of ids (a few hundred at most), in the order of ``ids``.

    Ids that are not in the store are left out.
    """
    wanted = [int(probe_id) for probe_id in ids]
    if not wanted:
        return []
    with readable(store.path):
        rows = _list_rows(store, wanted)
    return [rows[probe_id] for probe_id in wanted if probe_id in rows]


def _list_rows(store: Store, wanted: Sequence[int]) -> dict[int, ListRow]:
    reader = store.reader()
    window = _window(wanted)
    columns = ", ".join((*_LISTED, *FLAG_NAMES))
    found = reader.execute(f"SELECT {columns} FROM listing WHERE {window}").fetchall()
    previews = _previews(store, window)
    rows = {}
    for values in found:
        listed = dict(zip(_LISTED, values, strict=False))
        up = zip(FLAG_NAMES, values[len(_LISTED) :], strict=True)
        option_probabilities, top_tokens = previews[listed["probe_id"]]
        rows[listed["probe_id"]] = ListRow(
            **listed,
            flags=tuple(name for name, is_up in up if is_up),
            option_probabilities=option_probabilities,
            top_tokens=top_tokens,
        )
    return rows


def shown_question(store: Store, probe_id: int) -> Question:
    """The question of a probe, its options in the order and with the labels shown.

    Raises:
        StoreError: There is no such probe.
    """
    reader = store.reader()
    found = stored.records(
        reader,
        "SELECT question_id, permutation, labels, gold, shown_text, shown_options FROM probes "
        "WHERE probe_id = ?",
        [probe_id],
    )
    if not found:
        raise StoreError(f"There is no probe {probe_id} in {store.path}.")
    return stored.shown_question(reader, found[0])


def probe_view(store: Store, probe_id: int) -> ProbeView:
    """Everything about one probe.

    Raises:
        StoreError: There is no such probe.
    """
    rows = list_rows(store, [probe_id])
    if not rows:
        raise StoreError(f"There is no probe {probe_id} in {store.path}.")
    with readable(store.path):
        return _probe_view(store, rows[0])


def _probe_view(store: Store, row: ListRow) -> ProbeView:
    reader, probe_id = store.reader(), row.probe_id
    (record,) = stored.records(reader, "FROM probes WHERE probe_id = ?", [probe_id])
    run = _run(reader, record["run_id"])
    model, sampler = stored.model_and_sampler(reader, run.run_id)
    spellings = stored.spellings(reader, probe_id)
    continuations = stored.continuations(reader, probe_id)
    generations = stored.generations(reader, probe_id)
    occurring = {
        *(record["prompt_ids"] or ()),
        *(record["label_ids"] or ()),
        *(record["top_ids"] or ()),
        *(spelling.token_id for spelling in spellings),
        *(token_id for scored in continuations for token_id in scored.token_ids),
        *(token_id for text in generations for token_id in stored.token_ids(text.positions)),
    }
    return ProbeView(
        row=row,
        run=run,
        question=stored.shown_question(reader, record),
        permutation=tuple(record["permutation"]),
        model=model,
        prompt=record["prompt"],
        prompt_ids=tuple(record["prompt_ids"] or ()),
        label_ids=tuple(record["label_ids"] or ()),
        chat=record["chat"],
        shots=record["shots"],
        dropped_tokens=record["dropped_tokens"],
        warnings=tuple((warning["code"], warning["message"]) for warning in record["warnings"]),
        vocab_size=record["vocab_size"],
        spellings=spellings,
        continuations=continuations,
        generations=generations,
        readings=stored.readings(reader, probe_id),
        override=stored.override(reader, probe_id),
        sampler=sampler,
        tokens=token_entries(store, run.run_id, occurring),
        first=stored.first_distribution(record),
        human_label=stored.human_label(reader, probe_id),
        scores=stored.scores(reader, probe_id),
        perturbation=record["perturbation"],
        label_logits=tuple(record["label_logits"] or ()),
    )


def token_entries(
    store: Store, run_id: int, token_ids: Iterable[int]
) -> dict[int, tuple[str | None, bytes, bool]]:
    """Piece, raw bytes and special for some token ids of the tokenizer of a run."""
    with readable(store.path):
        reader = store.reader()
        tokens = store.vocabularies.tokens(reader, _tokenizers(reader).get(run_id), token_ids)
    return {i: (token.piece, token.raw, token.special) for i, token in tokens.items()}


_LISTED = tuple(
    name
    for name in ListRow.__struct_fields__
    if name not in ("flags", "option_probabilities", "top_tokens")
)


_Shares = tuple[tuple[str, float], ...]
"""Labels or tokens with their probabilities."""


def _where(run_id: int, condition: str, flag: str | None = None) -> str:
    parts = [f"run_id = {run_id:d}"]
    if flag is not None:
        parts.append(flag)
    if condition.strip():
        # The line break keeps a trailing comment from swallowing the bracket.
        parts.append(f"({condition}\n)")
    return " AND ".join(parts)


def _run(reader: DuckDBPyConnection, run_id: int) -> RunRow:
    # Counting one run needs none of its rows, counting by run needs them all.
    counted = (
        f"SELECT {run_id:d} AS run_id, count(*) AS stored FROM outcomes WHERE run_id = {run_id:d}"
    )
    return _runs(reader, counted, f"WHERE run_id = {run_id:d}")[0]


def _runs(reader: DuckDBPyConnection, counted: str, where: str = "") -> list[RunRow]:
    """Runs with the numbers of stored probes that the query ``counted`` gives."""
    rows = stored.records(
        reader,
        f"""
        SELECT run_id, kind, name, model, source, formats, orders, planned,
               coalesce(stored, 0) AS stored, status,
               strftime(started_at, '%Y-%m-%d %H:%M:%S') AS started_at, message
        FROM runs LEFT JOIN ({counted}) USING (run_id)
        {where}
        ORDER BY run_id DESC
        """,
    )
    return [msgspec.convert(row, RunRow) for row in rows]


def _window(ids: Sequence[int]) -> str:
    """The condition for some probes; neighbours are read as a range, which is quicker to plan."""
    low, high = min(ids), max(ids)
    if high - low < NEIGHBOURS * len(ids):
        return f"probe_id BETWEEN {low} AND {high}"
    # Literals: only those are looked up in the index of the primary key.
    return f"probe_id IN ({', '.join(map(str, ids))})"


def _previews(store: Store, window: str) -> dict[int, tuple[_Shares, _Shares]]:
    """Probabilities of the options and of the likeliest first tokens, by probe id."""
    reader = store.reader()
    tokenizers = _tokenizers(reader)
    found = reader.execute(
        f"""
        SELECT probe_id, run_id, labels, label_logprobs,
               top_ids[:{PREVIEW_TOKENS}], top_logprobs[:{PREVIEW_TOKENS}]
        FROM probes
        WHERE {window}
        """
    ).fetchall()
    occurring: dict[str | None, set[int]] = defaultdict(set)
    for _, run_id, _, _, top_ids, _ in found:
        occurring[tokenizers[run_id]].update(top_ids or ())
    tokens = {
        tokenizer: store.vocabularies.tokens(reader, tokenizer, ids)
        for tokenizer, ids in occurring.items()
    }
    previews = {}
    for probe_id, run_id, labels, label_logprobs, top_ids, top_logprobs in found:
        texts = [_text(tokens[tokenizers[run_id]].get(i), i) for i in top_ids or ()]
        previews[probe_id] = (
            tuple(
                (label, math.exp(logprob))
                for label, logprob in zip(labels, label_logprobs or (), strict=False)
                if logprob is not None
            ),
            tuple(zip(texts, map(math.exp, top_logprobs or ()), strict=False)),
        )
    return previews


def _tokenizers(reader: DuckDBPyConnection) -> dict[int, str | None]:
    """The tokenizer of every run."""
    return dict(reader.execute("SELECT run_id, tokenizer FROM runs").fetchall())


def _text(token: stored.Token | None, token_id: int) -> str:
    """A token's text; its id where it has none."""
    return token.text if token is not None and token.text else f"#{token_id}"
