"""Prompt formats: how a question becomes a prompt, as data. One TOML file a format."""

from __future__ import annotations

from typing import Literal

import msgspec


class PromptFormat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a question becomes a prompt. Templates are jinja, rendered in a sandbox.

    Templates see ``question`` (text), ``options`` (the option lines), ``labels``, ``subject``,
    ``subject_words``, ``dataset``, every entry of ``fields``, and in ``shot`` also ``answer``
    (the gold label) and ``answer_text``.

    Attributes:
        name: What the format is called on the command line.
        title: One line for lists.
        description: What it is for.
        source: Where the wording comes from.
        user: Template of the user turn (or of the raw prompt's last part).
        system: Template of the system turn; empty for none.
        header: Template put once before the worked examples.
        shot: Template of one worked example.
        shots: Number of worked examples wanted.
        prefill: Template of the beginning of the assistant's turn.
        chat: Whether to use the tokenizer's chat template; where it has none, or here is False,
            the parts are joined as raw text.
        labels: The option labels, one character each.
        label_style: How an option line is written, from ``{label}`` and ``{text}``.
        delimiter: What stands between prompt and answer: ``auto`` is nothing after a chat
            template or trailing whitespace and one space after raw text.
        too_long: What gives way when the prompt does not fit the window: ``truncate-left`` cuts
            the beginning, ``drop-shots`` drops the last example, one by one, then cuts.
        fields: Named values that templates use and users may change.
    """

    name: str
    user: str
    title: str = ""
    description: str = ""
    source: str = ""
    system: str = ""
    header: str = ""
    shot: str = ""
    shots: int = 0
    prefill: str = ""
    chat: bool = True
    labels: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    label_style: str = "{label}. {text}"
    delimiter: str = "auto"
    too_long: Literal["truncate-left", "drop-shots"] = "truncate-left"
    fields: dict[str, str] = {}
