"""The ladder over JSON lines: anyone's responses in, the same lines with their answers out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from engine.answers.ladder import read_answer
from engine.errors import LogitscopeError

_HINT = 'Each line needs {"response": "...", "options": {"A": "...", ...}}.'


class _Line(msgspec.Struct):
    response: str
    options: dict[str, str]
    finished: bool = True


def read_lines(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Read the answer of every line, one at a time.

    Args:
        lines: JSON objects with ``response``, ``options`` (label to text) and, where a token
            limit cut the response, ``finished`` false. Blank lines are skipped; further keys
            are kept.

    Yields:
        The line's own keys, then ``status``, ``label``, ``labels``, ``rule``, ``span`` (start and
        end in characters of the response, or None) and ``hedged``, as in
        :class:`engine.answers.Answer`.

    Raises:
        LogitscopeError: A line is not JSON or lacks a key; names the line.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            fields = msgspec.json.decode(line)
            given = msgspec.convert(fields, _Line)
        except msgspec.MsgspecError as error:
            raise LogitscopeError(f"Line {number} can't be read: {error}.", _HINT) from error
        if not given.options:
            raise LogitscopeError(f"Line {number} has no options.", _HINT)
        answer = read_answer(given.response, given.options, finished=given.finished)
        yield fields | msgspec.structs.asdict(answer)
