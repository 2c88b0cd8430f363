"""Which probes the list of questions shows, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from engine import browse
from engine.browse import NATURAL_ORDER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    import numpy as np
    from numpy.typing import NDArray

    from engine.store import Store


class Query(msgspec.Struct, frozen=True):
    """What the user asked to see.

    Attributes:
        run_id: The run.
        filter: A SQL condition over the view ``listing``; empty for none.
        format: One prompt format, or None for all.
        flag: Only probes with this flag, or None.
        sort: A column of the view ``listing``, or None for the order of the questions.
        descending: Whether the largest come first. Absent values come last either way.
    """

    run_id: int
    filter: str = ""
    format: str | None = None
    flag: str | None = None
    sort: str | None = None
    descending: bool = False

    @property
    def condition(self) -> str:
        """Format and filter as one SQL condition; the flag is not in it."""
        parts = []
        if self.format is not None:
            parts.append("format = '{}'".format(self.format.replace("'", "''")))
        if self.filter:
            # The line break keeps a trailing comment from swallowing the bracket.
            parts.append(f"({self.filter}\n)" if parts else self.filter)
        return " AND ".join(parts)

    @property
    def order_by(self) -> str:
        """The SQL order."""
        if self.sort is None:
            return NATURAL_ORDER
        direction = "DESC" if self.descending else "ASC"
        return f'"{self.sort}" {direction} NULLS LAST, {NATURAL_ORDER}'


@dataclass(frozen=True)
class Listing:
    """The answer to a :class:`Query`, materialised once.

    Attributes:
        query: What was asked.
        ids: Probe ids in order, int32.
        counts: Probes per flag under the query's condition; ``all`` counts them all.
        sought: The flag that next/previous flagged look for.
        flagged: Ascending places in ``ids`` that have it, int32.
    """

    query: Query
    ids: NDArray[np.int32]
    counts: dict[str, int]
    sought: str
    flagged: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ids)

    def place(self, probe_id: int) -> int | None:
        """Where a probe stands in the list."""
        places = (self.ids == probe_id).nonzero()[0]
        return int(places[0]) if len(places) else None

    def next_flagged(self, position: int, delta: int) -> int | None:
        """The nearest flagged place after (``delta`` 1) or before (-1) a position."""
        if delta > 0:
            index = int(self.flagged.searchsorted(position, side="right"))
        else:
            index = int(self.flagged.searchsorted(position, side="left")) - 1
        return int(self.flagged[index]) if 0 <= index < len(self.flagged) else None


def visited(
    query: Query | None, ids: Sequence[int], sought: str, flagged: AbstractSet[int]
) -> Listing:
    """A list of some probes of any runs, to step through; ``flagged`` are those with the flag."""
    import numpy as np

    array = np.array(ids, np.int32)
    places = [place for place, probe_id in enumerate(ids) if probe_id in flagged]
    return Listing(query or Query(0), array, {}, sought, np.array(places, np.int32))


def materialise(store: Store, query: Query, sought: str) -> Listing:
    """Carry out a query. Blocks; meant for a thread.

    Raises:
        StoreError: The filter is no SQL condition over the listing.
    """
    import numpy as np

    condition = query.condition
    ids = browse.list_ids(
        store, query.run_id, condition=condition, order_by=query.order_by, flag=query.flag
    )
    counts = browse.flag_counts(store, query.run_id, condition)
    if query.flag is not None:
        return Listing(query, ids, counts, query.flag, np.arange(len(ids), dtype=np.int32))
    mask = browse.flagged_mask(store, query.run_id, sought, ids)
    return Listing(query, ids, counts, sought, np.flatnonzero(mask).astype(np.int32))
