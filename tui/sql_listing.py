"""The list of questions as a statement of SQL, and back: both ask the view ``listing``.

Also which questions the rows of any result are about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from engine.errors import LogitscopeError, StoreError
from engine.sql.lexing import Token, lex
from engine.sql.reading import reading
from engine.studies.report import quoted
from tui.listing import Query

if TYPE_CHECKING:
    from engine.sql.result import Column, Result
    from engine.store import Store

SHOWN = (
    "probe_id, question_index, format, order_index, gold, first_token, text_status, text_label, "
    "majority, margin, entropy, subject, question"
)
"""Columns that the list is brought with."""
MOST_IDS = 5_000
"""Probes that a condition may list by their ids."""
_CLAUSES = frozenset({"select", "from", "where", "order"})
_OTHERWISE = frozenset(
    {"group", "having", "qualify", "limit", "offset", "union", "intersect", "except", "join",
     "window", "sample", "tablesample", "using", "distinct", ","}
)  # fmt: skip
"""What a plain statement has none of after its columns."""
_OPENS, _CLOSES = frozenset("([{"), frozenset(")]}")


class Found(NamedTuple):
    """The list that shows a result's questions.

    Attributes:
        query: What the list is asked.
        elsewhere: Questions of the result that belong to other runs.
    """

    query: Query
    elsewhere: int


def statement_of(query: Query) -> str:
    """The statement whose rows are those of the list, in its order."""
    parts = [f"run_id = {query.run_id}"]
    if query.format is not None:
        parts.append(f"format = {quoted(query.format)}")
    if query.flag is not None:
        parts.append(query.flag)
    if query.filter:
        alone = not _splits(lex(query.filter)) and not _comments(query.filter)
        parts.append(query.filter if alone else f"({query.filter}\n)")
    where = "\n    AND ".join(parts)
    return f"SELECT {SHOWN}\nFROM listing\nWHERE {where}\nORDER BY {query.order_by}"


def query_of(statement: str, run_id: int | None) -> Query | None:
    """The list that a plain ``SELECT ... FROM listing WHERE ...`` stands for.

    Args:
        statement: Any statement.
        run_id: The run where the statement names none.

    Returns:
        The query; None where the statement is more than that, or there is no run.
    """
    clauses = _clauses(statement)
    if clauses is None or [token.key for token in _words(clauses["from"])] != ["listing"]:
        return None
    kept = []
    for part in _conjuncts(clauses.get("where", [])):
        words = _words(part)
        if [word.key for word in words[:2]] == ["run_id", "="] and len(words) == 3:
            if not words[2].text.isdigit():
                return None
            run_id = int(words[2].text)
        else:
            kept.append(_in_one_line(part))
    if run_id is None:
        return None
    return Query(run_id, " AND ".join(filter(None, kept)))


def list_of(store: Store, result: Result, run_id: int | None) -> Found:
    """The list that shows the questions of a result. Blocks.

    Args:
        store: The store.
        result: The result; where only its own console understands its statement, the list shows
            what is fetched of it.
        run_id: The run that is shown, which is kept where it has any of them.

    Raises:
        LogitscopeError: The result names no probes.
    """
    named, plain = (query_of(result.statement, run) for run in (None, run_id))
    if named is not None and _understood(store, named.condition or "true"):
        return Found(named, 0)
    if plain is None or not _understood(store, plain.condition or "true"):
        plain = Query(0, _naming(store, result))
    counting = f"SELECT run_id, count(*) FROM listing WHERE {plain.condition or 'true'}\nGROUP BY 1"
    with reading(store.reader(), f"{counting} ORDER BY 2 DESC") as counted:
        counts: dict[int, int] = dict(counted.fetchall())
    if not counts:
        raise LogitscopeError("No stored question is among these rows.", "Look at its probe_id.")
    chosen = run_id if run_id in counts else next(iter(counts))
    query = msgspec.structs.replace(plain, run_id=chosen)
    return Found(query, sum(counts.values()) - counts[query.run_id])


def _naming(store: Store, result: Result) -> str:
    """The condition for the probes of a result: its statement, or their ids."""
    names = [column.name.lower() for column in result.columns]
    if "probe_id" not in names:
        raise LogitscopeError(
            "The list shows probes, and this result has no column probe_id.",
            "Select it too: SELECT probe_id, ... FROM listing.",
        )
    asked = _in_one_line(lex(result.statement.strip().rstrip(";")))
    condition = f"probe_id IN (SELECT probe_id FROM ({asked}))"
    if _understood(store, condition):
        return condition
    place = names.index("probe_id")
    ids = {row[place] for row in result.rows(0, result.fetched) if isinstance(row[place], int)}
    if len(ids) > MOST_IDS:
        raise LogitscopeError(
            f"The list can't ask this statement, and {len(ids):,} probes are too many to name.",
            "Add a LIMIT, or ask the stored tables and views only.",
        )
    return f"probe_id IN ({', '.join(map(str, sorted(ids)))})" if ids else "false"


def probes_of(
    store: Store, columns: Sequence[Column], rows: Sequence[Sequence[Any]], run_id: int | None
) -> list[int | None]:
    """The probe that each of some rows is about; None where it names none. Blocks.

    A row names a probe by ``probe_id``, or by ``question_id`` or ``question_index``, narrowed by
    ``run_id`` (else ``run_id``, the run that is shown), ``format`` and ``order_index``.

    Raises:
        StoreError: The store is closed.
    """
    places = {column.name.lower(): place for place, column in reversed(list(enumerate(columns)))}
    if "probe_id" in places:
        named = [row[places["probe_id"]] for row in rows]
        wanted = {each for each in named if isinstance(each, int)}
        there = _existing(store, wanted)
        return [each if each in there else None for each in named]
    key = next((name for name in ("question_id", "question_index") if name in places), None)
    if key is None:
        return [None] * len(rows)
    return _looked_up(store, places, rows, key, run_id)


def _existing(store: Store, wanted: set[int]) -> set[int]:
    if not wanted:
        return set()
    listed = ", ".join(map(str, sorted(wanted)))
    with reading(
        store.reader(), f"SELECT probe_id FROM probes WHERE probe_id IN ({listed})"
    ) as found:
        return {probe_id for (probe_id,) in found.fetchall()}


def _looked_up(
    store: Store,
    places: Mapping[str, int],
    rows: Sequence[Sequence[Any]],
    key: str,
    run_id: int | None,
) -> list[int | None]:
    """The first probe of each row's question, format and order."""
    names = [name for name in (key, "run_id", "format", "order_index") if name in places]
    values = [
        f"({place}, {', '.join(_literal(row[places[name]]) for name in names)})"
        for place, row in enumerate(rows)
    ]
    if not values:
        return []
    on = " AND ".join(f"p.{name} = v.{name}" for name in names)
    if "run_id" not in names and run_id is not None:
        on += f" AND p.run_id = {run_id}"
    query = (
        "SELECT v.place, first(p.probe_id ORDER BY p.run_id DESC, p.format, p.order_index, "
        f"p.probe_id) FROM (VALUES {', '.join(values)}) v(place, {', '.join(names)}) "
        f"JOIN probes p ON {on} GROUP BY v.place"
    )
    try:
        with reading(store.reader(), query) as result:
            found = dict(result.fetchall())
    except StoreError:  # columns of these names that hold something else
        found = {}
    return [found.get(place) for place in range(len(rows))]


def _literal(value: object) -> str:
    return "NULL" if value is None else str(value) if isinstance(value, int) else quoted(str(value))


def _understood(store: Store, condition: str) -> bool:
    """Whether the list can ask it."""
    try:
        with reading(store.reader(), f"EXPLAIN SELECT 1 FROM listing WHERE {condition}\n") as asked:
            asked.fetchall()
    except StoreError:
        return False
    return True


# Reading a statement


def _clauses(statement: str) -> dict[str, list[Token]] | None:
    """The tokens of each clause without the word that begins it; None for what is not plain."""
    tokens = lex(statement.strip().rstrip(";"))
    clauses: dict[str, list[Token]] = {}
    current = ""
    for depth, token in _with_depth(tokens):
        listed = token.text == "," and current in ("select", "order")
        if depth == 0 and token.kind == "word" and token.key in _CLAUSES - clauses.keys():
            current = token.key
            clauses[current] = []
        elif token.text == ";" or (depth == 0 and token.key in _OTHERWISE and not listed):
            return None
        elif current:
            clauses[current].append(token)
        elif token.kind not in ("blank", "comment"):
            return None
    return clauses if "from" in clauses else None


def _with_depth(tokens: Sequence[Token]) -> Iterator[tuple[int, Token]]:
    """Tokens with how many parentheses are open around them; CASE ... END counts as one."""
    depth = 0
    for token in tokens:
        opens = token.text in _OPENS or (token.kind == "word" and token.key == "case")
        closes = token.text in _CLOSES or (token.kind == "word" and token.key == "end")
        depth += opens
        yield depth, token
        depth -= closes


def _conjuncts(tokens: Sequence[Token]) -> list[list[Token]]:
    """What stands between the ANDs of a condition; the whole of it where an OR splits it."""
    parts: list[list[Token]] = [[]]
    between = False
    for depth, token in _with_depth(tokens):
        word = token.key if token.kind == "word" and depth == 0 else ""
        if word == "or":
            return [list(tokens)]
        if word == "and" and not between:
            parts.append([])
            continue
        between = word == "between" or (between and word != "and")
        parts[-1].append(token)
    return parts


def _splits(tokens: Sequence[Token]) -> bool:
    """Whether a condition means something else beside an AND."""
    return any(
        depth == 0 and token.kind == "word" and token.key == "or"
        for depth, token in _with_depth(tokens)
    )


def _comments(text: str) -> bool:
    return any(token.kind == "comment" for token in lex(text))


def _in_one_line(tokens: Sequence[Token]) -> str:
    """SQL without comments and line breaks, as a filter has room for."""
    parts = (" " if token.kind in ("blank", "comment") else token.text for token in tokens)
    return "".join(
        after for before, after in pairwise(("", *parts)) if f"{before}{after}" != "  "
    ).strip()


def _words(tokens: Sequence[Token]) -> list[Token]:
    return [token for token in tokens if token.kind not in ("blank", "comment")]
