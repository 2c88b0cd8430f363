"""Statements as a tree of what stands inside parentheses, and their clauses.

Made for laying out: every comment belongs to a token, keywords are written in capitals, and
nothing but blanks gets lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from engine.errors import StoreError
from engine.sql.lexing import Token, lex

_CLAUSES = frozenset(
    {"select", "from", "where", "group", "having", "qualify", "window", "order", "limit", "offset",
     "union", "intersect", "except", "values", "returning"}
)  # fmt: skip
_JOINS = frozenset(
    {"natural", "asof", "positional", "cross", "inner", "left", "right", "full", "outer", "semi",
     "anti"}
)  # fmt: skip
_HEADS = {
    "group": {"by"},
    "order": {"by"},
    "union": {"all", "distinct", "by", "name"},
    "intersect": {"all", "distinct"},
    "except": {"all", "distinct"},
    "select": {"distinct", "all"},
    "with": {"recursive"},
}
"""Words that stand beside the first one of a clause."""

_CAPITALS = frozenset(
    {"select", "from", "where", "group", "having", "qualify", "window", "order", "limit", "offset",
     "union", "intersect", "except", "values", "returning", "with", "recursive", "distinct", "all",
     "as", "on", "using", "and", "or", "not", "in", "is", "null", "like", "ilike", "between",
     "case", "when", "then", "else", "end", "join", "lateral", "asc", "desc", "exists", "create",
     "view", "table", "drop", "describe", "summarize", "pivot", "unpivot", "explain", "collate"}
)  # fmt: skip
_QUERIES = frozenset({"select", "with", "from", "values"})
"""Words that begin a query."""

_AFTER = {
    "analyze": {"explain"},
    "by": {"group", "order", "partition"},
    "first": {"nulls"},
    "last": {"nulls"},
    "replace": {"or"},
}
_BEFORE = {
    "partition": {"by"},
    "nulls": {"first", "last"},
    "over": {"("},
    "filter": {"("},
    "exclude": {"("},
}
"""Words that are keywords after, or before, certain others only."""

_CLOSING = {"(": ")", "[": "]", "{": "}", "case": "end"}


class Piece(msgspec.Struct):
    """One token with the comments that belong to it.

    Attributes:
        token: The token.
        text: What is written of it.
        blank: Whether a blank stood before it.
        above: Comments on lines of their own before it.
        beside: Comments after it on its line.
    """

    token: Token
    text: str
    blank: bool
    above: list[str] = []
    beside: list[str] = []

    @property
    def key(self) -> str:
        """What a word or symbol is compared by; empty for anything else."""
        return self.token.key if self.token.kind in ("word", "symbol") else ""


class Group(msgspec.Struct):
    """What stands between two parentheses, brackets or braces, or between CASE and END."""

    first: Piece
    inside: list[Node]
    last: Piece


Node = Piece | Group


def read_nodes(sql: str) -> tuple[list[list[Node]], list[str]]:
    """The statements of a text, each with its semicolon, and the comments after the last of them.

    Raises:
        StoreError: A string, comment or parenthesis has no end; the sentence says where.
    """
    tokens = lex(sql)
    for token in tokens:
        if token.unclosed:
            raise StoreError(
                f"The {'name' if token.kind == 'quoted' else token.kind} that begins on line "
                f"{_line(sql, token.start)} has no end.",
                "Close it, then lay out again.",
            )
    pieces, remarks = _pieces(tokens)
    return [_tree(statement, sql) for statement in _statements(pieces)], remarks


def _line(sql: str, place: int) -> int:
    return sql.count("\n", 0, place) + 1


def _pieces(tokens: Sequence[Token]) -> tuple[list[Piece], list[str]]:
    """Tokens with their comments, and the comments after the last of them."""
    pieces: list[Piece] = []
    above: list[str] = []
    blank, own_line = False, True
    for token in tokens:
        if token.kind == "blank":
            blank = True
            own_line = own_line or "\n" in token.text
        elif token.kind == "comment" and (own_line or not pieces):
            above.append(token.text.rstrip())
        elif token.kind == "comment":
            pieces[-1].beside.append(token.text.rstrip())
        else:
            pieces.append(Piece(token, token.text, blank, above, []))
            above = []
            blank = own_line = False
    for at, piece in enumerate(pieces):
        piece.text = _written(pieces, at)
    return pieces, above


def _written(pieces: Sequence[Piece], at: int) -> str:
    """A token as it is written: keywords in capitals, wherever a word can be nothing else."""
    piece = pieces[at]
    before = pieces[at - 1].key if at else ""
    after = pieces[at + 1].key if at + 1 < len(pieces) else ""
    names = (
        before == "."
        or after in (".", ":", ":=", "=>")
        or (before == "as" and not _follows_as(pieces, at))
    )
    keyword = (
        piece.token.key in _CAPITALS
        or before in _AFTER.get(piece.key, ())
        or after in _BEFORE.get(piece.key, ())
        or _joins(pieces, at)
    )
    return piece.text.upper() if piece.key and keyword and not names else piece.text


def _joins(pieces: Sequence[Node], at: int) -> bool:
    """Whether a JOIN begins or goes on at a place: one word, or several such as LEFT OUTER JOIN."""
    while at < len(pieces) and key_of(pieces[at]) in _JOINS:
        at += 1
    return at < len(pieces) and key_of(pieces[at]) == "join"


def key_of(node: Node) -> str:
    """What a word or symbol is compared by; empty for anything else."""
    return node.key if isinstance(node, Piece) else ""


def _statements(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """The statements, each with its semicolon."""
    statement: list[Piece] = []
    for piece in pieces:
        statement.append(piece)
        if piece.key == ";":
            yield statement
            statement = []
    if statement:
        yield statement


def _tree(pieces: Sequence[Piece], sql: str) -> list[Node]:
    top: list[Node] = []
    stack: list[tuple[Piece | None, list[Node]]] = [(None, top)]
    for at, piece in enumerate(pieces):
        opened, inside = stack[-1]
        if at and piece.token.kind == "word" and pieces[at - 1].key in (".", "as"):
            inside.append(piece)
        elif piece.key in _CLOSING:
            stack.append((piece, []))
        elif opened is not None and piece.key == _CLOSING[opened.key]:
            stack.pop()
            stack[-1][1].append(Group(opened, inside, piece))
        elif piece.key in _CLOSING.values():
            raise _unmatched(piece, sql)
        else:
            inside.append(piece)
    opened = stack[-1][0]
    if opened is not None:
        raise _unmatched(opened, sql)
    return top


def _unmatched(piece: Piece, sql: str) -> StoreError:
    return StoreError(
        f"The {piece.token.text} on line {_line(sql, piece.token.start)} has no counterpart.",
        "Close it or take it away, then lay out again.",
    )


def flat(nodes: Iterable[Node]) -> Iterator[Piece]:
    """Every token, those inside groups too."""
    for node in nodes:
        if isinstance(node, Piece):
            yield node
        else:
            yield node.first
            yield from flat(node.inside)
            yield node.last


def clauses(nodes: Sequence[Node]) -> Iterator[list[Node]]:
    """A query cut before each of its clauses."""
    clause: list[Node] = []
    for at, node in enumerate(nodes):
        if clause and _begins(nodes, at):
            yield clause
            clause = []
        clause.append(node)
    if clause:
        yield clause


def _begins(nodes: Sequence[Node], at: int) -> bool:
    """Whether a clause begins at a place."""
    key = key_of(nodes[at])
    before = key_of(nodes[at - 1]) if at else ""
    if key == "from":
        return before != "distinct" or key_of(nodes[at - 2]) not in ("is", "not")
    if key in _JOINS or key == "join":
        return before not in _JOINS and _joins(nodes, at)
    if before == "as":
        return _follows_as(nodes, at)
    return key in _CLAUSES and before != "."


def _follows_as(nodes: Sequence[Node], at: int) -> bool:
    """Whether the word after an AS begins a query, as in CREATE VIEW, and is no alias."""
    after = key_of(nodes[at + 1]) if at + 1 < len(nodes) else ";"
    return key_of(nodes[at]) in _QUERIES and after not in (",", ";", ")", "from")


def head(nodes: Sequence[Node]) -> int:
    """How many words begin a clause."""
    at = 0
    while key_of(nodes[at]) in _JOINS and at + 1 < len(nodes):
        at += 1
    beside = _HEADS.get(key_of(nodes[0]), set())
    at += 1
    while at < len(nodes) and key_of(nodes[at]) in beside:
        at += 1
    return at


def items(nodes: Sequence[Node]) -> Iterator[list[Node]]:
    """What commas separate, each with its comma."""
    item: list[Node] = []
    for node in nodes:
        item.append(node)
        if key_of(node) == ",":
            yield item
            item = []
    if item:
        yield item


def branches(nodes: Sequence[Node]) -> Iterator[list[Node]]:
    """What stands between CASE and END, cut before WHEN and ELSE."""
    branch: list[Node] = []
    for node in nodes:
        if branch and key_of(node) in ("when", "else"):
            yield branch
            branch = []
        branch.append(node)
    if branch:
        yield branch


def is_query(nodes: Sequence[Node]) -> bool:
    """Whether nodes begin a query."""
    return bool(nodes) and key_of(nodes[0]) in _QUERIES
