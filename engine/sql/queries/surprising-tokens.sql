-- Which written tokens are the most surprising?
-- The 500 least probable tokens of the greedy texts and samples of the newest run, with what was
-- the likeliest in their place.
WITH chosen AS (
    SELECT
        p.run_id,
        w.probe_id,
        p.question_index,
        p.format,
        g.kind,
        w.sample,
        w.position,
        w.token_id,
        w.logprob,
        w.rank,
        w.entropy,
        w.top_ids[1] AS likeliest_id,
        w.top_logprobs[1] AS likeliest_logprob,
        p.question_id
    FROM positions w
    JOIN probes p ON p.probe_id = w.probe_id
    JOIN generations g ON g.probe_id = w.probe_id AND g.sample = w.sample
    WHERE g.kind IN ('greedy', 'sample')
        AND p.run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
    ORDER BY w.logprob, w.probe_id, w.sample, w.position
    LIMIT 500
)
SELECT
    c.run_id,
    c.probe_id,
    c.question_index,
    c.format,
    c.kind,
    c.sample,
    c.position,
    t.text AS token,
    exp(c.logprob) AS probability,
    c.rank,
    l.text AS likeliest,
    exp(c.likeliest_logprob) AS likeliest_probability,
    c.entropy,
    c.question_id
FROM chosen c
JOIN runs r ON r.run_id = c.run_id
LEFT JOIN tokens t ON t.tokenizer = r.tokenizer AND t.token_id = c.token_id
LEFT JOIN tokens l ON l.tokenizer = r.tokenizer AND l.token_id = c.likeliest_id
ORDER BY c.logprob, c.probe_id, c.sample, c.position
