"""A store with runs in which every shipped query finds something."""

from __future__ import annotations

from pathlib import Path
from string import Template

from engine.readings import Reading
from engine.records import Generation, Positions
from engine.store import Store, open_store
from tests.sample_store import add_sample_run

NEWEST = 3
"""The newest run of the store that is no changed prompt."""

# Whatever can be missing is missing once, and what is rare in made-up runs is there.
_CHANGES = Template("""
    UPDATE runs SET kind = 'edit' WHERE run_id = 4;

    UPDATE probes SET entropy = NULL, top_ids = NULL WHERE probe_id = $start + 1;
    UPDATE probes SET label_logprobs = NULL, seconds = NULL WHERE probe_id = $start + 2;
    UPDATE probes SET chat = NULL, prompt_ids = NULL WHERE probe_id = $start + 3;
    DELETE FROM readings WHERE probe_id = $start + 2 AND name = 'first_token';
    DELETE FROM readings WHERE probe_id = $start + 5 AND name LIKE '%text';
    DELETE FROM readings WHERE probe_id = $start + 6 AND name IN ('majority', 'sample_text');
    UPDATE generations SET finish_reason = NULL, tokens = NULL WHERE probe_id = $start + 4;
    UPDATE positions SET entropy = NULL WHERE probe_id = $start + 4;

    UPDATE probes SET perturbation = 'letter_typo' WHERE probe_id = $start + 7;
    UPDATE readings SET hedged = true
    WHERE probe_id IN ($start, $start + 9) AND name = 'greedy_text';
    UPDATE probes SET label_logprobs = list_transform(label_logprobs, lambda x: -1.0)
    WHERE probe_id = $start + 8;
    UPDATE generations SET least_margin = 0.00001 WHERE probe_id = $start + 10 AND sample = 0;
    UPDATE readings SET confidence = 0.97 WHERE probe_id % 4 = 1 AND name = 'first_token';
    UPDATE readings SET status = 'option', label = (
        SELECT list_filter(p.labels, lambda x: x <> p.gold)[1] FROM probes p
        WHERE p.probe_id = readings.probe_id
    )
    WHERE name = 'greedy_text' AND probe_id IN (
        SELECT probe_id FROM probes WHERE run_id = $newest AND question_index = 10
    );

    INSERT INTO human_labels
    SELECT probe_id, status, label, labels, 'x' FROM readings
    WHERE name = 'greedy_text' AND probe_id BETWEEN $start + 12 AND $start + 20;
    UPDATE human_labels SET status = 'refusal', label = NULL WHERE probe_id = $start + 13;
    INSERT INTO scores
    SELECT probe_id, 'acc', (probe_id % 2)::DOUBLE, NULL FROM probes
    WHERE probe_id BETWEEN $start AND $start + 30;
    UPDATE scores SET value = NULL WHERE probe_id = $start + 5;

    UPDATE runs SET settings = json_merge_patch(settings, '{"sweep": {"axis": "format", "points": [
        {"label": "l", "format": "low", "order": null, "setting": null},
        {"label": "h", "format": "high", "order": 1, "setting": null}
    ]}}') WHERE run_id = 2;
    UPDATE runs SET settings = json_merge_patch(settings, '{"sweep": {"axis": "heat", "points": [
        {"label": "0.8", "format": "low", "order": null, "setting": ["temperature", 0.8]},
        {"label": "1", "format": "low", "order": null, "setting": ["temperature", 1.0]}
    ]}}') WHERE run_id = 3;
""")


def make_varied_store(path: Path) -> Store:
    """A new store with four runs, the last of them a changed prompt."""
    store = open_store(path)
    for questions, name in ((6, "first"), (10, "second"), (12, "third"), (1, "changed")):
        add_sample_run(store, questions=questions, name=name)
    found = store.reader().execute("SELECT min(probe_id) FROM probes WHERE run_id = ?", [NEWEST])
    ((start,),) = found.fetchall()
    with store._transaction() as writer:
        for change in _CHANGES.substitute(start=start, newest=NEWEST).split(";\n"):
            if change.strip():
                writer.execute(change)
    store.set_override(start + 3, "option", "B", "surely")
    store.set_override(start + 21, "refusal")
    store.set_override(start + 22, "several")
    store.toggle_mark(start + 3)
    store.toggle_mark(start + 4)
    positions = Positions([65], [-0.5], [1], [0.5], [9.0], [0.0], [[65]], [[-0.5]])
    extra = Generation("extra", 5, "B", "stop", positions)
    branch = Generation("branch", -1, "C", "length", positions, parent=0, fork=0)
    store.add_texts(
        start,
        [extra, branch],
        [
            Reading("extra_text", "option", sample=5, label="B", rule="opening"),
            Reading("branch_text", "option", sample=-1, label="C", rule="opening"),
        ],
    )
    with store._transaction() as writer:
        ids = writer.execute("SELECT probe_id FROM probes").fetchall()
        for (probe_id,) in ids:
            store._refresh_outcome(probe_id)
    return store
