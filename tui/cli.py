"""The ``logitscope`` command: data goes to standard output, talk to standard error.

Exit codes: 0 done, 1 something the user can act on (one sentence says what), 2 wrong usage,
130 cancelled. Heavy imports stay inside the commands, so that each and ``--help`` begin at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.errors import CancelledError, LogitscopeError
from tui.commands import COMMANDS
from tui.output import say

EXIT_FAILED = 1
EXIT_CANCELLED = 130


def main() -> None:
    """Run the command line; every expected problem becomes one sentence and an exit code."""
    try:
        _carry_out(sys.argv[1:])
    except LogitscopeError as error:
        say(f"logitscope: {error}")
        sys.exit(EXIT_CANCELLED if isinstance(error, CancelledError) else EXIT_FAILED)
    except KeyboardInterrupt:
        say("logitscope: cancelled.")
        sys.exit(EXIT_CANCELLED)
    except BrokenPipeError:
        # The reader of a pipe went away (head, less): not an error, and nothing is left to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _carry_out(arguments: Sequence[str]) -> None:
    if len(arguments) > 1 or any(each.startswith("-") or each in COMMANDS for each in arguments):
        from tui.commands.root import app

        app()
    else:
        # What is typed most of all need not wait until every option of every command is known.
        from tui.opening import open_explorer

        sys.exit(open_explorer(Path(arguments[0]) if arguments else None))


if __name__ == "__main__":
    main()
