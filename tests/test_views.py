"""Probes that are kept and read ahead, and what is let go of: memory, closed screens."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine import database
from engine.store import Store, open_store
from tests.screen_help import LARGE, settle
from tui import views
from tui.app import ExplorerApp
from tui.screens.question import QuestionScreen
from tui.session import Session
from tui.views import Views


class Reader:
    """Stands for the store: counts what is read, and waits where it is told to."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.began = threading.Semaphore(0)

    def __call__(self, probe_id: int) -> Any:
        self.began.release()
        assert self.may_go_on.wait(30)
        self.read.append(probe_id)
        if probe_id < 0:
            raise ValueError("no such probe")
        return SimpleNamespace(generations=[SimpleNamespace(positions=range(100 * probe_id))])


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def one_thread(reader: Reader) -> Iterator[Views]:
    with ThreadPoolExecutor(1) as threads:
        yield Views(reader, threads)


def test_what_was_read_ahead_is_not_read_again(reader: Reader, one_thread: Views) -> None:
    one_thread.read_ahead([4, 5])
    assert one_thread.reading or len(reader.read) == 2
    ahead = [one_thread.ask(probe_id).result(30) for probe_id in (4, 5, 4)]
    assert ahead[0] is ahead[2]
    assert reader.read == [4, 5]
    assert not one_thread.reading


def test_what_is_wanted_now_goes_before_what_may_be(reader: Reader, one_thread: Views) -> None:
    reader.may_go_on.clear()
    one_thread.read_ahead([1, 2, 3])
    assert reader.began.acquire(timeout=30)
    wanted = one_thread.ask(9)
    reader.may_go_on.set()
    wanted.result(30)
    assert reader.read == [1, 9]
    one_thread.ask(2).result(30)
    assert reader.read == [1, 9, 2]


def test_a_failed_reading_is_tried_again(reader: Reader, one_thread: Views) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="no such probe"):
            one_thread.ask(-1).result(30)
    assert reader.read == [-1, -1]


def test_a_change_makes_everything_be_read_anew(reader: Reader, one_thread: Views) -> None:
    one_thread.ask(1).result(30)
    one_thread.forget()
    one_thread.ask(1).result(30)
    assert reader.read == [1, 1]


def test_the_oldest_go_first_and_long_texts_sooner(
    reader: Reader, one_thread: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "KEPT_VIEWS", 3)
    for probe_id in (1, 2, 3, 1, 4):
        one_thread.ask(probe_id).result(30)
    one_thread.ask(1).result(30)
    assert reader.read == [1, 2, 3, 4]
    one_thread.ask(2).result(30)
    assert reader.read == [1, 2, 3, 4, 2]
    monkeypatch.setattr(views, "KEPT_POSITIONS", 100)
    one_thread.read_ahead([])
    one_thread.ask(1).result(30)
    assert reader.read[-1] == 1


def test_trimming_lets_go_of_what_was_read_and_keeps_the_limit(
    sample_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CACHE", 0)
    with open_store(sample_database) as store:
        limit = _limit(store)
        store.reader().execute("FROM positions").fetchall()
        store.trim()
        assert _limit(store) == limit
        assert store.reader().execute("SELECT count(*) FROM probes").fetchall() != [(0,)]
    store.trim()  # closed: nothing to give back


def test_nothing_is_trimmed_while_a_result_is_open(
    sample_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trimmed: list[object] = []
    monkeypatch.setattr("engine.store.trim", trimmed.append)
    with open_store(sample_database) as store:
        cursor = store.cursor()
        store.trim()
        assert not trimmed
        cursor.close()
        del cursor
        store.trim()
        assert len(trimmed) == 1


async def test_closed_questions_leave_nothing_behind(sample_database: Path) -> None:
    session = Session(open_store(sample_database))
    app = ExplorerApp(session)
    try:
        async with app.run_test(size=LARGE) as pilot:
            await settle(pilot)
            screens, lines = _question_screens(), _held_lines()  # of other tests' explorers
            for _ in range(4):
                await pilot.press("enter")
                await settle(pilot)
                assert isinstance(app.screen, QuestionScreen)
                await pilot.press("escape")
                await settle(pilot)
            assert _question_screens() <= screens + 1
            assert _held_lines() <= lines
    finally:
        session.close()


def _question_screens() -> int:
    gc.collect()
    return sum(type(each) is QuestionScreen for each in gc.get_objects())


def _held_lines() -> int:
    """Objects with drawn lines beyond those of widgets that exist."""
    from textual._styles_cache import StylesCache
    from textual.widget import Widget

    gc.collect()
    objects = gc.get_objects()
    owned = {id(each._styles_cache) for each in objects if issubclass(type(each), Widget)}
    return sum(type(each) is StylesCache and id(each) not in owned for each in objects)


async def test_a_marked_question_is_shown_marked_though_it_was_read_ahead(
    sample_database: Path,
) -> None:
    session = Session(open_store(sample_database))
    app = ExplorerApp(session)
    try:
        async with app.run_test(size=LARGE) as pilot:
            await settle(pilot)
            await pilot.press("enter")
            await settle(pilot)
            screen = cast("QuestionScreen", app.screen)
            probe_id = screen._probe_id
            session.toggle_mark(probe_id)
            await settle(pilot)
            view = await session.view_async(probe_id)
            assert view.row.marked
            await pilot.press("j")
            await settle(pilot)
            await pilot.press("k")
            await settle(pilot)
            assert screen._view is not None
            assert screen._view.row.marked
    finally:
        session.close()


def _limit(store: Store) -> str:
    ((limit,),) = store.reader().execute("SELECT current_setting('memory_limit')").fetchall()
    return str(limit)
