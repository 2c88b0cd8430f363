"""A plot of a study, drawn to the size of its pane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from tui.plots import picture
from tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from engine.studies.report import Plot

_TONES = ("accent", "code", "good", "bad")
"""Of the series in turn."""


class PlotView(LineView):
    """One plot; bars that need more lines than there are can be scrolled."""

    HELP_TITLE = "The plot"
    HELP = (
        "A picture of the study's tables. Marks and fills tell the series apart; ├──●──┤ is a "
        "value with its interval, dots are the line where both axes are equal."
    )

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._plot: Plot | None = None

    def show(self, plot: Plot | None) -> None:
        """Show a plot."""
        self._plot = plot
        self.scroll_to(y=0, animate=False, force=True)
        self.remake()

    def make_lines(self, columns: int) -> Sequence[Text]:
        """The plot in the pane's size."""
        if self._plot is None:
            return ()
        height = self.scrollable_content_region.height
        return picture(self._plot, columns, height, [self.tone(name) for name in _TONES])

    def on_resize(self) -> None:
        """Draw it anew: its height counts too."""
        self.remake()
