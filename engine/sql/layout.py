"""SQL laid out: a clause a line, what is inside parentheses indented, keywords in capitals.

Blanks and line ends are all that is moved, and the letters of keywords all that is changed; a
parser that writes its tree anew would also rewrite casts, operators and comments. So what is laid
out means what it meant, whatever DuckDB's dialect will know tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from engine.sql.nodes import (
    Group,
    Node,
    Piece,
    branches,
    clauses,
    flat,
    head,
    is_query,
    items,
    key_of,
    read_nodes,
)

WIDTH = 88
"""Characters of a line, where what stands on it can be broken."""

INDENT = "    "

_OPERATORS = frozenset("+-*/<>=~!@#%^&|?:")
_SPACED = frozenset({"=", "==", "<>", "!=", "<", ">", "<=", ">=", "||", "=>", ":="})


def lay_out(sql: str) -> str:
    """Lay out one or several statements.

    Nothing but blanks, line ends and the case of keywords differs from what was given; comments
    stay where they were: on a line of their own, or at the end of the line of what they follow.

    Args:
        sql: Statements, whole ones.

    Raises:
        StoreError: A string, comment or parenthesis has no end; the sentence says where.
    """
    statements, remarks = read_nodes(sql)
    laid = []
    for statement in statements:
        writer = _Writer()
        writer.query(statement)
        laid.append(writer.text())
    return "\n\n".join([*laid, *(["\n".join(remarks)] if remarks else [])])


class _Writer:
    """Writes lines; every comment with its piece, whatever stands around it."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line = ""
        self._indent = 0
        self._last: Piece | None = None
        self._must_end = False

    def text(self) -> str:
        return "\n".join([*self._lines, self._line.rstrip()]).strip("\n")

    def query(self, nodes: Sequence[Node]) -> None:
        """A statement or subquery: each clause begins a line."""
        for clause in clauses(nodes):
            self._end_line()
            self._clause(clause)

    def _clause(self, nodes: Sequence[Node]) -> None:
        if self._fits(nodes) and key_of(nodes[0]) != "with":
            self._flow(nodes)
            return
        body = head(nodes)
        listed = list(items(nodes[body:]))
        for node in nodes[:body]:
            self._node(node)
        if len(listed) == 1 or key_of(nodes[0]) == "with":
            for item in listed:
                self._item(item)
            return
        self._indent += 1
        for item in listed:
            self._end_line()
            self._item(item)
        self._indent -= 1

    def _item(self, nodes: Sequence[Node]) -> None:
        """What stands between commas; where it is too long it is broken before each AND and OR."""
        if self._fits(nodes):
            self._flow(nodes)
            return
        between = False
        for at, node in enumerate(nodes):
            key = key_of(node)
            if key in ("and", "or") and not between:
                self._end_line()
                self._indent += 1
                self._node(node, nodes[at + 1 :])
                self._indent -= 1
            else:
                self._node(node, nodes[at + 1 :])
            between = key == "between" or (between and key != "and")

    def _flow(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            self._node(node)

    def _node(self, node: Node, following: Sequence[Node] = ()) -> None:
        """One node; a group is kept on the line where what belongs to it fits there too."""
        if isinstance(node, Piece):
            self._piece(node)
        elif self._fits([node, *_attached(following)]) and not self._defines(node):
            self._piece(node.first)
            self._flow(node.inside)
            self._piece(node.last)
        else:
            self._broken(node)

    def _defines(self, group: Group) -> bool:
        """Whether a group is the query that AS names in a WITH or CREATE."""
        return self._last is not None and self._last.key == "as" and is_query(group.inside)

    def _broken(self, group: Group) -> None:
        """A group over several lines, indented from the line that it begins on."""
        outer = self._indent
        self._piece(group.first)
        self._indent = self._depth_of_line() + 1
        if is_query(group.inside):
            self.query(group.inside)
        else:
            cut = branches if group.first.key == "case" else items
            for item in cut(group.inside):
                self._end_line()
                self._item(item)
        self._indent -= 1
        self._end_line()
        self._piece(group.last)
        self._indent = outer

    def _depth_of_line(self) -> int:
        """The indentation of the line being written."""
        return (len(self._line) - len(self._line.lstrip(" "))) // len(INDENT)

    def _fits(self, nodes: Sequence[Node]) -> bool:
        """Whether nodes can stand on the line as it is, without a comment that ends it."""
        pieces = list(flat(nodes))
        if any(piece.above or piece.beside for piece in pieces[:-1]) or pieces[-1].above:
            return False
        started = len(self._line) or self._indent * len(INDENT)
        return started + sum(len(piece.text) + piece.blank for piece in pieces) <= WIDTH

    def _piece(self, piece: Piece) -> None:
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


def _attached(nodes: Sequence[Node]) -> Iterator[Node]:
    """What follows a group on its line whether or not it is broken: up to the next break."""
    for node in nodes:
        if isinstance(node, Group) or node.key in ("and", "or", "when", "else"):
            return
        yield node


def _apart(left: Piece, right: Piece) -> bool:
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
