"""What can be asked for everywhere, and in the panes that every screen is made of."""

from __future__ import annotations

from tui.actions.action import Action

# One or two lines an action, so that all can be read at a glance.
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
    Action("app", "jump", "ctrl+g", "jump",
           "Put a letter on every part and tab; the letter goes there.", priority=True),
    Action("app", "line_back", "left_square_bracket,alt+left", "line back",
           "Move the line beside the part with the focus to the left, or up.",
           call="move_line(0, -1)"),
    Action("app", "line_on", "right_square_bracket,alt+right", "line on",
           "Move that line to the right, or down; the mouse can drag it.",
           call="move_line(0, 1)"),
    Action("app", "outer_line_back", "left_curly_bracket,alt+up", "outer line back",
           "Move the next line further out up, or to the left.", call="move_line(1, -1)"),
    Action("app", "outer_line_on", "right_curly_bracket,alt+down", "outer line on",
           "Move the next line further out down, or to the right.", call="move_line(1, 1)"),
    Action("app", "reset_lines", "", "reset the panes",
           "Give every pane of this screen its own size again, as a double click on a line does."),
    Action("app", "sql", "Q,f4", "SQL",
           "Ask everything stored in SQL; from the list of questions, with its query."),
    Action("app", "change_theme", "", "change the theme", "Pick dark, light or terminal colours."),
    Action("app", "leave", "q", "quit",
           "Leave the explorer; asks first while a run is going.", footer=True),
    Action("app", "leave_at_once", "ctrl+q", "quit", call="leave", palette=False, priority=True),
    Action("app", "help_quit", "ctrl+c", "how to quit", palette=False),
)

LEAVE = (
    Action("leave", "confirm", "y,enter", "quit", "Stop the run and leave.",
           footer=True, palette=False),
    Action("leave", "close", "n,escape", "stay", "Let the run go on.",
           footer=True, palette=False),
)

JUMP = (
    Action("jump", "close", "escape,ctrl+g", "stay", "Stay where the focus is.", footer=True,
           palette=False),
)

HELP = (
    Action("help", "search", "slash", "search", "Show only what holds the words that are typed.",
           footer=True, palette=False),
    Action("help", "close", "escape,question_mark,q", "close", "Close the help.",
           footer=True, palette=False),
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
