"""What the runs and the studies over them can be asked for."""

from __future__ import annotations

from tui.actions.action import Action

# One or two lines an action, so that all can be read at a glance.
# fmt: off
RUNS = (
    Action("runs", "cancel_run", "c", "cancel the run",
           "Stop the run that is going; what it stored stays and it can be resumed.",
           footer=True),
    Action("runs", "resume", "r", "resume", "Go on with a run that stopped before its end.",
           footer=True),
    Action("runs", "start", "R", "new run", "Start a run of a model over questions.",
           footer=True),
    Action("runs", "mark", "space", "mark",
           "Mark the run for the studies, or take the mark away.", footer=True),
    Action("runs", "mark_all", "a", "mark all", "Mark every run, or take all marks away."),
    Action("runs", "studies", "s", "studies", "Go to the studies, or back to the runs.",
           footer=True),
    Action("runs", "study", "1", "study by number", "Open the first to seventh study.",
           call="study(0)", palette=False, shown_as="1 … 7"),
    *(
        Action("runs", f"study_{place + 1}", str(place + 1), "", call=f"study({place})",
               palette=False)
        for place in range(1, 7)
    ),
    Action("runs", "close", "escape,p", "back", "Back to the questions.",
           footer=True, palette=False),
)

STUDY = (
    Action("study", "close", "escape,s", "back", "Back to the runs and studies.",
           footer=True, palette=False),
    Action("study", "next_table", "tab", "next table",
           "Show the next table; after the last one come the notes.",
           call="step_table(1)", footer=True),
    Action("study", "previous_table", "shift+tab", "previous table",
           "Show the previous table.", call="step_table(-1)"),
    Action("study", "table", "1", "table by number", "Show the first to ninth table.",
           call="table(0)", palette=False, shown_as="1 … 9"),
    *(
        Action("study", f"table_{place + 1}", str(place + 1), "", call=f"table({place})",
               palette=False)
        for place in range(1, 9)
    ),
    Action("study", "toggle_plot", "v", "plot", "Show or hide the plot.", footer=True),
    Action("study", "next_plot", "p", "next plot", "Show the next plot.",
           call="step_plot(1)", footer=True),
    Action("study", "previous_plot", "P", "previous plot", "Show the previous plot.",
           call="step_plot(-1)"),
    Action("study", "next_text", "t", "text source",
           "Take what texts say from overrides and human labels first, or from the ladder alone.",
           footer=True),
    Action("study", "next_by", "b", "apart by",
           "Count apart by order, by format, by subject or by model.",
           footer=True),
    Action("study", "copy", "y", "copy",
           "Copy the table with tabs between its cells, for a spreadsheet."),
    Action("study", "copy_command", "Y", "copy the command",
           "Copy the command that prints the same study."),
)

CELLS = (
    Action("cells", "down", "down,j", "down", "One row down.", call="move(1, 0)", palette=False),
    Action("cells", "up", "up,k", "up", "One row up.", call="move(-1, 0)", palette=False),
    Action("cells", "right", "right,l", "right", "One column to the right.",
           call="move(0, 1)", palette=False),
    Action("cells", "left", "left,h", "left", "One column to the left.",
           call="move(0, -1)", palette=False),
    Action("cells", "page_down", "pagedown,ctrl+f", "page down", "One page down.",
           call="page(1)", palette=False),
    Action("cells", "page_up", "pageup,ctrl+b", "page up", "One page up.",
           call="page(-1)", palette=False),
    Action("cells", "first_column", "home", "first column", "To the first column.",
           call="edge(0, -1)", palette=False),
    Action("cells", "last_column", "end", "last column", "To the last column.",
           call="edge(0, 1)", palette=False),
    Action("cells", "first_row", "g,ctrl+home", "first row", "To the first row.",
           call="edge(-1, 0)", palette=False),
    Action("cells", "last_row", "G,ctrl+end", "last row", "To the last row.",
           call="edge(1, 0)", palette=False),
    Action("cells", "choose", "enter", "questions", "Show the questions behind the cell.",
           footer=True, palette=False),
)

START = (
    Action("start", "submit", "ctrl+r,f5", "start", "Start the run.",
           footer=True, palette=False),
    Action("start", "close", "escape", "back", "Back without starting anything.",
           footer=True, palette=False),
)
