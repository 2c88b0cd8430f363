"""Going on where the last session stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from engine.store import open_store
from tests.screen_help import LARGE, SMALL, settle, text_of, until
from tui.app import ExplorerApp
from tui.places import place_of
from tui.screens.question import QuestionScreen
from tui.screens.questions import QuestionsScreen
from tui.session import Session
from tui.state import State, load_state, save_state, state_path


class Visits:
    """Opens the explorer on one database, time after time."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self._open: Session | None = None

    def start(self, *, read_only: bool = False) -> ExplorerApp:
        """A new explorer; the one before is left as ``q`` leaves it."""
        self.leave()
        store = open_store(self.database, read_only=read_only)
        self._open = Session(store, read_only=read_only)
        return ExplorerApp(self._open)

    def leave(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


@pytest.fixture
def visits(sample_database: Path) -> Iterator[Visits]:
    made = Visits(sample_database)
    yield made
    made.leave()


async def test_list_tab_order_and_question_are_there_again(visits: Visits) -> None:
    app = visits.start()
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"entropy", "greater_than_sign", "0", "enter")
        await settle(pilot)
        await pilot.press("f", "full_stop", "o")
        await settle(pilot)
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: isinstance(app.screen, QuestionScreen))
        await settle(pilot)
        before, probe_id = app.session.query, app.session.probe_id
    again = visits.start()
    async with again.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await until(pilot, lambda: isinstance(again.screen, QuestionScreen))
        assert again.session.query == before
        assert again.session.probe_id == probe_id
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(again.screen, QuestionsScreen))
        assert again.session.position == app.session.position
        await settle(pilot)
    last = visits.start()
    async with last.run_test(size=LARGE) as pilot:
        await settle(pilot)
        assert isinstance(last.screen, QuestionsScreen)


@pytest.mark.parametrize("place", ["runs", "sql"])
async def test_other_screens_are_there_again(visits: Visits, place: str) -> None:
    save_state(visits.database, State(screen=place, run_id=1))
    app = visits.start()
    async with app.run_test(size=LARGE) as pilot:
        await until(pilot, lambda: place_of(app) == place)
        await settle(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, QuestionsScreen))


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        (State(run_id=99, filter="entropy > 0", screen="question", probe_id=3), {}),
        (State(run_id=1, filter="no_such_column = 3"), {}),
        (State(run_id=1, sort="no_such_column", filter="entropy > 0"), {}),
        (State(run_id=1, flag="no_such_flag"), {}),
        (State(run_id=1, format="gone", filter="entropy > 0"), {"filter": "entropy > 0"}),
        (State(run_id=1, probe_id=999, screen="question", sort="entropy"), {"sort": "entropy"}),
        (State(run_id=1, screen="lab", lab_probe_id=999, lab_text="name = 'gone'"), {}),
        (State(run_id=1, screen="lab"), {}),
        (State(run_id=1, screen="a_screen_of_another_version"), {}),
    ],
)
async def test_what_is_gone_is_left_out_without_a_word(
    visits: Visits, state: State, kept: dict[str, str]
) -> None:
    save_state(visits.database, state)
    app = visits.start()
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await settle(pilot)
        await settle(pilot)
        assert isinstance(app.screen, QuestionsScreen)
        assert app.session.listing is not None
        query = msgspec.structs.asdict(app.session.listing.query)
        expected = {"run_id": 1, "filter": "", "format": None, "flag": None, "sort": None}
        assert {name: query[name] for name in expected} == expected | kept
        assert "row 1 of" in text_of(app)
        assert len(app._notifications) == 0


async def test_a_state_that_cannot_be_read_starts_afresh(visits: Visits) -> None:
    path = state_path(visits.database)
    path.parent.mkdir(parents=True)
    path.write_text('{"screen": 3')
    app = visits.start()
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        assert "row 1 of 48" in text_of(app)


async def test_where_the_user_is_is_written_before_the_end(visits: Visits) -> None:
    app = visits.start()
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: load_state(visits.database).screen == "question")
        assert load_state(visits.database).probe_id == app.session.probe_id


async def test_a_reader_of_somebody_elses_database_is_remembered_too(visits: Visits) -> None:
    app = visits.start(read_only=True)
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await pilot.press("down")
    visits.leave()
    assert load_state(visits.database).run_id == 1


async def test_a_closed_window_leaves_in_good_order(visits: Visits) -> None:
    app = visits.start()
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        os.kill(os.getpid(), signal.SIGHUP)
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_code == 128 + signal.SIGHUP


def test_fresh_keeps_the_text_of_the_editor(
    sample_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tui.app

    save_state(sample_database, State(screen="runs", run_id=1, filter="entropy > 0", sql_text="x"))
    seen: list[State] = []
    monkeypatch.setattr(ExplorerApp, "run", lambda app: seen.append(app.session.state))
    tui.app.run_explorer(sample_database)
    tui.app.run_explorer(sample_database, fresh=True)
    assert [(each.screen, each.filter, each.sql_text) for each in seen] == [
        ("runs", "entropy > 0", "x"),
        ("questions", "", "x"),
    ]
