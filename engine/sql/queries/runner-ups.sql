-- What did the model nearly write?
-- The 500 closest calls of the greedy texts of the newest run: the token written, and the likeliest
-- of the others. The gap is the distance of their logprobs in nats.
WITH close AS (
    SELECT
        p.run_id,
        w.probe_id,
        p.question_index,
        p.format,
        p.order_index,
        w.position,
        w.token_id,
        w.logprob,
        list_filter(list_zip(w.top_ids, w.top_logprobs), lambda x: x[1] <> w.token_id)[1] AS other,
        w.logprob - other[2] AS gap,
        p.question_id
    FROM positions w
    JOIN probes p ON p.probe_id = w.probe_id
    WHERE w.sample = 0
        AND other IS NOT NULL
        AND p.run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
    ORDER BY gap, w.probe_id, w.position
    LIMIT 500
)
SELECT
    c.run_id,
    c.probe_id,
    c.question_index,
    c.format,
    c.order_index,
    c.position,
    t.text AS token,
    exp(c.logprob) AS probability,
    n.text AS runner_up,
    exp(c.other[2]) AS runner_up_probability,
    c.gap,
    c.question_id
FROM close c
JOIN runs r ON r.run_id = c.run_id
LEFT JOIN tokens t ON t.tokenizer = r.tokenizer AND t.token_id = c.token_id
LEFT JOIN tokens n ON n.tokenizer = r.tokenizer AND n.token_id = c.other[1]
ORDER BY c.gap, c.probe_id, c.position
