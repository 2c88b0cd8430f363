"""How long a key waits for its answer on the screen, idle and while the model runs.

    python -m benchmarks.latency

The explorer itself runs in a pseudo-terminal of 140 by 45 cells, on a small run of the embedded
model that is recorded first. A key's time is that from its byte being written until the first
byte of the answer is read; "settled" is the last byte before 50 ms without any. "Model runs" is
the same explorer while it asks the embedded model many questions; the header then changes four
times a second, so a few answers seem earlier than they are. All are elapsed time, and other work
on the machine is in them, but for the processor time, which is the explorer's until it settled.
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
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.command import begin, parser
from benchmarks.report import Report
from benchmarks.terminal import Terminal
from engine.client import WorkerClient
from engine.demo import EMBEDDED_MODEL, QUESTIONS
from engine.records import ProbeSettings
from engine.runs import execute, plan_run
from engine.store import open_store

EXPLORER = Path(sys.executable).with_name("logitscope")
SOURCE = QUESTIONS[-1][1]
FORMATS = ("low", "mmlu-original")

IN_LIST = r"row [\d,]+ of [\d,]+ · (?:by|n: )"
IN_QUESTION = r"question [\d,]+ · row [\d,]+ of [\d,]+"
"""What only the list of questions, and only an open question, says."""

BACK = "back to the list"
_WALK = 5
"""Questions down and up again; the shortest list is longer."""

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
        presses: Of every kind of key, about.
        busy: Questions of the run that goes on meanwhile; more than it can answer.
    """

    questions: int = 12
    samples: int = 8
    starts: int = 9
    presses: int = 40
    busy: int = 20_000


QUICK = Extent(questions=4, samples=2, starts=1, presses=2, busy=5_000)


@dataclass
class Waits:
    """What one key was waited for.

    Attributes:
        first: Seconds until the first byte, of every press.
        last: Seconds until the last byte.
        processor: Seconds of the explorer's processor time, all presses together.
    """

    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    processor: float = 0.0

    def press(self, terminal: Terminal, key: str) -> None:
        """Press the key once more."""
        before = terminal.processor_time
        answer = terminal.press(key)
        self.first.append(answer.first)
        self.last.append(answer.last)
        self.processor += terminal.processor_time - before


def write_questions(path: Path, count: int) -> Path:
    """The sample questions, again and again with a number in front; returns the path."""
    known = [json.loads(line) for line in SOURCE.read_text(encoding="utf-8").splitlines()]
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            again, place = divmod(number, len(known))
            question = known[place]
            if again:
                question = question | {"text": f"{again}: {question['text']}"}
            file.write(json.dumps(question) + "\n")
    return path


def record(folder: Path, extent: Extent) -> Path:
    """Ask the embedded model a few of the sample questions; returns the database."""
    path = folder / "small.duckdb"
    source = write_questions(folder / "few.jsonl", extent.questions)
    settings = ProbeSettings(samples=extent.samples)
    plan = plan_run(str(EMBEDDED_MODEL), str(source), FORMATS, settings, device="cpu")
    with open_store(path) as store, WorkerClient(log_path=folder / "recording.log") as client:
        summary = execute(store, plan, client)
    if summary.status != "finished":
        raise RuntimeError(f"The run to look at is {summary.status}: {summary.message}")
    return path


def explorer(path: Path) -> Terminal:
    """The explorer on a database, its own files beside it."""
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment |= {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LOGITSCOPE_HOME": str(path.parent),
        # What was remembered or set on this machine would be measured as well.
        "LOGITSCOPE_STATE": tempfile.mkdtemp(dir=path.parent),
        "LOGITSCOPE_CONFIG": str(path.parent / "no-config.toml"),
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
        terminal.wait_for("logitscope")
        painted = terminal.age
        terminal.wait_for(f"row 1 of {rows}")
        return painted, terminal.age


def press_keys(terminal: Terminal, presses: int) -> dict[str, Waits]:
    """Press everything, beginning and ending on the list of questions.

    Returns:
        By what a key does, what it was waited for.
    """
    waits: defaultdict[str, Waits] = defaultdict(Waits)

    def press(name: str, *keys: str, until: str = "") -> None:
        for key in keys:
            waits[name].press(terminal, key)
            terminal.wait_for(until)

    rounds = max(1, presses // (2 * _WALK))
    press("down and up in the list", *(["down"] * _WALK + ["up"] * _WALK) * rounds)
    press("open a question, first time", "enter", until=IN_QUESTION)
    for _ in range(presses // 2):
        press(BACK, "escape", until=IN_LIST)
        press("open a question", "enter", until=IN_QUESTION)
    # Only ever one token on and back, because a text may be no longer.
    press("cursor right and left in the tokens", *["right", "left"] * (presses // 2))
    walk = (["j"] * _WALK + ["k"] * _WALK) * rounds
    press("next and previous question", *walk, until=IN_QUESTION)
    press(BACK, "escape", until=IN_LIST)
    return waits


def start_run(terminal: Terminal, questions: Path, rows: int) -> None:
    """Start a run through the form, and wait until so many rows of it are stored."""
    terminal.press("R")
    terminal.press("ctrl+u")
    terminal.type(str(questions))
    terminal.press("enter")
    while stored(terminal) < rows:
        pass


def stored(terminal: Terminal) -> int:
    """Probes that the run has stored, once the header says it anew.

    Raises:
        TimeoutError: No run is going.
    """
    return int(terminal.wait_for(r"● ▕.*?▏([\d,]+)/").replace(",", ""))


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


def tell_keys(report: Report, idle: dict[str, Waits], busy: dict[str, Waits]) -> None:
    """The table of keys."""
    report.heading("Keys, first byte of the answer")
    table = report.table(
        "key", "presses", "idle: median", f"idle: p95 (budget {_ms(IDLE_BUDGET)})",
        "idle: settled", "idle: processor time", "model runs: median",
        f"model runs: p95 (budget {_ms(BUSY_BUDGET)})",
    )  # fmt: skip
    for name, alone in idle.items():
        table.row(
            name,
            len(alone.first),
            _ms(statistics.median(alone.first)),
            _ms(p95(alone.first)),
            _ms(statistics.median(alone.last)),
            _ms(alone.processor / len(alone.first)),
            _ms(statistics.median(busy[name].first)),
            _ms(p95(busy[name].first)),
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
    extent = QUICK if options.quick else Extent()
    with tempfile.TemporaryDirectory() as folder:
        path = record(Path(folder), extent)
        questions = write_questions(Path(folder, "many.jsonl"), extent.busy)
        tell_starts(report, path, extent)
        with explorer(path) as terminal:
            terminal.wait_for("row 1 of")
            idle = press_keys(terminal, extent.presses)
            start_run(terminal, questions, extent.presses + 1)
            busy = press_keys(terminal, extent.presses)
            stored(terminal)  # Still going.
            leave(terminal)
    tell_keys(report, idle, busy)
    report.note(
        "Back to the list is the escape key as most terminals send it, a byte that longer keys "
        "begin with too: Textual waits up to 100 ms for more (`ESCDELAY`)."
    )
    report.write()


if __name__ == "__main__":
    main()
