"""Truncation: what of a prompt stays where it does not fit."""

from __future__ import annotations

from engine.errors import FormatError
from engine.formats import PromptFormat


def room(fmt: PromptFormat, window: int | None, new_tokens: int) -> int | None:
    """How many tokens a prompt may have.

    Args:
        fmt: Its format, which may know a window of its own.
        window: Longest context of the model in tokens; None for no limit.
        new_tokens: Tokens that follow the prompt and must fit behind it.

    Returns:
        The smaller of both limits; None for no limit.
    """
    limits = [] if window is None else [window - new_tokens]
    return min([*limits, fmt.window] if fmt.window else limits, default=None)


def truncated(
    ids: tuple[int, ...], fmt: PromptFormat, window: int | None, new_tokens: int, bos: int | None
) -> tuple[int, ...]:
    """Cut a prompt until it fits, at the side that its format says.

    Args:
        ids: The prompt's tokens.
        fmt: Its format.
        window: As for :func:`room`.
        new_tokens: As for :func:`room`.
        bos: The begin token or None.

    Raises:
        FormatError: There is no room for a single token of the prompt.
    """
    most = room(fmt, window, new_tokens)
    if most is None or len(ids) <= most:
        return ids
    begin = ids[:1] if fmt.cut == "after-begin" and ids[0] == bos else ()
    left = most - len(begin)
    if left < 1:
        raise FormatError(
            f"A window of {window or fmt.window} tokens leaves no room for a prompt beside "
            f"{new_tokens} new ones.",
            "Ask for fewer new tokens.",
        )
    return ids[:most] if fmt.cut == "right" else begin + ids[-left:]
