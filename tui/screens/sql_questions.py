"""From the rows of a result to the questions that they are about, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui.sql_listing import list_of, probes_of, statement_of
from tui.widgets.figures import count

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

    from engine.sql.result import Result
    from tui.session import Session
    from tui.widgets.value_grid import ValueGrid

AROUND = 1_000
"""Rows before and after the chosen one whose questions can be stepped through."""


async def open_question(screen: Screen[None], session: Session, grid: ValueGrid) -> None:
    """Show the question that the row under the cursor names; those of its neighbours follow it."""
    result, here = grid.result, grid.cursor[0]
    if result is None:
        return
    first = max(0, here - AROUND)
    run_id = session.query.run_id if session.query is not None else None

    def named_probes() -> list[int | None]:
        rows = result.rows(first, here + AROUND)
        return probes_of(session.store, result.columns, rows, run_id)

    named = await session.off_loop(named_probes)
    probe_id = named[here - first]
    if probe_id is None:
        screen.notify("This row names no stored question: select its probe_id too.")
        return
    ids = list(dict.fromkeys(each for each in named if each is not None))
    go_back = await session.visit(ids, ids.index(probe_id))
    from tui.screens.question import QuestionScreen

    screen.app.push_screen(QuestionScreen(session, probe_id), lambda _: go_back())


async def open_list(screen: Screen[None], session: Session, result: Result) -> None:
    """Show the questions of a result in the list of questions, until escape comes back."""
    run_id = session.query.run_id if session.query is not None else None
    found = await session.off_loop(lambda: list_of(session.store, result, run_id))
    from tui.screens.questions import QuestionsScreen

    behind = found.query.run_id, found.query.filter
    screen.app.push_screen(QuestionsScreen(session, behind))
    if found.elsewhere:
        shown = f"Run {found.query.run_id} is shown"
        screen.notify(f"{shown}; {count(found.elsewhere, 'question')} of other runs are not.")


def open_sql(
    app: App[Any], session: Session, text: str | None = None, *, run: bool = False
) -> None:
    """Show the SQL screen with a text, run or not, or from the list of questions with its query.

    One that is open stays it.
    """
    from tui.screens.questions import QuestionsScreen
    from tui.screens.sql import SqlScreen

    if text is None and isinstance(app.screen, QuestionsScreen) and session.query is not None:
        text = statement_of(session.query)
    there = next((each for each in app.screen_stack if isinstance(each, SqlScreen)), None)
    if there is None:
        app.push_screen(SqlScreen(session, text, run=run))
        return
    while app.screen is not there:
        if isinstance(app.screen, QuestionsScreen):
            app.screen.action_back()
        else:
            app.screen.dismiss(None)
    if text is not None:
        there.bring(text, run=run)
