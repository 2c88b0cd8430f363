"""What is asked about one stored probe: again, edited, more samples, branches."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.browse import ProbeView, probe_view, runs, shown_question
from engine.client import WorkerClient
from engine.demo import EMBEDDED_MODEL, QUESTIONS
from engine.errors import CancelledError, LogitscopeError, ModelError
from engine.followups import (
    MOST_SAMPLES,
    ask_edited,
    branch,
    keep,
    model_of,
    more_samples,
    rerun,
    token_called,
)
from engine.protocol import FirstToken, JobEvent, Load, Loading, Note, Wrote
from engine.readings import read_text
from engine.records import Generation, ProbeSettings, SamplerSettings
from engine.runs import execute, plan_run
from engine.store import Store, open_store
from tests.fake_worker import BRANCH, END_ID, IDS, PIECES, fake_command
from tests.test_runs import FORMATS, SETTINGS, fetch, write_questions

Start = Callable[..., WorkerClient]
PROBE = 7
"""The probe that most tests ask about."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerClient]:
    """One fake worker for all that needs no other."""
    log = tmp_path_factory.mktemp("followups") / "worker.log"
    with WorkerClient(log_path=log, command=fake_command(), niceness=0) as client:
        yield client


@pytest.fixture(scope="module")
def recorded(client: WorkerClient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with one run of the fake model."""
    folder = tmp_path_factory.mktemp("recorded")
    questions = write_questions(folder, 6)
    plan = plan_run("fake", str(questions), FORMATS, SETTINGS, orders=2, limit=6)
    with open_store(folder / "runs.duckdb") as store:
        assert execute(store, plan, client).status == "finished"
    questions.unlink()
    return folder / "runs.duckdb"


@pytest.fixture
def store(recorded: Path, tmp_path: Path) -> Iterator[Store]:
    path = tmp_path / "runs.duckdb"
    path.write_bytes(recorded.read_bytes())
    with open_store(path) as opened:
        yield opened


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Make clients of misbehaving fakes; every one is closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(*arguments: str) -> WorkerClient:
            command = fake_command(*arguments)
            client = WorkerClient(log_path=tmp_path / "worker.log", command=command, niceness=0)
            return stack.enter_context(client)

        yield make


def of_run(store: Store, run_id: int = 1) -> dict[str, list[tuple[Any, ...]]]:
    """All that a run has stored and that a number of it is made of."""
    probes = f"(SELECT probe_id FROM probes WHERE run_id = {run_id})"
    texts = "name NOT IN ('extra_text', 'branch_text')"
    return {
        "runs": fetch(store, f"FROM runs WHERE run_id = {run_id}"),
        "outcomes": fetch(store, f"FROM outcomes WHERE run_id = {run_id} ORDER BY ALL"),
        "fresh": fetch(store, f"FROM outcome_rows WHERE run_id = {run_id} ORDER BY ALL"),
        "readings": fetch(
            store, f"FROM readings WHERE probe_id IN {probes} AND {texts} ORDER BY ALL"
        ),
        "texts": fetch(
            store,
            f"FROM generations WHERE probe_id IN {probes} AND kind IN ('greedy', 'sample') "
            "ORDER BY ALL",
        ),
        "probes": fetch(store, f"FROM probes WHERE run_id = {run_id} ORDER BY ALL"),
    }


def texts_of(view: ProbeView) -> dict[int, Generation]:
    return {text.index: text for text in view.generations}


def written(store: Store, probe_id: int, sample: int) -> list[int]:
    return texts_of(probe_view(store, probe_id))[sample].positions.token_ids


def other_than(token_id: int) -> int:
    return IDS["A"] if token_id != IDS["A"] else IDS["B"]


def assert_read(store: Store, probe_id: int) -> None:
    """Every later text is stored with what the ladder says about it, and once."""
    view = probe_view(store, probe_id)
    question = shown_question(store, probe_id)
    later = [text for text in view.generations if text.kind in ("extra", "branch")]
    found = [each for each in view.readings if each.name in ("extra_text", "branch_text")]
    expected = {text.index: read_text(question, text) for text in later}
    assert {each.sample: each for each in found} == expected
    assert len(found) == len(later)


# Again


def test_rerun_repeats_a_probe_live(store: Store, client: WorkerClient) -> None:
    before = of_run(store)
    events: list[JobEvent] = []
    new_id = rerun(store, PROBE, client, on_event=events.append)
    old, new = (
        fetch(
            store,
            "SELECT question_id, question_index, format, order_index, permutation, gold, prompt, "
            f"top_logprobs FROM probes WHERE probe_id = {number}",
        )
        for number in (PROBE, new_id)
    )
    assert old == new
    assert fetch(store, "SELECT kind, parent_run, planned, status FROM runs WHERE run_id = 2") == [
        ("rerun", 1, 1, "finished")
    ]
    assert any(isinstance(event, FirstToken) for event in events)
    assert any(isinstance(event, Wrote) for event in events)
    assert of_run(store) == before


def test_rerun_loads_the_model_first(store: Store, start: Start) -> None:
    events: list[JobEvent] = []
    again = rerun(store, 1, start(), on_event=events.append)
    assert isinstance(events[0], Loading)
    assert rerun(store, again, start()) == again + 1
    assert [(run.run_id, run.kind) for run in runs(store)] == [
        (3, "rerun"),
        (2, "rerun"),
        (1, "run"),
    ]


def test_a_rerun_that_is_stopped_stores_nothing(store: Store, start: Start) -> None:
    stop = threading.Event()
    with pytest.raises(LogitscopeError, match="cancelled"):
        rerun(store, 1, start("--delay", "1"), on_event=lambda event: stop.set(), stop=stop)
    assert len(runs(store)) == 1


# Edited

EDITED = "Is two a prime number?\nAnswer: "


def test_an_edited_prompt_is_asked_and_not_stored(store: Store, client: WorkerClient) -> None:
    before = of_run(store)
    events: list[JobEvent] = []
    edited = ask_edited(store, PROBE, EDITED, client, on_event=events.append)
    assert edited.probe.prompt.text == EDITED
    assert edited.probe.question == shown_question(store, PROBE)
    assert edited.probe.readings
    assert len(edited.probe.result.generations) == 1 + SETTINGS.samples
    assert any(isinstance(event, FirstToken) for event in events)
    assert len(runs(store)) == 1
    assert of_run(store) == before


def test_a_kept_edit_is_a_run_of_its_own_and_repeats_its_text(
    store: Store, client: WorkerClient
) -> None:
    before = of_run(store)
    edited = ask_edited(store, PROBE, EDITED, client)
    kept = keep(store, edited)
    view, parent = probe_view(store, kept), probe_view(store, PROBE)
    assert (view.prompt, view.run.kind, view.run.status) == (EDITED, "edit", "finished")
    assert (view.row.format, view.row.order_index) == (parent.row.format, parent.row.order_index)
    assert view.permutation == parent.permutation
    assert fetch(store, "SELECT parent_run, planned FROM runs WHERE run_id = 2") == [(1, 1)]
    again = rerun(store, kept, client)
    assert probe_view(store, again).prompt == EDITED
    assert fetch(store, "SELECT kind, parent_run FROM runs WHERE run_id = 3") == [("edit", 2)]
    further = ask_edited(store, kept, "Now?", client)
    assert (further.probe.prompt.text, further.parent_run) == ("Now?", 2)
    assert of_run(store) == before


def test_an_edited_prompt_can_be_extended(store: Store, client: WorkerClient) -> None:
    kept = keep(store, ask_edited(store, PROBE, EDITED, client))
    assert more_samples(store, kept, 2, client) == [3, 4]
    token = written(store, kept, 0)[1]
    assert branch(store, kept, 0, 1, other_than(token), client) == -1
    assert_read(store, kept)


def test_an_empty_prompt_is_not_asked(store: Store, client: WorkerClient) -> None:
    with pytest.raises(LogitscopeError, match="The prompt is empty"):
        ask_edited(store, PROBE, "", client)


# More samples


def test_more_samples_are_numbered_on(store: Store, client: WorkerClient) -> None:
    before = of_run(store)
    events: list[JobEvent] = []
    assert more_samples(store, PROBE, 3, client, on_event=events.append) == [3, 4, 5]
    assert more_samples(store, PROBE, 1, client) == [6]
    view = probe_view(store, PROBE)
    assert [(text.kind, text.index) for text in view.generations] == [
        ("greedy", 0),
        ("sample", 1),
        ("sample", 2),
        *(("extra", number) for number in (3, 4, 5, 6)),
    ]
    told = [event.token_ids for event in events if isinstance(event, Wrote)]
    for row, number in enumerate((3, 4, 5)):
        ids = written(store, PROBE, number)
        assert [tokens[row] for tokens in told] == ids + [None] * (len(told) - len(ids))
    assert_read(store, PROBE)
    assert of_run(store) == before
    assert fetch(store, "SELECT max(sample_count) FROM outcomes") == [(SETTINGS.samples,)]


def test_other_probes_count_for_themselves(store: Store, client: WorkerClient) -> None:
    assert more_samples(store, PROBE, 2, client) == [3, 4]
    assert more_samples(store, PROBE + 1, 2, client) == [3, 4]
    assert_read(store, PROBE + 1)


def test_a_probe_without_texts_gets_its_first_samples(tmp_path: Path, client: WorkerClient) -> None:
    settings = ProbeSettings(generations=False)
    plan = plan_run("fake", str(write_questions(tmp_path, 1)), ["low"], settings)
    with open_store(tmp_path / "bare.duckdb") as store:
        execute(store, plan, client)
        assert more_samples(store, 1, 2, client) == [1, 2]
        assert [text.kind for text in probe_view(store, 1).generations] == ["extra", "extra"]
        assert fetch(store, "SELECT sample_count, majority_status FROM outcomes") == [(None, None)]


@pytest.mark.parametrize("count", [0, -1, MOST_SAMPLES + 1])
def test_a_count_that_cannot_be_is_said(store: Store, client: WorkerClient, count: int) -> None:
    with pytest.raises(LogitscopeError, match=f"{count} samples can't be drawn at once"):
        more_samples(store, PROBE, count, client)
    assert len(probe_view(store, PROBE).generations) == 3


# Branches


def test_a_branch_is_stored_beside_the_text_that_it_leaves(
    store: Store, client: WorkerClient
) -> None:
    before = of_run(store)
    events: list[JobEvent] = []
    greedy = written(store, PROBE, 0)
    token = other_than(greedy[2])
    assert branch(store, PROBE, 0, 2, token, client, on_event=events.append) == -1
    text = texts_of(probe_view(store, PROBE))[-1]
    assert (text.kind, text.parent, text.fork) == ("branch", 0, 2)
    assert text.text == "".join(PIECES[i] for i in [*greedy[:2], token]) + BRANCH
    assert any(isinstance(event, Wrote) for event in events)
    assert_read(store, PROBE)
    assert of_run(store) == before


def test_branches_of_samples_and_of_branches_are_numbered_down(
    store: Store, client: WorkerClient
) -> None:
    before = of_run(store)
    more_samples(store, PROBE, 1, client)
    for number, (parent, fork) in enumerate([(1, 0), (-1, 3), (3, 1), (-2, 4), (-1, 0)], 1):
        token = other_than(written(store, PROBE, parent)[fork])
        beginning = [*written(store, PROBE, parent)[:fork], token]
        assert branch(store, PROBE, parent, fork, token, client) == -number
        text = texts_of(probe_view(store, PROBE))[-number]
        assert (text.parent, text.fork) == (parent, fork)
        assert text.text == "".join(PIECES[i] for i in beginning) + BRANCH
    assert [text.index for text in probe_view(store, PROBE).generations] == [
        *range(4),
        *range(-1, -6, -1),
    ]
    assert more_samples(store, PROBE, 1, client) == [4]
    assert_read(store, PROBE)
    assert of_run(store) == before


def test_the_last_token_of_a_text_can_be_replaced(store: Store, client: WorkerClient) -> None:
    greedy = written(store, PROBE, 0)
    assert greedy[-1] == END_ID
    assert branch(store, PROBE, 0, len(greedy) - 1, IDS["!"], client) == -1


@pytest.mark.parametrize(("sample", "position"), [(0, 1000), (0, -1), (9, 0), (-1, 0)], ids=str)
def test_a_token_that_is_not_there_cannot_be_replaced(
    store: Store, client: WorkerClient, sample: int, position: int
) -> None:
    sentence = f"Text {sample} of probe {PROBE} has no recorded token {position}"
    with pytest.raises(LogitscopeError, match=sentence) as caught:
        branch(store, PROBE, sample, position, IDS["A"], client)
    assert caught.value.hint


def test_the_token_that_was_written_is_no_branch(store: Store, client: WorkerClient) -> None:
    token = written(store, PROBE, 0)[1]
    with pytest.raises(LogitscopeError, match=f"Token {token} is what the text has there"):
        branch(store, PROBE, 0, 1, token, client)


@pytest.mark.parametrize("token_id", [-1, len(PIECES), 10**9])
def test_a_token_that_the_model_does_not_have_is_said(
    store: Store, client: WorkerClient, token_id: int
) -> None:
    with pytest.raises(LogitscopeError, match=f"has no token {token_id}") as caught:
        branch(store, PROBE, 0, 1, token_id, client)
    assert str(len(PIECES) - 1) in caught.value.hint
    assert len(probe_view(store, PROBE).generations) == 3


# What can't be asked

Ask = Callable[[Store, int, WorkerClient], object]
ASKS: dict[str, Ask] = {
    "rerun": rerun,
    "edit": lambda store, probe_id, client: ask_edited(store, probe_id, EDITED, client),
    "samples": lambda store, probe_id, client: more_samples(store, probe_id, 2, client),
    "branch": lambda store, probe_id, client: branch(
        store, probe_id, 0, 1, other_than(written(store, PROBE, 0)[1]), client
    ),
}
EXTENDING = ("samples", "branch")
every_ask = pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
every_extension = pytest.mark.parametrize("ask", [ASKS[name] for name in EXTENDING], ids=EXTENDING)


def stored(store: Store) -> list[tuple[Any, ...]]:
    tables = ("runs", "probes", "generations", "positions", "readings", "outcomes")
    counts = ", ".join(f"(SELECT count(*) FROM {table})" for table in tables)
    return fetch(store, f"SELECT {counts}")


@every_ask
def test_an_imported_probe_cannot_be_asked(store: Store, client: WorkerClient, ask: Ask) -> None:
    store._writer.execute("UPDATE runs SET settings = '{}', kind = 'import'")
    before = stored(store)
    with pytest.raises(LogitscopeError, match=f"how probe {PROBE} was made") as caught:
        ask(store, PROBE, client)
    assert caught.value.hint
    assert stored(store) == before


@every_ask
def test_a_probe_that_is_not_there_is_said(store: Store, client: WorkerClient, ask: Ask) -> None:
    with pytest.raises(LogitscopeError, match="12345"):
        ask(store, 12345, client)


@every_extension
def test_a_prompt_without_tokens_cannot_be_extended(
    store: Store, client: WorkerClient, ask: Ask
) -> None:
    store._writer.execute("UPDATE probes SET prompt_ids = NULL")
    with pytest.raises(LogitscopeError, match=f"tokens of the prompt of probe {PROBE} are unknown"):
        ask(store, PROBE, client)


@every_extension
def test_another_model_does_not_write_more_of_a_text(store: Store, start: Start, ask: Ask) -> None:
    before = stored(store)
    with pytest.raises(LogitscopeError, match="number of parameters 0, now it is 7"):
        ask(store, PROBE, start("--parameters", "7"))
    assert stored(store) == before


def test_another_model_may_be_asked_anew(store: Store, start: Start) -> None:
    new_id = rerun(store, PROBE, start("--parameters", "7"))
    model = probe_view(store, new_id).model
    assert model is not None
    assert model.parameters == 7


@every_extension
def test_other_weights_do_not_write_more_of_a_text(
    tmp_path: Path, client: WorkerClient, ask: Ask
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"one")
    plan = plan_run(str(folder), str(write_questions(tmp_path, 4)), FORMATS, SETTINGS)
    with open_store(tmp_path / "own.duckdb") as store:
        execute(store, plan, client)
        ask(store, PROBE, client)
        (folder / "model.safetensors").write_bytes(b"two")
        before = stored(store)
        with pytest.raises(ModelError, match="has changed"):
            ask(store, PROBE, client)
        assert stored(store) == before
        # Asked anew, they are another run.
        rerun(store, PROBE, client)
        ask(store, plan.planned + 1, client)


@every_ask
def test_what_fails_is_one_sentence_and_stores_nothing(
    store: Store, start: Start, ask: Ask
) -> None:
    broken = shown_question_id(store)
    before = stored(store)
    with pytest.raises(LogitscopeError, match="breaks the probe"):
        ask(store, PROBE, start("--break", broken))
    assert stored(store) == before


def shown_question_id(store: Store) -> str:
    ((question_id,),) = fetch(store, f"SELECT question_id FROM probes WHERE probe_id = {PROBE}")
    return str(question_id)


@pytest.mark.parametrize("name", ASKS)
def test_what_is_cancelled_stores_nothing(store: Store, start: Start, name: str) -> None:
    client = start("--delay", "0.5")
    before = stored(store)
    stop = threading.Event()
    asks: dict[str, Callable[..., object]] = {
        "rerun": lambda **how: rerun(store, PROBE, client, **how),
        "edit": lambda **how: ask_edited(store, PROBE, EDITED, client, **how),
        "samples": lambda **how: more_samples(store, PROBE, 2, client, **how),
        "branch": lambda **how: branch(
            store, PROBE, 0, 1, other_than(written(store, PROBE, 0)[1]), client, **how
        ),
    }

    def stop_once_loaded(event: JobEvent) -> None:
        threading.Timer(0.2, stop.set).start()

    with pytest.raises(LogitscopeError, match="cancelled"):
        asks[name](on_event=stop_once_loaded, stop=stop)
    assert stored(store) == before
    # At once, before the model is there.
    slow = start("--load-delay", "60")
    with pytest.raises(CancelledError):
        more_samples(store, PROBE, 2, slow, stop=stop)
    stop.clear()
    assert more_samples(store, PROBE, 1, client) == [3]


@pytest.mark.parametrize("name", ASKS)
def test_beside_a_run_no_other_model_is_loaded(store: Store, start: Start, name: str) -> None:
    client = start()
    before = stored(store)
    asks: dict[str, Callable[..., object]] = {
        "rerun": lambda **how: rerun(store, PROBE, client, **how),
        "edit": lambda **how: ask_edited(store, PROBE, EDITED, client, **how),
        "samples": lambda **how: more_samples(store, PROBE, 2, client, **how),
        "branch": lambda **how: branch(
            store, PROBE, 0, 1, other_than(written(store, PROBE, 0)[1]), client, **how
        ),
    }
    with pytest.raises(ModelError, match="a run keeps another busy"):
        asks[name](busy_with="another")
    assert not client.alive
    assert stored(store) == before
    client.load(model_of(store, PROBE))
    events: list[JobEvent] = []
    asks[name](busy_with="fake", on_event=events.append)
    assert events
    assert not any(isinstance(event, Loading) for event in events)


def test_the_model_of_a_probe_is_what_its_run_loaded(store: Store) -> None:
    assert model_of(store, PROBE) == Load(0, "fake")
    with pytest.raises(LogitscopeError, match="12345"):
        model_of(store, 12345)


@pytest.mark.parametrize("text", [" The", " (A", "A", " A", "!", "<|end|>"])
def test_a_token_has_the_id_of_its_text(store: Store, text: str) -> None:
    assert PIECES[token_called(store, PROBE, text)] == text


@pytest.mark.parametrize("text", ["the answer is", "", "日"])
def test_a_text_that_is_no_token_is_said(store: Store, text: str) -> None:
    with pytest.raises(LogitscopeError, match="No token of the model is") as caught:
        token_called(store, PROBE, text)
    assert repr(text) in caught.value.sentence


def test_loading_is_told(store: Store, start: Start) -> None:
    for ask in (
        lambda client, tell: more_samples(store, PROBE, 1, client, on_event=tell),
        lambda client, tell: branch(store, PROBE, 0, 1, END_ID, client, on_event=tell),
        lambda client, tell: ask_edited(store, PROBE, EDITED, client, on_event=tell),
    ):
        events: list[JobEvent] = []
        ask(start(), events.append)
        assert isinstance(events[0], Loading)
        assert not any(isinstance(event, Note) for event in events)


# The embedded model

REAL = ProbeSettings(
    samples=2,
    max_new_tokens=16,
    kept=5,
    sampler=SamplerSettings(temperature=0.9, top_p=0.95, repetition_penalty=1.1),
)


@pytest.mark.slow
def test_the_embedded_model_goes_on_where_it_stopped(tmp_path: Path) -> None:
    questions = str(dict(QUESTIONS)["Knowledge questions"])

    def plan(samples: int) -> Any:
        settings = msgspec.structs.replace(REAL, samples=samples)
        return plan_run(
            str(EMBEDDED_MODEL), questions, ["low"], settings, orders=2, limit=3, device="cpu"
        )

    with (
        WorkerClient(log_path=tmp_path / "worker.log", niceness=0) as client,
        open_store(tmp_path / "real.duckdb") as store,
    ):
        execute(store, plan(2), client)
        execute(store, plan(6), client)
        before, many = of_run(store), of_run(store, 2)
        probe_id, larger = 2, 8
        assert more_samples(store, probe_id, 3, client) == [3, 4, 5]
        assert more_samples(store, probe_id, 1, client) == [6]
        view, expected = (
            texts_of(probe_view(store, probe_id)),
            probe_view(store, larger).generations,
        )
        for text in expected:
            again = view[text.index]
            assert (again.text, again.finish_reason) == (text.text, text.finish_reason)
            assert again.positions.token_ids == text.positions.token_ids
            assert again.positions.logprobs == pytest.approx(text.positions.logprobs, abs=1e-4)
            assert again.positions.margins == pytest.approx(text.positions.margins, abs=1e-3)
        greedy = view[0].positions
        assert branch(store, probe_id, 0, 1, greedy.top_ids[1][1], client) == -1
        first = texts_of(probe_view(store, probe_id))[-1].positions
        assert first.token_ids[:2] == [greedy.token_ids[0], greedy.top_ids[1][1]]
        assert first.logprobs[:2] == pytest.approx(
            [greedy.logprobs[0], greedy.top_logprobs[1][1]], abs=1e-3
        )
        assert first.ranks == [1, 2, *[1] * (len(first) - 2)]
        # Taking back what the branch changed leads to the greedy text again.
        assert branch(store, probe_id, -1, 1, greedy.token_ids[1], client) == -2
        back = texts_of(probe_view(store, probe_id))[-2]
        assert back.text == view[0].text
        assert back.positions.token_ids == greedy.token_ids
        assert back.positions.logprobs == pytest.approx(greedy.logprobs, abs=1e-4)
        prompt = probe_view(store, probe_id).prompt
        unchanged = ask_edited(store, probe_id, prompt, client).probe
        assert unchanged.prompt.token_ids == probe_view(store, probe_id).prompt_ids
        assert [text.text for text in unchanged.result.generations] == [
            view[index].text for index in range(3)
        ]
        changed = prompt.replace("?", "??", 1)
        kept = keep(store, ask_edited(store, probe_id, changed, client))
        again = probe_view(store, rerun(store, kept, client))
        assert again.prompt == probe_view(store, kept).prompt == changed
        assert again.prompt_ids == probe_view(store, kept).prompt_ids
        assert (of_run(store), of_run(store, 2)) == (before, many)
        assert_read(store, probe_id)
