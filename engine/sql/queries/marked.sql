-- What did I mark?
-- Marked probes of all runs, the newest marks first.
SELECT
    o.run_id,
    m.probe_id,
    o.question_index,
    o.format,
    o.order_index,
    o.question,
    o.first_token,
    o.text_status,
    o.text_label,
    o.gold,
    m.made_at,
    o.question_id
FROM marks m
JOIN outcomes o ON o.probe_id = m.probe_id
ORDER BY m.made_at DESC, m.probe_id
