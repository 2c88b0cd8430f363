"""What lies in an exported folder: one parquet file a table, a README and a manifest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import msgspec

MANIFEST = "manifest.json"
README = "README.md"
FORMAT = "logitscope export"

PROBE_TABLES = (
    "spellings",
    "continuations",
    "generations",
    "positions",
    "readings",
    "human_labels",
    "scores",
    "overrides",
    "marks",
)
"""Tables whose rows belong to a probe."""

TABLES = ("runs", "questions", "tokens", "probes", *PROBE_TABLES)
"""Everything that is stored, in the order in which it is read back."""

DERIVED = "outcomes"
"""The table that is made anew of the others; exported for whoever reads the files alone."""


class Run(msgspec.Struct, frozen=True):
    """One run of an export.

    Attributes:
        run_id: Its number in the database that it comes from.
        kind: As in ``runs``.
        name: What lists call it.
        model: Folder or hub id.
        status: How far it was when it was exported.
        probes: Number of its probes.
    """

    run_id: int
    kind: str
    name: str
    model: str
    status: str
    probes: int


class File(msgspec.Struct, frozen=True):
    """One table of an export.

    Attributes:
        rows: Number of its rows.
        sha256: Hash of its file.
    """

    rows: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What an export says about itself.

    Attributes:
        schema_version: The schema of the tables.
        logitscope: The version that wrote it.
        runs: The runs in it.
        tables: The files by the names of their tables.
        format: What this is.
    """

    schema_version: int
    logitscope: str
    runs: tuple[Run, ...]
    tables: dict[str, File]
    format: Literal["logitscope export"] = "logitscope export"


def table_path(folder: Path, table: str) -> Path:
    """The file of a table."""
    return folder / f"{table}.parquet"


def hash_of(path: Path) -> str:
    """SHA-256 of a file, as ``sha256sum`` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
