"""Worked examples: the questions kept for them, and which of them a question gets."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import cycle, groupby

import msgspec

from engine.formats import PromptFormat
from engine.questions import Question, find_split, load_questions, shots_for

_HELM_SEED = 0
_HARNESS_SEED = 42


class Examples(msgspec.Struct, frozen=True):
    """The questions that may be worked examples, and what decides who gets which.

    Attributes:
        dev: The dev split, in file order.
        validation: The validation split, in file order.
        subjects: The subjects of all questions of the source in their order, each with how many
            questions in a row have it; needed for ``per-question`` alone.
    """

    dev: tuple[Question, ...] = ()
    validation: tuple[Question, ...] = ()
    subjects: tuple[tuple[str, int], ...] = ()

    def choose(self, question: Question, index: int, fmt: PromptFormat) -> tuple[Question, ...]:
        """The worked examples of a question in a format: ``fmt.shots``, or as many as there are.

        They have a gold label and the question's subject and are never the question itself.

        ``first`` takes the first ones, as hendrycks/test does (evaluate.py at 4450500).
        ``shuffled`` takes HELM's (``sample_examples`` of its in-context adapter at cab5d89, trial
        0): answers with as many questions stand together, the commonest first, in an order
        shuffled among equals; round by round each gives one of its questions at random.
        ``per-question`` takes those of lm-evaluation-harness at e47e01b: one generator a subject
        shuffles the questions asked, then draws one example too many for each of them in turn;
        the question itself is taken out, then the last one.

        Args:
            question: In source order.
            index: Its place in the source, from 0.
            fmt: The format.
        """
        if not fmt.shots:
            return ()
        split = self._split(fmt)
        pool = [each for each in split if each.subject == question.subject and each.gold]
        if fmt.shot_choice == "first":
            return tuple(shots_for(question, pool)[: fmt.shots])
        if fmt.shot_choice == "shuffled":
            chosen = _balanced(pool, fmt.shots)
        else:
            chosen = [pool[at] for at in self._drawn(question.subject, index, len(pool), fmt.shots)]
        return tuple(shots_for(question, chosen)[: fmt.shots])

    def lacks(self, fmt: PromptFormat) -> bool:
        """Whether a format wants worked examples that can't be chosen from these questions."""
        found = self._split(fmt) and (fmt.shot_choice != "per-question" or self.subjects)
        return fmt.shots > 0 and not found

    def _split(self, fmt: PromptFormat) -> tuple[Question, ...]:
        return self.dev if fmt.shots_from == "dev" else self.validation

    def _drawn(self, subject: str, index: int, pool: int, shots: int) -> Sequence[int]:
        """Places in the pool of what is drawn for the question at a place of the source."""
        start = place = asked = 0
        for name, length in self.subjects:
            if name == subject:
                place += min(max(index - start, 0), length)
                asked += length
            start += length
        return _draws(asked, pool, shots)[place] if place < asked else ()


def find_examples(
    source: str, formats: Sequence[PromptFormat], questions: Sequence[Question] = ()
) -> Examples:
    """Find what some formats take their worked examples from; a split that none wants stays empty.

    Args:
        source: As for :func:`engine.questions.load_questions`.
        formats: The formats.
        questions: All questions of the source, where they are known.

    Raises:
        QuestionError: A split is there but can't be read.
    """
    wanted = {(fmt.shots_from, fmt.shot_choice) for fmt in formats if fmt.shots}
    splits = {split for split, _ in wanted}
    drawn = any(choice == "per-question" for _, choice in wanted)
    return Examples(
        dev=tuple(find_split(source, "dev")) if "dev" in splits else (),
        validation=tuple(find_split(source, "validation")) if "validation" in splits else (),
        subjects=_subjects(questions or load_questions(source)) if drawn else (),
    )


def _subjects(questions: Sequence[Question]) -> tuple[tuple[str, int], ...]:
    runs = groupby(question.subject for question in questions)
    return tuple((subject, len(list(run))) for subject, run in runs)


def _balanced(pool: Sequence[Question], shots: int) -> list[Question]:
    """HELM's choice: see :meth:`Examples.choose`."""
    generator = random.Random(_HELM_SEED)
    by_answer: dict[str, list[Question]] = defaultdict(list)
    for question in pool:
        by_answer[_answer(question)].append(question)
    answers: list[str] = []
    for size in sorted({len(each) for each in by_answer.values()}, reverse=True):
        equals = sorted(answer for answer, each in by_answer.items() if len(each) == size)
        generator.shuffle(equals)
        answers += equals
    chosen: list[Question] = []
    turns = cycle(answers)
    while len(chosen) < min(shots, len(pool)):
        left = by_answer[next(turns)]
        if left:
            chosen.append(left.pop(generator.randrange(len(left))))
    return chosen


def _answer(question: Question) -> str:
    return next(option.text for option in question.options if option.label == question.gold)


@lru_cache(maxsize=256)
def _draws(asked: int, pool: int, shots: int) -> list[list[int]]:
    """The old harness's draws from a subject's pool, one a question, in file order."""
    generator = random.Random(_HARNESS_SEED)
    turns = list(range(asked))
    generator.shuffle(turns)
    draws: list[list[int]] = [[] for _ in turns]
    for place in turns:
        draws[place] = generator.sample(range(pool), min(shots + 1, pool))
    return draws
