-- Where in a text does the model hesitate?
-- Mean entropy and mean probability of the written token at each position of the greedy texts of
-- the newest run, and how many texts are that long.
SELECT
    p.format,
    w.position,
    count(*) AS texts,
    count(w.entropy) AS with_entropy,
    avg(w.entropy) AS mean_entropy,
    avg(exp(w.logprob::DOUBLE)) AS mean_probability,
    min(exp(w.logprob::DOUBLE)) AS least_probability
FROM positions w
JOIN probes p ON p.probe_id = w.probe_id
WHERE w.sample = 0
    AND p.run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
GROUP BY p.format, w.position
ORDER BY p.format, w.position
