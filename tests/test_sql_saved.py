"""Each shipped query against the same figures computed in Python, and files of one's own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import StoreError
from engine.sql.console import Console, Result
from engine.sql.saved import (
    FIRST_PROBE,
    NEWEST_RUN,
    find_query,
    queries_folder,
    save_query,
    saved_queries,
)
from engine.store import Store
from tests.raw_rows import Raw
from tests.saved_expected import EXPECTED
from tests.varied_store import NEWEST, make_varied_store

SHIPPED = {query.name: query for query in saved_queries() if query.shipped}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with make_varied_store(tmp_path_factory.mktemp("saved") / "s.duckdb") as made:
        yield made


@pytest.fixture(scope="module")
def raw(store: Store) -> Raw:
    return Raw(store)


def alike(one: Any, other: Any) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        if one is None or other is None:
            return one is other
        return math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-7)
    return type(one) is type(other) and bool(one == other)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_shipped_query_says_what_the_raw_rows_say(store: Store, raw: Raw, name: str) -> None:
    console = Console(store)
    (result,) = console.run(SHIPPED[name].sql, first_rows=100_000)
    assert isinstance(result, Result)
    found = result.rows(0, result.fetched)
    expected = list(EXPECTED[name](raw))
    console.close()
    assert expected, "the store has nothing for this query to find"
    assert len(found) == len(expected)
    for row, wanted in zip(found, expected, strict=True):
        assert len(row) == len(wanted)
        assert all(map(alike, row, wanted)), f"{row}\n{wanted}"


def test_every_question_of_a_researcher_has_its_query() -> None:
    assert len(SHIPPED) >= 24
    assert set(SHIPPED) == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_shipped_query_says_what_it_answers(name: str) -> None:
    query = SHIPPED[name]
    assert query.title.endswith("?")
    assert query.about.endswith(".")
    assert all(len(line) <= 110 for line in query.sql.splitlines())


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_rows_that_name_a_question_can_be_opened(store: Store, name: str) -> None:
    console = Console(store)
    (result,) = console.run(SHIPPED[name].sql)
    assert isinstance(result, Result)
    columns = {column.name for column in result.columns}
    console.close()
    if "question_id" in columns or "question_index" in columns:
        assert {"run_id", "probe_id", "question_id"} <= columns


def test_a_query_can_look_at_another_run_or_probe(store: Store) -> None:
    console = Console(store)

    def ids(sql: str, column: int) -> set[int]:
        (result,) = console.run(sql, first_rows=100_000)
        assert isinstance(result, Result)
        return {row[column] for row in result.rows(0, result.fetched)}

    query = SHIPPED["mismatches"]
    assert NEWEST_RUN in query.sql
    assert ids(query.sql, 0) == {NEWEST}
    assert ids(query.aimed(run_id=2), 0) == {2}
    query = SHIPPED["alternatives"]
    assert FIRST_PROBE in query.sql
    assert ids(query.aimed(probe_id=7), 1) == {7}
    assert SHIPPED["runs"].aimed(2, 7) == SHIPPED["runs"].sql
    console.close()


def test_own_queries_are_files_with_the_same_header(tmp_path: Path) -> None:
    saved = save_query("my-query", "SELECT 1", title="One?", about="Just\n  one.", folder=tmp_path)
    assert (tmp_path / "my-query.sql").read_text() == "-- One?\n-- Just\n-- one.\nSELECT 1\n"
    (own, *shipped) = saved_queries(tmp_path)
    assert own == saved
    assert (own.name, own.title, own.about, own.shipped) == ("my-query", "One?", "Just one.", False)
    assert all(query.shipped for query in shipped)
    assert find_query("my-query", tmp_path) == own


def test_a_header_is_kept_or_replaced(tmp_path: Path) -> None:
    kept = save_query("kept", "-- Mine?\nSELECT 1 -- one\n", folder=tmp_path)
    assert (kept.title, kept.about) == ("Mine?", "")
    copied = save_query("copied", SHIPPED["runs"].sql, title="Which?", folder=tmp_path)
    assert copied.title == "Which?"
    assert copied.about == ""
    assert SHIPPED["runs"].title not in copied.sql
    assert copied.sql.splitlines()[1] == "SELECT"
    bare = save_query("bare", "SELECT 1", folder=tmp_path)
    assert bare.title == "bare"


def test_nothing_is_written_over_unasked(tmp_path: Path) -> None:
    save_query("mine", "SELECT 1", folder=tmp_path)
    with pytest.raises(StoreError, match="There is a query mine already"):
        save_query("mine", "SELECT 2", folder=tmp_path)
    assert find_query("mine", tmp_path).sql == "SELECT 1\n"
    save_query("mine", "SELECT 2", folder=tmp_path, replace=True)
    assert find_query("mine", tmp_path).sql == "SELECT 2\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.sql"]


@pytest.mark.parametrize("name", ["", "../x", "A b", "-x", "x" * 61, "x.sql", "refusals"])
def test_names_that_can_not_be_taken(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError):
        save_query(name, "SELECT 1", folder=tmp_path, replace=True)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_query_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "bad.sql").write_bytes(b"\xff\xfe")
    (tmp_path / "Not A Name.sql").write_text("SELECT 1")
    (tmp_path / "refusals.sql").write_text("SELECT 'mine'")
    assert all(query.shipped for query in saved_queries(tmp_path))


def test_own_queries_live_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGITSCOPE_HOME", str(tmp_path))
    save_query("mine", "SELECT 1")
    assert queries_folder() == tmp_path / "queries"
    assert find_query("mine").sql == "SELECT 1\n"
    with pytest.raises(StoreError, match="no saved query nothing"):
        find_query("nothing")
