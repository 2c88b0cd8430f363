"""Stored probes as Python objects, from the raw tables only, and what is derived from them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from engine.store import Store
from tests.varied_store import NEWEST


class Probe:
    """One probe with everything that hangs on it, from the raw tables only."""

    def __init__(self, row: dict[str, Any], raw: Raw) -> None:
        self.row = row
        self.id: int = row["probe_id"]
        self.run = raw.runs[row["run_id"]]
        self.question = raw.questions[row["question_id"]]
        self.readings = raw.of("readings", self.id)
        self.generations = sorted(raw.of("generations", self.id), key=lambda g: g["sample"])
        self.positions = raw.of("positions", self.id)
        self.spellings = raw.of("spellings", self.id)
        self.override = next(iter(raw.of("overrides", self.id)), None)
        self.human = next(iter(raw.of("human_labels", self.id)), None)
        self.scores = raw.of("scores", self.id)
        self.marked = next(iter(raw.of("marks", self.id)), None)
        self.tokens = raw.tokens[self.run["tokenizer"]]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.row[name]
        except KeyError:
            raise AttributeError(name) from None

    def reading(self, name: str) -> dict[str, Any]:
        nothing = dict.fromkeys(
            ("status", "label", "labels", "confidence", "margin", "rule", "hedged")
        )
        return next((each for each in self.readings if each["name"] == name), nothing)

    @property
    def first(self) -> str | None:
        return self.reading("first_token")["label"]

    @property
    def first_probability(self) -> float | None:
        return self.reading("first_token")["confidence"]

    @property
    def decided(self) -> dict[str, Any]:
        return self.override or self.human or self.reading("greedy_text")

    @property
    def source(self) -> str | None:
        if self.override:
            return "override"
        if self.human:
            return "human label"
        return "reading" if self.status else None

    @property
    def status(self) -> str | None:
        return self.decided["status"]

    @property
    def label(self) -> str | None:
        return self.decided["label"]

    @property
    def greedy(self) -> dict[str, Any]:
        return next(each for each in self.generations if each["sample"] == 0)

    @property
    def samples(self) -> list[dict[str, Any]]:
        return [each for each in self.readings if each["name"] == "sample_text"]

    @property
    def first_right(self) -> bool | None:
        return None if self.gold is None or self.first is None else self.first == self.gold

    @property
    def text_right(self) -> bool | None:
        return None if self.gold is None or self.status is None else self.label == self.gold

    @property
    def mismatch(self) -> bool | None:
        return None if self.first is None or self.status is None else self.first != self.label

    @property
    def refusal(self) -> bool | None:
        if self.status is None:
            return None
        return self.status == "refusal" or (
            self.refusal_label is not None and self.label == self.refusal_label
        )

    @property
    def first_refusal(self) -> bool | None:
        if self.refusal_label is None or self.first is None:
            return None
        return self.first == self.refusal_label

    @property
    def flips(self) -> bool | None:
        """Whether most samples say something else than the greedy text."""
        most = self.reading("majority")
        if most["status"] is None or self.status is None:
            return None
        return (most["status"], most["label"]) != (self.status, self.label)

    @property
    def option_mass(self) -> float | None:
        if self.label_logprobs is None:
            return None
        pairs = set(zip(self.label_ids, self.label_logprobs, strict=True))
        return sum(math.exp(logprob) for _, logprob in pairs)

    @property
    def vocab_token(self) -> str | None:
        return self.tokens.get(self.top_ids[0]) if self.top_ids else None

    @property
    def tie(self) -> bool | None:
        scores = self.label_logprobs
        return None if scores is None else scores.count(max(scores)) > 1

    @property
    def near_tie(self) -> bool | None:
        least = self.greedy["least_margin"]
        return None if least is None else least < 1e-4

    @property
    def low_margin(self) -> bool | None:
        margin = self.reading("first_token")["margin"]
        return None if margin is None else margin < 0.1

    def option(self, label: str | None) -> int | None:
        """Index in the source of the option shown with a label."""
        return None if label is None else self.permutation[self.labels.index(label)]

    def option_text(self, label: str | None) -> str | None:
        index = self.option(label)
        return None if index is None else self.question["options"][index]["text"]

    def source_label(self, label: str | None) -> str | None:
        index = self.option(label)
        return None if index is None else self.question["options"][index]["label"]

    def said(self) -> Iterator[tuple[str, str, str | None]]:
        """Every reading without those of samples, what was decided in the ladder's place."""
        for each in self.readings:
            if each["sample"] is None and each["name"] != "greedy_text":
                yield each["name"], each["status"], each["label"]
        if self.status is not None:
            yield "greedy_text", self.status, self.label


class Raw:
    """The raw tables as Python rows."""

    def __init__(self, store: Store) -> None:
        self._rows: dict[str, dict[int, list[dict[str, Any]]]] = {}
        self._reader = store.reader()
        self.runs = {row["run_id"]: row for row in self._table("runs")}
        self.questions = {row["question_id"]: row for row in self._table("questions")}
        self.tokens: dict[str, dict[int, str]] = defaultdict(dict)
        for row in self._table("tokens"):
            self.tokens[row["tokenizer"]][row["token_id"]] = row["text"]
        for name in ("readings", "generations", "positions", "spellings", "overrides",
                     "human_labels", "scores", "marks"):  # fmt: skip
            by_probe: dict[int, list[dict[str, Any]]] = defaultdict(list)
            for row in self._table(name):
                by_probe[row["probe_id"]].append(row)
            self._rows[name] = by_probe
        self.all = [Probe(row, self) for row in self._table("probes")]
        self.newest = [probe for probe in self.all if probe.run_id == NEWEST]

    def _table(self, name: str) -> list[dict[str, Any]]:
        found = self._reader.execute(f"FROM {name}")
        columns = [column[0] for column in found.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]

    def of(self, name: str, probe_id: int) -> list[dict[str, Any]]:
        return self._rows[name][probe_id]
