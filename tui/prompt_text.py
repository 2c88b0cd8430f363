"""Prompts and their differences as text to print: whitespace visible, legible without colour."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from tui.widgets.token_text import NEWLINE, SPACE, visible

if TYPE_CHECKING:
    from engine.prompt_diff import Change

CONTEXT = 3
"""Unchanged lines that are shown before and after each change."""

_SIGNS = {"removed": ("{-", "-}", "red"), "added": ("{+", "+}", "green")}


def visible_lines(text: str) -> str:
    """As ``visible``, with the line breaks themselves behind their sign."""
    return visible(text).replace(NEWLINE, f"{NEWLINE}\n")


def marked(changes: Sequence[Change], context: int | None = CONTEXT) -> Text:
    """The difference of two prompts: ``{-only in the first-}``, ``{+only in the other+}``.

    Args:
        changes: The difference.
        context: Unchanged lines to show around a change; None for all.
    """
    shown = Text()
    for kind, text in changes:
        if kind == "same":
            shown.append_text(Text.assemble(*_unchanged(text, context)))
        else:
            begin, end, colour = _SIGNS[kind]
            lines = visible_lines(text)
            last_break = "\n" if lines.endswith("\n") else ""
            shown.append(f"{begin}{lines.removesuffix(last_break)}{end}{last_break}", colour)
    return shown


def _unchanged(text: str, context: int | None) -> Iterator[str | tuple[str, str]]:
    """A stretch that both have, its middle left out where it is long."""
    lines = visible_lines(text).splitlines(keepends=True)
    left_out = 0 if context is None else len(lines) - 2 * context
    if context is None or left_out <= context:
        yield from lines
        return
    yield from lines[:context]
    yield f"… {left_out} lines the same …\n", "dim"
    yield from lines[-context:]


def edges_visible(text: str) -> str:
    """As ``visible_lines``, but single spaces between words stay spaces: easier to read."""
    return re.sub(
        rf"(?<=[^{SPACE}{NEWLINE}\n]){SPACE}(?=[^{SPACE}{NEWLINE}])", " ", visible_lines(text)
    )


def print_text(text: Text | str) -> None:
    """Print a text as it is, with its colours where it has some and the terminal shows them."""
    from rich.console import Console

    end = "" if str(text).endswith("\n") else "\n"
    Console(highlight=False).print(text, end=end, soft_wrap=True, markup=False, emoji=False)
