"""What is installed here, what a model would run on and who holds a database."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec
import psutil

from engine.errors import StoreError

LIBRARIES = ("torch", "transformers", "tokenizers", "textual", "duckdb", "pyarrow")

_DEVICE_PROBE = """
import json, torch
devices = []
for i in range(torch.cuda.device_count()):
    free, total = torch.cuda.mem_get_info(i)
    devices.append([f"cuda:{i}", torch.cuda.get_device_name(i), free, total])
if torch.backends.mps.is_available():
    devices.append(["mps", "Apple GPU", None, None])
print(json.dumps(devices))
"""


class Check(msgspec.Struct, frozen=True):
    """One line of the doctor's report.

    Attributes:
        name: What was looked at.
        value: What was found.
        ok: False where something needs doing.
        hint: What to do then.
    """

    name: str
    value: str
    ok: bool = True
    hint: str = ""


def diagnose(database: Path | None = None) -> list[Check]:
    """Look at versions, processor, memory, accelerators and, where given, a database."""
    checks = [
        Check("logitscope", version("logitscope")),
        Check("python", f"{platform.python_version()} ({sys.executable})"),
    ]
    checks += [_library(name) for name in LIBRARIES]
    checks.append(Check("processor", f"{os.cpu_count()} cores, {platform.machine()}"))
    memory = psutil.virtual_memory()
    checks.append(Check("memory", f"{_gib(memory.available)} free of {_gib(memory.total)}"))
    checks += _devices()
    if database is not None:
        checks.append(_database(database))
    return checks


def _library(name: str) -> Check:
    try:
        return Check(name, version(name))
    except PackageNotFoundError:
        return Check(name, "not installed", ok=False, hint="Install logitscope again.")


def _devices() -> list[Check]:
    """Ask torch in a process of its own: the front process never loads it."""
    done = subprocess.run(
        [sys.executable, "-c", _DEVICE_PROBE], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return [Check("device", f"torch does not start: {last}", ok=False, hint="Reinstall torch.")]
    devices = json.loads(done.stdout)
    if not devices:
        return [Check("device", "cpu (no GPU that torch can use)")]
    return [
        Check(
            "device",
            f"{name}, {title}" + (f", {_gib(free)} free of {_gib(total)}" if total else ""),
        )
        for name, title, free, total in devices
    ]


def _database(path: Path) -> Check:
    from engine.browse import runs
    from engine.store import open_store

    try:
        with open_store(path, read_only=True) as store:
            listed = runs(store)
    except StoreError as error:
        return Check("database", error.sentence, ok=False, hint=error.hint)
    probes = sum(run.stored for run in listed)
    size = path.stat().st_size / 2**20
    return Check("database", f"{path}: {len(listed)} runs, {probes:,} probes, {size:,.1f} MiB")


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
