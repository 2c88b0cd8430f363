"""Screen 4: running, errors, fetching, sorting, finding, and the ways to other screens and back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, OptionList, Static

from engine.browse import list_ids
from engine.errors import LogitscopeError
from engine.sql.console import Console
from engine.store import open_store
from tests.sample_store import add_sample_run
from tests.screen_help import SMALL, settle, text_of, until
from tests.sql_driver import editor, grid, open_sql, press, results, run, status, told
from tui import clipboard, sql_text
from tui.app import ExplorerApp
from tui.listing import Query
from tui.screens.question import QuestionScreen
from tui.screens.questions import QuestionsScreen
from tui.screens.sql import SqlScreen
from tui.screens.sql_export import ExportScreen
from tui.screens.sql_questions import open_sql as open_sql_screen
from tui.session import Session
from tui.sql_listing import list_of, probes_of, query_of, statement_of
from tui.sql_text import statement_at
from tui.state import load_state
from tui.widgets.completion_list import CompletionList
from tui.widgets.status_line import StatusLine
from tui.widgets.value_chart import ValueChart

MANY = "SELECT i AS n, 'row ' || i AS name FROM range(3000) r(i)"
ENDLESS = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range < 0"


# Running


async def test_a_query_shows_its_rows_and_an_honest_count(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, MANY)
        assert grid(pilot).rows == 500
        assert status(pilot).startswith("500 of more than 500 rows · ")
        assert "n BIGINT · 0" in text_of(explorer)
        await press(pilot, "G")
        assert grid(pilot).cursor == (2999, 0)
        assert status(pilot).startswith("3,000 rows · ")


async def test_several_statements_have_a_tab_each(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, "SELECT 1 AS a; CREATE VIEW mine AS SELECT 2 AS b; FROM mine")
        assert "1 1 rows  2 done  3 1 rows" in text_of(explorer)
        await until(pilot, lambda: "result 3 of 3" in status(pilot), "the status")
        await press(pilot, "ctrl+pageup")
        assert "View mine made." in text_of(explorer)
        await press(pilot, "ctrl+pageup")
        assert grid(pilot).has_focus
        assert "a INTEGER · 1" in text_of(explorer)
        await press(pilot, "ctrl+pageup")
        assert "result 3 of 3" in status(pilot)


async def test_an_error_shows_duckdbs_words_and_its_place(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot, "SELECT 1;\nSELECT probe_id,\n  entropi\nFROM listing")
        await press(pilot, "f5")
        assert 'Referenced column "entropi" not found' in text_of(explorer)
        assert editor(pilot).cursor_location == (2, 2)
        assert any(line.startswith("3✗") for line in text_of(explorer).splitlines())
        assert grid(pilot).rows == 1, "what ran before the error is shown"
        editor(pilot).insert("x")
        await settle(pilot)
        assert not any("3✗" in line for line in text_of(explorer).splitlines())
        editor(pilot).take("SELECT 2 AS two")
        await press(pilot, "f5")
        assert not pilot.app.screen.query_one("#sql-problem").display


async def test_the_place_of_an_error_in_a_selection_is_that_of_the_whole(
    explorer: ExplorerApp,
) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot, "SELECT 1;\nSELECT nothing")
        editor(pilot).move_cursor((1, 0))
        editor(pilot).move_cursor((1, 14), select=True)
        await press(pilot, "f5")
        assert editor(pilot)._problem == (1, 7)


async def test_rows_of_the_query_before_are_said_to_be_that(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, "SELECT 1 AS a", focus=False)
        editor(pilot).take("SELEC")
        await press(pilot, "f5")
        assert status(pilot).startswith("of the query before · 1 row · ")


async def test_escape_cancels_what_runs(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        screen = await open_sql(pilot, ENDLESS)
        await pilot.press("f5")
        await until(pilot, lambda: "escape cancels" in status(pilot), "the query to run")
        await pilot.press("escape")
        await settle(pilot)
        assert pilot.app.screen is screen
        assert "The query was cancelled." in text_of(explorer)


async def test_running_again_cancels_what_runs(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot, ENDLESS)
        await pilot.press("f5")
        await until(pilot, lambda: "Running" in status(pilot), "the query to run")
        editor(pilot).take("SELECT 'second' AS which")
        await press(pilot, "f5")
        assert grid(pilot).value == "second"


async def test_leaving_cancels_what_runs(
    explorer: ExplorerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = threading.Event()
    close = Console.close
    monkeypatch.setattr(Console, "close", lambda self: (close(self), closed.set()))
    async with explorer.run_test(size=SMALL) as pilot:
        screen = await open_sql(pilot, ENDLESS)
        await pilot.press("f5")
        await until(pilot, lambda: screen._querying.began is not None, "the query to run")
        screen.dismiss()
        await until(pilot, closed.is_set, "the console to close")


async def test_what_a_later_row_fails_with_is_one_sentence(explorer: ExplorerApp) -> None:
    sql = (
        "SELECT CASE WHEN i = 2500 THEN error('no such luck') ELSE 'ok' END AS a "
        "FROM range(9000) r(i)"
    )
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, sql)
        if grid(pilot).rows:
            await press(pilot, "G")
            assert any("no such luck" in words for words in told(pilot))
        else:
            assert "no such luck" in text_of(explorer)


# The editor


async def test_the_text_is_there_the_next_time(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot, "SELECT 'kept'")
        await press(pilot, "escape")
        assert isinstance(explorer.screen, QuestionsScreen)
        explorer.screen.set_focus(None)
        explorer.push_screen(SqlScreen(explorer.session))
        await settle(pilot)
        assert editor(pilot).text == "SELECT 'kept'"
    explorer.session.close()
    assert load_state(explorer.session.store.path).sql_text == "SELECT 'kept'"


async def test_names_are_offered_while_typing_and_taken_by_tab(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot, "SELECT * FROM listing WHERE ")
        popup = pilot.app.screen.query_one(CompletionList)
        await press(pilot, "e")
        assert popup.chosen is None, "one letter is no beginning yet"
        await press(pilot, "n", "t")
        assert popup.chosen is not None
        assert popup.chosen.text == "entropy"
        assert "of the first token" in text_of(explorer)
        await press(pilot, "tab")
        assert editor(pilot).text == "SELECT * FROM listing WHERE entropy"
        assert popup.chosen is None


async def test_suggestions_take_no_key_that_nobody_meant_for_them(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot, "SELECT * FROM listing WHERE ")
        popup = pilot.app.screen.query_one(CompletionList)
        await press(pilot, "e", "n", "enter")
        assert editor(pilot).text.endswith("WHERE en\n")
        await press(pilot, "e", "n", "t")
        await press(pilot, "escape")
        assert popup.chosen is None
        assert isinstance(pilot.app.screen, SqlScreen), "escape closed the list only"
        await press(pilot, "backspace", "r", "left")
        assert popup.chosen is None, "the cursor went elsewhere"


async def test_arrows_choose_and_enter_takes_what_was_chosen(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot, "SELECT * FROM listing WHERE ")
        popup = pilot.app.screen.query_one(CompletionList)
        await press(pilot, "e", "n", "down", "down", "up")
        assert popup.chosen is not None
        wanted = popup.chosen.text
        await press(pilot, "enter")
        assert editor(pilot).text == f"SELECT * FROM listing WHERE {wanted}"


async def test_suggestions_can_be_clicked(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot, "SELECT * FROM ")
        await press(pilot, "l", "i")
        popup = pilot.app.screen.query_one(CompletionList)
        assert popup.chosen is not None
        first = popup.chosen.text
        await pilot.click(CompletionList, offset=(3, 0))
        await settle(pilot)
        assert editor(pilot).text == f"SELECT * FROM {first}"


async def test_own_views_are_offered(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, "CREATE VIEW zebras AS SELECT 1 AS stripes", focus=False)
        editor(pilot).take("SELECT * FROM ")
        await press(pilot, *"zeb", "tab")
        assert editor(pilot).text == "SELECT * FROM zebras"


async def test_long_texts_are_not_highlighted(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot, "SELECT 1;\n" * 10)
        assert editor(pilot).language == "sql"
        assert editor(pilot)._highlights[0]
        editor(pilot).take("SELECT 1;\n" * 400)
        await settle(pilot)
        assert editor(pilot).language is None
        assert editor(pilot).cursor_location == (400, 0)
        editor(pilot).undo()
        await settle(pilot)
        assert editor(pilot).language == "sql"


async def test_history_steps_back_and_to_the_draft(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, "SELECT 1", focus=False)
        editor(pilot).take("SELECT 2")
        await press(pilot, "f5", "ctrl+up")
        assert editor(pilot).text == "SELECT 1"
        await press(pilot, "ctrl+down")
        assert editor(pilot).text == "SELECT 2"
        editor(pilot).take("a draft")
        screen = pilot.app.screen
        assert isinstance(screen, SqlScreen)
        screen._place_in_history = None
        await press(pilot, "ctrl+up", "ctrl+up", "ctrl+down", "ctrl+down")
        assert editor(pilot).text == "a draft"
        await press(pilot, "ctrl+up", "ctrl+up", "ctrl+up", "ctrl+up")
        assert "There is no older text." in told(pilot)


@pytest.mark.parametrize(
    ("place", "statement"),
    [
        (0, ("SELECT 1;", 0)),
        (9, ("SELECT 1;", 0)),
        (12, ("SELECT ';' AS b;", 11)),
        (40, ("FROM c", 30)),
    ],
)
def test_the_statement_at_a_place(place: int, statement: tuple[str, int]) -> None:
    assert statement_at("SELECT 1;\n SELECT ';' AS b; \n\nFROM c", place) == statement


def test_after_the_last_semicolon_it_is_the_statement_before() -> None:
    assert statement_at("SELECT 1;\n\n", 11) == ("SELECT 1;", 0)
    assert statement_at("", 0) == ("", 0)


async def test_the_users_own_editor_changes_the_text(
    explorer: ExplorerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.screens.sql.edited", lambda app, text: f"{text} -- edited")
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot, "SELECT 1")
        await press(pilot, "f2")
        assert editor(pilot).text == "SELECT 1 -- edited"
        editor(pilot).undo()
        assert editor(pilot).text == "SELECT 1"


async def test_without_a_terminal_there_is_no_editor(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        with pytest.raises(LogitscopeError, match="can't be opened from here"):
            sql_text.edited(explorer, "SELECT 1")


# The rows


async def test_sorting_by_a_column_there_back_and_as_it_came(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, "FROM (VALUES (2), (NULL), (3), (1)) v(n)")

        def column() -> list[Any]:
            shown = results(pilot).result
            assert shown is not None
            return [row[0] for row in shown.rows(0, 9)]

        assert column() == [2, None, 3, 1]
        await press(pilot, "s")
        assert column() == [1, 2, 3, None]
        assert "by n ▲" in status(pilot)
        await press(pilot, "s")
        assert column() == [3, 2, 1, None]
        await press(pilot, "s")
        assert column() == [2, None, 3, 1]


async def test_finding_says_how_far_it_looked(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await run(
            pilot,
            "SELECT CASE WHEN i % 100 = 7 THEN 'Seven' ELSE '' END AS t FROM range(3000) r(i)",
        )
        await press(pilot, "slash", *"seven", "enter")
        assert grid(pilot).cursor == (7, 0)
        assert status(pilot).startswith("'seven': 1 of ")
        assert "so far" in status(pilot)
        await press(pilot, "N")
        assert grid(pilot).cursor[0] > 400
        await press(pilot, "G", "slash", *"NOWHERE", "enter")
        assert status(pilot).startswith("no 'NOWHERE' in 3,000 rows ·")


async def test_the_whole_value_can_be_seen_and_copied(
    explorer: ExplorerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    monkeypatch.setattr(clipboard, "copy", lambda app, text: copied.append(text) or "the test")
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, "SELECT 'first\nsecond' AS t, [1, 2] AS l, NULL AS nothing")
        await press(pilot, "space")
        assert "t VARCHAR · row 1" in text_of(explorer)
        assert "12 characters" in text_of(explorer)
        await press(pilot, "y", "escape", "right", "space")
        assert "2 elements" in text_of(explorer)
        await press(pilot, "escape", "right", "space")
        assert "NULL" in text_of(explorer)
        assert copied == ["first\nsecond"]


async def test_the_chart_comes_and_goes(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, "SELECT format, count(*) AS probes FROM listing GROUP BY format")
        await press(pilot, "v")
        chart = pilot.app.screen.query_one(ValueChart)
        assert chart.has_focus
        assert "bar · x format · y probes · series none" in text_of(explorer)
        await press(pilot, "escape")
        assert grid(pilot).has_focus
        assert not chart.display


# To the questions and back


async def test_enter_opens_the_question_and_escape_comes_back(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, "SELECT entropy, probe_id FROM listing ORDER BY probe_id DESC LIMIT 5")
        listing, place = explorer.session.listing, explorer.session.position
        assert listing is not None
        await press(pilot, "down", "right", "enter")
        screen = pilot.app.screen
        assert isinstance(screen, QuestionScreen)
        probe_id = screen._probe_id
        assert " 2 of 5 " in text_of(explorer)
        screen.action_step(1)
        await settle(pilot)
        assert screen._probe_id == probe_id - 1, "the next row of the result, not of the list"
        await press(pilot, "escape")
        assert grid(pilot).cursor == (1, 1)
        after = explorer.session.listing
        assert after is not None
        assert (after.query, after.ids.tolist()) == (listing.query, listing.ids.tolist())
        assert explorer.session.position == place


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT probe_id FROM probes WHERE probe_id = 7", 7),
        ("SELECT run_id, question_index, format FROM probes WHERE probe_id = 7", 7),
        ("SELECT question_id, format, order_index FROM probes WHERE probe_id = 7", 7),
        ("SELECT 999999 AS probe_id", None),
        ("SELECT 'text' AS probe_id", None),
        ("SELECT 'no such' AS question_id", None),
        ("SELECT 'text' AS question_index", None),
        ("SELECT 1 AS a", None),
    ],
)
def test_which_question_a_row_names(sample_database: Path, sql: str, found: int | None) -> None:
    with open_store(sample_database) as store:
        console = Console(store)
        (result,) = console.run(sql)
        probes = probes_of(store, result.columns, result.rows(0, 1), 1)  # type: ignore[union-attr]
        if found is None or "order_index" in sql or "probe_id FROM" in sql:
            assert probes == [found]
        else:
            ((named,), (wanted,)) = (
                store.reader()
                .execute("SELECT question_index FROM probes WHERE probe_id = ?", [each])
                .fetchone()
                for each in (probes[0], found)
            )  # type: ignore[misc]
            assert named == wanted
        console.close()


async def test_a_row_that_names_no_question_says_so(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        screen = await run(pilot, "SELECT 1 AS a")
        await press(pilot, "enter")
        assert pilot.app.screen is screen
        assert "This row names no stored question: select its probe_id too." in told(pilot)


# The list as SQL, and back


async def test_the_list_comes_as_sql_and_goes_back(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        run_id = explorer.session.query.run_id  # type: ignore[union-attr]
        explorer.session.show(Query(run_id, "entropy > 0.5", format="low", sort="entropy"))
        await settle(pilot)
        listed = len(explorer.session.listing or ())
        await open_sql(pilot)
        text = editor(pilot).text
        assert "entropy > 0.5" in text
        assert "format = 'low'" in text
        await press(pilot, "f5", "f6", "G")
        assert grid(pilot).rows == listed > 0
        await press(pilot, "Q")
        assert isinstance(pilot.app.screen, QuestionsScreen)
        assert explorer.session.query == Query(run_id, "format = 'low' AND entropy > 0.5")
        assert len(explorer.session.listing or ()) == listed
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, SqlScreen)
        assert grid(pilot).rows == listed


async def test_what_the_editor_held_is_not_lost(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        explorer.session.state.sql_text = "SELECT 'mine'"
        screen = await open_sql(pilot)
        assert "FROM listing" in editor(pilot).text
        assert screen._history.entries()[-1].sql == "SELECT 'mine'"
        await press(pilot, "ctrl+z")
        assert editor(pilot).text == "SELECT 'mine'"


async def test_from_the_list_behind_a_result_the_same_screen_opens(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        screen = await run(pilot, "SELECT probe_id FROM probes LIMIT 3")
        shown = explorer.session.query
        await press(pilot, "Q")
        assert len(explorer.session.listing or ()) == 3
        await press(pilot, "Q")
        assert pilot.app.screen is screen
        assert len(pilot.app.screen_stack) == 2
        assert "probe_id IN (SELECT probe_id FROM" in editor(pilot).text
        assert explorer.session.query == shown


async def test_rows_that_name_no_probes_are_no_list(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        screen = await run(pilot, "SELECT 1 AS a")
        await press(pilot, "Q")
        assert pilot.app.screen is screen
        assert any("has no column probe_id" in words for words in told(pilot))


@pytest.mark.parametrize(
    ("statement", "condition"),
    [
        ("SELECT * FROM listing", ""),
        ("from listing where mismatch", "mismatch"),
        (
            "SELECT count(*) FROM listing WHERE run_id = 3 AND a BETWEEN 1 AND 2",
            "a BETWEEN 1 AND 2",
        ),
        ("SELECT a FROM listing WHERE x OR y ORDER BY b, c", "x OR y"),
        ("SELECT a FROM listing WHERE (x -- or\n AND y);", "(x AND y)"),
        ("SELECT a FROM listing WHERE t = 'a  ; b'", "t = 'a  ; b'"),
        ("SELECT a FROM listing LIMIT 3", None),
        ("SELECT a FROM listing l WHERE l.x", None),
        ("SELECT a FROM listing, runs", None),
        ("SELECT DISTINCT a FROM listing", None),
        ("SELECT a FROM listing GROUP BY a", None),
        ("SELECT a FROM listing UNION FROM listing", None),
        ("WITH l AS (FROM listing) FROM l", None),
        ("SELECT 1", None),
        ("DESCRIBE listing", None),
        ("FROM listing; FROM listing", None),
    ],
)
def test_which_statements_are_a_filter(statement: str, condition: str | None) -> None:
    query = query_of(statement, 9)
    assert (query.filter if query else None) == condition


@pytest.mark.parametrize(
    "query",
    [
        Query(1),
        Query(1, "entropy > 0.2 or margin < 0.5"),
        Query(1, "entropy > 0.2 -- a comment"),
        Query(1, "mismatch", format="low", flag="wrong", sort="entropy", descending=True),
    ],
)
def test_the_list_and_its_statement_show_the_same(sample_database: Path, query: Query) -> None:
    with open_store(sample_database) as store:
        wanted = list_ids(
            store, 1, condition=query.condition, order_by=query.order_by, flag=query.flag
        )
        rows = store.reader().execute(statement_of(query)).fetchall()
        assert [row[0] for row in rows] == wanted.tolist()
        back = query_of(statement_of(query), None)
        assert back is not None
        found = list_ids(store, back.run_id, condition=back.condition)
        assert sorted(found.tolist()) == sorted(wanted.tolist())


@pytest.fixture
def two_runs(sample_database: Path) -> Iterator[Session]:
    store = open_store(sample_database)
    add_sample_run(store, questions=4, formats=("low",), orders=1, name="second")
    session = Session(store)
    yield session
    session.close()


def test_questions_of_other_runs_are_counted(two_runs: Session) -> None:
    console = Console(two_runs.store)
    (result,) = console.run("SELECT * FROM listing WHERE question_index < 2")
    found = list_of(two_runs.store, result, 2)  # type: ignore[arg-type]
    assert found.query == Query(2, "question_index < 2")
    assert found.elsewhere > 0
    (result,) = console.run("SELECT * FROM listing WHERE run_id = 1 AND question_index < 2")
    assert list_of(two_runs.store, result, 2).query.run_id == 1  # type: ignore[arg-type]
    console.close()


def test_a_view_of_ones_own_becomes_a_list_by_its_ids(two_runs: Session) -> None:
    console = Console(two_runs.store)
    *_, result = console.run("CREATE VIEW mine AS SELECT probe_id FROM probes LIMIT 3; FROM mine")
    found = list_of(two_runs.store, result, None)  # type: ignore[arg-type]
    assert found.query.filter.startswith("probe_id IN (")
    ids = list_ids(two_runs.store, found.query.run_id, condition=found.query.filter)
    assert len(ids) + found.elsewhere == 3
    (result,) = console.run("SELECT 999999 AS probe_id")
    with pytest.raises(LogitscopeError, match="No stored question"):
        list_of(two_runs.store, result, None)  # type: ignore[arg-type]
    console.close()


async def test_the_screen_opens_over_any_other(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, "s")
        open_sql_screen(explorer, explorer.session)
        await settle(pilot)
        assert isinstance(explorer.screen, SqlScreen)
        assert editor(pilot).text == ""


# Saved queries, history, export, unlocking


async def test_saved_queries_can_be_searched_and_taken(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot, "SELECT 'before'")
        await press(pilot, "ctrl+o")
        everything = explorer.screen.query_one(OptionList).option_count
        assert everything >= 20
        explorer.screen.query_one(Input).value = "refus"
        await settle(pilot)
        assert 0 < explorer.screen.query_one(OptionList).option_count < everything
        await press(pilot, "down", "enter")
        assert "refus" in editor(pilot).text.lower()
        await press(pilot, "f5")
        assert not explorer.screen.query_one("#sql-problem").display
        await press(pilot, "ctrl+z")
        assert editor(pilot).text == "SELECT 'before'"


async def test_nothing_found_is_said(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await open_sql(pilot)
        await press(pilot, "ctrl+o")
        explorer.screen.query_one(Input).value = "qqqq"
        await settle(pilot)
        assert "Nothing holds these words." in text_of(explorer)
        await press(pilot, "down", "enter")
        assert not isinstance(explorer.screen, SqlScreen)


async def test_a_query_is_saved_and_not_written_over_unasked(
    explorer: ExplorerApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOGITSCOPE_HOME", str(tmp_path / "home"))
    async with explorer.run_test(size=SMALL) as pilot:
        for text in ("SELECT 1", "SELECT 2"):
            screen = explorer.screen
            if not isinstance(screen, SqlScreen):
                await open_sql(pilot)
            editor(pilot).take(text)
            await press(pilot, "ctrl+s", *"mine", "enter")
        assert "again writes over it" in text_of(explorer)
        await press(pilot, "enter")
        assert isinstance(explorer.screen, SqlScreen)
        assert (tmp_path / "home" / "queries" / "mine.sql").read_text() == "SELECT 2\n"
        editor(pilot).take("SELECT 3")
        await press(pilot, "ctrl+s", *"No", "enter")
        assert "can't be the name of a query" in text_of(explorer)


async def test_every_row_is_exported_sorted_as_it_is_shown(
    explorer: ExplorerApp, tmp_path: Path
) -> None:
    path = tmp_path / "out.csv"
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, MANY)
        await press(pilot, "s", "s", "e")
        explorer.screen.query_one(Input).value = str(path)
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(explorer.screen, SqlScreen), "the export")
        lines = path.read_text().splitlines()
        assert (len(lines), lines[1]) == (3001, '2999,"row 2999"')
        assert any(f"Wrote 3,000 rows to {path}" in words for words in told(pilot))
        await press(pilot, "e")
        explorer.screen.query_one(Input).value = str(path)
        await press(pilot, "enter")
        said = explorer.screen.query_one("#problem", Static).content
        assert str(said) == f"{path} is there already: enter again writes over it."
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(explorer.screen, SqlScreen), "the export")


async def test_an_export_takes_its_format_from_the_ending(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, "SELECT 1 AS a")
        await press(pilot, "e")
        assert isinstance(explorer.screen, ExportScreen)
        line = explorer.screen.query_one("Input", Input)
        shown = explorer.screen.query_one("#format", Static)
        for name, form in (
            ("result.parquet", "parquet"),
            ("result.jsonl", "jsonl"),
            ("result.md", "markdown"),
            ("result.csv", "csv"),
        ):
            await press(pilot, "down")
            assert (line.value, str(shown.content)) == (name, form)
        line.value = "result.xyz"
        await press(pilot, "enter")
        assert "End the file's name with .csv" in text_of(explorer)


async def test_a_failing_export_is_said_and_leaves_nothing(
    explorer: ExplorerApp, tmp_path: Path
) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await run(pilot, "SELECT 1 AS a")
        await press(pilot, "e")
        explorer.screen.query_one(Input).value = str(tmp_path / "no" / "such.csv")
        await press(pilot, "enter")
        await until(pilot, lambda: "can't be written" in text_of(explorer), "the reason")
        assert list(tmp_path.rglob("such*")) == []


async def test_unlocking_is_asked_for_and_shown(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        screen = await run(pilot, "DELETE FROM marks", focus=False)
        assert screen.query_one("#sql-problem").display
        await press(pilot, "f10", "n")
        assert not screen._querying.unlocked
        await press(pilot, "f10")
        assert "change and delete stored results" in text_of(explorer)
        await press(pilot, "y")
        assert screen._querying.unlocked
        assert "UNLOCKED" in screen.query_one("#sql-title", StatusLine).words
        await press(pilot, "f5")
        assert not screen.query_one("#sql-problem").display
        await press(pilot, "escape")
        await open_sql(pilot)
        assert "UNLOCKED" in text_of(explorer)


async def test_a_database_for_reading_only_stays_locked(sample_database: Path) -> None:
    session = Session(open_store(sample_database, read_only=True), read_only=True)
    app = ExplorerApp(session)
    async with app.run_test(size=SMALL) as pilot:
        screen = await run(pilot, "SELECT 1 AS a")
        await press(pilot, "f10")
        assert pilot.app.screen is screen
        assert any("can't be unlocked" in words for words in told(pilot))
    session.close()
