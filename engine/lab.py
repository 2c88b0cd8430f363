"""The prompt lab: what a prompt format does to one stored question, and to a pinned set of them.

A format may be tried before it is saved anywhere. Every trial is stored like a run, in a database
in memory that ends with the lab, so that what is counted has the one definition that it has
everywhere: columns of ``outcomes``. The database the questions come from is only read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from engine.checks import check_answer
from engine.errors import LogitscopeError
from engine.formats import PromptFormat
from engine.known import Known, cancelled, load_model, recorded_probe, stored_question
from engine.lab_figures import LabAnswer, answers_of
from engine.perturb import Variant, reorder
from engine.planning import PlannedProbe, RunPlan, planned_probe, record_run, with_examples
from engine.protocol import Cancelled, Failed, JobEvent, Probe, Probed, Ready, Render
from engine.questions import Question
from engine.rendered import PromptWarning
from engine.shots import Examples
from engine.single import ask_one, token_bytes, with_readings
from engine.store import Store, StoredProbe, open_store
from engine.stored import shown_question

if TYPE_CHECKING:
    from engine.client import WorkerClient

PINNED = 12
"""Questions that are pinned where none are marked."""
MOST_PINNED = 64
"""Questions that may be pinned: they are asked anew at every pause in typing."""


class Opened(msgspec.Struct, frozen=True):
    """The model is loaded, and says which token is what."""

    ready: Ready


class Tried(msgspec.Struct, frozen=True):
    """The lab's own question has its answer.

    Attributes:
        probe: Prompt, result and readings.
        found: As in :class:`Trial`.
    """

    probe: StoredProbe
    found: tuple[PromptWarning, ...]


class Trial(msgspec.Struct, frozen=True):
    """What a format did.

    Attributes:
        format: The format.
        ready: The model that was asked.
        probe: Prompt, result and readings of the lab's own question.
        found: What the answer says is wrong with the prompt (see :mod:`engine.checks`).
        answers: The lab's own question, then the pinned ones, as far as they could be asked.
        problems: Why the others could not, a sentence each.
    """

    format: PromptFormat
    ready: Ready
    probe: StoredProbe
    found: tuple[PromptWarning, ...]
    answers: tuple[LabAnswer, ...]
    problems: tuple[str, ...]


LabEvent = JobEvent | Opened | Tried
OnLabEvent = Callable[[LabEvent], None]
"""Told on the calling thread: ``Loading``, :class:`Opened`, then of the lab's own question
``Rendered``, ``FirstToken``, ``Wrote`` and :class:`Tried`, then ``Probed`` of each of the pinned
ones."""


class Lab:
    """One question and a pinned set, to be asked in any format by the model that answered before.

    Greedy text and option continuations are asked for, no samples: what a person waits for at
    every keystroke is not multiplied by eight. Everything else is as it was for the stored probe.

    Args:
        store: Holds the probes.
        probe_id: The probe whose question the lab is about, in its option order.
        pinned: Further probes of the same run, in the order to be shown; a question in the same
            option order counts once, in whichever format it was asked, as does the lab's own.

    Raises:
        LogitscopeError: Nothing says how the probe was made, or too many are pinned.
    """

    def __init__(self, store: Store, probe_id: int, pinned: Sequence[int] = ()) -> None:
        known = Known(store, probe_id)
        settings = msgspec.structs.replace(known.plan.settings, samples=0)
        self.plan: RunPlan = msgspec.structs.replace(known.plan, settings=settings)
        self.format: PromptFormat = self.plan.formats[0]
        """What the stored probe was asked in."""
        self.asked = list(_asked(store, [probe_id, *pinned]))
        """The lab's own question, then the pinned ones, as they are shown."""
        if len(self.asked) > MOST_PINNED + 1:
            raise LogitscopeError(
                f"{len(self.asked) - 1} questions are pinned; the lab takes {MOST_PINNED}.",
                "Take some marks away, or start a run.",
            )
        self._scratch = open_store(":memory:")

    def close(self) -> None:
        """Forget every trial."""
        self._scratch.close()

    def try_format(
        self,
        fmt: PromptFormat,
        client: WorkerClient,
        *,
        on_event: OnLabEvent = lambda event: None,
        stop: threading.Event | None = None,
        busy_with: str = "",
    ) -> Trial:
        """Ask everything in a format.

        Args:
            fmt: The format.
            client: Whose worker is asked; started where it is not running.
            on_event: See :data:`OnLabEvent`.
            stop: Gives up when set; what is being computed is dropped at once.
            busy_with: The model that a run is at work with; then no other is loaded.

        Raises:
            LogitscopeError: The lab's own question can't be asked in this format, the model can't
                be asked, or ``stop`` was set.
        """
        ready = load_model(client, self.plan, on_event, stop, busy_with)
        on_event(Opened(ready))
        self.plan = with_examples(msgspec.structs.replace(self.plan, formats=(fmt,)))
        plan = _scorable(self.plan)
        planned, problems = self._planned(fmt)
        _render(client, plan, planned[0], on_event, stop)
        own = ask_one(client, plan, planned[0], ready, live=True, on_event=on_event, stop=stop)
        vocabulary, scored_by = ready.vocabulary, fmt.scored_by
        found = tuple(
            check_answer(own.prompt, own.result, lambda each: vocabulary[each].text, scored_by)
        )
        on_event(Tried(own, found))
        probes = {0: own}
        tokens = token_bytes(ready)
        for event in _probe(client, plan, planned[1:], stop):
            if isinstance(event, Failed):
                problems.append(event.sentence)
            else:
                probes[event.key] = with_readings(planned[event.key], event, tokens)
                on_event(event)
        answers = self._answers(plan, ready, [probes[key] for key in sorted(probes)])
        return Trial(fmt, ready, own, found, answers, tuple(dict.fromkeys(problems)))

    def _planned(self, fmt: PromptFormat) -> tuple[list[PlannedProbe], list[str]]:
        """What to ask, its keys its places, and why the rest can't be asked in this format."""
        planned: list[PlannedProbe] = []
        problems = []
        for asked in self.asked:
            try:
                planned.append(asked.planned(len(planned), fmt, self.plan.examples))
            except LogitscopeError as error:
                if not planned:
                    raise
                problems.append(error.sentence)
        return planned, problems

    def _answers(
        self, plan: RunPlan, ready: Ready, probes: Sequence[StoredProbe]
    ) -> tuple[LabAnswer, ...]:
        """What the answers count as, by the definitions of the store."""
        scratch = self._scratch
        with scratch.together():
            scratch.add_vocabulary(ready.model.tokenizer_hash, ready.vocabulary)
            scratch.add_questions([asked.source for asked in self.asked])
            run_id = record_run(scratch, plan, ready.model)
            scratch.write(run_id, probes)
        return answers_of(scratch.reader(), run_id, plan.formats[0].scored_by)


class AskedQuestion(msgspec.Struct, frozen=True):
    """A question as the lab shows it.

    Attributes:
        probe_id: The stored probe.
        question_index: Place of the question in its source, from 0.
        source: The question in source order.
        shown: The question in the option order, or changed as, it was asked.
    """

    probe_id: int
    question_index: int
    source: Question
    shown: Variant

    @property
    def key(self) -> tuple[int, int]:
        """As of :class:`LabAnswer`."""
        return self.question_index, self.shown.number

    def planned(self, key: int, fmt: PromptFormat, examples: Examples) -> PlannedProbe:
        """The question in a format, with that format's labels."""
        question = self.shown.question
        relabelled = reorder(question, range(len(question.options)), labels=fmt.labels)
        shown = msgspec.structs.replace(self.shown, question=relabelled)
        return planned_probe(key, self.question_index, self.source, shown, fmt, examples)


def _asked(store: Store, probe_ids: Sequence[int]) -> Iterator[AskedQuestion]:
    """The questions of some probes, each once in each option order."""
    known = set()
    for probe_id in probe_ids:
        probe = recorded_probe(store, probe_id)
        key = probe["question_id"], probe["order_index"]
        if key in known:
            continue
        known.add(key)
        shown = Variant(
            shown_question(store.reader(), probe),
            tuple(probe["permutation"]),
            probe["order_index"],
            probe["perturbation"],
        )
        source = stored_question(store, probe["question_id"])
        yield AskedQuestion(probe_id, probe["question_index"], source, shown)


def _scorable(plan: RunPlan) -> RunPlan:
    """The plan with everything asked for that the reading of its one format needs."""
    scored_by, settings = plan.formats[0].scored_by, plan.settings
    settings = msgspec.structs.replace(
        settings,
        continuations=settings.continuations or "continuation" in scored_by,
        unconditional=settings.unconditional or scored_by == "continuation_unconditional",
    )
    return msgspec.structs.replace(plan, settings=settings)


def _render(
    client: WorkerClient,
    plan: RunPlan,
    planned: PlannedProbe,
    on_event: OnLabEvent,
    stop: threading.Event | None,
) -> None:
    """Tell what the prompt is before the model is through with it."""
    budget = plan.settings.max_new_tokens
    request = Render(client.next_job(), planned.item, plan.formats, budget)
    for event in client.ask(request, stop):
        if isinstance(event, Failed):
            raise LogitscopeError(event.sentence, event.hint)
        if isinstance(event, Cancelled):
            raise cancelled()
        on_event(event)


def _probe(
    client: WorkerClient,
    plan: RunPlan,
    planned: Sequence[PlannedProbe],
    stop: threading.Event | None,
) -> Iterator[Probed | Failed]:
    """Probe questions together, before any run that is going."""
    if not planned:
        return
    items = tuple(each.item for each in planned)
    request = Probe(client.next_job(), items, plan.formats, plan.settings, live=True)
    for event in client.ask(request, stop):
        if isinstance(event, Cancelled):
            raise cancelled()
        if isinstance(event, Failed) and event.key is None:
            raise LogitscopeError(event.sentence, event.hint)
        if isinstance(event, Probed | Failed):
            yield event


def pinned_probes(store: Store, probe_id: int) -> list[int]:
    """The probes of a run that go with one of them into the lab.

    Returns:
        The marked ones of its run, each question once in each option order; where none are marked
        the first :data:`PINNED` others in the option order of the probe.
    """
    probe = recorded_probe(store, probe_id)
    query = (
        "SELECT min(probe_id) FROM listing WHERE run_id = ? AND {} "
        "GROUP BY question_index, order_index ORDER BY question_index, order_index"
    )
    marked = store.reader().execute(query.format("marked"), [probe["run_id"]]).fetchall()
    if marked:
        return [int(each) for (each,) in marked]
    others = query.format("order_index = ? AND question_id <> ?") + f" LIMIT {PINNED}"
    values = [probe["run_id"], probe["order_index"], probe["question_id"]]
    found = store.reader().execute(others, values).fetchall()
    return [int(each) for (each,) in found]
