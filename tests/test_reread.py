"""Every reading can be made anew from the store, without the model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.browse import probe_view
from engine.reread import readings_of, reread
from engine.store import Store, open_store
from tests.sample_store import make_sample_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with make_sample_store(tmp_path / "runs.duckdb", questions=6) as store:
        yield store


def said(reading) -> tuple[object, ...]:
    return (
        *(reading.name, reading.sample, reading.status, reading.label, reading.labels),
        *(reading.rule, reading.span, reading.hedged, reading.position),
    )


def test_what_is_made_anew_is_what_was_stored(store: Store) -> None:
    names = set()
    for (probe_id,) in store.reader().execute("SELECT probe_id FROM probes").fetchall():
        old, new = probe_view(store, probe_id).readings, readings_of(store, probe_id)
        assert list(map(said, new)) == list(map(said, old))
        for before, after in zip(old, new, strict=True):
            assert after.confidence == pytest.approx(before.confidence, abs=2e-4)
            assert after.margin == pytest.approx(before.margin, abs=2e-4)
            assert after.logit == pytest.approx(before.logit, abs=1e-3)
        names |= {reading.name for reading in new}
    assert {"first_token", "answer_position", "exact_match", "majority"} <= names


def test_an_unchanged_ladder_changes_nothing(store: Store) -> None:
    query = "SELECT * EXCLUDE (first_probability, margin) FROM outcomes ORDER BY probe_id"
    before = store.reader().execute(query).fetchall()
    done = reread(store)
    assert (done.probes, done.changed, done.added, done.otherwise) == (24, 0, {}, {})
    assert store.reader().execute(query).fetchall() == before


def test_an_old_database_gets_what_it_lacks_and_keeps_what_it_has(store: Store) -> None:
    store.set_override(2, "option", "A")
    reader = store.reader()
    reader.execute("DELETE FROM readings WHERE name = 'exact_match'")
    reader.execute(
        "UPDATE readings SET status = 'unparsed', label = NULL "
        "WHERE name = 'greedy_text' AND probe_id = 3"
    )
    # Nothing in the store can make this one again.
    reader.execute(
        "UPDATE readings SET name = 'continuation_unconditional' WHERE probe_id = 4 "
        "AND name = 'first_token'"
    )
    dry = reread(store, dry=True)
    assert dry.added == {"exact_match": 24, "first_token": 1}
    assert dry.otherwise == {"greedy_text": 1}
    assert dry.changed == 1
    assert reader.execute(
        "SELECT count(*) FROM readings WHERE name = 'exact_match'"
    ).fetchall() == [(0,)]
    assert reread(store) == dry
    assert reread(store).added == {}
    kept = {reading.name for reading in probe_view(store, 4).readings}
    assert {"continuation_unconditional", "first_token"} <= kept
    assert probe_view(store, 2).override is not None
    status, source = reader.execute(
        "SELECT text_status, text_source FROM outcomes WHERE probe_id = 2"
    ).fetchall()[0]
    assert (status, source) == ("option", "override")


def test_one_run_only(tmp_path: Path, store: Store) -> None:
    from tests.sample_store import add_sample_run

    second = add_sample_run(store, questions=3, formats=("middle",), orders=1)
    assert reread(store, second).probes == 3


def test_a_store_that_is_read_only_is_only_counted(store: Store) -> None:
    path = store.path
    store.close()
    with open_store(path, read_only=True) as readable:
        assert reread(readable, dry=True).probes == 24
