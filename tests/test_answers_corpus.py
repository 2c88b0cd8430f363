"""The answer ladder on replies as model families write them, in English and six more languages.

``replies/*.jsonl`` were written and labelled by hand, not with the help of the ladder. They hold
questions (``name``, ``options``) and replies (``kind``, ``of`` which question, what it ``says``,
whether it is ``hedged`` and whether a token limit ``cut`` it).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.answers import Answer, read_answer

REPLIES = Path(__file__).parent / "replies"
PLACES = {
    word: place
    for words in (
        "1 2 3 4 5",
        "first second third fourth fifth",
        "1st 2nd 3rd 4th 5th",
        "one two three four five",
        "一 二 三 四 五",
        "첫 두 세 네 다섯",
        "erste zweite dritte vierte fünfte",
        "première deuxième troisième quatrième cinquième",
        "primera segunda tercera cuarta quinta",
    )
    for place, word in enumerate(words.split())
} | dict.fromkeys(("last", "letzte", "dernière", "última"), -1)


def corpus() -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
    for path in sorted(REPLIES.glob("*.jsonl")):
        options: dict[str, dict[str, str]] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if "options" in row:
                options[row["name"]] = row["options"]
            else:
                yield options[row["of"]], row


CORPUS = list(corpus())


def read(options: dict[str, str], row: dict[str, Any]) -> Answer:
    return read_answer(row["reply"], options, finished=not row.get("cut", False))


@pytest.mark.parametrize(("options", "row"), CORPUS)
def test_reply(options: dict[str, str], row: dict[str, Any]) -> None:
    answer = read(options, row)
    said = " ".join(filter(None, (answer.status, answer.label, *answer.labels)))
    assert said == row["says"], answer
    if answer.status == "option":
        assert answer.hedged == row.get("hedged", False), answer


@pytest.mark.parametrize(("options", "row"), CORPUS)
def test_place_is_what_names_the_option(options: dict[str, str], row: dict[str, Any]) -> None:
    answer = read(options, row)
    assert (answer.place is not None) == (answer.status == "option")
    if answer.place is None:
        return
    assert answer.span is not None
    assert answer.label is not None
    assert answer.span[0] <= answer.place[0] < answer.place[1] <= answer.span[1]
    named = unicodedata.normalize("NFKC", row["reply"][slice(*answer.place)]).casefold()
    order = list(options)
    is_place = named in PLACES and order[PLACES[named]] == answer.label
    text = "".join(re.findall(r"\w+", options[answer.label].casefold()))
    is_text = text.startswith("".join(re.findall(r"\w+", named.removeprefix("frac"))))
    assert named == answer.label.casefold() or is_place or is_text, named


def test_the_corpus_is_varied() -> None:
    kinds = Counter(row["kind"] for _, row in CORPUS)
    statuses = Counter(row["says"].split()[0] for _, row in CORPUS)
    assert len(CORPUS) >= 350
    assert len(kinds) >= 20
    assert set(statuses) == {
        *("option", "several", "none_of_these", "refusal", "dont_know", "truncated", "unparsed")
    }
