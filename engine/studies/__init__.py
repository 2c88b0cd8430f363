"""The studies: each a function from a cursor and a scope to tables, plots and words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from engine.studies.report import Report
from engine.studies.scope import Scope

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["STUDIES", "Report", "Scope", "Study", "study"]


class Study(msgspec.Struct, frozen=True):
    """One study.

    Attributes:
        name: What ``logitscope report`` calls it.
        title: One line for lists.
        about: What it answers, in a sentence or two.
        runs: How many runs it wants at least; more are shown side by side.
    """

    name: str
    title: str
    about: str
    runs: int = 1

    def report(self, cursor: DuckDBPyConnection, scope: Scope) -> Report:
        """Make the study over a store.

        Raises:
            LogitscopeError: The scope names a run that is not there, or what it needs is missing.
        """
        return _function(self.name)(cursor, scope)


STUDIES: tuple[Study, ...] = (
    Study(
        "mismatch",
        "First token against text",
        "How often the first token's option is not what the text says, how often texts refuse, "
        "and how the choices of the two readings are distributed.",
    ),
    Study(
        "consistency",
        "The same question in other orders",
        "Whether a reading keeps its answer when the options change places or the question is "
        "perturbed, and which positions it prefers.",
    ),
    Study(
        "protocols",
        "The same model under every protocol",
        "Accuracy of every format and reading, averaged over questions (micro) and over subjects "
        "(macro), and where two of them disagree.",
    ),
    Study(
        "decoding",
        "Greedy against samples",
        "How far sampled runs spread around the greedy one, what a majority or an oracle over the "
        "samples would reach, and what temperature and repetition penalty do.",
    ),
    Study(
        "calibration",
        "What confidence is worth",
        "Whether each reading's confidence is calibrated, how well it ranks right above wrong, and "
        "what abstaining below a threshold earns.",
    ),
    Study(
        "compare",
        "Two runs, question by question",
        "Where two runs agree, which answers flip, and whether the difference is more than chance.",
        runs=2,
    ),
    Study(
        "sweep",
        "One thing changed, point by point",
        "What moves when one thing about the prompt or the sampler is changed: accuracy, mismatch, "
        "the probability of every label, and which answers flip.",
    ),
)


def study(name: str) -> Study:
    """A study by its name.

    Raises:
        KeyError: There is none.
    """
    return {known.name: known for known in STUDIES}[name]


def _function(name: str) -> Callable[[DuckDBPyConnection, Scope], Report]:
    """The function of a study; its libraries are loaded with the first one that needs them."""
    from importlib import import_module

    function: Callable[[DuckDBPyConnection, Scope], Report] = getattr(
        import_module(f"engine.studies.{name}"), f"{name}_report"
    )
    return function
