-- Which texts did the token limit cut, and did that cost the answer?
-- Greedy texts of the newest run that ended at the limit; those without an answer first. More
-- tokens may change what these say.
SELECT
    o.run_id,
    o.probe_id,
    o.question_index,
    o.format,
    o.order_index,
    o.question,
    g.tokens,
    o.text_status,
    o.text_label,
    o.gold,
    o.greedy_text,
    o.question_id
FROM outcomes o
JOIN generations g ON g.probe_id = o.probe_id AND g.sample = 0
WHERE g.finish_reason = 'length'
    AND o.run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
ORDER BY o.text_status <> 'truncated', o.probe_id
