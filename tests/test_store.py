"""The store: what goes in comes out, whatever happens in between."""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from benchmarks.make_big_store import make_big_store
from engine import schema
from engine.browse import probe_view, runs, shown_question
from engine.database import LockedError, connect
from engine.errors import StoreError
from engine.questions import Option, Question
from engine.readings import Reading, read_text
from engine.records import Generation, Positions, ProbeSettings, SamplerSettings
from engine.rows import DECIMALS
from engine.sampler_view import after_sampler
from engine.snapshot import snapshot_copy
from engine.store import Store, open_store
from tests.sample_store import (
    FORMATS,
    MODEL,
    add_sample_run,
    make_sample_store,
    sample_probe,
    sample_questions,
    vocabulary,
)

REPO = Path(__file__).resolve().parents[1]
TABLES = ("probes", "spellings", "continuations", "generations", "positions", "readings")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "s.duckdb"
    make_sample_store(path).close()
    return path


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Iterator[Store]:
    """A store of its own with 40 probes of one run."""
    with open_store(shutil.copy(made, tmp_path)) as opened:
        yield opened


def ask(store: Store, query: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = store.reader().execute(query).fetchall()
    return rows


def counts(store: Store) -> dict[str, int]:
    return {
        table: ask(store, f"SELECT count(*) FROM {table}")[0][0] for table in (*TABLES, "outcomes")
    }


def child(program: str, *arguments: str) -> subprocess.Popen[str]:
    """Another process; it says ``ready`` on its first line."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        cwd=REPO,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


# What goes in comes out


@pytest.mark.parametrize("order", [0, 1])
def test_a_probe_comes_back_as_it_was(tmp_path: Path, order: int) -> None:
    settings = ProbeSettings(samples=3)
    questions = sample_questions(5)
    probes = [sample_probe(q, i, "low", order, settings) for i, q in enumerate(questions)]
    with make_sample_store(tmp_path / "s.duckdb", questions=5) as store:
        ids = store.write(1, probes)
        views = [probe_view(store, probe_id) for probe_id in ids]
    for view, probe in zip(views, probes, strict=True):
        assert view.question == probe.question
        assert view.permutation == probe.permutation
        assert view.prompt == probe.prompt.text
        assert view.prompt_ids == probe.prompt.token_ids
        assert view.label_ids == probe.prompt.label_ids
        assert view.warnings == tuple((w.code, w.message) for w in probe.prompt.warnings)
        assert view.model == MODEL
        assert view.vocab_size == MODEL.vocab_size
        assert view.spellings == near(tuple(probe.result.spellings))
        assert view.continuations == near(tuple(probe.result.continuations))
        assert view.generations == near(tuple(probe.result.generations), rounded=True)
        assert view.readings == near(tuple(probe.readings))


class near:  # noqa: N801
    """Equal up to float32, and in positions up to the rounding of schema.sql."""

    def __init__(self, expected: object, *, rounded: bool = False) -> None:
        self._expected = msgspec.to_builtins(expected)
        self._tolerance = 0.6 * 10**-DECIMALS if rounded else 0.0

    def __eq__(self, other: object) -> bool:
        return self._same(msgspec.to_builtins(other), self._expected)

    def __repr__(self) -> str:
        return repr(self._expected)

    def _same(self, left: Any, right: Any) -> bool:
        if isinstance(right, dict):
            return left.keys() == right.keys() and all(
                self._same(left[key], value) for key, value in right.items()
            )
        if isinstance(right, list | tuple):
            return len(left) == len(right) and all(map(self._same, left, right))
        if isinstance(right, float):
            return bool(left == pytest.approx(right, rel=1e-6, abs=self._tolerance))
        return bool(left == right)


def test_logprobs_of_written_tokens_are_exact_float32(store: Store) -> None:
    probe = sample_probe(sample_questions(1)[0], 0, "low", 0, ProbeSettings(samples=1))
    (probe_id,) = store.write(1, [probe])
    written = probe.result.generations[1].positions
    rows = ask(
        store,
        "SELECT list(logprob ORDER BY position), list(sampler_logprob ORDER BY position) "
        f"FROM positions WHERE probe_id = {probe_id} AND sample = 1",
    )
    assert [as_float32(value) for value in written.logprobs] == rows[0][0]
    assert [as_float32(value) for value in written.sampler_logprobs or []] == rows[0][1]


def as_float32(value: float) -> float:
    import numpy as np

    return float(np.float32(value))


def test_answers_name_the_option_of_the_source(store: Store) -> None:
    rows = ask(
        store,
        """
        SELECT a.label, a.source_label, a.option_index, a.option_text, p.labels, p.permutation,
               q.options
        FROM answers a JOIN probes p USING (probe_id)
        JOIN questions q ON q.question_id = p.question_id
        WHERE a.label IS NOT NULL AND p.order_index = 1
        """,
    )
    assert len(rows) > 50
    moved = 0
    for label, source_label, index, text, labels, permutation, options in rows:
        assert permutation[labels.index(label)] == index
        assert options[index]["label"] == source_label
        assert options[index]["text"] == text
        moved += label != source_label
    assert moved > 10


def test_gold_follows_its_option(store: Store) -> None:
    rows = ask(
        store,
        "SELECT p.labels, p.permutation, p.gold, q.options, q.gold "
        "FROM probes p JOIN questions q USING (question_id) WHERE q.gold IS NOT NULL",
    )
    for labels, permutation, gold, options, source_gold in rows:
        assert options[permutation[labels.index(gold)]]["label"] == source_gold


def test_text_of_tokens_is_joined_in(store: Store) -> None:
    rows = ask(
        store,
        "SELECT g.text, string_agg(w.text, '' ORDER BY w.position) FROM generations g "
        "JOIN written_tokens w USING (probe_id, sample) "
        "WHERE g.text NOT SIMILAR TO '.*[^ -~].*' GROUP BY probe_id, sample, g.text",
    )
    assert len(rows) > 20
    assert all(joined.removesuffix("<|end|>") == text for text, joined in rows)


def test_top_tokens_hold_every_kept_token(store: Store) -> None:
    ((kept, written, below),) = ask(
        store,
        "SELECT count(*), count_if(written), count_if(written AND rank > 1 AND sample = 0) "
        "FROM top_tokens",
    )
    ((expected,),) = ask(store, "SELECT sum(len(top_ids)) FROM positions")
    assert kept == expected
    assert written > 0
    assert below == 0


def test_the_refusing_option_is_noted(store: Store) -> None:
    rows = ask(
        store,
        "SELECT p.labels, p.permutation, p.refusal_label FROM probes p "
        "JOIN questions q USING (question_id) WHERE q.dataset = 'survey'",
    )
    assert rows
    assert all(permutation[labels.index(label)] == 3 for labels, permutation, label in rows)
    others = "SELECT count(refusal_label) FROM outcomes WHERE dataset <> 'survey'"
    assert ask(store, others) == [(0,)]


def test_outcomes_are_what_their_definition_says(store: Store) -> None:
    store.set_override(3, "option", "A")
    for one, other in (("outcomes", "outcome_rows"), ("outcome_rows", "outcomes")):
        assert ask(store, f"FROM {one} EXCEPT FROM {other}") == []
    assert ask(store, "SELECT count(*) FROM outcomes") == [(40,)]


def test_a_probe_without_texts_has_no_text_flags(store: Store) -> None:
    settings = ProbeSettings(samples=0)
    probe = sample_probe(sample_questions(1)[0], 0, "low", 0, settings)
    bare = msgspec.structs.replace(
        probe,
        result=msgspec.structs.replace(probe.result, generations=[], continuations=[]),
        readings=[r for r in probe.readings if r.name in ("first_token", "vocab_argmax")],
    )
    (probe_id,) = store.write(1, [bare])
    ((*absent, first_token, low_margin),) = ask(
        store,
        "SELECT mismatch, refusal, wrong, text_right, greedy_vs_samples, continuation, "
        "sample_count, greedy_text, first_token, low_margin "
        f"FROM outcomes WHERE probe_id = {probe_id}",
    )
    assert absent == [None] * 8
    assert first_token is not None
    assert low_margin is not None
    assert probe_view(store, probe_id).generations == ()


def test_rounding_excludes_no_token_that_the_sampler_kept(store: Store) -> None:
    """The made-up sampler keeps exactly the stored tokens: the last one is its cutoff."""
    shown = 0
    for probe_id in range(1, 11):
        view = probe_view(store, probe_id)
        settings = SamplerSettings(**view.sampler)  # type: ignore[arg-type]
        for positions in (generation.positions for generation in view.generations[1:]):
            for place in range(len(positions)):
                assert positions.sampler_logsumexps is not None
                assert positions.sampler_cutoffs is not None
                after = after_sampler(
                    positions.top_logprobs[place],
                    positions.logsumexps[place],
                    positions.top_ids[place],
                    (),
                    settings,
                    positions.sampler_logsumexps[place],
                    positions.sampler_cutoffs[place],
                )
                assert None not in after
                assert sum(math.exp(x) for x in after if x is not None) == pytest.approx(1, 1e-3)
                shown += 1
    assert shown > 200


def test_a_sampler_that_cuts_nothing_comes_back(store: Store) -> None:
    probe = sample_probe(sample_questions(1)[0], 0, "low", 0, ProbeSettings(samples=1))
    greedy, sample = probe.result.generations
    uncut = msgspec.structs.replace(
        sample.positions, sampler_cutoffs=[-math.inf] * len(sample.positions)
    )
    generations = [greedy, msgspec.structs.replace(sample, positions=uncut)]
    result = msgspec.structs.replace(probe.result, generations=generations)
    (probe_id,) = store.write(1, [msgspec.structs.replace(probe, result=result)])
    stored = probe_view(store, probe_id).generations
    assert stored[0].positions.sampler_cutoffs is None
    assert stored[1].positions.sampler_cutoffs == uncut.sampler_cutoffs


@pytest.mark.parametrize("margins", [None, [0.0, 2.5], [math.inf, 0.25]])
def test_margins_come_back(store: Store, margins: list[float] | None) -> None:
    probe = sample_probe(sample_questions(1)[0], 0, "low", 0, ProbeSettings(samples=0))
    (greedy,) = probe.result.generations
    cut = Positions(
        **{
            name: values[:2] if values is not None else None
            for name, values in msgspec.structs.asdict(greedy.positions).items()
        }
    )
    positions = msgspec.structs.replace(cut, margins=margins)
    texts = [msgspec.structs.replace(greedy, positions=positions)]
    result = msgspec.structs.replace(probe.result, generations=texts)
    (probe_id,) = store.write(1, [msgspec.structs.replace(probe, result=result)])
    assert probe_view(store, probe_id).generations[0].positions.margins == margins
    least = f"SELECT least_margin FROM outcomes WHERE probe_id = {probe_id}"
    assert ask(store, least) == [(None if margins is None else min(margins),)]


# Texts that were asked for later


def later_texts(probe_id: int, store: Store) -> tuple[list[Generation], list[Reading]]:
    """An extra sample and two branches, made of the probe's own texts."""
    _, sample, *_ = probe_view(store, probe_id).generations
    texts = [
        msgspec.structs.replace(sample, kind="extra", index=5),
        msgspec.structs.replace(sample, kind="branch", index=-1, parent=0, fork=0),
        msgspec.structs.replace(sample, kind="branch", index=-2, parent=-1, fork=3),
    ]
    return texts, [read_text(shown_question(store, probe_id), text) for text in texts]


def test_later_texts_come_back_and_count_nowhere(store: Store) -> None:
    before = probe_view(store, 7)
    outcomes = ask(store, "FROM outcomes ORDER BY probe_id")
    texts, found = later_texts(7, store)
    store.add_texts(7, texts, found)
    view = probe_view(store, 7)
    assert view.generations == near((*before.generations, *texts), rounded=True)
    assert view.readings == (*before.readings, *found)
    assert [(reading.name, reading.sample) for reading in found] == [
        ("extra_text", 5),
        ("branch_text", -1),
        ("branch_text", -2),
    ]
    store.set_override(7, "option", "A")
    store.clear_override(7)
    assert ask(store, "FROM outcomes ORDER BY probe_id") == outcomes
    for one, other in (("outcomes", "outcome_rows"), ("outcome_rows", "outcomes")):
        assert ask(store, f"FROM {one} EXCEPT FROM {other}") == []


@pytest.mark.parametrize("taken", [0, 2, -1])
def test_a_number_that_is_taken_is_refused_whole(store: Store, taken: int) -> None:
    texts, found = later_texts(7, store)
    store.add_texts(7, texts[1:2], found[1:2])
    before = counts(store)
    texts[2] = msgspec.structs.replace(texts[2], index=taken)
    with pytest.raises(StoreError, match=f"Probe 7 has a text number {taken} already"):
        store.add_texts(7, [texts[0], texts[2]], found[:1])
    assert counts(store) == before
    store.add_texts(8, texts[2:] if taken < 0 else texts[:1], [])


# Changes


def test_an_override_counts_and_leaves_the_reading_alone(store: Store) -> None:
    readings = ask(store, "FROM readings ORDER BY ALL")
    before = ask(store, "FROM outcomes ORDER BY probe_id")
    store.set_override(2, "option", "D", note="it says so in the last line")
    changed = ask(
        store, "SELECT text_status, text_label, text_source FROM outcomes WHERE probe_id = 2"
    )
    assert changed == [("option", "D", "override")]
    view = probe_view(store, 2)
    assert view.override is not None
    assert (view.override.status, view.override.label) == ("option", "D")
    assert (view.row.text_status, view.row.text_label) == ("option", "D")
    store.set_override(2, "refusal")
    assert ask(store, "SELECT text_status, text_label, refusal FROM outcomes WHERE probe_id = 2")[
        0
    ] == ("refusal", None, True)
    assert ask(store, "FROM readings ORDER BY ALL") == readings
    store.clear_override(2)
    assert probe_view(store, 2).override is None
    assert ask(store, "FROM outcomes ORDER BY probe_id") == before


def test_a_refusal_by_hand_is_the_option_that_refuses(tmp_path: Path) -> None:
    with make_sample_store(tmp_path / "x.duckdb", questions=6) as store:
        reader = store.reader()
        found = reader.execute(
            "SELECT probe_id, refusal_label FROM probes WHERE refusal_label IS NOT NULL LIMIT 1"
        ).fetchone()
        assert found is not None
        probe_id, refusing = found
        store.set_override(probe_id, "refusal")
        told = reader.execute(
            "SELECT text_status, text_label, refusal FROM outcomes WHERE probe_id = ?", [probe_id]
        ).fetchone()
        assert told == ("refusal", refusing, True)


def test_marks_toggle(store: Store) -> None:
    assert store.toggle_mark(5) is True
    assert ask(store, "SELECT probe_id FROM listing WHERE marked") == [(5,)]
    assert store.toggle_mark(5) is False
    assert ask(store, "SELECT count(*) FROM listing WHERE marked") == [(0,)]


def test_probes_are_numbered_on_over_runs(store: Store) -> None:
    second = add_sample_run(store, questions=2)
    assert second == 2
    assert ask(store, "SELECT min(probe_id), max(probe_id) FROM probes WHERE run_id = 2") == [
        (41, 48)
    ]


def test_done_keys_are_those_stored(store: Store) -> None:
    done = store.done_keys(1)
    assert done == {
        (index, fmt, order) for index in range(10) for fmt in FORMATS for order in (0, 1)
    }
    assert store.done_keys(2) == set()


def test_an_unfinished_run_is_found_by_its_plan(tmp_path: Path) -> None:
    with open_store(tmp_path / "s.duckdb") as store:
        run_id = add_sample_run(store, questions=2, finish=False)
        ((fingerprint,),) = ask(store, "SELECT fingerprint FROM runs")
        assert store.find_run(fingerprint) == run_id
        assert store.find_run("another plan") is None
        store.finish_run(run_id, "cancelled", "Cancelled by hand.")
        assert store.find_run(fingerprint) == run_id
        assert runs(store)[0].message == "Cancelled by hand."
        store.finish_run(run_id, "running")
        assert ask(store, "SELECT finished_at, message FROM runs") == [(None, None)]
        store.finish_run(run_id, "finished")
        assert store.find_run(fingerprint) is None


def test_questions_and_vocabularies_are_stored_once(store: Store) -> None:
    store.add_questions([*sample_questions(10), *sample_questions(11)])
    store.add_vocabulary(MODEL.tokenizer_hash, vocabulary())
    assert ask(store, "SELECT count(*) FROM questions") == [(11,)]
    assert ask(store, "SELECT count(*) FROM tokens") == [(len(vocabulary()),)]


def test_probes_of_unknown_questions_are_refused_whole(store: Store) -> None:
    before = counts(store)
    stranger = Question("Never added?", (Option("A", "yes"), Option("B", "no")), "A")
    known = sample_questions(1)[0]
    probes = [sample_probe(q, 0, "low", 0, ProbeSettings(samples=1)) for q in (known, stranger)]
    with pytest.raises(StoreError, match="1 probes ask questions that are not stored"):
        store.write(1, probes)
    assert counts(store) == before


def test_readers_in_threads_see_what_is_committed(store: Store) -> None:
    settings = ProbeSettings(samples=1)
    probe = sample_probe(sample_questions(1)[0], 0, "low", 0, settings)
    seen: list[list[int]] = [[], []]
    stop = threading.Event()

    def look(into: list[int]) -> None:
        while not stop.is_set():
            ((probes, outcomes),) = ask(
                store, "SELECT (SELECT count(*) FROM probes), (SELECT count(*) FROM outcomes)"
            )
            assert probes == outcomes
            into.append(probes)

    threads = [threading.Thread(target=look, args=(into,)) for into in seen]
    for thread in threads:
        thread.start()
    for _ in range(8):
        store.write(1, [probe])
    stop.set()
    for thread in threads:
        thread.join()
    assert all(into == sorted(into) and into for into in seen)
    assert ask(store, "SELECT count(*) FROM probes") == [(48,)]


def test_a_closed_store_says_so(store: Store) -> None:
    reader = store.reader()
    store.close()
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.reader()
    with pytest.raises(StoreError, match="is closed"):
        store.toggle_mark(1)
    with pytest.raises(duckdb.Error):
        reader.execute("SELECT 1")


# Opening


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda p: p.write_text("question,A,B\n" * 1000), "is not a DuckDB database"),
        (lambda p: p.mkdir(), "is a folder"),
        (lambda p: None, "There is no database"),
        (lambda p: duckdb.connect(str(p)), "is an empty database"),
        (lambda p: duckdb.connect(str(p)).execute("CREATE TABLE t (a INT)"), "not one of logit"),
        (
            lambda p: duckdb.connect(str(p)).execute(
                "CREATE TABLE meta (a INT); CREATE TABLE runs (a INT); CREATE TABLE probes (a INT)"
            ),
            "can't be",
        ),
    ],
    ids=["text", "folder", "missing", "empty", "other tables", "like ours"],
)
def test_what_is_no_database_of_ours_is_said(tmp_path: Path, make: Any, sentence: str) -> None:
    path = tmp_path / "x.duckdb"
    made = make(path)
    if isinstance(made, duckdb.DuckDBPyConnection):
        made.close()
    with pytest.raises(StoreError, match=sentence):
        open_store(path, read_only=True)


def test_another_programs_tables_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t (a INT)")
    with pytest.raises(StoreError, match="not one of logitscope"):
        open_store(path)
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("SHOW TABLES").fetchall() == [("t",)]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no folder .*nowhere"):
        open_store(tmp_path / "nowhere" / "x.duckdb")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone without permission")
@pytest.mark.parametrize(("folder", "file"), [(0o755, 0o600), (0o700, 0o666)])
def test_a_forbidden_file_is_said(made: Path, folder: int, file: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(shutil.copy(made, place))
        path.chmod(file)
        Path(place).chmod(folder)
        os.seteuid(65534)
        try:
            with pytest.raises(StoreError, match="permission denied") as caught:
                open_store(path)
        finally:
            os.seteuid(0)
    assert caught.value.hint


def test_a_newer_schema_is_refused(store: Store) -> None:
    store.close()
    with connect(store.path, read_only=False) as connection:
        connection.execute("UPDATE meta SET schema_version = schema_version + 1")
    ours = schema.current_version()
    sentence = rf"newer logitscope \(schema {ours + 1}, this one reads up to {ours}\)"
    for read_only in (False, True):
        with pytest.raises(StoreError, match=sentence):
            open_store(store.path, read_only=read_only)


def test_an_older_schema_is_brought_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = counts(store)
    store.close()
    step = "ALTER TABLE runs ADD COLUMN note VARCHAR; UPDATE runs SET note = 'older'"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, step))
    with pytest.raises(StoreError, match="brought up to date"):
        open_store(store.path, read_only=True)
    for _ in range(2):
        with open_store(store.path) as upgraded:
            assert ask(upgraded, "SELECT note FROM runs") == [("older",)]
            assert ask(upgraded, "SELECT schema_version FROM meta") == [(schema.current_version(),)]
            assert counts(upgraded) == before


def test_a_failed_upgrade_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = counts(store)
    store.close()
    step = "ALTER TABLE runs ADD COLUMN note VARCHAR; SELECT no_such_column FROM runs"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, step))
        with pytest.raises(StoreError, match="no_such_column"):
            open_store(store.path)
    with open_store(store.path) as unchanged:
        assert counts(unchanged) == before


def test_outcomes_follow_changed_definitions(store: Store) -> None:
    before = ask(store, "FROM outcomes ORDER BY probe_id")
    store.close()
    with connect(store.path, read_only=False) as connection:
        connection.execute("UPDATE meta SET definitions = 'of another version'")
        connection.execute("UPDATE outcomes SET mismatch = NOT mismatch, margin = -1")
    with pytest.raises(StoreError, match="brought up to date"):
        open_store(store.path, read_only=True)
    with open_store(store.path) as rebuilt:
        assert ask(rebuilt, "FROM outcomes ORDER BY probe_id") == before
        rebuilt.set_override(1, "option", "A")


def test_everything_is_documented_in_the_database(store: Store) -> None:
    undocumented = ask(
        store,
        "SELECT table_name FROM duckdb_tables() WHERE comment IS NULL UNION ALL "
        "SELECT view_name FROM duckdb_views() WHERE NOT internal AND comment IS NULL",
    )
    assert undocumented == [("outcome_rows",)]
    documented = dict(
        ask(
            store,
            "SELECT table_name || '.' || column_name, comment FROM duckdb_columns() "
            "WHERE comment IS NOT NULL",
        )
    )
    assert documented["positions.rank"] == "1: the likeliest"
    assert documented["answers.label"] == "in the labels shown"
    assert documented["outcomes.text_label"] == "the option it says"
    assert documented["outcomes.unparsed"] == "No rule finds an answer in the text."


# Several processes, crashes, full disks

HOLD = """
import sys
from engine.store import open_store
store = open_store(sys.argv[1], read_only=sys.argv[2] == "read")
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_held_file_names_its_holder(store: Store) -> None:
    store.close()
    with child(HOLD, str(store.path), "write") as holder:
        for read_only in (False, True):
            with pytest.raises(LockedError, match=f"process {holder.pid}") as caught:
                open_store(store.path, read_only=read_only)
            assert caught.value.pid == holder.pid
        holder.communicate()
    open_store(store.path).close()


def test_many_can_read_at_once(store: Store) -> None:
    store.close()
    with child(HOLD, str(store.path), "read") as holder:
        with open_store(store.path, read_only=True) as other:
            assert ask(other, "SELECT count(*) FROM probes") == [(40,)]
            with pytest.raises(StoreError, match="reading only"):
                other.toggle_mark(1)
        holder.communicate()


WRITE = """
import sys
from pathlib import Path
from engine.store import open_store
from tests.sample_store import *
store = open_store(sys.argv[1])
run_id = add_sample_run(store, questions=1, finish=False)
probes = [sample_probe(q, i, "low", 0, ProbeSettings(samples=1))
          for i, q in enumerate(sample_questions(1) * 25)]
print("ready", flush=True)
while True:
    store.write(run_id, probes)
    Path(sys.argv[2]).write_text(str(store.reader().execute(
        "SELECT count(*) FROM probes").fetchall()[0][0]))
"""


def wait_for_batches(witness: Path, batches: int) -> int:
    """Wait until the child has committed so many probes; returns how many it has."""
    stored = 0
    while stored < 25 * batches:
        stored = int(witness.read_text() or 0) if witness.exists() else 0
    return stored


def test_a_killed_writer_loses_nothing_committed(tmp_path: Path) -> None:
    path, witness = tmp_path / "s.duckdb", tmp_path / "committed"
    with child(WRITE, str(path), str(witness)) as writer:
        committed = wait_for_batches(witness, 3)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    before = path.read_bytes()
    with open_store(path, read_only=True) as store:
        assert ask(store, "SELECT count(*) FROM probes")[0][0] >= committed
        whole(store)
    assert path.read_bytes() == before
    with open_store(path) as store:
        assert ask(store, "SELECT count(*) FROM probes")[0][0] >= committed
        whole(store)
        assert [run.status for run in runs(store)] == ["interrupted"]
        assert runs(store)[0].message


def whole(store: Store) -> None:
    """Every probe that is there is there with everything."""
    ((probes, outcomes, texts, readings),) = ask(
        store,
        "SELECT (SELECT count(*) FROM probes), (SELECT count(*) FROM outcomes), "
        "(SELECT count(DISTINCT probe_id) FROM generations), "
        "(SELECT count(DISTINCT probe_id) FROM readings)",
    )
    assert probes == outcomes == texts == readings
    assert (probes - 4) % 25 == 0


FILL_THE_DISK = """
import resource, sys
from engine.database import SETTINGS
from engine.errors import StoreError
from engine.store import open_store
from tests.sample_store import *
SETTINGS["checkpoint_threshold"] = sys.argv[3]
store = open_store(sys.argv[1])
run_id = add_sample_run(store, questions=1)
probes = [sample_probe(q, i, "low", 0, ProbeSettings(samples=1))
          for i, q in enumerate(sample_questions(1) * 25)]
print("ready", flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
written = 0
try:
    while written < 200:
        store.write(run_id, probes)
        written += 1
except StoreError as error:
    print(error, flush=True)
count = store.reader().execute("SELECT count(*) FROM outcomes").fetchall()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.write(run_id, probes)
after = store.reader().execute("SELECT count(*) FROM outcomes").fetchall()
print(written, count[0][0], after[0][0], flush=True)
store.close()
"""


@pytest.mark.parametrize(
    ("limit", "checkpoint_at", "failing"),
    [(1_000_000, "16MB", "commit"), (4_000_000, "1MB", "checkpoint")],
)
def test_a_full_disk_is_said_and_costs_one_batch(
    tmp_path: Path, limit: int, checkpoint_at: str, failing: str
) -> None:
    path = tmp_path / "s.duckdb"
    with child(FILL_THE_DISK, str(path), str(limit), checkpoint_at) as writer:
        said, _ = writer.communicate()
    sentence, figures = said.strip().splitlines()
    assert "can't grow" in sentence
    assert ("create checkpoint" in sentence) == (failing == "checkpoint")
    written, stored, after = map(int, figures.split())
    assert stored == 4 + 25 * written
    assert after == stored + 25
    with open_store(path) as store:
        assert ask(store, "SELECT count(*) FROM probes") == [(after,)]
        whole(store)


def test_closing_interrupts_whoever_reads(store: Store) -> None:
    said: list[str] = []
    started = threading.Event()

    def read() -> None:
        reader = store.reader()
        started.set()
        try:
            reader.execute("SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b")
            reader.fetchall()
        except duckdb.Error as error:
            said.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    started.wait()
    time.sleep(0.2)
    store.close()
    thread.join(timeout=60)
    assert not thread.is_alive()
    assert said


# Copies


def test_a_store_copies_itself_and_keeps_its_file(store: Store, tmp_path: Path) -> None:
    store.toggle_mark(7)
    store.snapshot(tmp_path / "copy.duckdb")
    with open_store(tmp_path / "copy.duckdb", read_only=True) as copy:
        assert counts(copy) == counts(store)
        assert ask(copy, "SELECT probe_id FROM marks") == [(7,)]
    assert not list(tmp_path.glob("*.part*"))
    intruder = subprocess.run(
        [sys.executable, "-c", HOLD, str(store.path), "read"],
        input="",
        capture_output=True,
        text=True,
        cwd=REPO,
        check=False,
    )
    assert f"process {os.getpid()}" in intruder.stderr
    store.toggle_mark(8)
    assert ask(store, "SELECT count(*) FROM marks") == [(2,)]


def test_a_copy_never_replaces_a_file(store: Store, tmp_path: Path) -> None:
    (tmp_path / "copy.duckdb").write_text("mine")
    with pytest.raises(StoreError, match="is there already"):
        store.snapshot(tmp_path / "copy.duckdb")
    assert (tmp_path / "copy.duckdb").read_text() == "mine"
    with pytest.raises(StoreError, match="There is no database"):
        snapshot_copy(tmp_path / "nothing.duckdb", tmp_path / "new.duckdb")


def test_a_file_that_is_being_written_can_be_copied(tmp_path: Path) -> None:
    path, witness = tmp_path / "s.duckdb", tmp_path / "committed"
    with child(WRITE, str(path), str(witness)) as writer:
        for number in range(5):
            committed = wait_for_batches(witness, number + 1)
            copied = tmp_path / f"copy{number}.duckdb"
            snapshot_copy(path, copied)
            with open_store(copied) as copy:
                assert ask(copy, "SELECT count(*) FROM probes")[0][0] >= committed
                whole(copy)
        writer.kill()


# Size


def test_a_position_takes_at_most_120_bytes(tmp_path: Path) -> None:
    probes, tokens = 2_000, 40
    sizes = []
    for count in (0, tokens):
        path = tmp_path / f"{count}.duckdb"
        make_big_store(path, probes, count)
        sizes.append(path.stat().st_size)
    assert (sizes[1] - sizes[0]) / (probes * tokens) <= 120


def test_positions_are_rounded_where_the_schema_says_so(store: Store) -> None:
    ((top, entropy),) = ask(
        store,
        "SELECT max(abs(list_max([abs(x::DOUBLE - round(x::DOUBLE, 4)) FOR x IN top_logprobs]))), "
        "max(abs(entropy::DOUBLE - round(entropy::DOUBLE, 4))) FROM positions",
    )
    assert top < 1e-6
    assert entropy < 1e-6
