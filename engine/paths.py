"""Where logitscope keeps its own files: the recorded demo, the worker's log, what it remembers."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from platformdirs import user_config_path, user_data_path

_HASH_BYTES = 6


def home() -> Path:
    """The user's data folder for logitscope; ``LOGITSCOPE_HOME`` overrides it."""
    override = os.environ.get("LOGITSCOPE_HOME")
    return Path(override).expanduser() if override else user_data_path("logitscope")


def state_folder() -> Path:
    """What is remembered between sessions; ``LOGITSCOPE_STATE`` overrides it."""
    override = os.environ.get("LOGITSCOPE_STATE")
    return Path(override).expanduser() if override else home() / "state"


def remembered(database: Path, ending: str) -> Path:
    """A file that remembers something of a database; its name tells a person which one."""
    whole = str(database.resolve())
    digest = hashlib.blake2b(whole.encode(), digest_size=_HASH_BYTES).hexdigest()
    return state_folder() / f"{database.stem}-{digest}{ending}"


def config_path() -> Path:
    """The user's settings; ``LOGITSCOPE_CONFIG`` overrides where they are."""
    override = os.environ.get("LOGITSCOPE_CONFIG")
    return (
        Path(override).expanduser() if override else user_config_path("logitscope") / "config.toml"
    )
