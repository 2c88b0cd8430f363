-- What do the texts begin with?
-- The tokens that the greedy texts of the newest run begin with, the commonest first, with their
-- mean probability and how often the text then names an option.
SELECT
    p.format,
    t.text AS token,
    w.token_id,
    count(*) AS texts,
    texts / sum(texts) OVER (PARTITION BY p.format) AS share,
    avg(exp(w.logprob::DOUBLE)) AS mean_probability,
    sum(o.text_status = 'option')::BIGINT AS name_an_option
FROM positions w
JOIN probes p ON p.probe_id = w.probe_id
JOIN outcomes o ON o.probe_id = w.probe_id
JOIN runs r ON r.run_id = p.run_id
LEFT JOIN tokens t ON t.tokenizer = r.tokenizer AND t.token_id = w.token_id
WHERE w.sample = 0
    AND w.position = 0
    AND p.run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
GROUP BY p.format, t.text, w.token_id
ORDER BY p.format, texts DESC, w.token_id
