"""How much memory is free, and how much a model folder needs, before anything is loaded."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from engine.errors import ModelError

_ITEM_SIZES = {
    "F64": 8,
    "I64": 8,
    "F32": 4,
    "I32": 4,
    "F16": 2,
    "BF16": 2,
    "I16": 2,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}
_HEADER_LIMIT = 100_000_000
"""Longest header the safetensors format allows, bytes."""


@dataclass(frozen=True)
class Weights:
    """What a folder's weight files hold.

    Attributes:
        numbers: How many numbers, in total.
        stored: Their size on disk, bytes.
    """

    numbers: int
    stored: int

    def needed(self, dtype: torch.dtype, quantization: str) -> int:
        """Bytes in memory once loaded: the numbers, and a tenth for everything around them."""
        sizes = {"8bit": 1.1, "4bit": 0.7}
        return int(self.numbers * sizes.get(quantization, dtype.itemsize) * 1.1)


def read_weights(files: Iterable[Path]) -> Weights:
    """Sum up safetensors files from their headers alone.

    Raises:
        ModelError: A file is cut off or no safetensors file.
    """
    numbers = stored = 0
    for file in files:
        for entry in _entries(file):
            stored += entry.end - entry.start
            numbers += (entry.end - entry.start) // _ITEM_SIZES.get(entry.dtype, 1)
    return Weights(numbers, stored)


class _Entry(NamedTuple):
    """One tensor of a file: its dtype and its first and last byte behind the header."""

    dtype: str
    start: int
    end: int


def _entries(file: Path) -> list[_Entry]:
    """The tensors that one file's header names."""
    broken = ModelError(
        f"The weight file {file} is damaged or incomplete.", "Copy or download it again."
    )
    size = file.stat().st_size
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > min(size, _HEADER_LIMIT):
                raise broken
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        entries = [_Entry(it["dtype"], *map(int, it["data_offsets"])) for it in header.values()]
    except (struct.error, ValueError, KeyError, TypeError, AttributeError):
        raise broken from None
    if 8 + length + max((entry.end for entry in entries), default=0) > size:
        raise broken
    return entries


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be allocated on a device; None where that can't be known."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    known = [free for free in (_system_free(), _container_free()) if free is not None]
    return min(known, default=None)


def ran_out(error: BaseException) -> bool:
    """Whether an error means that memory ran out; the CPU allocator raises a plain RuntimeError."""
    said = str(error)
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        "can't allocate memory" in said or "not enough memory" in said
    )


def _system_free() -> int | None:
    """What Linux calls available; None elsewhere."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def _container_free() -> int | None:
    """What is left of a control group's limit, file cache aside; None without a limit."""
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        counters = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return limit - used + int(counters.get("inactive_file", 0))
    except (OSError, ValueError):
        return None
