"""The command line: data on standard output, talk on standard error, exit codes."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.client import WorkerClient
from tests.fake_worker import encode as fake_encode
from tests.fake_worker import fake_command
from tui import cli
from tui.commands import COMMANDS

REPLIES = [
    {"response": "The answer is B.", "options": {"A": "Rome", "B": "Paris"}},
    {"response": "I'm sorry, but I can't help with that.", "options": {"A": "Rome", "B": "Paris"}},
]


class Outcome:
    """What one command printed and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err


@pytest.fixture
def logitscope(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run one command in this process."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["logitscope", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), printed.out, printed.err)

    return run


def test_help_names_every_command(logitscope) -> None:
    shown = logitscope("--help").out
    for command in (
        "explore",
        "serve",
        "run",
        "probe",
        "sql",
        "read",
        "doctor",
        "report",
        "formats",
        "show",
        "samples",
        "branch",
        "edit",
        *COMMANDS,
    ):
        assert f"\n  {command} " in shown


def test_a_database_in_place_of_a_command_opens_the_explorer(logitscope, tmp_path: Path) -> None:
    done = logitscope(tmp_path / "none.duckdb")
    assert done.code == cli.EXIT_FAILED
    assert "There is no database" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("words", [[], ["some.duckdb"]])
def test_the_explorer_opens_without_reading_the_other_commands(words: list[str]) -> None:
    script = """
import sys
import tui.opening
from tui.cli import main

def opened(database):
    read = [name for name in sys.modules if name in ("typer", "pydantic", "tui.commands.root")]
    print(database, read)
    return 7

tui.opening.open_explorer = opened
main()
"""
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout == f"{words[0] if words else None} []\n"


def test_an_unknown_option_is_wrong_usage(logitscope) -> None:
    assert logitscope("sql", "select 1", "--nonsense").code == 2


def test_read_says_what_each_reply_answers(logitscope, tmp_path: Path) -> None:
    file = tmp_path / "replies.jsonl"
    file.write_text("".join(json.dumps(reply) + "\n" for reply in REPLIES))
    lines = [json.loads(line) for line in logitscope("read", "--json", file).out.splitlines()]
    assert [(line["status"], line["label"]) for line in lines] == [
        ("option", "B"),
        ("refusal", None),
    ]
    first = lines[0]
    start, end = first["span"]
    assert "B" in first["response"][start:end]
    assert first["options"] == REPLIES[0]["options"]


def test_read_names_the_bad_line(logitscope, tmp_path: Path) -> None:
    file = tmp_path / "replies.jsonl"
    file.write_text(json.dumps(REPLIES[0]) + "\nnot json\n")
    done = logitscope("read", file)
    assert done.code == cli.EXIT_FAILED
    assert "Line 2" in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_read_refuses_what_is_no_text_file(logitscope, tmp_path: Path, content) -> None:
    file = tmp_path / "replies.jsonl"
    if content is not None:
        file.write_bytes(content)
    done = logitscope("read", file)
    assert done.code == cli.EXIT_FAILED
    assert str(file) in done.err


def test_sql_prints_json_csv_and_a_table(logitscope, sample_database: Path) -> None:
    query = "SELECT 1 AS a, NULL AS b, 'x,y' AS c, 2.5::DECIMAL(4, 2) AS d, [1, 2] AS e"
    as_json = logitscope("sql", query, "--db", sample_database, "--output-format", "json")
    assert json.loads(as_json.out) == [{"a": 1, "b": None, "c": "x,y", "d": "2.50", "e": [1, 2]}]
    as_csv = logitscope("sql", query, "--db", sample_database, "-o", "csv")
    assert as_csv.out.splitlines() == ["a,b,c,d,e", '1,,"x,y",2.50,"[1, 2]"']
    as_table = logitscope("sql", query, "--db", sample_database)
    assert "x,y" in as_table.out


def test_sql_never_cuts_what_goes_into_a_pipe(logitscope, sample_database: Path) -> None:
    wide = "x" * 500
    assert wide in logitscope("sql", f"SELECT '{wide}' AS w", "--db", sample_database).out


def test_sql_refuses_to_change_anything(logitscope, sample_database: Path) -> None:
    before = sample_database.read_bytes()
    done = logitscope("sql", "DELETE FROM readings", "--db", sample_database)
    assert done.code == cli.EXIT_FAILED
    assert done.out == ""
    assert sample_database.read_bytes() == before


def test_report_agrees_with_a_count_by_hand(logitscope, sample_database: Path) -> None:
    report = json.loads(logitscope("report", "mismatch", "--db", sample_database, "--json").out)
    rows = report["counts"]
    query = (
        "SELECT format, order_index, count(*) AS n, sum(mismatch::INT)::INT AS mismatch, "
        "sum(refusal::INT)::INT AS refused_text FROM listing GROUP BY ALL"
    )
    counted = json.loads(logitscope("sql", query, "--db", sample_database, "--json").out)
    keys = ("format", "order_index", "n", "mismatch", "refused_text")
    assert {tuple(row[key] for key in keys) for row in rows} == {
        tuple(row[key] for key in keys) for row in counted
    }
    table = logitscope("report", "mismatch", "--db", sample_database).out
    assert all(str(row["mismatch"]) in table or row["mismatch"] is None for row in rows)


def test_formats_lists_and_shows(logitscope) -> None:
    names = {row["name"] for row in json.loads(logitscope("formats", "list", "--json").out)}
    assert {"low", "middle", "high", "example", "mmlu-original"} <= names
    assert json.loads(logitscope("formats", "show", "example", "--json").out)["fields"] == {
        "example_letter": "C"
    }
    assert logitscope("formats").out.count("\n") >= len(names)


def test_an_unknown_format_names_the_known_ones(logitscope) -> None:
    done = logitscope("formats", "show", "nonsense")
    assert done.code == cli.EXIT_FAILED
    assert "nonsense" in done.err
    assert "middle" in done.err


def test_doctor_says_what_is_installed(logitscope, sample_database: Path) -> None:
    checks = json.loads(logitscope("doctor", "--json", "--db", sample_database).out)
    by_name = {check["name"]: check for check in checks}
    assert by_name["torch"]["ok"]
    assert "48 probes" in by_name["database"]["value"]


def test_run_checks_its_settings_before_anything_is_loaded(logitscope, tmp_path: Path) -> None:
    questions = tmp_path / "q.jsonl"
    questions.write_text('{"text": "1 + 1?", "options": ["1", "2"], "gold": "B"}\n')
    db = tmp_path / "x.duckdb"
    done = logitscope("run", questions, "--model", "m", "--db", db, "--temperature", "-1")
    assert done.code == cli.EXIT_FAILED
    assert "temperature" in done.err.lower()
    assert not db.exists()


def test_without_a_database_the_demo_is_meant(
    logitscope, tmp_path: Path, sample_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.demo import demo_path

    monkeypatch.setenv("LOGITSCOPE_HOME", str(tmp_path / "home"))
    missing = logitscope("sql", "SELECT 1")
    assert missing.code == cli.EXIT_FAILED
    assert "not recorded" in missing.err
    demo_path().parent.mkdir(parents=True, exist_ok=True)
    sample_database.rename(demo_path())
    counted = logitscope("sql", "SELECT count(*) AS n FROM probes", "--json")
    assert json.loads(counted.out) == [{"n": 48}]


# One stored probe, and more of it


@pytest.fixture
def recorded(logitscope, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database with one question in one format, recorded with a fake worker."""
    client = functools.partial(
        WorkerClient, command=fake_command(), log_path=tmp_path / "worker.log"
    )
    monkeypatch.setattr("engine.client.WorkerClient", client)
    questions, db = tmp_path / "q.jsonl", tmp_path / "x.duckdb"
    questions.write_text('{"text": "1 + 1?", "options": ["1", "2"], "gold": "B"}\n')
    options = ("--model", "fake", "--format", "low", "--samples", "2", "--db", db)
    assert logitscope("run", questions, *options).code == 0
    return db


def test_show_prints_a_probe_with_its_texts(logitscope, sample_database: Path) -> None:
    shown = logitscope("show", 1, "--db", sample_database)
    assert shown.code == 0
    assert "Which planet is closest to the sun?" in shown.out
    assert "  B  Mercury" in shown.out
    whole = json.loads(logitscope("show", 1, "--db", sample_database, "--json").out)
    assert whole["probe_id"] == 1
    assert [text["sample"] for text in whole["texts"]] == [0, 1, 2, 3, 4]
    assert all(text["text"].split()[0][:3] in shown.out for text in whole["texts"])
    missing = logitscope("show", 999, "--db", sample_database)
    assert missing.code == cli.EXIT_FAILED
    assert "There is no probe 999" in missing.err


def test_samples_are_listed_and_more_are_drawn(logitscope, recorded: Path) -> None:
    before = json.loads(logitscope("samples", 1, "--db", recorded, "--json").out)
    assert [(text["sample"], text["kind"]) for text in before] == [(1, "sample"), (2, "sample")]
    drawn = logitscope("samples", 1, "--db", recorded, "--more", 3)
    assert "Drew samples 3 to 5." in drawn.err
    assert drawn.out.count(" extra ") == 3
    after = json.loads(logitscope("samples", 1, "--db", recorded, "--json").out)
    assert after[:2] == before
    refused = logitscope("samples", 1, "--db", recorded, "--more", 1000)
    assert refused.code == cli.EXIT_FAILED


def test_a_branch_is_stored_and_printed_under_what_it_leaves(logitscope, recorded: Path) -> None:
    place = ("--db", recorded, "--sample", 1, "--position", 0)
    made = json.loads(logitscope("branch", 1, *place, "--text", " Sorry", "--json").out)
    assert (made["sample"], made["kind"], made["parent"], made["position"]) == (-1, "branch", 1, 0)
    assert made["text"].startswith(" Sorry")
    again = logitscope("branch", 1, *place, "--token", made["token_ids"][0] + 1)
    assert again.code == 0
    assert " -2 " in again.out
    tree = logitscope("show", 1, "--db", recorded).out.splitlines()
    first = max(number for number, line in enumerate(tree) if line.startswith(" sample 1  "))
    assert "└ “" in tree[first + 2]
    assert "├ “" in tree[first + 1]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--position", 0), 2),
        (("--position", 0, "--token", 1, "--text", "A"), 2),
        (("--position", 0, "--text", "no token is that"), 1),
        (("--position", 999, "--token", 1), 1),
    ],
)
def test_what_is_no_branch_is_refused(logitscope, recorded: Path, arguments, code: int) -> None:
    done = logitscope("branch", 1, "--db", recorded, *arguments)
    assert done.code == code
    assert done.out == ""
    assert done.err


def test_an_edit_is_printed_and_kept_only_if_asked_to(
    logitscope, recorded: Path, tmp_path: Path
) -> None:
    file = tmp_path / "prompt.txt"
    file.write_bytes(b"1 + 1?\r\nAnswer: ")
    shown = logitscope("edit", 1, "--db", recorded, "--file", file)
    assert shown.code == 0
    assert "prompt tokens" in shown.out
    assert "\nnow " in shown.out
    runs = ("sql", "SELECT kind FROM runs ORDER BY run_id", "--db", recorded, "--json")
    assert json.loads(logitscope(*runs).out) == [{"kind": "run"}]
    kept = logitscope("edit", 1, "--db", recorded, "--prompt", "Answer:", "--keep", "--json")
    assert "Kept as probe 2." in kept.err
    assert json.loads(kept.out)["kept"] == 2
    assert json.loads(kept.out)["now"]["prompt_tokens"] == len(fake_encode("Answer:"))
    assert json.loads(logitscope(*runs).out) == [{"kind": "run"}, {"kind": "edit"}]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 2),
        (("--prompt", "x", "--file", "y"), 2),
        (("--prompt", ""), 1),
        (("--file", "not/there"), 1),
    ],
)
def test_what_is_no_edit_is_refused(logitscope, recorded: Path, arguments, code: int) -> None:
    done = logitscope("edit", 1, "--db", recorded, *arguments)
    assert done.code == code
    assert done.out == ""


def test_what_was_not_made_here_is_not_asked(logitscope, sample_database: Path) -> None:
    for command in (("samples", 1, "--more", 1), ("edit", 1, "--prompt", "x")):
        done = logitscope(*command, "--db", sample_database)
        assert done.code == cli.EXIT_FAILED
        assert "can't be repeated" in done.err
