"""A store filled with a made-up but consistent run, without a model and without torch.

Everything that a screen has to cope with turns up in the first dozen probes: plain letters, long
answers, refusals, several answers, texts without an answer, cut texts, wide characters,
right-to-left text, characters split over tokens, special tokens, an id that the tokenizer does not
know, a question without a right answer and one with ten options. The numbers agree with each
other: a distribution depends on what was written before only, the greedy token is its likeliest,
and every probability mass sums to one.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec

from engine.perturb import order_permutation, reorder
from engine.protocol import VocabularyEntry
from engine.questions import LABELS, Option, Question
from engine.readings import read_probe
from engine.records import (
    Continuation,
    Distribution,
    Generation,
    ModelInfo,
    Positions,
    ProbeResult,
    ProbeSettings,
    SamplerSettings,
    Spelling,
)
from engine.rendered import PromptWarning, RenderedPrompt
from engine.store import Store, StoredProbe, open_store

FORMATS = ("low", "high")
KEPT = 20
LOGSUMEXP = 11.25
BATCH = 200
END = "<|end|>"
FIRST_WORD = 256
"""Ids below are single bytes."""

UNKNOWN_ID = 999
"""An id of the logits vector that the tokenizer does not know."""

CUT = "[cut]"
REPLIES = (
    "{label}",
    "Sure! The correct answer is {label}.",
    "I'm sorry, but I can't help with that.",
    "{label}. {text}",
    "Both {label} and {other} are correct.",
    f"Well, that depends on a great many things, and{CUT}",
    "日本語で答えます。答えは{label}です 🙂",
    "The weather is nice today.",
    "None of the options is correct.",
    "I don't know.",
)
"""What the model writes, in turn."""

QUESTIONS: tuple[Question, ...] = (
    Question(
        "Which planet is closest to the sun?",
        tuple(map(Option, "ABCD", ("Venus", "Mercury", "Mars", "Earth"))),
        "B",
        "astronomy",
        "sample",
    ),
    Question(
        "水の化学式は何ですか？",
        tuple(map(Option, "ABCD", ("H₂O", "CO₂", "酸素", "NaCl"))),
        "A",
        "chemistry",
        "sample",
    ),
    Question(
        "How much do you trust the news?",
        (
            Option("A", "A lot", 3.0),
            Option("B", "Some", 2.0),
            Option("C", "Not at all", 1.0),
            Option("D", "Refused"),
        ),
        None,
        "opinion",
        "survey",
    ),
    Question(
        "ما هي عاصمة مصر؟",
        tuple(map(Option, "ABCD", ("القاهرة", "دمشق", "بغداد", "الرباط"))),
        "A",
        "geography",
        "sample",
    ),
    Question(
        "Which of these numbers is prime?",
        tuple(map(Option, LABELS[:10], map(str, (4, 6, 8, 9, 10, 12, 13, 14, 15, 16)))),
        "G",
        "mathematics",
        "sample",
    ),
)


def make_sample_store(
    path: Path,
    *,
    questions: int = 10,
    formats: Sequence[str] = FORMATS,
    orders: int = 2,
    samples: int = 4,
) -> Store:
    """A new store with one finished run; ``questions * len(formats) * orders`` probes."""
    store = open_store(path)
    add_sample_run(store, questions=questions, formats=formats, orders=orders, samples=samples)
    return store


def add_sample_run(
    store: Store,
    *,
    questions: int = 10,
    formats: Sequence[str] = FORMATS,
    orders: int = 2,
    samples: int = 4,
    name: str = "sample run",
    finish: bool = True,
) -> int:
    """Add one made-up run to a store; returns its id."""
    asked = sample_questions(questions)
    settings = ProbeSettings(samples=samples, sampler=SamplerSettings(temperature=0.8, top_p=0.95))
    plan = {"model": "sample/model", "formats": list(formats), "settings": settings}
    store.add_vocabulary(MODEL.tokenizer_hash, vocabulary())
    store.add_questions(asked)
    run_id = store.add_run(
        kind="run",
        name=name,
        model=MODEL.name,
        source="sample.jsonl",
        formats=formats,
        orders=orders,
        planned=questions * len(formats) * orders,
        fingerprint=f"sample-{questions}-{orders}-{samples}",
        settings=msgspec.json.encode(plan).decode(),
        model_info=MODEL,
    )
    batch: list[StoredProbe] = []
    for index, question in enumerate(asked):
        batch += [
            sample_probe(question, index, fmt, order, settings)
            for fmt in formats
            for order in range(orders)
        ]
        if len(batch) >= BATCH:
            store.write(run_id, batch)
            batch.clear()
    store.write(run_id, batch)
    if finish:
        store.finish_run(run_id, "finished")
    return run_id


def sample_questions(count: int) -> list[Question]:
    """The questions, numbered from the second round on."""
    rounds = [QUESTIONS[index % len(QUESTIONS)] for index in range(count)]
    return [
        question
        if index < len(QUESTIONS)
        else msgspec.structs.replace(question, text=f"{question.text} ({index})")
        for index, question in enumerate(rounds)
    ]


def sample_probe(
    question: Question, index: int, fmt: str, order: int, settings: ProbeSettings
) -> StoredProbe:
    """One probe, the same on every machine."""
    permutation = order_permutation(question, order, seed=0)
    shown = reorder(question, permutation)
    draw = random.Random(f"{question.id}/{fmt}/{order}")
    turn = index + order + 3 * list(FORMATS).index(fmt) if fmt in FORMATS else index + order
    if fmt == "high" and draw.random() < 0.6:
        turn = 0
    said = [_reply(shown, turn, draw)]
    for _ in range(settings.samples):
        sampled = turn if draw.random() < 0.7 else draw.randrange(len(REPLIES))
        said.append(_reply(shown, sampled, draw))
    written = [_token_ids(text, finished=not cut) for text, cut in said]
    label_ids = [token_id(label) for label in shown.labels]
    model = _Model(f"{question.id}/{fmt}/{order}", written, shown.labels)
    first = model.distribution(())
    label_logprobs = [model.logprob((), label_id) for label_id in label_ids]
    result = ProbeResult(
        first=first,
        label_logprobs=label_logprobs,
        spellings=[
            Spelling(
                label, spelling, token_id(spelling), True, model.logprob((), token_id(spelling))
            )
            for label in shown.labels
            for spelling in (label, f" {label}")
        ],
        continuations=[
            _continuation(option, kind, draw) for option in shown.options for kind in KINDS
        ],
        generations=[
            model.generation(number, text, ids, cut, settings.sampler)
            for number, ((text, cut), ids) in enumerate(zip(said, written, strict=True))
        ],
        seconds=0.02,
    )
    prompt_text = f"<|user|>\n{shown.text}\n" + "".join(
        f"{option.label}. {option.text}\n" for option in shown.options
    )
    prompt_ids = _token_ids(prompt_text + "Answer:", finished=False)
    prompt = RenderedPrompt(
        question_id=question.id,
        format=fmt,
        order=order,
        labels=shown.labels,
        text=prompt_text + "Answer:",
        token_ids=tuple(prompt_ids),
        pieces=tuple(vocabulary()[i].piece or "" for i in prompt_ids),
        label_ids=tuple(label_ids),
        spellings=(),
        continuations=(),
        chat=fmt != "high",
        shots=0,
        dropped_tokens=0,
        warnings=(PromptWarning("trailing-space", "The prompt ends in a space."),)
        if fmt == "high"
        else (),
    )
    readings = read_probe(shown, result, lambda token: vocabulary()[token].raw)
    return StoredProbe(index, shown, question.id, permutation, prompt, result, readings)


KINDS = ("label", "text")


class _Model:
    """Distributions that depend on the probe and on what was written before, nothing else."""

    def __init__(self, key: str, written: Sequence[Sequence[int]], labels: Sequence[str]) -> None:
        self._key = key
        words = [text_of(token).strip() for token in written[0]]
        self._meant = [token_id(word) for word in words if word in labels][:1]
        self._next: dict[tuple[int, ...], list[int]] = {}
        for ids in written:
            for place, chosen in enumerate(ids):
                following = self._next.setdefault(tuple(ids[:place]), [])
                if chosen not in following:
                    following.append(chosen)
        self._seen: dict[tuple[int, ...], Distribution] = {}

    def distribution(self, before: tuple[int, ...]) -> Distribution:
        if before not in self._seen:
            self._seen[before] = self._draw(before)
        return self._seen[before]

    def _draw(self, before: tuple[int, ...]) -> Distribution:
        draw = random.Random(f"{self._key}/{before}")
        top = self._next.get(before, [])[: KEPT - 1]
        fillers = draw.sample(range(FIRST_WORD, len(_ids())), KEPT + len(top))
        fillers[draw.randrange(KEPT)] = draw.choice((UNKNOWN_ID, draw.randrange(128, 256)))
        if not before:
            fillers = [token_id(label) for label in draw.sample("ABCD", 4)] + fillers
        rest = [i for i in dict.fromkeys(fillers) if i not in top][: KEPT - len(top)]
        draw.shuffle(rest)
        if not before and draw.random() < 0.5:
            # Often the likeliest option is what the text says although it begins with a word.
            meant = [i for i in self._meant if i not in top]
            rest = [*meant, *(i for i in rest if i not in meant)][: len(rest)]
        ids = [*top[:1], *rest[:2], *top[1:], *rest[2:]]
        weights = [1.0]
        while len(weights) < KEPT:
            weights.append(weights[-1] * draw.uniform(0.4, 0.95))
        unseen = draw.uniform(0.001, 0.08)
        scale = (1 - unseen) / sum(weights)
        logprobs = [math.log(weight * scale) for weight in weights]
        entropy = -sum(math.exp(value) * value for value in logprobs) + unseen * 4
        return Distribution(ids, logprobs, entropy, LOGSUMEXP, unseen)

    def logprob(self, before: tuple[int, ...], chosen: int) -> float:
        """Of any token; outside the kept ones a little of the unseen mass."""
        kept = self.distribution(before)
        if chosen in kept.top_ids:
            return kept.top_logprobs[kept.top_ids.index(chosen)]
        return min(kept.top_logprobs[-1], math.log(kept.unseen)) - 1 - chosen % 7 / 8

    def generation(
        self, number: int, text: str, ids: Sequence[int], cut: bool, sampler: SamplerSettings
    ) -> Generation:
        befores = [tuple(ids[:place]) for place in range(len(ids))]
        rows = [self.distribution(before) for before in befores]
        logprobs = [self.logprob(before, i) for before, i in zip(befores, ids, strict=True)]
        scaled = [[(x + LOGSUMEXP) / sampler.temperature for x in row.top_logprobs] for row in rows]
        sums = [math.log(sum(map(math.exp, row))) for row in scaled]
        positions = Positions(
            token_ids=list(ids),
            logprobs=logprobs,
            ranks=[
                row.top_ids.index(i) + 1 if i in row.top_ids else KEPT + 1 + i % 50
                for row, i in zip(rows, ids, strict=True)
            ],
            entropies=[row.entropy for row in rows],
            logsumexps=[row.logsumexp for row in rows],
            unseen=[row.unseen for row in rows],
            top_ids=[row.top_ids for row in rows],
            top_logprobs=[row.top_logprobs for row in rows],
            sampler_logprobs=[
                (logprob + LOGSUMEXP) / sampler.temperature - total
                for logprob, total in zip(logprobs, sums, strict=True)
            ]
            if number
            else None,
            sampler_logsumexps=sums if number else None,
            sampler_cutoffs=[row[-1] for row in scaled] if number else None,
        )
        return Generation(
            "sample" if number else "greedy", number, text, "length" if cut else "stop", positions
        )


def _reply(shown: Question, turn: int, draw: random.Random) -> tuple[str, bool]:
    """Text of one reply, and whether a token limit cut it."""
    template = REPLIES[turn % len(REPLIES)]
    option, other = draw.sample(shown.options, 2)
    if shown.gold is not None and draw.random() < 0.6:
        option = next(o for o in shown.options if o.label == shown.gold)
        other = next(o for o in shown.options if o.label != shown.gold)
    text = template.format(label=option.label, text=option.text, other=other.label)
    return text.removesuffix(CUT), text.endswith(CUT)


def _continuation(option: Option, kind: str, draw: random.Random) -> Continuation:
    text = f" {option.label if kind == 'label' else option.text}"
    ids = _token_ids(text, finished=False)
    logprobs = [-draw.expovariate(0.5) for _ in ids]
    return Continuation(
        option.label, "label" if kind == "label" else "text", text, ids, logprobs, False
    )


@cache
def vocabulary() -> tuple[VocabularyEntry, ...]:
    """256 bytes, the words of all texts with and without a blank, specials, and unknown ids."""
    words = set(LABELS)
    for text in REPLIES:
        words.update(text.split())
    for question in QUESTIONS:
        words.update(question.text.split())
        words.update(word for option in question.options for word in option.text.split())
    ascii_words = sorted(word for word in words if word.isascii() and "{" not in word)
    pieces = [*ascii_words, *(f" {word}" for word in ascii_words)]
    entries = [VocabularyEntry(f"<0x{byte:02X}>", bytes([byte]), False) for byte in range(256)]
    entries += [VocabularyEntry(p.replace(" ", "Ġ"), p.encode(), False) for p in pieces]
    entries += [VocabularyEntry(p, p.encode(), True) for p in (END, "<|user|>")]
    unknown = UNKNOWN_ID + 1 - len(entries)
    return (*entries, *[VocabularyEntry(None, b"", False)] * unknown)


@cache
def _ids() -> dict[bytes, int]:
    return {entry.raw: i for i, entry in enumerate(vocabulary()) if entry.piece is not None}


def token_id(text: str) -> int:
    """Id of the token that stands for a text."""
    return _ids()[text.encode()]


def text_of(token: int) -> str:
    return vocabulary()[token].raw.decode("utf-8", "replace")


def _token_ids(text: str, finished: bool) -> list[int]:
    """Longest match first; what no piece spells becomes bytes."""
    raw = text.encode()
    ids = []
    while raw:
        length = next(n for n in range(min(len(raw), 20), 0, -1) if raw[:n] in _ids())
        ids.append(_ids()[raw[:length]])
        raw = raw[length:]
    return [*ids, token_id(END)] if finished else ids


MODEL = ModelInfo(
    name="sample/model",
    revision=None,
    architecture="SampleForCausalLM",
    parameters=1_000_000,
    dtype="float32",
    device="cpu",
    attention="sdpa",
    quantization="none",
    plan="shared",
    plan_reason="made up",
    vocab_size=UNKNOWN_ID + 1,
    tokenizer_size=UNKNOWN_ID,
    window=2048,
    bos_id=None,
    stop_ids=[],
    has_chat_template=True,
    tokenizer_hash="sample-tokenizer",
    template_hash=None,
    generation_defaults={},
    versions={"logitscope": "sample"},
    threads=1,
)
