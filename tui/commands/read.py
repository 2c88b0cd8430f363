"""``logitscope read``: the answer ladder for anyone's responses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from engine.errors import LogitscopeError


def read(
    file: Annotated[
        Path | None, typer.Argument(help="JSON lines; standard input when left out or '-'.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON lines (the default).")] = True,
) -> None:
    """Find the answers in a file of responses.

    Says which rule found each answer, and where in the text.

    Each line holds {"response": "...", "options": {"A": "...", ...}}; the same line comes back
    with "status", "label", "rule" and "span".
    """
    del json
    from engine.answers import read_lines

    encode = msgspec.json.Encoder().encode
    if file is None or str(file) == "-":
        for line in read_lines(sys.stdin):
            print(encode(line).decode())
        return
    try:
        with file.open(encoding="utf-8") as lines:
            for line in read_lines(lines):
                print(encode(line).decode())
    except OSError as error:
        raise LogitscopeError(
            f"{file} can't be read: {error.strerror}.", "Name a file of JSON lines."
        ) from error
    except UnicodeDecodeError as error:
        raise LogitscopeError(
            f"{file} is not UTF-8 text (byte {error.start}).", "Convert it to UTF-8 first."
        ) from error
