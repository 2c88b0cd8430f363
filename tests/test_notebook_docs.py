"""docs/notebook.md: every block of Python in it runs, one after the other, as in a notebook."""

from __future__ import annotations

import math
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.errors import LogitscopeError, StoreError
from engine.notebook import ask, open_store, study
from engine.studies.report import Column, Report, Row, Table

PAGE = Path(__file__).resolve().parents[1] / "docs" / "notebook.md"


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture
def page(sample_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names that the page has made at its end."""
    folder = tmp_path / "notebook"
    folder.mkdir()
    shutil.copy(sample_database, folder / "results.duckdb")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LOGITSCOPE_HOME", str(tmp_path / "home"))
    names: dict[str, Any] = {}
    for block in blocks():
        exec(compile(block, str(PAGE), "exec"), names)
    return names


def test_every_block_runs_and_says_what_the_page_says(page: dict[str, Any]) -> None:
    assert len(blocks()) == len(re.findall(r"^```", PAGE.read_text(encoding="utf-8"), re.M)) / 2
    assert page["frame"]["probes"].sum() == 48
    assert page["positions"]["likeliest"].between(0, 1).all()
    counts = page["counts"]
    assert list(counts["format"]) == ["low", "high"]
    assert counts["mismatch_rate"].between(0, 1).all()
    assert (counts["mismatch_interval_low"] <= counts["mismatch_rate"]).all()
    assert len(page["outcomes"]) == 48
    assert Path("run-1/README.md").is_file()


def test_a_question_can_only_read(sample_database: Path) -> None:
    with open_store(sample_database) as store:
        for query in ("DELETE FROM marks", "FROM read_csv('/etc/passwd')", "SELECT 1; SELECT 2"):
            with pytest.raises(StoreError):
                ask(store, query)
        assert ask(store, "SELECT 1::FLOAT AS x, [1, NULL] AS y").to_pylist() == [
            {"x": 1.0, "y": [1, None]}
        ]


def test_a_wrong_study_or_setting_is_a_sentence(sample_database: Path) -> None:
    with open_store(sample_database, read_only=True) as store:
        with pytest.raises(LogitscopeError, match="no study 'mismatches'") as caught:
            study(store, "mismatches")
        assert "calibration" in caught.value.hint
        with pytest.raises(LogitscopeError, match="by"):
            study(store, "mismatch", by="moon")
        with pytest.raises(LogitscopeError, match="9"):
            study(store, "mismatch", runs=[9])


@pytest.mark.parametrize(
    "name", ["mismatch", "consistency", "protocols", "decoding", "calibration"]
)
def test_studies_hold_the_numbers_that_reports_hold(sample_database: Path, name: str) -> None:
    from engine.studies import Scope
    from engine.studies import study as study_called

    with open_store(sample_database, read_only=True) as store:
        report = study_called(name).report(store.reader(), Scope(runs=(1,), resamples=20))
        found = study(store, name, runs=[1], resamples=20)
    assert list(found) == [table.name for table in report.tables]
    for table in report.tables:
        arrow = found[table.name]
        assert arrow.num_rows == len(table.rows)
        for row, values in zip(table.rows, arrow.to_pylist(), strict=True):
            for key, cell in row.cells.items():
                if isinstance(cell, tuple):
                    # DuckDB adds in another order each time: the last digit may differ.
                    assert (values[f"{key}_low"], values[f"{key}_high"]) == pytest.approx(cell)
                elif key in values:
                    near = pytest.approx(cell) if isinstance(cell, float) else cell
                    assert values[key] == near
                else:
                    assert cell is None
                    assert values[f"{key}_low"] is None


def test_columns_are_typed_by_what_they_hold() -> None:
    columns = (
        Column("n", "n", "count"),
        Column("rate", "r", "percent"),
        Column("rate_interval", "95 %", "percent_interval"),
        Column("nothing", "-", "interval"),
        Column("flag", "f"),
        Column("mixed", "m"),
    )
    rows = (
        Row({"n": 3, "rate": 1, "rate_interval": (0.25, 1.0), "flag": True, "mixed": "a"}),
        Row({"n": None, "rate": None, "rate_interval": None, "flag": None, "mixed": 2, "more": 7}),
    )
    arrow = Report("s", "t", (Table("x", "X", columns, rows),)).to_arrow()["x"]
    assert {field.name: str(field.type) for field in arrow.schema} == {
        "n": "int64",
        "rate": "double",
        "rate_interval_low": "double",
        "rate_interval_high": "double",
        "nothing_low": "double",
        "nothing_high": "double",
        "flag": "bool",
        "mixed": "string",
        "more": "int64",
    }
    assert arrow.column("mixed").to_pylist() == ["a", "2"]
    frame = arrow.to_pandas()
    assert frame["rate"][0] == 1.0
    assert math.isnan(frame["rate"][1])
