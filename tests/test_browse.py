"""Lists, windows and single probes of a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import browse
from engine.browse import (
    FLAG_NAMES,
    flag_counts,
    flagged_mask,
    list_ids,
    list_rows,
    probe_view,
    runs,
    token_entries,
)
from engine.errors import StoreError
from engine.protocol import VocabularyEntry
from engine.store import Store, open_store
from tests.sample_store import END, UNKNOWN_ID, add_sample_run, make_sample_store, token_id


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Two runs: the second has the questions in one format only."""
    with make_sample_store(tmp_path_factory.mktemp("browse") / "s.duckdb") as made:
        add_sample_run(made, questions=3, formats=("low",), orders=1, name="second", finish=False)
        made.toggle_mark(7)
        yield made


def ask(store: Store, query: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = store.reader().execute(query).fetchall()
    return rows


def test_runs_come_newest_first_with_their_counts(store: Store) -> None:
    second, first = runs(store)
    assert (first.name, first.status, first.planned, first.stored) == (
        ("sample run", "finished", 40, 40)
    )
    assert (second.name, second.status, second.stored) == ("second", "running", 3)
    assert first.formats == ("low", "high")
    assert probe_view(store, 1).run == first


def test_ids_are_those_of_the_run_in_natural_order(store: Store) -> None:
    ids = list_ids(store, 1)
    assert ids.dtype == np.int32
    rows = list_rows(store, ids)
    assert [row.probe_id for row in rows] == ids.tolist()
    keys = [(row.question_index, row.format, row.order_index) for row in rows]
    assert keys == sorted(keys)
    assert len(keys) == len(set(keys)) == 40
    assert sorted(list_ids(store, 2).tolist()) == [41, 42, 43]
    assert list_ids(store, 99).tolist() == []


def test_ids_follow_any_order(store: Store) -> None:
    ids = list_ids(store, 1, order_by="margin DESC NULLS LAST, probe_id")
    margins = [row.margin or 0.0 for row in list_rows(store, ids)]
    assert margins == sorted(margins, reverse=True)


def test_a_condition_may_use_every_column_and_flag(store: Store) -> None:
    for name in (*browse.ListRow.__struct_fields__, *FLAG_NAMES):
        if name not in ("flags", "option_probabilities", "top_tokens"):
            count = len(list_ids(store, 1, condition=f"{name} IS NOT NULL OR {name} IS NULL"))
            assert count == 40, name


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("subject = 'opinion'", lambda row: row.subject == "opinion"),
        (
            "mismatch AND format = 'low'",
            lambda row: row.format == "low" and "mismatch" in row.flags,
        ),
        ("contains(greedy_text, 'sorry')", lambda row: "sorry" in row.greedy_text),
        ("question LIKE '%化学%'", lambda row: "化学" in row.question),
        ("marked", lambda row: row.probe_id == 7),
        ("order_index = 1 -- the shuffled ones", lambda row: row.order_index == 1),
        ("true) OR (false", lambda row: True),
        ("  ", lambda row: True),
    ],
)
def test_a_condition_picks_what_it_says(store: Store, condition: str, expected: Any) -> None:
    ids = list_ids(store, 1, condition=condition)
    everything = list_rows(store, list_ids(store, 1))
    assert ids.tolist() == [row.probe_id for row in everything if expected(row)]
    assert len(ids) > 0
    assert flag_counts(store, 1, condition)["all"] == len(ids)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("no_such_column = 1", 'Referenced column "no_such_column" not found'),
        ("subject =", "syntax error"),
        ("subject", "Could not convert"),
        ("true; DROP TABLE probes", "syntax error"),
        ("true); DROP TABLE probes; --", "statements instead of one|syntax error"),
        (
            "probe_id IN (WITH x AS (DELETE FROM marks RETURNING *) FROM x)",
            "data-modifying|needs a SELECT",
        ),
        ("probe_id IN (SELECT * FROM read_csv('/etc/passwd'))", "out of reach"),
    ],
)
def test_a_bad_condition_is_said_and_changes_nothing(
    store: Store, condition: str, said: str
) -> None:
    for read in (list_ids, flag_counts):
        with pytest.raises(StoreError, match=said):
            read(store, 1, condition=condition)
    assert len(list_ids(store, 1)) == 40
    assert ask(store, "SELECT count(*) FROM marks") == [(1,)]


def _recorded(store: Store, flag: str) -> bool:
    return ask(store, f"SELECT count({flag}) > 0 FROM outcomes") == [(True,)]


def test_counts_agree_with_the_ids_of_every_flag(store: Store) -> None:
    for condition in ("", "format = 'high'"):
        counts = flag_counts(store, 1, condition)
        recorded = [name for name in FLAG_NAMES if _recorded(store, name)]
        assert list(counts) == ["all", *recorded]
        assert len(recorded) < len(FLAG_NAMES)
        for name in FLAG_NAMES:
            ids = list_ids(store, 1, condition=condition, flag=name)
            assert len(ids) == counts.get(name, 0)
            assert all(name in row.flags for row in list_rows(store, ids))
    common = ("mismatch", "same_but_not_first", "refusal", "several", "truncated", "wrong")
    assert all(flag_counts(store, 1)[name] > 0 for name in common)


def test_a_mask_says_which_ids_are_flagged(store: Store) -> None:
    ids = list_ids(store, 1, condition="format = 'low'", order_by="margin")
    mask = flagged_mask(store, 1, "mismatch", ids)
    assert mask.tolist() == ["mismatch" in row.flags for row in list_rows(store, ids)]
    assert mask.any()
    assert not mask.all()
    assert flagged_mask(store, 1, "mismatch", ids[:0]).tolist() == []


@pytest.mark.parametrize("ids", [[3, 1, 2], [40, 1, 17], [1, 43], [5, 5], [1, 999, 2], [999], []])
def test_rows_come_in_the_order_asked_for(store: Store, ids: list[int]) -> None:
    assert [row.probe_id for row in list_rows(store, ids)] == [i for i in ids if i <= 43]


def test_a_row_says_what_the_probe_says(store: Store) -> None:
    for probe_id in list_ids(store, 1)[:12].tolist():
        view = probe_view(store, probe_id)
        row = view.row
        by_name = {reading.name: reading for reading in view.readings}
        assert row.first_token == by_name["first_token"].label
        assert row.first_probability == by_name["first_token"].confidence
        assert row.continuation == by_name["continuation"].label
        assert (row.text_status, row.text_label) == (
            by_name["greedy_text"].status,
            by_name["greedy_text"].label,
        )
        assert (row.majority_status, row.majority) == (
            by_name["majority"].status,
            by_name["majority"].label,
        )
        assert row.sample_agreement == by_name["majority"].confidence
        assert row.sample_count == 4
        assert row.greedy_text == view.generations[0].text
        assert row.question == view.question.text
        assert row.gold == view.question.gold
        assert [label for label, _ in row.option_probabilities] == list(view.question.labels)
        assert sum(p for _, p in row.option_probabilities) < 1
        assert row.top_tokens[0][1] == max(p for _, p in row.top_tokens)
        assert row.marked == (probe_id == 7)


def test_tokens_of_a_view_explain_every_id(store: Store) -> None:
    view = probe_view(store, 1)
    ids = {*view.prompt_ids, *view.label_ids}
    for generation in view.generations:
        ids.update(generation.positions.token_ids)
        ids.update(i for kept in generation.positions.top_ids for i in kept)
    assert ids <= view.tokens.keys()
    assert view.tokens[token_id(END)] == (END, END.encode(), True)
    assert view.sampler["temperature"] == 0.8


def test_tokens_that_are_not_text_are_still_shown(store: Store) -> None:
    byte, unknown = 0xE6, UNKNOWN_ID
    assert token_entries(store, 1, [byte, unknown, 123_456]) == {
        byte: ("<0xE6>", b"\xe6", False),
        unknown: (None, b"", False),
    }
    shown = [text for row in list_rows(store, range(1, 41)) for text, _ in row.top_tokens]
    assert f"#{UNKNOWN_ID}" in shown
    assert "\N{REPLACEMENT CHARACTER}" in shown
    assert "" not in shown


def test_each_run_has_its_own_vocabulary(tmp_path: Path) -> None:
    with make_sample_store(tmp_path / "s.duckdb", questions=1, orders=1) as store:
        add_sample_run(store, questions=1, orders=1)
        other = [VocabularyEntry(f"other{i}", f"other{i}".encode(), False) for i in range(1000)]
        store.add_vocabulary("another", other)
        writer = store._connections.writer
        writer.execute("UPDATE runs SET tokenizer = 'another' WHERE run_id = 2")
        first, second = list_rows(store, [1, 3])
        assert [p for _, p in first.top_tokens] == [p for _, p in second.top_tokens]
        assert all(text.startswith("other") for text, _ in second.top_tokens)
        assert not any(text.startswith("other") for text, _ in first.top_tokens)


def test_a_missing_probe_is_said(store: Store) -> None:
    with pytest.raises(StoreError, match="There is no probe 999"):
        probe_view(store, 999)


def test_reading_goes_on_while_a_run_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    with make_sample_store(path, questions=2) as store:
        before = list_ids(store, 1)
        add_sample_run(store, questions=2)
        assert list_ids(store, 1).tolist() == before.tolist()
        assert len(runs(store)) == 2
    with open_store(path, read_only=True) as store:
        assert len(list_ids(store, 2)) == 8
        assert probe_view(store, 16).run.run_id == 2


def test_a_closed_store_is_said(tmp_path: Path) -> None:
    store = make_sample_store(tmp_path / "s.duckdb", questions=1)
    store.close()
    for read in (lambda: runs(store), lambda: list_rows(store, [1]), lambda: list_ids(store, 1)):
        with pytest.raises(StoreError, match="is closed"):
            read()
