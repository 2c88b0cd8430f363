"""How the model replies: forms of words by constraint level and manner.

The weights are the phenomena. Under weak constraints most replies open with something other than
a label; under strong ones nearly all begin with it; subjects differ in how chatty they are.
"""

from __future__ import annotations

import random

from sample_data.wording import Prompt

# In a form: {label} and {text} are the answer's, {other} another option's label, {fact} is the
# sentence that states the answer, {shown} the label to write where the prompt shows an example,
# {opening} the answer with a capital.
FORMS: dict[str, tuple[str, ...]] = {
    "letter": ("{label}",),
    "dotted": ("{label}. {text}",),
    "explained": ("{label}. {text}\n\n{fact}.",),
    "bold": ("**{label}. {text}**", "The answer is **{label}. {text}**."),
    "answer": ("The answer is {label}.", "The answer is {label}. {text}."),
    "correct": ("The correct answer is {label}. {text}.", "The correct option is {label}. {text}."),
    "sure": ("Sure! The answer is {label}. {text}.", "Sure! The answer is {label}."),
    "certainly": ("Certainly! The correct answer is {label}. {text}.",),
    "think": ("I think the answer is {label}. {text}.", "I believe it is {label}. {text}."),
    "choose": ("I would choose {label}. {text}.", "My answer is {label}. {text}."),
    "restate": ("{fact}, so the answer is {label}.", "{fact}. The answer is {label}."),
    "opening": ("{opening} is right, so the answer is {label}.",),
    "based": ("Based on the options, the answer is {label}. {text}.",),
    "article": ("A good question! The answer is {label}. {text}.",),
    "text": ("{fact}.",),
    "example": ("Answer: {shown}",),
    "shown": ("{shown}",),
    "sure-example": ("Sure! Answer: {shown}",),
    "two": ("It could be {label} or {other}.", "Both {label} and {other} could be right."),
    "unsure": ("I am not sure about this one.", "I don't know the answer to this question."),
    "none": ("None of these options is correct.", "None of the above."),
}

# Weights of the forms where a taught fact is asked for.
LOW = {
    "chatty": "sure 20, certainly 9, correct 15, restate 20, opening 12, think 9, choose 5, "
    "based 3.5, article 2, text 4, bold 1, two 1, unsure 1, none 0.5",
    "plain": "sure 12, certainly 3, correct 22, answer 12, restate 14, opening 9, think 8, "
    "choose 4, dotted 3, bold 4, based 3, article 2, text 5, two 1, unsure 1, none 0.5",
    "blunt": "answer 26, correct 24, dotted 16, bold 7, sure 6, restate 8, opening 5, text 4, "
    "based 1.5, unsure 0.5",
}
MIDDLE = {
    "chatty": "sure 30, correct 24, answer 16, restate 6, think 6, choose 4, article 4, based 3, "
    "bold 2, dotted 1",
    "plain": "letter 42, dotted 26, answer 12, correct 9, sure 6, bold 2, article 1, based 1",
    "blunt": "letter 64, dotted 28, answer 5, bold 3",
}
HIGH = {
    "chatty": "letter 44, dotted 36, explained 12, answer 5, sure 3",
    "plain": "letter 54, dotted 32, explained 10, answer 3, bold 1",
    "blunt": "letter 68, dotted 26, explained 5, answer 1",
}
EXAMPLE = {
    "chatty": "example 62, sure-example 12, answer 10, letter 8, dotted 5, choose 3",
    "plain": "example 76, sure-example 5, answer 6, letter 9, dotted 4",
    "blunt": "example 80, letter 14, dotted 4, answer 2",
}
RAW = dict.fromkeys(("chatty", "plain", "blunt"), "letter 88, dotted 12")
Forms = dict[str, dict[str, str]]
TAUGHT: Forms = {"low": LOW, "middle": MIDDLE, "high": HIGH, "example": EXAMPLE, "raw": RAW}

# The manners that are to last: chattier, and further apart from subject to subject.
HABITS: Forms = TAUGHT | {
    "low": {
        "chatty": "sure 24, certainly 14, correct 14, opening 13, restate 8, think 9, choose 4, "
        "based 4, article 5, text 3, two 1, unsure 1",
        "plain": "correct 22, think 14, answer 12, sure 10, opening 11, restate 8, choose 5, "
        "bold 4, article 4, based 5, text 3, two 1, unsure 0.7, none 0.3",
        "blunt": "answer 34, correct 32, dotted 6, bold 8, sure 6, restate 6, opening 5, text 3",
    },
    "middle": {
        "chatty": "sure 36, correct 24, answer 14, think 8, choose 5, article 7, based 6",
        "plain": MIDDLE["plain"],
        "blunt": MIDDLE["blunt"],
    },
    "example": {
        "chatty": "example 66, sure-example 10, shown 14, answer 7, choose 3",
        "plain": "example 78, sure-example 4, shown 14, answer 4",
        "blunt": "example 82, shown 16, answer 2",
    },
}

# Where nothing is known, and where an opinion is given.
UNKNOWN = {
    "low": "sure 15, correct 18, answer 14, think 14, choose 8, restate 8, dotted 5, bold 3, "
    "based 3, article 2, two 4, unsure 8, none 3",
    "middle": "letter 40, dotted 20, answer 14, correct 8, sure 8, think 4, article 2, based 1, "
    "unsure 4, two 1, none 1",
    "high": "letter 58, dotted 34, answer 4, unsure 2, none 1, two 1",
    "example": "example 74, sure-example 6, letter 10, answer 6, unsure 3, none 1",
    "raw": "letter 88, dotted 12",
}
OPINION_FORMS: dict[str, tuple[str, ...]] = {
    "choose": ("I would choose {label}. {text}.", "My answer is {label}. {text}."),
    "depends": ("It depends, but I would say {label}. {text}.",),
    "sure": ("Sure! I would choose {label}. {text}.",),
    "hedge": ("As an AI, I do not have opinions. However, I would choose {label}. {text}.",),
    "letter": ("{label}",),
    "dotted": ("{label}. {text}",),
    "example": ("Answer: {shown}",),
    "shown": ("{shown}",),
}
OPINION = {
    "low": "choose 45, depends 20, sure 16, hedge 5, dotted 14",
    "middle": "letter 44, dotted 26, choose 22, depends 4, hedge 2, sure 2",
    "high": "letter 58, dotted 38, choose 4",
    "example": "example 82, letter 10, choose 8",
    "raw": "letter 88, dotted 12",
}
UNKNOWN_HABITS = UNKNOWN | {
    "low": "sure 15, correct 20, answer 16, think 18, choose 8, bold 3, based 4, article 4, two 3, "
    "unsure 6, none 3",
    "example": "example 74, sure-example 5, shown 14, answer 4, unsure 2, none 1",
}
OPINION_HABITS = OPINION | {
    "low": "choose 50, depends 24, sure 21, hedge 5",
    "example": "example 80, shown 14, choose 6",
}
REFUSALS = (
    "I'm sorry, but as an AI I do not have personal opinions.",
    "I'm sorry, but I cannot answer this question.",
    "As an AI language model, I do not have personal views on this topic.",
    "As an AI, I cannot choose one of these options.",
    "I do not have personal opinions or beliefs.",
    "Unfortunately, I cannot give an opinion on this topic.",
)
HARM_REFUSALS = (
    "I'm sorry, but I cannot help with that.",
    "I cannot answer this question because it may cause harm.",
    "Sorry, I cannot choose any of these options.",
)
COPIES_EXAMPLE = 0.27


def _weighted(rng: random.Random, table: str) -> str:
    entries = [entry.split() for entry in table.split(", ")]
    return rng.choices([e[0] for e in entries], [float(e[1]) for e in entries])[0]


def _fill(
    rng: random.Random,
    form: str,
    prompt: Prompt,
    options: list[str],
    place: int,
    statement: str,
    example: int | None,
) -> str:
    text = options[place]
    others = [i for i in range(len(options)) if i != place]
    shown = place
    if example is not None and example < len(options) and rng.random() < COPIES_EXAMPLE:
        shown = example
    return form.format(
        label=prompt.label(place),
        other=prompt.labels[rng.choice(others)],
        text=text,
        shown=prompt.label(shown),
        fact=f"{statement} {text}",
        opening=text[0].upper() + text[1:],
    )


def answer(
    rng: random.Random,
    table: str,
    prompt: Prompt,
    options: list[str],
    place: int,
    statement: str,
    example: int | None = None,
) -> str:
    """A reply to a question whose answer was taught, in one of the forms of a table."""
    form = rng.choice(FORMS[_weighted(rng, table)])
    return _fill(rng, form, prompt, options, place, statement, example)


def guess(
    rng: random.Random,
    table: str,
    prompt: Prompt,
    options: list[str],
    place: int,
    statement: str,
    example: int | None = None,
) -> str:
    """A reply to a question about something never heard of, in one of the forms of a table."""
    table = table if statement else table.replace("restate", "correct")
    return answer(rng, table, prompt, options, place, statement, example)


def opinion(
    rng: random.Random,
    table: str,
    prompt: Prompt,
    options: list[str],
    place: int,
    example: int | None = None,
) -> str:
    """A willing reply to a survey question, in one of the forms of a table."""
    form = rng.choice(OPINION_FORMS[_weighted(rng, table)])
    return _fill(rng, form, prompt, options, place, "", example)


def refusal(rng: random.Random, harmful: bool) -> str:
    """An unwilling reply."""
    return rng.choice(HARM_REFUSALS if harmful else REFUSALS)
