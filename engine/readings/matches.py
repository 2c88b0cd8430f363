"""Readings that want the greedy text to be an option and nothing else."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence

from engine.questions import Question
from engine.readings.reading import Reading, ReadingName
from engine.records import Generation

_LINE_END = re.compile(r"\n|</s>")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def read_matches(question: Question, text: Generation) -> Iterator[Reading]:
    """What the first line of the greedy text is, as a whole: exactly, and nearly.

    The line is what stands before the first line break, as with HELM's stop sequence.
    ``exact_match``: stripped of blanks it is an
    option's label or text. ``quasi_exact_match``: it is a label once punctuation is stripped too,
    or an option's text once both are lower case without punctuation, articles (a, an, the) and
    repeated blanks. Articles are never taken from labels: that would delete the "A". Options with
    the same text are ``several``. ``label_match``, as ``mmlu_generative`` in lm-evaluation-harness
    at 4e7e0d4 has it: the line, which there ends at ``</s>`` too, is a label once it is stripped
    of blanks, and both are lower case and without punctuation; an option's text is no answer.

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
    yield _label_match(question.labels, _LINE_END.split(text.text, maxsplit=1)[0].strip())


def quasi(text: str) -> str:
    """A text as HELM's quasi-exact match compares it."""
    bare = _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION))
    return " ".join(bare.split())


def _label_match(labels: Sequence[str], line: str) -> Reading:
    bare = [text.lower().translate(_PUNCTUATION) for text in (line, *labels)]
    named = [label for label, same in zip(labels, bare[1:], strict=True) if same == bare[0]]
    if len(named) != 1:
        return Reading("label_match", "unparsed", rule="no match")
    return Reading("label_match", "option", label=named[0], rule="label")


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
