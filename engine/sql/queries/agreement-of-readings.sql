-- How often do the readings say the same?
-- A matrix over the newest run: the share of probes with both readings on which they name the same
-- option, or fail alike. The query agreement-counts has the numbers behind it.
WITH said AS (
    SELECT probe_id, reading, coalesce(label, status) AS says
    FROM decided_answers
    WHERE run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
        AND reading IN (
            'first_token',
            'first_token_spellings',
            'vocab_argmax',
            'label_continuation',
            'continuation',
            'greedy_text',
            'majority'
        )
)
SELECT
    a.reading,
    avg((a.says = b.says)::INTEGER) FILTER (b.reading = 'first_token') AS first_token,
    avg((a.says = b.says)::INTEGER) FILTER (b.reading = 'first_token_spellings') AS first_token_spellings,
    avg((a.says = b.says)::INTEGER) FILTER (b.reading = 'vocab_argmax') AS vocab_argmax,
    avg((a.says = b.says)::INTEGER) FILTER (b.reading = 'label_continuation') AS label_continuation,
    avg((a.says = b.says)::INTEGER) FILTER (b.reading = 'continuation') AS continuation,
    avg((a.says = b.says)::INTEGER) FILTER (b.reading = 'greedy_text') AS greedy_text,
    avg((a.says = b.says)::INTEGER) FILTER (b.reading = 'majority') AS majority
FROM said a
JOIN said b ON b.probe_id = a.probe_id
GROUP BY a.reading
ORDER BY a.reading
