"""What the guided tour shows, told from what is stored: nothing in it is made up for the occasion.

A *stop* is a part of a screen and a few sentences about what can be seen there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.geometry import Region

from engine import browse
from engine.flags import FLAGS, Flag
from tui.actions import in_scope
from tui.keymap import keys_display
from tui.output import NOT_RECORDED
from tui.screens.question import QuestionScreen
from tui.session import DEFAULT_SOUGHT
from tui.widgets.figures import count, percent
from tui.widgets.result_grid import ResultGrid
from tui.widgets.strip_pair import StripPair
from tui.widgets.token_text import visible_token
from tui.words import answer, one_line, probability

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

    from engine.browse import ListRow, ProbeView
    from tui.app import ExplorerApp
    from tui.session import Session

ROWS_SHOWN = 6
"""Rows of the list that the first stop frames, so that there is room for its words."""
COMMONEST = 3
"""Answers of the readings that are named."""


class Stop(NamedTuple):
    """One stop.

    Attributes:
        place: The screen, as in :data:`tui.places.PLACES`.
        title: A few words.
        words: Two or three sentences.
        region: Where on that screen it is; empty while that can't be seen.
        prepare: What is done on that screen first.
    """

    place: str
    title: str
    words: Callable[[], str]
    region: Callable[[Screen[object]], Region]
    prepare: Callable[[Screen[object]], None] = lambda screen: None


class Shown(NamedTuple):
    """The row that the tour is about.

    Attributes:
        place: Where it stands in the list.
        row: What the list says of it.
        view: Everything that is stored of it.
        flag: The flag that it was chosen for; None where no row has any.
        flagged: How many rows have that flag.
    """

    place: int
    row: ListRow
    view: ProbeView
    flag: Flag | None
    flagged: int


def choose(session: Session) -> Shown:
    """The first mismatch of the list; where there is none, the first row with another flag.

    Blocks.
    """
    listing, run = session.listing, session.run
    assert listing is not None
    assert run is not None
    names = sorted((flag.name for flag in FLAGS), key=lambda name: name != DEFAULT_SOUGHT)
    place, flag = 0, None
    for name in names:
        if listing.counts.get(name):
            mask = browse.flagged_mask(session.store, run.run_id, name, listing.ids)
            place, flag = int(mask.argmax()), next(each for each in FLAGS if each.name == name)
            break
    probe_id = int(listing.ids[place])
    row = browse.list_rows(session.store, [probe_id])[0]
    flagged = listing.counts.get(flag.name, 0) if flag is not None else 0
    return Shown(place, row, session.view(probe_id), flag, flagged)


def stops(app: ExplorerApp, shown: Shown) -> tuple[Stop, ...]:
    """The stops of the tour, in order."""
    told = _Told(app, shown)
    return (
        Stop("questions", "what was asked, and two answers", told.of_list, _list_region,
             told.select),
        Stop("questions", told.row_title, told.of_row, _row_region, told.select),
        Stop("questions", "a tab for every flag", told.of_tabs, _part("FlagTabs"), told.select),
        Stop("question", "every way to read the answer", told.of_readings, _part("#readings"),
             told.fill),
        Stop("question", "what was written, and what nearly was", told.of_texts, _part("#lower"),
             told.diverge),
        Stop("sql", "ask anything", told.of_sql, _part("SqlEditor")),
        Stop("questions", "where everything is", told.of_keys, _part("KeyLine")),
    )  # fmt: skip


class _Told:
    """The words of the stops, about one row."""

    def __init__(self, app: ExplorerApp, shown: Shown) -> None:
        self._app: App[Any] = app
        self._session = app.session
        self._shown = shown
        self._question: Screen[object] | None = None

    # The list

    def select(self, screen: Screen[object]) -> None:
        """Put the cursor of the list on the row."""
        screen.query_one(ResultGrid).cursor = self._shown.place

    def of_list(self) -> str:
        run, row = self._session.run, self._shown.row
        assert run is not None
        model = "A small teaching model" if self._session.demo else Path(run.model).name
        asked = f"was asked {Path(run.source).name} in {count(len(run.formats), 'prompt format')}"
        missing = f" {NOT_RECORDED} is what was not recorded." if row.first_token is None else ""
        return one_line(
            f"{model} {asked}: {self._listed}, a row each. “first” is the option that the first "
            "token's probabilities choose; “text” is what the model then wrote, read as an "
            f"option. Where the two differ, measuring only one of them misleads.{missing}"
        )

    @property
    def _listed(self) -> str:
        listing = self._session.listing
        return count(len(listing) if listing is not None else 0, "prompt")

    @property
    def row_title(self) -> str:
        """What the second stop is called."""
        flag = self._shown.flag
        return "one answer" if flag is None else f"the first row flagged {flag.title}"

    def of_row(self) -> str:
        row, flag = self._shown.row, self._shown.flag
        first = "its first token was not recorded"
        if row.first_token is not None:
            first = f"by its first token the answer is {row.first_token}"
            if row.first_probability is not None:
                first += f" ({probability(row.first_probability)} among the options)"
        wrote = "what it wrote was not recorded"
        if row.text_status is not None:
            wrote = f"the text says {answer(row.text_status, row.text_label)}"
        gold = "" if row.gold is None else f" Right is {row.gold}."
        why = "No row of this run has a flag." if flag is None else _up_to_stop(flag.description)
        return one_line(f"Row {self._shown.place + 1:,}: {first}, {wrote}.{gold} {why}")

    def of_tabs(self) -> str:
        flag = self._shown.flag
        counted = (
            "No row of this run has a flag."
            if flag is None
            else f"{flag.title}: {self._shown.flagged:,} of {self._listed}."
        )
        return (
            f"Each tab counts one kind of disagreement or event. {counted} "
            f"{self._keys('questions.previous_tab')} and {self._keys('questions.next_tab')} change "
            f"the tab, {self._keys('questions.next_flagged')} jumps to the next such row."
        )

    # The question

    def fill(self, screen: Screen[object]) -> None:
        """Show the question at once."""
        if isinstance(screen, QuestionScreen):
            screen.show_probe(self._shown.view)

    def diverge(self, screen: Screen[object]) -> None:
        """Put the cursor where the first sample parts from the greedy text."""
        self.fill(screen)
        self._question = screen
        strips = screen.query_one(StripPair)
        below = strips.below
        parts_at = None if below is None else strips.texts.divergence(below)
        if parts_at not in (None, strips.cursor):
            strips.next_divergence()

    def of_readings(self) -> str:
        said = ", ".join(f"{times} say {words}" for words, times in _answers(self._shown.view))
        summary = f" Here {said}." if said else ""
        return one_line(
            "Enter opens the question under the cursor. Every way to read its answer has a line, "
            f"with how sure it is.{summary} The line under the cursor says by which rule it was "
            "read; beside them stands the prompt as the model got it."
        )

    def of_texts(self) -> str:
        return one_line(" ".join([self._of_strips(), self._of_distribution()]))

    def _of_strips(self) -> str:
        assert self._question is not None
        strips = self._question.query_one(StripPair)
        below = strips.below
        if strips.texts.greedy is None:
            return "Here stand the texts token by token; of this answer none was recorded."
        if below is None:
            return (
                "The greedy text token by token: the stronger its shade, the less likely a token."
            )
        place = strips.texts.divergence(below)
        parts = (
            "they are the same" if place is None else f"◆ is where they part, at token {place + 1}"
        )
        return (
            f"Above the greedy text token by token, below a sample: {parts}. A stronger shade is "
            "a less likely token."
        )

    def _of_distribution(self) -> str:

        assert self._question is not None
        data = self._question.query_one(StripPair).position()[0]
        if data is None or not data.top_ids:
            return "The probabilities behind it were not recorded."
        nearly = ", ".join(
            f"“{visible_token(each, data.tokens.get(each))}” {percent(exp(logprob))}"
            for each, logprob in zip(data.top_ids[:3], data.top_logprobs[:3], strict=True)
        )
        return f"Beside them is what could have stood under the cursor: {nearly}."

    # The rest

    def of_sql(self) -> str:
        return (
            "All of this lies in tables, and every question of it can be asked in SQL. "
            f"{self._keys('sql.show_saved')} lists queries to begin with, "
            f"{self._keys('sql.run')} runs one; nothing stored can be changed until you unlock it. "
            f"{self._keys('app.sql')} comes here from every screen."
        )

    def of_keys(self) -> str:
        run = self._session.run
        if run is not None and run.kind == "import":
            lab = "This run is a log: its model is not here to be asked more."
        else:
            lab = (
                f"{self._keys('questions.lab')} opens the prompt lab: change the prompt and watch "
                "the answer move."
            )
        return (
            f"The last line shows the keys of where you are. {self._keys('app.help')} explains it, "
            f"{self._keys('app.command_palette')} finds everything by name, this tour too. {lab}"
        )

    def _keys(self, action_id: str) -> str:
        scope, _, name = action_id.partition(".")
        action = next(each for each in in_scope(scope) if each.name == name)
        # The first of them is enough to begin with.
        return keys_display(self._app, action).split(" ")[0] or f"“{action.title}”"


def _answers(view: ProbeView) -> list[tuple[str, int]]:
    """What most readings say, and how many."""
    said = Counter(answer(reading.status, reading.label) for reading in view.readings)
    return said.most_common(COMMONEST)


def _up_to_stop(description: str) -> str:
    """A flag's description without what it says beyond the first half of a sentence."""
    return description.partition(";")[0].rstrip(".") + "."


def _part(selector: str) -> Callable[[Screen[object]], Region]:
    """The place of a part of a screen."""

    def region(screen: Screen[object]) -> Region:
        found = screen.query(selector)
        return found.first().region if found else Region()

    return region


def _list_region(screen: Screen[object]) -> Region:
    """The head of the list."""
    whole = _part("ResultGrid")(screen)
    return Region(whole.x, whole.y, whole.width, min(whole.height, ROWS_SHOWN + 1))


def _row_region(screen: Screen[object]) -> Region:
    """The row under the cursor, and the columns' names where they are next to it."""
    found = screen.query(ResultGrid)
    if not found:
        return Region()
    grid = found.first()
    y = grid.region.y + 1 + grid.cursor - round(grid.scroll_y)
    return Region(grid.region.x, y, grid.region.width, 1).intersection(grid.region)
