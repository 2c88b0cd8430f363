"""What the explorer remembers of one database between two sessions.

One small JSON file a database, in the user's data folder: never in the database itself, which may
be open for reading only or lie on somebody else's disk.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from engine.paths import remembered, state_folder

_TOUR_SEEN = "tour-seen"


class State(msgspec.Struct, omit_defaults=True):
    """Where the user was.

    Attributes:
        screen: ``questions``, ``question``, ``runs``, ``studies``, ``sql`` or ``lab``.
        run_id: The run that was shown.
        probe_id: The probe under the cursor.
        filter: The SQL condition in force; empty for none.
        format: The only prompt format shown, or None.
        flag: The tab that was open, or None.
        sort: The column sorted by, or None.
        descending: Whether the largest came first.
        sql_text: What stood in the SQL editor.
        lab_probe_id: The probe that the prompt lab was open on, or None.
        lab_text: What stood in its editor.
        sizes: Sizes of resized panes in cells, by the pane's name.
    """

    screen: str = "questions"
    run_id: int | None = None
    probe_id: int | None = None
    filter: str = ""
    format: str | None = None
    flag: str | None = None
    sort: str | None = None
    descending: bool = False
    sql_text: str = ""
    lab_probe_id: int | None = None
    lab_text: str = ""
    sizes: dict[str, int] = msgspec.field(default_factory=dict)


def state_path(database: Path) -> Path:
    """The file that remembers a database."""
    return remembered(database, ".json")


def load_state(database: Path) -> State:
    """What is remembered of a database; a fresh state where nothing is, or nothing readable."""
    try:
        return msgspec.json.decode(state_path(database).read_bytes(), type=State)
    except (OSError, msgspec.DecodeError):
        return State()


def save_state(database: Path, state: State) -> None:
    """Remember a state; where that can't be written, it is forgotten without a word."""
    path = state_path(database)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.part")
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(state), indent=2))
        draft.replace(path)


def tour_seen() -> bool:
    """Whether this user was shown the guided tour before, on whichever database."""
    return (state_folder() / _TOUR_SEEN).exists()


def mark_tour_seen() -> None:
    """Remember that the tour was shown; where that can't be written, it is shown again."""
    with suppress(OSError):
        state_folder().mkdir(parents=True, exist_ok=True)
        (state_folder() / _TOUR_SEEN).touch()
