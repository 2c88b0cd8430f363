"""Rendering: a question and a prompt format become text, tokens and their boundaries."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from engine.chat import apply_template, chat_template
from engine.formats import PromptFormat, render_template
from engine.perturb import reorder
from engine.questions import Option, Question
from engine.rendered import ForcedContinuation, PromptWarning, RenderedPrompt, SpellingToken
from engine.tokens import Tokenizer, encode, leading_ids, tokenise_answers
from engine.truncation import room, truncated

__all__ = [
    "ForcedContinuation",
    "PromptParts",
    "PromptWarning",
    "RenderedPrompt",
    "SpellingToken",
    "Tokenizer",
    "render",
    "render_text",
]


_END = 8
"""Characters by which the end of a prompt is recognised."""


class PromptParts(msgspec.Struct, frozen=True):
    """The texts that a format makes of a question, before any tokenizer.

    Attributes:
        system: The system turn; empty for none.
        user: The user turn: header, worked examples and the question.
        prefill: The beginning of the assistant's turn; empty for none.
        shots: Number of worked examples in ``user``.
    """

    system: str
    user: str
    prefill: str
    shots: int

    @property
    def messages(self) -> list[dict[str, str]]:
        """The turns as chat messages, the prefill as an unfinished assistant turn."""
        turns = (("system", self.system), ("user", self.user), ("assistant", self.prefill))
        return [{"role": role, "content": text} for role, text in turns if text]

    @property
    def raw(self) -> str:
        """The parts as one text: a blank line after the system text, the prefill as an answer."""
        system = f"{self.system}\n\n" if self.system else ""
        prefill = _delimiter(self.user) + self.prefill if self.prefill else ""
        return system + self.user + prefill


def render_text(
    question: Question, fmt: PromptFormat, *, shots: Sequence[Question] = ()
) -> PromptParts:
    """Fill a format's templates, without a tokenizer.

    Args:
        question: In the order to be shown; its own labels are used.
        fmt: The format.
        shots: Questions with a gold label for worked examples, all used, in the order given.

    Raises:
        FormatError: A template fails on this question.
    """
    examples = [_shot(shot, fmt, at, len(shots)) for at, shot in enumerate(shots, start=1)]
    values = _values(question, fmt, len(shots))
    header = render_template(fmt, "header", values)
    return PromptParts(
        system=render_template(fmt, "system", values),
        user="".join([header, *examples, render_template(fmt, "user", values)]),
        prefill=render_template(fmt, "prefill", values),
        shots=len(examples),
    )


def render(
    question: Question,
    question_id: str,
    order: int,
    fmt: PromptFormat,
    tokenizer: Tokenizer,
    *,
    shots: Sequence[Question] = (),
    edited: str = "",
    window: int | None = None,
    max_new_tokens: int = 0,
) -> RenderedPrompt:
    """Render one prompt: its text, its tokens, and the tokens of every possible answer.

    Args:
        question: In the order to be shown (see :mod:`engine.perturb`).
        question_id: Id of the question in its source order.
        order: Number of the option order.
        fmt: The format.
        tokenizer: The model's tokenizer.
        shots: Candidates for worked examples; the first ``fmt.shots`` with a gold label are used.
        edited: The whole prompt as somebody changed it by hand, special tokens included, in the
            place of what the format makes; empty for the format's own.
        window: Longest context in tokens; None for no limit.
        max_new_tokens: Tokens of the window to leave free for a generation.

    Raises:
        FormatError: A template fails, or the window leaves no room for a prompt.
    """
    usable = [shot for shot in shots if shot.gold is not None][: fmt.shots]
    draft = _draft(question, fmt, tokenizer, usable)
    most = room(fmt, window, max_new_tokens)
    if fmt.too_long == "drop-shots" and most is not None:
        while draft.shots and len(draft.token_ids) > most:
            draft = _draft(question, fmt, tokenizer, usable[: draft.shots - 1])
    if edited:
        draft = _edited(edited, draft, fmt, tokenizer)
    answers = tokenise_answers(
        tokenizer,
        draft.text,
        draft.text_ids,
        draft.delimiter,
        [(option.label, _styled(option, fmt.continuation)) for option in question.options],
        separately=fmt.boundary == "separate",
        labels_alone=fmt.label_token == "alone",
    )
    longest = max(len(answer.token_ids) for answer in answers.continuations)
    new_tokens = max(max_new_tokens, longest)
    token_ids = truncated(draft.token_ids, fmt, window, new_tokens, tokenizer.bos_token_id)
    dropped = len(draft.token_ids) - len(token_ids)
    leading = tokenizer.convert_ids_to_tokens(list(draft.leading))
    warnings = (
        *draft.warnings,
        *_begin_warnings(token_ids, tokenizer, draft.chat),
        *_length_warnings(fmt, len(usable), draft.shots, dropped),
        *answers.warnings,
    )
    return RenderedPrompt(
        question_id=question_id,
        format=fmt.name,
        order=order,
        labels=question.labels,
        text="".join(leading) + draft.text,
        token_ids=token_ids,
        pieces=tuple(tokenizer.convert_ids_to_tokens(list(token_ids))),
        label_ids=answers.label_ids,
        spellings=answers.spellings,
        continuations=answers.continuations,
        chat=draft.chat,
        shots=draft.shots,
        dropped_tokens=dropped,
        warnings=warnings,
    )


class _Draft(msgspec.Struct, frozen=True):
    """A prompt before it is cut to the window."""

    text: str
    text_ids: list[int]
    leading: tuple[int, ...]
    delimiter: str
    chat: bool
    shots: int
    warnings: list[PromptWarning]

    @property
    def token_ids(self) -> tuple[int, ...]:
        return (*self.leading, *self.text_ids)


def _draft(
    question: Question, fmt: PromptFormat, tokenizer: Tokenizer, shots: Sequence[Question]
) -> _Draft:
    parts = render_text(question, fmt, shots=shots)
    template = chat_template(tokenizer) if fmt.chat else None
    warnings: list[PromptWarning] = []
    if template is None:
        text = parts.raw
    else:
        text, warnings = apply_template(
            tokenizer, template, parts.system, parts.user, parts.prefill
        )
    if fmt.chat and template is None:
        message = (
            "The tokenizer has no chat template, so the prompt is raw text; "
            "set chat = false, or take a model that has one."
        )
        warnings.append(PromptWarning("no-chat-template", message))
    written_by_format = template is None or bool(parts.prefill)
    text, delimiter = _part(text, fmt.delimiter, written_by_format, warnings)
    return _Draft(
        text=text,
        text_ids=encode(tokenizer, [text])[0],
        leading=_leading(text, fmt, tokenizer) if template is None or fmt.bos == "always" else (),
        delimiter=delimiter,
        chat=template is not None,
        shots=parts.shots,
        warnings=warnings,
    )


def _leading(text: str, fmt: PromptFormat, tokenizer: Tokenizer) -> tuple[int, ...]:
    """What the tokenizer puts before a text, without a begin token that the text brings along."""
    leading = leading_ids(tokenizer) if fmt.bos != "never" else ()
    if leading and text.startswith(tokenizer.convert_ids_to_tokens([leading[0]])[0]):
        return leading[1:]
    return leading


def _edited(text: str, draft: _Draft, fmt: PromptFormat, tokenizer: Tokenizer) -> _Draft:
    """A prompt with its text changed by hand, taken as it is, spaces at its end included.

    The answer begins as it did where the text still ends as the format's does.
    """
    begin = "".join(tokenizer.convert_ids_to_tokens(list(draft.leading)))
    leading = draft.leading if text.startswith(begin) else ()
    text = text[len(begin) :] if leading else text
    warnings = [PromptWarning("edited", "The prompt was changed by hand.")]
    spaces = len(text) - len(text.rstrip(" "))
    if spaces:
        message = f"The prompt ends in {spaces} space(s), kept: most answers begin with their own."
        warnings.append(PromptWarning("trailing-space", message))
    same_end = text.endswith(draft.text[-_END:])
    delimiter = _delimiter(text) if fmt.delimiter == "auto" else fmt.delimiter
    return msgspec.structs.replace(
        draft,
        text=text,
        text_ids=encode(tokenizer, [text])[0],
        leading=leading,
        delimiter=draft.delimiter if same_end else delimiter,
        warnings=warnings,
    )


def _part(
    text: str, delimiter: str, written_by_format: bool, warnings: list[PromptWarning]
) -> tuple[str, str]:
    """Decide where the prompt ends and what stands between it and the answer.

    A chat template's own last characters are what the model was trained on and stay as they are;
    spaces that a format leaves at the end belong to the answer's first token.
    """
    stripped = text.rstrip(" ") if written_by_format else text
    spaces = text[len(stripped) :]
    if spaces:
        what = "moved to the answer" if delimiter == "auto" else "kept"
        message = (
            f"The prompt ends in {len(spaces)} space(s), {what}: leave them out of the format."
        )
        warnings.append(PromptWarning("trailing-space", message))
    if delimiter != "auto":
        return text, delimiter
    if not written_by_format:
        return text, ""
    return stripped, spaces or _delimiter(text)


def _delimiter(text: str) -> str:
    """What stands between a text and the answer after it (see ``PromptFormat.delimiter``)."""
    return "" if text[-1:].isspace() or text.endswith(("(", "[", "{", "<")) else " "


def _begin_warnings(ids: tuple[int, ...], tokenizer: Tokenizer, chat: bool) -> list[PromptWarning]:
    bos = tokenizer.bos_token_id
    if bos is None:
        return []
    if ids[:2] == (bos, bos):
        message = "The prompt begins with two begin tokens; leave one out of the template."
        return [PromptWarning("double-bos", message)]
    if bos in leading_ids(tokenizer) and ids[:1] != (bos,):
        which = "the chat template" if chat else "the prompt"
        message = (
            f"The tokenizer puts a begin token before a text, but {which} doesn't begin with one; "
            "some models fail without: put it there."
        )
        return [PromptWarning("no-bos", message)]
    return []


def _length_warnings(
    fmt: PromptFormat, usable: int, used: int, dropped: int
) -> list[PromptWarning]:
    warnings = []
    if usable < fmt.shots:
        message = (
            f"The format wants {fmt.shots} worked examples from the {fmt.shots_from} split, "
            f"only {usable} are there: put more there, or lower shots."
        )
        warnings.append(PromptWarning("shots-missing", message))
    if used < min(usable, fmt.shots):
        message = (
            f"{used} of {min(usable, fmt.shots)} worked examples fit the window: lower shots, or "
            "ask for fewer new tokens."
        )
        warnings.append(PromptWarning("shots-dropped", message))
    if dropped:
        end = "end" if fmt.cut == "right" else "beginning"
        message = (
            f"{dropped} tokens were cut from the prompt's {end} to fit the window: lower shots, or "
            "ask for fewer new tokens."
        )
        warnings.append(PromptWarning("truncated", message))
    return warnings


def _values(question: Question, fmt: PromptFormat, shots: int) -> dict[str, object]:
    """What a format's templates see of a question."""
    return {
        "question": question.text,
        "options": "\n".join(_styled(option, fmt.label_style) for option in question.options),
        "labels": question.labels,
        "subject": question.subject,
        "subject_words": question.subject.split("_"),
        "dataset": question.dataset,
        "shots": shots,
    }


def _styled(option: Option, style: str) -> str:
    """An option as a style writes it, filled in once: its text may hold braces."""
    parts = {"label": option.label, "text": option.text}
    return re.sub(r"\{(label|text)\}", lambda found: parts[found[1]], style)


def _shot(shot: Question, fmt: PromptFormat, number: int, shots: int) -> str:
    """One worked example, in the format's labels."""
    shown = reorder(shot, range(len(shot.options)), labels=fmt.labels)
    answer = next(option for option in shown.options if option.label == shown.gold)
    values = _values(shown, fmt, shots) | {
        "number": number,
        "answer": answer.label,
        "answer_text": answer.text,
    }
    return render_template(fmt, "shot", values)
