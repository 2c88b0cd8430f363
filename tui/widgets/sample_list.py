"""All samples of a probe, one a line: what each says and where it parts from the greedy text."""

from __future__ import annotations

from rich.text import Text

from engine.records import Generation
from tui.texts import Texts
from tui.widgets.line_view import RowView
from tui.widgets.token_strip import DIVERGENCE_MARK
from tui.widgets.token_text import fit, visible

SAYS_CELLS = 11


class SampleList(RowView):
    """One row a sample; choosing one shows it in the strip."""

    HELP_TITLE = "all samples"
    HELP = (
        "All samples: what each says, the token at which it parts from the greedy text (= where "
        "it is the same), and how it begins. + behind a number marks an extra sample, drawn by "
        "hand, that no reading of the run counts. Enter shows the sample in the strip again."
    )
    BORDER_TITLE = "all samples"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._texts = Texts()

    def show(self, texts: Texts, sample: int) -> None:
        """Show a probe's samples with the cursor on the one with this place."""
        self._texts = texts
        self.show_rows(len(texts.samples), sample)

    def make_header(self, columns: int) -> list[Text]:
        """The names of the columns."""
        header = f"  {'#':>3}  {fit('says', SAYS_CELLS)} {'parts at':>8}  text"
        return [Text(fit(header, columns), self.tone("dim"))]

    def make_row(self, row: int, columns: int, *, current: bool) -> list[Text]:
        """One sample."""
        sample = self._texts.samples[row]
        divergence = self._texts.divergence(sample)
        recorded = bool(sample.positions.token_ids)
        parts = "–" if not recorded else "=" if divergence is None else f"◆ {divergence + 1}"
        line = Text("▸ " if current else "  ")
        line.append(f"{sample.index:>3}{_mark(sample)} ", self.tone("dim"))
        line.append(fit(self._texts.says(sample), SAYS_CELLS), self.tone("strong"))
        line.append(f" {parts:>8}  ", self.tone("accent" if DIVERGENCE_MARK in parts else "dim"))
        line.append(visible(sample.text[: max(0, columns)]))
        line.truncate(columns, overflow="ellipsis")
        return [line]


def _mark(sample: Generation) -> str:
    return "+" if sample.kind == "extra" else " "
