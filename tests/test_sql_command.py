"""``logitscope sql``: what goes where, and the exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pexpect
import psutil
import pyarrow.parquet as pq
import pytest

from engine.sql.saved import save_query, saved_queries
from engine.store import open_store
from tests.sample_store import add_sample_run
from tui import cli
from tui.text_table import TextTable

REPO = Path(__file__).resolve().parents[1]
BUSY = 2.0
"""Seconds of computing by which a command has begun its query for sure."""

COMMAND = [sys.executable, "-m", "tui.cli", "sql"]


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def sql(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sample_database: Path
) -> Run:
    """Run the command in this process, on the sample database."""

    def run(*arguments: object) -> Outcome:
        given = ["logitscope", "sql", *map(str, arguments), "--db", str(sample_database)]
        monkeypatch.setattr(sys, "argv", given)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), printed.out, printed.err)

    return run


def test_a_table_for_people(sql: Run) -> None:
    done = sql("SELECT 1.5 AS n, NULL AS nothing, 'a' || chr(27) || chr(10) || 'b' AS text")
    assert done.code == 0
    assert done.err == ""
    assert done.out.splitlines() == [
        "  n  nothing  text",
        "──────────────────────",
        "1.5  –        a\\x1b\\nb",
    ]


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "markdown"])
def test_formats_for_machines(sql: Run, form: str) -> None:
    done = sql("SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, NULL ORDER BY a", "-o", form)
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    if form == "json":
        assert json.loads(done.out) == rows
    elif form == "jsonl":
        assert list(map(json.loads, done.out.splitlines())) == rows
    elif form == "csv":
        assert done.out == 'a,b\n1,"x"\n2,\n'
    else:
        assert done.out.splitlines()[-1] == "| 2 | – |"
    assert done.err == ""


def test_files(sql: Run, tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    done = sql("FROM range(3)", "--out", path)
    assert (done.code, done.out, done.err) == (0, "", f"Wrote 3 rows to {path}.\n")
    assert pq.read_table(path)["range"].to_pylist() == [0, 1, 2]
    again = sql("FROM range(4)", "--out", path)
    assert again.code == cli.EXIT_FAILED
    assert "--force" in again.err
    assert sql("FROM range(4)", "--out", path, "--force").code == 0
    assert pq.read_table(path).num_rows == 4
    unknown = sql("FROM range(4)", "--out", tmp_path / "r.xyz")
    assert unknown.code == cli.EXIT_FAILED
    assert sql("FROM range(4)", "--out", tmp_path / "r.xyz", "-o", "csv").code == 0
    assert sql("FROM range(4)", "--out", tmp_path / "t", "-o", "table").code == cli.EXIT_FAILED


def test_statements_from_a_file_and_from_standard_input(
    sql: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "q.sql"
    path.write_text("-- a comment\nSELECT 42 AS n;")
    assert json.loads(sql("--file", path, "--json").out) == [{"n": 42}]
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 43 AS n"))
    assert json.loads(sql("-", "--json").out) == [{"n": 43}]
    missing = sql("--file", tmp_path / "nothing.sql")
    assert missing.code == cli.EXIT_FAILED
    assert "can't be read" in missing.err


def test_several_statements(sql: Run) -> None:
    text = "CREATE VIEW two AS SELECT 2 AS n; SELECT 1 AS one; FROM two"
    tables = sql(text)
    assert [line.strip() for line in tables.out.splitlines()] == [
        "one",
        "───",
        "1",
        "",
        "n",
        "─",
        "2",
    ]
    assert tables.err == "View two made.\n"
    last = sql("SELECT 1 AS one; SELECT 2 AS n", "--json")
    assert json.loads(last.out) == [{"n": 2}]
    assert last.err == "There are 2 results; the last one is written.\n"
    assert json.loads(sql("FROM two", "--json").out) == [{"n": 2}], "own views are kept"


def test_what_ran_before_an_error_is_printed(sql: Run) -> None:
    done = sql("SELECT 1 AS one; SELECT nothing FROM probes")
    assert done.code == cli.EXIT_FAILED
    assert done.out.startswith("one")
    assert sql("SELECT 1 AS one; SELECT nothing FROM probes", "--json").out == ""


def test_an_error_shows_its_place(sql: Run) -> None:
    done = sql("SELECT 1,\n  nothing FROM probes")
    sentence, line, mark = done.err.splitlines()
    assert sentence.startswith('logitscope: Referenced column "nothing" not found')
    assert line == "line 2:   nothing FROM probes"
    assert mark.index("^") == line.index("nothing")
    assert (done.code, done.out) == (cli.EXIT_FAILED, "")


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM probes", "COPY probes TO 'x.csv'", "FROM read_csv('/etc/passwd')",
     "WITH x AS (DELETE FROM marks RETURNING *) FROM x", "SET memory_limit = '9GB'"],
)  # fmt: skip
def test_the_sandbox_stands(sql: Run, sample_database: Path, statement: str) -> None:
    before = sample_database.read_bytes()
    done = sql(statement)
    assert (done.code, done.out) == (cli.EXIT_FAILED, "")
    assert done.err.startswith("logitscope: ")
    assert sample_database.read_bytes() == before


def test_unlocked_it_may_change_and_write(sql: Run, sample_database: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    assert sql(f"COPY (SELECT 1 AS a) TO '{path}'", "--unlocked").code == 0
    assert path.read_text() == "a\n1\n"
    assert sql("DELETE FROM spellings", "--unlocked").code == 0
    with open_store(sample_database) as store:
        assert store.reader().execute("SELECT count(*) FROM spellings").fetchall() == [(0,)]


def test_a_limit_is_said(sql: Run) -> None:
    done = sql("FROM range(100)", "--limit", 3, "-o", "csv")
    assert (done.out, done.err) == ("range\n0\n1\n2\n", "Wrote 3 rows of more than 3.\n")
    table = sql("FROM range(100)", "--limit", 3)
    assert len(table.out.splitlines()) == 5
    assert table.err == "3 of more than 3 rows; --limit shows more.\n"
    assert sql("FROM range(3)", "--limit", 3).err == ""


def test_a_pipe_gets_every_row_of_a_table(sql: Run) -> None:
    done = sql("FROM range(5000)")
    assert [int(line) for line in done.out.splitlines()[2:]] == list(range(5000))
    assert done.err == ""


def test_saved_queries(sql: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOGITSCOPE_HOME", str(tmp_path))
    save_query("mine", "SELECT 7 AS n", title="Seven?")
    listed = {row["name"]: row for row in json.loads(sql("--list", "--json").out)}
    assert set(listed) == {query.name for query in saved_queries()}
    assert listed["mine"] == {"name": "mine", "title": "Seven?", "about": "", "own": True}
    assert json.loads(sql("--saved", "mine", "--json").out) == [{"n": 7}]
    assert sql("--saved", "nothing").code == cli.EXIT_FAILED


def test_a_saved_query_of_one_run_or_probe(sql: Run, sample_database: Path) -> None:
    with open_store(sample_database) as store:
        add_sample_run(store, questions=3, name="newer")

    def runs(*arguments: object) -> set[int]:
        return {row["run_id"] for row in json.loads(sql(*arguments, "--json").out)}

    assert runs("--saved", "mismatches") == {2}
    assert runs("--saved", "mismatches", "--run", 1) == {1}
    found = json.loads(sql("--saved", "alternatives", "--probe", 5, "--json").out)
    assert {row["probe_id"] for row in found} == {5}
    refused = sql("--saved", "runs", "--run", 1)
    assert refused.code == cli.EXIT_FAILED
    assert "not about one run" in refused.err


def test_the_catalog(sql: Run) -> None:
    tables = {row["name"]: row for row in json.loads(sql("--catalog", "--json").out)}
    assert tables["probes"]["about"].startswith("One row a run, question")
    columns = {row["name"]: row for row in json.loads(sql("--describe", "OUTCOMES", "--json").out)}
    assert columns["mismatch"]["type"] == "BOOLEAN"
    assert columns["mismatch"]["about"]
    assert "mismatch" in sql("--describe", "outcomes").out
    assert sql("--describe", "nothing").code == cli.EXIT_FAILED


@pytest.mark.parametrize(
    "arguments",
    [(), ("SELECT 1", "--list"), ("SELECT 1", "--saved", "runs"), ("SELECT 1", "--run", "1"),
     ("SELECT 1", "-o", "xml"), ("SELECT 1", "--limit", "-1")],
)  # fmt: skip
def test_wrong_usage(sql: Run, arguments: tuple[str, ...]) -> None:
    assert sql(*arguments).code == 2


def test_a_reader_that_goes_away_is_no_error(sample_database: Path) -> None:
    for form in ("csv", "table", "jsonl"):
        query = [*COMMAND, "FROM range(3000000)", "-o", form, "--db", str(sample_database)]
        writer = subprocess.Popen(query, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPO)
        assert writer.stdout is not None
        assert writer.stdout.readline()
        writer.stdout.close()
        assert writer.stderr is not None
        assert writer.stderr.read() == b""
        assert writer.wait() == 0


@pytest.mark.parametrize("streaming", [True, False])
def test_ctrl_c_ends_a_query_with_its_own_code(sample_database: Path, streaming: bool) -> None:
    endless = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b"
    query = "FROM range(1000000000000)" if streaming else endless
    command = [*COMMAND, query, "-o", "csv", "--db", str(sample_database)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPO)
    assert process.stdout is not None
    if streaming:
        assert process.stdout.readline()
    while not streaming and psutil.Process(process.pid).cpu_times().user < BUSY:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == cli.EXIT_CANCELLED
    assert err.decode().strip() == "logitscope: The query was cancelled."


def test_a_terminal_gets_what_fits_and_a_word(sample_database: Path) -> None:
    query = f"SELECT i AS n, '{'word ' * 40}' AS text FROM range(2000) r(i)"
    child = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], query, "--db", str(sample_database)],
        cwd=str(REPO),
        env={name: value for name, value in os.environ.items() if name != "COLUMNS"},
        dimensions=(24, 60),
        encoding="utf-8",
        timeout=60,
    )
    shown = child.read()
    child.close()
    lines = shown.replace("\r", "").splitlines()
    assert child.exitstatus == 0
    assert "500 of more than 500 rows; --limit shows more." in lines
    assert any(line.startswith("Cells are cut") for line in lines)
    assert [line for line in lines[:502] if len(line) > 60] == []
    assert lines[2].endswith("…")


def test_narrow_columns_stay_whole_where_wide_ones_give_way() -> None:
    table = TextTable(["n", "日本"], width=12)
    lines = list(table.lines([(1, "日本語日本語"), (22, "x")]))
    assert lines == [" n  日本", "────────────", " 1  日本語 …", "22  x"]
    assert table.cut
    assert not TextTable(["n"], width=3).cut


def test_csv_reads_back_what_a_table_shows(sql: Run) -> None:
    query = "SELECT format, count(*) AS n FROM probes GROUP BY format ORDER BY format"
    rows = list(csv.reader(io.StringIO(sql(query, "-o", "csv").out)))
    table = [line.split() for line in sql(query).out.splitlines() if "─" not in line]
    assert rows == table
