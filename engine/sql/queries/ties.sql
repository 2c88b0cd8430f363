-- Which answers hang on a hair?
-- Probes of the newest run with an exact tie, a near tie somewhere in the greedy text, or two
-- options less than a tenth apart: another batch size or number format may turn them.
SELECT
    run_id,
    probe_id,
    question_index,
    format,
    order_index,
    question,
    tie,
    near_tie,
    low_margin,
    margin,
    least_margin,
    dtype,
    first_token,
    text_label,
    question_id
FROM outcomes
WHERE (tie OR near_tie OR low_margin)
    AND run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
ORDER BY coalesce(tie, false) DESC, coalesce(near_tie, false) DESC, margin, probe_id
