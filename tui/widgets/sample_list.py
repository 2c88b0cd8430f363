"""All samples of a probe, one a line: what each says and where it parts from the greedy text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from engine.browse import ProbeView
from engine.records import Generation
from tui import words
from tui.alignment import first_divergence
from tui.widgets.line_view import RowView
from tui.widgets.token_strip import DIVERGENCE_MARK
from tui.widgets.token_text import fit, visible

SAYS_CELLS = 11


class SampleList(RowView):
    """One row a sample; choosing one shows it in the strip."""

    HELP_TITLE = "all samples"
    HELP = (
        "All samples: what each says, the token at which it parts from the greedy text (= where "
        "it is the same), and how it begins. Enter shows the sample in the strip again."
    )
    BORDER_TITLE = "all samples"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._samples: Sequence[Generation] = ()
        self._answers: dict[int | None, str] = {}
        self._divergences: list[int | None] = []

    def show(self, view: ProbeView, sample: int) -> None:
        """Show a probe's samples with the cursor on the one with this place."""
        self._samples = [each for each in view.generations if each.kind == "sample"]
        self._answers = {
            each.sample: words.answer(each.status, each.label)
            for each in view.readings
            if each.name == "sample_text"
        }
        greedy = next((each for each in view.generations if each.kind == "greedy"), None)
        self._divergences = [
            None
            if greedy is None
            else first_divergence(greedy.positions.token_ids, each.positions.token_ids)
            for each in self._samples
        ]
        self.show_rows(len(self._samples), sample)

    def make_header(self, columns: int) -> list[Text]:
        """The names of the columns."""
        header = f"  {'#':>3}  {fit('says', SAYS_CELLS)} {'parts at':>8}  text"
        return [Text(fit(header, columns), self.tone("dim"))]

    def make_row(self, row: int, columns: int, *, current: bool) -> list[Text]:
        """One sample."""
        sample, divergence = self._samples[row], self._divergences[row]
        recorded = bool(sample.positions.token_ids)
        parts = "–" if not recorded else "=" if divergence is None else f"◆ {divergence + 1}"
        line = Text("▸ " if current else "  ")
        line.append(f"{sample.index:>3}  ", self.tone("dim"))
        line.append(fit(self._answers.get(sample.index, "–"), SAYS_CELLS), self.tone("strong"))
        line.append(f" {parts:>8}  ", self.tone("accent" if DIVERGENCE_MARK in parts else "dim"))
        line.append(visible(sample.text[: max(0, columns)]))
        line.truncate(columns, overflow="ellipsis")
        return [line]
