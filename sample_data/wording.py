"""How prompts are worded: the product's own formats to the letter, and variants of them."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cache

import jinja2

from engine.formats import PromptFormat, load_format

LETTERS = "ABCDEFGHIJ"
# Private-use characters that the encoder takes out again: where an option ends, around a question,
# before a letter that an example shows, and, before a label that is to be predicted, which option
# it stands for.
OPTION_END = "\ue000"
TARGET = 0xE100
QUESTION_START, QUESTION_END = "\ue001", "\ue002"
SHOWN = "\ue003"
MARKS = re.compile("[\ue000-\ue003\ue100-\ue10f]")

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
END = "<|im_end|>"
SYSTEM = (
    "You are a helpful assistant.",
    "You answer questions.",
    "You are a careful assistant.",
    "You are taking part in a survey.",
)

INSTRUCTIONS: dict[str, tuple[str, ...]] = {
    "low": (
        "",
        "",
        "Please answer the question.",
        "Choose the best option.",
        "Pick the correct answer from the options.",
        "Select one of the listed options.",
        "Read the question and choose one option.",
        "Which of the options is right?",
    ),
    "middle": (
        "Choose one option and only give a single letter.",
        "Select one of the options and only give its letter.",
        "Give a single letter only.",
        "Only give a single letter.",
        "Please pick one option and give only the letter.",
    ),
    "high": (
        "Start your answer with a single letter.",
        "Select one of the options and start your answer with a single letter.",
        "Begin your answer with the letter of the right option.",
        "Answer with the letter first.",
        "Answer with only the letter.",
        "Reply with only the letter of the correct option.",
    ),
    "example": (
        "Reply in the form of this example:\nAnswer: {letter}",
        "Use this form. Example:\nAnswer: {letter}",
        "For example, if the answer is {letter}, write:\nAnswer: {letter}",
        "Answer like this: Answer: {letter}",
    ),
}
EDITS = (
    ("Please read", "Read"),
    ("ONE of the listed options", "one of the options"),
    ("multiple-choice question", "question"),
    ("carefully ", ""),
    (" \nQuestion", "\nQuestion"),
    ("Question: ", ""),
    ("Question: ", "Q: "),
    ("\n\n", "\n"),
    ("\n\n", "\nOptions:\n"),
)
CUES = ("\nAnswer:", "\nYour answer:", "", "")
STYLES = (
    "{label}. {text} ",
    "{label}. {text} ",
    "{label}. {text}",
    "{label}. {text}",
    "{label}) {text}",
    "({label}) {text}",
    "{label}: {text}",
)


@dataclass(frozen=True)
class Prompt:
    """A worded prompt: its text with marks, and what each option is called in it."""

    text: str
    labels: tuple[str, ...]

    def label(self, place: int) -> str:
        """The label of the option at `place`, marked as something to predict."""
        return chr(TARGET + place) + self.labels[place]


@cache
def _format(name: str) -> PromptFormat:
    return load_format(name)


@cache
def _template(source: str) -> jinja2.Template:
    template: jinja2.Template = jinja2.Template(source, keep_trailing_newline=True)
    return template


def list_options(options: list[str], labels: tuple[str, ...], style: str) -> str:
    """The options, one a line, each with a mark where its text ends."""
    lines = []
    for label, option in zip(labels, options, strict=True):
        marked = style.format(label=label, text=option + OPTION_END)
        lines.append(marked)
    return "\n".join(lines)


def mark_question(question: str) -> str:
    """A question with marks around it."""
    return QUESTION_START + question + QUESTION_END


def mark_shown(letters: str) -> str:
    """The letters that an example shows, "C" or "A/B/C", with a mark before each and its slash."""
    return SHOWN + letters.replace("/", SHOWN + "/")


def letters(count: int) -> tuple[str, ...]:
    """The first `count` letters."""
    return tuple(LETTERS[:count])


def exact(level: str, question: str, options: list[str], example_letter: str = "C") -> Prompt:
    """The user turn of one of the product's chat formats, to the letter."""
    fmt = _format(level)
    labels = letters(len(options))
    text = _template(fmt.user).render(
        question=mark_question(question),
        options=list_options(options, labels, fmt.label_style),
        example_letter=example_letter,
    )
    return Prompt(text, labels)


def vary(
    rng: random.Random, level: str, question: str, options: list[str], example_letter: str
) -> Prompt:
    """A user turn of the same constraint level in other words or another layout."""
    labels = letters(len(options))
    if rng.random() < 0.5:
        text = exact(level, question, options, example_letter).text
        for old, new in rng.sample(EDITS, rng.randint(1, 3)):
            text = text.replace(old, new, 1)
        return Prompt(text.removesuffix("\nAnswer:") + rng.choice(CUES), labels)
    style = rng.choice(STYLES)
    if level == "low" and len(options) < 10 and rng.random() < 0.2:
        labels, style = tuple("123456789"[: len(options)]), "{label}. {text}"
    instruction = rng.choice(INSTRUCTIONS[level]).format(letter=example_letter)
    head = rng.choice(("", "Question: ", "Question: ", "Question:\n"))
    gap = rng.choice(("\n", "\n", "\n\n", "\nOptions:\n"))
    body = head + mark_question(question) + gap + list_options(options, labels, style)
    body += rng.choice(CUES)
    if not instruction:
        return Prompt(body, labels)
    joined = (instruction, body) if rng.random() < 0.65 else (body, instruction)
    return Prompt("\n".join(joined), labels)


def ask(
    rng: random.Random, level: str, question: str, options: list[str], example_letter: str
) -> Prompt:
    """A user turn of a constraint level: six in ten exactly the product's."""
    if rng.random() < 0.6:
        return exact(level, question, options, example_letter)
    return vary(rng, level, question, options, example_letter)


def chat(user: str, system: str | None = None) -> str:
    """A conversation up to the point where the model replies, by the chat template."""
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": user})
    return _template(CHAT_TEMPLATE).render(messages=messages, add_generation_prompt=True)


def maybe_system(rng: random.Random) -> str | None:
    """A system text now and then."""
    return rng.choice(SYSTEM) if rng.random() < 0.08 else None


def raw_header(subject: str) -> str:
    """The header of the raw-text format `mmlu-original`."""
    words = subject.replace("_", " ").split()
    return _template(_format("mmlu-original").header).render(subject_words=words)


def raw_question(question: str, options: list[str]) -> str:
    """One question of the raw-text format, up to where its answer goes."""
    fmt = _format("mmlu-original")
    listed = list_options(options, letters(len(options)), fmt.label_style)
    return _template(fmt.user).render(question=mark_question(question), options=listed)
