"""Compare two prompt formats on one question: the texts, and what a text does not show."""

from __future__ import annotations

import msgspec

from engine.client import WorkerClient
from engine.formats import PromptFormat, load_format
from engine.prompt_diff import Change, diff, first_difference
from engine.rendered import RenderedPrompt
from engine.single import render_one

_IN_PROMPT = frozenset(
    {
        "name",
        "title",
        "description",
        "source",
        "system",
        "header",
        "shot",
        "user",
        "prefill",
        "chat",
        "shots",
        "labels",
        "label_style",
        "delimiter",
        "fields",
    }
)
"""Fields of a format that change nothing, or nothing but the prompt, which is compared itself."""


class Difference(msgspec.Struct, frozen=True):
    """Something other than the text in which two prompts, or their formats, differ."""

    name: str
    one: str
    other: str


class FormatDiff(msgspec.Struct, frozen=True):
    """Two formats on one question.

    Attributes:
        one: The prompt in the first format.
        other: The prompt in the other format.
        changes: The difference of their texts (see :func:`engine.prompt_diff.diff`).
        first_difference: Index of the first character that differs; None where the texts are the
            same.
        differences: What else differs.
    """

    one: RenderedPrompt
    other: RenderedPrompt
    changes: tuple[Change, ...]
    first_difference: int | None
    differences: tuple[Difference, ...]

    @property
    def same(self) -> bool:
        """Whether both formats ask the same and are scored in the same way."""
        return self.first_difference is None and not self.differences


def compare_formats(
    model: str,
    source: str,
    index: int,
    one: str | PromptFormat,
    other: str | PromptFormat,
    *,
    order: int = 0,
    seed: int = 0,
    client: WorkerClient | None = None,
) -> FormatDiff:
    """Render one question in two formats and compare what the model would receive.

    Args:
        model: A model folder or hub id; only its tokenizer is loaded.
        source: The question file or dataset.
        index: Which question.
        one: The first format.
        other: The other format.
        order: Which option order.
        seed: Seed of the option orders.
        client: Whose worker renders; one of its own when left out.

    Raises:
        LogitscopeError: There is no such question or format, or it can't be rendered.
    """
    if client is None:
        with WorkerClient(niceness=0) as own:
            return compare_formats(
                model, source, index, one, other, order=order, seed=seed, client=own
            )
    formats = [fmt if isinstance(fmt, PromptFormat) else load_format(fmt) for fmt in (one, other)]
    prompts = [
        render_one(model, source, index, fmt, order=order, seed=seed, client=client)
        for fmt in formats
    ]
    before, now = (_facts(prompt, fmt) for prompt, fmt in zip(prompts, formats, strict=True))
    return FormatDiff(
        one=prompts[0],
        other=prompts[1],
        changes=tuple(diff(prompts[0].text, prompts[1].text)),
        first_difference=first_difference(prompts[0].text, prompts[1].text),
        differences=tuple(
            Difference(name, before[name], now[name])
            for name in before
            if before[name] != now[name]
        ),
    )


def _facts(prompt: RenderedPrompt, fmt: PromptFormat) -> dict[str, str]:
    """What is to be compared of a prompt besides its text, by name."""
    labels = [answer for answer in prompt.continuations if answer.kind == "label"]
    settings = {
        field.name: str(getattr(fmt, field.name))
        for field in msgspec.structs.fields(fmt)
        if field.name not in _IN_PROMPT
    }
    return {
        "tokens": str(len(prompt.token_ids)),
        "first token": f"{prompt.pieces[0]} ({prompt.token_ids[0]})",
        "last token": f"{prompt.pieces[-1]} ({prompt.token_ids[-1]})",
        "written as": "chat" if prompt.chat else "raw text",
        "delimiter": repr(labels[0].text.removesuffix(labels[0].label)),
        "label tokens": ", ".join(
            f"{answer.text!r} {token_id}"
            for answer, token_id in zip(labels, prompt.label_ids, strict=True)
        ),
        "shots used": str(prompt.shots),
        "warnings": ", ".join(warning.code for warning in prompt.warnings),
    } | settings
