"""The commands of ``logitscope``, one module each; :mod:`tui.commands.root` puts them together."""

COMMANDS = {
    "explore": "explore:explore",
    "serve": "serve:serve",
    "run": "run:run",
    "sweep": "sweep:sweep",
    "probe": "probe:probe",
    "show": "texts:show",
    "samples": "texts:samples",
    "branch": "texts:branch",
    "edit": "edit:edit",
    "lab": "lab:lab",
    "import": "imports:import_",
    "export": "export:export",
    "sql": "sql:sql",
    "read": "read:read",
    "reread": "reread:reread",
    "doctor": "doctor:doctor",
    "report": "report:app",
    "formats": "formats:app",
    "config": "config:app",
}
"""Every command in the order of ``--help``: its module here, and what of it."""
