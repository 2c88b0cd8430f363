-- Which warnings do the prompts carry?
-- Every warning by run and format: how many prompts have it, of how many, and one example to open.
WITH warned AS (
    SELECT
        run_id,
        probe_id,
        question_id,
        format,
        unnest(warnings, recursive := true)
    FROM probes
)
SELECT
    w.run_id,
    min(w.probe_id) AS probe_id,
    w.format,
    w.code,
    count(DISTINCT w.probe_id) AS prompts,
    (
        SELECT count(*)
        FROM probes p
        WHERE p.run_id = w.run_id AND p.format = w.format
    ) AS of_prompts,
    arg_min(w.message, w.probe_id) AS message,
    arg_min(w.question_id, w.probe_id) AS question_id
FROM warned w
GROUP BY w.run_id, w.format, w.code
ORDER BY w.run_id, w.format, prompts DESC, w.code
