"""The form that starts a run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import on, work
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Input, Static

from engine.errors import LogitscopeError, QuestionError
from engine.formats import format_names
from engine.records import ProbeSettings, SamplerSettings
from tui.actions import bindings
from tui.widgets.key_line import KeyLine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult

    from engine.runs import RunPlan
    from tui.session import Session


class Field(NamedTuple):
    """One line of the form: its name, what stands before it, what it means."""

    name: str
    label: str
    hint: str
    is_path: bool = False


FIELDS = (
    Field(
        "source",
        "questions",
        "csv, jsonl, parquet, a folder of csv, or hub:owner/dataset",
        is_path=True,
    ),
    Field("model", "model", "a model folder or a hub id", is_path=True),
    Field(
        "formats", "formats", f"names or .toml files, comma-separated: {', '.join(format_names())}"
    ),
    Field("samples", "samples", "sampled generations a prompt, besides the greedy one"),
    Field("temperature", "temperature", "of the samples"),
    Field("max_new_tokens", "longest text", "in tokens"),
    Field("limit", "limit", "only the first questions; empty for all of them"),
)
_SETTINGS = ProbeSettings()
DEFAULTS = {
    "source": "",
    "model": "",
    "formats": "low,middle,high",
    "samples": str(_SETTINGS.samples),
    "temperature": f"{_SETTINGS.sampler.temperature:g}",
    "max_new_tokens": str(_SETTINGS.max_new_tokens),
    "limit": "",
}
ADVICE = "enter starts it; more settings: logitscope run --help"


class PathSuggester(Suggester):
    """Completes a path."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The first entry of the folder that begins with what was typed."""
        folder, beginning = os.path.split(value)
        try:
            with os.scandir(os.path.expanduser(folder) or ".") as entries:
                found = sorted(
                    entry.name + ("/" if entry.is_dir() else "")
                    for entry in entries
                    if entry.name.startswith(beginning) and not entry.name.startswith(".")
                )
        except OSError:
            return None
        return value + found[0][len(beginning) :] if value and found else None


class StartScreen(ModalScreen[None]):
    """What to ask which model, and how."""

    ACTION_SCOPE: ClassVar[str] = "start"
    BINDINGS: ClassVar = bindings("start")
    AUTO_FOCUS = "Input"

    def __init__(self, session: Session, values: Mapping[str, str] | None = None) -> None:
        """``values`` stand in fields, by name, in place of what the run shown has."""
        super().__init__()
        self._session = session
        self._values = values or {}

    def compose(self) -> ComposeResult:
        """Build one line a field."""
        defaults = {**DEFAULTS, **self._session.run_defaults(), **self._values}
        with Vertical(id="start"):
            for field in FIELDS:
                with Horizontal():
                    yield Static(field.label, classes="label")
                    yield Input(
                        defaults[field.name],
                        id=field.name,
                        compact=True,
                        suggester=PathSuggester() if field.is_path else None,
                    )
            yield Static("", id="hint", markup=False)
            yield Static("", id="problem", markup=False)
            yield KeyLine()

    def on_mount(self) -> None:
        """Name the form."""
        form = self.query_one("#start")
        form.border_title, form.border_subtitle = "new run", ADVICE

    def on_descendant_focus(self) -> None:
        """Explain the field that has the focus."""
        hints = {field.name: field.hint for field in FIELDS}
        name = self.focused.id if self.focused is not None else None
        self.query_one("#hint", Static).update(hints.get(name or "", ""))

    @on(Input.Submitted)
    def action_submit(self) -> None:
        """Check the form and start the run."""
        try:
            values = {field.name: self._value(field) for field in FIELDS}
            settings = _settings(values)
            limit = _number(values, "limit", 1) if values["limit"] else None
        except LogitscopeError as error:
            self._refuse(error)
            return
        self._tell("reading the questions …")
        self._plan(values, settings, limit)

    @work(thread=True, exclusive=True)
    def _plan(self, values: dict[str, str], settings: ProbeSettings, limit: int | None) -> None:
        from engine.runs import plan_run

        try:
            plan = plan_run(
                model=values["model"],
                source=values["source"],
                formats=tuple(
                    part.strip() for part in values["formats"].split(",") if part.strip()
                ),
                settings=settings,
                limit=limit,
            )
        except LogitscopeError as error:
            self.app.call_from_thread(self._refuse, error)
        else:
            self.app.call_from_thread(self._start, plan)

    def _start(self, plan: RunPlan) -> None:
        try:
            self._session.start_run(plan)
        except LogitscopeError as error:
            self._refuse(error)
        else:
            self.dismiss()

    def _value(self, field: Field) -> str:
        return self.query_one(f"#{field.name}", Input).value.strip()

    def _refuse(self, error: LogitscopeError) -> None:
        self._tell(str(error), error=True)

    def _tell(self, words: str, *, error: bool = False) -> None:
        problem = self.query_one("#problem", Static)
        problem.update(words)
        problem.set_class(error, "-error")

    def action_close(self) -> None:
        """Back without a run."""
        self.dismiss()


def _settings(values: dict[str, str]) -> ProbeSettings:
    for name, what in (("source", "a question file"), ("model", "a model")):
        if not values[name]:
            raise QuestionError(f"A run needs {what}.")
    return ProbeSettings(
        samples=_number(values, "samples", 0),
        max_new_tokens=_number(values, "max_new_tokens", 1),
        sampler=SamplerSettings(temperature=_temperature(values["temperature"])),
    )


def _number(values: dict[str, str], name: str, least: int) -> int:
    typed = values[name]
    if not typed.isdecimal() or int(typed) < least:
        label = next(field.label for field in FIELDS if field.name == name)
        raise QuestionError(f"{label}: {typed!r} is no whole number from {least} up.")
    return int(typed)


def _temperature(typed: str) -> float:
    try:
        value = float(typed)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise QuestionError(
            f"temperature: {typed!r} is no number from 0 up.", "At 0 samples are greedy."
        )
    return value
