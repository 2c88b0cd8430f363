"""The benchmarks run, small, and their reports find their place among the results."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import budgets, latency, probe_vs_generate, report, roofline, scaling
from benchmarks.budgets import Ledger
from benchmarks.clock import timed
from benchmarks.counted import Shape
from benchmarks.profiling import PARTS, spent
from benchmarks.report import Report
from benchmarks.terminal import Terminal
from benchmarks.workload import Workload
from engine import browse
from engine.records import ProbeSettings
from engine.store import open_store
from tests.tiny_models import made_up_ids, tiny_loaded, tiny_model, tiny_prompt

ECHO = """
import sys, tty
tty.setraw(0)
print("ready 12", end="", flush=True)
while True:
    print("got", hex(ord(sys.stdin.read(1))), end=" ", flush=True)
"""


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Results of its own for every test, and one thread of torch as in the benchmarks."""
    path = tmp_path / "RESULTS.md"
    monkeypatch.setattr(report, "RESULTS", path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield path
    torch.set_num_threads(threads)


@pytest.fixture
def tiny_job() -> Workload:
    """Three questions for a tiny model."""
    prompts = [tiny_prompt(made_up_ids(40 + at, at), question_id=f"q{at}") for at in range(3)]
    return Workload(loaded=tiny_loaded(), stock=tiny_model(), prompts=tuple(prompts), shots=0)


def write(name: str, figure: int) -> None:
    """A report of one table between two notes."""
    made = Report(name, f"About {name},\nin two lines.\n\n    python -m x\n\nMore.\n")
    made.heading("Part")
    made.note("before")
    made.table("what", "figure").row("a", figure)
    made.note("first")
    made.note("second")
    made.write()


def cells(printed: str, first: str) -> list[list[str]]:
    """The cells of the printed table rows that begin with a cell."""
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line[:1] == "|"]
    return [row for row in rows if row[0] == first]


def test_a_report_takes_the_place_of_its_last_one_and_leaves_the_others(results: Path) -> None:
    write("zebra", 1)
    write("ant", 2)
    write("zebra", 3)
    text = results.read_text()
    assert text.startswith("# Results\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["ant", "zebra"]
    assert re.findall(r"^\| a \| (\d) \|$", text, re.MULTILINE) == ["2", "3"]


def test_a_report_keeps_its_order_and_leaves_out_the_command(results: Path) -> None:
    write("ant", 2)
    section = results.read_text().partition("## ant\n\n")[2]
    assert section.startswith("About ant, in two lines.\n\nMore.\n\n- processor: ")
    assert section.endswith(
        "### Part\n\n- before\n\n| what | figure |\n| --- | --- |\n| a | 2 |\n\n- first\n- second\n"
    )


def test_only_work_counts_on_the_cpu() -> None:
    slept, seconds = timed(lambda: time.sleep(0.2))
    assert slept is None
    assert seconds < 0.1
    assert timed(lambda: sum(range(10**6)))[1] > 0


def test_on_a_gpu_events_enclose_the_work_and_everything_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    class Event:
        def __init__(self, *, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            done.append("event")

        def elapsed_time(self, end: Event) -> float:
            assert end is not self
            return 1500.0

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: done.append("wait"))
    assert timed(lambda: done.append("work"), torch.device("cuda")) == (None, 1.5)
    assert done == ["wait", "event", "work", "event", "wait"]


def test_a_gpu_without_room_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (24 << 30, 24 << 30))
    assert roofline.why_no_gpu().startswith("Not run on a GPU: 24 GiB are free")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (79 << 30, 80 << 30))
    assert roofline.why_no_gpu() == ""


def test_operations_are_those_that_torch_counts() -> None:
    model, length = tiny_model(), 30
    model.set_attn_implementation("eager")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.tensor([made_up_ids(length, 0)]), logits_to_keep=1)
    shape = Shape.of(model)
    # Stock attention computes every pair and masks those that look ahead.
    ahead = 4 * shape.queries * (length * (length - 1) // 2)
    assert shape.prefill([length]) + ahead == pytest.approx(counter.get_total_flops(), rel=0.01)


def test_a_decode_step_reads_a_shared_prompt_once() -> None:
    shape = Shape.of(tiny_model())
    one, nine = (shape.step_bytes([50], branches, 0) for branches in (1, 9))
    assert one == nine
    written = shape.step_bytes([50], 9, 2) - nine
    assert written == 18 * shape.key_values * 4
    assert shape.step([50], 9, 0) == 9 * shape.step([50], 1, 0)


def test_the_time_of_a_probe_is_split_into_all_its_parts(tiny_job: Workload) -> None:
    settings = ProbeSettings(samples=2, max_new_tokens=3)
    seconds = spent(lambda: roofline.ask(tiny_job, settings), torch.device("cpu"))
    assert list(seconds) == list(PARTS)
    assert all(part > 0 for part in seconds.values())


def test_made_up_prompts_have_their_length_and_begin_differently(tiny_job: Workload) -> None:
    made = scaling.of_length(tiny_job.prompts, 300)
    assert {len(prompt.token_ids) for prompt in made} == {300}
    assert scaling.shared_tokens(made) == 0


def test_options_are_added_and_taken_away(tiny_job: Workload) -> None:
    prompt = tiny_job.prompts[0]
    for count in (2, 8):
        known = scaling.with_options(prompt, count).continuations
        assert [it.label for it in known if it.kind == "text"] == list("ABCDEFGH"[:count])


def test_without_sharing_no_prefix_is_kept(tiny_job: Workload) -> None:
    prompts = [tiny_prompt((*range(100, 140), at)) for at in range(3)]
    settings = ProbeSettings(generations=False)
    shared = scaling.shared_tokens(prompts)
    assert shared == 40
    plan = tiny_job.loaded.plans.shared
    assert plan is not None
    kept = []
    scaling.cost(tiny_job.loaded, prompts, settings)
    kept.append(plan.prefixes.longest(prompts[0].token_ids)[1])
    with scaling.nothing_shared():
        scaling.cost(tiny_job.loaded, prompts, settings)
    kept.append(plan.prefixes.longest(prompts[0].token_ids)[1])
    assert kept == [shared, 0]


def test_p95_is_a_value_that_was_seen() -> None:
    assert latency.p95([5.0]) == 5.0
    assert latency.p95([float(at) for at in range(1, 101)]) == 95.0


def test_a_terminal_times_keys_and_finds_what_is_written() -> None:
    with Terminal([sys.executable, "-c", ECHO], {}) as terminal:
        assert terminal.wait_for(r"ready (\d+)") == "12"
        answer = terminal.press("down")
        assert 0 < answer.first <= answer.last < terminal.age
        assert terminal.wait_for("got 0x1b") == "got 0x1b"
        assert terminal.wait_for("0x42") == "0x42"
        with pytest.raises(TimeoutError, match="0x42"):
            terminal.wait_for("0x42", patience=0.1)


def test_the_probe_agrees_with_generate(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    probe_vs_generate.main(["--quick"])
    ((*_, ratio, same, tokens, options),) = cells(capsys.readouterr().out, "s6m")
    assert float(ratio.removesuffix("x")) > 1
    assert same == "100%"
    assert max(float(tokens), float(options)) < 1e-4
    assert not results.exists()


def test_the_roofline_has_a_line_for_every_pass(capsys: pytest.CaptureFixture[str]) -> None:
    extent = roofline.Extent(
        "cpu", torch.float32, ("s6m",), (1, 2), new_tokens=3, product=64, moved=1 << 16
    )
    roofline.measure(Report("roofline", ""), extent)
    rows = cells(capsys.readouterr().out, "s6m")
    assert [row[2] for row in rows[:3]] == [
        "prefill", "decode step", "the same, drawn and recorded"
    ]  # fmt: skip
    assert len(rows) == 2 * 3 + 2


@pytest.mark.slow
def test_without_a_gpu_its_part_runs_small_on_the_cpu_and_the_report_says_so(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("lm_eval", reason="no lm-eval: it belongs to the group bench")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    roofline.main(["--quick"])
    printed = capsys.readouterr().out
    assert "in bfloat16" in printed
    assert "Against lm-evaluation-harness, 1 questions" in printed
    assert "Not run on a GPU: this machine has none." in printed
    assert not results.exists()


@pytest.mark.slow
def test_scaling_varies_everything(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scaling.main(["--quick"])
    printed = capsys.readouterr().out
    assert len(re.findall("^### ", printed, re.MULTILINE)) == 5
    assert len(cells(printed, "2")) == 4
    assert not results.exists()


def test_a_ledger_says_what_is_outside(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = Ledger()
    ledger.hold("quick", 0.02, 0.03, budgets.ms)
    ledger.hold("at the edge", 0.03, 0.03, budgets.ms)
    ledger.hold("slow", 0.031, 0.03, budgets.ms)
    ledger.hold("unbounded", 9.0, None, budgets.ms)
    ledger.hold("large", 201e6, 200e6, budgets.mb)
    assert ledger.outside == ["slow", "large"]
    ledger.tell(Report("budgets", ""))
    printed = capsys.readouterr().out
    assert cells(printed, "slow") == [["slow", "30 ms", "31 ms", "NO"]]
    assert cells(printed, "at the edge") == [["at the edge", "30 ms", "30 ms", "yes"]]
    assert cells(printed, "unbounded") == [["unbounded", "-", "9000 ms", "-"]]
    assert cells(printed, "large") == [["large", "200 MB", "201 MB", "NO"]]


def test_made_up_positions_take_about_what_real_ones_do(tmp_path: Path) -> None:
    path = budgets.big_store(tmp_path / "big.duckdb", 2_000, 10)
    made = path.stat().st_mtime_ns
    size, counted = budgets.position_bytes(path)
    assert 80 < size < 140
    assert counted == 20_000
    assert budgets.big_store(path, 9, 9).stat().st_mtime_ns == made, "it was there"
    with open_store(path) as store:
        told = store.reader().execute(
            "SELECT count(*), count(DISTINCT logprob), max(len(top_ids)) FROM positions"
        )
        rows, logprobs, kept = told.fetchall()[0]
        assert (rows, kept) == (20_000, 20)
        assert logprobs > 0.9 * rows, "no constants that would take no room"
        view = browse.probe_view(store, 7)
    assert [len(text.positions) for text in view.generations] == [5, 5]
    assert len(view.continuations) == 4
    assert view.first is not None


@pytest.mark.slow
def test_every_budget_has_a_line(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = budgets.main(["--quick"])
    printed = capsys.readouterr().out
    rows = [line.strip("| ").split(" | ") for line in printed.splitlines() if line[:1] == "|"]
    lines = {what: (budget, inside) for what, budget, _, inside in rows[2:]}
    for begins in (
        "`logitscope --help`", "start to first paint", "idle: open a question",
        "model runs: next and previous question", "cancel acknowledged", "leave until the worker",
        "kill -9", "cursor in a strip", "page down, no filter", "page down, filtered and sorted",
        "next flagged", "open a question out of", "SQL: page down in 20,000 rows", "memory between",
    ):  # fmt: skip
        held = [inside for what, (_, inside) in lines.items() if what.startswith(begins)]
        assert held, begins
        assert set(held) <= {"yes", "NO"}, begins
    assert len([what for what in lines if what.startswith("bytes a token position")]) == 2
    assert code == any(inside == "NO" for _, inside in lines.values())
    assert not results.exists()


@pytest.mark.slow
def test_keys_are_timed_idle_and_while_the_model_runs(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    latency.main(["--quick"])
    printed = capsys.readouterr().out
    assert len(cells(printed, "start to first paint")) == 1
    (row,) = cells(printed, "cursor right and left in the tokens")
    assert row[1] == "2"
    assert all(re.fullmatch(r"\d+ ms", figure) for figure in row[2:])
    assert not results.exists()
