"""The engine: everything but the screens.

Data flows one way, and so do imports (a contract in pyproject.toml holds the order)::

    what all share   errors, paths, records, flags
    questions        questions <- shapes, tables, hub; perturb
    prompt           formats, prompt <- rendered, chat, tokens
    the model        model <- checkpoint, memory, vocabulary
    probe            probe <- plans <- attention, kernel, generate, reduce, sampling, batching,
                     selfcheck; sampler_view (the same sampler, for readers)
    readings         answers (the ladder), readings
    the worker       protocol, worker (its process), client (its owner)
    store            store <- connections, database, schema, rows, stored, snapshot; schema.sql,
                     views.sql (where the flags are applied)
    runs             runs <- planning, plan_checks, sweeps, execution, single; followups, known;
                     demo
    other results    importers; reread (readings anew, from what is stored)
    views            browse, console, studies <- metrics; doctor

Importing this package is cheap: torch and transformers are loaded only by "the model", by "probe"
and by the worker's process.
"""
