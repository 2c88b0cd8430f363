-- What did extra samples and branches say?
-- Texts that were asked for by hand after a run, with what the answer ladder reads in them and what
-- the greedy text says. No metric counts them.
SELECT
    o.run_id,
    g.probe_id,
    o.question_index,
    o.format,
    g.kind,
    g.sample,
    g.parent,
    g.fork,
    r.status,
    r.label,
    o.text_status AS greedy_status,
    o.text_label AS greedy_label,
    o.gold,
    g.text,
    o.question_id
FROM generations g
JOIN outcomes o ON o.probe_id = g.probe_id
LEFT JOIN readings r ON r.probe_id = g.probe_id
    AND r.sample = g.sample
    AND r.name IN ('extra_text', 'branch_text')
WHERE g.kind IN ('extra', 'branch')
ORDER BY g.probe_id, g.sample
