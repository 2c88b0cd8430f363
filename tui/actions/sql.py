"""What the SQL screen can be asked for, its parts, and the small screens that it opens."""

from __future__ import annotations

from tui.actions.action import Action

# One or two lines an action, so that all can be read at a glance. In the editor letters are text:
# what has a letter works from the result and from the palette.
# fmt: off
SQL = (
    Action("sql", "run", "f5,ctrl+r,ctrl+j,ctrl+enter", "run",
           "Run everything in the editor, or the selected text.", footer=True, priority=True),
    Action("sql", "run_statement", "f8", "run this statement",
           "Run only the statement that the cursor stands in.", priority=True),
    Action("sql", "close", "escape", "back",
           "Cancel what runs; otherwise put away the schema or the chart, or leave.", footer=True,
           palette=False),
    Action("sql", "next_pane", "f6", "editor/result",
           "Go from the editor to the result, and back.", footer=True, priority=True),
    Action("sql", "format", "f7", "lay out",
           "Lay the text out: a clause a line; ctrl+z takes that back.", priority=True),
    Action("sql", "show_history", "f3", "history",
           "Look for a text that was run before.", priority=True),
    Action("sql", "show_saved", "ctrl+o", "queries",
           "Look through the queries that come with logitscope and those you saved.", footer=True,
           priority=True),
    Action("sql", "save_query", "ctrl+s", "save the query",
           "Save the text under a name.", priority=True),
    Action("sql", "open_editor", "f2", "$EDITOR",
           "Edit the text in your own editor.", priority=True),
    Action("sql", "toggle_schema", "f9", "schema",
           "Show or hide tables, views and their columns.", footer=True, priority=True),
    Action("sql", "unlock", "f10", "unlock",
           "Let statements change what is stored and reach files, until the explorer closes; "
           "asks first.", priority=True),
    Action("sql", "toggle_chart", "v", "chart",
           "Draw the result, or show its rows again.", footer=True),
    Action("sql", "export", "e", "export",
           "Write all rows of the result to a csv, parquet, jsonl or Markdown file.", footer=True),
    Action("sql", "show_in_list", "Q,f4", "list",
           "Show the questions of the result in the list of questions.", footer=True),
    Action("sql", "find", "slash", "find", "Look for a text in the rows that are fetched."),
    Action("sql", "find_next", "n", "next found", "Go to the next cell that holds it.",
           call="step_found(1)"),
    Action("sql", "find_previous", "N", "previous found",
           "Go to the previous cell that holds it.", call="step_found(-1)"),
    Action("sql", "next_result", "ctrl+pagedown", "next result",
           "Show the result of the next statement.", call="step_result(1)", priority=True),
    Action("sql", "previous_result", "ctrl+pageup", "previous result",
           "Show the result of the previous statement.", call="step_result(-1)", priority=True),
)

SQL_EDITOR = (
    Action("sql_editor", "complete", "tab", "complete",
           "Take the suggestion, ask for some, or indent where a line begins.", palette=False),
    Action("sql_editor", "suggest", "ctrl+space,ctrl+@", "suggestions",
           "Show what may stand at the cursor, with its documentation.", shown_as="ctrl+space"),
    Action("sql_editor", "older", "ctrl+up", "older text",
           "Put in the text that was run before.", call="step_history(-1)"),
    Action("sql_editor", "newer", "ctrl+down", "newer text",
           "Put in the text that was run after.", call="step_history(1)"),
    Action("sql_editor", "undo", "ctrl+z", "undo", "Take the last edit back."),
    Action("sql_editor", "redo", "ctrl+y", "redo", "Do again what was taken back."),
)

VALUES = (
    Action("values", "choose", "enter", "open", "Open the question that the row names.",
           footer=True, palette=False),
    Action("values", "view", "space", "whole value", "Show the whole value of the cell.",
           footer=True),
    Action("values", "sort", "s", "sort",
           "Sort by the column: ascending, descending, then as the rows came.", footer=True),
    Action("values", "copy", "y", "copy", "Copy the value under the cursor.",
           footer=True),
    Action("values", "copy_rows", "Y", "copy rows",
           "Copy the marked range, or the row, as tab separated values.",
           call="copy_rows(False)"),
    Action("values", "copy_with_header", "ctrl+y", "copy with header",
           "Copy the same with the columns' names above.", call="copy_rows(True)"),
    Action("values", "toggle_mark", "V", "mark a range",
           "Begin a range of cells at the cursor, or let go of it."),
    Action("values", "fetch_all", "G,ctrl+end", "last row",
           "Fetch the rows to the last one, and go there."),
    Action("values", "first", "g,ctrl+home", "first row", "Go to the first row.",
           call="edge(-1, 0)"),
    Action("values", "first_column", "home,0", "first column", "Go to the first column.",
           call="edge(0, -1)", palette=False),
    Action("values", "last_column", "end,dollar_sign", "last column", "Go to the last column.",
           call="edge(0, 1)", palette=False),
    Action("values", "up", "up,k", "up", "A row up.", call="move(-1, 0)", palette=False),
    Action("values", "down", "down,j", "down", "A row down.", call="move(1, 0)", palette=False),
    Action("values", "left", "left,h", "left", "A column to the left.", call="move(0, -1)",
           palette=False),
    Action("values", "right", "right,l", "right", "A column to the right.", call="move(0, 1)",
           palette=False),
    Action("values", "page_up", "pageup,ctrl+b", "page up", "A page up.", call="page(-1)",
           palette=False),
    Action("values", "page_down", "pagedown,ctrl+f", "page down", "A page down.", call="page(1)",
           palette=False),
    Action("values", "mark_up", "shift+up", "mark upwards", "Mark to the row above.",
           call="mark(-1, 0)", palette=False),
    Action("values", "mark_down", "shift+down", "mark downwards", "Mark to the row below.",
           call="mark(1, 0)", palette=False),
    Action("values", "mark_left", "shift+left", "mark to the left", "Mark to the column before.",
           call="mark(0, -1)", palette=False),
    Action("values", "mark_right", "shift+right", "mark to the right",
           "Mark to the column after.", call="mark(0, 1)", palette=False),
    Action("values", "narrower", "less_than_sign", "narrower", "Make the column narrower.",
           call="widen(-2)"),
    Action("values", "wider", "greater_than_sign", "wider", "Make the column wider.",
           call="widen(2)"),
    Action("values", "fit", "equals_sign", "fit the column",
           "Make the column as wide as the values in view."),
    Action("values", "freeze", "f", "freeze columns",
           "Keep the columns up to this one in view, or let go of them."),
)

CHART = (
    Action("chart", "next_kind", "t", "kind",
           "Draw the next kind: bar, histogram, line, scatter.", footer=True),
    Action("chart", "next_x", "x", "x column", "Draw the next column along the axis.",
           call="next_column('x')", footer=True),
    Action("chart", "next_y", "y", "y column", "Draw the next column of numbers upwards.",
           call="next_column('y')", footer=True),
    Action("chart", "next_series", "s", "series", "Tell apart by the next column, or by none.",
           call="next_column('series')", footer=True),
    Action("chart", "copy", "c", "copy the chart", "Copy the chart as text."),
)

FIND = (
    Action("find", "submit", "enter", "find", "Go to the next cell that holds the text.",
           footer=True, palette=False, priority=True),
    Action("find", "close", "escape", "back", "Back to the rows.", footer=True, palette=False),
)

SCHEMA = (
    Action("schema", "insert", "enter", "insert the name",
           "Put the name into the editor, at the cursor.", footer=True, palette=False),
    Action("schema", "toggle", "space", "open or close", "Show or hide a table's columns.",
           call="toggle_node", footer=True, palette=False),
    Action("schema", "up", "up,k", "up", "A line up.", call="cursor_up", palette=False),
    Action("schema", "down", "down,j", "down", "A line down.", call="cursor_down", palette=False),
    Action("schema", "page_up", "pageup", "page up", "A page up.", palette=False),
    Action("schema", "page_down", "pagedown", "page down", "A page down.", palette=False),
)

CELL = (
    Action("cell", "close", "escape,space,q", "close", "Back to the rows.", footer=True,
           palette=False),
    Action("cell", "copy", "y", "copy", "Copy the whole value.", footer=True),
)

SQL_LIST = (
    Action("sql_list", "close", "escape", "back", "Leave the editor as it is.", footer=True,
           palette=False),
    Action("sql_list", "choose", "enter", "take", "Put it into the editor.", footer=True,
           palette=False, priority=True),
    Action("sql_list", "down", "down", "down", "To the next one.", call="move(1)", palette=False,
           priority=True),
    Action("sql_list", "up", "up", "up", "To the one before.", call="move(-1)", palette=False,
           priority=True),
)

SAVE_QUERY = (
    Action("save_query", "submit", "enter", "save", "Save the query under this name.",
           footer=True, palette=False, priority=True),
    Action("save_query", "close", "escape", "back", "Leave it unsaved.", footer=True,
           palette=False),
)

EXPORT = (
    Action("export", "submit", "enter", "export", "Write the file.", footer=True, palette=False,
           priority=True),
    Action("export", "next_format", "down", "next format",
           "Take the next format: csv, parquet, jsonl, Markdown.", footer=True, palette=False),
    Action("export", "close", "escape", "back", "Cancel the writing, or leave.", footer=True,
           palette=False),
)

UNLOCK = (
    Action("unlock", "confirm", "y", "unlock", "Unlock until the explorer closes.", footer=True,
           palette=False),
    Action("unlock", "close", "n,escape", "stay locked", "Leave everything as it is.",
           footer=True, palette=False),
)
