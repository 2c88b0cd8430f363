-- Which answers flip under sampling?
-- Prompts of the newest run with a sample that says something else than the greedy text, the
-- least stable first. Refusals and unread texts are answers like any other here.
WITH sampled AS (
    SELECT
        o.probe_id,
        count(*) AS samples,
        sum(r.status <> o.text_status OR r.label IS DISTINCT FROM o.text_label)::BIGINT AS flipped,
        count(DISTINCT (r.status, r.label)) AS different_answers
    FROM outcomes o
    JOIN readings r ON r.probe_id = o.probe_id AND r.name = 'sample_text'
    WHERE o.text_status IS NOT NULL
        AND o.run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
    GROUP BY o.probe_id
)
SELECT
    o.run_id,
    o.probe_id,
    o.question_index,
    o.format,
    o.order_index,
    o.question,
    o.text_status,
    o.text_label,
    o.gold,
    s.flipped,
    s.samples,
    s.different_answers,
    o.majority_status,
    o.majority,
    o.question_id
FROM sampled s
JOIN outcomes o ON o.probe_id = s.probe_id
WHERE s.flipped > 0
ORDER BY s.flipped / s.samples DESC, s.different_answers DESC, o.probe_id
