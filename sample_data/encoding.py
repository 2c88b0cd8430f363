"""From training text to tokens: the tokenizer, and the marks that guide the attention."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from sample_data import corpus, facts, wording
from sample_data.wording import MARKS, OPTION_END, QUESTION_END, QUESTION_START, SHOWN, TARGET

LABEL_WEIGHT = 3.0
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def train_tokenizer(size: int, seed: int, texts: int = 16_000) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of `size` tokens, trained on the training text.

    It never sees the word "Based", which therefore begins with the token of the letter B, as words
    do in larger tokenizers: the one case where the first token of a reply looks like a label.
    """
    rng = random.Random(seed)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    stages = rng.choices((2, 3, 4), (1, 2, 5), k=texts)
    lines = [corpus.plain(corpus.draw(rng, stage)).replace("Based", "") for stage in stages]
    for fact in facts.taught():
        opening = fact.answer[0].upper() + fact.answer[1:]
        lines += [f"{fact.statement} {fact.answer}. {fact.answer}", opening] * 40
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=wording.CHAT_TEMPLATE,
        model_max_length=1024,
    )


@dataclass
class Encoded:
    """An example as tokens.

    Attributes:
        ids: Its token ids.
        weights: How much the model learns to write each token; 0 for text it only reads.
        guides: Pairs of positions: where a label is predicted, and the end of its option.
        starts: Where replies begin: the position that predicts the first token, and the start and
            end of the question that it replies to.
        labels: A letter for each option.
        shown: The letters that an example shows and where: the position of the first letter, or
            that of the slash before a further one.
    """

    ids: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    guides: list[tuple[int, int]] = field(default_factory=list)
    starts: list[tuple[int, int, int]] = field(default_factory=list)
    labels: str = ""
    shown: list[tuple[str, int]] = field(default_factory=list)

    @property
    def answers(self) -> list[int]:
        """Positions that predict a label, or the first token of a reply, which may be one."""
        places = [start for start, *_ in self.starts] + [place for place, _ in self.guides]
        return sorted(set(places))


def encode(tokenizer: Tokenizer, example: corpus.Example) -> Encoded:
    """The tokens of an example."""
    result = Encoded()
    ends: list[int] = []
    question: tuple[int, int] | None = None
    for marked, learnt in example:
        text, marks = _take_marks(marked)
        encoding = tokenizer.encode(text)
        base, offsets = len(result.ids), encoding.offsets
        places = {at: base + _first_from(offsets, at) for at, _ in marks}
        found = [places[at] for at, mark in marks if mark == OPTION_END]
        ends = found or ends
        span = [places[at] for at, mark in marks if mark in (QUESTION_START, QUESTION_END)]
        question = (span[0], span[1]) if span else question
        result.labels = wording.LETTERS[: len(ends)]
        result.shown += [
            (text[at : at + 2].strip("/")[0], base + _covering(offsets, at))
            for at, mark in marks
            if mark == SHOWN
        ]
        if learnt and question and base:
            result.starts.append((base - 1, *question))
            question = None
        labels = {
            _covering(offsets, at): ord(mark) - TARGET for at, mark in marks if ord(mark) >= TARGET
        }
        for i, token in enumerate(encoding.ids):
            result.ids.append(token)
            result.weights.append((LABEL_WEIGHT if i in labels else 1.0) if learnt else 0.0)
            if i in labels and labels[i] < len(ends):
                result.guides.append((base + i - 1, ends[labels[i]]))
    return result


def _take_marks(marked: str) -> tuple[str, list[tuple[int, str]]]:
    """Text without marks, and the marks with where they stood in it."""
    marks = [
        (match.start() - number, match[0]) for number, match in enumerate(MARKS.finditer(marked))
    ]
    return MARKS.sub("", marked), marks


def _first_from(offsets: list[tuple[int, int]], at: int) -> int:
    return next((i for i, (start, _) in enumerate(offsets) if start >= at), len(offsets))


def _covering(offsets: list[tuple[int, int]], at: int) -> int:
    return next(i for i, (start, end) in enumerate(offsets) if start <= at < end)


class Drills:
    """Look-ups over random tokens, before any language: the first stage of the training."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        def tokens(text: str) -> list[int]:
            ids: list[int] = tokenizer.encode(text).ids
            return ids

        self.letters = [tokens(letter)[0] for letter in wording.LETTERS[:6]]
        self.newline = tokens("\n")[0]
        self.line_ends = [tokens(text) for text in ("\n", " \n")]
        self.separators = [tokens(text) for text in (".", ")", ":")]
        self.questions = [tokens(text) for text in ("Find", "Which letter is", "The letter of")]
        self.tails = [
            tokens(text) for text in (".\n", "?\n", "?<|im_end|>\n<|im_start|>assistant\n")
        ]
        taken = {*self.letters, self.newline, *range(len(SPECIAL))}
        self.words = [i for i in range(tokenizer.get_vocab_size()) if i not in taken]

    def draw(self, rng: random.Random, simple: bool) -> Encoded:
        """A repeated sequence, or an option list of random tokens and look-ups in it.

        A `simple` one is a list of four one-token options and one form of look-up.
        """
        result = Encoded()

        def add(ids: list[int], weight: float) -> None:
            result.ids += ids
            result.weights += [weight] * len(ids)

        if not simple and rng.random() < 0.2:
            sequence = rng.choices(self.words, k=rng.randint(8, 24))
            add(sequence + rng.choices(self.words, k=rng.randint(0, 6)) + sequence[:1], 0.0)
            add(sequence[1:], 1.0)
            return result
        count = 4 if simple else rng.choices((2, 3, 4, 5, 6), (3, 4, 5, 1, 1))[0]
        letters = self.letters[:count]
        if not simple and rng.random() < 0.4:
            letters = rng.sample(self.letters, count)
        sizes = (1,) if simple else (1, 1, 1, 2)
        options = [rng.choices(self.words, k=rng.choice(sizes)) for _ in letters]
        separator = self.separators[0] if simple else rng.choice(self.separators)
        line_end = self.line_ends[0] if simple else rng.choice(self.line_ends)
        ends = []
        for letter, option in zip(letters, options, strict=True):
            add([letter, *separator, *option], 0.0)
            ends.append(len(result.ids))
            add(line_end, 0.0)
        question = self.questions[0] if simple else rng.choice(self.questions)
        tail: list[int] = [] if simple or rng.random() < 0.6 else rng.choice(self.tails)
        for _ in range(rng.randint(4, 8)):
            place = rng.randrange(count)
            if not simple and rng.random() < 0.3:
                add([letters[place], *self.separators[0]], 0.0)
                add([*options[place], self.newline], 1.0)
            else:
                add([*question, *options[place], *tail], 0.0)
                result.guides.append((len(result.ids) - 1, ends[place]))
                add([letters[place]], 2.0)
                add([self.newline], 0.0)
        return result
