"""The prompt lab: a format tried on one stored question and on a pinned set."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from engine.browse import list_ids, probe_view
from engine.client import WorkerClient
from engine.demo import EMBEDDED_MODEL
from engine.errors import CancelledError, FormatError, LogitscopeError
from engine.formats import PromptFormat, load_format
from engine.lab import PINNED, Lab, LabEvent, Opened, Tried, pinned_probes
from engine.lab_figures import LabAnswer, deltas
from engine.protocol import FirstToken, Probed, Rendered
from engine.records import ProbeSettings
from engine.runs import execute, plan_run
from engine.store import Store, open_store
from tests.fake_worker import fake_command
from tests.test_runs import FORMATS, SETTINGS, fetch, write_questions


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerClient]:
    log = tmp_path_factory.mktemp("lab") / "worker.log"
    with WorkerClient(log_path=log, command=fake_command(), niceness=0) as client:
        yield client


@pytest.fixture(scope="module")
def recorded(client: WorkerClient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with one run of the fake model: 16 questions, 2 formats, 2 orders."""
    folder = tmp_path_factory.mktemp("recorded")
    questions = write_questions(folder, 16)
    plan = plan_run("fake", str(questions), FORMATS, SETTINGS, orders=2)
    with open_store(folder / "runs.duckdb") as store:
        assert execute(store, plan, client).status == "finished"
    return folder / "runs.duckdb"


@pytest.fixture
def store(recorded: Path, tmp_path: Path) -> Iterator[Store]:
    path = tmp_path / "runs.duckdb"
    path.write_bytes(recorded.read_bytes())
    with open_store(path) as opened:
        yield opened


def a_probe(store: Store, index: int = 3, order: int = 0) -> int:
    condition = f"question_index = {index} AND order_index = {order}"
    return int(list_ids(store, 1, condition=condition)[0])


# What is pinned


def test_marked_questions_are_pinned_once_an_order(store: Store) -> None:
    probe_id = a_probe(store)
    for index, order in ((5, 0), (5, 1), (2, 0)):
        for marked in list_ids(
            store, 1, condition=f"question_index = {index} AND order_index = {order}"
        ):
            store.toggle_mark(int(marked))
    pinned = pinned_probes(store, probe_id)
    lab = Lab(store, probe_id, pinned)
    asked = [(each.question_index, each.shown.number) for each in lab.asked]
    assert asked == [(3, 0), (2, 0), (5, 0), (5, 1)]
    lab.close()


def test_without_marks_the_first_questions_are_pinned(store: Store) -> None:
    pinned = pinned_probes(store, a_probe(store, 3, 1))
    assert len(pinned) == PINNED
    views = [probe_view(store, each).row for each in pinned]
    assert [row.question_index for row in views] == [0, 1, 2, *range(4, PINNED + 1)]
    assert {row.order_index for row in views} == {1}


def test_too_many_pinned_questions_are_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes = [int(each) for each in list_ids(store, 1, condition="order_index = 0")]
    monkeypatch.setattr("engine.lab.MOST_PINNED", 15)
    Lab(store, probes[0], probes).close()
    monkeypatch.setattr("engine.lab.MOST_PINNED", 14)
    with pytest.raises(LogitscopeError, match="15 questions are pinned; the lab takes 14"):
        Lab(store, probes[0], probes)


# Trials


def test_a_trial_asks_the_question_then_the_pinned_ones(store: Store, client: WorkerClient) -> None:
    probe_id = a_probe(store)
    lab = Lab(store, probe_id, pinned_probes(store, probe_id))
    events: list[LabEvent] = []
    trial = lab.try_format(lab.format, client, on_event=events.append)
    kinds = [type(event) for event in events]
    places = [kinds.index(kind) for kind in (Opened, Rendered, FirstToken, Tried, Probed)]
    assert places == sorted(places)
    assert sum(isinstance(event, Probed) for event in events) == PINNED
    assert trial.answers[0].question_index == 3
    asked = [each.question_index for each in lab.asked]
    assert [answer.question_index for answer in trial.answers] == asked
    assert not trial.problems
    lab.close()


def test_the_stored_format_gives_the_stored_answers(store: Store, client: WorkerClient) -> None:
    """Tried as it was asked, everything is answered as it is stored."""
    probe_id = a_probe(store, 4, 1)
    lab = Lab(store, probe_id, pinned_probes(store, probe_id))
    trial = lab.try_format(lab.format, client)
    for answer in trial.answers:
        (stored,) = fetch(
            store,
            "SELECT gold, first_token, text_status, text_label, mismatch, refusal, off_option_top "
            f"FROM outcomes WHERE question_index = {answer.question_index} AND order_index = 1 "
            f"AND format = '{lab.format.name}'",
        )
        assert (
            answer.gold,
            answer.first_token,
            answer.text_status,
            answer.text_label,
            answer.mismatch,
            answer.refusal,
            answer.off_option_top,
        ) == stored
        assert answer.scored == answer.first_token
    assert all(delta.before in (None, delta.now) for delta in deltas(trial.answers, trial.answers))
    lab.close()


def test_nothing_is_stored(store: Store, client: WorkerClient) -> None:
    before = fetch(store, "SELECT count(*) FROM probes UNION ALL SELECT count(*) FROM runs")
    lab = Lab(store, a_probe(store))
    lab.try_format(load_format("high"), client)
    lab.close()
    after = fetch(store, "SELECT count(*) FROM probes UNION ALL SELECT count(*) FROM runs")
    assert after == before


def test_another_format_gives_its_own_labels(store: Store, client: WorkerClient) -> None:
    fmt = PromptFormat("digits", "{{ question }}\n{{ options }}\nAnswer:", labels="12345678")
    lab = Lab(store, a_probe(store))
    trial = lab.try_format(fmt, client)
    assert trial.probe.question.labels == ("1", "2", "3")
    assert trial.answers[0].gold in trial.probe.question.labels
    lab.close()


def test_a_question_that_the_format_can_not_ask_is_named(
    store: Store, client: WorkerClient
) -> None:
    fmt = PromptFormat("few", "{{ question }}\n{{ options }}\nAnswer:", labels="AB")
    lab = Lab(store, a_probe(store))
    with pytest.raises(LogitscopeError, match="labels"):
        lab.try_format(fmt, client)
    lab.close()


def test_a_pinned_question_that_fails_is_named_and_left_out(store: Store, tmp_path: Path) -> None:
    probe_id = a_probe(store)
    pinned = pinned_probes(store, probe_id)
    broken = probe_view(store, pinned[4]).row.question_id
    command = fake_command("--fail", broken)
    with WorkerClient(log_path=tmp_path / "log", command=command, niceness=0) as client:
        lab = Lab(store, probe_id, pinned)
        trial = lab.try_format(lab.format, client)
        lab.close()
    assert len(trial.answers) == PINNED
    assert trial.problems == (f"The format {lab.format.name} can't show {broken}.",)


def test_what_the_format_is_scored_by_is_asked_for(client: WorkerClient, tmp_path: Path) -> None:
    """Also where the run did not ask for it."""
    settings = ProbeSettings(samples=0, continuations=False)
    plan = plan_run("fake", str(write_questions(tmp_path, 3)), ["low"], settings)
    with open_store(tmp_path / "runs.duckdb") as store:
        execute(store, plan, client)
        lab = Lab(store, a_probe(store, 0), pinned_probes(store, a_probe(store, 0)))
        assert not lab.try_format(lab.format, client).probe.result.continuations
        by_text = msgspec.structs.replace(lab.format, name="x", scored_by="continuation")
        trial = lab.try_format(by_text, client)
        scored = {reading.name: reading.label for reading in trial.probe.readings}
        assert trial.answers[0].scored == scored["continuation"]
        assert all(answer.scored for answer in trial.answers)
        lab.close()


def test_a_superseded_trial_is_dropped_at_once(store: Store, tmp_path: Path) -> None:
    command = fake_command("--delay", "0.5")
    with WorkerClient(log_path=tmp_path / "log", command=command, niceness=0) as slow:
        probe_id = a_probe(store)
        lab = Lab(store, probe_id, pinned_probes(store, probe_id))
        stop = threading.Event()

        def give_up(event: LabEvent) -> None:
            if isinstance(event, Tried):
                stop.set()

        with pytest.raises(CancelledError):
            lab.try_format(lab.format, slow, on_event=give_up, stop=stop)
        lab.close()


# How far two trials are from each other


def answer(index: int, gold: str | None, first: str, text: str | None) -> LabAnswer:
    status = "refusal" if text is None else "option"
    mismatch = first != text
    return LabAnswer(
        index, 0, "?", gold, first, status, text, text, mismatch, text is None, index == 1
    )


def test_figures_count_what_both_trials_can_tell() -> None:
    before = [answer(0, "A", "A", "A"), answer(1, "B", "A", None), answer(2, None, "C", "D")]
    now = [answer(0, "A", "B", "A"), answer(1, "B", "B", "B"), answer(3, "A", "A", "A")]
    counted = {delta.name: (delta.before, delta.now, delta.of) for delta in deltas(before, now)}
    assert counted == {
        "right by first token": (1, 1, 2),
        "right by text": (1, 2, 2),
        "right by protocol": (1, 2, 2),
        "mismatch": (1, 1, 2),
        "refusal": (1, 0, 2),
        "off-option top": (1, 1, 2),
        "first token flipped": (None, 2, 2),
        "text flipped": (None, 1, 2),
    }


# With the embedded model


@pytest.mark.slow
def test_one_blank_moves_the_distribution(tmp_path: Path) -> None:
    """The trial of a changed cue is what a run in that format stores."""
    changed = msgspec.structs.replace(
        load_format("high"),
        name="blank",
        chat=False,
        delimiter="",
        user="{{ question }}\n{{ options }}\nAnswer: ",
    )
    plain = msgspec.structs.replace(changed, name="plain", user=changed.user.rstrip())
    settings = ProbeSettings(samples=0, max_new_tokens=8)
    plan = plan_run(
        str(EMBEDDED_MODEL),
        str(EMBEDDED_MODEL.parent / "questions" / "knowledge.jsonl"),
        [plain, changed],
        settings,
        limit=4,
    )
    with open_store(tmp_path / "x.duckdb") as store, WorkerClient(niceness=0) as client:
        execute(store, plan, client)
        probe_id = a_probe(store, 0)
        lab = Lab(store, probe_id, pinned_probes(store, probe_id))
        before, now = (lab.try_format(fmt, client) for fmt in (plain, changed))
        for fmt, trial in ((plain, before), (changed, now)):
            ((prompt, logprobs),) = fetch(
                store,
                "SELECT prompt, label_logprobs FROM probes "
                f"WHERE question_index = 0 AND format = '{fmt.name}'",
            )
            assert trial.probe.prompt.text == prompt
            assert trial.probe.result.label_logprobs == pytest.approx(logprobs, abs=1e-4)
        assert before.probe.result.label_logprobs != pytest.approx(
            now.probe.result.label_logprobs, abs=1e-2
        )
        lab.close()


def test_a_format_error_names_the_line() -> None:
    from engine.formats import parse_format

    with pytest.raises(FormatError, match="line 2"):
        parse_format('name = "x"\nuser = "{{ nothing }}"\n', "x.toml")
