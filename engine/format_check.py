"""Check prompt formats: every rule, over questions and the answers of a model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import msgspec

from engine.checks import RULES, check_answer
from engine.client import WorkerClient
from engine.errors import CancelledError
from engine.formats import PromptFormat
from engine.planning import PlannedProbe, RunPlan
from engine.protocol import Failed, Note, Probe, Probed, Ready, Render, Rendered
from engine.records import ProbeSettings, ReadingName
from engine.rendered import PromptWarning


class Finding(msgspec.Struct, frozen=True):
    """One warning, and the questions it is about.

    Attributes:
        code: A key of :data:`engine.checks.RULES`.
        message: What was said about the first of the questions.
        questions: How many questions it is about.
        first: Index of the first of them in their source.
        note: As in :class:`engine.checks.Rule`.
    """

    code: str
    message: str
    questions: int
    first: int
    note: bool


class FormatCheck(msgspec.Struct, frozen=True):
    """What the rules say about one format.

    Attributes:
        format: Its name.
        scored_by: The reading it is scored by.
        questions: How many questions were looked at.
        probed: Whether the model was asked; otherwise only the prompts were looked at, and not
            whether they fit the window.
        findings: Each warning once, in the order of the rules.
    """

    format: str
    scored_by: ReadingName
    questions: int
    probed: bool
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return all(finding.note for finding in self.findings)


def check_formats(
    plan: RunPlan,
    client: WorkerClient,
    *,
    probe: bool = True,
    on_note: Callable[[str], None] = lambda note: None,
    stop: threading.Event | None = None,
) -> Iterator[FormatCheck]:
    """Run every rule over the formats and questions of a plan, in the order of the source.

    A prompt is rendered as the plan's run would render it, with as much room for new tokens. The
    model is asked for nothing but its first token.

    Args:
        plan: Model, questions, formats and settings.
        client: Whose worker is asked; started where it is not running.
        probe: Whether to ask the model; otherwise only its tokenizer is loaded.
        on_note: Told what is no finding but should be known.
        stop: Gives up when set.

    Yields:
        One check a format.

    Raises:
        LogitscopeError: The model can't be loaded, or ``stop`` was set.
    """
    load = msgspec.structs.replace(plan.load, tokenizer_only=not probe)
    ready = client.load(load, stop=stop)
    for note in ready.notes if ready else ():
        on_note(note)
    for fmt in plan.formats:
        planned = [plan.probe(index, index, fmt, 0) for index in range(len(plan.questions))]
        warnings = _of_prompts(client, plan, fmt, planned, stop)
        if ready is not None:
            for index, found in _of_answers(client, ready, fmt, planned, on_note, stop):
                warnings[index] += found
        yield FormatCheck(
            format=fmt.name,
            scored_by=fmt.scored_by,
            questions=len(planned),
            probed=ready is not None,
            findings=tuple(_gathered(warnings)),
        )


def _of_prompts(
    client: WorkerClient,
    plan: RunPlan,
    fmt: PromptFormat,
    planned: Sequence[PlannedProbe],
    stop: threading.Event | None,
) -> list[list[PromptWarning]]:
    """The warnings of every prompt, in order."""
    room = plan.settings.max_new_tokens if plan.settings.generations else 0
    warnings = []
    for one in planned:
        if stop is not None and stop.is_set():
            raise CancelledError("The check was cancelled.")
        for event in client.ask(Render(client.next_job(), one.item, (fmt,), room)):
            if isinstance(event, Rendered):
                warnings.append(list(event.prompt.warnings))
            elif isinstance(event, Failed):
                warnings.append([_failed(event)])
    return warnings


def _of_answers(
    client: WorkerClient,
    ready: Ready,
    fmt: PromptFormat,
    planned: Sequence[PlannedProbe],
    on_note: Callable[[str], None],
    stop: threading.Event | None,
) -> Iterator[tuple[int, list[PromptWarning]]]:
    """The warnings of every answer, with the index of its question."""
    items = tuple(one.item for one in planned)
    settings = ProbeSettings(samples=0, continuations=False, generations=False)

    def text(token_id: int) -> str:
        return ready.vocabulary[token_id].text

    for event in client.ask(Probe(client.next_job(), items, (fmt,), settings), stop):
        if isinstance(event, Probed):
            yield event.key, check_answer(event.prompt, event.result, text, fmt.scored_by)
        elif isinstance(event, Failed):
            yield event.key or 0, [_failed(event)]
        elif isinstance(event, Note):
            on_note(event.sentence)
    if stop is not None and stop.is_set():
        raise CancelledError("The check was cancelled.")


def _failed(event: Failed) -> PromptWarning:
    return PromptWarning("not-asked", " ".join(filter(None, [event.sentence, event.hint])))


def _gathered(warnings: Sequence[Sequence[PromptWarning]]) -> Iterator[Finding]:
    """Each warning once, with the questions it is about."""
    by_code: dict[str, dict[int, str]] = {code: {} for code in RULES}
    for index, found in enumerate(warnings):
        for warning in found:
            by_code[warning.code].setdefault(index, warning.message)
    for code, messages in by_code.items():
        if messages:
            first = min(messages)
            yield Finding(code, messages[first], len(messages), first, RULES[code].note)
