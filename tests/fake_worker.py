"""A worker without torch: real messages, real process, made-up but deterministic results.

Screen and run tests start it in place of the real one::

    client = WorkerClient(command=fake_command())

What it answers depends on question, order, format and seed alone, so two runs store the same.
The numbers are consistent with each other: distributions sum to one, the greedy token is the
likeliest one, sampled tokens survive the sampler. Every kind of text turns up: plain letters,
sentences, refusals, several answers, nonsense, cut texts.

It misbehaves on request:

- ``--delay S`` waits S seconds a probe, ``--load-delay S`` while loading;
- ``--kill ID`` kills itself at a question, ``--kill-once ID FILE`` only while FILE is not there,
  ``--kill-above N`` when it gets more than N prompts at once;
- ``--fail ID`` can't render a question, ``--break ID`` raises while probing it;
- ``--load-error`` has no model, ``--parameters N`` pretends to be another model;
- ``--deaf`` ignores every request to end.

With ``--templates`` it writes prompts as their formats do, without a chat template, and its answers
depend on the prompt's text too.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import itertools
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.backend import OnFirst, OnStep
from engine.errors import FormatError, ModelError
from engine.formats import PromptFormat
from engine.prompt import render_text
from engine.protocol import Extend, Load, ProbeItem, Ready, VocabularyEntry
from engine.records import (
    Continuation,
    ContinuationKind,
    Distribution,
    Generation,
    ModelInfo,
    Positions,
    ProbeResult,
    ProbeSettings,
    SamplerSettings,
    Spelling,
)
from engine.rendered import ForcedContinuation, PromptWarning, RenderedPrompt, SpellingToken
from engine.worker import main

Row = NDArray[np.float64]

END = "<|end|>"
_WORDS = """
 The  the  answer  is  correct  option  I  think  would  be  say  sorry,  but  can't  that  one
 A  B  C  D  E  F  G  H ( ) (A (B (C (D . , : ! A B C D E F G H Answer Sure Sorry  cannot  not
 because  it  of  a  and  or  either  both  to  in  question  choose  probably  depends  on
""".strip("\n")
PIECES: tuple[str, ...] = (
    *(chr(code) for code in range(256)),
    *sorted({piece for piece in re.findall(r" ?\S+", _WORDS) if len(piece) > 1}),
    END,
)
"""Token id to text: the first 256 are single Latin-1 characters, so that anything has tokens."""

IDS = {piece: token_id for token_id, piece in enumerate(PIECES) if piece != END}
END_ID = PIECES.index(END)
WINDOW = 4096
LONGEST = max(map(len, IDS))

TEXTS = (
    "{label}",
    "{label}",
    "{label}.",
    "The answer is {label}.",
    "Sure! I think the correct answer is ({label}).",
    "I'm sorry, but I can't answer that question.",
    "I would say either {label} or {other}.",
    "it depends on the question and the answer to the question and the answer to the question",
)


BRANCH = " I think the answer is A."
"""What every branch goes on with."""


def fake_command(*arguments: str) -> tuple[str, ...]:
    """How a client starts the fake worker."""
    return (sys.executable, str(Path(__file__).resolve()), *arguments)


def encode(text: str) -> list[int]:
    """Longest-match tokens of a text; what no piece spells becomes a question mark."""
    ids = []
    at = 0
    while at < len(text):
        lengths = range(min(LONGEST, len(text) - at), 0, -1)
        length = next((n for n in lengths if text[at : at + n] in IDS), 1)
        ids.append(IDS.get(text[at : at + length], IDS["?"]))
        at += length
    return ids


def decode(token_ids: Sequence[int]) -> str:
    return "".join(PIECES[token_id] for token_id in token_ids if PIECES[token_id] != END)


class FakeBackend:
    """Answers in the shape of the real backend."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._items: dict[tuple[str, int, str], ProbeItem] = {}

    def load(self, request: Load, on_stage: Callable[[str], None]) -> Ready | None:
        on_stage("loading the fake")
        time.sleep(self._options.load_delay)
        if self._options.load_error:
            raise ModelError(f"There is no model in {request.model}.", "Give another folder.")
        if request.tokenizer_only:
            return None
        vocabulary = tuple(
            VocabularyEntry(piece, piece.encode("latin-1"), piece == END) for piece in PIECES
        )
        return Ready(
            request.job,
            _info(request, self._options.parameters),
            vocabulary,
            ("This model is a fake.",),
        )

    def render(self, item: ProbeItem, fmt: PromptFormat, max_new_tokens: int) -> RenderedPrompt:
        if item.question_id in self._options.fail:
            raise FormatError(f"The format {fmt.name} can't show {item.question_id}.")
        self._items[item.question_id, item.order, fmt.name] = item
        question = item.question
        lines = [f"{option.label}. {option.text}" for option in question.options]
        text = "\n".join(
            [*(f"{shot.text}\nAnswer: {shot.gold}\n" for shot in item.shots), question.text, *lines]
        )
        text = item.edited or f"{text}\nAnswer:"
        if self._options.templates:
            text = item.edited or render_text(question, fmt, shots=item.shots).raw
        token_ids = encode(text)
        kinds: tuple[ContinuationKind, ...] = ("label", "text")
        continuations = [
            ForcedContinuation(option.label, kind, f" {words}", tuple(encode(f" {words}")))
            for option in question.options
            for kind, words in zip(kinds, (option.label, option.text), strict=True)
        ]
        spellings = [
            SpellingToken(label, spelling, encode(spelling)[0], len(encode(spelling)) == 1)
            for label in question.labels
            for spelling in (label, f" {label}", f"({label}")
        ]
        return RenderedPrompt(
            question_id=item.question_id,
            format=fmt.name,
            order=item.order,
            labels=question.labels,
            text=text,
            token_ids=tuple(token_ids),
            pieces=tuple(PIECES[token_id] for token_id in token_ids),
            label_ids=tuple(encode(label)[0] for label in question.labels),
            spellings=tuple(spellings),
            continuations=tuple(continuations),
            chat=False,
            shots=len(item.shots),
            dropped_tokens=0,
            warnings=(PromptWarning("no-chat-template", "The fake has no chat template."),),
        )

    def check(self, prompt: RenderedPrompt, settings: ProbeSettings) -> None:
        if len(prompt.token_ids) > WINDOW:
            raise ModelError(f"The prompt of {prompt.question_id} is too long for the fake.")

    def probe(
        self,
        prompts: Sequence[RenderedPrompt],
        settings: ProbeSettings,
        *,
        batch_size: int,
        keep: bool,
        cancelled: Callable[[], bool],
        on_first: OnFirst | None,
        on_step: OnStep | None,
        on_note: Callable[[str], None],
    ) -> Iterator[tuple[int, ProbeResult]]:
        if len(prompts) > self._options.kill_above:
            os.kill(os.getpid(), signal.SIGKILL)
        for index, prompt in enumerate(prompts):
            if cancelled():
                return
            self._misbehave(prompt.question_id)
            result = self._result(prompt, settings)
            if on_first is not None:
                on_first(index, result.first, result.label_logprobs)
            if on_step is not None:
                written = [generation.positions.token_ids for generation in result.generations]
                for step, column in enumerate(itertools.zip_longest(*written)):
                    on_step(index, step, list(column))
            yield index, result

    def extend(
        self,
        request: Extend,
        *,
        cancelled: Callable[[], bool],
        on_step: Callable[[int, list[int | None]], None],
    ) -> list[Generation]:
        if cancelled():
            return []
        self._misbehave(request.question_id)
        item = self._items.get((request.question_id, request.order, request.format))
        labels = item.question.labels if item is not None else tuple("ABCD")
        key = f"{request.question_id}/{request.order}/{request.format}"
        greedy = _wanted(_text(labels, f"{key}/greedy"))
        rows = functools.partial(_row, key, greedy, [encode(label)[0] for label in labels])
        if request.beginning:
            text = decode(request.beginning) + BRANCH
            written = _generation(rows, text, 0, request.settings)
            generations = [msgspec.structs.replace(written, kind="branch")]
        else:
            generations = [
                _generation(
                    rows,
                    _text(labels, f"{key}/{request.settings.seed}/{sample}"),
                    sample,
                    request.settings,
                )
                for sample in request.samples
            ]
        written_ids = [generation.positions.token_ids for generation in generations]
        for step, column in enumerate(itertools.zip_longest(*written_ids)):
            on_step(step, list(column))
        return generations

    def _misbehave(self, question_id: str) -> None:
        if self._options.delay:
            time.sleep(self._options.delay)
        if question_id in self._options.broken:
            raise RuntimeError("This question breaks the probe.")
        if question_id in self._options.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._options.kill_once and question_id == self._options.kill_once[0]:
            witness = Path(self._options.kill_once[1])
            if not witness.exists():
                witness.touch()
                os.kill(os.getpid(), signal.SIGKILL)

    def _result(self, prompt: RenderedPrompt, settings: ProbeSettings) -> ProbeResult:
        item = self._items[prompt.question_id, prompt.order, prompt.format]
        key = f"{prompt.question_id}/{prompt.order}/{prompt.format}"
        if self._options.templates:
            key += hashlib.blake2b(prompt.text.encode()).hexdigest()
        labels = item.question.labels
        texts = [_text(labels, f"{key}/greedy")]
        texts += [
            _text(labels, f"{key}/{settings.seed}/{sample}")
            for sample in range(1, settings.samples + 1)
        ]
        rows = functools.partial(_row, key, _wanted(texts[0]), prompt.label_ids)
        generations = [
            _generation(rows, text, sample, settings) for sample, text in enumerate(texts)
        ]
        first = rows((), None)
        return ProbeResult(
            first=_distribution(first, settings.kept),
            label_logprobs=[float(first[token_id]) for token_id in prompt.label_ids],
            spellings=[
                Spelling(s.label, s.spelling, s.token_id, s.whole, float(first[s.token_id]))
                for s in prompt.spellings
            ],
            continuations=[_score(key, forced) for forced in prompt.continuations]
            if settings.continuations
            else [],
            generations=generations if settings.generations else [],
            seconds=0.01,
        )


def _text(labels: Sequence[str], key: str) -> str:
    draw = _seed(key)
    return TEXTS[draw % len(TEXTS)].format(
        label=labels[draw // 64 % len(labels)], other=labels[(draw // 64 + 1) % len(labels)]
    )


def _seed(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=6).digest(), "big")


def _logprobs(key: str, written: int | None, likely: Sequence[int] = ()) -> Row:
    """A distribution over the vocabulary in which ``written`` is the likeliest token."""
    logits = np.random.default_rng(_seed(key)).normal(0.0, 1.5, len(PIECES))
    logits[list(likely)] += 3.0
    if written is not None:
        logits[written] = logits.max() + 0.5
    shifted = logits - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()))


def _distribution(logprobs: Row, kept: int) -> Distribution:
    top = np.argsort(-logprobs, kind="stable")[:kept]
    mass = float(np.exp(logprobs[top]).sum())
    entropy = float(-(np.exp(logprobs) * logprobs).sum())
    return Distribution(
        [int(token_id) for token_id in top],
        [float(value) for value in logprobs[top]],
        entropy,
        _LOGSUMEXP,
        max(0.0, 1.0 - mass),
    )


_LOGSUMEXP = 12.5


def _wanted(text: str) -> list[int]:
    return [*encode(text), END_ID]


def _row(
    key: str,
    greedy: Sequence[int],
    label_ids: Sequence[int],
    history: Sequence[int],
    token_id: int | None,
) -> Row:
    """The distribution after some written tokens.

    Generations share it as long as they share what is written; the greedy token is on top there.
    """
    position = len(history)
    on_greedy_path = list(history) == list(greedy[:position]) and position < len(greedy)
    likely = label_ids if position == 0 else []
    if on_greedy_path:
        return _logprobs(f"{key}/{position}", greedy[position], likely)
    return _logprobs(f"{key}/{list(history)}", token_id, likely)


def _generation(
    rows_after: Callable[[Sequence[int], int | None], Row],
    text: str,
    sample: int,
    settings: ProbeSettings,
) -> Generation:
    wanted = _wanted(text)
    token_ids = wanted[: settings.max_new_tokens]
    rows = [rows_after(token_ids[:at], token_id) for at, token_id in enumerate(token_ids)]
    cuts = [_distribution(row, settings.kept) for row in rows]
    columns = [_after_sampler(row, settings.sampler) for row in rows] if sample else []
    at = list(zip(token_ids, rows, strict=True))
    positions = Positions(
        token_ids=token_ids,
        logprobs=[float(row[token_id]) for token_id, row in at],
        ranks=[int((row > row[token_id]).sum()) + 1 for token_id, row in at],
        entropies=[cut.entropy for cut in cuts],
        logsumexps=[cut.logsumexp for cut in cuts],
        unseen=[cut.unseen for cut in cuts],
        top_ids=[cut.top_ids for cut in cuts],
        top_logprobs=[cut.top_logprobs for cut in cuts],
        sampler_logprobs=[
            float(scaled[token_id] - total)
            for token_id, (scaled, total, _) in zip(token_ids, columns, strict=True)
        ]
        if sample
        else None,
        sampler_logsumexps=[total for _, total, _ in columns] if sample else None,
        sampler_cutoffs=[cutoff for _, _, cutoff in columns] if sample else None,
        margins=[float(cut.top_logprobs[0] - cut.top_logprobs[1]) for cut in cuts],
    )
    return Generation(
        kind="sample" if sample else "greedy",
        index=sample,
        text=decode(token_ids),
        finish_reason="stop" if token_ids == wanted else "length",
        positions=positions,
    )


def _after_sampler(row: Row, sampler: SamplerSettings) -> tuple[Row, float, float]:
    """Scaled logits, their logsumexp and the cutoff; the fake never cuts a token off."""
    scaled = (row + _LOGSUMEXP) / sampler.temperature
    return scaled, float(np.logaddexp.reduce(scaled)), float(scaled.min())


def _score(key: str, forced: ForcedContinuation) -> Continuation:
    rows = [_logprobs(f"{key}/{forced.text}/{i}", None) for i in range(len(forced.token_ids))]
    pairs = list(zip(forced.token_ids, rows, strict=True))
    return Continuation(
        forced.label,
        forced.kind,
        forced.text,
        list(forced.token_ids),
        [float(row[token_id]) for token_id, row in pairs],
        all(int(row.argmax()) == token_id for token_id, row in pairs),
    )


def _info(request: Load, parameters: int) -> ModelInfo:
    return ModelInfo(
        name=request.model,
        revision=request.revision,
        architecture="FakeForCausalLM",
        parameters=parameters,
        dtype="float32" if request.dtype == "auto" else request.dtype,
        device="cpu",
        attention="none",
        quantization=request.quantization,
        plan="shared",
        plan_reason="made up",
        vocab_size=len(PIECES),
        tokenizer_size=len(PIECES),
        window=WINDOW,
        bos_id=None,
        stop_ids=[END_ID],
        has_chat_template=False,
        tokenizer_hash=hashlib.blake2b("".join(PIECES).encode(), digest_size=8).hexdigest(),
        template_hash=None,
        generation_defaults={},
        versions={"logitscope": "fake"},
        threads=1,
    )


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--load-delay", type=float, default=0.0)
    parser.add_argument("--kill", action="append", default=[])
    parser.add_argument("--kill-once", nargs=2)
    parser.add_argument("--kill-above", type=int, default=sys.maxsize)
    parser.add_argument("--fail", action="append", default=[])
    parser.add_argument("--break", dest="broken", action="append", default=[])
    parser.add_argument("--load-error", action="store_true")
    parser.add_argument("--parameters", type=int, default=0)
    parser.add_argument("--deaf", action="store_true")
    parser.add_argument("--templates", action="store_true")
    return parser.parse_known_args(arguments)[0]


if __name__ == "__main__":
    options = _options(sys.argv[1:])
    if options.deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(1)
    main(FakeBackend(options))
