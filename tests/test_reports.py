"""Reports as text, and the command lines that print them."""

from __future__ import annotations

import csv
import io
import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.store import open_store
from engine.studies import STUDIES, Scope, study
from engine.studies.report import Column, Report, Row, Table
from tui.commands.root import app
from tui.reports import as_json, as_tsv, command_of, filled, options_of

TABLE = Table(
    "t",
    "A table",
    (
        Column("name", "name", about="what it is"),
        Column("n", "n", "count"),
        Column("rate", "%", "percent"),
        Column("never", "never", "number"),
    ),
    (
        Row({"name": "tab\tand\nline", "n": 1234, "rate": 0.25}),
        Row({"name": "b", "n": None, "rate": 1.0}),
    ),
)


def test_a_copied_table_has_a_cell_for_every_cell() -> None:
    columns, cells = filled(TABLE)
    rows = list(csv.reader(io.StringIO(as_tsv(TABLE)), delimiter="\t"))
    assert rows[0] == [column.title for column in columns] == ["name", "n", "%"]
    assert rows[1:] == [["tab and line", "1,234", "25.0"], ["b", "–", "100.0"]]
    assert len(rows[1:]) == len(cells)


@pytest.mark.parametrize("name", [known.name for known in STUDIES])
def test_every_study_has_a_command_that_takes_runs_and_whose_word_counts(name: str) -> None:
    assert {"db", "run", "text", "json", "plot"} <= options_of(name)


def test_only_mismatch_counts_groups_apart() -> None:
    assert [known.name for known in STUDIES if "by" in options_of(known.name)] == ["mismatch"]


@pytest.mark.parametrize(
    "scope",
    [
        Scope(runs=(1,)),
        Scope(runs=(1,), by="subject"),
        Scope(runs=(1,), text="reading", by="model"),
    ],
)
def test_the_command_prints_the_same_study(sample_database: Path, scope: Scope) -> None:
    words = shlex.split(command_of("mismatch", scope, sample_database))
    assert words[0] == "logitscope"
    done = CliRunner().invoke(app, [*words[1:], "--json"])
    assert done.exit_code == 0, done.output
    with open_store(sample_database) as store:
        report = study("mismatch").report(store.reader(), scope)
    assert json.loads(done.output) == json.loads(json.dumps(as_json(report)))


def test_a_command_says_no_more_than_it_must() -> None:
    assert command_of("decoding", Scope(), None) == "logitscope report decoding"
    assert command_of("decoding", Scope(by="model"), None) == "logitscope report decoding"
    spaced = command_of("compare", Scope(runs=(2, 1), text="reading"), Path("/a b/runs.duckdb"))
    assert spaced == (
        "logitscope report compare --db '/a b/runs.duckdb' --run 2 --run 1 --text reading"
    )


def test_plots_are_printed_on_request(sample_database: Path) -> None:
    command = ["report", "consistency", "--db", str(sample_database), "--resamples", "20"]
    plain = CliRunner().invoke(app, command)
    drawn = CliRunner().invoke(app, [*command, "--plot"])
    assert plain.exit_code == drawn.exit_code == 0
    with open_store(sample_database) as store:
        report: Report = study("consistency").report(store.reader(), Scope(resamples=20))
    assert report.plots
    for plot in report.plots:
        assert plot.y_label not in plain.output
        assert f"\n{plot.title}\n" in drawn.output
        assert plot.y_label in drawn.output
