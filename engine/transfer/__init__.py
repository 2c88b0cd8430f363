"""Runs as a folder of parquet files, which anything reads and logitscope takes back bit for bit."""

from __future__ import annotations

from engine.transfer.exporting import Exported, export_runs
from engine.transfer.importing import KIND, read_exports, store_exports

__all__ = ["KIND", "Exported", "export_runs", "read_exports", "store_exports"]
