"""Chat templates: the parts of a prompt as the tokenizer's template writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from engine.errors import FormatError
from engine.rendered import PromptWarning, opens_thinking
from engine.tokens import Tokenizer

Message = dict[str, str]


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
    warnings: list[PromptWarning] = []
    turns = [{"role": "user", "content": user}]
    if system:
        turns.insert(0, {"role": "system", "content": system})
    try:
        text = _continue(tokenizer, template, turns, prefill)
    except Exception as error:  # a chat template may raise anything
        if not system:
            raise FormatError(
                f"The model's chat template fails: {error}.",
                "Use a format with chat = false.",
            ) from error
        text, warnings = apply_template(tokenizer, template, "", f"{system}\n\n{user}", prefill)
        message = "The chat template takes no system turn; its text now opens the user turn."
        return text, [PromptWarning("system-folded", message), *warnings]
    if system.strip() not in text:
        message = "The chat template drops the system text; move it into the user turn."
        warnings.append(PromptWarning("system-dropped", message))
    if user.strip() in text:
        head = text.partition(user.strip())[0].replace(system.strip(), "")
        warnings += _added_warnings(head)
    else:
        message = "The chat template rewrites the user turn; compare the prompt with the format."
        warnings.append(PromptWarning("user-rewritten", message))
    return text, warnings + _template_warnings(template, text)


def _continue(tokenizer: Tokenizer, template: str, turns: Sequence[Message], prefill: str) -> str:
    options = {"enable_thinking": False} if "enable_thinking" in template else {}

    def written(messages: Sequence[Message], **how: bool) -> str:
        return str(tokenizer.apply_chat_template(list(messages), tokenize=False, **how, **options))

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


def _added_warnings(head: str) -> list[PromptWarning]:
    """Words that the template itself puts before the user turn: a default system text."""
    found = re.search(r"(?:[A-Za-z]+[ ,.:]+){3}[^\n<\[]*", head)
    if found is None:
        return []
    message = f"The chat template adds a text of its own: {found[0].strip()!r}."
    return [PromptWarning("template-text", message)]


def _template_warnings(template: str, text: str) -> list[PromptWarning]:
    warnings = []
    if "enable_thinking" in template:
        message = "The chat template can open a thinking block; it was told not to."
        warnings.append(PromptWarning("thinking-off", message))
    if opens_thinking(text):
        message = "The chat template opens a thinking block, so the first token is no answer."
        warnings.append(PromptWarning("thinking-open", message))
    formats = re.findall(r"strftime_now\(\s*['\"](.+?)['\"]\s*\)", template)
    if any(datetime.now().strftime(form) in text for form in formats):
        message = "The chat template writes today's date, so tomorrow's prompt differs."
        warnings.append(PromptWarning("date-in-prompt", message))
    return warnings
