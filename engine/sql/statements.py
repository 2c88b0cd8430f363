"""What a text of SQL holds: its statements, what each may do, and where an error in one lies."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Literal
from unicodedata import east_asian_width

import duckdb
import msgspec

from engine.database import reason
from engine.errors import StoreError

if TYPE_CHECKING:
    from engine.sql.console import Done
    from engine.sql.result import Result

Kind = Literal["reads", "changes", "other"]
"""A statement reads; changes tables, views and the like; or does something else to a database."""

READING = ("SELECT", "EXPLAIN", "MULTI")
"""DESCRIBE, SHOW, SUMMARIZE, FROM and VALUES are SELECTs; MULTI is a PIVOT over unknown values."""

CHANGING = ("CREATE", "INSERT", "UPDATE", "DELETE", "MERGE_INTO", "DROP", "ALTER")
"""COMMENT ON is an ALTER and TRUNCATE a DELETE."""

SIDE_EFFECTS = frozenset(
    {
        "add_grammar_extension",
        "checkpoint",
        "create_external_resource",
        "deregister_external_resource",
        "destroy_external_resource",
        "disable_logging",
        "disable_profiling",
        "enable_logging",
        "enable_profiling",
        "force_checkpoint",
        "json_execute_serialized_sql",
        "query",
        "register_external_resource",
        "register_external_resource_type",
        "remove_grammar_extension",
        "truncate_duckdb_logs",
        "write_log",
    }
)
"""Functions that do more than compute although a SELECT may call them, or that run a text."""

_UNLOCK = "Unlock the console first."
_SETTINGS = "Settings stay as they are; write names with their schema instead of USE."
_HINTS = {
    "TRANSACTION": "Every statement is a transaction of its own.",
    "PRAGMA": "Ask DESCRIBE, SHOW or a function such as pragma_table_info('probes') instead.",
    "SET": _SETTINGS,
    "VARIABLE_SET": _SETTINGS,
    "PREPARE": "Run the statement itself.",
    "EXECUTE": "Run the statement itself.",
    "COPY": "Export a result, or unlock the console first.",
}

_MARKED = re.compile(r"\n\s*LINE (?P<line>\d+): (?P<shown>[^\n]*)\n(?P<indent> *)\^")
_CUT = "..."


class QueryError(StoreError):
    """A statement is refused, wrong, cancelled, or can't be finished.

    Attributes:
        line: Line of the place in the whole text, from 1; None where no place is known.
        column: Character in that line, from 1.
        results: What the statements before it gave.
    """

    def __init__(
        self, sentence: str, hint: str = "", line: int | None = None, column: int | None = None
    ) -> None:
        super().__init__(sentence, hint)
        self.line = line
        self.column = column
        self.results: list[Result | Done] = []


class HeldError(QueryError):
    """A statement would write to something that its transaction keeps it from."""


class Statement(msgspec.Struct, frozen=True):
    """One statement of a text.

    Attributes:
        text: As it was written, its semicolon and the comments before it included.
        start: Where it starts in the whole text, in characters.
        type: What DuckDB calls it, such as ``SELECT`` or ``MERGE_INTO``.
        kind: What it may do.
    """

    text: str
    start: int
    type: str
    kind: Kind

    def place(self, whole: str) -> tuple[int, int]:
        """Line and column of its first word in the whole text, both from 1."""
        first = next((place for place, kind in _tokens(self.text) if kind != "comment"), 0)
        return line_and_column(whole, self.start + first)


_REFUSALS = (
    (
        "launched in read-only mode",
        HeldError,
        "What begins with SELECT, FROM, WITH or EXPLAIN can't change anything.",
        "Make INSERT, UPDATE, DELETE or CREATE a statement of its own.",
    ),
    (
        "a single transaction can only write to a single attached database",
        HeldError,
        "What is stored can't be changed here.",
        "Make tables and views of your own, or unlock the console first.",
    ),
    (
        "Out of Memory Error",
        QueryError,
        "The query needs more memory or disk than it may use.",
        "Ask for fewer rows or columns at once, or for a LIMIT after ORDER BY.",
    ),
    (
        "disabled by configuration",
        QueryError,
        "Files and the network are out of reach.",
        "Unlock the console first.",
    ),
)
"""What DuckDB says where a fence holds, and what that means."""


def split(cursor: duckdb.DuckDBPyConnection, text: str) -> list[Statement]:
    """The statements of a text, in order; none where it holds comments only.

    Raises:
        QueryError: DuckDB does not understand it.
    """
    try:
        found = cursor.extract_statements(text)
    except duckdb.Error as error:
        raise query_error(error, text, text, 0) from error
    # DuckDB replaces unusual spaces, byte for byte, and skips empty statements at the start only.
    raw = text.encode()
    lengths = [len(statement.query.encode()) for statement in found]
    start = len(raw) - sum(lengths)
    statements = []
    for statement, length in zip(found, lengths, strict=True):
        piece = raw[start : start + length].decode(errors="replace")
        before = len(raw[:start].decode(errors="replace"))
        name = _type(statement)
        statements.append(Statement(piece, before, name, _kind(name)))
        start += length
    return statements


def body(text: str) -> str:
    """A statement without the semicolon and what comes after it."""
    ends = [place for place, kind in _tokens(text) if kind == "operator" and text[place] == ";"]
    return text[: ends[0]] if ends else text


def check(statement: Statement) -> None:
    """Let a statement pass that can be held by a transaction.

    Raises:
        QueryError: It is none of those.
    """
    word = tokens(statement.text)[0].upper()
    if statement.kind == "other" or word == "DEALLOCATE":
        raise QueryError(f"{word} is refused here.", _HINTS.get(statement.type, _UNLOCK))
    called = called_functions(statement.text) & SIDE_EFFECTS
    if called:
        raise QueryError(f"The function {min(called)} is refused here.", "Ask without it.")
    if statement.type == "CREATE":
        _check_created(statement.text)


def called_functions(text: str) -> set[str]:
    """Names before a parenthesis, in lower case."""
    words = tokens(text)
    return {_name(word) for word, after in pairwise(words) if after == "("}


def tokens(text: str) -> list[str]:
    """The words and signs of a text as they are written, without comments."""
    found = _tokens(text)
    ends = [*(place for place, _ in found[1:]), len(text)]
    return [
        text[place:end].strip()
        for (place, kind), end in zip(found, ends, strict=True)
        if kind != "comment"
    ]


def line_and_column(text: str, place: int) -> tuple[int, int]:
    """Where a character is, both from 1."""
    before = text[:place].split("\n")
    return len(before), len(before[-1]) + 1


def query_error(error: Exception, whole: str = "", text: str = "", start: int = 0) -> QueryError:
    """DuckDB's error in its own words, with its place in the whole text.

    Args:
        error: What DuckDB, or an Arrow reader over it, raised.
        whole: The text that was given.
        text: The statement in it.
        start: Where that starts, in characters.
    """
    said = str(error)
    if isinstance(error, duckdb.InterruptException) or said.startswith("INTERRUPT"):
        return QueryError("The query was cancelled.")
    place = _place(said, whole, text, start)
    for sign, made, sentence, hint in _REFUSALS:
        if sign in said:
            return made(sentence, hint, *place)
    sentence = reason(error)
    return QueryError(sentence if sentence.endswith(("?", "!")) else f"{sentence}.", "", *place)


def _place(said: str, whole: str, text: str, start: int) -> tuple[int | None, int | None]:
    """Line and column that DuckDB marks with a caret below the line, both from 1."""
    marked = _MARKED.search(said)
    lines = text.split("\n")
    if marked is None or not 1 <= int(marked["line"]) <= len(lines):
        return None, None
    number = int(marked["line"]) - 1
    indent = len(marked["indent"]) - len(f"LINE {marked['line']}: ")
    at = start + sum(len(line) + 1 for line in lines[:number])
    at += _cut_off(lines[number], marked["shown"]) + _characters(marked["shown"], indent)
    return line_and_column(whole, at)


def _cut_off(line: str, shown: str) -> int:
    """How many characters DuckDB left away at the start of a long line, less its three dots."""
    if not shown.startswith(_CUT) or line.startswith(_CUT):
        return 0
    place = line.find(shown.removeprefix(_CUT).removesuffix(_CUT))
    return max(0, place - len(_CUT))


def _characters(shown: str, cells: int) -> int:
    """How many characters fill so many cells of a terminal."""
    for count, character in enumerate(shown):
        if cells <= 0:
            return count
        cells -= 2 if east_asian_width(character) in "WF" else 1
    return len(shown)


def _tokens(text: str) -> list[tuple[int, str]]:
    """Place in characters and kind of every token."""
    raw = text.encode()
    return [
        (len(raw[:place].decode(errors="ignore")), str(kind.name))
        for place, kind in duckdb.tokenize(text)
    ]


def _type(statement: duckdb.Statement) -> str:
    try:
        return str(statement.type.name)
    except ValueError:  # DuckDB's Python package has no name for it
        return " ".join(tokens(statement.query)[:2]).upper()


def _kind(name: str) -> Kind:
    if name in READING:
        return "reads"
    return "changes" if name in CHANGING else "other"


def _check_created(text: str) -> None:
    words = [word.lower() for word in tokens(text)]
    for word in words[1:]:
        if word in ("temp", "temporary"):
            raise QueryError(
                "Temporary tables and views are refused here.",
                "Leave TEMP out: what you make is kept apart from the stored results anyway.",
            )
        if word == "secret":
            raise QueryError("Secrets are refused here.", "Nothing outside is in reach.")
        if word not in ("or", "replace", "persistent"):
            return


def _name(word: str) -> str:
    quoted = word.startswith('"') and word.endswith('"')
    return (word[1:-1].replace('""', '"') if quoted else word).lower()
