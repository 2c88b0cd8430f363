"""What a notebook needs: a database, questions to it in SQL, and the studies, all as Arrow.

An Arrow table becomes a data frame with ``table.to_pandas()`` or ``polars.from_arrow(table)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from engine.copies import open_copy, open_to_read
from engine.errors import LogitscopeError
from engine.sql.reading import read_table
from engine.store import open_store
from engine.studies import STUDIES, Scope
from engine.studies import study as study_called

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.store import Store

__all__ = ["ask", "open_copy", "open_store", "open_to_read", "study"]


def ask(store: Store, query: str) -> pa.Table:
    """Ask one reading query, between the same fences as ``logitscope sql``.

    Args:
        store: An open store.
        query: One statement that changes nothing.

    Raises:
        StoreError: The query is refused or wrong; the sentence says why.
    """
    return read_table(store.reader(), query)


def study(store: Store, name: str, **settings: object) -> dict[str, pa.Table]:
    """Make a study over stored runs.

    Args:
        store: An open store.
        name: As ``logitscope report`` calls it.
        settings: What the study looks at, as in :class:`engine.studies.Scope`: ``runs=[1]``,
            ``by="format"``, ``readings=[...]``, ``text="reading"``, ...

    Returns:
        Its tables by name, the most important first.

    Raises:
        LogitscopeError: There is no such study or run, or a setting is wrong.
    """
    names = [known.name for known in STUDIES]
    if name not in names:
        raise LogitscopeError(f"There is no study {name!r}.", f"There are {', '.join(names)}.")
    try:
        scope = msgspec.convert(settings, Scope)
    except msgspec.ValidationError as error:
        raise LogitscopeError(f"{error}.", f"See: logitscope report {name} --help") from error
    return study_called(name).report(store.reader(), scope).to_arrow()
