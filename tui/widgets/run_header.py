"""One line on the run that is shown and on the run that is going."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.figures import bar
from tui.widgets.token_text import fit
from tui.widgets.tones import tone
from tui.words import duration, one_line

if TYPE_CHECKING:
    from rich.style import Style

    from engine.runs import RunProgress
    from tui.session import Session

_BAR = 10
_NAME = "logitscope"


class RunHeader(Widget):
    """Left which run it is; right how far it is, or how far the run is that is going."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"header--name", "header--going", "header--dim"}

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def render_line(self, y: int) -> Strip:
        """Draw the line."""
        width = self.size.width
        if y > 0:
            return Strip.blank(width, self.rich_style)
        status, name = self._status()
        room = max(len(_NAME), width - cell_len(status) - 1)
        segments = [
            Segment(_NAME, self._tone("name")),
            Segment(fit(f"  {self._run()}", room - len(_NAME)), self.rich_style),
            Segment(f" {status}", self._tone(name)),
        ]
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def _tone(self, name: str) -> Style:
        return self.rich_style + tone(self, f"header--{name}")

    def _run(self) -> str:
        run = self._session.run
        if run is None:
            return ""
        model, source = PurePath(run.model).name, PurePath(run.source).name
        return one_line(f"run {run.run_id} · {model} · {source}")

    def _status(self) -> tuple[str, str]:
        """How far the run that is going is, or the one that is shown; and in which tone."""
        live, run = self._session.live, self._session.run
        if live.run_going:
            return going_words(live.progress, live.cancelling), "going"
        if run is None:
            return "", "dim"
        return f"{run.status} {run.stored:,}/{run.planned:,}", "dim"


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
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    if progress.eta_s is not None:
        parts.append(f"{duration(progress.eta_s)} left")
    return " · ".join(parts)
