"""``logitscope export``: what lies in the folder, and that it is there whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from pyarrow import parquet

from engine.errors import StoreError
from engine.store import Store, open_store
from engine.transfer import export_runs, exporting
from engine.transfer.layout import DERIVED, TABLES, hash_of, table_path
from tests.sample_store import add_sample_run
from tests.test_cli import logitscope as logitscope


@pytest.fixture
def store(sample_database: Path) -> Store:
    """Two runs: one of 48 probes, one of 8 with other questions only in part."""
    store = open_store(sample_database)
    add_sample_run(store, questions=4, orders=1, samples=1, name="second")
    store.toggle_mark(50)
    store.set_override(3, "option", "A", "looked at it")
    return store


def ask(store: Store, query: str) -> list[tuple[object, ...]]:
    return store.reader().execute(query).fetchall()


def test_a_file_holds_the_rows_of_its_runs_alone(store: Store, tmp_path: Path) -> None:
    exported = export_runs(store, tmp_path / "x", [2])
    assert [(run.run_id, run.name, run.probes) for run in exported.manifest.runs] == [
        (2, "second", 8)
    ]
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == sorted(
        ["README.md", "manifest.json", *(f"{table}.parquet" for table in (*TABLES, DERIVED))]
    )
    of_run = "probe_id IN (SELECT probe_id FROM probes WHERE run_id = 2)"
    for table in (*TABLES, DERIVED):
        where = {
            "runs": "run_id = 2",
            "questions": f"question_id IN (SELECT question_id FROM probes WHERE {of_run})",
            "tokens": "true",
        }.get(table, of_run)
        ((expected,),) = ask(store, f"SELECT count(*) FROM {table} WHERE {where}")
        file = table_path(tmp_path / "x", table)
        assert parquet.read_metadata(file).num_rows == expected
        assert exported.manifest.tables[table].rows == expected
        assert exported.manifest.tables[table].sha256 == hash_of(file)
    assert parquet.read_table(tmp_path / "x" / "marks.parquet").column("probe_id").to_pylist() == [
        50
    ]
    assert parquet.read_metadata(tmp_path / "x" / "overrides.parquet").num_rows == 0


def test_all_holds_what_no_run_asks_too(store: Store, tmp_path: Path) -> None:
    ((questions,),) = ask(store, "SELECT count(*) FROM questions")
    exported = export_runs(store, tmp_path / "x")
    assert [run.run_id for run in exported.manifest.runs] == [1, 2]
    assert exported.manifest.tables["questions"].rows == questions
    assert exported.manifest.tables["probes"].rows == 56


def test_files_are_compressed_and_read_by_anything(store: Store, tmp_path: Path) -> None:
    export_runs(store, tmp_path / "x")
    for table in TABLES:
        metadata = parquet.read_metadata(table_path(tmp_path / "x", table))
        for group in range(metadata.num_row_groups):
            assert metadata.row_group(group).column(0).compression == "ZSTD"
    path = table_path(tmp_path / "x", "outcomes")
    with duckdb.connect() as plain:
        found = plain.execute(f"SELECT count(*) FROM '{path}' WHERE mismatch").fetchall()
    assert found == ask(store, "SELECT count(*) FROM outcomes WHERE mismatch")


def test_rows_are_read_piece_by_piece_and_stay_in_order(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "ROWS", 40)
    told: list[tuple[str, int, int]] = []
    export_runs(store, tmp_path / "x", on_progress=lambda *each: told.append(each))
    positions = table_path(tmp_path / "x", "positions")
    assert parquet.read_metadata(positions).num_row_groups > 10
    order = "SELECT probe_id, sample, position FROM positions ORDER BY probe_id, rowid"
    rows = parquet.read_table(positions).select(["probe_id", "sample", "position"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == ask(store, order)
    assert told[-1] == ("outcomes", 56, 56)


def test_the_readme_documents_every_column(store: Store, tmp_path: Path) -> None:
    export_runs(store, tmp_path / "x", [1])
    text = (tmp_path / "x" / "README.md").read_text(encoding="utf-8")
    for table in (*TABLES, DERIVED):
        section = text.split(f"## {table}.parquet")[1].split("\n## ")[0]
        described = ask(
            store,
            "SELECT column_name, data_type, comment FROM duckdb_columns() "
            f"WHERE table_name = '{table}'",
        )
        assert described
        for name, kind, comment in described:
            (line,) = [each for each in section.splitlines() if each.startswith(f"| `{name}` |")]
            assert str(kind).replace("|", r"\|") in line
            assert str(comment or "").replace("|", r"\|") in line
    assert "sample run" in text


def test_an_export_is_of_one_moment(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is stored while it is written is in no table of it."""
    write_table = exporting._write_table

    def write_and_store(path: Path, *rest: object) -> int:
        if path.name == "probes.parquet":
            add_sample_run(store, questions=2, orders=1, samples=1, name="meanwhile")
            store.toggle_mark(1)
        return write_table(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(exporting, "_write_table", write_and_store)
    exported = export_runs(store, tmp_path / "x")
    rows = {table: file.rows for table, file in exported.manifest.tables.items()}
    assert (rows["runs"], rows["probes"], rows["marks"], rows["outcomes"]) == (2, 56, 1, 56)
    assert ask(store, "SELECT count(*) FROM runs") == [(3,)]


def test_a_folder_that_is_there_is_left_alone(store: Store, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    for force in (False, True):
        with pytest.raises(StoreError, match="is there already"):
            export_runs(store, mine, force=force)
    assert (mine / "thesis.tex").read_text() == "years of work"
    export_runs(store, tmp_path / "x", [1])
    with pytest.raises(StoreError, match="holds an export already") as caught:
        export_runs(store, tmp_path / "x", [2])
    assert "--force" in caught.value.hint
    export_runs(store, tmp_path / "x", [2], force=True)
    manifest = json.loads((tmp_path / "x" / "manifest.json").read_text())
    assert [run["run_id"] for run in manifest["runs"]] == [2]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["mine", "x"]


@pytest.mark.parametrize("there", [False, True])
def test_an_export_that_fails_leaves_what_was_there(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    if there:
        export_runs(store, tmp_path / "x", [1])
    before = {path.name: path.read_bytes() for path in tmp_path.glob("x/*")}

    def full(path: Path) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "hash_of", full)
    with pytest.raises(StoreError, match="No space left"):
        export_runs(store, tmp_path / "x", [2], force=True)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("x/*")} == before
    assert not list(tmp_path.glob(".x*"))
    assert ask(store, "SELECT count(*) FROM runs") == [(2,)]


def test_an_unknown_run_names_the_known_ones(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no run 7") as caught:
        export_runs(store, tmp_path / "x", [1, 7])
    assert "1, 2" in caught.value.hint
    assert not list(tmp_path.glob("*x*"))
    with (
        open_store(tmp_path / "empty.duckdb") as empty,
        pytest.raises(StoreError, match="nothing to export"),
    ):
        export_runs(empty, tmp_path / "x")


def test_the_command_says_what_it_wrote(logitscope, sample_database: Path, tmp_path: Path) -> None:
    done = logitscope("export", "1", "--db", sample_database, "--to", tmp_path / "x")
    assert done.code == 0
    assert "run 1  sample run  (sample/model)  48 probes" in done.out
    assert f"{tmp_path / 'x'}: 14 tables" in done.out
    whole = logitscope("export", "--all", "--db", sample_database, "--to", tmp_path / "y", "--json")
    assert json.loads(whole.out)["manifest"]["tables"]["probes"]["rows"] == 48
    for wrong in ((), ("1", "--all")):
        refused = logitscope("export", *wrong, "--db", sample_database, "--to", tmp_path / "z")
        assert refused.code == 2
    assert not (tmp_path / "z").exists()
