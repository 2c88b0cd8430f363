"""What the console can name, with its documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import StoreError
from engine.flags import FLAGS
from engine.sql.catalog import Catalog, read_catalog
from engine.sql.console import Console
from engine.store import Store, open_store


@pytest.fixture
def store(sample_database: Path) -> Store:
    return open_store(sample_database)


@pytest.fixture
def catalog(store: Store) -> Catalog:
    return read_catalog(store)


def test_every_table_and_view_is_there_with_its_columns(store: Store, catalog: Catalog) -> None:
    stored = store.reader().execute(
        "SELECT table_name, list(column_name ORDER BY ordinal_position) "
        "FROM information_schema.columns WHERE table_schema = 'main' GROUP BY 1"
    )
    named = {table.name: [column.name for column in table.columns] for table in catalog.tables}
    assert named == dict(stored.fetchall())


def test_every_table_says_what_a_row_is(catalog: Catalog) -> None:
    assert [table.name for table in catalog.tables if not table.about] == []


def test_columns_have_types_and_the_words_of_the_schema(catalog: Catalog) -> None:
    columns = {column.name: column for column in catalog.table("probes").columns}
    assert columns["permutation"].type == "INTEGER[]"
    assert columns["permutation"].about == "permutation[i] is the source index of shown option i"


def test_flags_are_documented_wherever_they_are_listed(catalog: Catalog) -> None:
    for name in ("outcomes", "listing", "outcome_rows"):
        columns = {column.name: column for column in catalog.table(name).columns}
        assert {flag.name: columns[flag.name].about for flag in FLAGS} == {
            flag.name: flag.description for flag in FLAGS
        }


def test_a_view_without_words_of_its_own_has_those_of_what_it_reads(catalog: Catalog) -> None:
    read = {column.name: column.about for column in catalog.table("readings").columns}
    decided = {column.name: column.about for column in catalog.table("decided_answers").columns}
    assert decided["confidence"] == read["confidence"]


def test_names_do_not_care_about_case(catalog: Catalog) -> None:
    assert catalog.table("OUTCOMES") is catalog.table("outcomes")
    with pytest.raises(StoreError, match="no table or view nothing"):
        catalog.table("nothing")


def test_functions_are_there_without_the_inside_of_duckdb(catalog: Catalog) -> None:
    functions = {function.name: function for function in catalog.functions}
    assert {"sum", "list_transform", "row_number", "regexp_extract", "range"} <= set(functions)
    assert "list_transform(list ANY[], lambda LAMBDA) -> ANY[]" in (
        functions["list_transform"].signatures
    )
    assert functions["list_transform"].about
    assert functions["list_transform"].example.startswith("list_transform(")
    assert functions["range"].makes_rows
    assert functions["range"].makes_values
    assert not functions["sum"].makes_rows
    noise = [name for name in functions if name.startswith(("_", "icu_collate", "pg_"))]
    assert noise == []
    assert all(name.isidentifier() for name in functions)


def test_values_are_those_of_the_store(catalog: Catalog) -> None:
    assert catalog.values["format"] == ("high", "low")
    assert "opinion" in catalog.values["subject"]
    assert "refusal" in catalog.values["text_status"]
    assert "interrupted" in catalog.values["runs.status"]
    assert "majority" in catalog.values["reading"]
    assert catalog.values["gold"] == tuple("ABCDEFGHIJ")


def test_own_views_come_with_the_next_reading(store: Store, catalog: Catalog) -> None:
    console = Console(store)
    console.run("CREATE VIEW mine AS SELECT probe_id, margin FROM outcomes")
    console.run("CREATE TABLE notes (probe_id INTEGER, note VARCHAR)")
    assert "mine" not in catalog.by_name
    again = read_catalog(store)
    assert again.table("mine").kind == "own view"
    assert [column.name for column in again.table("mine").columns] == ["probe_id", "margin"]
    assert again.table("notes").kind == "own table"
    console.close()


def test_names_are_quoted_only_where_they_must(catalog: Catalog) -> None:
    assert [catalog.name(name) for name in ("text", "Margin", "order", "a b", 'a"b', "日本")] == [
        "text", "Margin", '"order"', '"a b"', '"a""b"', '"日本"',
    ]  # fmt: skip


def test_a_closed_store_is_said(store: Store) -> None:
    store.close()
    with pytest.raises(StoreError):
        read_catalog(store)
