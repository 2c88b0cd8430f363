"""All texts of a probe as a tree: every branch under the text that it leaves."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from engine.records import Generation
from tui.texts import Texts, TreeRow
from tui.widgets.figures import count
from tui.widgets.line_view import RowView
from tui.widgets.token_text import fit, width

SAYS_CELLS = 11
LABEL_SHARE = 0.5
"""Most of a line that what a text is may take."""


class TextTree(RowView):
    """One row a text; the row under the cursor is shown in the strips."""

    HELP_TITLE = "all texts"
    HELP = (
        "Every text of this probe: greedy, the samples, extra samples that were drawn by hand and "
        "that no reading of the run counts, and under each text the branches that leave it: the "
        "number of the token, the token that was taken there with its probability, what the "
        "branch says and how it goes on. The strips show the branch below and the text it leaves "
        "above. Enter goes there, t closes the tree."
    )
    BORDER_TITLE = "all texts"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._tree: Sequence[TreeRow] = ()

    @property
    def text(self) -> Generation | None:
        """The text under the cursor."""
        return self._tree[self.cursor].text if self._tree else None

    def show(self, texts: Texts, index: int | None) -> None:
        """Show a probe's texts with the cursor on one of them."""
        self._tree = texts.tree()
        samples, branches = len(texts.samples), len(texts.branches)
        self.border_title = " · ".join(
            (
                self.BORDER_TITLE,
                count(samples, "sample"),
                f"{branches} branch{'' if branches == 1 else 'es'}",
            )
        )
        self.show_rows(len(self._tree), self._place(index))

    def follow(self, index: int | None) -> None:
        """Put the cursor on the text that the strips show; tells nobody."""
        if self.text is not None and self.text.index != index:
            self.show_rows(self.rows, self._place(index))

    def make_header(self, columns: int) -> list[Text]:
        """The names of the columns."""
        header = f"  {fit('text', self._label_cells(columns))} {fit('says', SAYS_CELLS)} "
        return [Text(fit(f"{header}goes on", columns), self.tone("dim"))]

    def make_row(self, row: int, columns: int, *, current: bool) -> list[Text]:
        """One text."""
        each = self._tree[row]
        line = Text("▸ " if current else "  ")
        line.append(fit(each.label, self._label_cells(columns)), self.tone("accent"))
        line.append(" ").append(fit(each.says, SAYS_CELLS), self.tone("strong"))
        line.append(" ").append(each.words[: max(0, columns)])
        line.truncate(columns, overflow="ellipsis")
        return [line]

    def _label_cells(self, columns: int) -> int:
        longest = max((width(row.label) for row in self._tree), default=0)
        return min(longest, round(columns * LABEL_SHARE))

    def _place(self, index: int | None) -> int:
        places = (place for place, row in enumerate(self._tree) if row.text.index == index)
        return next(places, 0)
