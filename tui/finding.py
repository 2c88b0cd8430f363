"""Looking for a text in the fetched rows of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tui.values import copied

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from engine.sql.result import Result


class Hit(NamedTuple):
    """A cell that holds the text.

    Attributes:
        row: Its row.
        column: Its column.
        number: Which of the cells that hold it, from 1.
        among: How many there are.
    """

    row: int
    column: int
    number: int
    among: int


class Finder:
    """The cells that hold a text; case matters only where the text holds a capital letter.

    Attributes:
        result: Whose cells are searched.
        sought: The text.
    """

    def __init__(self, result: Result, sought: str) -> None:
        self.result = result
        self.sought = sought
        self._searched = -1
        self._hits: NDArray[np.int64]

    def next(self, row: int, column: int, delta: int) -> Hit | None:
        """The next cell that holds the text, or the one before (``delta`` -1), round the end.

        Blocks: rows that were fetched meanwhile are searched first.
        """
        if self._searched != self.result.fetched:
            self._search()
        hits, columns = self._hits, len(self.result.columns)
        if not len(hits):
            return None
        here = row * columns + column
        if delta > 0:
            place = int(hits.searchsorted(here, side="right")) % len(hits)
        else:
            place = (int(hits.searchsorted(here, side="left")) - 1) % len(hits)
        found = divmod(int(hits[place]), columns)
        return Hit(*found, place + 1, len(hits))

    def _search(self) -> None:
        import numpy as np

        table = self.result.table()
        columns = len(table.columns)
        found = [
            np.flatnonzero(self._holding(column)) * columns + place
            for place, column in enumerate(table.columns)
        ]
        self._hits = np.sort(np.concatenate([np.empty(0, np.int64), *found]))
        self._searched = table.num_rows

    def _holding(self, column: pa.ChunkedArray) -> NDArray[np.bool_]:
        """Which values of a column hold the text."""
        import pyarrow as pa
        import pyarrow.compute as pc

        try:
            texts = column.cast(pa.string())
        except pa.ArrowException:  # lists, structs, bytes that are no text
            values = [copied(value) for value in column.to_pylist()]
            texts = pa.chunked_array([pa.array(values, pa.string())])
        fold = self.sought == self.sought.lower()
        holding = pc.match_substring(texts, self.sought, ignore_case=fold)
        mask: NDArray[np.bool_] = pc.fill_null(holding, False).to_numpy()
        return mask
