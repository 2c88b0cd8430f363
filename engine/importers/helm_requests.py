"""What was asked and answered in the requests of one HELM instance."""

from __future__ import annotations

import codecs
import math
from collections.abc import Sequence
from typing import Any

from engine.importers.imported import TokenNumbers
from engine.importers.recorded import (
    NOTHING_WRITTEN,
    Text,
    Token,
    first_distribution,
    generations,
    label_logprobs,
    number_of,
    positions_of,
)
from engine.questions import Option, Question
from engine.records import (
    NOTHING_SEEN,
    Continuation,
    Distribution,
    FinishReason,
    ProbeResult,
)
from engine.shapes import LABELS

Record = dict[str, Any]

_CORRECT = "correct"
_BYTES = "bytes:"
_ENDINGS: dict[str, FinishReason] = {"length": "length", "stop": "stop", "endoftext": "stop"}


class Reader:
    """Reads the requests of one run, and counts what a user should know."""

    def __init__(
        self, states: Sequence[Record], numbers: TokenNumbers, counts: dict[str, int]
    ) -> None:
        self._numbers = numbers
        self._counts = counts
        self._known: set[object] = set()
        # Clients write a logprob of 0 where a service tells none.
        self._logprobs = any(
            token.get("logprob")
            for state in states
            for completion in _completions(state)
            for token in completion.get("tokens") or []
        )
        self._count("no logprobs", not self._logprobs and any(map(_completions, states)))

    def question(self, state: Record, scenario: str, subject: str) -> Question:
        """The question of a request: its options are what it chooses among, or scores."""
        instance = state["instance"]
        references = instance.get("references") or []
        texts = [str(reference["output"]["text"]) for reference in references]
        labels: Sequence[str] = ()
        if state.get("output_mapping"):
            labels = list(state["output_mapping"])
        elif state.get("reference_index") is not None:
            labels = [LABELS[i] if i < len(LABELS) else str(i + 1) for i in range(len(texts))]
        golds = [
            label
            for label, reference in zip(labels, references, strict=False)
            if _CORRECT in reference["tags"]
        ]
        if instance.get("id") not in self._known:
            self._known.add(instance.get("id"))
            self._count("no options", not labels)
            self._count("several targets", len(golds) > 1)
        return Question(
            text=str(instance["input"]["text"]),
            options=tuple(map(Option, labels, texts)),
            gold=golds[0] if golds else None,
            subject=subject,
            dataset=scenario,
        )

    def answer(self, group: Sequence[Record], question: Question) -> tuple[str, ProbeResult]:
        """Prompt and result of the requests of one instance."""
        self._count("truncated", any(state.get("prompt_truncated") for state in group))
        self._count("failed", not all(map(_completions, group)))
        if group[0].get("reference_index") is None:
            return str(group[0]["request"]["prompt"]), self._texts(group, question)
        return self._scored(group, question)

    def _count(self, code: str, is_so: bool) -> None:
        if is_so:
            self._counts[code] = self._counts.get(code, 0) + 1

    def _texts(self, group: Sequence[Record], question: Question) -> ProbeResult:
        """Texts that answer the question: several where it was asked several times."""
        request = group[0]["request"]
        greedy = request.get("temperature") == 0
        completions = [each for state in group for each in _completions(state)]
        texts = [
            Text(
                number,
                str(each["text"]),
                _ENDINGS.get(str((each.get("finish_reason") or {}).get("reason"))),
                positions_of(_tokens(each), self._numbers) if self._logprobs else NOTHING_WRITTEN,
            )
            for number, each in enumerate(completions, start=1)
        ]
        first = NOTHING_SEEN
        if self._logprobs and texts:
            first = first_distribution(texts[0].positions, greedy=greedy)
        elif texts and greedy and request.get("max_tokens") == 1 and texts[0].text:
            token = self._numbers.number(texts[0].text.encode())
            first = Distribution([token], [], None, None, None)
        return ProbeResult(
            first=first,
            label_logprobs=label_logprobs(question.labels, first, self._numbers),
            spellings=[],
            continuations=[],
            generations=generations(texts, greedy=greedy),
            seconds=_seconds(group[0]),
        )

    def _scored(self, group: Sequence[Record], question: Question) -> tuple[str, ProbeResult]:
        """Every option scored as what ends its own prompt."""
        scored = {
            (state.get("request_mode") or "original", int(state["reference_index"])): self._answer(
                state, question
            )
            for state in group
        }
        options = range(len(question.options))
        found = [scored.get(("original", place)) for place in options]
        bare = [scored.get(("calibration", place)) for place in options]
        whole = all(found) and self._logprobs
        self._count("no span", self._logprobs and not whole)
        continuations = [
            self._continuation(option.label, answer, unasked)
            for option, answer, unasked in zip(question.options, found, bare, strict=True)
            if answer and whole
        ]
        asked = [state for state in group if state.get("request_mode") != "calibration"]
        first = asked[0]
        option = question.options[int(first["reference_index"])].text
        prompt = str(first["request"]["prompt"]).rstrip().removesuffix(option.rstrip()).rstrip(" ")
        return prompt, ProbeResult(NOTHING_SEEN, [], [], continuations, [], _seconds(first))

    def _answer(self, state: Record, question: Question) -> list[Token]:
        """The tokens of the option at the end of an echoed prompt."""
        completions = _completions(state)
        text = question.options[int(state["reference_index"])].text
        return _ending_in(_tokens(completions[0]), text) if completions else []

    def _continuation(
        self, label: str, answer: Sequence[Token], unasked: Sequence[Token] | None
    ) -> Continuation:
        listed = all(token.top for token in answer)
        return Continuation(
            label=label,
            kind="text",
            text=b"".join(token.raw for token in answer).decode("utf-8", "replace"),
            token_ids=[self._numbers.number(token.raw) for token in answer],
            logprobs=[token.logprob for token in answer],
            is_greedy=all(
                token.logprob >= max(logprob for _, logprob in token.top) for token in answer
            )
            if listed
            else None,
            unconditional=math.fsum(token.logprob for token in unasked) if unasked else None,
        )


def _completions(state: Record) -> list[Record]:
    result = state.get("result") or {}
    return (result.get("completions") or []) if result.get("success", True) else []


def _seconds(state: Record) -> float | None:
    return number_of((state.get("result") or {}).get("request_time"))


def _tokens(completion: Record) -> list[Token]:
    return [
        Token(
            _raw(str(token["text"])),
            float(token["logprob"]),
            [
                (_raw(text), float(logprob))
                for text, logprob in (token.get("top_logprobs") or {}).items()
            ],
        )
        for token in completion.get("tokens") or []
    ]


def _raw(text: str) -> bytes:
    r"""The bytes of a token; one that is no text of its own is written ``bytes:\xe2\x80``."""
    if text.startswith(_BYTES):
        return codecs.escape_decode(text.removeprefix(_BYTES).encode())[0]
    return text.encode()


def _ending_in(tokens: Sequence[Token], text: str) -> list[Token]:
    """The last tokens that spell a text, with the blank before it; none where no tokens do."""
    wanted, joined = text.strip().encode(), b""
    for start in range(len(tokens) - 1, -1, -1):
        joined = tokens[start].raw + joined
        if wanted and joined.strip() == wanted:
            blank = start and tokens[start - 1].raw == b" " and not joined.startswith(b" ")
            return list(tokens[start - 1 if blank else start :])
    return []
