"""SQL laid out: a clause a line, what is inside parentheses indented, keywords in capitals.

Blanks and line ends are all that is moved, and the letters of keywords all that is changed; a
parser that writes its tree anew would also rewrite casts, operators and comments. So what is laid
out means what it meant, whatever DuckDB's dialect will know tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from engine.errors import StoreError
from engine.sql.lexing import Token, lex

WIDTH = 88
"""Characters of a line, where what stands on it can be broken."""

INDENT = "    "

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

_OPERATORS = frozenset("+-*/<>=~!@#%^&|?:")
_SPACED = frozenset({"=", "==", "<>", "!=", "<", ">", "<=", ">=", "||", "=>", ":="})
_CLOSING = {"(": ")", "[": "]", "{": "}", "case": "end"}


class _Piece(msgspec.Struct):
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
        return self.token.key if self.token.kind in ("word", "symbol") else ""


class _Group(msgspec.Struct):
    """What stands between two parentheses, brackets or braces, or between CASE and END."""

    first: _Piece
    inside: list[_Node]
    last: _Piece


_Node = _Piece | _Group


def lay_out(sql: str) -> str:
    """Lay out one or several statements.

    Nothing but blanks, line ends and the case of keywords differs from what was given; comments
    stay where they were: on a line of their own, or at the end of the line of what they follow.

    Args:
        sql: Statements, whole ones.

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
    laid = []
    for statement in _statements(pieces):
        writer = _Writer()
        writer.query(_tree(statement, sql))
        laid.append(writer.text())
    return "\n\n".join([*laid, *(["\n".join(remarks)] if remarks else [])])


def _line(sql: str, place: int) -> int:
    return sql.count("\n", 0, place) + 1


def _pieces(tokens: Sequence[Token]) -> tuple[list[_Piece], list[str]]:
    """Tokens with their comments, and the comments after the last of them."""
    pieces: list[_Piece] = []
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
            pieces.append(_Piece(token, token.text, blank, above, []))
            above = []
            blank = own_line = False
    for at, piece in enumerate(pieces):
        piece.text = _written(pieces, at)
    return pieces, above


def _written(pieces: Sequence[_Piece], at: int) -> str:
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


def _joins(pieces: Sequence[_Node], at: int) -> bool:
    """Whether a JOIN begins or goes on at a place: one word, or several such as LEFT OUTER JOIN."""
    while at < len(pieces) and _key(pieces[at]) in _JOINS:
        at += 1
    return at < len(pieces) and _key(pieces[at]) == "join"


def _key(node: _Node) -> str:
    return node.key if isinstance(node, _Piece) else ""


def _statements(pieces: Iterable[_Piece]) -> Iterator[list[_Piece]]:
    """The statements, each with its semicolon."""
    statement: list[_Piece] = []
    for piece in pieces:
        statement.append(piece)
        if piece.key == ";":
            yield statement
            statement = []
    if statement:
        yield statement


def _tree(pieces: Sequence[_Piece], sql: str) -> list[_Node]:
    top: list[_Node] = []
    stack: list[tuple[_Piece | None, list[_Node]]] = [(None, top)]
    for at, piece in enumerate(pieces):
        opened, inside = stack[-1]
        if at and piece.token.kind == "word" and pieces[at - 1].key in (".", "as"):
            inside.append(piece)
        elif piece.key in _CLOSING:
            stack.append((piece, []))
        elif opened is not None and piece.key == _CLOSING[opened.key]:
            stack.pop()
            stack[-1][1].append(_Group(opened, inside, piece))
        elif piece.key in _CLOSING.values():
            raise _unmatched(piece, sql)
        else:
            inside.append(piece)
    opened = stack[-1][0]
    if opened is not None:
        raise _unmatched(opened, sql)
    return top


def _unmatched(piece: _Piece, sql: str) -> StoreError:
    return StoreError(
        f"The {piece.token.text} on line {_line(sql, piece.token.start)} has no counterpart.",
        "Close it or take it away, then lay out again.",
    )


class _Writer:
    """Writes lines; every comment with its piece, whatever stands around it."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line = ""
        self._indent = 0
        self._last: _Piece | None = None
        self._must_end = False

    def text(self) -> str:
        return "\n".join([*self._lines, self._line.rstrip()]).strip("\n")

    def query(self, nodes: Sequence[_Node]) -> None:
        """A statement or subquery: each clause begins a line."""
        for clause in _clauses(nodes):
            self._end_line()
            self._clause(clause)

    def _clause(self, nodes: Sequence[_Node]) -> None:
        if self._fits(nodes) and _key(nodes[0]) != "with":
            self._flow(nodes)
            return
        head = _head(nodes)
        items = list(_items(nodes[head:]))
        for node in nodes[:head]:
            self._node(node)
        if len(items) == 1 or _key(nodes[0]) == "with":
            for item in items:
                self._item(item)
            return
        self._indent += 1
        for item in items:
            self._end_line()
            self._item(item)
        self._indent -= 1

    def _item(self, nodes: Sequence[_Node]) -> None:
        """What stands between commas; where it is too long it is broken before each AND and OR."""
        if self._fits(nodes):
            self._flow(nodes)
            return
        between = False
        for at, node in enumerate(nodes):
            key = _key(node)
            if key in ("and", "or") and not between:
                self._end_line()
                self._indent += 1
                self._node(node, nodes[at + 1 :])
                self._indent -= 1
            else:
                self._node(node, nodes[at + 1 :])
            between = key == "between" or (between and key != "and")

    def _flow(self, nodes: Iterable[_Node]) -> None:
        for node in nodes:
            self._node(node)

    def _node(self, node: _Node, following: Sequence[_Node] = ()) -> None:
        """One node; a group is kept on the line where what belongs to it fits there too."""
        if isinstance(node, _Piece):
            self._piece(node)
        elif self._fits([node, *_attached(following)]) and not self._defines(node):
            self._piece(node.first)
            self._flow(node.inside)
            self._piece(node.last)
        else:
            self._broken(node)

    def _defines(self, group: _Group) -> bool:
        """Whether a group is the query that AS names in a WITH or CREATE."""
        return self._last is not None and self._last.key == "as" and _is_query(group.inside)

    def _broken(self, group: _Group) -> None:
        """A group over several lines, indented from the line that it begins on."""
        outer = self._indent
        self._piece(group.first)
        self._indent = self._depth_of_line() + 1
        if _is_query(group.inside):
            self.query(group.inside)
        else:
            items = _branches if group.first.key == "case" else _items
            for item in items(group.inside):
                self._end_line()
                self._item(item)
        self._indent -= 1
        self._end_line()
        self._piece(group.last)
        self._indent = outer

    def _depth_of_line(self) -> int:
        """The indentation of the line being written."""
        return (len(self._line) - len(self._line.lstrip(" "))) // len(INDENT)

    def _fits(self, nodes: Sequence[_Node]) -> bool:
        """Whether nodes can stand on the line as it is, without a comment that ends it."""
        pieces = list(_flat(nodes))
        if any(piece.above or piece.beside for piece in pieces[:-1]) or pieces[-1].above:
            return False
        started = len(self._line) or self._indent * len(INDENT)
        return started + sum(len(piece.text) + piece.blank for piece in pieces) <= WIDTH

    def _piece(self, piece: _Piece) -> None:
        if piece.above:
            self._end_line()
            margin = INDENT * self._indent
            self._lines += [margin + comment for comment in piece.above]
        elif self._must_end:
            self._end_line()
        if not self._line:
            self._line = INDENT * self._indent
        elif self._last is not None and _apart(self._last, piece):
            self._line += " "
        self._line += piece.text
        for comment in piece.beside:
            self._line += f" {comment}"
            self._must_end = self._must_end or comment.startswith("--")
        self._last = piece

    def _end_line(self) -> None:
        if self._line:
            self._lines.append(self._line.rstrip())
        self._line = ""
        self._must_end = False


def _attached(nodes: Sequence[_Node]) -> Iterator[_Node]:
    """What follows a group on its line whether or not it is broken: up to the next break."""
    for node in nodes:
        if isinstance(node, _Group) or node.key in ("and", "or", "when", "else"):
            return
        yield node


def _flat(nodes: Iterable[_Node]) -> Iterator[_Piece]:
    for node in nodes:
        if isinstance(node, _Piece):
            yield node
        else:
            yield node.first
            yield from _flat(node.inside)
            yield node.last


def _clauses(nodes: Sequence[_Node]) -> Iterator[list[_Node]]:
    """A query cut before each of its clauses."""
    clause: list[_Node] = []
    for at, node in enumerate(nodes):
        if clause and _begins(nodes, at):
            yield clause
            clause = []
        clause.append(node)
    if clause:
        yield clause


def _begins(nodes: Sequence[_Node], at: int) -> bool:
    """Whether a clause begins at a place."""
    key = _key(nodes[at])
    before = _key(nodes[at - 1]) if at else ""
    if key == "from":
        return before != "distinct" or _key(nodes[at - 2]) not in ("is", "not")
    if key in _JOINS or key == "join":
        return before not in _JOINS and _joins(nodes, at)
    if before == "as":
        return _follows_as(nodes, at)
    return key in _CLAUSES and before != "."


def _follows_as(nodes: Sequence[_Node], at: int) -> bool:
    """Whether the word after an AS begins a query, as in CREATE VIEW, and is no alias."""
    after = _key(nodes[at + 1]) if at + 1 < len(nodes) else ";"
    return _key(nodes[at]) in _QUERIES and after not in (",", ";", ")", "from")


def _head(nodes: Sequence[_Node]) -> int:
    """How many words begin a clause."""
    at = 0
    while _key(nodes[at]) in _JOINS and at + 1 < len(nodes):
        at += 1
    beside = _HEADS.get(_key(nodes[0]), set())
    at += 1
    while at < len(nodes) and _key(nodes[at]) in beside:
        at += 1
    return at


def _items(nodes: Sequence[_Node]) -> Iterator[list[_Node]]:
    """What commas separate, each with its comma."""
    item: list[_Node] = []
    for node in nodes:
        item.append(node)
        if _key(node) == ",":
            yield item
            item = []
    if item:
        yield item


def _branches(nodes: Sequence[_Node]) -> Iterator[list[_Node]]:
    """What stands between CASE and END, cut before WHEN and ELSE."""
    branch: list[_Node] = []
    for node in nodes:
        if branch and _key(node) in ("when", "else"):
            yield branch
            branch = []
        branch.append(node)
    if branch:
        yield branch


def _is_query(nodes: Sequence[_Node]) -> bool:
    return bool(nodes) and _key(nodes[0]) in _QUERIES


def _apart(left: _Piece, right: _Piece) -> bool:
    """Whether a blank stands between two tokens: as it was, but for commas and comparisons."""
    if right.key in (",", ";", ")", "]", "}") or left.key in ("(", "[", "{"):
        return False
    glued = not right.blank
    if left.key == "," or (left.key == ")" and right.token.is_name):
        return True
    for piece, other in ((left, right), (right, left)):
        alone = not (glued and other.key and other.key[0] in _OPERATORS)
        if piece.key in _SPACED and alone:
            return True
    return right.blank
