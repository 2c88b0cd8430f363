"""Deciding by hand what a greedy text says."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import on
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui import words
from tui.actions import bindings
from tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.browse import ProbeView
    from engine.readings import Status

STATUSES: tuple[tuple[Status, str], ...] = (
    ("refusal", "refuses to answer"),
    ("several", "several options"),
    ("none_of_these", "none of the options"),
    ("dont_know", "does not know"),
    ("truncated", "cut before it answers"),
    ("unparsed", "no answer in it"),
)


class Decision(NamedTuple):
    """What the greedy text says by hand; ``status`` None takes an override back."""

    status: Status | None
    label: str | None = None


class OverrideScreen(ModalScreen[Decision | None]):
    """One line an answer; the result is None where nothing is to change."""

    ACTION_SCOPE: ClassVar[str] = "override"
    BINDINGS: ClassVar = bindings("override")
    CSS_PATH = "question.tcss"

    def __init__(self, view: ProbeView) -> None:
        super().__init__()
        self._view = view
        self._decisions = [
            *(Decision("option", option.label) for option in view.question.options),
            *(Decision(status) for status, _ in STATUSES),
        ]
        if view.override is not None:
            self._decisions.append(Decision(None))

    def compose(self) -> ComposeResult:
        """The greedy text's own reading, then the answers to choose from."""
        texts = {option.label: option.text for option in self._view.question.options}
        says = dict(STATUSES)
        with Vertical(id="override") as box:
            box.border_title = "the greedy text says"
            yield Static(self._reading(), markup=False)
            yield OptionList(
                *(
                    Option(
                        f"{decision.label}  {words.one_line(texts[decision.label])}"
                        if decision.label is not None
                        else says[decision.status]
                        if decision.status is not None
                        else "take the override back"
                    )
                    for decision in self._decisions
                ),
                markup=False,
            )
            yield KeyLine()

    def _reading(self) -> str:
        reading = next((each for each in self._view.readings if each.name == "greedy_text"), None)
        if reading is None:
            return "Its own reading: not recorded."
        return f"By rule {reading.rule or 'none'}: {words.answer(reading.status, reading.label)}."

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._decisions[event.option_index])

    def action_close(self) -> None:
        """Change nothing."""
        self.dismiss(None)
