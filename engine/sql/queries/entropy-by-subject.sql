-- How undecided is the first token, subject by subject?
-- Entropy of the first token over the whole vocabulary in nats, in the newest run; probes without
-- a recorded entropy are counted apart.
SELECT
    format,
    subject,
    count(*) AS probes,
    count(entropy) AS recorded,
    avg(entropy) AS mean_entropy,
    median(entropy) AS median_entropy,
    max(entropy) AS largest_entropy
FROM outcomes
WHERE run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
GROUP BY format, subject
ORDER BY format, mean_entropy DESC NULLS LAST, subject
