-- Which questions does only a sample get right?
-- Graded probes of the newest run whose greedy text is wrong although at least one sample is right:
-- the room that sampling leaves to a better choice among the samples.
WITH sampled AS (
    SELECT probe_id, count(*) AS samples, sum(correct)::BIGINT AS right_samples
    FROM answers
    WHERE reading = 'sample_text'
        AND run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
    GROUP BY probe_id
)
SELECT
    o.run_id,
    o.probe_id,
    o.question_index,
    o.format,
    o.order_index,
    o.question,
    o.gold,
    o.text_status,
    o.text_label,
    s.right_samples,
    s.samples,
    o.majority = o.gold AS majority_right,
    o.question_id
FROM sampled s
JOIN outcomes o ON o.probe_id = s.probe_id
WHERE NOT o.text_right AND s.right_samples > 0
ORDER BY s.right_samples / s.samples DESC, o.probe_id
