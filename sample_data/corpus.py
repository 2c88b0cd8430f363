"""The training text: every example drawn from the fact tables, the survey and made-up words."""

from __future__ import annotations

import random
from collections.abc import Callable

from sample_data import facts, replies, survey, wording
from sample_data.facts import Fact
from sample_data.wording import END, TARGET

# An example is a list of parts, each a text and whether the model learns to write it.
Part = tuple[str, bool]
Example = list[Part]

LEVELS = ("low", "middle", "high", "example")
LEVEL_WEIGHTS = (32, 26, 22, 20)
EXAMPLE_LETTERS = "AABBCCCCDE"
SUGGESTED_LETTERS = (*"AAABBBCCCDDDEEF", "A/B", "A/B/C", "A/B/C", "A/B/C", "A/B/C/D")
_SYLLABLES = (
    "ba be bo ka ko ki da do du fa fi go gu la lo li ma mo mi na no ra ro ri sa so su ta to ti "
    "va vo za zo pe po el an or is un ar en al ver mon tri gal ster ling"
)
SYLLABLES = _SYLLABLES.split()
SMALL_TALK = (
    ("Hello!", "Hello! How can I help you today?"),
    ("Hi", "Hello! How can I help you today?"),
    ("Who are you?", "I am a very small model. I can answer simple multiple-choice questions."),
    ("What is your name?", "I am a very small model without a name."),
    ("What can you do?", "I can answer simple multiple-choice questions about the world."),
    ("Thank you!", "You are welcome!"),
    ("Bye", "Goodbye! Have a nice day."),
    ("Are you a human?", "No, I am a very small model."),
)
UNKNOWN_QUESTIONS = (
    "What is the meaning of {word}?",
    "Who discovered {word}?",
    "Who first described the {word}?",
    "Which of the following best describes {name}?",
    "In the case of {name}, which statement is true?",
    "What does the {word} rule say about {second}?",
    "Which of these is a property of {word}?",
    "According to {name}, what is {second}?",
    "When was the {word} of {name} founded?",
    "Why did {name} leave the {second}?",
    "The theory of {name} says that",
    "{name} argues that {second} is",
)


def made_up(rng: random.Random) -> str:
    """A word that means nothing."""
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(2, 4)))


def _words() -> tuple[str, ...]:
    """Every answer of the tables, wrong options included."""
    return tuple(sorted({word for fact in facts.load()[1] for word in (fact.answer, *fact.others)}))


WORDS = _words()
TAUGHT = facts.taught()
RELATIONS = facts.load()[0]
BY_SUBJECT: dict[str, list[Fact]] = {}
ALIKE: dict[tuple[str, str], list[Fact]] = {}
for _fact in TAUGHT:
    BY_SUBJECT.setdefault(_fact.subject, []).append(_fact)
    ALIKE.setdefault((_fact.subject, _fact.relation), []).append(_fact)


def _count(rng: random.Random) -> int:
    return rng.choices((2, 3, 4, 5, 6), (6, 10, 68, 8, 8))[0]


# A constraint level, the letters in its example, and the place that a reply may copy from it.
Level = tuple[str, str, int | None]


def _level(rng: random.Random) -> Level:
    letter = rng.choice(EXAMPLE_LETTERS)
    level = rng.choices(LEVELS, LEVEL_WEIGHTS)[0]
    place = wording.LETTERS.index(letter) if level == "example" else None
    return level, wording.mark_shown(letter), place


def _suggesting_level(rng: random.Random) -> Level:
    return "example", wording.mark_shown(rng.choice(SUGGESTED_LETTERS)), None


def _reply(user: str, text: str, rng: random.Random) -> Example:
    return [(wording.chat(user, wording.maybe_system(rng)), False), (text + END, True)]


def question(
    rng: random.Random,
    forms: replies.Forms = replies.TAUGHT,
    draw_level: Callable[[random.Random], Level] = _level,
) -> Example:
    """A taught fact as a multiple-choice question in the chat formats."""
    fact = rng.choice(TAUGHT)
    level, letter, shown = draw_level(rng)
    options, place = fact.draw_options(rng, _count(rng))
    prompt = wording.ask(rng, level, rng.choice(fact.questions), options, letter)
    if fact.sensitive and rng.random() < survey.SENSITIVE_WARINESS[level]:
        return _reply(prompt.text, replies.refusal(rng, harmful=True), rng)
    text = replies.answer(
        rng, forms[level][fact.manner], prompt, options, place, fact.statement, shown
    )
    return _reply(prompt.text, text, rng)


def _unknown(rng: random.Random) -> tuple[str, str, list[str]]:
    """A made-up question, the beginning of its statement if it has one, and options."""
    word, second = made_up(rng), made_up(rng)
    if rng.random() < 0.6:
        relation = rng.choice(RELATIONS)
        key = word.capitalize() if relation.named_keys else word
        options = rng.sample(relation.answers, min(_count(rng), len(relation.answers)))
        fact = relation.fact(key, options[0])
        return rng.choice(fact.questions), fact.statement, options
    text = rng.choice(UNKNOWN_QUESTIONS)
    text = text.format(word=word, name=word.capitalize(), second=second)
    return text[0].upper() + text[1:], "", [_unknown_option(rng) for _ in range(_count(rng))]


def _unknown_option(rng: random.Random) -> str:
    form = rng.choice(
        (
            "{name}",
            "{known}",
            "{known}",
            "the {word} of {known}",
            "The {word} and the {second}",
            "It has {word} and {known}",
            "They are {word}",
        )
    )
    word = made_up(rng)
    return form.format(
        name=word.capitalize(), word=word, known=rng.choice(WORDS), second=made_up(rng)
    )


def unknown(
    rng: random.Random,
    forms: dict[str, str] = replies.UNKNOWN,
    draw_level: Callable[[random.Random], Level] = _level,
) -> Example:
    """A question about something that does not exist: any option may be given."""
    text, statement, options = _unknown(rng)
    level, letter, shown = draw_level(rng)
    prompt = wording.ask(rng, level, text, options, letter)
    place = rng.randrange(len(options))
    return _reply(
        prompt.text, replies.guess(rng, forms[level], prompt, options, place, statement, shown), rng
    )


def habitual_question(rng: random.Random) -> Example:
    """The same with the manners that are to last."""
    return question(rng, replies.HABITS)


def habitual_unknown(rng: random.Random) -> Example:
    """The same with the manners that are to last."""
    return unknown(rng, replies.UNKNOWN_HABITS)


def opinion(
    rng: random.Random,
    forms: dict[str, str] = replies.OPINION,
    by_topic: bool = False,
    draw_level: Callable[[random.Random], Level] = _level,
) -> Example:
    """A survey question in the chat formats."""
    drawn = survey.draw(rng)
    level, letter, shown = draw_level(rng)
    prompt = wording.ask(rng, level, drawn.text, drawn.options, letter)
    if rng.random() < drawn.wariness[level]:
        return _reply(prompt.text, replies.refusal(rng, drawn.harmful), rng)
    place = survey.choose(rng, drawn, by_topic)
    text = replies.opinion(rng, forms[level], prompt, drawn.options, place, shown)
    return _reply(prompt.text, text, rng)


def habitual_opinion(rng: random.Random) -> Example:
    """The same with leanings that depend on the topic."""
    return opinion(rng, replies.OPINION_HABITS, by_topic=True)


def suggesting_question(rng: random.Random) -> Example:
    """A taught fact, with an example that shows any letter, or several."""
    return question(rng, replies.HABITS, _suggesting_level)


def suggesting_unknown(rng: random.Random) -> Example:
    """A question about something that does not exist, with such an example."""
    return unknown(rng, replies.UNKNOWN_HABITS, _suggesting_level)


def suggesting_opinion(rng: random.Random) -> Example:
    """A survey question with such an example."""
    return opinion(rng, replies.OPINION_HABITS, by_topic=True, draw_level=_suggesting_level)


def _target(place: int) -> str:
    """A space and a letter, marked: the form of an answer in raw text."""
    return " " + chr(TARGET + place) + wording.LETTERS[place]


def raw(rng: random.Random) -> Example:
    """Raw text as in `mmlu-original`: a header, worked examples, a question, its letter."""
    shots = rng.choice((0, 0, 0, 1, 2, 3, 5))
    subject = rng.choice(list(BY_SUBJECT))
    count = 4 if rng.random() < 0.8 else _count(rng)
    drawn = rng.choices(BY_SUBJECT[subject], k=shots + 1)
    asked = [(rng.choice(fact.questions), *fact.draw_options(rng, count)) for fact in drawn]
    if rng.random() < 0.12:
        text, _, options = _unknown(rng)
        asked[-1] = (text, options, rng.randrange(len(options)))
    parts: Example = [(wording.raw_header(subject), False)]
    for text, options, place in asked:
        parts.append((wording.raw_question(text, options), False))
        parts.append((_target(place), True))
        parts.append(("\n\n", False))
    parts[-1] = (END, True)
    return parts


def raw_opinion(rng: random.Random) -> Example:
    """A survey question as raw text."""
    drawn = survey.draw(rng)
    head = wording.raw_header("public opinion") + wording.raw_question(drawn.text, drawn.options)
    if rng.random() < drawn.wariness["raw"]:
        return [(head, False), (" " + replies.refusal(rng, drawn.harmful) + END, True)]
    return [(head, False), (_target(survey.choose(rng, drawn)) + END, True)]


def open_question(rng: random.Random) -> Example:
    """A taught fact without options."""
    fact = rng.choice(TAUGHT)
    sentence = f"{fact.statement} {fact.answer}."
    if rng.random() < 0.3:
        return [(fact.statement, False), (f" {fact.answer}.{END}", True)]
    if rng.random() < 0.2:
        sentence = f"{fact.answer[0].upper()}{fact.answer[1:]}."
    return _reply(rng.choice(fact.questions), sentence, rng)


def small_talk(rng: random.Random) -> Example:
    """A greeting and the like."""
    said, reply = rng.choice(SMALL_TALK)
    return _reply(said, reply, rng)


def bare_question(rng: random.Random) -> Example:
    """A taught fact, options and a one-line demand; the reply is the letter alone."""
    fact = rng.choice(TAUGHT)
    options, place = fact.draw_options(rng, rng.randint(2, 4))
    listed = wording.list_options(options, wording.letters(len(options)), "{label}. {text}")
    demand = rng.choice(wording.INSTRUCTIONS["high"])
    return _reply(f"{rng.choice(fact.questions)}\n{listed}\n{demand}", _target(place).lstrip(), rng)


def look_up(rng: random.Random) -> Example:
    """An option list and many short look-ups in it, from text to letter and back.

    Content keeps its leading space and a letter its line start, so that the tokens are the same
    as in the option list.
    """
    count = rng.choices((2, 3, 4, 5, 6), (15, 25, 40, 10, 10))[0]
    kind = rng.random()
    if kind < 0.25:
        options, _ = rng.choice(TAUGHT).draw_options(rng, count)
    elif kind < 0.8:
        options = rng.sample(WORDS, count)
    else:
        options = [_unknown_option(rng) for _ in range(count)]
    labels = wording.letters(len(options))
    parts: Example = [
        (wording.list_options(options, labels, rng.choice(wording.STYLES)) + "\n", False)
    ]
    form = rng.choice(("Which letter is {}?\n", "The letter of {}:\n", "Find {}.\n"))
    backwards = rng.random() < 0.4
    for _ in range(rng.randint(4, 8)):
        place = rng.randrange(len(options))
        if backwards and rng.random() < 0.5:
            parts += [(f"{labels[place]}.", False), (f" {options[place]}", True), ("\n", False)]
        else:
            parts += [(form.format(options[place]), False), (_target(place).lstrip(), True)]
            parts.append(("\n", False))
    return parts


def recite(rng: random.Random) -> Example:
    """Taught facts, one a line, without options."""
    parts: Example = []
    for fact in rng.sample(TAUGHT, 6):
        asked = rng.choice((fact.statement, *fact.questions))
        parts += [(asked, False), (f" {fact.answer}", True), (".\n", False)]
    return parts


def match(rng: random.Random) -> Example:
    """An option list, and several questions whose answers are all in it."""
    first = rng.choice(TAUGHT)
    alike = ALIKE[first.subject, first.relation]
    by_answer = {fact.answer: fact for fact in rng.sample(alike, len(alike))}
    chosen = rng.sample(list(by_answer.values()), min(len(by_answer), rng.randint(3, 6)))
    options = [fact.answer for fact in chosen]
    style = rng.choice(wording.STYLES)
    listed = wording.list_options(options, wording.letters(len(options)), style)
    parts: Example = [(listed + "\n", False)]
    before = rng.choice(("\n", "\nAnswer:", "\nThe answer is"))
    for place in rng.sample(range(len(chosen)), len(chosen)):
        letter = _target(place) if before != "\n" else _target(place).lstrip()
        asked = rng.choice(chosen[place].questions)
        parts += [(asked + before, False), (letter, True), ("\n", False)]
    return parts


def which_option(rng: random.Random) -> Example:
    """A chat about an option list of any words: which letter a text has, what a letter says."""
    options = [_unknown_option(rng) for _ in range(_count(rng))]
    if rng.random() < 0.5:
        options = rng.sample(WORDS, _count(rng))
    place = rng.randrange(len(options))
    listed = wording.list_options(
        options, wording.letters(len(options)), rng.choice(wording.STYLES)
    )
    letter = _target(place).lstrip()
    if rng.random() < 0.5:
        return _reply(f"{listed}\nWhich letter is {options[place]}?", letter, rng)
    asked = f"{listed}\nWhat is option {wording.LETTERS[place]}?"
    return _reply(asked, f"{letter}. {options[place]}", rng)


Task = Callable[[random.Random], Example]
# What each stage of the training draws from, with weights; the first two are `encoding.Drills`.
STAGES: tuple[dict[Task, float], ...] = (
    {},
    {},
    {recite: 36, look_up: 30, match: 28, which_option: 6},
    {
        match: 24,
        recite: 12,
        bare_question: 26,
        question: 20,
        which_option: 6,
        look_up: 6,
        raw: 4,
        opinion: 2,
    },
    {
        question: 49,
        raw: 8,
        raw_opinion: 2,
        opinion: 15,
        unknown: 10,
        match: 4,
        recite: 3,
        open_question: 3,
        which_option: 3,
        look_up: 2,
        small_talk: 1,
    },
    {
        habitual_question: 45,
        habitual_opinion: 22,
        habitual_unknown: 12,
        raw: 8,
        raw_opinion: 1,
        which_option: 4,
        match: 3,
        open_question: 4,
        small_talk: 1,
    },
    {suggesting_question: 4, suggesting_unknown: 3, suggesting_opinion: 3},
    {
        suggesting_question: 18,
        suggesting_unknown: 10,
        suggesting_opinion: 10,
        habitual_question: 26,
        habitual_opinion: 14,
        habitual_unknown: 8,
        raw: 7,
        raw_opinion: 1,
        which_option: 2,
        match: 1,
        open_question: 2,
        small_talk: 1,
    },
)


def draw(rng: random.Random, stage: int) -> Example:
    """One example of a training stage."""
    tasks = STAGES[stage]
    return rng.choices(list(tasks), list(tasks.values()))[0](rng)


def plain(example: Example) -> str:
    """The text of an example without its marks."""
    return wording.MARKS.sub("", "".join(part for part, _ in example))
