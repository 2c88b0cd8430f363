"""Chat templates: the parts of a prompt as the tokenizer's template writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from engine.errors import FormatError
from engine.rendered import PromptWarning, opens_thinking
from engine.tokens import Tokenizer

Message = dict[str, str]

_SWITCHES = ("enable_thinking", "thinking")
"""What templates call the value that, when false, keeps the model from thinking."""

_OTHER_DAY = "{% macro strftime_now(format) %}another day{% endmacro %}"
"""Put before a template, it stands in the place of the function that reads the clock."""

_MARKS = re.compile(r"<[^<>\s]+>|\[/?[A-Z_]+\]")
"""Special tokens, as templates write them."""

_WORDS = re.compile(
    r"(?:[^\W\d_]+[ ,.:]+){3}[^\n]*|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{4,}[^\n]*"
)
"""Three words in a row, or as much in a script that puts no spaces between them."""

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
_DATE = re.compile(
    rf"\b(?:\d{{1,2}} {_MONTH},? \d{{4}}|{_MONTH} \d{{1,2}},? \d{{4}}"
    r"|\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})\b"
)


def chat_template(tokenizer: Tokenizer) -> str | None:
    """The tokenizer's chat template, or None where it has none."""
    try:
        return tokenizer.get_chat_template()
    except ValueError:
        return None


def apply_template(
    tokenizer: Tokenizer, template: str, system: str, user: str, prefill: str
) -> tuple[str, list[PromptWarning]]:
    """Write one user turn, and the beginning of the assistant's, with the chat template.

    A template that takes no system turn gets the system text at the head of the user turn.
    Thinking is switched off where the template can do so: the first token is to be the answer's.

    Args:
        tokenizer: The model's tokenizer.
        template: Its chat template (see :func:`chat_template`).
        system: System text; empty for none.
        user: The user turn.
        prefill: Beginning of the assistant's turn; empty for none.

    Returns:
        The prompt's text, up to where the model goes on, and warnings.

    Raises:
        FormatError: The template fails on a plain user turn.
    """
    turns = [{"role": "user", "content": user}]
    if system:
        turns.insert(0, {"role": "system", "content": system})
    write = partial(_write, tokenizer, turns=turns, prefill=prefill)
    try:
        text = write(template)
    except Exception as error:  # a chat template may raise anything
        if not system:
            raise FormatError(
                f"The model's chat template fails: {error}.",
                "Use a format with chat = false.",
            ) from error
        text, warnings = apply_template(tokenizer, template, "", f"{system}\n\n{user}", prefill)
        message = (
            "The chat template takes no system turn, so its text now opens the user turn; "
            "move it there in the format."
        )
        return text, [PromptWarning("system-folded", message), *warnings]
    around = _around(text.removesuffix(prefill), user)
    own = around.replace(system.strip(), "", 1) if user.strip() in text else ""
    return text, [
        *_turn_warnings(text, around, system, user),
        *_added_warnings(own),
        *_thinking_warnings(write, template, text),
        *_date_warnings(write, template, text, own),
    ]


def _write(
    tokenizer: Tokenizer,
    template: str,
    turns: Sequence[Message],
    prefill: str,
    *,
    may_think: bool = False,
) -> str:
    """The turns as text, up to where the model goes on after the prefill."""
    options = {} if may_think else {name: False for name in _SWITCHES if name in template}

    def written(messages: Sequence[Message], **how: bool) -> str:
        return str(
            tokenizer.apply_chat_template(
                list(messages), chat_template=template, tokenize=False, **how, **options
            )
        )

    core = prefill.rstrip(" ")
    if not core:
        return written(turns, add_generation_prompt=True) + prefill
    try:
        text = written(
            [*turns, {"role": "assistant", "content": core}], continue_final_message=True
        )
    except Exception:  # the template rewrites what the assistant says; append it as it stands
        text = ""
    if not text.endswith(core):
        text = written(turns, add_generation_prompt=True) + core
    return text + prefill[len(core) :]


def _around(text: str, user: str) -> str:
    """What stands around the user turn; everything where the turn is not there as it is."""
    words = user.strip()
    at = text.rfind(words)
    return f"{text[:at]}\n{text[at + len(words) :]}" if at >= 0 else text


def _turn_warnings(text: str, around: str, system: str, user: str) -> list[PromptWarning]:
    """Turns that are not in the prompt as the format has them."""
    warnings = []
    if system.strip() not in around:
        message = "The chat template drops or rewrites the system text; move it into the user turn."
        warnings.append(PromptWarning("system-dropped", message))
    if user.strip() not in text:
        message = "The chat template rewrites the user turn; compare the prompt with the format."
        warnings.append(PromptWarning("user-rewritten", message))
    stripped = [
        name
        for name, words in (("system", system), ("user", user))
        if words not in text and words.strip() in text
    ]
    if stripped:
        message = (
            f"The chat template strips the blanks at the ends of the {' and '.join(stripped)} "
            "turn; leave them out of the format."
        )
        warnings.append(PromptWarning("text-stripped", message))
    return warnings


def _added_warnings(own: str) -> list[PromptWarning]:
    """Words that the template itself puts around the turns: a default system text."""
    found = _WORDS.search(_MARKS.sub("\n", own))
    if found is None:
        return []
    message = (
        f"The chat template adds a text of its own: {found[0].strip()!r}; give the format a "
        "system text or set chat = false if the model must not see it."
    )
    return [PromptWarning("template-text", message)]


def _thinking_warnings(write: Callable[..., str], template: str, text: str) -> list[PromptWarning]:
    """A template that lets the model think, whether that could be switched off or not."""
    if opens_thinking(text):
        message = (
            "The chat template opens a thinking block, so the first token is no answer; close it "
            "with a prefill, or read the text."
        )
        return [PromptWarning("thinking-open", message)]
    has_switch = any(name in template for name in _SWITCHES)
    if has_switch and write(template, may_think=True) != text:
        message = "The chat template lets the model think before it answers; it was told not to."
        return [PromptWarning("thinking-off", message)]
    return []


def _date_warnings(
    write: Callable[..., str], template: str, text: str, own: str
) -> list[PromptWarning]:
    """Dates that the template writes, today's or a fixed one."""
    if "strftime_now" in template and _depends_on_the_day(write, template, text):
        message = (
            "The chat template writes today's date, so tomorrow's prompt differs; compare only "
            "runs of one day."
        )
        return [PromptWarning("date-in-prompt", message)]
    found = _DATE.search(own)
    if found is None:
        return []
    message = (
        f"The chat template tells the model the date {found[0]!r}, whatever the day; compare "
        "with models that are told the same."
    )
    return [PromptWarning("fixed-date", message)]


def _depends_on_the_day(write: Callable[..., str], template: str, text: str) -> bool:
    """Whether the prompt is another one on another day."""
    try:
        return write(_OTHER_DAY + template) != text
    except Exception:  # the template calculates with the date
        return True
