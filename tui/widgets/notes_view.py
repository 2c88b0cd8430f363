"""Everything a study says in words: what it answers, what columns mean, what to keep in mind."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from tui.widgets.line_view import LineView


class NotesView(LineView):
    """Paragraphs under headings."""

    HELP_TITLE = "The notes"
    HELP = "What the study answers, what the headers of every table mean, and what to keep in mind."

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._parts: Sequence[tuple[str, Sequence[str]]] = ()

    def show(self, parts: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Show paragraphs, each group under its heading."""
        self._parts = parts
        self.scroll_to(y=0, animate=False, force=True)
        self.remake()

    def make_lines(self, columns: int) -> Sequence[Text]:
        """Headings and wrapped paragraphs."""
        lines: list[Text] = []
        for heading, paragraphs in self._parts:
            if lines:
                lines.append(Text())
            lines.append(Text(heading, self.tone("strong")))
            for paragraph in paragraphs:
                lines += Text(paragraph).wrap(self.app.console, columns)
        return lines
