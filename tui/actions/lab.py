"""What the prompt lab can be asked for, and the small screens that it opens."""

from __future__ import annotations

from tui.actions.action import Action

# One or two lines an action, so that all can be read at a glance. Letters belong to the editor.
# fmt: off
LAB = (
    Action("lab", "close", "escape", "back",
           "Leave the lab; asks first while the format is changed and not saved.",
           footer=True, palette=False),
    Action("lab", "next_pane", "ctrl+t", "next pane",
           "On a narrow screen, show the next of the panes below the editor.",
           footer=True, priority=True),
    Action("lab", "save", "ctrl+s", "save",
           "Save the format as a file, for the command line and for runs.", footer=True,
           priority=True),
    Action("lab", "choose_format", "ctrl+o", "formats",
           "Take another format: a protocol, a constraint level or a file.", footer=True,
           priority=True),
    Action("lab", "rebase", "ctrl+b", "as baseline",
           "Compare with the format as it is now from here on.", footer=True, priority=True),
    Action("lab", "reset", "ctrl+r", "baseline's text",
           "Take the baseline's format again; ctrl+z takes that back.", priority=True),
    Action("lab", "toggle_diff", "f3", "diff",
           "Show where the prompt differs from the baseline's, or its tokens again.",
           footer=True, priority=True),
    Action("lab", "toggle_tokens", "f4", "text or tokens",
           "Show the prompt as text or token by token.", priority=True),
    Action("lab", "start_run", "f5", "run",
           "Start a run in this format; asks for a file to save it in first.", footer=True,
           priority=True),
    Action("lab", "sweep", "f8", "sweep",
           "Change one thing about the format step by step; a table shows what moves.",
           footer=True, priority=True),
    Action("lab", "open_editor", "f2", "$EDITOR",
           "Edit the format in your editor; the lab follows every save.", priority=True),
)

FORM = (
    Action("form", "next_value", "right,space", "next value",
           "Take the next value, or one more.", call="step(1)", palette=False),
    Action("form", "previous_value", "left", "previous value",
           "Take the value before, or one less.", call="step(-1)", palette=False),
    Action("form", "leave", "escape", "leave it",
           "While a value is being typed, leave it as it was.", palette=False),
)

FORMAT_EDITOR = (
    Action("format_editor", "undo", "ctrl+z", "undo", "Take the last edit back."),
    Action("format_editor", "redo", "ctrl+y", "redo", "Do again what was taken back."),
)

SAVE = (
    Action("save", "submit", "enter", "save", "Save the format here.", footer=True,
           palette=False, priority=True),
    Action("save", "close", "escape", "back", "Leave it unsaved.", footer=True, palette=False),
)

SWEEP = (
    Action("sweep", "submit", "enter", "start", "Start the sweep.", footer=True, palette=False,
           priority=True),
    Action("sweep", "close", "escape", "back", "Back without a sweep.", footer=True,
           palette=False),
)

CHOOSE_FORMAT = (
    Action("choose_format", "close", "escape", "back", "Leave the format as it is.",
           footer=True, palette=False),
)
