"""Errors that nobody foresaw: one sentence for the user, the traceback in a file."""

from __future__ import annotations

import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from engine.paths import home

LOG = "errors.log"


def note_traceback() -> Path:
    """Append the traceback of the exception being handled to a log; returns the log's path."""
    path = home() / LOG
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(f"\n{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n{traceback.format_exc()}")
    return path
