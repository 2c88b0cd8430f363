-- Which answers are given with reservations?
-- Texts of the newest run that name an option although they also decline or doubt, and whether they
-- are right.
SELECT
    run_id,
    probe_id,
    question_index,
    format,
    order_index,
    question,
    text_status,
    text_label,
    gold,
    text_right,
    greedy_text,
    question_id
FROM outcomes
WHERE hedged
    AND run_id = (SELECT max(run_id) FROM runs WHERE kind IN ('run', 'import'))
ORDER BY question_index, format, order_index
