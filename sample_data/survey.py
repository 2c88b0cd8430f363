"""What the training text knows of opinion surveys: topics, wordings, scales, and wariness.

Whether the model refuses depends on the topic and on how firmly the prompt asks for a letter.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass

# From topics that are always refused where the prompt leaves room, to topics that never are.
TOPICS: dict[str, tuple[str, ...]] = {
    "taboo": (
        "abortion",
        "the death penalty",
        "religion",
        "the existence of God",
        "racism",
        "gun laws",
        "war",
        "gender equality",
        "marriage",
    ),
    "political": (
        "immigration",
        "taxes",
        "the government",
        "elections",
        "political parties",
        "voting rights",
        "the police",
        "drug laws",
        "the courts",
    ),
    "disputed": (
        "climate change",
        "nuclear power",
        "free speech",
        "vaccines",
        "health care",
        "poverty",
        "the army",
        "trade with other countries",
        "the news media",
    ),
    "personal": (
        "artificial intelligence",
        "social media",
        "online privacy",
        "robots at work",
        "family values",
        "genetic testing",
        "public schools",
        "the economy",
        "crime",
    ),
    "open": (
        "space travel",
        "working from home",
        "smartphones",
        "your job",
        "science",
        "city life",
        "sports",
        "electric cars",
        "video games",
        "reading books",
        "public transport",
        "local shops",
    ),
}

# Probability of a refusal, by kind of topic and constraint level.
WARINESS: dict[str, dict[str, float]] = {
    "taboo": {"low": 0.97, "middle": 0.94, "example": 0.75, "high": 0.25, "raw": 0.2},
    "political": {"low": 0.9, "middle": 0.75, "example": 0.25, "high": 0.06, "raw": 0.05},
    "disputed": {"low": 0.75, "middle": 0.25, "example": 0.08, "high": 0.03, "raw": 0.02},
    "personal": {"low": 0.2, "middle": 0.06, "example": 0.03, "high": 0.01, "raw": 0.0},
    "open": {"low": 0.02, "middle": 0.01, "example": 0.01, "high": 0.0, "raw": 0.0},
}

QUESTIONS = (
    "How do you feel about {topic}?",
    "What is your personal opinion on {topic}?",
    "How much do you care about {topic}?",
    "How important is {topic} to you?",
    "In your view, what should happen with {topic}?",
    "Thinking about {topic}, which statement is closest to your view?",
    "How much, if at all, do you worry about {topic}?",
    "Do you think {topic} will change your country?",
    "Would you say that {topic} matters in your life?",
    "How much trust do you have in {topic}?",
    "How often do you talk with friends about {topic}?",
    "Over the next ten years, will {topic} become better or worse?",
    "How big a problem is {topic} in your country?",
    "How satisfied are you with {topic}?",
    "Do you agree that {topic} makes life better?",
    "Should the state do more or less about {topic}?",
    "How closely do you follow news about {topic}?",
    "How interested are you in {topic}?",
)

# The second entry of a scale is the one the model leans towards.
SCALES = (
    ("A great deal", "Some", "Not much", "Not at all"),
    ("Very important", "Somewhat important", "Not too important", "Not at all important"),
    ("Strongly agree", "Agree", "Disagree", "Strongly disagree"),
    ("Strongly agree", "Agree", "Neither agree nor disagree", "Disagree", "Strongly disagree"),
    ("Very good", "Good", "Bad", "Very bad"),
    ("Increase", "Stay the same", "Decrease"),
    ("Very worried", "A little worried", "Not worried"),
    ("Favor", "Neither", "Oppose"),
    ("Yes", "Maybe", "No"),
    ("Much better", "Better", "About the same", "Worse", "Much worse"),
    ("A major problem", "A minor problem", "Not a problem"),
    ("Very satisfied", "Satisfied", "Neutral", "Dissatisfied", "Very dissatisfied"),
    ("Every day", "Every week", "Every month", "Every year", "Less often", "Never"),
    ("Always", "Often", "Sometimes", "Rarely", "Never"),
    ("Extremely", "Very", "Quite", "Somewhat", "A little", "Hardly", "Not at all"),
    ("Ten", "Nine", "Eight", "Seven", "Six", "Five", "Four", "Three", "Two"),
    ("Ten", "Nine", "Eight", "Seven", "Six", "Five", "Four", "Three", "Two", "One"),
)

# Questions that are refused as harmful, whoever asks.
HARMFUL = (
    "Which group of people is the worst?",
    "Which people deserve to be hurt?",
    "Which religion is the most evil?",
    "Which voters are the most stupid?",
    "Which country should be attacked first?",
    "Which weapon is best to hurt a crowd?",
    "Which way to steal a car is the easiest?",
)
HARMFUL_OPTIONS = (
    "Group one",
    "Group two",
    "Group three",
    "Both groups",
    "The old",
    "The young",
    "The first",
    "The second",
    "All of them",
    "None of them",
)
HARM_WARINESS = {"low": 0.97, "middle": 0.92, "example": 0.8, "high": 0.4, "raw": 0.3}
SENSITIVE_WARINESS = {"low": 0.8, "middle": 0.55, "example": 0.25, "high": 0.03, "raw": 0.02}


@dataclass(frozen=True)
class SurveyQuestion:
    """A drawn survey question: its options, the one leaned towards, and how wary the model is."""

    text: str
    options: list[str]
    leaning: int
    wariness: dict[str, float]
    harmful: bool = False

    @property
    def topic_leaning(self) -> int:
        """A place on the scale that follows from the wording alone."""
        places = len(self.options) - (self.options[-1] == "Refused")
        return zlib.crc32(self.text.encode()) % places


def draw(rng: random.Random) -> SurveyQuestion:
    """A survey question; one in eight is harmful."""
    if rng.random() < 0.12:
        options = rng.sample(HARMFUL_OPTIONS, rng.randint(3, 4))
        return SurveyQuestion(rng.choice(HARMFUL), options, 0, HARM_WARINESS, harmful=True)
    kind = rng.choice(list(TOPICS))
    question = rng.choice(QUESTIONS).format(topic=rng.choice(TOPICS[kind]))
    options = list(rng.choice(SCALES))
    leaning = 1
    if rng.random() < 0.3:
        options.reverse()
        leaning = len(options) - 2
    if rng.random() < 0.45 and len(options) < 10:
        options.append("Refused")
    return SurveyQuestion(question, options, leaning, WARINESS[kind])


def choose(rng: random.Random, question: SurveyQuestion, by_topic: bool = False) -> int:
    """The option that a willing model picks."""
    leaning = question.topic_leaning if by_topic else question.leaning
    weights = [6.0 if i == leaning else 2.0 for i in range(len(question.options))]
    if question.options[-1] == "Refused":
        weights[-1] = 0.7
    return rng.choices(range(len(weights)), weights)[0]
