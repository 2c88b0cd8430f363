"""Going to a screen by its name, from the palette or at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.screens.questions import QuestionsScreen

if TYPE_CHECKING:
    from textual.screen import Screen

    from tui.app import ExplorerApp

PLACES = {
    "questions": "Go to the questions",
    "question": "Go to the question under the cursor",
    "runs": "Go to the runs",
    "studies": "Go to the studies",
    "sql": "Go to the SQL console",
}
"""The screens that can be gone to without anything more to say, and what the palette calls them."""
_SCOPES = {
    "questions": "questions",
    "question": "question",
    "runs": "runs",
    "study": "studies",
    "sql": "sql",
    "lab": "lab",
}


def place_of(app: ExplorerApp) -> str:
    """The place that is shown, or that lies under what is."""
    for screen in reversed(app.screen_stack):
        scope = getattr(screen, "ACTION_SCOPE", "")
        if scope in _SCOPES:
            return _SCOPES[scope]
    return "questions"


async def go_to(app: ExplorerApp, place: str) -> None:
    """Show a place; what is open stays below it, and escape goes back to it."""
    if place == "questions":
        await _back_to_questions(app)
    elif place_of(app) != place:
        screen = _screen(app, place)
        if screen is not None:
            await app.push_screen(screen)


def _screen(app: ExplorerApp, place: str) -> Screen[None] | None:
    session = app.session
    if place == "question" and session.probe_id is not None:
        from tui.screens.question import QuestionScreen

        return QuestionScreen(session, session.probe_id)
    if place in ("runs", "studies"):
        from tui.screens.runs import RunsScreen

        return RunsScreen(session, studies=place == "studies")
    if place == "sql":
        from tui.screens.sql import SqlScreen

        return SqlScreen(session)
    return None


async def _back_to_questions(app: ExplorerApp) -> None:
    """Close what lies over the list; the prompt lab only closes itself, it may be unsaved."""
    while not isinstance(app.screen, QuestionsScreen):
        if getattr(app.screen, "ACTION_SCOPE", "") == "lab":
            app.notify("The prompt lab is open: leave it first.")
            return
        await app.pop_screen()


async def open_question(app: ExplorerApp, number: int) -> None:
    """Open a question of the run that is shown by its number, from 1.

    The first of its probes that the list shows, otherwise the first that the run has.
    """
    from engine import browse
    from engine.errors import LogitscopeError

    session = app.session
    run = session.run
    if run is None:
        app.notify("No run is shown.")
        return
    condition = f"question_index = {number - 1}"
    try:
        ids = await session.off_loop(
            lambda: browse.list_ids(
                session.store, run.run_id, condition=condition, order_by=browse.NATURAL_ORDER
            )
        )
    except LogitscopeError as error:
        app.notify(error.hint, title=error.sentence, severity="error")
        return
    if not len(ids):
        app.notify(f"Run {run.run_id} has no question {number}.")
        return
    listing = session.listing
    places = [listing.place(int(each)) for each in ids] if listing is not None else []
    shown = next((place for place in places if place is not None), None)
    if shown is not None:
        session.move_to(shown)
    from tui.screens.question import QuestionScreen

    probe_id = session.probe_id if shown is not None else int(ids[0])
    if probe_id is not None:
        await app.push_screen(QuestionScreen(session, probe_id))
