-- Can the first token's confidence be trusted?
-- Ten bins of its probability among the options, format by format in the newest run: how many
-- probes, their mean confidence, and how many are right. Calibrated means that the two agree.
SELECT
    format,
    least(floor(first_probability * 10), 9)::INTEGER / 10 AS from_probability,
    count(*) AS probes,
    count(first_token_right) AS graded,
    avg(first_probability) FILTER (first_token_right IS NOT NULL) AS mean_confidence,
    sum(first_token_right)::BIGINT AS first_token_right,
    sum(first_token_right) / nullif(graded, 0) AS accuracy
FROM outcomes
WHERE first_probability IS NOT NULL
    AND run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
GROUP BY format, from_probability
ORDER BY format, from_probability
