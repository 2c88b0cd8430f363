"""Every budget of the explorer, on a million probes and ten million written tokens.

    python -m benchmarks.budgets --folder SOME_FOLDER

The databases are made in the folder first, unless they are there from the last time: the demo, a
million made-up probes with ten million tokens and their twenty likeliest alternatives (about 1.8 GB
and some minutes), and a text of ten thousand tokens. The explorer runs in a pseudo-terminal of 140
by 45 cells. A key's time is that until the first byte of its answer is read, and what is held
against the budget is the 95th percentile of all presses; the filter and the sort are timed until
the new list is drawn, and memory is that of the explorer three seconds after a key. All are elapsed
time, and other work on the machine is in them.
"""

from __future__ import annotations

import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks import latency
from benchmarks.command import begin, parser
from benchmarks.latency import (
    BACK,
    BUSY_BUDGET,
    HELP_BUDGET,
    IDLE_BUDGET,
    IN_LIST,
    IN_QUESTION,
    PAINT_BUDGET,
    Waits,
    explorer,
    p95,
    press_keys,
    record,
    start_run,
    stored,
    time_help,
    write_questions,
)
from benchmarks.make_big_store import make_big_store
from benchmarks.report import Report
from benchmarks.terminal import Terminal
from engine.client import WorkerClient
from engine.database import connect
from engine.demo import demo_path, record_demo
from engine.store import open_store
from tui.widgets.question_columns import SORTABLE

STRIP_BUDGET = 0.02
PAGE_BUDGET = 0.03
CANCEL_BUDGET = 0.2
GONE_BUDGET = 2.0
LOST_BUDGET = 1.0
MEMORY_BUDGET = 200e6
POSITION_BUDGET = 120.0
"""Seconds, bytes and bytes a token position that the project allows itself."""

FILTER = "format IN ('low', 'high') AND margin < 0.5"
SORTED_BY = "margin"
LONG_TEXT = 10_000
FEW_POSITIONS = 100_000
"""Fewer fill their blocks of the file too badly to say what one takes."""
ASKED = 0.3
"""Seconds after which leaving has asked whether one is sure, or goes on without."""
DEAF = 10.0
"""Seconds after which a worker will not end any more."""
REST = 3.0
"""Seconds without a key before memory is looked at: what a key needs is given back soon."""


@dataclass(frozen=True)
class Extent:
    """How much is measured.

    Attributes:
        probes: Of the big database.
        tokens: Written tokens of each.
        presses: Of every kind of key, about.
        starts: Starts of the command and of the explorer.
        busy: Questions of the run that goes on meanwhile; more than it can answer.
        text: Tokens of the long text.
    """

    probes: int = 1_000_000
    tokens: int = 10
    presses: int = 100
    starts: int = 7
    busy: int = 20_000
    text: int = LONG_TEXT


QUICK = Extent(probes=2_000, presses=4, starts=1, busy=5_000, text=200)


@dataclass
class Ledger:
    """What was held against its budget.

    Attributes:
        lines: What, budget, measured, and whether that is inside; the last None without a budget.
    """

    lines: list[tuple[str, str, str, bool | None]] = field(default_factory=list)

    def hold(
        self, what: str, measured: float, budget: float | None, show: Callable[[float], str]
    ) -> None:
        """Enter one line."""
        inside = None if budget is None else measured <= budget
        allowed = "-" if budget is None else show(budget)
        self.lines.append((what, allowed, show(measured), inside))
        print(f"{what}: {show(measured)}", flush=True)

    def keys(self, what: str, waits: Waits, budget: float | None) -> None:
        """Enter how long a key was waited for."""
        median = ms(statistics.median(waits.first))
        self.hold(f"{what}, {len(waits.first)} presses, median {median}, p95", p95(waits.first),
                  budget, ms)  # fmt: skip

    @property
    def outside(self) -> list[str]:
        """What is outside its budget."""
        return [what for what, _, _, inside in self.lines if inside is False]

    def tell(self, report: Report) -> None:
        """The table of all lines."""
        report.heading("Budgets")
        table = report.table("what", "budget", "measured", "inside")
        words = {None: "-", True: "yes", False: "NO"}
        for what, budget, measured, inside in self.lines:
            table.row(what, budget, measured, words[inside])
        report.note(f"{len(self.outside)} of {len(self.lines)} lines are outside their budget.")


def ms(seconds: float) -> str:
    """Milliseconds, for people."""
    return f"{seconds * 1e3:.0f} ms"


def mb(size: float) -> str:
    """Megabytes, for people."""
    return f"{size / 1e6:.0f} MB"


def per_position(size: float) -> str:
    """Bytes a position, for people."""
    return f"{size:.0f} B"


# The databases


def big_store(path: Path, probes: int, tokens: int) -> Path:
    """A database of made-up probes, made where it is not there yet; returns the path."""
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        make_big_store(partial, probes, tokens)
        partial.rename(path)
    open_store(path).close()  # Brings it up to date, which no start should pay for.
    return path


def position_bytes(path: Path) -> tuple[float, int]:
    """Bytes of the file that one row of ``positions`` takes, and their number."""
    with connect(path, read_only=True) as connection:
        ((size,),) = connection.execute(
            "SELECT count(DISTINCT block_id) * (SELECT block_size FROM pragma_database_size()) "
            "FROM pragma_storage_info('positions') WHERE block_id >= 0"
        ).fetchall()
        ((rows,),) = connection.execute("SELECT count(*) FROM positions").fetchall()
    return float(size / rows), int(rows)


# What is measured


def hold_starts(ledger: Ledger, demo: Path, extent: Extent) -> None:
    """The command's help, and the explorer's first frame."""
    helps = [time_help() for _ in range(extent.starts)]
    paints = []
    for _ in range(extent.starts):
        with explorer(demo) as terminal:
            terminal.wait_for("logitscope")
            paints.append(terminal.age)
            terminal.wait_for(IN_LIST)
    ledger.hold("`logitscope --help`, median", statistics.median(helps), HELP_BUDGET, ms)
    ledger.hold("start to first paint, demo, median", statistics.median(paints), PAINT_BUDGET, ms)


def hold_keys(ledger: Ledger, demo: Path, extent: Extent) -> None:
    """Every key on the demo idle, then while the model runs; then the run's end."""
    with tempfile.TemporaryDirectory() as folder:
        questions = write_questions(Path(folder, "many.jsonl"), extent.busy)
        with _copy(demo, Path(folder)) as terminal:
            for what, waits in press_keys(terminal, extent.presses).items():
                ledger.keys(f"idle: {what}", waits, _of_key(what, IDLE_BUDGET))
            start_run(terminal, questions, extent.presses + 1)
            for what, waits in press_keys(terminal, extent.presses).items():
                ledger.keys(f"model runs: {what}", waits, _of_key(what, BUSY_BUDGET))
            stored(terminal)  # Still going.
            hold_cancel(ledger, terminal)


def _of_key(what: str, budget: float) -> float | None:
    """The budget of a key; none for escape, for which Textual itself waits."""
    return None if what == BACK else budget


@contextmanager
def _copy(database: Path, folder: Path) -> Iterator[Terminal]:
    """The explorer on a copy of a database, the runs of which may come and go."""
    path = folder / "copy.duckdb"
    path.write_bytes(database.read_bytes())
    with explorer(path) as terminal:
        terminal.wait_for(IN_LIST)
        yield terminal


def hold_cancel(ledger: Ledger, terminal: Terminal) -> None:
    """Cancel the run that is going, leave, and wait until no worker is left."""
    before = time.perf_counter()
    terminal.press("c")
    terminal.wait_for("cancelling|cancelled")
    ledger.hold("cancel acknowledged", time.perf_counter() - before, CANCEL_BUDGET, ms)
    workers = terminal.children()
    before = time.perf_counter()
    terminal.type("q")
    if not _gone(terminal, workers, ASKED):
        terminal.type("y")  # The run was still ending: one is asked.
        _gone(terminal, workers, DEAF)
    ledger.hold("leave until the worker is gone", time.perf_counter() - before, GONE_BUDGET, ms)


def _gone(terminal: Terminal, processes: list[psutil.Process], patience: float) -> bool:
    """Whether processes end in time, reading meanwhile what the program still writes."""
    limit = time.perf_counter() + patience
    while psutil.wait_procs(processes, timeout=0.01)[1]:
        if time.perf_counter() > limit:
            return False
        terminal.read()
    return True


def hold_kill(ledger: Ledger, demo: Path, extent: Extent) -> None:
    """Kill the explorer while a run goes: how old is the newest answer that is left?"""
    with tempfile.TemporaryDirectory() as folder:
        questions = write_questions(Path(folder, "many.jsonl"), extent.busy)
        with _copy(demo, Path(folder)) as terminal:
            start_run(terminal, questions, extent.presses + 1)
            workers = terminal.children()
            killed = datetime.now(UTC).replace(tzinfo=None)
            terminal.kill(signal.SIGKILL)
        psutil.wait_procs(workers, timeout=10)
        with open_store(Path(folder, "copy.duckdb")) as store:
            query = "SELECT max(stored_at) FROM probes"
            ((last,),) = store.reader().execute(query).fetchall()
    lost = (killed - last).total_seconds()
    ledger.hold("kill -9 while a run goes: work lost", max(0.0, lost), LOST_BUDGET, ms)


def hold_grid(ledger: Ledger, path: Path, extent: Extent) -> None:
    """Browse the big list: plain, filtered, sorted, from question to question; then weigh it."""
    memory = []
    with explorer(path) as terminal:
        terminal.wait_for(IN_LIST)
        ledger.hold(f"start to a list of {extent.probes:,} rows", terminal.age, None, ms)

        def pages(what: str) -> None:
            terminal.type("home")
            ledger.keys(f"page down, {what}", _pressed(terminal, "pagedown", extent.presses),
                        PAGE_BUDGET)  # fmt: skip
            time.sleep(REST)
            memory.append(terminal.memory)

        def ask(what: str, shown: str, *keys: str) -> None:
            ledger.hold(what, _asked(terminal, keys, shown), None, ms)

        pages("no filter")
        for key, what in (("n", "next flagged"), ("N", "previous flagged")):
            waits = _pressed(terminal, key, extent.presses)
            ledger.keys(f"{what} among {extent.probes:,} rows", waits, IDLE_BUDGET)
        hold_questions(ledger, terminal, extent)
        time.sleep(REST)
        memory.append(terminal.memory)
        terminal.press("slash")
        terminal.type(FILTER)
        ask("filter", rf"row [\d,]+ of (?!{extent.probes:,})", "enter")
        pages("filtered")
        sorts = (None, *SORTABLE).index(SORTED_BY)
        in_order = f"· by {SORTED_BY}"
        ask(f"filtered list sorted by {SORTED_BY}", in_order, *["full_stop"] * sorts)
        pages("filtered and sorted")
        terminal.press("slash")
        terminal.type("ctrl+u")
        everything = rf"row [\d,]+ of {extent.probes:,} {in_order}"
        ask(f"every row sorted by {SORTED_BY}", everything, "enter")
        pages("sorted")
    ledger.hold("memory between browsing, the most", max(memory), MEMORY_BUDGET, mb)


def hold_questions(ledger: Ledger, terminal: Terminal, extent: Extent) -> None:
    """Open questions anywhere in the list, and go from one to the next."""
    opened, walked = Waits(), Waits()
    terminal.press("enter")  # The first time is with the other keys.
    terminal.wait_for(IN_QUESTION)
    for _ in range(extent.presses // 4):
        terminal.press("escape")
        terminal.wait_for(IN_LIST)
        terminal.press("pagedown")
        opened.press(terminal, "enter")
        terminal.wait_for(IN_QUESTION)
    for key in ["j"] * (extent.presses // 2) + ["k"] * (extent.presses // 4):
        walked.press(terminal, key)
        terminal.wait_for(IN_QUESTION)
    terminal.press("escape")
    terminal.wait_for(IN_LIST)
    ledger.keys(f"open a question out of {extent.probes:,}", opened, IDLE_BUDGET)
    ledger.keys("next and previous question", walked, IDLE_BUDGET)


def hold_strip(ledger: Ledger, path: Path, extent: Extent) -> None:
    """Move the cursor in a long text: near its beginning and near its end."""
    with explorer(path) as terminal:
        terminal.wait_for(IN_LIST)
        terminal.press("enter")
        terminal.wait_for(IN_QUESTION)
        waits = _pressed(terminal, "right", extent.presses // 2)
        terminal.press("end")
        again = _pressed(terminal, "left", extent.presses // 2)
    waits.first += again.first
    ledger.keys(f"cursor in a strip of {extent.text:,} tokens", waits, STRIP_BUDGET)


def hold_sql(ledger: Ledger, path: Path, extent: Extent) -> None:
    """Page through results of the SQL screen as large as a table."""
    for what, rows in (("outcomes", extent.probes), ("positions", extent.probes * extent.tokens)):
        with explorer(path) as terminal:
            terminal.wait_for(IN_LIST)
            terminal.press("Q")
            terminal.wait_for("order_index")
            for text in ("pagedown", "end", f"; FROM {what}"):  # behind the list's own query
                terminal.type(text)
                terminal.settle()
            before = time.perf_counter()
            terminal.press("f8")
            terminal.wait_for(r"[\d,]+ of more than|[\d,]+ rows")
            ledger.hold(f"SQL: first rows of {rows:,}", time.perf_counter() - before, None, ms)
            terminal.press("f6")
            waits = _pressed(terminal, "pagedown", extent.presses)
            ledger.keys(f"SQL: page down in {rows:,} rows", waits, PAGE_BUDGET)
            ledger.hold(f"SQL: memory with {rows:,} rows", terminal.memory, None, mb)


def _pressed(terminal: Terminal, key: str, presses: int) -> Waits:
    waits = Waits()
    for _ in range(max(1, presses)):
        waits.press(terminal, key)
    return waits


def _asked(terminal: Terminal, keys: Sequence[str], shown: str) -> float:
    """Seconds from the last of some keys until the list that they ask for is drawn."""
    for key in keys[:-1]:
        terminal.type(key)
        terminal.settle()
    before = time.perf_counter()
    terminal.type(keys[-1])
    terminal.wait_for(shown)
    return time.perf_counter() - before


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the databases, measure, print the table; 1 where a budget is not kept."""
    options = parser(__doc__ or "")
    options.add_argument("--folder", type=Path, help="where the databases are kept")
    chosen = options.parse_args(arguments)
    report = begin("budgets", __doc__ or "", chosen)
    extent = QUICK if chosen.quick else Extent()
    ledger = Ledger()
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["LOGITSCOPE_HOME"] = str(folder)
        big = big_store(folder / f"big-{extent.probes}.duckdb", extent.probes, extent.tokens)
        long = big_store(folder / f"long-{extent.text}.duckdb", 4, 2 * extent.text)
        demo = record(folder, latency.QUICK) if chosen.quick else _demo(folder)
        hold_starts(ledger, demo, extent)
        hold_keys(ledger, demo, extent)
        hold_kill(ledger, demo, extent)
        hold_strip(ledger, long, extent)
        hold_grid(ledger, big, extent)
        hold_sql(ledger, big, extent)
        for what, path in (("the demo", demo), (f"{extent.probes:,} probes", big)):
            size, rows = position_bytes(path)
            budget = POSITION_BUDGET if rows >= FEW_POSITIONS else None
            ledger.hold(f"bytes a token position, {what}", size, budget, per_position)
    ledger.tell(report)
    report.note(
        "Back to the list is the escape key as most terminals send it, a byte that longer keys "
        "begin with too: Textual waits up to 100 ms for more (`ESCDELAY`), whatever the explorer "
        "does."
    )
    report.note(
        "What probing costs against lm-eval, and how exact it is, are budgets as well: see "
        "probe_vs_lm_eval."
    )
    report.write()
    return 1 if ledger.outside else 0


def _demo(folder: Path) -> Path:
    if not demo_path().exists():
        with WorkerClient(log_path=folder / "recording.log") as client:
            record_demo(client)
    return demo_path()


if __name__ == "__main__":
    raise SystemExit(main())
