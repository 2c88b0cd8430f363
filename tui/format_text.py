"""What is what in the text of a prompt format: TOML, and the templates inside its strings.

The text is being typed, so it is often wrong: a string that nobody closed goes on to the end of
its line, or of the text where it began with three quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

KINDS = ("comment", "table", "key", "value", "string", "escape", "template", "slot", "blank")
"""Comments, table headers, keys, numbers and truth values, strings; and inside strings TOML's
escapes, jinja's tags, ``{label}`` and ``{text}``, and spaces that end a line or the string."""


class Part(NamedTuple):
    """A stretch of the text, in characters from its beginning."""

    kind: str
    start: int
    end: int


_TOML = re.compile(
    r"""(?P<comment>\#[^\n]*)
    |(?P<table>(?m:^)[ \t]*\[[^\]\n]*\]{0,2})
    |(?P<key>(?m:^)[ \t]*(?:[\w-]+|"[^"\n]*"|'[^'\n]*')(?:[ \t]*\.[ \t]*[\w-]+)*(?=[ \t]*=))
    |(?P<string>\"{3}(?:[^\\]|\\.)*?(?:\"{3,5}|\Z)
        |'{3}.*?(?:'{3,5}|\Z)
        |"(?:[^"\\\n]|\\[^\n])*(?:"|\\?(?=\n)|\\?\Z)
        |'[^'\n]*(?:'|(?=\n)|\Z))
    |(?P<value>\b(?:true|false)\b|[+-]?\b\d[\w.]*)""",
    re.VERBOSE | re.DOTALL,
)
_TEMPLATE = re.compile(
    r"(?P<template>\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\})|(?P<slot>\{(?:label|text)\})", re.DOTALL
)
_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)
_BLANK = re.compile(r" +(?=\n|\Z)")
_BLANK_ESCAPED = re.compile(r" +(?=\n|\Z|\\n)")


def parts(source: str) -> Iterator[Part]:
    """The parts of a format's text, those inside a string after the string itself."""
    for found in _TOML.finditer(source):
        kind = found.lastgroup or ""
        yield Part(kind, *found.span())
        if kind == "string":
            yield from _in_string(source, *found.span())


def _in_string(source: str, start: int, end: int) -> Iterator[Part]:
    """What stands between the quotes."""
    quote = source[start]
    quotes = quote * (3 if source.startswith(quote * 3, start) else 1)
    start += len(quotes)
    end -= len(quotes) if source.endswith(quotes, start, end) else 0
    for found in _TEMPLATE.finditer(source, start, end):
        yield Part(found.lastgroup or "", *found.span())
    escaped = quote == '"'
    for found in _ESCAPE.finditer(source, start, end) if escaped else ():
        yield Part("escape", *found.span())
    for found in (_BLANK_ESCAPED if escaped else _BLANK).finditer(source, start, end):
        yield Part("blank", *found.span())
