"""How long a key waits for its answer on the screen, idle and while the model runs.

    python -m benchmarks.latency

The explorer itself runs in a pseudo-terminal of 140 by 45 cells, on a small run of the embedded
model that is recorded first. A key's time is that from its byte being written until the first
byte of the answer is read; "settled" is the last byte before 50 ms without any. In the second
column of figures the same explorer asks the embedded model many questions meanwhile; the header
then changes four times a second, so a few answers seem earlier than they are. Times are elapsed
time: other work on the machine is in them.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.command import begin, parser
from benchmarks.report import Report
from benchmarks.terminal import Answer, Terminal
from engine.client import WorkerClient
from engine.demo import EMBEDDED_MODEL, QUESTIONS
from engine.records import ProbeSettings
from engine.runs import execute, plan_run
from engine.store import open_store

EXPLORER = Path(sys.executable).with_name("logitscope")
SOURCE = QUESTIONS[-1][1]
FORMATS = ("low", "mmlu-original")

HELP_BUDGET = 0.25
PAINT_BUDGET = 0.7
IDLE_BUDGET = 0.03
BUSY_BUDGET = 0.06
"""Seconds that the project allows itself."""


@dataclass(frozen=True)
class Extent:
    """How much is measured.

    Attributes:
        questions: Of the recorded run.
        samples: A question.
        starts: Starts of the command and of the explorer.
        presses: Of every key.
        busy: Questions of the run that goes on meanwhile; more than it can answer.
    """

    questions: int = 12
    samples: int = 8
    starts: int = 9
    presses: int = 40
    busy: int = 20_000


_QUICK = Extent(questions=4, samples=2, starts=1, presses=2)


@dataclass
class Waits:
    """What was waited for each key, by what the key does; seconds."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)

    def press(self, terminal: Terminal, name: str, key: str, times: int = 1) -> None:
        """Press a key some times and keep the answers under a name."""
        kept = self.answers.setdefault(name, [])
        kept += [terminal.press(key) for _ in range(times)]

    def first(self, name: str) -> list[float]:
        """Seconds until the first byte."""
        return [answer.first for answer in self.answers[name]]

    def last(self, name: str) -> list[float]:
        """Seconds until the last byte."""
        return [answer.last for answer in self.answers[name]]


def record(folder: Path, extent: Extent) -> Path:
    """Ask the embedded model a few of the sample questions."""
    path = folder / "small.duckdb"
    settings = ProbeSettings(samples=extent.samples)
    plan = plan_run(
        str(EMBEDDED_MODEL), str(SOURCE), FORMATS, settings, limit=extent.questions, device="cpu"
    )
    with open_store(path) as store, WorkerClient(log_path=folder / "recording.log") as client:
        summary = execute(store, plan, client)
    if summary.status != "finished":
        raise RuntimeError(f"The run to look at is {summary.status}: {summary.message}")
    return path


def many_questions(folder: Path, count: int) -> Path:
    """The sample questions over and over, each with a number of its own."""
    known = [json.loads(line) for line in SOURCE.read_text(encoding="utf-8").splitlines()]
    path = folder / "many.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            question = known[number % len(known)]
            numbered = question | {"text": f"{number}: {question['text']}"}
            file.write(json.dumps(numbered) + "\n")
    return path


def explorer(path: Path) -> Terminal:
    """The explorer on a database, its own files beside it."""
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment |= {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LOGITSCOPE_HOME": str(path.parent),
    }
    return Terminal([str(EXPLORER), str(path)], environment)


def time_help() -> float:
    """Seconds of ``logitscope --help``."""
    before = time.perf_counter()
    subprocess.run([str(EXPLORER), "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - before


def time_start(path: Path, rows: int) -> tuple[float, float]:
    """Seconds from the start to the first frame, and to the filled list."""
    with explorer(path) as terminal:
        return terminal.wait_for("logitscope"), terminal.wait_for(f"row 1 of {rows}")


def press_keys(terminal: Terminal, presses: int) -> Waits:
    """Press everything, beginning and ending on the list of questions."""
    waits = Waits()
    waits.press(terminal, "down in the list", "down", presses)
    waits.press(terminal, "up in the list", "up", presses)
    waits.press(terminal, "open a question, first time", "enter")
    for _ in range(presses // 2):
        waits.press(terminal, "back to the list", "escape")
        waits.press(terminal, "open a question", "enter")
    # Back and forth, because a short text ends.
    for _ in range(presses // 2):
        waits.press(terminal, "cursor right and left in the tokens", "right")
        waits.press(terminal, "cursor right and left in the tokens", "left")
    for _ in range(presses // 2):
        waits.press(terminal, "next and previous question", "j")
        waits.press(terminal, "next and previous question", "k")
    waits.press(terminal, "back to the list", "escape")
    return waits


def start_run(terminal: Terminal, questions: Path) -> None:
    """Start a run through the form, and wait until its first answers are in the list."""
    terminal.press("R")
    terminal.press("ctrl+u")
    terminal.type(str(questions))
    terminal.press("enter")
    wait_for_progress(terminal)
    terminal.wait_for("row 1 of")


def wait_for_progress(terminal: Terminal) -> None:
    """Wait until the header says how far the run is.

    Raises:
        TimeoutError: No run is going.
    """
    terminal.wait_for("● ▕")


def leave(terminal: Terminal) -> None:
    """Leave the explorer while a run is going."""
    terminal.press("q")
    terminal.press("y")


def tell_starts(report: Report, path: Path, extent: Extent) -> None:
    """The table of starts."""
    rows = extent.questions * len(FORMATS)
    starts = [time_start(path, rows) for _ in range(extent.starts)]
    helps = [time_help() for _ in range(extent.starts)]
    report.heading("Starting")
    table = report.table("what", "budget", "median", "slowest")
    for name, budget, seconds in (
        ("`logitscope --help`", _ms(HELP_BUDGET), helps),
        ("start to first paint", _ms(PAINT_BUDGET), [first for first, _ in starts]),
        (f"start to a list of {rows} rows", "-", [filled for _, filled in starts]),
    ):
        table.row(name, budget, _ms(statistics.median(seconds)), _ms(max(seconds)))


def tell_keys(report: Report, idle: Waits, busy: Waits) -> None:
    """The table of keys."""
    report.heading("Keys, first byte of the answer")
    idle_budget, busy_budget = _ms(IDLE_BUDGET), _ms(BUSY_BUDGET)
    table = report.table(
        "key", "presses", "idle: median", f"idle: p95 (budget {idle_budget})", "idle: settled",
        "model runs: median", f"model runs: p95 (budget {busy_budget})",
    )  # fmt: skip
    for name, answers in idle.answers.items():
        table.row(
            name,
            len(answers),
            _ms(statistics.median(idle.first(name))),
            _ms(p95(idle.first(name))),
            _ms(statistics.median(idle.last(name))),
            _ms(statistics.median(busy.first(name))),
            _ms(p95(busy.first(name))),
        )


def p95(values: Sequence[float]) -> float:
    """The smallest value that 95 % of them do not exceed."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.0f} ms"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure everything and print the tables."""
    options = parser(__doc__ or "").parse_args(arguments)
    report = begin("latency", __doc__ or "", options)
    extent = _QUICK if options.quick else Extent()
    with tempfile.TemporaryDirectory() as folder:
        path = record(Path(folder), extent)
        questions = many_questions(Path(folder), extent.busy)
        tell_starts(report, path, extent)
        with explorer(path) as terminal:
            terminal.wait_for("row 1 of")
            idle = press_keys(terminal, extent.presses)
            start_run(terminal, questions)
            busy = press_keys(terminal, extent.presses)
            wait_for_progress(terminal)
            leave(terminal)
    tell_keys(report, idle, busy)
    report.write()


if __name__ == "__main__":
    main()
