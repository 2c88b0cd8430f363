"""The runs, the form for a new one, the studies by number and the tables of one by number."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from engine.studies import STUDIES, Study
from engine.studies.report import Column, Report, Row, Table
from tests.actions.covering import covers
from tests.screen_help import LARGE, SMALL, settle, text_of, until
from tests.test_runs_screen import MakeExplorer, ended, explorers, fill, listen, questions
from tui.app import ExplorerApp
from tui.screens.questions import QuestionsScreen
from tui.screens.runs import RunsScreen
from tui.screens.start import StartScreen
from tui.screens.studies import StudyScreen

__all__ = ["explorers", "questions"]

TABLES = 9
REPORT = Report(
    "mismatch",
    "A made-up report",
    tuple(
        Table(f"t{number}", f"Table number {number}", (Column("a", "a"),), (Row({"a": "x"}),))
        for number in range(1, TABLES + 1)
    ),
)


@covers("study.table", *(f"study.table_{number}" for number in range(2, TABLES + 1)))
@covers("runs.study_7")
async def test_numbers_open_a_study_and_its_tables(
    explorer: ExplorerApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Study, "report", lambda study, cursor, scope: REPORT)
    async with explorer.run_test(size=SMALL) as pilot:
        await settle(pilot)
        await pilot.press("p", "7")
        await settle(pilot)
        screen = explorer.screen
        assert isinstance(screen, StudyScreen)
        assert screen._study is STUDIES[6]
        await until(pilot, lambda: "Table number 1" in text_of(explorer), "the study")
        for number in (*range(2, TABLES + 1), 1):
            await pilot.press(str(number))
            await settle(pilot)
            assert f"Table number {number}" in text_of(explorer)


@pytest.mark.parametrize("key", ["ctrl+r", "f5"])
@covers("runs.start", "start.submit")
async def test_a_run_starts_from_the_list_of_runs(
    explorers: MakeExplorer,
    questions: Path,
    key: str,
) -> None:
    app = explorers()
    async with app.run_test(size=LARGE) as pilot:
        await settle(pilot)
        heard = listen(app)
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await pilot.press("R")
        await fill(pilot, source=questions, model="fake", formats="low", samples=0, limit=2)
        assert isinstance(app.screen, StartScreen)
        assert app.screen.query_one("#limit", Input).value == "2"
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, QuestionsScreen), "the list to show it")
        await until(pilot, lambda: ended(heard), "the run to end")
        await settle(pilot)
        assert "finished 2/2" in text_of(app)
