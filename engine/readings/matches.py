"""Readings that want the greedy text to be an option and nothing else."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence

from engine.questions import Question
from engine.readings.reading import Reading, ReadingName
from engine.records import Generation

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def read_matches(question: Question, text: Generation) -> Iterator[Reading]:
    """What the first line of the greedy text is, as a whole: exactly, and nearly.

    The line is what stands before the first line break, as with the stop sequence of HELM and of
    ``mmlu_generative`` in lm-evaluation-harness. ``exact_match``: stripped of blanks it is an
    option's label or text. ``quasi_exact_match``: it is a label once punctuation is stripped too,
    or an option's text once both are lower case without punctuation, articles (a, an, the) and
    repeated blanks. Articles are never taken from labels: that would delete the "A". Options with
    the same text are ``several``.

    Args:
        question: In the order shown.
        text: The greedy text.
    """
    line = text.text.partition("\n")[0].strip()
    texts = [option.text for option in question.options]
    yield _match("exact_match", question.labels, line, [t.strip() for t in texts], line)
    yield _match(
        "quasi_exact_match",
        question.labels,
        line.strip(string.punctuation + string.whitespace),
        [quasi(t) for t in texts],
        quasi(line),
    )


def quasi(text: str) -> str:
    """A text as HELM's quasi-exact match compares it."""
    bare = _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION))
    return " ".join(bare.split())


def _match(
    name: ReadingName, labels: Sequence[str], label: str, texts: Sequence[str], text: str
) -> Reading:
    if label in labels:
        return Reading(name, "option", label=label, rule="label")
    found = tuple(known for known, option in zip(labels, texts, strict=True) if option == text)
    if not found or not text:
        return Reading(name, "unparsed", rule="no match")
    if len(found) > 1:
        return Reading(name, "several", labels=found, rule="same text")
    return Reading(name, "option", label=found[0], rule="text")
