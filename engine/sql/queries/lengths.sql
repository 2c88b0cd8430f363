-- How long are the texts, and what ended them?
-- Tokens (the stop token included) and characters of the greedy texts and samples of each run. A
-- text of finish reason length was cut by the token limit; NULL is not recorded.
SELECT
    p.run_id,
    p.format,
    g.kind,
    g.finish_reason,
    count(*) AS texts,
    count(g.tokens) AS with_tokens,
    avg(g.tokens) AS mean_tokens,
    median(g.tokens) AS median_tokens,
    max(g.tokens) AS most_tokens,
    avg(length(g.text)) AS mean_characters
FROM generations g
JOIN probes p ON p.probe_id = g.probe_id
WHERE g.kind IN ('greedy', 'sample')
GROUP BY p.run_id, p.format, g.kind, g.finish_reason
ORDER BY p.run_id, p.format, g.kind, g.finish_reason NULLS LAST
