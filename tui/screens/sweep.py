"""Starting a sweep of the format in the prompt lab, and going on until its study can be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec
from rich.text import Text
from textual import on, work
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from engine.errors import LogitscopeError
from engine.records import SamplerSettings
from engine.sweeps import AXES, Axis, parse_sweep, sweep_plans
from tui.actions import bindings
from tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from engine.formats import PromptFormat
    from engine.planning import RunPlan

QUESTIONS = "40"
"""Questions that a sweep asks unless more are wanted: enough to see, and soon there."""


class SweepScreen(ModalScreen["list[RunPlan] | None"]):
    """The runs to be carried out, or None."""

    ACTION_SCOPE: ClassVar[str] = "sweep"
    BINDINGS: ClassVar = bindings("sweep")
    AUTO_FOCUS = "OptionList"

    def __init__(self, plan: RunPlan, fmt: PromptFormat) -> None:
        """Sweep a format over the questions of a plan, asked as the plan asks them."""
        super().__init__()
        self._asked_as = plan
        self._format = fmt

    def compose(self) -> ComposeResult:
        """The axes, then what they are to take on and how many questions to ask."""
        with Vertical(id="sweep"):
            yield OptionList(*(Option(_line(each), each.name) for each in AXES))
            for name, label, value in (
                ("values", "values", ""),
                ("limit", "questions", QUESTIONS),
            ):
                with Horizontal():
                    yield Static(label, classes="label")
                    yield Input(value, id=name, compact=True)
            yield Static("", id="about", markup=False)
            yield Static("", id="problem", markup=False)
            yield KeyLine()

    def on_mount(self) -> None:
        """Name the form."""
        form = self.query_one("#sweep")
        form.border_title = f"sweep {self._format.name}"
        form.border_subtitle = "the first questions of the run's source; stored like a run"

    @property
    def _axis(self) -> Axis:
        return AXES[self.query_one(OptionList).highlighted or 0]

    @on(OptionList.OptionHighlighted)
    def _explain(self) -> None:
        self.query_one("#about", Static).update(self._axis.about)
        self.query_one("#values", Input).placeholder = self._axis.example

    def action_submit(self) -> None:
        """Check the form and plan the runs."""
        values = self.query_one("#values", Input).value.strip()
        limit = self.query_one("#limit", Input).value.strip()
        if limit and not (limit.isdecimal() and int(limit)):
            self._refuse(f"questions: {limit!r} is no whole number from 1 up.")
            return
        over = f"{self._axis.name}={values}" if values else self._axis.name
        self._plan(over, int(limit) if limit else None)

    @work(thread=True, exclusive=True)
    def _plan(self, over: str, limit: int | None) -> None:
        try:
            plans = planned(self._asked_as, self._format, over, limit)
        except LogitscopeError as error:
            self.app.call_from_thread(self._refuse, str(error))
        else:
            self.app.call_from_thread(self.dismiss, plans)

    def _refuse(self, sentence: str) -> None:
        problem = self.query_one("#problem", Static)
        problem.update(sentence)
        problem.add_class("-error")

    def action_close(self) -> None:
        """Back without a sweep."""
        self.dismiss(None)


def planned(asked_as: RunPlan, fmt: PromptFormat, over: str, limit: int | None) -> list[RunPlan]:
    """The runs of a sweep.

    Args:
        asked_as: Says which model, which questions and how they are asked.
        fmt: What is changed.
        over: As :func:`engine.sweeps.parse_sweep` takes it.
        limit: Only so many questions; None for all.

    Raises:
        LogitscopeError: The sweep can't be made, or its questions can't be read.
    """
    from engine.runs import plan_run

    swept, values = parse_sweep(over)
    of_sampler = swept.name.replace("-", "_") in SamplerSettings.__struct_fields__
    samples = max(1, asked_as.settings.samples) if of_sampler else 0
    plan = plan_run(
        model=asked_as.model,
        source=asked_as.source,
        formats=[fmt],
        settings=msgspec.structs.replace(asked_as.settings, samples=samples),
        limit=limit,
        revision=asked_as.revision,
        dtype=asked_as.dtype,
        device=asked_as.device,
        quantization=asked_as.quantization,
        batch_size=asked_as.batch_size,
    )
    return sweep_plans(plan, swept, values)


def _line(over: Axis) -> Text:
    return Text.assemble((f"{over.name:<20}", "bold"), (over.example, "dim"))
