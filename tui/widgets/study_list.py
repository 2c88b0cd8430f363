"""The studies, one a line; the one under the cursor says what it answers."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from engine.studies import STUDIES, Study
from tui.widgets.line_view import RowView
from tui.widgets.token_text import fit

_NAME_CELLS = 12
_INDENT = 4 + _NAME_CELLS


class StudyList(RowView):
    """One row a study; choosing one opens it."""

    HELP_TITLE = "The studies"
    HELP = (
        "What can be asked of whole runs. A study looks at the marked runs, or at the run that is "
        "shown where none is marked; compare needs two."
    )

    def on_mount(self) -> None:
        """List the studies."""
        self.show_rows(len(STUDIES))

    @property
    def study(self) -> Study:
        """The study under the cursor."""
        return STUDIES[self.cursor]

    def make_row(self, row: int, columns: int, *, current: bool) -> Sequence[Text]:
        """Number, name and title; what it answers below the one under the cursor."""
        study = STUDIES[row]
        line = Text(f"{'▸' if current else ' '} {row + 1} ")
        line.append(fit(study.name, _NAME_CELLS), self.tone("strong"))
        line.append(study.title)
        line.truncate(columns, overflow="ellipsis")
        if not current:
            return [line]
        about = Text(study.about).wrap(self.app.console, max(1, columns - _INDENT))
        return [line, *(Text(" " * _INDENT, end="").append_text(words) for words in about)]
