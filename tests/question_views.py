"""Probes and a session for tests of the question screen, without a store."""

from __future__ import annotations

import math
from typing import Any

import msgspec
from textual.app import App
from textual.signal import Signal

from engine.browse import ListRow, ProbeView, RunRow
from engine.readings import Reading
from engine.records import Generation, Positions, ProbeSettings, SamplerSettings
from tests.sample_store import MODEL, sample_probe, sample_questions, vocabulary
from tui.events import MarkChanged, OverrideChanged, RerunStarted, SessionEvent
from tui.screens.question import QuestionScreen

RUN = RunRow(
    1, "run", "sample run", "sample/model", "sample.jsonl", ("low", "high"), 2, 40, 40, "finished",
    "2026-01-01 00:00:00", None,
)  # fmt: skip
SAMPLER = SamplerSettings(temperature=0.8, top_p=0.95)
QUESTIONS = 10


def make_view(index: int = 0, fmt: str = "low", order: int = 0, samples: int = 4) -> ProbeView:
    """The view of one probe of the sample store; its id is the index plus one."""
    question = sample_questions(QUESTIONS)[index]
    stored = sample_probe(
        question, index, fmt, order, ProbeSettings(samples=samples, sampler=SAMPLER)
    )
    result, shown = stored.result, stored.question
    says = {each.name: each for each in stored.readings if each.sample is None}
    tokens = dict(enumerate((e.piece, e.raw, e.special) for e in vocabulary()))
    row = ListRow(
        probe_id=index + 1,
        question_index=index,
        question_id=stored.question_id,
        subject=question.subject,
        question=question.text,
        format=fmt,
        order_index=order,
        gold=shown.gold,
        first_token=says["first_token"].label,
        first_probability=says["first_token"].confidence,
        margin=says["first_token"].margin,
        entropy=result.first.entropy,
        vocab_token=None,
        continuation=says["continuation"].label,
        text_status=says["greedy_text"].status,
        text_label=says["greedy_text"].label,
        majority=None,
        majority_status=None,
        sample_agreement=None,
        flags=("mismatch", "low_margin") if index % 2 == 0 else (),
        marked=False,
        option_probabilities=tuple(
            zip(shown.labels, map(math.exp, result.label_logprobs), strict=True)
        ),
        top_tokens=(),
    )
    return ProbeView(
        row=row,
        run=RUN,
        question=shown,
        permutation=stored.permutation,
        model=MODEL,
        prompt=stored.prompt.text,
        prompt_ids=stored.prompt.token_ids,
        label_ids=stored.prompt.label_ids,
        chat=stored.prompt.chat,
        shots=0,
        dropped_tokens=0,
        warnings=tuple((each.code, each.message) for each in stored.prompt.warnings),
        vocab_size=MODEL.vocab_size,
        spellings=tuple(result.spellings),
        continuations=tuple(result.continuations),
        generations=tuple(result.generations),
        readings=tuple(stored.readings),
        override=None,
        sampler={
            "temperature": SAMPLER.temperature,
            "top_p": SAMPLER.top_p,
            "top_k": SAMPLER.top_k,
            "repetition_penalty": SAMPLER.repetition_penalty,
        },
        tokens=tokens,
    )


def without_positions(view: ProbeView) -> ProbeView:
    """The same probe as an import of texts alone has it."""
    empty = Positions([], [], [], [], [], [], [], [])
    replace = msgspec.structs.replace
    return replace(
        view,
        row=replace(view.row, option_probabilities=()),
        generations=tuple(replace(each, positions=empty) for each in view.generations),
        prompt_ids=(),
        spellings=(),
        continuations=(),
        tokens={},
    )


def greedy_of(view: ProbeView) -> Generation:
    """The greedy generation of a probe."""
    return view.generations[0]


class FakeListing:
    """A listing of as many probes as there are."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length


class FakeSession:
    """What the question screen needs of a session, answered from memory."""

    read_only = False
    demo = False
    sought = "mismatch"

    def __init__(self, views: list[ProbeView]) -> None:
        self.views = {view.row.probe_id: view for view in views}
        self.ids = list(self.views)
        self.position = 0
        self.listing = FakeListing(len(views))
        self.rerun_of: list[int] = []
        self.signal: Signal[SessionEvent]

    def attach(self, app: App[Any]) -> None:
        self.signal = Signal(app, "session")

    def tell(self, event: SessionEvent) -> None:
        self.signal.publish(event)

    async def view_async(self, probe_id: int) -> ProbeView:
        return self.views[probe_id]

    async def tokens(
        self, run_id: int, ids: list[int]
    ) -> dict[int, tuple[str | None, bytes, bool]]:
        entries = vocabulary()
        return {i: (entries[i].piece, entries[i].raw, entries[i].special) for i in ids}

    def step(self, delta: int) -> int | None:
        return self._move(self.position + delta)

    def step_flagged(self, delta: int) -> int | None:
        place = self.position + delta
        while 0 <= place < len(self.ids):
            if "mismatch" in self.views[self.ids[place]].row.flags:
                return self._move(place)
            place += delta
        return None

    def _move(self, place: int) -> int | None:
        if not 0 <= place < len(self.ids):
            return None
        self.position = place
        return self.ids[place]

    def toggle_mark(self, probe_id: int) -> None:
        view = self.views[probe_id]
        row = msgspec.structs.replace(view.row, marked=not view.row.marked)
        self.views[probe_id] = msgspec.structs.replace(view, row=row)
        self.tell(MarkChanged(probe_id, row.marked))

    def decide(self, probe_id: int, status: Any, label: str | None = None) -> None:
        override = None
        if status is not None:
            override = Reading("greedy_text", status, label=label, rule="override")
        self.views[probe_id] = msgspec.structs.replace(self.views[probe_id], override=override)
        self.tell(OverrideChanged(probe_id))

    def rerun(self, probe_id: int) -> None:
        self.rerun_of.append(probe_id)
        self.tell(RerunStarted(probe_id))


class QuestionApp(App[None]):
    """An app with nothing but the question screen."""

    CSS_PATH = "../tui/logitscope.tcss"

    def __init__(self, views: list[ProbeView] | None = None) -> None:
        super().__init__()
        self.session = FakeSession(views or [make_view(index) for index in range(QUESTIONS)])
        self.session.attach(self)

    def on_mount(self) -> None:
        self.push_screen(QuestionScreen(self.session, self.session.ids[0]))  # type: ignore[arg-type]
