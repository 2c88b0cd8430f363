"""What a study is asked to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from engine.errors import LogitscopeError
from engine.records import ReadingName

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TextSource = Literal["decided", "reading"]
"""Who says what a text says: people, where there are labels or overrides, or the ladder alone."""

Grouping = Literal["order", "format", "subject", "model"]


class Scope(msgspec.Struct, frozen=True):
    """What a study looks at; a study uses what means something to it.

    Attributes:
        runs: Ids of runs, in the order to be shown; empty for every run.
        text: Who says what the greedy text says.
        by: Finest group that is counted apart.
        readings: Ways of reading to look at; empty for the study's own choice.
        labelled: Labelled questions that an abstention threshold is chosen on, per data set.
        resamples: Bootstrap resamples.
        seed: Of everything drawn.
    """

    runs: tuple[int, ...] = ()
    text: TextSource = "decided"
    by: Grouping = "order"
    readings: tuple[ReadingName, ...] = ()
    labelled: int = 20
    resamples: int = 1000
    seed: int = 0


class RunFacts(msgspec.Struct, frozen=True):
    """What tables say about a run.

    Attributes:
        run_id: The run.
        name: What lists call it.
        model: Folder or hub id.
        kind: ``run``, ``import``, ...
    """

    run_id: int
    name: str
    model: str
    kind: str


def answers_view(text: TextSource) -> str:
    """The view of answers in which the greedy text says what the scope wants it to say."""
    return "decided_answers" if text == "decided" else "answers"


def runs_of(cursor: DuckDBPyConnection, scope: Scope) -> list[RunFacts]:
    """The runs in a scope that have probes, in its order; by id where it names none.

    Raises:
        LogitscopeError: There is no such run, or none with probes.
    """
    rows = cursor.execute(
        "SELECT run_id, name, model, kind FROM runs "
        "WHERE run_id IN (SELECT run_id FROM outcomes) ORDER BY run_id"
    ).fetchall()
    known = {row[0]: RunFacts(*row) for row in rows}
    for run_id in scope.runs:
        if run_id not in known:
            raise LogitscopeError(
                f"There is no run {run_id} with stored results.",
                f"There are {', '.join(map(str, known)) or 'none'}.",
            )
    if not known:
        raise LogitscopeError(
            "The database holds no results yet.", "Make some with: logitscope run"
        )
    return [known[run_id] for run_id in scope.runs or known]
