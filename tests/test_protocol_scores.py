"""Four protocols, one model, the same questions: four scores, and the questions behind them."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.client import WorkerClient
from engine.demo import EMBEDDED_MODEL, QUESTIONS
from engine.formats import load_format
from engine.planning import plan_run
from engine.questions import Question, find_split, load_questions
from engine.records import ProbeSettings
from engine.runs import execute
from engine.store import Store, open_store
from engine.studies import Scope
from engine.studies.protocols import protocols_report

pytestmark = pytest.mark.slow

PROTOCOLS = ("mmlu-original", "mmlu-helm", "mmlu-harness-v0", "mmlu-harness-v1")
AVERAGES = ("micro", "macro", "macro", "macro")
"""How each of them averages itself; both harnesses gave a score a subject."""

SHOTS = 5


def write_mmlu(folder: Path) -> Path:
    """All sample questions with four options in MMLU's files; returns the folder ``test``.

    Their own dev questions are dev; of the others, as many of each subject as the old harness
    draws are validation.
    """
    source = QUESTIONS[-1][1]
    by_subject: dict[str, list[Question]] = defaultdict(list)
    for question in load_questions(source):
        if len(question.options) == 4:
            by_subject[question.subject].append(question)
    dev = find_split(source, "dev")
    for subject, others in by_subject.items():
        own = [question for question in dev if question.subject == subject]
        splits = {"dev": own, "val": others[: SHOTS + 1], "test": others[SHOTS + 1 :]}
        for split, questions in splits.items():
            (folder / split).mkdir(exist_ok=True)
            with (folder / split / f"{subject}_{split}.csv").open("w", newline="") as file:
                for question in questions:
                    texts = [option.text for option in question.options]
                    csv.writer(file).writerow([question.text, *texts, question.gold])
    return folder / "test"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    source = write_mmlu(tmp_path_factory.mktemp("mmlu"))
    settings = ProbeSettings(samples=0, max_new_tokens=4)
    plan = plan_run(str(EMBEDDED_MODEL), str(source), PROTOCOLS, settings, dtype="float32")
    with open_store(":memory:") as store, WorkerClient() as client:
        assert execute(store, plan, client).status == "finished"
        yield store


def said(store: Store) -> dict[str, dict[str, tuple[str | None, str | None, str]]]:
    """What each protocol's own reading says, by format and question: label, gold and subject."""
    found: dict[str, dict[str, tuple[str | None, str | None, str]]] = {}
    for name in PROTOCOLS:
        rows = store.reader().execute(
            "SELECT p.question_id, r.label, p.gold, q.subject FROM readings r "
            "JOIN probes p USING (probe_id) JOIN questions q USING (question_id) "
            "WHERE p.format = ? AND r.name = ?",
            [name, load_format(name).scored_by],
        )
        found[name] = {
            question: (label, gold, subject) for question, label, gold, subject in rows.fetchall()
        }
    return found


def test_four_protocols_give_four_scores(store: Store) -> None:
    """Each by its own reading and its own average; one average alone may well tie."""
    accuracy = protocols_report(store.reader(), Scope()).tables[0]
    own = {row.cells["format"]: row.cells for row in accuracy.rows if row.cells["own"]}
    assert tuple(own) == PROTOCOLS
    for name, answers in said(store).items():
        right: dict[str, list[bool]] = defaultdict(list)
        for label, gold, subject in answers.values():
            right[subject].append(label == gold)
        every = [each for group in right.values() for each in group]
        assert len(right) == 13
        assert len(every) > 100
        assert own[name]["reading"] == load_format(name).scored_by
        assert own[name]["micro"] == pytest.approx(sum(every) / len(every))
        means = [sum(group) / len(group) for group in right.values()]
        assert own[name]["macro"] == pytest.approx(sum(means) / len(means))
    scores = [own[name][average] for name, average in zip(PROTOCOLS, AVERAGES, strict=True)]
    assert len({round(score, 9) for score in scores}) == len(PROTOCOLS)


def test_the_report_names_the_questions_that_make_the_difference(store: Store) -> None:
    pairs = protocols_report(store.reader(), Scope()).tables[1]
    answers = said(store)
    assert len(pairs.rows) == 6
    for row in pairs.rows:
        first, second = (
            str(row.cells[side]).split(":", 1)[1].rsplit(":", 1)[0] for side in ("first", "second")
        )
        for key, wanted in (("only_first", (True, False)), ("only_second", (False, True))):
            query = f"SELECT question_id FROM probes WHERE {row.behind(key)}"
            named = {question for (question,) in store.reader().execute(query).fetchall()}
            assert named == {
                question
                for question, (label, gold, _) in answers[first].items()
                if (label == gold, answers[second][question][0] == gold) == wanted
            }
            assert row.cells[key] == len(named)
    assert sum(row.cells["only_first"] + row.cells["only_second"] for row in pairs.rows) > 0
