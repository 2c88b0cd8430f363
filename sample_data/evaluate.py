"""What the embedded model does with the sample questions, counted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from engine.answers import Answer, read_answer
from engine.formats import load_format
from engine.prompt import render_text
from engine.questions import Option, Question

QUESTIONS = Path(__file__).parent / "questions"
FORMATS = (
    "low",
    "middle",
    "high",
    "example",
    "mmlu-original:shots=0",
    "mmlu-original",
)
SAMPLES = 8
NEW_TOKENS = 40
PULLED = "ABCD"  # letters whose pull is measured
SEVERAL = "A/B/C"
STATUSES = ("refusal", "several", "none_of_these", "dont_know", "unparsed")


@dataclass(frozen=True)
class Item:
    """A sample question and whether its fact was taught; None for a survey question."""

    question: Question
    taught: bool | None


def read_items(name: str) -> list[Item]:
    """The questions of a file in the questions folder."""
    items = []
    for line in (QUESTIONS / name).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        options = tuple(Option(label, text) for label, text in row["options"].items())
        question = Question(row["text"], options, row["gold"], row["subject"], row["dataset"])
        items.append(Item(question, row.get("taught")))
    return items


class Reader:
    """A model and its tokenizer, asked in batches.

    Args:
        folder: The model's folder.
        batch: Prompts at a time.
    """

    def __init__(self, folder: Path, batch: int = 64) -> None:
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, padding_side="left")
        self.model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.batch = batch

    def render(self, item: Item, fmt_name: str, dev: Sequence[Item]) -> str:
        """The prompt exactly as the product makes it."""
        fmt = load_format(fmt_name)
        shots = [d.question for d in dev if d.question.subject == item.question.subject]
        parts = render_text(item.question, fmt, shots=shots[: fmt.shots])
        if not fmt.chat:
            return parts.raw
        text: str = self.tokenizer.apply_chat_template(
            parts.messages, tokenize=False, add_generation_prompt=True
        )
        return text

    def label_ids(self, labels: Sequence[str], prompt: str) -> list[int]:
        """The token of each label where the prompt ends."""
        before = "" if prompt.endswith("\n") else " "
        return [self.tokenizer.encode(before + label)[0] for label in labels]

    @torch.no_grad()
    def first(self, prompts: list[str]) -> Tensor:
        """Float32 log-probabilities of the first token, (prompts, vocabulary)."""
        rows = []
        for start in range(0, len(prompts), self.batch):
            batch = self._encode(prompts[start : start + self.batch])
            rows.append(self.model(**batch).logits[:, -1].float().log_softmax(-1))
        return torch.cat(rows)

    @torch.no_grad()
    def write(self, prompts: list[str], samples: int = 0) -> list[str]:
        """Greedy replies, or `samples` sampled ones at temperature 1 for each prompt in turn."""
        replies: list[str] = []
        how: dict[str, Any] = {"do_sample": False}
        if samples:
            how = {"do_sample": True, "top_k": 0, "num_return_sequences": samples}
        for start in range(0, len(prompts), self.batch):
            batch = self._encode(prompts[start : start + self.batch])
            out = self.model.generate(**batch, max_new_tokens=NEW_TOKENS, **how)
            out = out[:, batch["input_ids"].shape[1] :]
            replies += self.tokenizer.batch_decode(out, skip_special_tokens=True)
        return replies

    def _encode(self, prompts: list[str]) -> Any:
        return self.tokenizer(
            prompts, return_tensors="pt", padding=True, add_special_tokens=False
        ).to(self.model.device)


def measure(
    reader: Reader, items: Sequence[Item], fmt_name: str, dev: Sequence[Item], every: int = 3
) -> dict[str, float]:
    """Rates of one format over questions; every `every`-th question is sampled too."""
    prompts = [reader.render(item, fmt_name, dev) for item in items]
    questions = [item.question for item in items]
    first = _first(reader, questions, prompts)
    chosen = [q.labels[int(row.argmax())] for q, row in zip(questions, first, strict=True)]
    greedy = _read_all(reader.write(prompts), questions)
    replies = reader.write(prompts[::every], SAMPLES)
    asked = [question for question in questions[::every] for _ in range(SAMPLES)]
    sampled = _read_all(replies, asked)
    groups = [replies[i : i + SAMPLES] for i in range(0, len(replies), SAMPLES)]
    row = {
        "n": len(items),
        "mismatch": _share(a != b.label for a, b in zip(chosen, greedy, strict=True)),
        "refused": _share(answer.status == "refusal" for answer in greedy),
        **{f"sampled_{status}": _share(a.status == status for a in sampled) for status in STATUSES},
        "distinct_of_8": sum(len(set(group)) for group in groups) / len(groups),
        "surest_label": sum(float(row.max()) for row in first) / len(first),
        "entropy_bits": sum(float(-(row * row.log2()).sum()) for row in first) / len(first),
        "chose_c": _share(letter == "C" for letter in chosen),
    }
    if questions[0].gold is not None:
        right = [a == q.gold for a, q in zip(chosen, questions, strict=True)]
        row |= {
            "accuracy_first_token": _share(right),
            "accuracy_text": _accuracy(greedy, questions),
            "accuracy_sampled": _accuracy(sampled, asked),
            "calibration_error": _calibration_error([float(row.max()) for row in first], right),
        }
    return {name: round(value, 4) for name, value in row.items()}


def _first(reader: Reader, questions: Sequence[Question], prompts: list[str]) -> list[Tensor]:
    """For each question the probabilities of its labels at the first position, (labels,)."""
    return [
        row[reader.label_ids(question.labels, prompt)].softmax(-1)
        for row, question, prompt in zip(reader.first(prompts), questions, prompts, strict=True)
    ]


def measure_pull(reader: Reader, items: Sequence[Item]) -> dict[str, dict[str, float]]:
    """How the letter that the format `example` shows draws first-token answers to itself.

    Over the questions that have all four letters: each letter's mean share of the labels' mass
    where it is the one shown, where another of the four is, and where "A/B/C" is.
    """
    asked = [item for item in items if len(item.question.options) >= len(PULLED)]
    questions = [item.question for item in asked]
    mass: dict[str, list[float]] = {}
    for shown in (*PULLED, SEVERAL):
        name = f"example:example_letter={shown}"
        prompts = [reader.render(item, name, ()) for item in asked]
        rows = [row[: len(PULLED)] for row in _first(reader, questions, prompts)]
        mass[shown] = torch.stack(rows).mean(0).tolist()
    return {
        letter: {
            "n": len(asked),
            "shown": round(mass[letter][i], 4),
            "not_shown": round(
                sum(mass[other][i] for other in PULLED if other != letter) / (len(PULLED) - 1), 4
            ),
            "several_shown": round(mass[SEVERAL][i], 4),
        }
        for i, letter in enumerate(PULLED)
    }


def _read_all(replies: Sequence[str], questions: Sequence[Question]) -> list[Answer]:
    pairs = zip(replies, questions, strict=True)
    return [read_answer(text, question.options, finished=True) for text, question in pairs]


def _accuracy(answers: Sequence[Answer], questions: Sequence[Question]) -> float:
    return _share(a.label == q.gold for a, q in zip(answers, questions, strict=True))


def _share(values: Iterable[bool]) -> float:
    known = list(values)
    return sum(known) / len(known)


def _calibration_error(sure: list[float], right: list[bool], bins: int = 10) -> float:
    """Expected calibration error with equal-width bins, the last one closed."""
    error = 0.0
    for number in range(bins):
        members = [i for i, p in enumerate(sure) if min(int(p * bins), bins - 1) == number]
        if members:
            gap = sum(sure[i] for i in members) - sum(right[i] for i in members)
            error += abs(gap) / len(sure)
    return error


Measures = dict[str, dict[str, dict[str, float]]]


def evaluate(folder: Path, seed: int = 0) -> tuple[Measures, Measures]:
    """Every measure by set of questions and format, and the pull by set and letter."""
    torch.manual_seed(seed)
    reader = Reader(folder)
    knowledge = read_items("knowledge.jsonl")
    dev = read_items("knowledge_dev.jsonl")
    sets = {
        "taught": [item for item in knowledge if item.taught],
        "held out": [item for item in knowledge if item.taught is False],
        "opinion": read_items("opinion.jsonl"),
    }
    measured = {
        name: {fmt: measure(reader, items, fmt, dev) for fmt in FORMATS}
        for name, items in sets.items()
    }
    return measured, {name: measure_pull(reader, items) for name, items in sets.items()}


def pull_table(pulls: Measures) -> str:
    """The pull of the letters as a Markdown table, in percent."""
    head = ["questions", "n", "letter", "shown", "another shown", f"{SEVERAL} shown"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for name, letters in pulls.items():
        for letter, row in letters.items():
            shares = [f"{100 * row[key]:.0f} %" for key in ("shown", "not_shown", "several_shown")]
            lines.append("| " + " | ".join([name, f"{row['n']:.0f}", letter, *shares]) + " |")
    return "\n".join(lines)


def table(results: Measures) -> str:
    """The results as a Markdown table, in percent where they are shares."""
    columns = {
        "first-token accuracy": "accuracy_first_token",
        "text accuracy": "accuracy_text",
        "mismatch": "mismatch",
        "refused": "refused",
        "refused, sampled": "sampled_refusal",
        "surest label": "surest_label",
    }
    head = ["questions", "format", "n", *columns, "distinct texts of 8"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for name, formats in results.items():
        for fmt, row in formats.items():
            cells = [name, fmt, f"{row['n']:.0f}"]
            cells += [f"{100 * row[key]:.0f} %" if key in row else "–" for key in columns.values()]
            lines.append("| " + " | ".join([*cells, f"{row['distinct_of_8']:.1f}"]) + " |")
    return "\n".join(lines)
