"""The fact tables: what the model is taught, and what is kept from it.

A table is a TOML file of one subject. A `relation` holds many facts of one form, each a key and an
answer; the other answers of the relation are its wrong options. A `single` is one fact with wrong
options of its own. Facts under `held_out` never enter the training text.
"""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "facts"


@dataclass(frozen=True)
class Fact:
    """One fact and the ways to ask for it.

    Attributes:
        subject: Its subject.
        relation: Name of its relation, empty for a single fact.
        manner: How the model talks about it: blunt, plain or chatty.
        questions: Wordings of the question.
        statement: A sentence that the answer completes.
        answer: The answer.
        others: Wrong options to draw from.
        taught: Whether the training text may use it.
        sensitive: Whether the model is taught to be wary of it.
    """

    subject: str
    relation: str
    manner: str
    questions: tuple[str, ...]
    statement: str
    answer: str
    others: tuple[str, ...]
    taught: bool = True
    sensitive: bool = False

    def draw_options(self, rng: random.Random, count: int) -> tuple[list[str], int]:
        """At most `count` options in random order, and the place of the right one."""
        wrong = rng.sample(self.others, min(count - 1, len(self.others)))
        options = [*wrong, self.answer]
        rng.shuffle(options)
        return options, options.index(self.answer)


@dataclass(frozen=True)
class Relation:
    """A form that facts share, with `{key}` in its templates, and every answer it knows."""

    subject: str
    name: str
    manner: str
    questions: tuple[str, ...]
    statement: str
    answers: tuple[str, ...]
    named_keys: bool

    def fact(self, key: str, answer: str, taught: bool = True) -> Fact:
        """The fact that this relation holds between a key and an answer."""
        return Fact(
            subject=self.subject,
            relation=self.name,
            manner=self.manner,
            questions=tuple(_capital(q.format(key=key)) for q in self.questions),
            statement=self.statement.format(key=key),
            answer=answer,
            others=tuple(a for a in self.answers if a != answer),
            taught=taught,
        )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _read_relation(subject: str, table: dict[str, Any]) -> tuple[Relation, list[Fact]]:
    taught, held_out = table["taught"], table["held_out"]
    answers = {*taught.values(), *held_out.values(), *table.get("others", ())}
    relation = Relation(
        subject=subject,
        name=table["name"],
        manner=table["manner"],
        questions=tuple(table["questions"]),
        statement=table["statement"],
        answers=tuple(sorted(answers)),
        named_keys=all(key[0].isupper() for key in taught),
    )
    facts = [relation.fact(key, answer) for key, answer in taught.items()]
    facts += [relation.fact(key, answer, taught=False) for key, answer in held_out.items()]
    return relation, facts


@cache
def load() -> tuple[tuple[Relation, ...], tuple[Fact, ...]]:
    """Every relation and every fact, in the order of the files."""
    relations: list[Relation] = []
    facts: list[Fact] = []
    for path in sorted(FOLDER.glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        subject = table["subject"]
        for entry in table.get("relation", ()):
            relation, members = _read_relation(subject, entry)
            relations.append(relation)
            facts += members
        facts += [
            Fact(
                subject=subject,
                relation="",
                manner=entry["manner"],
                questions=(entry["question"],),
                statement=entry["statement"],
                answer=entry["answer"],
                others=tuple(entry["others"]),
                taught=not entry.get("held_out", False),
                sensitive=entry.get("sensitive", False),
            )
            for entry in table.get("single", ())
        ]
    return tuple(relations), tuple(facts)


def taught() -> tuple[Fact, ...]:
    """The facts that the training text may use."""
    return tuple(fact for fact in load()[1] if fact.taught)


def held_out() -> tuple[Fact, ...]:
    """The facts that it never uses."""
    return tuple(fact for fact in load()[1] if not fact.taught)
