"""The one registry of actions: bindings, footer, help and command palette are all made from it.

A *scope* is the part of the explorer that carries out an action: ``app``, a screen, or a widget.
The class that owns a scope names it in ``ACTION_SCOPE`` and takes its bindings from
``bindings(scope)``; the Textual method is ``action_<name>`` unless ``call`` says otherwise.
"""

from __future__ import annotations

import msgspec
from textual.binding import Binding, BindingType


class Action(msgspec.Struct, frozen=True):
    """One thing that the user can ask for.

    Attributes:
        scope: Who carries it out.
        name: Unique in its scope.
        keys: Textual key names, comma separated; empty for palette-only actions.
        title: A few words for the footer and the palette.
        help: One sentence for ``?``; empty leaves it out of the help.
        call: The Textual action, where it is not just ``name``.
        footer: Whether the footer shows it.
        palette: Whether the command palette offers it.
        priority: Whether it wins over the focused widget's own keys.
        shown_as: How help shows the keys, where that is not obvious.
    """

    scope: str
    name: str
    keys: str
    title: str
    help: str = ""
    call: str = ""
    footer: bool = False
    palette: bool = True
    priority: bool = False
    shown_as: str = ""

    @property
    def id(self) -> str:
        """What a keymap calls it, e.g. ``questions.next_flagged``."""
        return f"{self.scope}.{self.name}"

    @property
    def bindings(self) -> list[Binding]:
        """One Textual binding a key; the shared id lets a keymap change the keys."""
        if not self.keys:
            return []
        whole = Binding(
            self.keys,
            self.call or self.name,
            self.title,
            show=self.footer,
            priority=self.priority,
            tooltip=self.help,
            id=self.id,
        )
        return list(Binding.make_bindings([whole]))


# One or two lines an action, so that the whole registry can be read at a glance.
# fmt: off
APP = (
    Action("app", "help", "question_mark", "help",
           "What the focused part does, and its keys; F1 does it everywhere.", footer=True),
    Action("app", "help_anywhere", "f1", "help", call="help", footer=True, palette=False,
           priority=True),
    Action("app", "command_palette", "ctrl+p", "palette",
           "Find any command by its name.", footer=True, palette=False),
    Action("app", "save_screen", "f12", "save a screenshot",
           "Save this screen as an SVG picture in the current folder.", priority=True),
    Action("app", "change_theme", "", "change the theme", "Pick dark, light or terminal colours."),
    Action("app", "leave", "q", "quit",
           "Leave the explorer; asks first while a run is going.", footer=True),
    Action("app", "leave_at_once", "ctrl+q", "quit", call="leave", palette=False, priority=True),
    Action("app", "help_quit", "ctrl+c", "how to quit", palette=False),
)

QUESTIONS = (
    Action("questions", "cancel_run", "c", "cancel the run",
           "Stop the run that is going; what it stored stays and it can be resumed.",
           footer=True),
    Action("questions", "next_flagged", "n", "next flagged",
           "Go to the next row with the flag of the tab, or of the last tab that was open.",
           call="step_flagged(1)", footer=True),
    Action("questions", "previous_flagged", "N", "previous flagged",
           "Go to the previous row with that flag.", call="step_flagged(-1)"),
    Action("questions", "filter", "slash", "filter",
           "Type a condition over the columns, e.g. format = 'low' and entropy > 2.",
           footer=True),
    Action("questions", "clear_filter", "escape", "clear filter", "Show every row again.",
           footer=True),
    Action("questions", "rerun", "r", "re-run",
           "Ask the model again, live, and watch it write.", footer=True),
    Action("questions", "pick_run", "p", "runs", "Choose another run, or resume one.",
           footer=True),
    Action("questions", "start_run", "R", "new run",
           "Start a run of a model over questions.", footer=True),
    Action("questions", "next_format", "f", "format",
           "Show one prompt format only: all, then each format in turn.", footer=True),
    Action("questions", "mark", "space", "mark", "Mark the row, or take the mark away.",
           footer=True),
    Action("questions", "open_probe", "", "open the question",
           "Show everything about the question under the cursor."),
    Action("questions", "next_tab", "right", "next tab",
           "Show the rows of the next flag that has any.", call="step_tab(1)"),
    Action("questions", "previous_tab", "left", "previous tab",
           "Show the rows of the previous flag that has any.", call="step_tab(-1)"),
    Action("questions", "tab", "1", "tab by number", "Show the first to tenth tab.",
           call="tab(0)", palette=False, shown_as="1 … 9, 0"),
    *(
        Action("questions", f"tab_{place + 1}", str((place + 1) % 10), "",
               call=f"tab({place})", palette=False)
        for place in range(1, 10)
    ),
    Action("questions", "sort_next", "full_stop", "sort by the next column",
           "Sort by the column to the right of the sorted one.", call="sort(1)"),
    Action("questions", "sort_previous", "comma", "sort by the previous column",
           "Sort by the column to the left of the sorted one.", call="sort(-1)"),
    Action("questions", "sort_reverse", "o", "reverse the order", "Turn the order round."),
    Action("questions", "toggle_preview", "v", "preview",
           "Show or hide what stands below the list."),
)

GRID = (
    Action("grid", "cursor_down", "down,j", "down", "One row down.",
           call="move(1)", palette=False),
    Action("grid", "cursor_up", "up,k", "up", "One row up.", call="move(-1)", palette=False),
    Action("grid", "page_down", "pagedown,ctrl+f", "page down", "One page down.",
           call="page(1)", palette=False),
    Action("grid", "page_up", "pageup,ctrl+b", "page up", "One page up.",
           call="page(-1)", palette=False),
    Action("grid", "half_down", "ctrl+d", "half a page down", "Half a page down.",
           call="page(0.5)", palette=False),
    Action("grid", "half_up", "ctrl+u", "half a page up", "Half a page up.",
           call="page(-0.5)", palette=False),
    Action("grid", "first", "home,g,ctrl+home", "first row", "To the first row.",
           call="edge(0)"),
    Action("grid", "last", "end,G,ctrl+end", "last row", "To the last row.", call="edge(-1)"),
    Action("grid", "choose", "enter", "open", "Open the row.", footer=True, palette=False),
)

FILTER = (
    Action("filter", "leave", "escape", "back to the list",
           "Go back to the list and keep the filter that is in force.",
           footer=True, palette=False),
    Action("filter", "complete", "tab", "complete the name",
           "Take the column's name that is suggested.", footer=True, palette=False),
    Action("filter", "older", "up", "older filter", "The filter used before.",
           call="recall(-1)", footer=True, palette=False),
    Action("filter", "newer", "down", "newer filter", "The filter used after.",
           call="recall(1)", palette=False),
)

RUNS = (
    Action("runs", "resume", "r", "resume", "Go on with a run that stopped before its end.",
           footer=True, palette=False),
    Action("runs", "start", "R", "new run", "Start a run of a model over questions.",
           footer=True, palette=False),
    Action("runs", "close", "escape,p", "back", "Back to the questions.",
           footer=True, palette=False),
)

START = (
    Action("start", "submit", "ctrl+r,f5", "start", "Start the run.",
           footer=True, palette=False),
    Action("start", "close", "escape", "back", "Back without starting anything.",
           footer=True, palette=False),
)

LEAVE = (
    Action("leave", "confirm", "y,enter", "quit", "Stop the run and leave.",
           footer=True, palette=False),
    Action("leave", "close", "n,escape", "stay", "Let the run go on.",
           footer=True, palette=False),
)

HELP = (
    Action("help", "close", "escape,question_mark,q", "close", "Close the help.",
           footer=True, palette=False),
)

QUESTION = (
    Action(
        "question",
        "close",
        "escape",
        "back",
        "Back to the list of questions; while the model answers, take the question back first.",
        footer=True,
    ),
    Action(
        "question",
        "next_flagged",
        "n",
        "next flagged",
        "Go to the next question with the flag being looked for, in the order of the list.",
        call="step_flagged(1)",
        footer=True,
    ),
    Action(
        "question",
        "previous_flagged",
        "N",
        "previous flagged",
        "Go to the previous question with that flag.",
        call="step_flagged(-1)",
    ),
    Action(
        "question",
        "next_question",
        "j",
        "next question",
        "Go to the next question of the list, on the same view.",
        call="step(1)",
    ),
    Action(
        "question",
        "previous_question",
        "k",
        "previous question",
        "Go to the previous question of the list, on the same view.",
        call="step(-1)",
    ),
    Action(
        "question",
        "next_token",
        "right",
        "next token",
        "Move the cursor of both strips by one token.",
        call="move_cursor(1)",
        palette=False,
    ),
    Action(
        "question",
        "previous_token",
        "left",
        "previous token",
        "Move the cursor of both strips back by one token.",
        call="move_cursor(-1)",
        palette=False,
    ),
    Action(
        "question",
        "ten_on",
        "ctrl+right",
        "ten tokens on",
        "Move the cursor of both strips by ten tokens.",
        call="move_cursor(10)",
        palette=False,
    ),
    Action(
        "question",
        "ten_back",
        "ctrl+left",
        "ten tokens back",
        "Move the cursor of both strips back by ten tokens.",
        call="move_cursor(-10)",
        palette=False,
    ),
    Action(
        "question",
        "first_position",
        "home",
        "first position",
        "Put the cursor on the first token: the distribution at the prompt's end.",
        call="cursor_to_edge(0)",
    ),
    Action(
        "question",
        "last_token",
        "end",
        "last token",
        "Put the cursor on the last token.",
        call="cursor_to_edge(-1)",
    ),
    Action(
        "question",
        "next_divergence",
        "d",
        "divergence",
        "Go to where a sample parts from the greedy text, sample after sample.",
        footer=True,
    ),
    Action(
        "question",
        "next_sample",
        "s",
        "sample",
        "Show the next sample in the lower strip.",
        call="step_sample(1)",
        footer=True,
    ),
    Action(
        "question",
        "previous_sample",
        "S",
        "previous sample",
        "Show the previous sample in the lower strip.",
        call="step_sample(-1)",
    ),
    Action(
        "question",
        "all_samples",
        "a",
        "all samples",
        "List all samples, one a line, in the place of the lower strip.",
    ),
    Action(
        "question",
        "toggle_options",
        "l",
        "options",
        "Show the options at the first position in the place of the distribution.",
        footer=True,
    ),
    Action(
        "question",
        "next_surprising",
        "u",
        "surprise",
        "Go to the next token that was not the likeliest, or had less than 20 %.",
        footer=True,
    ),
    Action(
        "question",
        "toggle_prompt",
        "p",
        "prompt tokens",
        "Show the prompt as text or as tokens with their ids.",
    ),
    Action(
        "question",
        "toggle_bars",
        "v",
        "bars",
        "Show the probability of every token as a bar under it.",
    ),
    Action(
        "question",
        "raw",
        "x",
        "raw text",
        "Show the text and the bytes of the generation exactly as they are.",
    ),
    Action(
        "question",
        "override",
        "o",
        "override",
        "Set by hand what the greedy text says, or take that back.",
    ),
    Action(
        "question",
        "mark",
        "m,space",
        "mark",
        "Mark the question, or take the mark away.",
    ),
    Action(
        "question",
        "rerun",
        "r",
        "re-run",
        "Ask the model again, live, and watch it write.",
        footer=True,
    ),
    Action(
        "question",
        "branch",
        "b",
        "branch",
        "Take the alternative ↳ of the distribution here and let the model go on from it.",
        footer=True,
    ),
    Action(
        "question",
        "more_samples",
        "plus",
        "8 more samples",
        "Draw eight extra samples; no reading of the run counts them.",
    ),
    Action(
        "question",
        "toggle_tree",
        "t",
        "tree of texts",
        "Show all texts, each branch under the text it leaves, or put them away.",
        footer=True,
    ),
    Action(
        "question",
        "edit",
        "e",
        "edit prompt",
        "Change the prompt and watch the answer move.",
        footer=True,
    ),
    Action(
        "question",
        "copy",
        "y",
        "copy",
        "Copy what the part with the focus shows.",
    ),
)

STRIP = (
    Action(
        "strip", "up", "up", "line up", "To the token above.", call="line(-1)", palette=False
    ),
    Action(
        "strip", "down", "down", "line down", "To the token below.", call="line(1)", palette=False
    ),
    Action("strip", "page_up", "pageup", "page up", "Up a page.", call="page(-1)", palette=False),
    Action(
        "strip", "page_down", "pagedown", "page down", "Down a page.", call="page(1)",
        palette=False,
    ),
)

PANE = (
    Action("pane", "up", "up", "up", "Scroll up a line.", call="scroll(-1)", palette=False),
    Action("pane", "down", "down", "down", "Scroll down a line.", call="scroll(1)", palette=False),
    Action("pane", "page_up", "pageup", "page up", "Up a page.", call="page(-1)", palette=False),
    Action(
        "pane", "page_down", "pagedown", "page down", "Down a page.", call="page(1)",
        palette=False,
    ),
)

ROWS = (
    Action("rows", "up", "up", "up", "To the row above.", call="move(-1)", palette=False),
    Action("rows", "down", "down", "down", "To the row below.", call="move(1)", palette=False),
    Action("rows", "page_up", "pageup", "page up", "Up a page.", call="page(-1)", palette=False),
    Action(
        "rows", "page_down", "pagedown", "page down", "Down a page.", call="page(1)",
        palette=False,
    ),
    Action("rows", "choose", "enter", "go there", "Show what the row is about.", palette=False),
)

RAW = (
    Action("raw", "close", "escape,x,q", "back", "Back to the question.", footer=True,
           palette=False),
    Action("raw", "copy", "y", "copy", "Copy the text exactly as it is.", footer=True,
           palette=False),
)

OVERRIDE = (
    Action("override", "close", "escape,o", "back", "Leave everything as it is.", footer=True,
           palette=False),
)

EDIT = (
    Action("edit", "close", "escape", "back",
           "Back to the question; what was not kept is gone.", footer=True, palette=False),
    Action("edit", "keep", "ctrl+s", "keep",
           "Store the answers to this prompt as a run of their own, of kind edit.", footer=True),
    Action("edit", "reset", "ctrl+r", "stored prompt",
           "Take the stored prompt again.", footer=True),
)

ACTIONS: tuple[Action, ...] = (
    *APP,
    *QUESTIONS,
    *GRID,
    *FILTER,
    *RUNS,
    *START,
    *LEAVE,
    *HELP,
    *QUESTION,
    *STRIP,
    *PANE,
    *ROWS,
    *RAW,
    *OVERRIDE,
    *EDIT,
)


def in_scope(scope: str) -> list[Action]:
    """The actions of one scope, in the order of the help."""
    return [action for action in ACTIONS if action.scope == scope]


def bindings(scope: str) -> list[BindingType]:
    """The Textual bindings of one scope, for a class's ``BINDINGS``."""
    return [binding for action in in_scope(scope) for binding in action.bindings]
