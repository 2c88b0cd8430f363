"""Screen 1: every key, the tabs, the filter, sorting, marks, empty states and how it looks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.widgets import Static

from engine import browse
from engine.store import open_store
from tests.actions.covering import covers
from tests.sample_store import add_sample_run
from tests.screen_help import LARGE, SMALL, settle, text_of, until
from tui.app import ExplorerApp
from tui.output import NOT_RECORDED
from tui.screens.question import QuestionScreen
from tui.screens.questions import QuestionsScreen
from tui.session import Session
from tui.widgets.filter_bar import FilterBar, FilterInput, text_search
from tui.widgets.flag_tabs import TABS, FlagTabs
from tui.widgets.preview import Preview
from tui.widgets.question_columns import SORTABLE
from tui.widgets.result_grid import ResultGrid
from tui.widgets.run_header import RunHeader


async def press(pilot: Pilot[Any], *keys: str) -> None:
    await pilot.press(*keys)
    await settle(pilot)


async def typed(pilot: Pilot[Any], text: str) -> None:
    """Type a filter, letter by letter, without applying it."""
    await pilot.press("slash")
    pilot.app.query_one(FilterInput).value = ""
    await pilot.press(*(NAMES.get(letter, letter) for letter in text))


NAMES = {
    " ": "space",
    "'": "apostrophe",
    ">": "greater_than_sign",
    "=": "equals_sign",
    "(": "left_parenthesis",
    ")": "right_parenthesis",
    ",": "comma",
    "_": "underscore",
    ".": "full_stop",
    ";": "semicolon",
    "-": "minus",
}


def ids(app: ExplorerApp) -> list[int]:
    assert app.session.listing is not None
    listed: list[int] = app.session.listing.ids.tolist()
    return listed


def ids_by_sql(app: ExplorerApp, rest: str) -> list[int]:
    rows = app.session.store.reader().execute(f"SELECT probe_id FROM listing {rest}").fetchall()
    return [probe_id for (probe_id,) in rows]


def answer_line(app: ExplorerApp) -> str:
    line = app.query_one("#answer", Static)
    return str(line.content) if line.has_class("-shown") else ""


NATURAL = "ORDER BY question_index, format, order_index"


# The list


async def test_it_opens_on_the_newest_run(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        assert ids(explorer) == ids_by_sql(explorer, NATURAL)
        assert isinstance(explorer.screen, QuestionsScreen)
        assert isinstance(explorer.focused, ResultGrid)
        shown = text_of(explorer)
        assert "run 1 · model · sample.jsonl" in shown
        assert "finished 48/48" in shown
        assert "row 1 of 48" in shown


async def test_a_row_says_what_the_store_says(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=(200, 60)) as pilot:
        await settle(pilot)
        rows = browse.list_rows(explorer.session.store, ids(explorer))
        lines = text_of(explorer).splitlines()
        start = next(place for place, line in enumerate(lines) if " gold " in line) + 1
        visible = explorer.query_one(ResultGrid).size.height - 1
        for row, line in zip(rows[:visible], lines[start:], strict=False):
            cells = line.replace("▸", " ").split()
            assert cells[0] == str(row.question_index + 1)
            assert cells[1:3] == [row.format, str(row.order_index)]
            assert cells[3] == (row.gold or "–")
            assert cells[4] == row.first_token
            if row.text_status == "option":
                assert f" {row.text_label} " in line
            else:
                assert row.text_status is not None
                assert row.text_status.split("_")[0].replace("dont", "don't") in line
            assert row.sample_agreement is not None
            assert f"{round(row.sample_agreement * 4)}/4" in line


async def test_narrow_screens_say_how_many_columns_are_missing(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        assert "5 columns need a wider screen" in text_of(explorer)
        assert "margin entropy" not in " ".join(text_of(explorer).split())
        await pilot.resize_terminal(160, 45)
        await settle(pilot)
        assert "wider screen" not in text_of(explorer)
        assert "margin entropy" in " ".join(text_of(explorer).split())


async def test_the_demo_says_that_its_model_is_a_teaching_model(sample_database: Path) -> None:
    session = Session(open_store(sample_database), demo=True)
    app = ExplorerApp(session)
    async with app.run_test(size=SMALL) as pilot:
        await settle(pilot)
        (line,) = (line for line in text_of(app).splitlines() if "eaching model" in line)
        assert line.strip().endswith("no evidence about real models")
    session.close()


# Flags


@covers("questions.next_flagged", "questions.previous_flagged")
async def test_n_goes_from_mismatch_to_mismatch(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL, notifications=True) as pilot:
        await settle(pilot)
        wanted = ids_by_sql(explorer, f"WHERE mismatch {NATURAL}")
        assert 2 < len(wanted) < 48
        seen = []
        for _ in wanted:
            await pilot.press("n")
            seen.append(explorer.session.probe_id)
        assert seen == wanted
        await pilot.press("n")
        assert explorer.session.probe_id == wanted[-1]
        await until(pilot, lambda: "No mismatch below this row" in text_of(explorer))
        await pilot.press("N")
        assert explorer.session.probe_id == wanted[-2]
        assert explorer.query_one(ResultGrid).cursor == ids(explorer).index(wanted[-2])


async def test_every_flag_has_a_tab_with_its_count(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=(340, 40)) as pilot:
        await settle(pilot)
        shown = text_of(explorer)
        counts = browse.flag_counts(explorer.session.store, 1)
        for tab in TABS:
            assert f"{tab.text} {counts.get(tab.flag or 'all', NOT_RECORDED)}" in shown
        assert len(counts) < len(TABS), "some flag is not recorded here"


@covers("questions.next_tab", "questions.previous_tab")
async def test_left_and_right_go_through_the_flags_that_have_rows(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        counts = browse.flag_counts(explorer.session.store, 1)
        expected = [tab.flag for tab in TABS if tab.flag and counts.get(tab.flag)]
        assert len(expected) < len(TABS) - 1
        for flag in expected:
            await press(pilot, "right")
            assert explorer.query_one(FlagTabs).active == flag
            assert ids(explorer) == ids_by_sql(explorer, f"WHERE {flag} {NATURAL}")
            assert f" {counts[flag]} " in text_of(explorer).splitlines()[1]
        await press(pilot, "right")
        assert explorer.query_one(FlagTabs).active is None
        await press(pilot, "left")
        assert explorer.query_one(FlagTabs).active == expected[-1]


@covers(
    "questions.tab",
    "questions.tab_2",
    "questions.tab_3",
    "questions.tab_4",
    "questions.tab_5",
    "questions.tab_6",
    "questions.tab_7",
    "questions.tab_8",
    "questions.tab_9",
    "questions.tab_10",
)
async def test_number_keys_and_clicks_pick_tabs(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=(200, 40)) as pilot:
        await settle(pilot)
        for place in range(10):
            await press(pilot, str((place + 1) % 10))
            assert explorer.query_one(FlagTabs).active == TABS[place].flag
        await press(pilot, "1")
        x = text_of(explorer).splitlines()[1].index("R refusal")
        await pilot.click(FlagTabs, offset=Offset(x + 1, 0))
        await settle(pilot)
        assert explorer.query_one(FlagTabs).active == "refusal"


async def test_n_looks_for_the_flag_of_the_last_tab(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, "5")
        assert explorer.query_one(FlagTabs).active == "refusal"
        refusals = ids(explorer)
        await pilot.press("n")
        assert explorer.session.probe_id == refusals[1]
        await press(pilot, "1")
        assert explorer.session.probe_id == refusals[1]
        assert "n: next refusal" in text_of(explorer)
        await pilot.press("n")
        assert explorer.session.probe_id == refusals[2]


# The filter


@covers("questions.filter", "questions.back")
async def test_a_filter_is_the_sql_condition(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await typed(pilot, "format = 'low' and entropy > 2")
        await press(pilot, "enter")
        expected = ids_by_sql(explorer, f"WHERE format = 'low' AND entropy > 2 {NATURAL}")
        assert 0 < len(expected) < 24
        assert ids(explorer) == expected
        assert isinstance(explorer.focused, ResultGrid)
        assert explorer.query_one(FilterInput).value == "format = 'low' and entropy > 2"
        tabs = explorer.query_one(FlagTabs)
        assert tabs.count(None) == len(expected)
        await press(pilot, "escape")
        assert len(ids(explorer)) == 48
        assert explorer.query_one(FilterInput).value == ""


@covers("filter.leave")
async def test_a_wrong_condition_is_explained_and_nothing_is_lost(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await typed(pilot, "marked = false")
        await press(pilot, "enter")
        await typed(pilot, "entropie > 2")
        await press(pilot, "enter")
        assert "entropie" in answer_line(explorer)
        assert "\n" not in answer_line(explorer)
        assert explorer.query_one(FilterInput).value == "entropie > 2"
        assert isinstance(explorer.focused, FilterInput)
        assert explorer.session.listing is not None
        assert explorer.session.listing.query.filter == "marked = false"
        await press(pilot, "escape")
        assert explorer.query_one(FilterInput).value == "marked = false"
        assert answer_line(explorer) == ""


async def test_plain_words_search_the_questions(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await typed(pilot, "planet")
        await pilot.pause()
        assert answer_line(explorer) == "enter: contains(lower(question), 'planet')"
        await press(pilot, "enter")
        assert explorer.query_one(FilterInput).value == "contains(lower(question), 'planet')"
        expected = ids_by_sql(explorer, f"WHERE question LIKE '%planet%' {NATURAL}")
        assert ids(explorer) == expected != []


@pytest.mark.parametrize(
    ("words", "condition"),
    [
        ("moral", "contains(lower(question), 'moral')"),
        ("John Rawls", "contains(question, 'John Rawls')"),
        ("don't know", "contains(lower(question), 'don''t know')"),
        ("日本", "contains(lower(question), '日本')"),
        ("42", "contains(lower(question), '42')"),
        ("mismatch", None),
        ("mismatch and not refusal", None),
        ("marked", None),
        ("gold is null", None),
        ("format = 'low'", None),
        ("entropy > 2", None),
        ("format in ('low')", None),
        ("question like 'a%'", None),
        ("  ", None),
    ],
)
def test_what_counts_as_plain_words(words: str, condition: str | None) -> None:
    assert text_search(words) == condition


async def test_a_filter_can_do_no_harm(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        for hostile in (
            "true); drop table marks; --",
            "1=1; delete from probes",
            "(",
            "gold = '",
            "/*",
        ):
            await pilot.press("slash")
            explorer.query_one(FilterInput).value = hostile
            await press(pilot, "enter")
            assert answer_line(explorer)
        assert ids_by_sql(explorer, NATURAL) == ids(explorer)
        assert explorer.session.store.reader().execute("FROM marks").fetchall() == []


@covers("filter.complete")
async def test_names_of_columns_are_completed(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await typed(pilot, "marked or entr")
        await until(pilot, lambda: explorer.query_one(FilterInput)._suggestion)
        await pilot.press("tab")
        assert explorer.query_one(FilterInput).value == "marked or entropy"
        await typed(pilot, "question = 'entr")
        await pilot.pause()
        assert not explorer.query_one(FilterInput)._suggestion


@covers("filter.older", "filter.newer")
async def test_earlier_filters_come_back(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        for condition in ("tie", "refusal"):
            await typed(pilot, condition)
            await press(pilot, "enter")
        await pilot.press("slash", "up")
        assert explorer.query_one(FilterInput).value == "refusal"
        await pilot.press("up", "up")
        assert explorer.query_one(FilterInput).value == "tie"
        await pilot.press("down")
        assert explorer.query_one(FilterInput).value == "refusal"
        await pilot.press("down")
        assert explorer.query_one(FilterInput).value == ""


async def test_new_results_leave_what_is_being_typed(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await typed(pilot, "ent")
        explorer.session.refresh()
        await settle(pilot)
        assert explorer.query_one(FilterInput).value == "ent"
        assert isinstance(explorer.focused, FilterInput)


async def test_no_match_says_what_to_do(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await typed(pilot, "entropy > 1000")
        await press(pilot, "enter")
        assert "No row matches." in text_of(explorer)
        assert "Escape clears the filter." in text_of(explorer)
        await press(pilot, "escape")
        assert "row 1 of 48" in text_of(explorer)
        assert isinstance(explorer.focused, ResultGrid)


# Order, format, marks, preview


@covers("questions.sort_next", "questions.sort_previous")
async def test_sorting_steps_through_the_columns(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        for key in SORTABLE:
            await press(pilot, "full_stop")
            assert explorer.session.query is not None
            assert explorer.session.query.sort == key
        await press(pilot, "full_stop")
        assert explorer.session.query.sort is None
        await press(pilot, "comma")
        assert explorer.session.query.sort == SORTABLE[-1]


@covers("questions.sort_reverse")
async def test_sorting_by_entropy_and_back(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, *["full_stop"] * (SORTABLE.index("entropy") + 1))
        order = "ORDER BY entropy DESC, question_index, format, order_index"
        assert ids(explorer) == ids_by_sql(explorer, order)
        assert "entropy▼" in text_of(explorer)
        assert "by entropy ▼" in text_of(explorer)
        await press(pilot, "o")
        assert ids(explorer) == ids_by_sql(explorer, order.replace("DESC", "ASC"))
        assert "entropy▲" in text_of(explorer)


async def test_o_reverses_the_order_of_the_questions_too(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, "o")
        assert ids(explorer) == ids_by_sql(
            explorer, "ORDER BY question_index DESC, format, order_index"
        )


async def test_a_header_sorts_reverses_and_lets_go(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        x = next(line for line in text_of(explorer).splitlines() if "margin" in line).index(
            "margin"
        )
        sorts = []
        for _ in range(3):
            await pilot.click(ResultGrid, offset=Offset(x, 0))
            await settle(pilot)
            assert explorer.session.query is not None
            sorts.append((explorer.session.query.sort, explorer.session.query.descending))
        assert sorts == [("margin", False), ("margin", True), (None, False)]


async def test_the_cursor_stays_on_its_probe_when_the_order_changes(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, "down", "down", "down")
        probe_id = explorer.session.probe_id
        await press(pilot, "full_stop", "full_stop", "full_stop")
        assert explorer.session.probe_id == probe_id
        assert ids(explorer)[explorer.query_one(ResultGrid).cursor] == probe_id


@covers("questions.next_format")
async def test_f_goes_through_the_formats(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, "f")
        assert ids(explorer) == ids_by_sql(explorer, f"WHERE format = 'low' {NATURAL}")
        assert "where format = 'low' and" in text_of(explorer)
        await press(pilot, "f")
        assert ids(explorer) == ids_by_sql(explorer, f"WHERE format = 'high' {NATURAL}")
        await press(pilot, "f")
        assert len(ids(explorer)) == 48
        assert "format = 'high'" not in text_of(explorer)


@covers("questions.mark")
async def test_space_marks(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await press(pilot, "down", "space")
        row = explorer.query_one(ResultGrid).row
        await until(pilot, lambda: "●" in text_of(explorer))
        assert row is not None
        assert ids_by_sql(explorer, "WHERE marked") == [row.probe_id]
        await typed(pilot, "marked")
        await press(pilot, "enter")
        assert ids(explorer) == [row.probe_id]
        await press(pilot, "space")
        await until(pilot, lambda: "●" not in text_of(explorer))
        assert ids_by_sql(explorer, "WHERE marked") == []


async def test_a_read_only_database_keeps_its_marks(sample_database: Path) -> None:
    session = Session(open_store(sample_database, read_only=True), read_only=True)
    app = ExplorerApp(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await settle(pilot)
        await press(pilot, "space")
        await until(pilot, lambda: len(app._notifications))
        assert "open for reading only" in next(iter(app._notifications)).message
        assert "●" not in text_of(app)
    session.close()


@covers("questions.toggle_preview")
async def test_the_preview_follows_the_cursor(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        for _ in range(5):
            await press(pilot, "down")
            row = explorer.query_one(ResultGrid).row
            assert explorer.query_one(Preview).row == row
            assert row is not None
            assert row.greedy_text is not None
            assert row.greedy_text in text_of(explorer)
        await press(pilot, "v")
        assert not explorer.query_one(Preview).display
        await press(pilot, "v")
        assert explorer.query_one(Preview).display


async def test_a_decision_made_elsewhere_is_shown(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        grid = explorer.query_one(ResultGrid)
        assert explorer.session.probe_id is not None
        explorer.session.decide(explorer.session.probe_id, "several")
        await until(pilot, lambda: grid.row is not None and grid.row.text_status == "several")
        await settle(pilot)
        counts = browse.flag_counts(explorer.session.store, 1)
        assert explorer.query_one(FlagTabs).counts == counts


# Other screens


@covers("grid.choose", "question.close")
async def test_enter_opens_the_question_and_escape_comes_back(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await press(pilot, "down", "down", "enter")
        assert isinstance(explorer.screen, QuestionScreen)
        explorer.session.step(1)
        await press(pilot, "escape")
        assert isinstance(explorer.screen, QuestionsScreen)
        assert explorer.query_one(ResultGrid).cursor == 3


@covers("questions.rerun")
async def test_r_asks_again_on_the_question_screen(
    explorer: ExplorerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(explorer.session, "rerun", asked.append)
    async with explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        await press(pilot, "down", "r")
        assert isinstance(explorer.screen, QuestionScreen)
        assert asked == [ids(explorer)[1]]


# Empty states


@pytest.fixture
def empty_explorer(tmp_path: Path) -> Iterator[ExplorerApp]:
    session = Session(open_store(tmp_path / "empty.duckdb"))
    yield ExplorerApp(session)
    session.close()


async def test_an_empty_database_says_how_to_begin(empty_explorer: ExplorerApp) -> None:
    async with empty_explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        assert "No run is stored here yet." in text_of(empty_explorer)
        assert "Press R to start one." in text_of(empty_explorer)
        assert "R new run" in text_of(empty_explorer)
        assert "next flagged" not in text_of(empty_explorer)
        assert not empty_explorer.query_one(Preview).display
        await pilot.press("n", "space", "r", "f", "o", "full_stop", "right", "enter", "escape", "5")
        await settle(pilot)
        assert isinstance(empty_explorer.screen, QuestionsScreen)


async def test_a_run_without_answers_says_so(empty_explorer: ExplorerApp) -> None:
    add_sample_run(empty_explorer.session.store, questions=0)
    async with empty_explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        assert "This run has no answers." in text_of(empty_explorer)


async def test_nothing_of_a_stored_text_is_taken_for_markup(empty_explorer: ExplorerApp) -> None:
    add_sample_run(empty_explorer.session.store, questions=1, name="[/b] [red]")
    writer = empty_explorer.session.store._writer
    writer.execute("UPDATE runs SET source = '[/x][bold]', model = '[/]'")
    writer.execute("UPDATE outcomes SET subject = '[/y]', question = '[/z]\x1b[31m\u202e\x00'")
    async with empty_explorer.run_test(size=LARGE) as pilot:
        await settle(pilot)
        shown = text_of(empty_explorer)
        assert "[/z]␛[31m‥␀" in shown
        assert "[/y]" in shown
        assert "\x1b" not in shown
        assert "[/x]" not in shown or "[bold]" in shown


# Looks


def test_how_a_tab_and_a_filter_look(explorer: ExplorerApp, snap_compare: Any) -> None:
    async def prepare(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        await press(pilot, "right", "f")
        await typed(pilot, "entropy > 1.9")
        await press(pilot, "enter")
        await press(pilot, "full_stop", "full_stop", "down", "space")
        await until(pilot, lambda: "●" in text_of(explorer))
        await typed(pilot, "no such column > 3")
        await press(pilot, "enter")

    assert snap_compare(explorer, terminal_size=LARGE, run_before=prepare)


def test_how_it_looks_without_colour(
    explorer: ExplorerApp, monkeypatch: pytest.MonkeyPatch, snap_compare: Any
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    coloured = ExplorerApp(explorer.session)
    assert coloured.no_color
    assert snap_compare(coloured, terminal_size=SMALL, run_before=settle)


async def test_the_header_names_the_run(explorer: ExplorerApp) -> None:
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        assert explorer.query_one(RunHeader).render_line(0).text.startswith("logitscope  run 1")
        assert explorer.query_one(FilterBar).input.value == ""
