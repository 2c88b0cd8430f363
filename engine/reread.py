"""Making every reading of a store anew from what is stored, without the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from engine import stored
from engine.questions import Question
from engine.readings import Reading, read_probe, read_text
from engine.records import NOTHING_SEEN, Distribution, ProbeResult
from engine.rendered import opens_thinking

if TYPE_CHECKING:
    from engine.store import Store

CHUNK = 256
"""Probes whose readings are replaced at a time; what was replaced stays so after a cancellation."""


class Reread(msgspec.Struct, frozen=True):
    """How the readings of a store changed.

    Attributes:
        probes: Probes that were read.
        changed: Of these, probes of which some reading says something else now.
        added: Readings that there were none of before, by name.
        otherwise: Readings that say something else now, by name.
    """

    probes: int
    changed: int
    added: dict[str, int]
    otherwise: dict[str, int]


def reread(store: Store, run_id: int | None = None, *, dry: bool = False) -> Reread:
    """Read every stored probe again and replace its readings by the new ones.

    After an upgrade that reads replies better, or in more ways, an old database says what a new
    one would. Overrides and human labels stay, and so does everything that the model said, and a
    reading that nothing is stored to make it from.

    Args:
        store: The store.
        run_id: One run, or None for all.
        dry: Only count what would change.

    Raises:
        StoreError: It can't be written.
    """
    ids = [
        probe_id
        for (probe_id,) in store.reader()
        .execute(
            "SELECT probe_id FROM probes WHERE $run IS NULL OR run_id = $run ORDER BY 1",
            {"run": run_id},
        )
        .fetchall()
    ]
    added: dict[str, int] = {}
    otherwise: dict[str, int] = {}
    changed = 0
    for start in range(0, len(ids), CHUNK):
        fresh: list[tuple[int, Sequence[Reading]]] = []
        for probe_id in ids[start : start + CHUNK]:
            old, new = stored.readings(store.reader(), probe_id), readings_of(store, probe_id)
            kept = {(reading.name, reading.sample): reading for reading in old}
            before = changed
            for place, reading in enumerate(new):
                known = kept.pop((reading.name, reading.sample), None)
                if known is not None and _answer(known) == _answer(reading):
                    new[place] = _with_figures(reading, known)
                if known is None:
                    added[reading.name] = added.get(reading.name, 0) + 1
                elif _answer(known) != _answer(reading):
                    otherwise[reading.name] = otherwise.get(reading.name, 0) + 1
                    changed = before + 1
            # Logs may give a reading without what it was made from.
            fresh.append((probe_id, [*new, *kept.values()]))
        if not dry:
            store.replace_readings(fresh)
    return Reread(len(ids), changed, added, otherwise)


def readings_of(store: Store, probe_id: int) -> list[Reading]:
    """Every reading of one stored probe, made from what is stored of the model's answer.

    Figures that the store rounds to four decimals make confidences that differ from the first ones
    in the fifth.
    """
    reader = store.reader()
    (probe,) = stored.records(reader, "FROM probes WHERE probe_id = ?", [probe_id])
    question = stored.shown_question(reader, probe)
    result = _result(store, probe)
    tokens = _token_bytes(store, probe, result)
    thinking = opens_thinking(probe["prompt"])
    return [
        *read_probe(question, result, tokens.__getitem__, thinking=thinking),
        *_later(question, result, thinking=thinking),
    ]


def _later(question: Question, result: ProbeResult, *, thinking: bool) -> Iterator[Reading]:
    """Readings of what was asked by hand after the run."""
    for text in result.generations:
        if text.kind in ("extra", "branch"):
            yield read_text(question, text, thinking=thinking)


def _result(store: Store, probe: dict[str, Any]) -> ProbeResult:
    reader, probe_id = store.reader(), probe["probe_id"]
    first = NOTHING_SEEN
    if probe["top_ids"]:
        first = Distribution(
            probe["top_ids"],
            probe["top_logprobs"] or [],
            probe["entropy"],
            probe["logsumexp"],
            probe["unseen"],
        )
    return ProbeResult(
        first=first,
        label_logprobs=probe["label_logprobs"] or [],
        spellings=list(stored.spellings(reader, probe_id)),
        continuations=list(stored.continuations(reader, probe_id)),
        generations=list(stored.generations(reader, probe_id)),
        label_logits=probe["label_logits"] or [],
    )


def _token_bytes(store: Store, probe: dict[str, Any], result: ProbeResult) -> dict[int, bytes]:
    """The bytes of the tokens that readings look at; none for ids that nothing is known of."""
    wanted = {*result.first.top_ids[:1]}
    for text in result.generations:
        wanted.update(text.positions.token_ids)
    reader = store.reader()
    ((tokenizer,),) = reader.execute(
        "SELECT tokenizer FROM runs WHERE run_id = ?", [probe["run_id"]]
    ).fetchall()
    known = store.vocabularies.tokens(reader, tokenizer, wanted)
    return {token_id: known[token_id].raw if token_id in known else b"" for token_id in wanted}


def _with_figures(reading: Reading, known: Reading) -> Reading:
    """The same answer with the figures that nothing is stored to compute from."""
    unknown = {
        field: getattr(known, field)
        for field in ("confidence", "margin", "logit")
        if getattr(reading, field) is None
    }
    return msgspec.structs.replace(reading, **unknown)


def _answer(reading: Reading) -> tuple[object, ...]:
    """What a reading says, without the figures that rounding moves."""
    return reading.status, reading.label, reading.labels, reading.rule, reading.span, reading.hedged
