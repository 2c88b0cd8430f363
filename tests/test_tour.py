"""The guided tour: when it begins, what it frames, what it says, and that it changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.geometry import Offset, Region, Size
from textual.pilot import Pilot
from textual.widgets import Static

from engine.importers import import_logs
from engine.store import Store, open_store
from tests.actions.covering import covers
from tests.actions.palette import choose
from tests.hard_text import assert_exact_strips, make_hard_store
from tests.log_store import LOGS
from tests.screen_help import LARGE, SMALL, settle, text_of, until
from tui.app import ExplorerApp, run_explorer
from tui.places import place_of
from tui.screens.help import HelpScreen
from tui.screens.tour import TourScreen, beside, can_begin
from tui.session import Session
from tui.state import mark_tour_seen, tour_seen
from tui.widgets.result_grid import ResultGrid
from tui.widgets.sql_editor import SqlEditor

STOPS = 7
PLACES = ("questions", "questions", "questions", "question", "question", "sql", "questions")


def toured(store: Store) -> ExplorerApp:
    """An explorer that begins with the tour."""
    return ExplorerApp(Session(store, demo=True), tour=True)


async def at(pilot: Pilot[Any], number: int) -> TourScreen:
    """Wait for a stop, counted from 0."""

    def there() -> bool:
        screen = pilot.app.screen
        return isinstance(screen, TourScreen) and screen._number == number and screen.is_running

    await until(pilot, there, f"stop {number}")
    for _ in range(3):
        await pilot.pause()
    screen = pilot.app.screen
    assert isinstance(screen, TourScreen)
    await until(pilot, lambda: screen._placed is not None and screen._spot, "a place for the box")
    await pilot.pause()
    return screen


async def over(pilot: Pilot[Any]) -> None:
    """Wait for the end of the tour."""
    await until(pilot, lambda: not _touring(pilot.app), "the end of the tour")
    await settle(pilot)


def _touring(app: Any) -> bool:
    return any(isinstance(screen, TourScreen) for screen in app.screen_stack) or any(
        worker.group == "tour" and worker.is_running for worker in app.workers
    )


def _busy(app: Any) -> bool:
    return any(each.is_running for each in app.workers if each.group != "tour")


def words(screen: TourScreen) -> str:
    return str(screen.query_one("#tour-words", Static).content)


def grid(app: ExplorerApp) -> ResultGrid[Any]:
    return app.screen_stack[0].query_one(ResultGrid)


# When it begins


async def test_it_begins_by_itself_and_is_left_at_once(sample_database: Path) -> None:
    app = toured(open_store(sample_database))
    async with app.run_test(size=SMALL) as pilot:
        await at(pilot, 0)
        assert tour_seen()
        await pilot.press("escape")
        await over(pilot)
        assert len(app.screen_stack) == 1
        assert app.session.position == 0
    app.session.close()


@pytest.mark.parametrize(
    ("demo", "before", "begins"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_only_the_first_start_of_the_demo_begins_with_it(
    sample_database: Path,
    monkeypatch: pytest.MonkeyPatch,
    demo: bool,
    before: bool,
    begins: bool,
) -> None:
    if before:
        mark_tour_seen()
    due = []
    monkeypatch.setattr(ExplorerApp, "run", lambda app: due.append(app._tour_due))
    run_explorer(sample_database, demo=demo)
    assert due == [begins]
    assert tour_seen() is before


async def test_who_is_elsewhere_already_is_left_alone(
    sample_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = toured(open_store(sample_database))
    called, go_on = threading.Event(), threading.Event()
    load_runs = app.session.load_runs

    def load_slowly() -> None:
        called.set()
        go_on.wait(10)
        load_runs()

    monkeypatch.setattr(app.session, "load_runs", load_slowly)
    async with app.run_test(size=SMALL) as pilot:
        await until(pilot, called.is_set)
        await app.push_screen(HelpScreen(app.screen))
        go_on.set()
        await until(pilot, lambda: app.session.listing is not None)
        await settle(pilot)
        assert not _touring(app)
        assert not tour_seen()
    app.session.close()


@covers("app.tour")
async def test_the_palette_begins_it_on_any_database(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await choose(pilot, "Guided tour")
        await at(pilot, 0)
        await pilot.press("escape")
        await over(pilot)


@covers("help.tour")
async def test_a_key_in_the_help_begins_it(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(explorer.screen, HelpScreen))
        assert "t tour" in text_of(explorer)
        await pilot.press("t")
        await at(pilot, 0)
        await pilot.press("escape")
        await over(pilot)


async def test_it_never_closes_what_may_be_unsaved(explorer: ExplorerApp) -> None:
    from tui.screens.start import StartScreen

    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        assert explorer.check_action("tour", ())
        await explorer.push_screen(StartScreen(explorer.session))
        assert not explorer.check_action("tour", ())
        assert not can_begin(explorer.screen_stack)


async def test_there_is_none_without_rows(tmp_path: Path) -> None:
    session = Session(open_store(tmp_path / "empty.duckdb"))
    app = ExplorerApp(session, tour=True)
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        assert not _touring(app)
        assert not app.check_action("tour", ())
    session.close()


# Moving in it


@covers("tour.next")
async def test_it_goes_through_the_screens_and_back_to_the_list(sample_database: Path) -> None:
    app = toured(open_store(sample_database))
    async with app.run_test(size=SMALL) as pilot:
        for number, place in enumerate(PLACES):
            screen = await at(pilot, number)
            assert place_of(app) == place
            assert f"{number + 1} of {STOPS}" in str(screen.query_one("#tour").border_title)
            await pilot.press("enter")
        await over(pilot)
        assert len(app.screen_stack) == 1
    app.session.close()


@covers("tour.previous")
async def test_it_goes_back(sample_database: Path) -> None:
    app = toured(open_store(sample_database))
    async with app.run_test(size=SMALL) as pilot:
        await at(pilot, 0)
        await pilot.press("left")
        for number in range(4):
            await at(pilot, number)
            await pilot.press("right")
        for number in (4, 3, 2):
            await at(pilot, number)
            await pilot.press("left")
        await at(pilot, 1)
        assert place_of(app) == "questions"
        await pilot.press("escape")
        await over(pilot)
    app.session.close()


@covers("tour.close")
@pytest.mark.parametrize("stop", [1, 4, 5])
async def test_it_leaves_everything_as_it_was(explorer: ExplorerApp, stop: int) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await pilot.press("2", "full_stop", "down", "down")
        await settle(pilot)
        listing = explorer.session.listing
        assert listing is not None
        query, probe_id = listing.query, explorer.session.probe_id
        await pilot.press("enter")
        await settle(pilot)
        await choose(pilot, "Guided tour")
        for number in range(stop):
            await at(pilot, number)
            await pilot.press("right")
        await at(pilot, stop)
        await pilot.press("escape")
        await over(pilot)
        assert place_of(explorer) == "question"
        await pilot.press("escape")
        await settle(pilot)
        listing = explorer.session.listing
        assert listing is not None
        assert (listing.query, explorer.session.probe_id) == (query, probe_id)


async def test_a_click_goes_on_and_the_keys_can_be_clicked(sample_database: Path) -> None:
    app = toured(open_store(sample_database))
    async with app.run_test(size=SMALL) as pilot:
        await at(pilot, 0)
        await pilot.click("#tour-words")
        await at(pilot, 1)
        await pilot.click("#tour KeyLine", offset=(12, 0))
        await at(pilot, 0)
        await pilot.press("escape")
        await over(pilot)
    app.session.close()


# What it frames


@pytest.mark.parametrize("size", [SMALL, (120, 40), (160, 45)])
async def test_the_box_covers_nothing_of_what_it_is_about(
    sample_database: Path, size: tuple[int, int]
) -> None:
    app = toured(open_store(sample_database))
    async with app.run_test(size=size) as pilot:
        for number in range(STOPS):
            screen = await at(pilot, number)
            box = screen.query_one("#tour").region
            assert screen._spot.area
            assert not box.intersection(screen._spot).area
            assert screen.region.contains_region(box)
            assert_exact_strips(screen._compositor.render_strips(), size[0])
            await pilot.press("right")
        await over(pilot)
    app.session.close()


async def test_the_box_has_room_for_its_words(sample_database: Path) -> None:
    app = toured(open_store(sample_database))
    async with app.run_test(size=SMALL) as pilot:
        for number in range(STOPS):
            screen = await at(pilot, number)
            shown = " ".join(text_of(app).replace("│", " ").split())
            for word in words(screen).split()[-3:]:
                assert word in shown
            assert "leave the tour" in shown
            await pilot.press("right")
        await over(pilot)
    app.session.close()


async def test_the_frame_follows_a_resize(sample_database: Path) -> None:
    app = toured(open_store(sample_database))
    async with app.run_test(size=SMALL) as pilot:
        for number in range(3):
            await at(pilot, number)
            await pilot.press("right")
        screen = await at(pilot, 3)
        before = screen._spot
        await pilot.resize_terminal(*LARGE)
        await until(pilot, lambda: screen._spot != before and screen._placed is not None)
        await until(pilot, lambda: screen._placed == (Size(*LARGE), screen._spot))
        await pilot.pause()
        box = screen.query_one("#tour").region
        assert not box.intersection(screen._spot).area
        line = text_of(app).splitlines()[screen._spot.y - 1]
        assert line[screen._spot.x - 1 : screen._spot.right].startswith("┏━")
        await pilot.press("escape")
        await over(pilot)
    app.session.close()


@pytest.mark.parametrize(
    ("spot", "place"),
    [
        (Region(0, 0, 80, 3), Offset(10, 3)),
        (Region(0, 20, 80, 4), Offset(10, 12)),
        (Region(0, 0, 20, 24), Offset(20, 0)),
        (Region(60, 0, 20, 24), Offset(0, 0)),
        (Region(0, 0, 80, 24), Offset(10, 16)),
    ],
)
def test_the_box_stands_where_there_is_room(spot: Region, place: Offset) -> None:
    assert beside(spot, Size(60, 8), Size(80, 24)) == place


# What it says


async def test_it_says_what_is_stored(sample_database: Path) -> None:
    store = open_store(sample_database)
    mismatches = store.reader().execute("SELECT count(*) FROM listing WHERE mismatch").fetchall()
    first = store.reader().execute(
        "SELECT probe_id, first_token, text_status, text_label FROM listing WHERE mismatch "
        "ORDER BY question_index, format, order_index LIMIT 1"
    ).fetchall()  # fmt: skip
    ((probe_id, token, status, label),) = first
    app = toured(store)
    async with app.run_test(size=SMALL) as pilot:
        assert "48 prompts" in words(await at(pilot, 0))
        await pilot.press("right")
        row = words(await at(pilot, 1))
        assert app.session.probe_id == probe_id
        assert grid(app).cursor == app.session.position
        assert f"answer is {token} " in row
        assert "the text says" in row
        assert status != "option" or f"says {label}" in row
        await pilot.press("right")
        assert f"mismatch: {mismatches[0][0]} of 48 prompts" in words(await at(pilot, 2))
        await pilot.press("escape")
        await over(pilot)
    app.session.close()


async def test_without_a_mismatch_it_shows_another_flag(tmp_path: Path) -> None:
    app = toured(make_hard_store(tmp_path / "hard.duckdb"))
    async with app.run_test(size=SMALL) as pilot:
        await at(pilot, 0)
        listing = app.session.listing
        assert listing is not None
        assert not listing.counts["mismatch"]
        await pilot.press("right")
        screen = await at(pilot, 1)
        assert "flagged greedy vs samples" in str(screen.query_one("#tour").border_title)
        await pilot.press("escape")
        await over(pilot)
    app.session.close()


async def test_what_an_imported_log_lacks_is_said_to_be_missing(tmp_path: Path) -> None:
    store = open_store(tmp_path / "log.duckdb")
    import_logs(store, "helm", [str(LOGS / "helm")])
    app = toured(store)
    async with app.run_test(size=SMALL) as pilot:
        said = []
        for number in range(STOPS):
            said.append(words(await at(pilot, number)))
            await pilot.press("right")
        await over(pilot)
        assert "not recorded" in said[0]
        assert "its first token was not recorded, what it wrote was not recorded" in said[1]
        assert "none was recorded" in said[4]
        assert "prompt lab" not in said[6]
        assert "None" not in " ".join(said)
    app.session.close()


# How it looks


def stop(number: int) -> Callable[[Pilot[Any]], Awaitable[None]]:
    async def prepare(pilot: Pilot[Any]) -> None:
        for passed in range(number):
            await at(pilot, passed)
            await pilot.press("right")
        await at(pilot, number)
        for editor in pilot.app.screen_stack[-2].query(SqlEditor):
            editor.cursor_blink = False
        await until(pilot, lambda: not _busy(pilot.app), "the screen below")
        await pilot.pause()

    return prepare


@pytest.mark.parametrize("number", range(STOPS))
def test_a_stop(snap_compare: Any, sample_database: Path, number: int) -> None:
    app = toured(open_store(sample_database))
    assert snap_compare(app, terminal_size=SMALL, run_before=stop(number))
    app.session.close()
