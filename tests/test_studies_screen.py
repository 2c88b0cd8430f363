"""Screen 5: runs and studies; every key, the cells' questions, the ways out, what goes wrong."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.widgets import Static

from engine import browse
from engine.browse import list_ids
from engine.errors import LogitscopeError
from engine.store import open_store
from engine.studies import STUDIES, Report, Scope, Study
from engine.studies.mismatch import mismatch_report
from engine.studies.report import Column, Plot, Row, Series, Table
from tests.actions.covering import covers
from tests.sample_store import add_sample_run
from tests.screen_help import SMALL, settle, text_of, until
from tui import clipboard
from tui.app import ExplorerApp
from tui.listing import Query
from tui.reports import as_tsv, filled
from tui.screens.question import QuestionScreen
from tui.screens.questions import QuestionsScreen
from tui.screens.runs import RunsScreen
from tui.screens.studies import StudyScreen
from tui.session import Session
from tui.widgets.filter_bar import FilterInput
from tui.widgets.notes_view import NotesView
from tui.widgets.plot_view import PlotView
from tui.widgets.result_grid import ResultGrid
from tui.widgets.study_list import StudyList
from tui.widgets.study_table import StudyTable

WIDE = (160, 45)


def plot(title: str) -> Plot:
    return Plot(title, "lines", "x", "y", (Series("s", (1.0, 2.0), (0.5, 0.75)),))


FAKE = Report(
    "mismatch",
    "A made-up report",
    (
        Table(
            "wide",
            "A wide table",
            (
                Column("name", "name", about="what the row is"),
                *(Column(f"c{place}", f"column {place}", "count") for place in range(20)),
            ),
            tuple(
                Row({"name": f"row {number}", **{f"c{place}": place for place in range(20)}})
                for number in range(60)
            ),
            "The note of the wide table.",
        ),
        Table("empty", "An empty table", (Column("a", "a"),), ()),
    ),
    (plot("First plot"), plot("Second plot")),
    ("A note of the study.",),
)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Report]], None]:
    """Puts another function in the place of the mismatch study."""

    def put(function: Callable[..., Report]) -> None:
        monkeypatch.setattr("engine.studies.mismatch.mismatch_report", function)

    return put


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was copied."""
    texts: list[str] = []

    def copy(app: object, text: str) -> str:
        texts.append(text)
        return "the test"

    monkeypatch.setattr(clipboard, "copy", copy)
    return texts


@pytest.fixture
def explorer_of_two(sample_database: Path) -> Iterator[ExplorerApp]:
    """The explorer on two runs."""
    store = open_store(sample_database)
    add_sample_run(store, questions=4, formats=("low",), orders=1, name="second")
    session = Session(store)
    yield ExplorerApp(session)
    session.close()


async def press(pilot: Pilot[Any], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


async def open_study(pilot: Pilot[Any], *keys: str) -> StudyScreen:
    """Open the mismatch study of the run that is shown; then press some keys."""
    await settle(pilot)
    await press(pilot, "s", "1")
    screen = pilot.app.screen
    assert isinstance(screen, StudyScreen)
    await until(pilot, lambda: screen._report is not None, "the study")
    await press(pilot, *keys)
    return screen


def cells(app: ExplorerApp) -> StudyTable:
    return app.screen.query_one(StudyTable)


def report_of(app: ExplorerApp, **scope: object) -> Report:
    return mismatch_report(app.session.store.reader(), Scope(**({"runs": (1,)} | scope)))


def words_of(app: ExplorerApp) -> str:
    """The words on the screen, without line breaks and frames."""
    return " ".join(re.sub(r"[│┃▌▐━─]", " ", text_of(app)).split())


def told(app: ExplorerApp) -> list[str]:
    """What notifications say."""
    return [notification.message for notification in app._notifications]


# Runs and studies


@covers("questions.studies", "runs.close")
async def test_p_opens_the_runs_and_s_the_studies(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        for key, focused in (("p", ResultGrid), ("s", StudyList)):
            await press(pilot, key)
            assert isinstance(explorer.screen, RunsScreen)
            assert isinstance(explorer.focused, focused)
            await press(pilot, "escape")
            assert isinstance(explorer.screen, QuestionsScreen)


async def test_every_study_is_listed_with_what_it_answers(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, "s")
        for place, study in enumerate(STUDIES):
            shown = text_of(explorer)
            assert all(f"{other.name} " in shown for other in STUDIES)
            assert study.about in " ".join(shown.split()), study.name
            if place < len(STUDIES) - 1:
                await press(pilot, "down")


@covers("runs.studies")
async def test_s_and_tab_go_between_runs_and_studies(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, "p")
        for key, focused in (("s", StudyList), ("s", ResultGrid), ("tab", StudyList)):
            await press(pilot, key)
            assert isinstance(explorer.focused, focused)


@covers(
    "runs.study",
    "runs.study_2",
    "runs.study_3",
    "runs.study_4",
    "runs.study_5",
    "rows.choose",
    "study.close",
)
async def test_enter_and_numbers_open_studies(
    explorer: ExplorerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Study, "report", lambda study, cursor, scope: FAKE)
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, "s", "enter")
        assert isinstance(explorer.screen, StudyScreen)
        assert explorer.screen._study is STUDIES[0]
        await press(pilot, "escape")
        assert isinstance(explorer.screen, RunsScreen)
        for place in range(5):
            await press(pilot, str(place + 1))
            assert isinstance(explorer.screen, StudyScreen)
            assert explorer.screen._study is STUDIES[place]
            await press(pilot, "s")
            assert explorer.screen.query_one(StudyList).cursor == place


@covers("runs.mark")
async def test_marks_choose_the_runs_of_a_study(explorer_of_two: ExplorerApp) -> None:
    app = explorer_of_two
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, "p")
        assert "studies of run 2" in text_of(app)
        await press(pilot, "down", "space")
        assert app.session.studying.marked == [1]
        assert "● " in text_of(app)
        assert "studies of 1 marked run" in text_of(app)
        await press(pilot, "up", "space", "6")
        assert app.screen._scope.runs == (1, 2)  # type: ignore[attr-defined]
        await press(pilot, "escape", "p", "p")
        assert "studies of 2 marked runs" in text_of(app)
        await press(pilot, "space")
        assert app.session.studying.marked == [1]


@covers("runs.mark_all")
async def test_a_marks_every_run_and_takes_all_marks_away(explorer_of_two: ExplorerApp) -> None:
    app = explorer_of_two
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, "p", "a")
        assert app.session.studying.marked == [1, 2]
        await press(pilot, "a")
        assert app.session.studying.marked == []


@covers("runs.study_6")
async def test_two_runs_are_compared_without_marks_where_there_are_two(
    explorer_of_two: ExplorerApp,
) -> None:
    async with explorer_of_two.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, "s", "6")
        assert isinstance(explorer_of_two.screen, StudyScreen)
        assert explorer_of_two.screen._scope.runs == (1, 2)


async def test_comparing_one_run_says_what_is_missing(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL, notifications=True) as pilot:
        await settle(pilot)
        await press(pilot, "s", "6")
        assert isinstance(explorer.screen, RunsScreen)
        assert told(explorer) == ["compare needs 2 runs: mark them with space."]


async def test_a_store_without_runs_studies_nothing(tmp_path: Path) -> None:
    session = Session(open_store(tmp_path / "empty.duckdb"))
    app = ExplorerApp(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await settle(pilot)
        await press(pilot, "s", "1")
        assert isinstance(app.screen, RunsScreen)
        assert told(app) == ["mismatch needs 1 run: mark them with space."]
        await press(pilot, "p")
        assert isinstance(app.screen, QuestionsScreen)
    session.close()


# Tables


async def test_the_tables_are_those_of_the_report(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=WIDE) as pilot:
        await open_study(pilot, "v", "v")
        for place, table in enumerate(report_of(explorer).tables):
            await press(pilot, str(place + 1))
            shown = text_of(explorer)
            assert table.title in shown
            columns, rows = filled(table)
            lines = shown.splitlines()
            assert any(all(column.title in line for column in columns[:3]) for line in lines)
            for row in rows:
                assert any(all(cell in line for cell in row[:4]) for line in lines), row


@covers("study.next_table", "study.previous_table")
async def test_tab_goes_round_the_tables_and_the_notes(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=WIDE) as pilot:
        await open_study(pilot)
        report = report_of(explorer)
        titles = [table.title for table in report.tables]
        for title in [*titles[1:], "notes", titles[0]]:
            await press(pilot, "tab")
            assert title in text_of(explorer)
        await press(pilot, "shift+tab")
        assert isinstance(explorer.focused, NotesView)
        assert STUDIES[0].about in " ".join(explorer.focused.copied().split())
        await press(pilot, "shift+tab")
        assert titles[-1] in text_of(explorer)
        assert isinstance(explorer.focused, StudyTable)


@covers(
    "cells.down",
    "cells.up",
    "cells.right",
    "cells.left",
    "cells.page_down",
    "cells.page_up",
    "cells.first_column",
    "cells.last_column",
    "cells.first_row",
    "cells.last_row",
)
async def test_the_cursor_goes_everywhere_and_no_further(
    explorer: ExplorerApp, fake: Callable[..., None]
) -> None:
    fake(lambda cursor, scope: FAKE)
    async with explorer.run_test(size=SMALL) as pilot:
        await open_study(pilot)
        table = cells(explorer)
        moves = {
            "left": (0, 0),
            "up": (0, 0),
            "down": (1, 0),
            "j": (2, 0),
            "k": (1, 0),
            "right": (1, 1),
            "l": (1, 2),
            "h": (1, 1),
            "end": (1, 20),
            "G": (59, 20),
            "home": (59, 0),
            "g": (0, 0),
            "ctrl+end": (59, 0),
            "ctrl+home": (0, 0),
        }
        for key, place in moves.items():
            await press(pilot, key)
            assert table.cursor == place, key
        page = table.size.height - 1
        for key, row in (("pagedown", page), ("ctrl+f", 2 * page), ("ctrl+b", page), ("pageup", 0)):
            await press(pilot, key)
            assert table.cursor == (row, 0)


async def test_wide_tables_scroll_and_keep_names_and_header(
    explorer: ExplorerApp, fake: Callable[..., None]
) -> None:
    fake(lambda cursor, scope: FAKE)
    async with explorer.run_test(size=SMALL) as pilot:
        await open_study(pilot, "v", "v")
        assert "column 19" not in text_of(explorer)
        assert "›" in text_of(explorer)
        await press(pilot, "end", "G")
        shown = text_of(explorer).splitlines()
        header = next(line for line in shown if "column 19" in line)
        assert "name" in header
        assert "‹" in header
        (last,) = (line for line in shown if "row 59" in line)
        assert last.rstrip().endswith("▸       19")
        await press(pilot, "home", "g")
        assert "row 0" in text_of(explorer)
        for _ in range(20):
            await press(pilot, "right")
            assert f"{FAKE.tables[0].columns[cells(explorer).cursor[1]].title}" in text_of(explorer)


async def test_the_line_below_says_what_the_column_means(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=WIDE) as pilot:
        await open_study(pilot)
        table = report_of(explorer).tables[0]
        columns, rows = filled(table)
        for place, column in enumerate(columns):
            assert cells(explorer).cursor == (0, place)
            legend = str(explorer.screen.query_one("#study-legend", Static).content)
            assert legend.startswith(f"{column.title}: {rows[0][place]}")
            assert column.about in legend
            assert table.note in legend
            await press(pilot, "right")


async def test_a_click_takes_the_cursor_and_a_second_one_opens(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=WIDE) as pilot:
        await open_study(pilot)
        table = cells(explorer)
        lines = text_of(explorer).splitlines()
        y = next(y for y, line in enumerate(lines) if " M %" in line)
        x = lines[y].index(" M ") + 1
        assert await pilot.click(offset=Offset(x, y + 3))
        await settle(pilot)
        titles = [column.title for column in filled(report_of(explorer).tables[0])[0]]
        assert table.cursor == (2, titles.index("M"))
        assert await pilot.click(offset=Offset(lines[y].index("ord"), y))
        await settle(pilot)
        assert table.cursor == (2, titles.index("ord"))
        assert await pilot.click(offset=Offset(x, y + 4), times=2)
        await settle(pilot)
        assert isinstance(explorer.screen, QuestionsScreen)


# The questions behind a cell


async def to_column(pilot: Pilot[Any], key: str) -> None:
    """Put the cursor on a column."""
    table = cells(pilot.app)  # type: ignore[arg-type]
    while table.column is not None and table.column.key != key:
        before = table.cursor
        await press(pilot, "right")
        assert table.cursor != before, f"no column {key}"


@covers("cells.choose")
async def test_enter_shows_the_questions_behind_a_cell(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, "slash", *"refusal", "enter", "down")
        query, position = explorer.session.query, explorer.session.position
        assert position == 1
        study = await open_study(pilot, "down")
        await to_column(pilot, "mismatch")
        row = report_of(explorer).tables[0].rows[1]
        await press(pilot, "enter")
        assert isinstance(explorer.screen, QuestionsScreen)
        condition = row.behind("mismatch")
        assert explorer.screen.query_one(FilterInput).value == condition
        listing = explorer.session.listing
        assert listing is not None
        expected = list_ids(explorer.session.store, 1, condition=condition)
        assert listing.ids.tolist() == expected.tolist()
        assert len(expected) == row.cells["mismatch"]

        await press(pilot, "down", "enter")
        assert isinstance(explorer.screen, QuestionScreen)
        await press(pilot, "escape", "escape")
        assert explorer.screen is study
        assert cells(explorer).column is not None
        assert cells(explorer).column.key == "mismatch"
        assert cells(explorer).cursor[0] == 1
        assert (explorer.session.query, explorer.session.position) == (query, position)
        await press(pilot, "escape", "escape")
        assert isinstance(explorer.screen, QuestionsScreen)
        assert explorer.screen.query_one(FilterInput).value == "refusal"
        assert explorer.screen.query_one(ResultGrid).cursor == 1
        await press(pilot, "escape")
        assert explorer.session.query == Query(1)


async def test_the_condition_can_be_edited_and_s_goes_back(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        study = await open_study(pilot)
        await press(pilot, "enter")
        before = len(explorer.session.listing or ())
        await pilot.press("slash", "end")
        field = explorer.screen.query_one(FilterInput)
        field.value += " AND refusal"
        await press(pilot, "enter")
        assert explorer.session.query is not None
        assert explorer.session.query.filter.endswith(" AND refusal")
        assert 0 < len(explorer.session.listing or ()) < before
        await press(pilot, "p")
        assert isinstance(explorer.screen, QuestionsScreen)
        await press(pilot, "s")
        assert explorer.screen is study


async def test_a_cell_that_counts_nothing_opens_nothing(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL, notifications=True) as pilot:
        study = await open_study(pilot)
        row = report_of(explorer).tables[0].rows[0]
        empty = next(key for key in row.narrower if row.cells.get(key) == 0)
        await to_column(pilot, empty)
        await press(pilot, "enter")
        assert explorer.screen is study
        (words,) = told(explorer)
        assert words.startswith("No question stands behind this cell")


async def test_a_row_of_no_single_run_says_so(
    explorer: ExplorerApp, fake: Callable[..., None]
) -> None:
    fake(lambda cursor, scope: FAKE)
    async with explorer.run_test(size=SMALL, notifications=True) as pilot:
        study = await open_study(pilot, "enter")
        assert explorer.screen is study
        assert told(explorer) == ["No single run stands behind this row."]


async def test_an_override_behind_a_cell_is_counted_on_the_way_back(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        study = await open_study(pilot)
        await to_column(pilot, "mismatch")
        table = study._table
        assert table is not None
        before = table.rows[0].cells["mismatch"]
        assert isinstance(before, int)
        await press(pilot, "enter")
        probe_id = explorer.session.probe_id
        assert probe_id is not None
        view = browse.probe_view(explorer.session.store, probe_id)
        first = next(reading for reading in view.readings if reading.name == "first_token")
        explorer.session.decide(probe_id, "option", first.label)
        await settle(pilot)
        await press(pilot, "escape")
        await until(pilot, lambda: study._table is not table, "the study to be made again")
        assert study._table is not None
        assert study._table.rows[0].cells["mismatch"] == before - 1
        assert cells(explorer).column is not None
        assert cells(explorer).column.key == "mismatch"


# Plots


@covers("study.toggle_plot")
@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["80x24", "160x45"])
async def test_v_shows_table_and_plot_as_there_is_room(
    explorer: ExplorerApp, fake: Callable[..., None], size: tuple[int, int]
) -> None:
    fake(lambda cursor, scope: FAKE)
    async with explorer.run_test(size=size) as pilot:
        await open_study(pilot)

        def shown() -> tuple[bool, bool]:
            return cells(explorer).display, explorer.screen.query_one(PlotView).display

        states = [(True, True)] if size == WIDE else [(True, False)]
        states += [(False, True), (True, False)] if size == WIDE else [(False, True)]
        for state in (*states, states[0]):
            assert shown() == state
            assert explorer.focused is not None
            assert explorer.focused.display
            assert ("First plot" in text_of(explorer)) == state[1]
            await press(pilot, "v")


@covers("study.next_plot", "study.previous_plot")
async def test_p_shows_the_next_plot(explorer: ExplorerApp, fake: Callable[..., None]) -> None:
    fake(lambda cursor, scope: FAKE)
    async with explorer.run_test(size=SMALL) as pilot:
        await open_study(pilot)
        for key, title in (("p", "Second"), ("p", "First"), ("P", "Second")):
            await press(pilot, key)
            assert f"{title} plot" in text_of(explorer)
        await press(pilot, "2")
        assert "An empty table" in text_of(explorer)
        assert not explorer.screen.query_one(PlotView).display


async def test_the_plot_grows_with_the_screen(
    explorer: ExplorerApp, fake: Callable[..., None]
) -> None:
    fake(lambda cursor, scope: FAKE)
    async with explorer.run_test(size=SMALL) as pilot:
        await open_study(pilot, "v")
        view = explorer.screen.query_one(PlotView)
        for size in (SMALL, WIDE, (100, 30)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            if view.display:
                assert len(view._lines) == view.scrollable_content_region.height


async def test_a_study_without_plots_offers_none(
    explorer: ExplorerApp, fake: Callable[..., None]
) -> None:
    fake(lambda cursor, scope: Report("mismatch", "t", FAKE.tables))
    async with explorer.run_test(size=WIDE) as pilot:
        await open_study(pilot, "v", "p")
        assert "v plot" not in text_of(explorer)
        assert cells(explorer).display


# Options, and the command


@covers("study.next_text", "study.next_by")
async def test_t_and_b_change_what_is_counted_and_the_command(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=WIDE) as pilot:
        await open_study(pilot)
        changes: list[tuple[str, dict[str, object]]] = [
            ("b", {"by": "format"}),
            ("b", {"by": "subject"}),
            ("t", {"by": "subject", "text": "reading"}),
            ("b", {"by": "model", "text": "reading"}),
            ("t", {"by": "model"}),
            ("b", {}),
        ]
        for key, scope in changes:
            await press(pilot, key)
            screen = explorer.screen
            assert isinstance(screen, StudyScreen)
            assert screen._report == report_of(explorer, **scope)
            shown = text_of(explorer)
            assert f"apart by: {scope.get('by', 'order')}" in shown
            assert f"what texts say: {scope.get('text', 'decided')}" in shown
            command = next(line for line in shown.splitlines() if "logitscope report" in line)
            assert ("--by" in command) == ("by" in scope)
            assert ("--text reading" in command) == ("text" in scope)
            assert "--run 1" in command


async def test_a_study_offers_only_the_options_of_its_command(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=WIDE) as pilot:
        await settle(pilot)
        await press(pilot, "s", "3")
        assert "t text source" in text_of(explorer)
        assert "b apart by" not in text_of(explorer)
        await press(pilot, "b")
        assert isinstance(explorer.screen, StudyScreen)
        assert explorer.screen._scope.by == "order"


@covers("study.copy", "study.copy_command")
async def test_y_copies_the_table_and_capital_y_the_command(
    explorer: ExplorerApp, copied: list[str]
) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_study(pilot, "y", "2", "y", "Y")
        tables = report_of(explorer).tables
        path = explorer.session.store.path
        command = f"logitscope report mismatch --db {path} --run 1"
        assert copied == [as_tsv(tables[0]), as_tsv(tables[1]), command]
        await press(pilot, "v", "y")
        assert copied[-1].startswith(report_of(explorer).plots[0].title)
        await press(pilot, "1", "shift+tab", "y")
        assert STUDIES[0].about in " ".join(copied[-1].split())


async def test_the_demo_needs_no_database_in_the_command(sample_database: Path) -> None:
    session = Session(open_store(sample_database), demo=True)
    app = ExplorerApp(session)
    async with app.run_test(size=SMALL) as pilot:
        await open_study(pilot)
        assert "logitscope report mismatch --run 1" in text_of(app)
    session.close()


# What takes long, and what goes wrong


async def test_a_slow_study_says_so_and_can_be_left(
    explorer: ExplorerApp, fake: Callable[..., None]
) -> None:
    began = threading.Event()
    ends: list[BaseException] = []

    def endless(cursor: Any, scope: Scope) -> Report:
        began.set()
        try:
            cursor.execute(
                "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b"
            )
        except BaseException as error:
            ends.append(error)
            raise
        return FAKE

    fake(endless)
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, "s")
        await pilot.press("1")
        await until(pilot, lambda: "Studying 1 run · 0:0" in text_of(explorer))
        assert began.is_set()
        await pilot.press("escape")
        await until(pilot, lambda: ends, "the query to end")
        assert "Interrupt" in type(ends[0]).__name__
        fake(lambda cursor, scope: FAKE)
        await pilot.press("1")
        await until(pilot, lambda: "A wide table" in text_of(explorer), "the next study")


async def test_a_study_that_was_left_asks_nothing_more(
    explorer: ExplorerApp, fake: Callable[..., None]
) -> None:
    left = threading.Event()
    asked: list[object] = []

    def patient(cursor: Any, scope: Scope) -> Report:
        cursor.execute("SELECT 1").fetchall()
        left.wait(30)
        try:
            asked.append(cursor.execute("SELECT 2").fetchall())
        except LogitscopeError as error:
            asked.append(error.sentence)
            raise
        return FAKE

    fake(patient)
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, "s")
        await pilot.press("1")
        await until(pilot, lambda: "Studying" in text_of(explorer))
        await pilot.press("escape")
        await settle(pilot)
        left.set()
        await until(pilot, lambda: asked)
        assert asked == ["The study was cancelled."]


async def test_what_a_study_cannot_do_is_said_in_words(
    explorer: ExplorerApp, fake: Callable[..., None]
) -> None:
    def refuse(cursor: Any, scope: Scope) -> Report:
        if scope.text == "reading":
            return FAKE
        raise LogitscopeError("Nobody has read a text.", "Read some with: logitscope reread")

    fake(refuse)
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, "s", "1")
        shown = words_of(explorer)
        assert "Nobody has read a text. Read some with: logitscope reread" in shown
        await press(pilot, "enter", "y", "v", "tab")
        await press(pilot, "t")
        assert "A wide table" in text_of(explorer)


async def test_what_the_database_cannot_do_is_no_traceback(
    explorer: ExplorerApp, fake: Callable[..., None]
) -> None:
    fake(lambda cursor, scope: cursor.execute("SELECT nothing FROM nowhere"))
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, "s", "1")
        assert "The study mismatch failed: Catalog Error" in words_of(explorer)


async def test_an_empty_table_is_shown_and_offers_nothing(
    explorer: ExplorerApp, fake: Callable[..., None]
) -> None:
    fake(lambda cursor, scope: FAKE)
    async with explorer.run_test(size=SMALL) as pilot:
        study = await open_study(pilot, "2")
        assert "No rows." in text_of(explorer)
        await press(pilot, "down", "right", "end", "G", "enter", "pagedown")
        assert explorer.screen is study


# Help, palette, start


async def test_help_explains_table_and_study(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=(120, 60)) as pilot:
        await open_study(pilot, "question_mark")
        shown = text_of(explorer)
        for words in ("The table", "Show the questions behind the cell.", "Show the next table"):
            assert words in shown
        assert StudyScreen.HELP in words_of(explorer)


async def test_nothing_of_the_studies_is_imported_at_the_start() -> None:
    code = "import sys, tui.app, tui.cli; print([m for m in sys.modules if 'studies' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
