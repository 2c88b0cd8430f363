-- Which probes took longest?
-- The 200 slowest of the newest run, with what may have made them slow. Seconds are the probe's
-- share of its batch.
SELECT
    p.run_id,
    p.probe_id,
    p.question_index,
    p.format,
    p.order_index,
    p.seconds,
    len(p.prompt_ids) AS prompt_tokens,
    w.texts,
    w.written_tokens,
    len(p.labels) AS options,
    p.question_id
FROM probes p
LEFT JOIN (
    SELECT probe_id, count(*) AS texts, sum(tokens)::BIGINT AS written_tokens
    FROM generations
    WHERE kind IN ('greedy', 'sample')
    GROUP BY probe_id
) w ON w.probe_id = p.probe_id
WHERE p.seconds IS NOT NULL
    AND p.run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
ORDER BY p.seconds DESC, p.probe_id
LIMIT 200
