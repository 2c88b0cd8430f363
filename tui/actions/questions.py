"""What the list of questions can be asked for."""

from __future__ import annotations

from tui.actions.action import Action

# One or two lines an action, so that all can be read at a glance.
# fmt: off
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
    Action("questions", "back", "escape", "back",
           "Show every row again; from the questions behind a cell, go back to it.",
           footer=True, palette=False),
    Action("questions", "clear_filter", "", "clear filter", "Show every row again."),
    Action("questions", "studies", "s", "studies",
           "Ask the runs something: mismatches, protocols, calibration and more.", footer=True),
    Action("questions", "rerun", "r", "re-run",
           "Ask the model again, live, and watch it write.", footer=True),
    Action("questions", "lab", "L", "prompt lab",
           "Change the prompt format, and watch the question under the cursor and the marked ones.",
           footer=True),
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
