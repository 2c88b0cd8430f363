"""One line on the run that is shown and on the run that is going."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.widget import Widget

from tui.widgets.figures import bar
from tui.widgets.tones import tone
from tui.words import duration, one_line

if TYPE_CHECKING:
    from engine.browse import RunRow
    from engine.runs import RunProgress
    from tui.session import Session

_BAR = 10


class RunHeader(Widget):
    """Left which run it is; right how far it is, or how far the run is that is going."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"header--name", "header--going", "header--dim"}

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def render(self) -> Text:
        """Draw the line."""
        right = self._status()
        room = max(0, self.size.width - right.cell_len - 1)
        left = self._run(self._session.run)
        left.truncate(room, overflow="ellipsis", pad=True)
        return Text.assemble(left, " ", right)

    def _run(self, run: RunRow | None) -> Text:
        line = Text(no_wrap=True)
        line.append("logitscope", tone(self, "header--name"))
        if run is not None:
            model, source = PurePath(run.model).name, PurePath(run.source).name
            line.append(f"  run {run.run_id} · {one_line(model)} · {one_line(source)}")
        return line

    def _status(self) -> Text:
        live, run = self._session.live, self._session.run
        going = tone(self, "header--going")
        if live.run_going:
            return Text(going_words(live.progress, live.cancelling), going)
        if run is None:
            return Text("")
        return Text(
            f"{run.status} {run.stored:,}/{run.planned:,}",
            tone(self, "header--dim"),
        )


def going_words(progress: RunProgress | None, cancelling: bool) -> str:
    """How far a run is, in words and a bar."""
    if cancelling:
        return "◌ cancelling; what is stored stays"
    if progress is None:
        return "● starting"
    if not progress.done:
        return f"● {progress.stage}"
    share = progress.done / max(1, progress.planned)
    parts = [f"● ▕{bar(share, _BAR)}▏{progress.done:,}/{progress.planned:,}"]
    if progress.rate:
        parts.append(f"{progress.rate:.1f}/s")
    if progress.eta_s is not None:
        parts.append(f"{duration(progress.eta_s)} left")
    return " · ".join(parts)
