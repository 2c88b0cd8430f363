"""What the command lines of all benchmarks share."""

from __future__ import annotations

import argparse

import torch

from benchmarks.report import Report


def parser(about: str) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has.

    Args:
        about: The benchmark's module docstring; its first line is the description.
    """
    made = argparse.ArgumentParser(description=about.splitlines()[0])
    made.add_argument("--quick", action="store_true", help="a small version; keeps no results")
    made.add_argument("--threads", type=int, default=1, help="of torch on the CPU")
    return made


def begin(name: str, about: str, options: argparse.Namespace) -> Report:
    """Set the threads and begin the report, which is kept unless the version is small."""
    torch.set_num_threads(options.threads)
    return Report(name, about, keep=not options.quick)
