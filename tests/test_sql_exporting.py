"""Results in files: every value as it was, the file there whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import StoreError
from engine.sql import exporting
from engine.sql.console import Console, QueryError, Result
from engine.sql.exporting import FORMATS, ExportFormat, export, write
from engine.store import open_store

EVERYTHING = r"""
SELECT
    7 AS whole, 170141183460469231731687303715884105727::HUGEINT AS huge,
    18446744073709551615::UBIGINT AS big, 0.1::DOUBLE AS double, 0.1::FLOAT AS float,
    'nan'::DOUBLE AS nan, '-inf'::FLOAT AS inf, 1.50::DECIMAL(6, 2) AS decimal, true AS yes,
    'x,"y"' || chr(10) || '日本' AS text, '' AS empty, NULL::VARCHAR AS nothing,
    NULL::INTEGER AS no_number, '\xE2a"\x5C'::BLOB AS blob, [1, NULL, 3] AS list,
    [0.5::FLOAT, 'nan'::FLOAT] AS floats, {'k': 'v', 'n': NULL} AS struct, MAP {'a': 1} AS map,
    DATE '2026-01-02' AS date, TIME '01:02:03.5' AS time,
    TIMESTAMP '2026-01-02 03:04:05.678901' AS stamp, TIMESTAMPTZ '2026-01-02 03:04:05+00' AS zoned,
    INTERVAL 3 DAY AS interval, 'b'::ENUM ('a', 'b') AS enum,
    '00000000-0000-0000-0000-000000000001'::UUID AS uuid, [{'d': 1.5, 'b': '\xFF'::BLOB}] AS deep,
    8 AS whole
"""


@pytest.fixture
def console(sample_database: Path) -> Iterator[Console]:
    with open_store(sample_database) as store:
        console = Console(store)
        yield console
        console.close()


def result(console: Console, sql: str, first_rows: int = 500) -> Result:
    (made,) = console.run(sql, first_rows=first_rows)
    assert isinstance(made, Result)
    return made


def written(console: Console, sql: str, form: ExportFormat) -> bytes:
    stream = io.BytesIO()
    write(result(console, sql), stream, form)
    return stream.getvalue()


def test_csv_keeps_every_value(console: Console) -> None:
    text = written(console, EVERYTHING, "csv").decode()
    names, row = list(csv.reader(io.StringIO(text)))
    assert names[0] == names[-1] == "whole"
    assert row[:5] == ["7", str(2**127 - 1), str(2**64 - 1), "0.1", "0.1"]
    assert row[5:11] == ["nan", "-inf", "1.50", "true", 'x,"y"\n日本', ""]
    cells = dict(zip(names[:-1], row, strict=False))
    assert cells["blob"] == r"\xE2a\x22\x5C"
    assert json.loads(cells["list"]) == [1, None, 3]
    assert json.loads(cells["struct"]) == {"k": "v", "n": None}
    assert json.loads(cells["map"]) == {"a": 1}
    assert cells["date"] == "2026-01-02"
    assert cells["time"].startswith("01:02:03.5")
    assert cells["stamp"] == "2026-01-02 03:04:05.678901"
    assert cells["zoned"].startswith("2026-01-02 03:04:05")
    assert cells["interval"] == "3 days"
    assert cells["enum"] == "b"
    assert cells["uuid"].endswith("01")


def test_csv_tells_nothing_from_an_empty_text(console: Console) -> None:
    assert written(console, "SELECT NULL AS a, '' AS b, NULL AS c, 1 AS d", "csv") == (
        b'a,b,c,d\n,"",,1\n'
    )


def test_csv_comes_back_into_duckdb(console: Console, tmp_path: Path) -> None:
    query = r"SELECT i AS n, i / 7 AS x, '\xE2' || i AS t, [i, i + 1] AS l FROM range(2000) r(i)"
    export(result(console, query), tmp_path / "r.csv")
    read = duckdb.sql(
        f"SELECT n, x, t, l::BIGINT[] FROM read_csv('{tmp_path / 'r.csv'}')"
    ).fetchall()
    assert read == result(console, query, 5000).rows(0, 5000)


def test_json_keeps_every_value(console: Console) -> None:
    (row,) = json.loads(written(console, EVERYTHING, "json"))
    assert json.loads(written(console, EVERYTHING, "jsonl")) == row
    assert row["whole"] == 7
    assert row["whole_1"] == 8
    assert row["huge"] == 2**127 - 1
    assert row["big"] == 2**64 - 1
    assert row["double"] == 0.1
    assert pa.scalar(row["float"], pa.float32()) == pa.scalar(0.1, pa.float32())
    assert (row["nan"], row["inf"]) == ("NaN", "-Infinity")
    assert row["decimal"] == "1.50"
    assert (row["yes"], row["empty"], row["nothing"], row["no_number"]) == (True, "", None, None)
    assert row["text"] == 'x,"y"\n日本'
    assert row["blob"] == r"\xE2a\x22\x5C"
    assert row["list"] == [1, None, 3]
    assert row["floats"] == [0.5, "NaN"]
    assert row["struct"] == {"k": "v", "n": None}
    assert row["deep"] == [{"d": "1.5", "b": r"\xFF"}]
    assert row["stamp"] == "2026-01-02T03:04:05.678901"
    assert row["date"] == "2026-01-02"


def test_parquet_keeps_every_type(console: Console) -> None:
    table = pq.read_table(io.BytesIO(written(console, EVERYTHING, "parquet")))
    (row,) = table.to_pylist(maps_as_pydicts="strict")
    assert math.isnan(row["nan"])
    assert row["huge"] == Decimal(2**127 - 1)
    assert row["decimal"] == Decimal("1.50")
    assert row["blob"] == b'\xe2a"\\'
    assert row["list"] == [1, None, 3]
    assert row["map"] == {"a": 1}
    assert row["date"] == date(2026, 1, 2)
    assert row["time"] == time(1, 2, 3, 500_000)
    assert row["stamp"] == datetime(2026, 1, 2, 3, 4, 5, 678901)
    assert row["zoned"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert row["deep"] == [{"d": Decimal("1.5"), "b": b"\xff"}]
    assert table.schema.field("float").type == pa.float32()
    assert table.schema.names[-1] == "whole_1"


def test_markdown_is_a_table(console: Console) -> None:
    query = "SELECT 0.1::FLOAT AS number, 'a|b' || chr(10) || 'c' AS text, NULL AS nothing"
    assert written(console, query, "markdown").decode() == (
        "| number | text | nothing |\n| ---: | :--- | :--- |\n| 0.1 | a\\|b<br>c | – |\n"
    )


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_takes_no_rows(console: Console, form: ExportFormat) -> None:
    text = written(console, "SELECT 1 AS a, [1] AS b WHERE false", form)
    if form == "json":
        assert json.loads(text) == []
    elif form == "jsonl":
        assert text == b""
    elif form == "parquet":
        assert pq.read_table(io.BytesIO(text)).num_rows == 0
    else:
        assert text.splitlines()[0] in (b"a,b", b"| a | b |")


@pytest.mark.parametrize("form", FORMATS)
def test_rows_that_are_not_fetched_are_written_too(
    console: Console, tmp_path: Path, form: ExportFormat
) -> None:
    rows = result(console, "SELECT i AS n FROM range(30000) r(i)", first_rows=10)
    done = export(rows, tmp_path / "r", form)
    assert (done.rows, done.whole) == (30_000, True)
    assert rows.fetched <= 10
    assert done.sentence() == f"Wrote 30,000 rows to {tmp_path / 'r'}."
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".duckdb"] == ["r"]
    text = (tmp_path / "r").read_bytes()
    if form == "json":
        assert json.loads(text) == [{"n": n} for n in range(30_000)]
    elif form == "jsonl":
        assert [json.loads(line)["n"] for line in text.splitlines()] == list(range(30_000))
    elif form == "parquet":
        assert pq.read_table(tmp_path / "r")["n"].to_pylist() == list(range(30_000))
    elif form == "csv":
        assert text.split() == [b"n", *(b"%d" % n for n in range(30_000))]
    else:
        assert text.decode().splitlines()[-1] == "| 29999 |"


@pytest.mark.parametrize("form", FORMATS)
def test_an_arrow_table_is_written_alike(form: ExportFormat) -> None:
    table = pa.table({"a": [1, 2], "b": ["x", None]})
    stream = io.BytesIO()
    assert write(table, stream, form) == exporting.Exported(2, True)
    assert stream.getvalue()


def test_a_limit_and_a_result_cut_short_are_not_whole(console: Console) -> None:
    stream = io.BytesIO()
    done = write(result(console, "FROM range(1000)"), stream, "csv", limit=10)
    assert (done.rows, done.whole, len(stream.getvalue().split())) == (10, False, 11)
    assert done.sentence() == "Wrote 10 rows of more than 10."
    assert write(result(console, "FROM range(10)"), io.BytesIO(), "csv", limit=10).whole
    assert not write(result(console, "FROM range(600)"), io.BytesIO(), "csv", limit=0).rows
    cut = result(console, "FROM range(100000)", first_rows=10)
    cut.let_go()
    done = write(cut, io.BytesIO(), "csv")
    assert (done.rows, done.whole) == (10, False)


def test_the_ending_says_the_format(console: Console, tmp_path: Path) -> None:
    for ending, form in exporting.ENDINGS.items():
        export(result(console, "SELECT 1 AS a"), tmp_path / f"r{ending.upper()}")
        assert (tmp_path / f"r{ending.upper()}").read_bytes() == written(
            console, "SELECT 1 AS a", form
        ) or form == "parquet"
    with pytest.raises(StoreError, match="does not say what to write"):
        export(result(console, "SELECT 1"), tmp_path / "r.txt")


def test_nothing_is_written_over_unasked(console: Console, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("mine")
    with pytest.raises(StoreError, match="is there already"):
        export(result(console, "SELECT 1 AS a"), path)
    assert path.read_text() == "mine"
    export(result(console, "SELECT 1 AS a"), path, replace=True)
    assert path.read_text() == "a\n1\n"


def test_a_query_that_fails_leaves_what_was_there(console: Console, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("mine")
    failing = (
        "SELECT CASE WHEN i = 90000 THEN error('late') ELSE i END AS n FROM range(100000) r(i)"
    )
    with pytest.raises(QueryError, match="late"):
        export(result(console, failing, first_rows=5), path, replace=True)
    assert path.read_text() == "mine"
    assert [file.name for file in tmp_path.iterdir() if file.suffix != ".duckdb"] == ["r.csv"]


def test_a_place_that_can_not_be_written_is_said(console: Console, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="can't be written: No such file or directory"):
        export(result(console, "SELECT 1"), tmp_path / "nowhere" / "r.csv")
    with pytest.raises(StoreError, match="is there already"):
        export(result(console, "SELECT 1"), tmp_path, "csv")


def test_memory_is_that_of_a_batch(console: Console) -> None:
    rows: Any = result(console, "FROM range(200000)", first_rows=10)
    largest = 0

    class Stream(io.RawIOBase):
        def write(self, data: Any) -> int:
            nonlocal largest
            largest = max(largest, len(data))
            return len(data)

    done = write(rows, Stream(), "csv")  # type: ignore[arg-type]
    assert done.rows == 200_000
    assert largest < 50_000
