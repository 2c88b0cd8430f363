"""Which tables, aliases and columns a place in a query can name.

No parser: what is being typed rarely parses. A statement is cut into blocks (the query itself, its
subqueries, the sides of a UNION), and a block knows its clauses by their keywords. What can't be
made out is left out, and everything else still completes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from engine.sql.catalog import Catalog, Column
from engine.sql.lexing import Token

OPENING = frozenset(
    {"select", "with", "from", "values", "describe", "summarize", "pivot", "unpivot"}
)
"""Words that make a query of what stands in parentheses."""

CLAUSES = frozenset(
    {"with", "select", "from", "join", "on", "using", "where", "group", "having", "qualify",
     "window", "order", "limit", "offset", "describe", "desc", "summarize", "pivot", "unpivot",
     "table", "view", "into", "values", "set", "sample", "show"}
)  # fmt: skip
"""Words that begin another part of a block."""

_OPENING = frozenset("([{")
_CLOSING = frozenset(")]}")

SETS = frozenset({"union", "intersect", "except"})

_AFTER_SOURCE = frozenset(
    {"as", "inner", "left", "right", "full", "outer", "cross", "natural", "asof", "semi", "anti",
     "positional", "lateral", "tablesample"}
)  # fmt: skip


class Source(msgspec.Struct, frozen=True):
    """Something in a FROM.

    Attributes:
        name: What its columns are qualified with; empty for a subquery without an alias.
        columns: Its columns; empty where they are not known.
    """

    name: str
    columns: tuple[Column, ...]


class Block(msgspec.Struct):
    """One query at one level.

    Attributes:
        tokens: Its own tokens, those of inner queries included; no blanks and comments.
        depths: How many parentheses stand around each, counted from the block.
        outer: The query around it.
        inner: Queries in its parentheses by the place of their first token, later sides of a UNION
            last.
        ctes: What its WITH defines, in lower case.
        following: The next side of a UNION.
    """

    tokens: list[Token]
    depths: list[int]
    outer: Block | None = None
    inner: dict[int, Block] = msgspec.field(default_factory=dict)
    ctes: dict[str, tuple[Column, ...]] = msgspec.field(default_factory=dict)
    sources: list[Source] = msgspec.field(default_factory=list)
    selected: tuple[Column, ...] = ()

    def clause(self, place: int) -> tuple[str, list[Token]]:
        """The clause that a place stands in: its keyword, and the tokens between it and the place.

        Empty where no keyword stands before the place.
        """
        keyword = ""
        since: list[Token] = []
        for token, depth in zip(self.tokens, self.depths, strict=True):
            if token.end > place:
                break
            if depth == 0 and token.kind == "word" and token.key in CLAUSES:
                keyword, since = token.key, []
            else:
                since.append(token)
        return keyword, since

    def depth(self, place: int) -> int:
        """How many of the block's own parentheses are open at a place."""
        opened = 0
        for token, depth in zip(self.tokens, self.depths, strict=True):
            if token.end > place:
                break
            opened = depth + (token.text in _OPENING)
        return opened

    def visible(self) -> Iterator[Source]:
        """What its columns come from, the inmost query's first."""
        block: Block | None = self
        while block is not None:
            yield from block.sources
            block = block.outer

    def tables(self) -> dict[str, tuple[Column, ...]]:
        """Every CTE that can be named, by its name in lower case."""
        above = self.outer.tables() if self.outer else {}
        return above | self.ctes


def read_blocks(tokens: Sequence[Token], catalog: Catalog, place: int) -> Block:
    """Read one statement, and find the block that a place stands in.

    Args:
        tokens: Of one statement, without blanks and comments.
        catalog: The tables that there are.
        place: In characters, as the tokens' places.
    """
    return _Reader(catalog, place).read(list(tokens), None)


class _Reader:
    def __init__(self, catalog: Catalog, place: int) -> None:
        self._catalog = catalog
        self._place = place

    def read(self, tokens: list[Token], outer: Block | None) -> Block:
        """The block that these tokens make, or the one in it that holds the place."""
        first, holder = self._block(tokens, outer)
        return holder or first

    def _block(self, tokens: list[Token], outer: Block | None) -> tuple[Block, Block | None]:
        """A block, and the one inside it that holds the place, where one does.

        Of several sides of a UNION the block is the first, as its columns are those of the whole.
        """
        first = holder = None
        for start, side, depths in _sides(tokens):
            block = Block(side, depths, outer)
            if first is not None:
                block.ctes |= first.ctes
            within = self._read_side(block)
            first = first or block
            if within is not None or start <= self._place:
                holder = within or block
        assert first is not None
        return first, holder

    def _read_side(self, block: Block) -> Block | None:
        """Read a block; returns the one inside it that holds the place, where one does."""
        tokens = block.tokens
        holder = None
        for at, inside, closed in _parentheses(tokens):
            name = _cte_name(tokens, at)
            within, found = self._block(inside, block)
            block.inner[at] = within
            if name:
                listed = _listed_columns(tokens, at)
                block.ctes[name] = listed or within.selected
            end = inside[-1].end if closed is None else closed.start
            if tokens[at].end <= self._place <= end or (closed is None and self._place >= end):
                holder = found or within
        block.sources = list(self._sources(block))
        block.selected = tuple(self._selected(block))
        return holder

    def _sources(self, block: Block) -> Iterator[Source]:
        """What FROM and JOIN name, with the aliases."""
        keyword, expected = "", False
        at = 0
        while at < len(block.tokens):
            token = block.tokens[at]
            at += 1
            if block.depths[at - 1] > 0:
                continue
            if token.kind == "word" and token.key in CLAUSES:
                keyword = token.key
                expected = keyword in ("from", "join", "summarize", "describe", "desc", "pivot")
            elif token.text == "," and keyword in ("from", "join"):
                expected = True
            elif expected and token.is_name and token.key == "lateral":
                continue
            elif expected and (token.is_name or token.text == "("):
                source, at = self._source(block, at - 1)
                expected = False
                yield source

    def _source(self, block: Block, at: int) -> tuple[Source, int]:
        """One table, function or subquery with its alias; and the place after it."""
        tokens = block.tokens
        name = ""
        columns: tuple[Column, ...] = ()
        if tokens[at].is_name:
            while at + 2 < len(tokens) and tokens[at + 1].text == "." and tokens[at + 2].is_name:
                at += 2
            name = tokens[at].key
            columns = self._columns(block, name)
            at += 1
        if at < len(tokens) and tokens[at].text == "(":
            inner = block.inner.get(at)
            columns = inner.selected if inner else ()
            at = _after_parenthesis(tokens, at)
        if at < len(tokens) and tokens[at].key == "as":
            at += 1
        if at < len(tokens) and tokens[at].is_name and not _goes_on(tokens[at]):
            name = tokens[at].key
            at += 1
            listed = _names_in(tokens, at)
            if listed:
                columns = listed
                at = _after_parenthesis(tokens, at)
        return Source(name, columns), at

    def _columns(self, block: Block, name: str) -> tuple[Column, ...]:
        defined = block.tables()
        if name in defined:
            return defined[name]
        table = self._catalog.by_name.get(name)
        return table.columns if table else ()

    def _selected(self, block: Block) -> Iterator[Column]:
        """The columns that a block gives, as far as they have a plain name."""
        everything = [column for source in block.sources for column in source.columns]
        known = {column.name.lower(): column for column in everything}
        items = list(_items(block))
        if not items and block.sources:
            yield from everything
        for item in items:
            if item[0].text == "*":
                yield from everything
            elif item[-1].text == "*" and item[0].is_name:
                for source in block.sources:
                    if source.name == item[0].key:
                        yield from source.columns
            elif item[-1].is_name and not (len(item) > 1 and item[-2].text == "::"):
                name = _plain(item[-1])
                simple = all(token.is_name or token.text == "." for token in item)
                same = known.get(name.lower()) if simple and len(item) in (1, 3) else None
                yield same or Column(name, "")


def _sides(tokens: list[Token]) -> Iterator[tuple[int, list[Token], list[int]]]:
    """What UNION, INTERSECT and EXCEPT put together: place of the beginning, tokens, depths."""
    depths = _depths(tokens)
    start = first = 0
    for at, (token, depth) in enumerate(zip(tokens, depths, strict=True)):
        if depth == 0 and token.kind == "word" and token.key in SETS:
            yield start, tokens[first:at], depths[first:at]
            start, first = token.end, at + 1
    yield start, tokens[first:], depths[first:]


def _depths(tokens: Sequence[Token]) -> list[int]:
    """How many parentheses, brackets and braces are open at each token, its own left out."""
    depths = []
    depth = 0
    for token in tokens:
        text = token.text
        if text in _CLOSING and depth:
            depth -= 1
        depths.append(depth)
        if text in _OPENING:
            depth += 1
    return depths


def _parentheses(tokens: list[Token]) -> Iterator[tuple[int, list[Token], Token | None]]:
    """Every parenthesis with a query in it: its place, what is inside, and what closes it.

    One without is looked into, as calls have subqueries for arguments; one inside another is not
    told.
    """
    at = 0
    while at < len(tokens):
        if tokens[at].text == "(":
            end = _after_parenthesis(tokens, at)
            closed = tokens[end - 1] if end - 1 > at and tokens[end - 1].text == ")" else None
            inside = tokens[at + 1 : end - 1 if closed else end]
            if _is_query(inside):
                yield at, inside, closed
                at = end
                continue
        at += 1


def _after_parenthesis(tokens: Sequence[Token], at: int) -> int:
    """The place after the parenthesis that opens at a place; the end where none closes it."""
    depth = 0
    for place in range(at, len(tokens)):
        depth += (tokens[place].text == "(") - (tokens[place].text == ")")
        if depth == 0:
            return place + 1
    return len(tokens)


def _is_query(tokens: Sequence[Token]) -> bool:
    words = [token for token in tokens[:8] if token.text != "("]
    return bool(words) and words[0].kind == "word" and words[0].key in OPENING


def _cte_name(tokens: Sequence[Token], at: int) -> str:
    """The name that ``name AS [NOT MATERIALIZED] (`` defines at its parenthesis; empty for none."""
    before = at - 1
    while before >= 0 and tokens[before].key in ("materialized", "not"):
        before -= 1
    if before < 1 or tokens[before].key != "as":
        return ""
    before -= 1
    if tokens[before].text == ")":
        while before > 0 and tokens[before].text != "(":
            before -= 1
        before -= 1
    return tokens[before].key if before >= 0 and tokens[before].is_name else ""


def _listed_columns(tokens: Sequence[Token], at: int) -> tuple[Column, ...]:
    """The columns of ``name (a, b) AS (``."""
    before = at - 1
    while before >= 0 and tokens[before].key in ("materialized", "not", "as"):
        before -= 1
    if before < 0 or tokens[before].text != ")":
        return ()
    opened = before
    while opened > 0 and tokens[opened].text != "(":
        opened -= 1
    return _names_in(tokens, opened)


def _names_in(tokens: Sequence[Token], at: int) -> tuple[Column, ...]:
    """The columns of ``(a, b)`` at a place; empty where something else stands there."""
    if at >= len(tokens) or tokens[at].text != "(":
        return ()
    inside = tokens[at + 1 : _after_parenthesis(tokens, at) - 1]
    return tuple(Column(_plain(token), "") for token in inside if token.is_name)


def _items(block: Block) -> Iterator[list[Token]]:
    """The items of a SELECT."""
    item: list[Token] = []
    selecting = False
    for token, depth in zip(block.tokens, block.depths, strict=True):
        if depth == 0 and token.kind == "word" and token.key in CLAUSES:
            selecting = token.key == "select"
        elif selecting and depth == 0 and token.text == ",":
            if item:
                yield item
            item = []
        elif selecting and not (token.key in ("distinct", "all") and not item):
            item.append(token)
    if item:
        yield item


def _goes_on(token: Token) -> bool:
    """Whether a word after a table belongs to the query and is no alias."""
    return token.kind == "word" and token.key in CLAUSES | SETS | _AFTER_SOURCE


def _plain(token: Token) -> str:
    return token.text.strip('"') if token.kind == "quoted" else token.text
