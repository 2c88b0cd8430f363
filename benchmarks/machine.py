"""What a benchmark ran on: the first lines of every report."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import psutil
import torch

_PACKAGES = ("torch", "transformers", "lm-eval", "duckdb", "textual")


def describe() -> str:
    """Processor, memory, GPU, threads, versions and how busy the machine was, as Markdown."""
    lines = [
        f"- processor: {_processor()}, {os.cpu_count()} logical cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB of memory, "
        f"load {psutil.getloadavg()[0]:.1f} at the start",
        f"- GPU: {gpu()}",
        f"- torch threads: {torch.get_num_threads()}; {_versions()}",
        f"- {platform.system()} {platform.release()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    ]
    return "\n".join(lines)


def gpu() -> str:
    """The GPU's name, or that there is none."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "none"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _versions() -> str:
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)
