-- Does an imported log's own score agree with our reading of the text?
-- Every score of imported logs against whether the text as it is read here is right: a score that
-- differs counts another thing, or reads the text otherwise.
SELECT
    o.run_id,
    o.format,
    s.name AS score,
    count(*) AS probes,
    count(s.value) AS with_number,
    avg(s.value) AS mean_score,
    count(*) FILTER (s.value IS NOT NULL AND o.text_right IS NOT NULL) AS comparable,
    sum((s.value = 1) = o.text_right)::BIGINT AS same,
    sum(s.value = 1 AND NOT o.text_right)::BIGINT AS only_log_right,
    sum(s.value <> 1 AND o.text_right)::BIGINT AS only_text_right
FROM scores s
JOIN outcomes o ON o.probe_id = s.probe_id
GROUP BY o.run_id, o.format, s.name
ORDER BY o.run_id, o.format, s.name
