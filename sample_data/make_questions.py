"""Writes the knowledge questions from the fact tables.

Run with ``python -m sample_data.make_questions``. The survey questions are written by hand.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

from sample_data import facts
from sample_data.facts import Fact
from sample_data.wording import letters

FOLDER = Path(__file__).parent / "questions"
TAUGHT, HELD_OUT, SHOTS = 12, 6, 5  # questions a subject
COUNTS = (4,) * 12 + (3, 5, 6, 2)


def _line(rng: random.Random, fact: Fact, count: int, gold: int) -> dict[str, object]:
    """A question about a fact, with at most `count` options and the right one at `gold`."""
    options, place = fact.draw_options(rng, count)
    gold %= len(options)
    options[place], options[gold] = options[gold], options[place]
    return {
        "text": rng.choice(fact.questions),
        "options": dict(zip(letters(len(options)), options, strict=True)),
        "gold": letters(len(options))[gold],
        "subject": fact.subject,
        "dataset": "logitscope-knowledge",
        "taught": fact.taught,
    }


def _lines(
    rng: random.Random, chosen: list[Fact], counts: tuple[int, ...]
) -> list[dict[str, object]]:
    """Questions about facts in random order, their right options spread over the letters."""
    rng.shuffle(chosen)
    golds = [number % 4 for number in range(len(chosen))]
    rng.shuffle(golds)
    return [
        _line(rng, fact, counts[number % len(counts)], golds[number])
        for number, fact in enumerate(chosen)
    ]


def build(seed: int = 0) -> dict[str, list[dict[str, object]]]:
    """The lines of ``knowledge.jsonl`` and of its worked examples, ``knowledge_dev.jsonl``."""
    rng = random.Random(seed)
    asked: list[Fact] = []
    shown: list[Fact] = []
    for subject in sorted({fact.subject for fact in facts.taught()}):
        taught = [fact for fact in facts.taught() if fact.subject == subject]
        held_out = [fact for fact in facts.held_out() if fact.subject == subject]
        taught = rng.sample(taught, min(SHOTS + TAUGHT, len(taught)))
        shown += taught[:SHOTS]
        asked += taught[SHOTS:] + rng.sample(held_out, HELD_OUT)
    return {
        "knowledge.jsonl": _lines(rng, asked, COUNTS),
        "knowledge_dev.jsonl": _lines(rng, shown, (4,)),
    }


def main() -> None:
    """Writes both files."""
    for name, lines in build().items():
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"{name}: {len(lines)} questions")


if __name__ == "__main__":
    main()
