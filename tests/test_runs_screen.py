"""Runs from the explorer: choose, start, watch, cancel, resume, ask again; with a fake worker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine import browse
from engine.client import WorkerClient
from engine.followups import Answered
from engine.protocol import Load, Loading
from engine.store import open_store
from tests.actions.covering import covers
from tests.fake_worker import fake_command
from tests.sample_store import add_sample_run
from tests.screen_help import LARGE, SMALL, settle, text_of, until
from tui.app import ExplorerApp
from tui.asking import Ask, Branch, EditPrompt, MoreSamples, Rerun
from tui.events import (
    AskCancelled,
    AskDone,
    AskFailed,
    AskSaw,
    EditKept,
    Problem,
    RunEnded,
    SessionEvent,
)
from tui.screens.questions import QuestionsScreen
from tui.screens.runs import RunsScreen
from tui.screens.start import StartScreen
from tui.session import Session
from tui.widgets.result_grid import ResultGrid

MakeExplorer = Callable[..., ExplorerApp]


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """A file of 24 questions."""
    path = tmp_path / "questions.jsonl"
    with path.open("w") as file:
        for number in range(24):
            options = {"A": "one", "B": "two", "C": "three", "D": f"number {number}"}
            row = {"question": f"What is number {number}?", "options": options, "answer": "D"}
            file.write(json.dumps(row) + "\n")
    return path


@pytest.fixture
def explorers(tmp_path: Path) -> Iterator[MakeExplorer]:
    """Makes explorers on a database with a fake worker; its arguments say how it misbehaves."""
    sessions: list[Session] = []

    def make(*arguments: str, path: Path = tmp_path / "runs.duckdb", **more: Any) -> ExplorerApp:
        def client() -> WorkerClient:
            return WorkerClient(command=fake_command(*arguments), log_path=tmp_path / "log")

        sessions.append(Session(open_store(path), make_client=client, **more))
        return ExplorerApp(sessions[-1])

    yield make
    for session in sessions:
        session.close()


async def fill(pilot: Pilot[Any], **values: object) -> None:
    """Fill in the form for a new run."""
    await until(pilot, lambda: isinstance(pilot.app.screen, StartScreen))
    for name, value in values.items():
        pilot.app.screen.query_one(f"#{name}", Input).value = str(value)
    await pilot.pause()


async def start(pilot: Pilot[Any], questions: Path, **values: object) -> None:
    """Start a run of the fake model."""
    await pilot.press("R")
    defaults = {"source": questions, "model": "fake", "formats": "low,high", "samples": 2}
    await fill(pilot, **(defaults | values))
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, QuestionsScreen), "the run to start")


def listen(app: ExplorerApp) -> list[SessionEvent]:
    heard: list[SessionEvent] = []
    app.session.signal.subscribe(app, heard.append)
    return heard


def ended(heard: list[SessionEvent]) -> list[RunEnded]:
    return [event for event in heard if isinstance(event, RunEnded)]


def stored(app: ExplorerApp) -> int:
    query = "SELECT count(*) FROM probes"
    row = app.session.store.reader().execute(query).fetchone()
    assert row is not None
    return int(row[0])


# Start and watch


async def test_a_run_streams_into_the_list(explorers: MakeExplorer, questions: Path) -> None:
    app = explorers("--delay", "0.1")
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await settle(pilot)
        heard = listen(app)
        await start(pilot, questions)
        await until(pilot, lambda: app.session.listing and len(app.session.listing))
        assert app.session.live.run_going
        assert app.session.listing is not None
        partly = len(app.session.listing)
        assert 0 < partly < 48
        await until(pilot, lambda: "/48 ·" in text_of(app))
        assert "left" in text_of(app).splitlines()[0]
        await pilot.press("down", "down")
        probe_id = app.session.probe_id
        await until(pilot, lambda: ended(heard), "the end of the run")
        await settle(pilot)
        assert len(app.session.listing) == 48
        assert app.session.probe_id == probe_id
        assert app.session.listing.ids[app.query_one(ResultGrid).cursor] == probe_id
        assert "finished 48/48" in text_of(app)
        (end,) = ended(heard)
        assert end.status == "finished"
        assert "48 of 48 probes are stored" in end.sentence
        assert not app.session.live.run_going


async def test_the_list_says_that_answers_will_come(
    explorers: MakeExplorer, questions: Path
) -> None:
    app = explorers("--delay", "0.5")
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await start(pilot, questions, limit=3, formats="low")
        await until(pilot, lambda: "as soon as they are stored" in text_of(app))
        await until(pilot, lambda: app.session.listing and len(app.session.listing))
        assert isinstance(app.focused, ResultGrid)


@covers("questions.start_run", "start.close")
async def test_the_form_starts_with_what_the_shown_run_used(
    explorers: MakeExplorer, questions: Path
) -> None:
    app = explorers()
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        heard = listen(app)
        await start(pilot, questions, limit=2, temperature=0.7, max_new_tokens=9, formats="high")
        await until(pilot, lambda: ended(heard))
        await settle(pilot)
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, StartScreen))
        values = {field.id: field.value for field in app.screen.query(Input)}
        assert values == {
            "source": str(questions),
            "model": "fake",
            "formats": "high",
            "samples": "2",
            "temperature": "0.7",
            "max_new_tokens": "9",
            "limit": "2",
        }
        await pilot.press("escape")
        assert isinstance(app.screen, QuestionsScreen)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"source": ""}, "A run needs a question file."),
        ({"model": ""}, "A run needs a model."),
        ({"source": "/nowhere/q.csv"}, "/nowhere/q.csv"),
        ({"formats": "low,nonsense"}, "nonsense"),
        ({"samples": "many"}, "samples: 'many' is no whole number from 0 up."),
        ({"max_new_tokens": "0"}, "longest text: '0' is no whole number from 1 up."),
        ({"limit": "-3"}, "limit: '-3' is no whole number from 1 up."),
        ({"temperature": "-1"}, "temperature: '-1' is no number from 0 up."),
        ({"temperature": "nan"}, "temperature: 'nan' is no number from 0 up."),
    ],
)
async def test_a_form_that_cannot_be_used_says_why(
    explorers: MakeExplorer, questions: Path, values: dict[str, str], sentence: str
) -> None:
    app = explorers()
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await pilot.press("R")
        await fill(pilot, **({"source": questions, "model": "fake"} | values))
        await pilot.press("f5")
        await until(pilot, lambda: sentence in " ".join(text_of(app).replace("│", "").split()))
        assert isinstance(app.screen, StartScreen)
        assert not app.session.live.busy


async def test_the_form_explains_the_field_that_has_the_focus(explorers: MakeExplorer) -> None:
    app = explorers()
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await pilot.press("R")
        await until(pilot, lambda: "csv, jsonl, parquet" in text_of(app))
        await pilot.press("tab")
        await until(pilot, lambda: "a model folder or a hub id" in text_of(app))


async def test_a_read_only_database_starts_nothing(
    explorers: MakeExplorer, questions: Path
) -> None:
    app = explorers(read_only=True)
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await pilot.press("R")
        await fill(pilot, source=questions, model="fake")
        await pilot.press("enter")
        await until(pilot, lambda: "open for reading only" in text_of(app))


async def test_paths_are_completed(explorers: MakeExplorer, questions: Path) -> None:
    app = explorers()
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await pilot.press("R")
        await fill(pilot, source=str(questions)[:-6])
        field = app.screen.query_one("#source", Input)
        field.cursor_position = len(field.value)
        await until(pilot, lambda: field._suggestion == str(questions))
        await pilot.press("right")
        assert field.value == str(questions)


async def test_what_a_run_has_to_say_is_told(explorers: MakeExplorer, questions: Path) -> None:
    app = explorers()
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await settle(pilot)
        await start(pilot, questions, limit=1, formats="low")
        await until(pilot, lambda: "This model is a fake." in text_of(app))


# Cancel and resume


@covers("questions.cancel_run", "questions.pick_run", "runs.resume")
async def test_c_cancels_at_once_and_the_run_can_go_on(
    explorers: MakeExplorer, questions: Path
) -> None:
    app = explorers("--delay", "0.1")
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        await start(pilot, questions)
        await until(pilot, lambda: app.session.listing and len(app.session.listing))
        await pilot.press("c")
        assert "cancelling" in text_of(app) or ended(heard)
        await until(pilot, lambda: ended(heard), "the cancelled run to end")
        assert ended(heard)[0].status == "cancelled"
        await settle(pilot)
        before = stored(app)
        assert 0 < before < 48
        assert f"cancelled {before}/48" in text_of(app)

        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await until(pilot, lambda: "r resume" in text_of(app))
        await pilot.press("r")
        await until(pilot, lambda: len(ended(heard)) == 2, "the resumed run to end")
        await settle(pilot)
        assert ended(heard)[1].status == "finished"
        assert stored(app) == 48
        rows = app.session.store.reader().execute(
            "SELECT count(DISTINCT (question_id, format, order_index)), count(DISTINCT run_id) "
            "FROM probes"
        )
        assert rows.fetchall() == [(48, 1)]


@covers("runs.cancel_run")
async def test_a_run_is_watched_and_cancelled_from_the_list_of_runs(
    explorers: MakeExplorer, questions: Path
) -> None:
    app = explorers("--delay", "0.1")
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        await start(pilot, questions)
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await until(pilot, lambda: "/48 ·" in text_of(app).splitlines()[0], "the rate")
        await until(pilot, lambda: " of 48" in text_of(app), "the run in the list")
        assert "c cancel the run" in text_of(app)
        await pilot.press("c")
        await until(pilot, lambda: ended(heard), "the cancelled run to end")
        await settle(pilot)
        assert "cancel the run" not in text_of(app)
        assert ended(heard)[0].status == "cancelled"
        assert f"{stored(app)} of 48" in text_of(app)


async def test_c_means_nothing_while_no_run_is_going(explorers: MakeExplorer) -> None:
    app = explorers()
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        assert "cancel the run" not in text_of(app)
        await pilot.press("c")
        assert not app.session.live.cancelling


async def test_only_one_run_goes_at_a_time(explorers: MakeExplorer, questions: Path) -> None:
    app = explorers("--delay", "0.1")
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await start(pilot, questions)
        await pilot.press("R")
        await fill(pilot, source=questions, model="fake")
        await pilot.press("enter")
        await until(pilot, lambda: "The model is busy" in text_of(app))
        await pilot.press("escape")
        assert app.session.live.run_going


async def test_leaving_stops_the_run_and_keeps_what_is_stored(
    explorers: MakeExplorer, questions: Path, tmp_path: Path
) -> None:
    app = explorers("--delay", "0.1")
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await start(pilot, questions)
        await until(pilot, lambda: app.session.listing and len(app.session.listing))
        await pilot.press("q", "y")
    app.session.close()
    with open_store(tmp_path / "runs.duckdb") as store:
        (run,) = browse.runs(store)
        assert run.status in ("cancelled", "interrupted")
        assert 0 < run.stored < 48


# What goes wrong


async def test_a_model_that_cannot_be_loaded_is_told(
    explorers: MakeExplorer, questions: Path
) -> None:
    app = explorers("--load-error")
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await settle(pilot)
        heard = listen(app)
        await start(pilot, questions)
        await until(pilot, lambda: ended(heard))
        (end,) = ended(heard)
        assert (end.status, end.sentence) == ("failed", "There is no model in fake.")
        assert end.hint == "Give another folder."
        await until(pilot, lambda: "There is no model in fake." in text_of(app))
        assert "No run is stored here yet." in text_of(app)


async def test_a_worker_that_is_killed_again_and_again_is_told(
    explorers: MakeExplorer, questions: Path
) -> None:
    text = questions.read_text().splitlines()
    questions.write_text("\n".join(text[:2]))
    first = app_question_id(questions)
    app = explorers("--kill", first)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await settle(pilot)
        heard = listen(app)
        await start(pilot, questions, formats="low")
        await until(pilot, lambda: ended(heard), "the run to end")
        (end,) = ended(heard)
        await settle(pilot)
        assert stored(app) == 1
        assert "1 of 2 probes are stored" in end.sentence


def app_question_id(questions: Path) -> str:
    from engine.questions import load_questions

    return load_questions(questions)[0].id


# Ask again


async def test_a_question_is_asked_again_live(explorers: MakeExplorer, questions: Path) -> None:
    app = explorers()
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        await start(pilot, questions, limit=2, formats="low")
        await until(pilot, lambda: ended(heard))
        await settle(pilot)
        assert app.session.probe_id is not None
        app.session.rerun(app.session.probe_id)
        await until(pilot, lambda: any(isinstance(event, AskDone) for event in heard))
        (done,) = (event for event in heard if isinstance(event, AskDone))
        seen = {type(event.event).__name__ for event in heard if isinstance(event, AskSaw)}
        assert {"FirstToken", "Wrote"} <= seen
        assert app.session.view(done.answer).run.kind == "rerun"
        assert [run.kind for run in app.session.runs] == ["rerun", "run"]
        assert app.session.run is not None
        assert app.session.run.kind == "run"


async def test_a_sample_cannot_be_asked_again_and_says_so(sample_database: Path) -> None:
    session = Session(open_store(sample_database))
    app = ExplorerApp(session)
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        assert session.probe_id is not None
        session.rerun(session.probe_id)
        await until(pilot, lambda: any(isinstance(event, AskFailed) for event in heard))
        (failed,) = (event for event in heard if isinstance(event, AskFailed))
        assert "can't be repeated" in failed.sentence
    session.close()


# Beside a run


async def until_serving(pilot: Pilot[Any], app: ExplorerApp) -> int:
    """Wait until a run has stored something; returns a probe of it."""
    await until(pilot, lambda: app.session.live.serving and stored(app), "the run to serve")
    row = app.session.store.reader().execute("SELECT min(probe_id) FROM probes").fetchone()
    assert row is not None
    return int(row[0])


def answers(heard: list[SessionEvent]) -> list[AskDone]:
    return [event for event in heard if isinstance(event, AskDone)]


async def test_a_run_and_questions_go_side_by_side(
    explorers: MakeExplorer, questions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[object] = []
    send = WorkerClient.send

    def counted(client: WorkerClient, request: Any) -> None:
        loads.extend([request] if isinstance(request, Load) else [])
        send(client, request)

    monkeypatch.setattr(WorkerClient, "send", counted)
    app = explorers("--delay", "0.1")
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        await start(pilot, questions)
        probe = await until_serving(pilot, app)
        ids = app.session.view(probe).generations[0].positions.token_ids
        asks: list[Ask] = [
            Branch(probe, 0, (ids[0] + 1,)),
            MoreSamples(probe, 8),
            EditPrompt(probe, "Answer: "),
            Rerun(probe),
        ]
        for number, ask in enumerate(asks, start=1):
            app.session.ask(ask)
            await until(pilot, lambda number=number: len(answers(heard)) == number, str(ask))
        assert app.session.live.run_going
        assert len(loads) == 1
        branched, sampled, edited, _ = (done.answer for done in answers(heard))
        assert branched == -1
        assert sampled == list(range(3, 11))
        view = app.session.view(probe)
        assert [text.kind for text in view.generations] == [
            "greedy", "sample", "sample", *["extra"] * 8, "branch",
        ]  # fmt: skip
        assert isinstance(edited, Answered)
        app.session.keep(edited)
        await until(pilot, lambda: any(isinstance(event, EditKept) for event in heard))
        (kept,) = (event for event in heard if isinstance(event, EditKept))
        await until(pilot, lambda: kept.run_id in {run.run_id for run in app.session.runs})
        kinds = {run.run_id: run.kind for run in app.session.runs}
        assert kinds[kept.run_id] == "edit"
        assert app.session.live.run_going


async def test_an_edit_is_shown_as_such_and_no_list_opens_on_it(
    explorers: MakeExplorer, questions: Path
) -> None:
    app = explorers()
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        await start(pilot, questions, limit=1, formats="low")
        await until(pilot, lambda: ended(heard))
        await settle(pilot)
        assert app.session.probe_id is not None
        app.session.ask(EditPrompt(app.session.probe_id, "Answer: "))
        await until(pilot, lambda: answers(heard))
        edited = answers(heard)[0].answer
        assert isinstance(edited, Answered)
        app.session.keep(edited)
        await until(pilot, lambda: len(app.session.runs) == 2)
        await settle(pilot)
    app.session.close()
    app = explorers()
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        assert [run.kind for run in app.session.runs] == ["edit", "run"]
        assert app.session.run is not None
        assert app.session.run.kind == "run"
        app.session.open_run(2)
        await until(pilot, lambda: app.session.listing and app.session.listing.query.run_id == 2)
        await settle(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "edited prompt of question 1" in text_of(app))


async def test_another_model_is_not_loaded_beside_a_run(
    explorers: MakeExplorer, questions: Path
) -> None:
    app = explorers("--delay", "0.1")
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        await start(pilot, questions, limit=1, formats="low")
        await until(pilot, lambda: ended(heard))
        await start(pilot, questions, model="another")
        probe = await until_serving(pilot, app)
        app.session.rerun(probe)
        await until(pilot, lambda: any(isinstance(event, AskFailed) for event in heard))
        (failed,) = (event for event in heard if isinstance(event, AskFailed))
        assert "fake can't be asked now: a run keeps " in failed.sentence
        assert "another busy" in failed.sentence
        assert app.session.live.run_going


async def test_while_a_run_loads_its_model_nothing_is_asked(
    explorers: MakeExplorer, questions: Path
) -> None:
    app = explorers()
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        await start(pilot, questions, limit=1, formats="low")
        await until(pilot, lambda: ended(heard))
    app.session.close()
    app = explorers("--load-delay", "2")
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        await start(pilot, questions)
        assert app.session.probe_id is not None
        app.session.ask(MoreSamples(app.session.probe_id, 1))
        await until(pilot, lambda: any(isinstance(event, AskFailed) for event in heard))
        (failed,) = (event for event in heard if isinstance(event, AskFailed))
        assert failed.sentence.startswith("The run that is going has not loaded ")


async def test_a_new_question_takes_the_place_of_the_former_and_keeps_its_load(
    explorers: MakeExplorer, questions: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    app = explorers()
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        await start(pilot, questions, limit=1, formats="low")
        await until(pilot, lambda: ended(heard))
    app.session.close()
    app = explorers("--load-delay", "1")
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        probe = app.session.probe_id
        assert probe is not None
        first, second = MoreSamples(probe, 8), MoreSamples(probe, 1)
        app.session.ask(first)
        await until(pilot, lambda: any(isinstance(event, AskSaw) for event in heard))
        app.session.ask(second)
        await until(pilot, lambda: answers(heard))
        assert [event.ask for event in heard if isinstance(event, AskCancelled)] == [first]
        (done,) = answers(heard)
        assert done.ask is second
        assert done.answer == [3]
        stages = [
            event.event.stage
            for event in heard
            if isinstance(event, AskSaw) and isinstance(event.event, Loading)
        ]
        assert stages == ["loading the fake"]


async def test_a_run_waits_for_the_question_before_it_and_for_nothing_else(
    explorers: MakeExplorer, questions: Path
) -> None:
    app = explorers("--delay", "0.3")
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        await start(pilot, questions, limit=1, formats="low")
        await until(pilot, lambda: ended(heard))
        await settle(pilot)
        assert app.session.probe_id is not None
        app.session.rerun(app.session.probe_id)
        await start(pilot, questions, limit=2, formats="low", model="another")
        await until(pilot, lambda: len(ended(heard)) == 2)
        order = [type(event) for event in heard if isinstance(event, AskDone | RunEnded)]
        assert order == [RunEnded, AskDone, RunEnded]


async def test_what_is_taken_back_stores_nothing(explorers: MakeExplorer, questions: Path) -> None:
    app = explorers("--delay", "0.3")
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        await start(pilot, questions, limit=1, formats="low")
        await until(pilot, lambda: ended(heard))
        await settle(pilot)
        probe = app.session.probe_id
        assert probe is not None
        assert not app.session.asking.cancel()
        app.session.rerun(probe)
        await until(pilot, lambda: app.session.asking.going is not None)
        assert app.session.asking.cancel()
        assert app.session.asking.going is None
        await until(pilot, lambda: app.session.asking.wait(0), "the thread to come back")
        await settle(pilot)
        assert stored(app) == 1
        assert not answers(heard)
        assert not [event for event in heard if isinstance(event, AskFailed)]


async def test_closing_ends_a_run_and_a_question_within_two_seconds(
    explorers: MakeExplorer, questions: Path
) -> None:
    app = explorers("--delay", "0.2")
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await start(pilot, questions)
        app.session.rerun(await until_serving(pilot, app))
    assert closing_time(app) < 2.0
    assert not app.session.live.client().alive


async def test_closing_does_not_wait_for_a_worker_that_is_deaf(
    explorers: MakeExplorer, questions: Path
) -> None:
    app = explorers("--deaf")
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await start(pilot, questions)
        await until(pilot, lambda: app.session.live.client().alive)
    assert closing_time(app) < 3.0  # Two, and one for a machine that is busy.
    assert not app.session.live.client().alive


def closing_time(app: ExplorerApp) -> float:
    """Seconds that closing takes."""
    began = time.monotonic()
    app.session.close()
    return time.monotonic() - began


async def test_a_read_only_database_is_asked_about_edits_only(
    explorers: MakeExplorer, questions: Path, tmp_path: Path
) -> None:
    app = explorers()
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        await start(pilot, questions, limit=1, formats="low")
        await until(pilot, lambda: ended(heard))
    app.session.close()
    session = Session(
        open_store(tmp_path / "runs.duckdb", read_only=True),
        read_only=True,
        make_client=lambda: WorkerClient(command=fake_command(), log_path=tmp_path / "log"),
    )
    app = ExplorerApp(session)
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        assert session.probe_id is not None
        session.ask(MoreSamples(session.probe_id, 1))
        await until(pilot, lambda: any(isinstance(event, AskFailed) for event in heard))
        session.ask(EditPrompt(session.probe_id, "Answer:"))
        await until(pilot, lambda: answers(heard))
        edited = answers(heard)[0].answer
        assert isinstance(edited, Answered)
        session.keep(edited)
        await until(pilot, lambda: any(isinstance(event, Problem) for event in heard))
    session.close()


async def test_what_nobody_foresaw_is_said_too(
    explorers: MakeExplorer, sample_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> None:
        raise RuntimeError("stumbled")

    monkeypatch.setattr("engine.followups.model_of", stumble)
    app = explorers(path=sample_database)
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        app.session.rerun(1)
        await until(pilot, lambda: any(isinstance(event, AskFailed) for event in heard))
        (failed,) = (event for event in heard if isinstance(event, AskFailed))
        assert "stumbled" in failed.sentence


# The list of runs


async def test_the_runs_are_listed_and_one_is_chosen(explorers: MakeExplorer) -> None:
    app = explorers()
    store = app.session.store
    add_sample_run(store, questions=3, name="first")
    add_sample_run(store, questions=2, name="second", finish=False)
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        assert app.session.run is not None
        assert app.session.run.name == "second"
        await pilot.press("p")
        await until(pilot, lambda: "12 of 12" in text_of(app))
        assert "8 of 8" in text_of(app)
        assert "finished" in text_of(app)
        assert "first · " not in text_of(app)
        await pilot.press("down")
        await until(pilot, lambda: "first · " in text_of(app))
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, QuestionsScreen)
        assert app.session.run.name == "first"
        assert app.session.listing is not None
        assert len(app.session.listing) == 12


async def test_only_a_run_that_stopped_can_go_on(explorers: MakeExplorer) -> None:
    app = explorers()
    add_sample_run(app.session.store, questions=1)
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("p")
        await until(pilot, lambda: "new run" in text_of(app))
        assert "resume" not in text_of(app)
        await pilot.press("r")
        assert not app.session.live.busy
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, StartScreen))
        await pilot.press("escape")
        assert isinstance(app.screen, QuestionsScreen)


async def test_a_run_whose_plan_is_unknown_cannot_go_on(
    explorers: MakeExplorer, tmp_path: Path
) -> None:
    app = explorers()
    run_id = add_sample_run(app.session.store, questions=1)
    app.session.store.finish_run(run_id, "interrupted", "The lights went out.")
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await settle(pilot)
        heard = listen(app)
        await pilot.press("p")
        await until(pilot, lambda: "The lights went out." in text_of(app))
        await pilot.press("r")
        await until(pilot, lambda: ended(heard))
        assert "Nothing says how run 1 was made" in ended(heard)[0].sentence


@pytest.mark.parametrize("key", ["escape", "p"])
async def test_the_list_of_runs_closes(explorers: MakeExplorer, key: str) -> None:
    app = explorers()
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await pilot.press("p")
        await until(pilot, lambda: "No run is stored here yet" in text_of(app))
        await pilot.press(key)
        assert isinstance(app.screen, QuestionsScreen)


async def test_cancelling_is_acknowledged_without_waiting_for_the_model(
    explorers: MakeExplorer, questions: Path
) -> None:
    app = explorers("--delay", "3")
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        await start(pilot, questions)
        await until(pilot, lambda: app.session.run is not None, "the run to be stored")
        await pilot.press("c")
        await until(pilot, lambda: ended(heard), "the cancelled run to end")
        assert ended(heard)[0].status == "cancelled"
        assert stored(app) < 48
