"""What can be wrong with a plan, found before any model is loaded."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.errors import FormatError, LogitscopeError
from engine.formats import PromptFormat
from engine.perturb import Perturbation, most_options
from engine.questions import Question
from engine.records import ProbeSettings


def check(condition: bool, sentence: str, hint: str = "") -> None:
    """Raise a sentence unless a condition holds."""
    if not condition:
        raise LogitscopeError(sentence, hint)


def check_choice(setting: str, value: str, choices: Sequence[str]) -> None:
    """Refuse what is none of the choices of a setting."""
    check(value in choices, f"There is no {setting} {value!r}.", f"Choose {', '.join(choices)}.")


def check_settings(settings: ProbeSettings) -> None:
    """Refuse settings out of range."""
    sampler = settings.sampler
    check(settings.samples >= 0, f"The number of samples is {settings.samples}; it can't be.")
    check(
        settings.max_new_tokens >= 1,
        f"The longest generation is {settings.max_new_tokens} tokens; it must be at least 1.",
    )
    check(settings.kept >= 1, f"{settings.kept} tokens a position are kept; it must be 1 or more.")
    check(
        0 <= sampler.temperature < math.inf,
        f"The temperature is {sampler.temperature:g}; it must be at least 0.",
        "0 takes the likeliest token; 1 samples from what the model says.",
    )
    check(0 < sampler.top_p <= 1, f"top-p is {sampler.top_p:g}; it must be above 0, at most 1.")
    check(sampler.top_k >= 0, f"top-k is {sampler.top_k}; it must be at least 1, or 0 for all.")
    check(
        0 < sampler.repetition_penalty < math.inf,
        f"The repetition penalty is {sampler.repetition_penalty:g}; it must be above 0.",
        "1 switches it off.",
    )
    check(-(2**63) <= settings.seed < 2**63, f"The seed {settings.seed} does not fit into 64 bits.")


def check_formats(formats: Sequence[PromptFormat]) -> None:
    """Refuse no format, and one that is there twice."""
    check(bool(formats), "No prompt format is named.", "See: logitscope formats list")
    names = [fmt.name for fmt in formats]
    for name in names:
        check(names.count(name) == 1, f"The format {name} is named twice.")


def check_labels(
    questions: Sequence[Question],
    formats: Sequence[PromptFormat],
    perturbations: Sequence[Perturbation],
) -> None:
    """Refuse a format with fewer labels than a question will have options."""
    for fmt in formats:
        for index, question in enumerate(questions):
            options = most_options(question, perturbations)
            if options > len(fmt.labels):
                raise FormatError(
                    f"The format {fmt.name} has {len(fmt.labels)} labels, but question {index} "
                    f"has {options} options.",
                    "Give the format more labels.",
                )
