"""Where logitscope keeps its own files: the recorded demo and the worker's log."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path


def home() -> Path:
    """The user's data folder for logitscope; ``LOGITSCOPE_HOME`` overrides it."""
    override = os.environ.get("LOGITSCOPE_HOME")
    return Path(override).expanduser() if override else user_data_path("logitscope")
