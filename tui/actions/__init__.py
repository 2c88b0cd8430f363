"""The one registry of actions: bindings, footer, help and command palette are all made from it.

A *scope* is the part of the explorer that carries out an action: ``app``, a screen, or a widget.
The class that owns a scope names it in ``ACTION_SCOPE`` and takes its bindings from
``bindings(scope)``; the Textual method is ``action_<name>`` unless ``call`` says otherwise.
"""

from __future__ import annotations

from textual.binding import BindingType

from tui.actions.action import Action
from tui.actions.everywhere import APP, GRID, HELP, JUMP, LEAVE, PANE, ROWS, STRIP
from tui.actions.lab import CHOOSE_FORMAT, FORM, FORMAT_EDITOR, LAB, SAVE, SWEEP
from tui.actions.question import EDIT, OVERRIDE, QUESTION, RAW
from tui.actions.questions import FILTER, QUESTIONS
from tui.actions.runs import CELLS, RUNS, START, STUDY
from tui.actions.sql import (
    CELL,
    CHART,
    EXPORT,
    FIND,
    SAVE_QUERY,
    SCHEMA,
    SQL,
    SQL_EDITOR,
    SQL_LIST,
    UNLOCK,
    VALUES,
)
from tui.actions.tour import BEGIN_TOUR, TOUR

__all__ = ["ACTIONS", "Action", "bindings", "in_scope"]

ACTIONS: tuple[Action, ...] = (
    *APP,
    *BEGIN_TOUR,
    *TOUR,
    *QUESTIONS,
    *GRID,
    *FILTER,
    *RUNS,
    *STUDY,
    *CELLS,
    *START,
    *LEAVE,
    *HELP,
    *JUMP,
    *QUESTION,
    *STRIP,
    *PANE,
    *ROWS,
    *RAW,
    *OVERRIDE,
    *EDIT,
    *LAB,
    *FORM,
    *FORMAT_EDITOR,
    *SAVE,
    *SWEEP,
    *CHOOSE_FORMAT,
    *SQL,
    *SQL_EDITOR,
    *VALUES,
    *CHART,
    *FIND,
    *SCHEMA,
    *CELL,
    *SQL_LIST,
    *SAVE_QUERY,
    *EXPORT,
    *UNLOCK,
)


def in_scope(scope: str) -> list[Action]:
    """The actions of one scope, in the order of the help."""
    return [action for action in ACTIONS if action.scope == scope]


def bindings(scope: str) -> list[BindingType]:
    """The Textual bindings of one scope, for a class's ``BINDINGS``."""
    return [binding for action in in_scope(scope) for binding in action.bindings]
