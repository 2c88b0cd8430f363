"""What a prompt format is: how a question becomes a prompt, and what its protocol does with it."""

from __future__ import annotations

from typing import Literal

import msgspec

from engine.records import ReadingName

Part = Literal["system", "header", "shot", "user", "prefill"]


class PromptFormat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a question becomes a prompt. Templates are jinja, rendered in a sandbox.

    Templates see ``question`` (text), ``options`` (the option lines), ``labels``, ``subject``,
    ``subject_words`` (the subject cut at underscores), ``dataset``, ``shots`` (how many worked
    examples the prompt has), every entry of ``fields``, and in ``shot`` also ``number`` (of the
    example, from 1), ``answer`` (the gold label) and ``answer_text``.

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
        shots_from: The split that worked examples are taken from, never silently another.
        shot_choice: Which of its questions become examples: the ``first`` in file order; the same
            ``shuffled`` ones for all questions of a subject, as HELM does; or others drawn
            ``per-question``, as lm-evaluation-harness once did (see :mod:`engine.shots`).
        prefill: Template of the beginning of the assistant's turn.
        chat: Whether to use the tokenizer's chat template; where it has none, or here is False,
            the parts are joined as raw text.
        bos: Which prompts begin with what the tokenizer itself puts before a text, such as a begin
            token: ``raw`` ones, since a chat template writes its own; ``always`` all; or ``never``
            any. One that is there already is not written again.
        labels: The option labels, one character each.
        label_style: How an option line is written, from ``{label}`` and ``{text}``.
        delimiter: What stands between prompt and answer. ``auto`` is nothing after a chat
            template, nothing after whitespace or an opening bracket, quote or asterisk, and
            otherwise one space; spaces that end a raw prompt or a prefill then move out of the
            prompt and become the delimiter, as in lm-evaluation-harness. Any other value stands
            as it is, and the prompt keeps its last spaces.
        continuation: What is scored where an option's text is, from ``{label}`` and ``{text}``.
        boundary: How prompt and answer become tokens: ``joint``, as one text that is cut at the
            prompt's length, or ``separate``, each alone.
        label_token: Which token a label is at the first position: the one it has ``in-context``,
            or the last one of the label ``alone``, special tokens included, whatever the prompt.
        window: Longest prompt in tokens that the protocol allows; 0 for no limit but the model's.
        too_long: What gives way when the prompt does not fit the window: ``truncate-left`` cuts
            the beginning, ``drop-shots`` drops the last example, one by one, then cuts.
        cut: Where tokens are cut: ``after-begin`` keeps a begin token and cuts behind it, ``left``
            cuts that too, ``right`` cuts the end.
        cue: What stands before the answer in place of the whole prompt where an option's text is
            scored without its question (``continuation_unconditional``); HELM's is "Answer:".
        scored_by: The reading that a protocol with this format is scored by.
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
    shots_from: Literal["dev", "validation"] = "dev"
    shot_choice: Literal["first", "shuffled", "per-question"] = "first"
    prefill: str = ""
    chat: bool = True
    bos: Literal["raw", "always", "never"] = "raw"
    labels: str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    label_style: str = "{label}. {text}"
    delimiter: str = "auto"
    continuation: str = "{text}"
    boundary: Literal["joint", "separate"] = "joint"
    label_token: Literal["in-context", "alone"] = "in-context"
    window: int = 0
    too_long: Literal["truncate-left", "drop-shots"] = "truncate-left"
    cut: Literal["after-begin", "left", "right"] = "after-begin"
    cue: str = "Answer:"
    scored_by: ReadingName = "first_token"
    fields: dict[str, str] = {}

    @property
    def bare(self) -> PromptFormat:
        """The same with nothing but the cue for a prompt."""
        return msgspec.structs.replace(
            self, name=f"{self.name} cue", user=self.cue, system="", header="", shots=0, prefill=""
        )
