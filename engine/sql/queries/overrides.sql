-- Where did a person overrule the answer ladder?
-- Every decision made by hand, beside what the ladder reads in the text; disagreements first.
SELECT
    o.run_id,
    v.probe_id,
    o.question_index,
    o.format,
    v.status AS decided_status,
    v.label AS decided_label,
    o.read_status,
    o.read_label,
    v.status IS DISTINCT FROM o.read_status OR v.label IS DISTINCT FROM o.read_label AS overruled,
    v.note,
    v.made_at,
    o.greedy_text,
    o.question_id
FROM overrides v
JOIN outcomes o ON o.probe_id = v.probe_id
ORDER BY overruled DESC, v.probe_id
