"""Probes and a session for tests of the question screen, without a store."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from textual.app import App
from textual.signal import Signal

from engine.browse import ListRow, ProbeView, RunRow
from engine.errors import LogitscopeError
from engine.followups import Answered
from engine.planning import RunPlan
from engine.protocol import Ready, VocabularyEntry
from engine.questions import Option, Question
from engine.readings import Reading, Status
from engine.records import (
    Continuation,
    Distribution,
    Generation,
    Positions,
    ProbeResult,
    ProbeSettings,
    Spelling,
)
from engine.rendered import PromptWarning, RenderedPrompt
from engine.store import StoredProbe
from tests.sample_store import MODEL
from tui.asking import Ask, Rerun
from tui.events import (
    AskCancelled,
    AskStarted,
    EditKept,
    MarkChanged,
    OverrideChanged,
    SessionEvent,
)
from tui.screens.question import QuestionScreen

RUN = RunRow(
    1, "run", "demo run", "sample/model", "sample.jsonl", ("low", "high"), 2, 5, 5, "finished",
    "2026-01-01 00:00:00", None,
)  # fmt: skip
SAMPLER = {"temperature": 0.8, "top_p": 0.9, "top_k": 0.0, "repetition_penalty": 1.0}
VOCAB_SIZE = 2048
KEPT = 20
LOGSUMEXP = 12.0
END = "<|im_end|>"

Said = tuple[list[bytes], Status, str | None, tuple[int, int] | None]
"""Pieces of a reply, what it is, the option it names, and the span that says so."""

PLANETS = Question(
    "Which planet is closest to the sun?",
    tuple(map(Option, "ABCD", ("Venus", "Mercury", "Mars", "Earth"))),
    "B",
    "astronomy",
    "sample",
)
WATER = Question(
    "水の化学式は何ですか？",
    tuple(map(Option, "ABCD", ("H₂O", "CO₂", "酸素", "NaCl"))),
    "A",
    "chemistry",
    "sample",
)
NEWS = Question(
    "How much do you trust the news?",
    tuple(map(Option, "ABCD", ("A lot", "Some", "Not at all", "Refused"))),
    None,
    "opinion",
    "survey",
)
_RIGHT: Said = (
    [b"The", b" correct", b" answer", b" is", b" B", b".", b" Mercury", b"."], "option", "B",
    (22, 23),
)  # fmt: skip
_LETTER: Said = ([b"B"], "option", "B", (0, 1))
_WRONG: Said = ([b"The", b" correct", b" answer", b" is", b" D", b"."], "option", "D", (22, 23))
_BOTH: Said = ([b"The", b" answer", b" is", b" A", b" or", b" D", b"."], "several", None, None)
_REFUSAL: Said = (
    [b"I", b"'m", b" sorry", b",", b" but", b" I", b" can", b"'t", b" say", b"."], "refusal", "D",
    (0, 26),
)  # fmt: skip
_WIDE: Said = (
    ["答".encode(), b"\xe3\x81", b"\x88", "は".encode(), b" A", "です".encode(), b" ",
     b"\xf0\x9f\x99", b"\x82", b"\n\n", b"\t", b"H", "₂O".encode()],
    "option", "A", (4, 5),
)  # fmt: skip
ASKED: tuple[tuple[Question, tuple[Said, ...]], ...] = (
    (PLANETS, (_RIGHT, _WRONG, _RIGHT, _LETTER, _BOTH)),
    (WATER, (_WIDE, _WIDE, _LETTER, _WIDE, _WIDE)),
    (NEWS, (_REFUSAL, _LETTER, _REFUSAL, _REFUSAL, _BOTH)),
)
FLAGS = (("mismatch", "low_margin"), (), ("mismatch", "refusal"))


class Vocabulary:
    """Ids for pieces in the order they are first asked for, special tokens marked."""

    def __init__(self) -> None:
        self.ids: dict[bytes, int] = {}

    def __getitem__(self, raw: bytes) -> int:
        return self.ids.setdefault(raw, 100 + len(self.ids))

    @property
    def entries(self) -> dict[int, tuple[str | None, bytes, bool]]:
        """Piece, bytes and special of every id so far."""
        return {
            number: (raw.decode("latin-1"), raw, raw.startswith(b"<|"))
            for raw, number in self.ids.items()
        }


VOCABULARY = Vocabulary()
FILLERS = [VOCABULARY[f"{blank}{word}".encode()] for blank in ("", " ") for word in (
    *"ABCD", "The", "I", "Sure", "Both", "None", "Mars", "Earth", "answer", "is", "of", "and",
)]  # fmt: skip


def distribution(key: str, chosen: int, rank: int) -> Distribution:
    """A made-up distribution with a token at a rank; a rank beyond the kept ones leaves it out."""
    draw = random.Random(key)
    ids = [each for each in draw.sample(FILLERS, len(FILLERS)) if each != chosen]
    ids.insert(rank - 1, chosen)
    weights = [draw.uniform(0.3, 0.7) ** place for place in range(KEPT)]
    weights.sort(reverse=True)
    unseen = 0.003
    logprobs = [math.log(weight / sum(weights) * (1 - unseen)) for weight in weights]
    entropy = -sum(math.exp(each) * each for each in logprobs)
    return Distribution(ids[:KEPT], logprobs, entropy, LOGSUMEXP, unseen)


def generation(key: str, index: int, said: Said) -> Generation:
    """A greedy (index 0) or sampled generation with its distributions."""
    pieces = [*said[0], END.encode()]
    ids = [VOCABULARY[piece] for piece in pieces]
    ranks = [1 if not index else 1 + (place * 7 + index) % 4 for place in range(len(ids))]
    if index:
        ranks[-1] = KEPT + 12
    rows = [
        distribution(f"{key}/{ids[:place]}", token_id, rank)
        for place, (token_id, rank) in enumerate(zip(ids, ranks, strict=True))
    ]
    logprobs = [
        row.top_logprobs[rank - 1] if rank <= KEPT else -9.5
        for row, rank in zip(rows, ranks, strict=True)
    ]
    kept = [_after_top_p(row) for row in rows]
    return Generation(
        kind="sample" if index else "greedy",
        index=index,
        text=b"".join(said[0]).decode(),
        finish_reason="stop",
        positions=Positions(
            token_ids=ids,
            logprobs=logprobs,
            ranks=ranks,
            entropies=[row.entropy for row in rows],
            logsumexps=[row.logsumexp for row in rows],
            unseen=[row.unseen for row in rows],
            top_ids=[row.top_ids for row in rows],
            top_logprobs=[row.top_logprobs for row in rows],
            sampler_logprobs=[each / 0.8 for each in logprobs] if index else None,
            sampler_logsumexps=[total for total, _ in kept] if index else None,
            sampler_cutoffs=[cutoff for _, cutoff in kept] if index else None,
        ),
    )


def _after_top_p(row: Distribution) -> tuple[float, float]:
    """The logsumexp over the scaled logits that top-p keeps, and the smallest of them."""
    scaled = [(each + LOGSUMEXP) / SAMPLER["temperature"] for each in row.top_logprobs]
    odds = [math.exp(each) for each in scaled]
    count = next(n for n in range(1, KEPT + 1) if sum(odds[:n]) >= SAMPLER["top_p"] * sum(odds))
    return math.log(sum(odds[:count])), scaled[count - 1]


def make_view(index: int = 0) -> ProbeView:
    """The view of one probe; its id is the index plus one."""
    question, replies = ASKED[index % len(ASKED)]
    key = f"probe {index}"
    generations = tuple(generation(key, n, said) for n, said in enumerate(replies))
    labels = [VOCABULARY[label.encode()] for label in question.labels]
    shares = (0.35, 0.31, 0.05, 0.01)
    prompt_pieces = _prompt_pieces(question)
    return ProbeView(
        row=_row(index, question, tuple(zip(question.labels, shares, strict=True))),
        run=RUN,
        question=question,
        permutation=(0, 1, 2, 3),
        model=None,
        prompt=b"".join(prompt_pieces).decode(),
        prompt_ids=tuple(VOCABULARY[piece] for piece in prompt_pieces),
        label_ids=tuple(labels),
        chat=True,
        shots=0,
        dropped_tokens=0,
        warnings=()
        if index != 1
        else (
            ("double-bos", "The prompt begins with two begin tokens; the template adds one."),
            ("trailing-space", "The prompt ends in a space, which most tokenizers join on."),
        ),
        vocab_size=VOCAB_SIZE,
        spellings=tuple(
            Spelling(label, spelling, VOCABULARY[first], whole, math.log(share) - loss)
            for label, share in zip(question.labels, shares, strict=True)
            for spelling, first, whole, loss in (
                (label, label.encode(), True, 0.0),
                (f" {label}", f" {label}".encode(), True, 3.0),
                (f"({label}", b"(", False, 7.0),
            )
        ),
        continuations=tuple(
            continuation
            for number, option in enumerate(question.options)
            for continuation in (
                Continuation(option.label, "label", option.label, [1], [-1.0 - number], number < 1),
                Continuation(
                    option.label, "text", f" {option.text}", [1, 2], [-2.0 - number, -0.5], False
                ),
            )
        ),
        generations=generations,
        readings=tuple(_readings(replies)),
        override=None,
        sampler=SAMPLER,
        tokens=VOCABULARY.entries,
        first=distribution(f"{key}/[]", generations[0].positions.token_ids[0], 1),
    )


def _row(index: int, question: Question, shares: tuple[tuple[str, float], ...]) -> ListRow:
    return ListRow(
        probe_id=index + 1,
        question_index=index,
        question_id=question.id,
        subject=question.subject,
        question=question.text,
        format="low",
        order_index=0,
        gold=question.gold,
        first_token="A",
        first_probability=0.49,
        margin=0.05,
        entropy=1.5,
        vocab_token="The",
        continuation="A",
        text_status="option",
        text_label="B",
        majority="B",
        majority_status="option",
        sample_agreement=0.5,
        flags=FLAGS[index % len(FLAGS)],
        marked=False,
        option_probabilities=shares,
        top_tokens=(),
    )


def _prompt_pieces(question: Question) -> list[bytes]:
    pieces = [b"<|im_start|>", b"user", b"\n"]
    for line in (question.text, *(f"{o.label}. {o.text} " for o in question.options), "Answer:"):
        words = line.split(" ")
        pieces += [words[0].encode(), *(f" {word}".encode() for word in words[1:]), b"\n"]
    return [*pieces, END.encode(), b"\n", b"<|im_start|>", b"assistant", b"\n"]


def _readings(replies: Sequence[Said]) -> list[Reading]:
    readings = [
        Reading("first_token", "option", None, "A", (), 0.49, 0.05, "argmax"),
        Reading("vocab_argmax", "unparsed", confidence=0.31, rule='token "The"'),
        Reading("continuation", "option", None, "A", (), 0.66, 0.42, "argmax"),
    ]
    for number, (_, status, label, span) in enumerate(replies):
        readings.append(
            Reading(
                "sample_text" if number else "greedy_text",
                status,
                number or None,
                label,
                ("A", "D") if status == "several" else (),
                rule="declared" if status == "option" else status,
                span=span,
                hedged=number == 3,
            )
        )
    return [*readings, Reading("majority", "option", None, "B", (), 0.5, 0.25, "mode")]


def grown(view: ProbeView) -> ProbeView:
    """The first question with what a person asked for: two extra samples and three branches."""
    key = f"probe {view.row.question_index}"
    extras = [
        msgspec.structs.replace(generation(key, index, said), kind="extra")
        for index, said in ((5, _WRONG), (6, _LETTER))
    ]
    not_b: Said = (
        [b"The", b" correct", b" answer", b" isn't", b" B", b"."],
        "unparsed",
        None,
        None,
    )
    sorry: Said = (
        [b"The", b" correct", b" answer", b" isn't", b" A", b"."],
        "option",
        "A",
        (26, 27),
    )
    wrong: Said = ([b"The", b" only", b" answer", b" is", b" C", b"."], "option", "C", (19, 20))
    made = ((-1, 0, 3, not_b), (-2, -1, 4, sorry), (-3, 1, 1, wrong))
    branches = [
        msgspec.structs.replace(
            generation(key, 0, said), kind="branch", index=index, parent=parent, fork=fork
        )
        for index, parent, fork, said in made
    ]
    readings = [
        Reading("extra_text", "option", 5, "D", rule="declared", span=(22, 23)),
        Reading("extra_text", "option", 6, "B", rule="letter", span=(0, 1)),
        *(
            Reading("branch_text", said[1], index, said[2], rule="declared", span=said[3])
            for index, _, _, said in made
        ),
    ]
    return msgspec.structs.replace(
        view,
        generations=(*view.generations, *extras, *branches),
        readings=(*view.readings, *readings),
        tokens=VOCABULARY.entries,
    )


def edited_answer(view: ProbeView, prompt: str) -> Answered:
    """What the model says to a probe's prompt that was changed by hand."""
    said: Said = ([b"Sure", b"!", b" A"], "option", "A", (6, 7))
    text = generation("edited", 0, said)
    vocabulary = {number: raw for raw, number in VOCABULARY.ids.items()}
    ready = Ready(
        1,
        MODEL,
        tuple(
            VocabularyEntry(raw.decode("latin-1"), raw, raw.startswith(b"<|"))
            for raw in (vocabulary.get(number, b"") for number in range(max(vocabulary) + 1))
        ),
    )
    warnings = (
        PromptWarning("edited", "The prompt was changed by hand."),
        PromptWarning("trailing-space", "The prompt ends in a space."),
    )
    rendered = RenderedPrompt(
        question_id=view.row.question_id,
        format=view.row.format,
        order=0,
        labels=view.question.labels,
        text=prompt,
        token_ids=(*view.prompt_ids, VOCABULARY[b" "]),
        pieces=(),
        label_ids=view.label_ids,
        spellings=(),
        continuations=(),
        chat=True,
        shots=0,
        dropped_tokens=0,
        warnings=warnings,
    )
    result = ProbeResult(
        first=distribution("edited", VOCABULARY[b"Sure"], 1),
        label_logprobs=[math.log(share) for share in (0.6, 0.2, 0.05, 0.01)],
        spellings=[],
        continuations=[],
        generations=[text],
    )
    probe = StoredProbe(
        question_index=view.row.question_index,
        question=view.question,
        question_id=view.row.question_id,
        permutation=view.permutation,
        prompt=rendered,
        result=result,
        readings=[Reading("greedy_text", "option", label="A", rule="declared", span=(6, 7))],
    )
    plan = RunPlan("sample/model", "sample.jsonl", (), ProbeSettings())
    return Answered(probe, plan, 1, ready)


def without_positions(view: ProbeView) -> ProbeView:
    """The same probe as an import of texts alone has it."""
    empty = Positions([], [], [], [], [], [], [], [])
    replace = msgspec.structs.replace
    return replace(
        view,
        row=replace(view.row, option_probabilities=()),
        generations=tuple(replace(each, positions=empty) for each in view.generations),
        prompt_ids=(),
        first=None,
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


class FakeAsking:
    """Remembers what was asked; nothing ever answers by itself."""

    def __init__(self, tell: Callable[[SessionEvent], None]) -> None:
        self._tell = tell
        self.asked: list[Ask] = []
        self.going: Ask | None = None

    def ask(self, ask: Ask) -> None:
        self.cancel()
        self.asked.append(ask)
        self.going = ask
        self._tell(AskStarted(ask))

    def cancel(self) -> bool:
        going, self.going = self.going, None
        if going is not None:
            self._tell(AskCancelled(going))
        return going is not None


class FakeSession:
    """What the question screen needs of a session, answered from memory."""

    read_only = False
    demo = False
    sought = "mismatch"
    unaskable: LogitscopeError | None = None

    def __init__(self, views: list[ProbeView]) -> None:
        self.views = {view.row.probe_id: view for view in views}
        self.ids = list(self.views)
        self.position = 0
        self.listing = FakeListing(len(views))
        self.asking = FakeAsking(self.tell)
        self.kept: list[Any] = []
        self.signal: Signal[SessionEvent]

    def attach(self, app: App[Any]) -> None:
        self.signal = Signal(app, "session")

    def tell(self, event: SessionEvent) -> None:
        self.signal.publish(event)

    async def view_async(self, probe_id: int) -> ProbeView:
        return self.views[probe_id]

    def read_ahead(self, *, around: bool = False) -> None:
        assert around

    async def tokens(
        self, run_id: int, ids: list[int]
    ) -> dict[int, tuple[str | None, bytes, bool]]:
        return {token_id: VOCABULARY.entries[token_id] for token_id in ids}

    @property
    def probe_id(self) -> int:
        return self.ids[self.position]

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
        self.ask(Rerun(probe_id))

    def ask(self, ask: Ask) -> None:
        self.asking.ask(ask)

    @property
    def last(self) -> Any:
        """What was asked last."""
        return self.asking.asked[-1]

    async def check_askable(self, probe_id: int) -> None:
        if self.unaskable is not None:
            raise self.unaskable

    def keep(self, edited: Any) -> None:
        self.kept.append(edited)
        self.tell(EditKept(edited, 7))


class QuestionApp(App[None]):
    """An app with nothing but the question screen."""

    CSS_PATH = "../tui/logitscope.tcss"

    def __init__(self, views: list[ProbeView] | None = None) -> None:
        super().__init__()
        self.session = FakeSession(views or [make_view(index) for index in range(5)])
        self.session.attach(self)

    def on_mount(self) -> None:
        self.push_screen(QuestionScreen(self.session, self.session.ids[0]))  # type: ignore[arg-type]


def _use_everything() -> None:
    """Ids go by first use, distributions by ids: after this neither depends on what runs first."""
    for number in range(len(ASKED)):
        make_view(number)
    edited_answer(grown(make_view(0)), "")


_use_everything()
