"""What the command palette offers besides actions: places, runs, studies, formats and themes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from textual.command import Hit, Hits
from textual.markup import escape

from engine.flags import FLAGS
from tui.palette import Command, Commands
from tui.places import PLACES, go_to, open_question
from tui.words import one_line

if TYPE_CHECKING:
    from engine.sql.saved import SavedQuery
    from tui.app import ExplorerApp
    from tui.session import Session

_QUESTION = re.compile(r"\s*(?:open\s+)?(?:question|q)?\s*(\d{1,9})\s*", re.IGNORECASE)


class PlaceCommands(Commands):
    """Everything that can be gone to, found when something is typed."""

    _saved: Sequence[SavedQuery] = ()

    async def startup(self) -> None:
        """Read the saved queries, without keeping the palette waiting."""
        from engine.sql.saved import saved_queries

        self._saved = await asyncio.to_thread(saved_queries)

    @property
    def _explorer(self) -> ExplorerApp:
        from tui.app import ExplorerApp

        assert isinstance(self.app, ExplorerApp)
        return self.app

    @property
    def _session(self) -> Session:
        return self._explorer.session

    def first(self) -> Iterator[Command]:
        """The screens."""
        for place, title in PLACES.items():
            yield Command(title, "", partial(go_to, self._explorer, place))

    def commands(self) -> Iterator[Command]:
        """Screens, runs, studies and formats."""
        yield from self.first()
        yield from self._runs()
        yield from self._studies()
        yield from self._formats()
        yield from self._tabs()
        yield from self._queries()

    async def search(self, query: str) -> Hits:
        """A question by its number, and what matches."""
        asked = _QUESTION.fullmatch(query)
        if asked is not None and self._session.run is not None:
            number = int(asked[1])
            yield Hit(
                2.0,
                f"Open question {number}",
                partial(open_question, self._explorer, number),
                help="By its number in the run that is shown.",
            )
        async for hit in super().search(query):
            yield hit

    def _runs(self) -> Iterator[Command]:
        for run in self._session.runs:
            yield Command(
                escape(f"Show run {run.run_id}: {one_line(run.name)}"),
                escape(one_line(f"{run.status}, {run.model}, {run.source}")),
                partial(self._open_run, run.run_id),
            )

    async def _open_run(self, run_id: int) -> None:
        await go_to(self._explorer, "questions")
        self._session.open_run(run_id)

    def _studies(self) -> Iterator[Command]:
        from engine.studies import STUDIES

        for study in STUDIES:
            yield Command(
                f"Study: {study.name}", escape(study.title), partial(self._open_study, study.name)
            )

    async def _open_study(self, name: str) -> None:
        from engine.studies import study
        from tui.screens.studies import StudyScreen
        from tui.widgets.figures import count

        chosen = study(name)
        runs = self._session.studying.runs(chosen.runs)
        if len(runs) < max(1, chosen.runs):
            needed = count(max(1, chosen.runs), "run")
            self.app.notify(f"{name} needs {needed}: mark them with space.", severity="warning")
        else:
            await self.app.push_screen(StudyScreen(self._session, chosen, runs))

    def _formats(self) -> Iterator[Command]:
        run = self._session.run
        for name in run.formats if run is not None else ():
            yield Command(
                escape(f"Show the format {name} only"),
                "Only the rows of this prompt format.",
                partial(self._show_format, name),
            )
        if run is not None and len(run.formats) > 1:
            yield Command(
                "Show every format", "The rows of all formats.", partial(self._show_format, None)
            )

    def _queries(self) -> Iterator[Command]:
        for query in self._saved:
            yield Command(
                escape(f"Query: {query.title}"),
                escape(one_line(query.about)),
                partial(self._open_query, query),
            )

    def _open_query(self, query: SavedQuery) -> None:
        from tui.screens.sql_questions import open_sql

        run = self._session.run
        sql = query.aimed(run.run_id if run is not None else None)
        open_sql(self._explorer, self._session, sql, run=True)

    def _tabs(self) -> Iterator[Command]:
        if self._session.run is not None:
            for flag in FLAGS:
                yield Command(
                    f"Show the flag {flag.title}",
                    escape(flag.description),
                    partial(self._show_flag, flag.name),
                )

    async def _show_flag(self, name: str) -> None:
        await go_to(self._explorer, "questions")
        if self._session.query is not None:
            self._session.show(msgspec.structs.replace(self._session.query, flag=name))

    async def _show_format(self, name: str | None) -> None:
        await go_to(self._explorer, "questions")
        if self._session.query is not None:
            self._session.show(msgspec.structs.replace(self._session.query, format=name))


@dataclass(frozen=True)
class PickTheme:
    """The command that takes a theme; while it is under the cursor, the theme is shown."""

    app: ExplorerApp
    name: str

    def __call__(self) -> None:
        """Take it, and remember it."""
        self.app.pick_theme(self.name)


class ThemeCommands(Commands):
    """Every theme, by its name."""

    def commands(self) -> Iterator[Command]:
        """The themes, the explorer's own first."""
        from tui.app import ExplorerApp
        from tui.themes import OWN_THEMES

        assert isinstance(self.app, ExplorerApp)
        own = [theme.name for theme in OWN_THEMES]
        rest = sorted(self.app.available_themes.keys() - set(own))
        for name in (*own, *rest):
            yield Command(name, "", PickTheme(self.app, name))


class ThemesByWord(ThemeCommands):
    """The themes in the palette of everything, where they come up when something is typed."""

    def first(self) -> Iterator[Command]:
        """None: they would crowd the rest out."""
        yield from ()

    def commands(self) -> Iterator[Command]:
        """The themes, each said to be one."""
        for command in super().commands():
            yield command._replace(title=f"Theme: {command.title}", help="Take these colours.")
